"""Exact games in a folder: full tables (``.npz``) and Fourier spectra (``.json``)."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from functools import partial
from operator import index as as_index
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases.source import CaseSource, Made, tabled
from captum_spex.errors import ArgumentError
from captum_spex.model import GameModel, Spectrum

_KINDS = {  # family, in words, and the most players
    ".npz": ("tables", "Exact table", 24),
    ".json": ("spectra", "Measured Fourier spectrum", 1_000_000),
}
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, RuntimeError, BadZipFile, zlib.error)
_TINY = 1e-12  # of the largest value: less is no variation


def from_folder(path: str | os.PathLike[str]) -> tuple[list[CaseSource], list[str]]:
    """List the exact games in a folder and in the folders below it, in the order of their names.

    A table is a file ``*.npz`` with ``n_players`` and ``values``, ``2**n_players`` numbers of which ``values[i]`` has
    player ``j`` present iff bit ``j`` of ``i`` is set. A spectrum is a file ``*.json`` with ``n_players`` and
    ``terms``, a list of ``[players, coefficient]`` (`captum_spex.Spectrum`). Every file is read once to see whether it
    is damaged, and again when its case is loaded.

    Args:
        path: the folder.

    Returns:
        The sources of the good files, and for each of the others a line that names it and says what is wrong.

    Raises:
        ArgumentError: if there is no such folder, or neither a table nor a spectrum in it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.savez(folder / "sum.npz", n_players=2, values=[0.0, 1.0, 2.0, 3.0])
        >>> np.savez(folder / "torn.npz", n_players=2, values=[0.0, 1.0])
        >>> sources, problems = from_folder(folder)
        >>> sources[0].load().game([[True, True]])
        array([3.])
        >>> problems
        ['torn.npz: 2 values for 2 players, must be 2**2 = 4']
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ArgumentError("path", repr(str(path)), "a folder that exists")
    files = sorted(file for file in folder.rglob("*") if file.suffix in _KINDS)
    if not files:
        raise ArgumentError("path", f"{str(path)!r}, without a table", "a folder with files *.npz or *.json")
    sources, problems = [], []
    names = _names(files, folder)
    for file in files:
        try:
            n_players = _read(file)[0]
        except _DamagedError as error:
            problems.append(f"{_readable(file.relative_to(folder))}: {error}")
            continue
        family, kind, _ = _KINDS[file.suffix]
        about = f"{kind} of {n_players} players, read from {_readable(Path(file.name))}."
        sources.append(CaseSource(names[file], family, n_players, about, partial(_made, file, n_players)))
    return sources, problems


class _DamagedError(Exception):
    """What is wrong with a file."""


def _names(files: list[Path], folder: Path) -> dict[Path, str]:
    """Name the files by their folders; two that would share a name keep their suffixes."""
    inner = {file: _readable(file.relative_to(folder).with_suffix("")) for file in files}
    root = folder.resolve().name or "games"
    names = {file: name if "/" in name else f"{root}/{name}" for file, name in inner.items()}
    count = Counter(names.values())
    return {file: name if count[name] == 1 else _readable(file.relative_to(folder)) for file, name in names.items()}


def _readable(path: Path) -> str:
    """Return a path in one line that every file can hold, whatever bytes it consists of."""
    return " ".join(path.as_posix().encode("utf-8", "backslashreplace").decode("utf-8").split())


def _made(file: Path, n_players: int) -> Made:
    """Read a file again."""
    try:
        found, content = _read(file)
        if found != n_players:
            raise _DamagedError(f"{found} players now, {n_players} when it was listed")
    except _DamagedError as error:
        raise ArgumentError("path", f"{str(file)!r}: {error}", "an undamaged table or spectrum") from error
    if isinstance(content, Spectrum):
        model = GameModel((content,))
        return model, model
    return tabled(n_players, content)


def _read(file: Path) -> tuple[int, Floats | Spectrum]:
    """Read a table or a spectrum, and its number of players."""
    _, _, most = _KINDS[file.suffix]
    try:
        content = _archive(file) if file.suffix == ".npz" else json.loads(file.read_text(encoding="utf-8"))
    except _UNREADABLE as error:
        text = str(error).splitlines()[0] if str(error) else ""
        raise _DamagedError(f"cannot be read ({type(error).__name__}{': ' + text if text else ''})") from error
    if not isinstance(content, dict):
        raise _DamagedError(f"a {type(content).__name__}, must be an object with n_players and terms")
    for key in ("n_players", "values" if file.suffix == ".npz" else "terms"):
        if key not in content:
            raise _DamagedError(f"no {key!r} in it")
    given = content["n_players"]
    try:
        n_players = as_index(given.item() if isinstance(given, np.ndarray) else given)
    except (TypeError, ValueError):
        n_players = 0
    if not 2 <= n_players <= most:
        raise _DamagedError(f"n_players {str(given)[:60]}, must be an integer from 2 to {most:,}")
    return n_players, (_table if file.suffix == ".npz" else _spectrum)(n_players, content)


def _archive(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:  # closed also where the archive is torn
        content = np.load(opened, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise _DamagedError("a single array, must be an archive of arrays")
        return {key: content[key] for key in ("n_players", "values") if key in content}


def _table(n_players: int, content: dict[str, Any]) -> Floats:
    values = content["values"]
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        raise _DamagedError(f"values of shape {values.shape} and type {values.dtype}, must be one row of real numbers")
    if len(values) != 2**n_players:
        must = f"must be 2**{n_players} = {2**n_players:,}"
        raise _DamagedError(f"{len(values):,} values for {n_players} players, {must}")
    return _checked(values.astype(np.float64))


def _spectrum(n_players: int, content: dict[str, Any]) -> Spectrum:
    rows = content["terms"]
    terms: dict[tuple[int, ...], float] = {}
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            players, value = row
            numbers = tuple(sorted({as_index(player) for player in players}))
            coefficient = float("a text" if isinstance(value, str) else value)
        except (TypeError, ValueError, OverflowError):
            raise _DamagedError(f"the term {str(row)[:60]}, must be [players, coefficient]") from None
        if numbers and not 0 <= numbers[0] <= numbers[-1] < n_players:
            raise _DamagedError(f"the term {str(row)[:60]}, must be players 0 to {n_players - 1}")
        if not np.isfinite(coefficient):
            raise _DamagedError(f"the coefficient {coefficient}, must be finite numbers")
        terms[numbers] = terms.get(numbers, 0.0) + coefficient
    _checked(np.array([0.0, *(value for players, value in terms.items() if players)]))
    return Spectrum.from_terms(terms, n_players)


def _checked(values: Floats) -> Floats:
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise _DamagedError(f"value {int(wrong[0]):,} is {values[wrong[0]]}, must be finite numbers")
    if np.ptp(values) <= _TINY * np.abs(values).max(initial=0.0):
        raise _DamagedError("the same value for all masks: there is nothing to explain")
    return values
