"""The folder of a benchmark: ``results.csv``, a line for each run when it is done, and ``run.json``, its settings."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import platform
import shlex
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, fields
from datetime import UTC, datetime
from math import isnan, nan
from pathlib import Path
from typing import Any

from captum_spex import __version__
from captum_spex.benchmark.protocol import STATUSES, Row, one_line, version_of
from captum_spex.errors import ArgumentError

FORMAT, SCHEMA = "captum_spex.benchmark", 1
_MOST_ENDS = 2  # of the process in one run
_COLUMNS = [field.name for field in fields(Row)]
_TYPES = [{"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)]


def read_results(folder: str | os.PathLike[str]) -> list[Row]:
    """Read the rows that a benchmark has written, finished or not.

    Args:
        folder: its output folder, or a file ``results.csv`` or ``results.csv.gz``.

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
    path = Path(folder)
    return read_file(path / "results.csv" if path.is_dir() else path)


def read_file(path: Path, *, whole: bool = False) -> list[Row]:
    """Read a file of results, compressed or not; an incomplete last line is left out, or refused."""
    try:
        rows, is_complete = _read(path)
        if whole and not is_complete:
            raise _refused(f"{path}, whose last line is incomplete", "results of a finished benchmark")
        return rows
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise ArgumentError("out", f"{path} ({why})", "the folder of a benchmark") from error


def read_about(folder: Path) -> dict[str, Any]:
    """Read the settings and versions of a folder; empty if it is new."""
    path = folder / "run.json"
    if not path.exists():
        if (folder / "results.csv").exists():
            raise _refused(f"{folder}, with a results.csv but no run.json", "a new folder")
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _refused(f"{path}, which cannot be read ({error})", "a new folder") from None
    is_ours = isinstance(about, dict) and about.get("format") == FORMAT
    if not is_ours or not all(isinstance(about.get(name), dict) for name in ("settings", "versions", "held_out")):
        raise _refused(f"{path} of something else", "a new folder")
    return about


def write_results(folder: Path, rows: Iterable[Row], about: Mapping[str, Any]) -> None:
    """Write ``results.csv`` and ``run.json``."""
    _write_about(folder, about)
    _write(folder / "results.csv", ",".join(_COLUMNS) + "\n" + "".join(map(_line, rows)))


def _write_about(folder: Path, about: Mapping[str, Any]) -> None:
    _write(folder / "run.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def header_of(about: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts that the page shows."""
    return {
        "command": shlex.join(about["command"]),
        "date": about["date"],
        "machine": f"{about['processor']}, {about['cpu_count']} cores, Python {about['python']}",
        "packages": ", ".join(f"{name} {number}" for name, number in about["versions"].items() if number),
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names whose values differ."""
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


class Results:
    """The rows of a folder, to which others are added; it is refused if it is of other settings, or of something else.

    Attributes:
        rows: all rows so far.
        note: what was repaired; empty if nothing.
        done: what identifies their runs.
        held_out: how many masks were held out, by case: a resumed run holds out the same.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any], *, restart: bool) -> None:
        self.folder, self._path = folder, folder / "results.csv"
        content = {"format": FORMAT, "schema": SCHEMA, "captum_spex": __version__, "settings": dict(settings)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            before = {} if restart else read_about(folder)
            if before:
                _check(folder, before, {**content, "versions": facts["versions"]})
            known, given = before.get("versions", {}), facts["versions"]
            versions = {name: given.get(name) or known.get(name, "") for name in {**given, **known}}
            rows, is_complete = _read(self._path) if self._path.exists() and not restart else ([], True)
            # Packages may be installed now that were missing; games that could not be made, or read, may be now.
            self.rows = [row for row in rows if row.status != "missing" and row.method]
            self.done = {row.key for row in self.rows}
            self.note = "" if is_complete else "The last line of results.csv is incomplete: that run is repeated."
            self.held_out: dict[str, int] = dict(before.get("held_out", {}))
            self.about = {**content, "begun": before.get("begun", facts["date"]), **facts, "versions": versions}
            self.about["held_out"] = self.held_out
            write_results(folder, self.rows, self.about)
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

    @contextmanager
    def running(self, key: tuple[str, str, int, int]) -> Iterator[bool]:
        """Note on the disk which run is going on; whether it may: not if it has ended this process twice.

        A library that is out of memory may end the process, which no handler of exceptions sees.
        """
        path = self.folder / "running.json"
        n_ends = self._n_ends(path, key)
        if n_ends < _MOST_ENDS:
            _write(path, json.dumps({"run": key, "times": n_ends + 1}))
        try:
            yield n_ends < _MOST_ENDS
        finally:
            path.unlink(missing_ok=True)

    @staticmethod
    def _n_ends(path: Path, key: tuple[str, str, int, int]) -> int:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return int(found["times"]) if found["run"] == list(key) else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def hold_out(self, case: str, n_masks: int) -> None:
        """Record how many masks were held out for a case."""
        self.held_out[case] = n_masks
        _write_about(self.folder, self.about)

    def finish(self) -> None:
        """Record that all runs are done."""
        self.about |= {"finished": _now(), "n_rows": len(self.rows)}
        _write_about(self.folder, self.about)


def _check(folder: Path, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a folder of another version, or of other settings than fewer cases, methods or seeds."""
    for name in ("schema", "captum_spex"):
        if before.get(name) != wanted[name]:
            got = f"{folder}, written by {name} {before.get(name)}"
            raise _refused(got, f"one written by {name} {wanted[name]}")
    known, given = before.get("settings") or {}, json.loads(json.dumps(wanted["settings"]))
    names = [name for name in differences(known, given) if not _has_grown(name, known, given)]
    if names:
        raise _refused(f"{folder}, of a run with {_shown(known, names)}", f"one with {_shown(given, names)}")
    known, given = before.get("versions") or {}, wanted["versions"]
    names = [name for name in differences(known, given) if known.get(name) and given.get(name)]
    if names:
        theirs, ours = (", ".join(f"{name} {numbers[name]}" for name in names) for numbers in (known, given))
        raise _refused(f"{folder}, of a run with {theirs}", f"one with {ours}")


def _has_grown(name: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Say whether a setting has become more, so that all that was run is part of what is to be run."""
    if name not in known or name not in given:
        return False
    if name in ("seeds", "seeds_of_slow"):
        return bool(known[name] <= given[name])
    if name == "methods":
        return set(known[name]) <= set(given[name])
    return name == "cases" and known[name].items() <= given[name].items()


def facts_of(command: Iterable[str], packages: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts about a run that ``run.json`` has for people: versions, machine, command, date."""
    return {
        "command": list(command),
        "date": _now(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpu_count": os.cpu_count(),
        "versions": {
            "python": ".".join(platform.python_version_tuple()[:2]),
            "captum-spex": __version__,
            **_libraries(),
            **packages,
        },
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _libraries() -> dict[str, str]:
    """Return the versions of the libraries that methods compute with."""
    return {name: version_of(name) for name in ("numpy", "scipy", "torch", "scikit-learn", "lightgbm", "xgboost")}


def _refused(got: str, expected: str) -> ArgumentError:
    return ArgumentError("out", got, expected, "Use another --out, or --restart to begin anew.")


def _shown(settings: Mapping[str, Any], names: Iterable[str]) -> str:
    texts = {name: json.dumps(settings.get(name)) for name in names}
    return ", ".join(f"{name}={text if len(text) <= 60 else f'{text[:57]}...'}" for name, text in texts.items())


def _read(path: Path) -> tuple[list[Row], bool]:
    """Return the rows of a file, and whether its last line is complete; one that is not is left out."""
    octets, rows = path.read_bytes(), list[Row]()
    octets = gzip.decompress(octets) if path.suffix == ".gz" else octets
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
