"""An explanation of a text for people, and as JSON for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from captum_spex import __version__
from captum_spex.errors import ArgumentError
from captum_spex.interactions import Interactions

FORMAT, VERSION = "captum_spex.explanation", 1
_BAR = 20
_COLORS = {True: "dark_orange", False: "dodger_blue1"}
_STRONG = 0.25  # of the largest value: printed bold


def check_writable(path: str | None) -> None:
    """Refuse an output path that cannot be written, before anything is evaluated."""
    if path is None or path == "-":
        return
    existed = Path(path).exists()
    try:
        Path(path).open("a", encoding="utf-8").close()
    except OSError as error:
        raise ArgumentError("json", f"{path} ({error.strerror})", "a path that can be written, or -") from error
    if not existed:
        Path(path).unlink()


def show(result: Interactions, game: Any, facts: Mapping[str, Any], *, top: int, to_stderr: bool, n_found: int) -> None:
    """Print the text coloured by its main effects, and the largest terms of every order."""
    console = Console(stderr=to_stderr, highlight=False)
    shapley = result if result.index in ("SV", "SII") else result.to("SV", max_order=1)
    console.print(_coloured(game, shapley.first_order()))
    console.print(_headline(result, facts))
    for order in range(1, result.max_order + 1):
        table = _table(result, order, top)
        if table is not None:
            console.print()
            console.print(table)
    if n_found:
        console.print(f"\n{n_found:,} of the {result.n_evaluations:,} evaluations came from the store.")


def write_json(result: Interactions, game: Any, facts: Mapping[str, Any], path: str, *, max_terms: int) -> None:
    """Write the explanation in the format of ``docs/explanation.schema.json``."""
    content = json.dumps(document(result, game, facts, max_terms=max_terms), ensure_ascii=False, indent=1) + "\n"
    if path == "-":
        sys.stdout.buffer.write(content.encode("utf-8"))
        sys.stdout.flush()
    else:
        Path(path).write_text(content, encoding="utf-8")


def document(result: Interactions, game: Any, facts: Mapping[str, Any], *, max_terms: int) -> dict[str, Any]:
    """Return the explanation as what JSON knows."""
    everyone = np.ones((1, result.n_players), dtype=np.bool_)
    ends = np.asarray(result.model(np.concatenate([everyone, ~everyone])))
    single = np.flatnonzero(result.orders == 1)
    groups = np.flatnonzero(result.orders > 1)[:max_terms]
    chosen = np.sort(np.concatenate([single, groups]))
    terms = zip(result.sets.take(chosen).tuples(), result.values[chosen], _errors(result, chosen), strict=True)
    return {
        "format": FORMAT,
        "version": VERSION,
        "captum_spex": __version__,
        "text": game.text,
        **facts,
        "players": [
            {"text": name, "start": start, "end": end}
            for name, (start, end) in zip(game.names, game.spans, strict=True)
        ],
        "value_of_text": float(ends[0]),
        "value_of_nothing": float(ends[1]),
        "index": result.index,
        "max_order": result.max_order,
        "baseline": float(result.baseline),
        "n_evaluations": result.n_evaluations,
        "faithfulness": None if math.isnan(result.faithfulness) else result.faithfulness,
        "terms": [
            {"players": list(players), "name": result.name_of(players), "value": float(value), "std_error": error}
            for players, value, error in terms
        ],
        "n_left_out": result.n_left_out + int(np.count_nonzero(result.orders > 1)) - len(groups),
    }


def _errors(result: Interactions, rows: Any) -> list[float | None]:
    errors = result.std_errors
    return [None] * len(rows) if errors is None else [float(error) for error in errors[rows]]


def _coloured(game: Any, values: Any) -> Text:
    """Return the text, each player in the colour of its sign, the large ones bold."""
    text = Text(game.text)
    largest = float(np.abs(values).max()) or 1.0
    for (start, end), value in zip(game.spans, values, strict=True):
        strong = "bold " if abs(value) > _STRONG * largest else ""
        text.stylize(f"{strong}{_COLORS[bool(value > 0)]}", start, end)
    return text


def _headline(result: Interactions, facts: Mapping[str, Any]) -> Text:
    faithfulness = "unknown" if math.isnan(result.faithfulness) else f"{result.faithfulness:.4f}"
    everyone = np.ones((1, result.n_players), dtype=np.bool_)
    ends = np.asarray(result.model(np.concatenate([everyone, ~everyone])))
    return Text(
        f"{facts['task']}: {facts['output']} of {facts['target']!r} by {facts['model']}: {ends[0]:+.4f}, "
        f"{ends[1]:+.4f} without the {result.n_players} players (ablation: {facts['ablation']})\n"
        f"{result.index}, faithfulness (R² on masks held out) {faithfulness}, "
        f"{result.n_evaluations:,} evaluations"
    )


def _table(result: Interactions, order: int, top: int) -> Table | None:
    rows = np.flatnonzero(result.orders == order)[:top]
    if not len(rows):
        return None
    chosen = result.sets.take(rows)
    values = result.values[rows]
    errors = result.errors_of(chosen)
    title = "main effects" if order == 1 else f"interactions of order {order}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("players", no_wrap=False)
    table.add_column("value", justify="right")
    if errors is not None:
        table.add_column("±", justify="right")
    table.add_column("")
    largest = float(np.abs(values).max()) or 1.0
    for place, (players, value) in enumerate(zip(chosen.tuples(), values, strict=True)):
        bar = Text("█" * round(_BAR * abs(value) / largest), style=_COLORS[bool(value > 0)])
        error = [] if errors is None else [f"{errors[place]:.2g}"]
        table.add_row(Text(result.name_of(players)), f"{value:+.4f}", *error, bar)
    return table
