"""The folder of a run: ``results.csv``, a line for each row as soon as it is there, and ``run.json``, what it is of."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields
from datetime import UTC, datetime
from math import isnan, nan
from pathlib import Path
from typing import Any

from captum_spex import __version__
from captum_spex.benchmark._row import STATUSES, Row
from captum_spex.errors import ArgumentError

FORMAT, SCHEMA = "captum_spex.benchmark", 1
COLUMNS = tuple(field.name for field in fields(Row))
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float}
_KINDS = tuple(_TYPES[str(field.type)] for field in fields(Row))
_HINT = "Use another --out, or --restart to begin anew."
_HEADER = ",".join(COLUMNS) + "\n"
Key = tuple[str, str, int, int]


def read_results(folder: str | os.PathLike[str]) -> list[Row]:
    """Read the rows that a benchmark has written, finished or not.

    Args:
        folder: its output folder.

    Returns:
        The rows in the order in which they were made; a last line that was not written to its end is left out.

    Raises:
        ArgumentError: if there is no ``results.csv``, or it is none of this version.

    Example:
        >>> import tempfile
        >>> from captum_spex.benchmark import run_benchmark
        >>> folder = tempfile.mkdtemp()
        >>> rows = run_benchmark(folder, quick=True, cases=["planted-10"], methods=["SHAP Perm*"], budgets=[64])
        >>> [(row.method, row.r2) for row in read_results(folder)] == [(row.method, row.r2) for row in rows]
        True
    """
    path = Path(folder) / "results.csv"
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ArgumentError("out", f"{path} ({error.strerror})", "the folder of a benchmark that was run") from error
    return _rows_of(octets[: octets.rfind(b"\n") + 1], path)


def key_of(row: Row) -> Key:
    """Return what a run is known by."""
    return row.case, row.method, row.budget, row.seed


class Results:
    """The rows of a folder, to which others are added.

    Args:
        folder: made if it is not there.
        settings: what the rows depend on, as JSON has it; those of a folder must be the same.
        facts: about this run, for people.
        restart: throw away what the folder holds.

    Attributes:
        rows: all rows so far.
        note: what was mended; empty if nothing.
        held_out: how many masks were held out, by case.

    Raises:
        ArgumentError: if the folder holds something else, or cannot be written.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any], *, restart: bool = False
    ) -> None:
        self.folder = folder
        self.note = ""
        self._path, self._about = folder / "results.csv", folder / "run.json"
        content = {"format": FORMAT, "schema": SCHEMA, "captum_spex": __version__, "settings": dict(settings)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if restart:
                self._path.unlink(missing_ok=True)
                self._about.unlink(missing_ok=True)
            before = self._checked(content)
            self.held_out: dict[str, int] = dict(before.get("held_out", {}))
            self.about = {**content, "begun": before.get("begun", _now()), **facts, "held_out": self.held_out}
            self.rows = self._continued() if self._path.exists() else []
            self._write_about()
            if not self._path.exists():
                _write(self._path, _HEADER)
        except OSError as error:
            raise ArgumentError("out", f"{folder} ({error.strerror})", "a folder that can be written") from error

    def add(self, row: Row) -> None:
        """Append a row: it is on the disk when this returns."""
        self.rows.append(row)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())

    def drop(self, unwanted: Iterable[Row]) -> None:
        """Take rows away again."""
        keys = {key_of(row) for row in unwanted}
        if keys:
            self.rows = [row for row in self.rows if key_of(row) not in keys]
            _write(self._path, _HEADER + "".join(map(_line, self.rows)))

    def hold_out(self, case: str, n_masks: int) -> None:
        """Remember how many masks were held out for a case: a run that goes on holds out the same."""
        if self.held_out.get(case) != n_masks:
            self.held_out[case] = n_masks
            self._write_about()

    def _checked(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return what ``run.json`` says if the folder is of the same version and settings, or new."""
        if not self._about.exists():
            if self._path.exists():
                raise ArgumentError("out", f"{self.folder}, with a results.csv but no run.json", "a new folder", _HINT)
            return {}
        try:
            before = json.loads(self._about.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ArgumentError(
                "out", f"{self._about}, which cannot be read ({error})", "a new folder", _HINT
            ) from None
        if not isinstance(before, dict) or before.get("format") != FORMAT:
            raise ArgumentError("out", f"{self._about} of something else", "a new folder", _HINT)
        for name in ("schema", "captum_spex"):
            if before.get(name) != wanted[name]:
                came = f"{self.folder}, written by {name} {before.get(name)}"
                raise ArgumentError("out", came, f"one written by {name} {wanted[name]}", _HINT)
        known, given = before.get("settings"), json.loads(json.dumps(wanted["settings"]))
        if known != given:
            raise _other_settings(self.folder, known if isinstance(known, dict) else {}, given)
        return before

    def _continued(self) -> list[Row]:
        octets = self._path.read_bytes()
        whole = octets[: octets.rfind(b"\n") + 1]
        if len(whole) < len(octets):
            self.note = "The last line of results.csv was not written to its end: that run is done again."
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        if not whole:
            self._path.unlink()
            return []
        return _rows_of(whole, self._path)

    def _write_about(self) -> None:
        _write(self._about, json.dumps(self.about, indent=1, ensure_ascii=False) + "\n")


def facts_of(command: Iterable[str] | None, packages: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``run.json`` says about a run for people: versions, machine, command, date."""
    import numpy as np

    return {
        "command": None if command is None else list(command),
        "date": _now(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpu_count": os.cpu_count(),
        "versions": {"captum-spex": __version__, "numpy": np.__version__, **packages},
    }


def _other_settings(folder: Path, known: dict[str, Any], given: dict[str, Any]) -> ArgumentError:
    names = [name for name in sorted(known.keys() | given.keys()) if known.get(name) != given.get(name)]
    there = ", ".join(f"{name}={_short(known.get(name))}" for name in names)
    wanted = ", ".join(f"{name}={_short(given.get(name))}" for name in names)
    return ArgumentError("out", f"{folder}, of a run with {there}", f"one with {wanted}", _HINT)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rows_of(octets: bytes, path: Path) -> list[Row]:
    try:
        lines = list(csv.reader(io.StringIO(octets.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError("out", f"{path}, which cannot be read ({error})", "results of a benchmark", _HINT) from None
    if lines and tuple(lines[0]) != COLUMNS:
        raise ArgumentError("out", f"{path} with other columns", ", ".join(COLUMNS), _HINT)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows.append(_row(line))
        except ValueError as error:
            came = f"{path}, whose line {number} is damaged ({error})"
            raise ArgumentError("out", came, "results of a benchmark", _HINT) from None
    return rows


def _row(line: list[str]) -> Row:
    cells: list[Any] = [
        nan if kind is float and not cell else kind(cell) for kind, cell in zip(_KINDS, line, strict=True)
    ]
    row = Row(*cells)
    if row.status not in STATUSES:
        raise ValueError(f"its status {row.status!r} is none of {', '.join(STATUSES)}")
    return row


def _line(row: Row) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_cell(value) for value in astuple(row)])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if isnan(value) else repr(value)
    return " ".join(str(value).split())  # a row is a line: a file that was cut is cut between two rows


def _write(path: Path, text: str) -> None:
    """Write a file that is either as before or as it should be, whenever this is killed."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:  # JSON's own escapes
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
