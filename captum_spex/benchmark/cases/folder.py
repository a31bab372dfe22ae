"""Exact games in a folder: full tables (``.npz``), Fourier spectra and Möbius coefficients (``.json``)."""

from __future__ import annotations

import json
import os
import zlib
from functools import partial
from operator import index as as_index
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, scalar, type_of
from captum_spex.benchmark.cases.conjunctions import Conjunctions
from captum_spex.benchmark.cases.source import CaseSource, Made, tabled
from captum_spex.benchmark.protocol import described, one_line
from captum_spex.errors import ArgumentError
from captum_spex.masks import as_masks, mask_keys
from captum_spex.model import GameModel, Spectrum

_MOST = {".npz": 24, ".json": 1_000_000}  # players
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, RuntimeError, BadZipFile, zlib.error)
_LARGEST = 64  # players of a Möbius coefficient: all triples within it are enumerated
_TINY = 1e-12  # of the largest value: less is no variation

Content = Floats | Spectrum | Conjunctions
_KINDS: dict[type, tuple[str, str]] = {
    np.ndarray: ("tables", "Table of all values"),
    Spectrum: ("spectra", "Spectrum"),
    Conjunctions: ("spectra", "Möbius coefficients"),
}


class _DamagedError(Exception):
    """What is wrong with a file."""


def from_folder(path: str | os.PathLike[str]) -> tuple[list[CaseSource], list[str]]:
    """List the exact games in a folder and in the folders below it, in the order of their names.

    A table is a file ``*.npz`` with ``n_players`` and ``values``, ``2**n_players`` numbers of which ``values[i]`` has
    player ``j`` present iff bit ``j`` of ``i`` is set; or with ``coalitions``, boolean ``(2**n_players, n_players)``,
    the mask of each value, as in shapiq's precomputed games, whose folder is their family. A spectrum is a file
    ``*.json`` with ``n_players`` and ``terms``, a list of ``[players, coefficient]`` (`captum_spex.Spectrum`); with
    ``"index": "Moebius"`` these are Möbius coefficients, of sets of at most 64 players, as are those in a file of
    shapiq's ``InteractionValues.save``. Every file is read once to see whether it is damaged, and again when its case
    is loaded.

    Args:
        path: the folder.

    Returns:
        The sources of the good files, and for each of the others a line that names it and says what is wrong.

    Raises:
        ArgumentError: if there is no such folder, or no game in it.

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
    files = sorted(file for file in folder.rglob("*") if file.suffix in _MOST)
    if not files:
        raise ArgumentError("path", f"{str(path)!r}, without a table", "a folder with files *.npz or *.json")
    sources, problems = [], []
    places = {file: one_line(file.relative_to(folder).as_posix()) for file in files}
    short = {file: place.removesuffix(file.suffix) for file, place in places.items()}
    root = folder.resolve().name or "games"
    for file in files:
        try:
            n_players, content, is_shapiqs = _read(file)
        except _DamagedError as error:
            problems.append(f"{places[file]}: {error}")
            continue
        name = short[file] if "/" in short[file] else f"{root}/{short[file]}"
        name = name if list(short.values()).count(short[file]) == 1 else places[file]
        family, kind = _KINDS[type(content)]
        family = _family(file) if is_shapiqs else family
        about = f"{kind} of {n_players} players, read from {places[file]}."
        sources.append(CaseSource(name, family, n_players, about, partial(_made, file, n_players)))
    return sources, problems


def _made(file: Path, n_players: int) -> Made:
    """Read a file again."""
    try:
        found, content, _ = _read(file)
        if found != n_players:
            raise _DamagedError(f"{found} players now, {n_players} when it was listed")
    except _DamagedError as error:
        raise ArgumentError("path", f"{str(file)!r}: {error}", "an undamaged game") from error
    if isinstance(content, np.ndarray):
        return tabled(n_players, content)
    game = GameModel((content,)) if isinstance(content, Spectrum) else content
    return game, game


def _family(file: Path) -> str:
    """Return the folder of a game of shapiq's, above the one that is called by the number of players."""
    names = (folder.name for folder in file.resolve().parents if folder.name and not folder.name.isdigit())
    return one_line(next(names, "tables"))


def _read(file: Path) -> tuple[int, Content, bool]:
    """Read a game, and its number of players; whether it is laid out as shapiq does."""
    is_table = file.suffix == ".npz"
    try:
        content = _archive(file) if is_table else json.loads(file.read_text(encoding="utf-8"))
    except _UNREADABLE as error:
        raise _DamagedError(f"cannot be read ({described(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise _DamagedError(f"{type_of(content)}, must be an object with n_players and terms")
    is_saved = content.get("object_name") == "InteractionValues"
    content = _saved(content) if is_saved else content
    for key in ("n_players", "values" if is_table else "terms"):
        if key not in content:
            raise _DamagedError(f"no {key!r} in it")
    given = scalar(content["n_players"])
    if not checks.is_integer(given) or not 2 <= given <= _MOST[file.suffix]:
        raise _DamagedError(f"n_players {str(given)[:60]}, must be an integer from 2 to {_MOST[file.suffix]:,}")
    if not is_table:
        return given, _terms(given, content["terms"], content.get("index", "Fourier")), is_saved
    values, masks = _table(given, content["values"]), content.get("coalitions")
    return given, values if masks is None else values[_places(given, masks)], masks is not None


def _saved(content: dict[str, Any]) -> dict[str, Any]:
    """Return what `shapiq.InteractionValues.save` wrote, with its terms as those of a spectrum."""
    facts, data = content.get("metadata"), content.get("data")
    if not isinstance(facts, dict) or not isinstance(data, dict):
        raise _DamagedError("no metadata or no data in it, must be what shapiq's InteractionValues.save wrote")
    named = {"Empty": facts.get("baseline_value", 0.0), **data}
    terms = [[[] if players == "Empty" else _numbers(players), value] for players, value in named.items()]
    return {"terms": terms, "index": facts.get("index"), **{k: facts[k] for k in ("n_players",) if k in facts}}


def _numbers(players: str) -> list[int]:
    try:
        return [int(player) for player in players.split(",")]
    except ValueError:
        raise _DamagedError(f"the term {players[:60]!r}, must be players' numbers with commas between") from None


def _archive(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:  # closed also where the archive is torn
        content = np.load(opened, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise _DamagedError("a single array, must be an archive of arrays")
        return {key: content[key] for key in ("n_players", "values", "coalitions") if key in content}


def _table(n_players: int, values: Any) -> Floats:
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        raise _DamagedError(f"values of shape {values.shape} and type {values.dtype}, must be one row of real numbers")
    if len(values) != 2**n_players:
        length = f"must be 2**{n_players} = {2**n_players:,}"
        raise _DamagedError(f"{len(values):,} values for {n_players} players, {length}")
    return _checked(values.astype(np.float64))


def _places(n_players: int, masks: Any) -> Ints:
    """Return where the value of each mask is, in the order of their numbers."""
    expected = 2**n_players, n_players
    if masks.shape != expected or masks.dtype.kind not in "biuf":
        found = f"coalitions of shape {masks.shape} and type {masks.dtype}"
        raise _DamagedError(f"{found}, must be {expected} truth values, one row for each value")
    if masks.dtype.kind != "b" and not np.isin(masks, (0, 1)).all():
        raise _DamagedError("coalitions with other numbers than 0 and 1")
    numbers = mask_keys(as_masks(masks > 0, n_players)).astype(np.int64)
    left_out = np.flatnonzero(np.bincount(numbers, minlength=2**n_players) == 0)
    if len(left_out):
        players = [player for player in range(n_players) if int(left_out[0]) >> player & 1]
        raise _DamagedError(f"coalitions without that of the players {players}, and with another one twice")
    return np.argsort(numbers)


def _terms(n_players: int, rows: Any, index: Any) -> Spectrum | Conjunctions:
    if index not in ("Fourier", "Moebius"):
        raise _DamagedError(f"index {str(index)[:60]!r}, must be 'Fourier' or 'Moebius': others are not a whole game")
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
    if index == "Fourier":
        return Spectrum.from_terms(terms, n_players)
    if max(map(len, terms)) > _LARGEST:
        raise _DamagedError(f"a Möbius coefficient of {max(map(len, terms))} players, must be {_LARGEST} at most")
    return Conjunctions.of_moebius(terms, n_players)


def _checked(values: Floats) -> Floats:
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise _DamagedError(f"value {int(wrong[0]):,} is {values[wrong[0]]}, must be finite numbers")
    if np.ptp(values) <= _TINY * np.abs(values).max(initial=0.0):
        raise _DamagedError("the same value for all masks: there is nothing to explain")
    return values
