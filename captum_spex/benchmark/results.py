"""The folder of a benchmark: ``results.csv``, a line for each run when it is done, and ``run.json``, its settings."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields
from datetime import UTC, datetime
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from captum_spex import __version__
from captum_spex.benchmark.protocol import STATUSES, Row, one_line
from captum_spex.errors import ArgumentError

FORMAT, SCHEMA = "captum_spex.benchmark", 1
_COLUMNS = [field.name for field in fields(Row)]
_TYPES = [{"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)]


def read_results(folder: str | os.PathLike[str]) -> list[Row]:
    """Read the rows that a benchmark has written, finished or not.

    Args:
        folder: its output folder.

    Returns:
        The rows in the order of the runs; an incomplete last line is left out.

    Raises:
        ArgumentError: if there is no ``results.csv``, or it is not of this version.

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
        return _read(path)[0]
    except OSError as error:
        raise ArgumentError("out", f"{path} ({error.strerror})", "the folder of a benchmark") from error


class Results:
    """The rows of a folder, to which others are added; it is refused if it is of other settings, or of something else.

    Attributes:
        rows: all rows so far.
        note: what was repaired; empty if nothing.
        done: what identifies their runs.
        held_out: how many masks were held out, by case: a resumed run holds out the same.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any], *, restart: bool) -> None:
        self.folder, self._path, self._about = folder, folder / "results.csv", folder / "run.json"
        content = {"format": FORMAT, "schema": SCHEMA, "captum_spex": __version__, "settings": dict(settings)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            before = {} if restart else self._checked(content)
            rows, is_complete = _read(self._path) if self._path.exists() and not restart else ([], True)
            self.rows = [row for row in rows if row.status != "missing"]  # these packages may be installed now
            self.done = {row.key for row in self.rows}
            self.note = "" if is_complete else "The last line of results.csv is incomplete: that run is repeated."
            self.held_out: dict[str, int] = dict(before.get("held_out", {}))
            self.about = {**content, "begun": before.get("begun", facts["date"]), **facts, "held_out": self.held_out}
            self._write_about()
            _write(self._path, ",".join(_COLUMNS) + "\n" + "".join(map(_line, self.rows)))
        except OSError as error:
            raise ArgumentError("out", f"{folder} ({error.strerror})", "a folder that can be written") from error

    def add(self, row: Row) -> None:
        """Append a row, unless there is one of the same run: it is on the disk when this returns."""
        if row.key in self.done:
            return
        self.rows.append(row)
        self.done.add(row.key)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())

    @property
    def header(self) -> dict[str, str]:
        """The facts that the page shows."""
        facts = self.about
        return {
            "command": shlex.join(facts["command"]),
            "date": facts["date"],
            "machine": f"{facts['processor']}, {facts['cpu_count']} cores, Python {facts['python']}",
            "packages": ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number),
        }

    def hold_out(self, case: str, n_masks: int) -> None:
        """Record how many masks were held out for a case."""
        self.held_out[case] = n_masks
        self._write_about()

    def _write_about(self) -> None:
        _write(self._about, json.dumps(self.about, indent=1, ensure_ascii=False) + "\n")

    def _checked(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return the content of ``run.json`` if the folder is of the same version and settings, or new."""
        if not self._about.exists():
            if self._path.exists():
                raise _refused(f"{self.folder}, with a results.csv but no run.json", "a new folder")
            return {}
        try:
            before = json.loads(self._about.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise _refused(f"{self._about}, which cannot be read ({error})", "a new folder") from None
        if not isinstance(before, dict) or before.get("format") != FORMAT:
            raise _refused(f"{self._about} of something else", "a new folder")
        for name in ("schema", "captum_spex"):
            if before.get(name) != wanted[name]:
                got = f"{self.folder}, written by {name} {before.get(name)}"
                raise _refused(got, f"one written by {name} {wanted[name]}")
        known, given = before.get("settings") or {}, json.loads(json.dumps(wanted["settings"]))
        names = [name for name in sorted(known.keys() | given.keys()) if known.get(name) != given.get(name)]
        if names:
            raise _refused(f"{self.folder}, of a run with {_shown(known, names)}", f"one with {_shown(given, names)}")
        return before


def facts_of(command: Iterable[str], packages: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts about a run that ``run.json`` has for people: versions, machine, command, date."""
    return {
        "command": list(command),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpu_count": os.cpu_count(),
        "versions": {"captum-spex": __version__, "numpy": np.__version__, **packages},
    }


def _refused(got: str, expected: str) -> ArgumentError:
    return ArgumentError("out", got, expected, "Use another --out, or --restart to begin anew.")


def _shown(settings: Mapping[str, Any], names: Iterable[str]) -> str:
    texts = {name: json.dumps(settings.get(name)) for name in names}
    return ", ".join(f"{name}={text if len(text) <= 60 else f'{text[:57]}...'}" for name, text in texts.items())


def _read(path: Path) -> tuple[list[Row], bool]:
    """Return the rows of a file, and whether its last line is complete; one that is not is left out."""
    octets, rows = path.read_bytes(), list[Row]()
    complete = octets[: octets.rfind(b"\n") + 1]
    try:
        header, *lines = list(csv.reader(io.StringIO(complete.decode("utf-8"), newline=""))) or [_COLUMNS]
        if header != _COLUMNS:
            raise ValueError(f"the columns are not {', '.join(_COLUMNS)}")
        for line in lines:
            typed = zip(_TYPES, line, strict=True)
            cells: list[Any] = [nan if kind is float and not cell else kind(cell) for kind, cell in typed]
            rows.append(Row(*cells))
            if rows[-1].status not in STATUSES:
                raise ValueError(f"the status {rows[-1].status!r} is not one of {', '.join(STATUSES)}")
    except (ValueError, csv.Error) as error:
        got = f"{path}, which is damaged after line {len(rows) + 1} ({error})"
        raise _refused(got, "results of a benchmark") from None
    return rows, complete == octets


def _line(row: Row) -> str:
    text = io.StringIO()
    cells = ["" if isinstance(value, float) and isnan(value) else one_line(str(value)) for value in astuple(row)]
    csv.writer(text, lineterminator="\n").writerow(cells)  # a row is one line: a cut file is cut between two rows
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Write a file that has either its old or its new content, whenever this process is killed."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:  # JSON's own escapes
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
