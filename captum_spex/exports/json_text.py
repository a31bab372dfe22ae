"""Results as JSON text, the recovered game included."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from captum_spex.arrays import scalar
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import Result
from captum_spex.indices import Index, IndexTerms
from captum_spex.model import recovered_game
from captum_spex.player_sets import PlayerSets

_FORMAT = "captum_spex.interactions"
_VERSION = 2
_READ = 1, 2  # version 1 knew no kernels that fade from an end of the lattice, and would read them as if they did not
_AS_THEY_ARE = ("index", "max_order", "n_players", "names", "baseline", "n_evaluations", "n_left_out")


def to_json(result: Result, path: str | Path | None = None) -> str:
    """Return a result as JSON text; see `captum_spex.Interactions.to_json`."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        **{name: getattr(result, name) for name in _AS_THEY_ARE},
        "faithfulness": None if math.isnan(result.faithfulness) else result.faithfulness,
        "diagnostics": {key: _plain(value) for key, value in result.diagnostics.items()},
        "terms": [
            [list(term), value] for term, value in zip(result.sets.tuples(), result.values.tolist(), strict=True)
        ],
        "model": result.model.to_dict(),
    }
    text = json.dumps(content, allow_nan=False)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def from_json(source: str | Path) -> dict[str, Any]:
    """Return what `to_json` wrote, as the arguments of `captum_spex.Interactions`.

    Raises:
        ArgumentError: if the content is not a result that this version can read.
    """
    is_text = isinstance(source, str) and source.lstrip()[:1] in ("{", "[")
    text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ArgumentError("source", f"text that is not JSON ({error})", "what `to_json` wrote") from None
    header = (content.get("format"), content.get("version")) if isinstance(content, dict) else (None, None)
    if header[0] != _FORMAT or header[1] not in _READ:
        got = f"format {header[0]!r}, version {header[1]!r}"
        raise ArgumentError("source", got, f"format {_FORMAT!r}, version {' or '.join(map(str, _READ))}")
    try:
        return _arguments(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError("source", f"damaged content ({error!r})", "what `to_json` wrote") from error


def _arguments(content: dict[str, Any]) -> dict[str, Any]:
    sets = PlayerSets.from_sets((term for term, _ in content["terms"]), content["n_players"])
    values = np.array([value for _, value in content["terms"]], dtype=np.float64)
    index = Index(content["index"], content["max_order"])
    return {
        "terms": IndexTerms(index, sets, values, content["baseline"]),
        "model": recovered_game(content["model"]),
        "n_evaluations": content["n_evaluations"],
        "faithfulness": float("nan") if content["faithfulness"] is None else content["faithfulness"],
        "names": tuple(content["names"]) if content["names"] is not None else None,
        "n_left_out": content["n_left_out"],
        "diagnostics": dict(content["diagnostics"] or {}),
    }


def _plain(value: Any) -> int | float | str:
    """Return a diagnostic as JSON has it: finite numbers, all else in words."""
    plain = scalar(value)
    if isinstance(plain, int):
        return int(plain)
    return plain if isinstance(plain, float) and math.isfinite(plain) else str(value)
