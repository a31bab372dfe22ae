"""The parts of a benchmark become one folder of results."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from captum_spex.benchmark.attempts import quiet
from captum_spex.benchmark.protocol import Row
from captum_spex.benchmark.report import Reporter, write_report
from captum_spex.benchmark.results import differences, header_of, read_about, read_file, write_results
from captum_spex.errors import ArgumentError

_FOLDER = re.compile(r"shard-([1-9]\d*)-of-([1-9]\d*)")


def merge_shards(out: str | os.PathLike[str], *, console: Console | None = None) -> list[Row]:
    """Merge the parts of a benchmark that ran with ``shard=``, and write results, pictures and the page.

    Args:
        out: the folder of the benchmark, which holds ``shard-1-of-12`` and so on, all of them and finished.
        console: where to show the summary; default: nowhere.

    Returns:
        All rows, in the order of cases, methods, budgets and seeds.

    Raises:
        ArgumentError: if a part is missing, unfinished, damaged, or of other settings or versions than the first; it
            is named, and nothing is written.

    Example:
        >>> import tempfile
        >>> from captum_spex.benchmark import run_benchmark
        >>> out = tempfile.mkdtemp()
        >>> chosen = {"cases": ["planted-10"], "methods": ["Captum Lime"], "budgets": [32, 64], "seeds": 2}
        >>> for shard in ("1/2", "2/2"):
        ...     _ = run_benchmark(out, **chosen, shard=shard)
        >>> [(row.budget, row.seed) for row in merge_shards(out)]
        [(32, 0), (32, 1), (64, 0), (64, 1)]
    """
    folder = Path(out)
    parts = [(path, read_about(path)) for path in _folders(folder)]
    first = parts[0]
    for path, about in parts:
        _check(path, about, *first)
    rows = _ordered([row for part in parts for row in _rows(*part)], first[1]["settings"])
    about = {name: fact for name, fact in first[1].items() if name not in ("shard", "n_rows")}
    about["shards"] = [_part(one) for _, one in parts]
    about["held_out"] = {case: n for _, one in parts for case, n in one["held_out"].items()}
    try:
        write_results(folder, rows, about)
    except OSError as error:
        raise ArgumentError("out", f"{folder} ({error.strerror})", "a folder that can be written") from error
    with quiet():
        written = write_report(rows, folder, header=header_of(about))
    Reporter(console).end(rows, [folder / "results.csv", *written])
    return rows


def _folders(folder: Path) -> list[Path]:
    """Return the folders of all parts by number."""
    found = {
        (int(name[2]), int(name[1])): path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (name := _FOLDER.fullmatch(path.name)) is not None
    }
    totals = sorted({total for total, _ in found})
    if len(totals) != 1:
        got = f"{folder} with parts of {' and of '.join(map(str, totals))}" if totals else f"{folder} without any"
        raise ArgumentError("merge", got, "the folder of a benchmark whose parts have run with `shard`")
    missing = [f"{number}/{totals[0]}" for number in range(1, totals[0] + 1) if (totals[0], number) not in found]
    if missing:
        raise ArgumentError("merge", f"{folder} without {', '.join(missing)}", "all parts", "Run what is missing.")
    return [found[totals[0], number] for number in range(1, totals[0] + 1)]


def _check(path: Path, about: dict[str, Any], first: Path, wanted: dict[str, Any]) -> None:
    """Refuse a part that is not of the same benchmark as the first, or not finished."""
    one, other = _identity(about), _identity(wanted)
    names = differences(one, other)
    if names:
        theirs, ours = (", ".join(f"{name} {facts.get(name)}" for name in names) for facts in (one, other))
        raise ArgumentError("merge", f"{path.name} with {theirs}", f"the same as in {first.name}: {ours}")
    if not about.get("finished"):
        raise ArgumentError(
            "merge", f"{path.name}, which is not finished", "finished parts", "Run it again: it goes on."
        )


def _rows(path: Path, about: dict[str, Any]) -> list[Row]:
    """Read the rows of a part; not those of another one that was copied, or fewer than it had."""
    shard = about.get("shard", path.name)
    if shard != path.name:
        raise ArgumentError("merge", f"{path.name} with the results of {shard}", "each part in its own folder")
    rows = read_file(path / "results.csv", whole=True)
    if len(rows) != about.get("n_rows", len(rows)):
        got = f"{path.name} with {len(rows):,} rows in results.csv"
        raise ArgumentError("merge", got, f"{about['n_rows']:,} as when it was finished")
    return rows


def _identity(about: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same in all parts."""
    names = ("schema", "captum_spex")
    return {**{name: about.get(name) for name in names}, **about.get("settings", {}), **about.get("versions", {})}


def _ordered(rows: Sequence[Row], settings: dict[str, Any]) -> list[Row]:
    """Sort the rows as the plan has them; those of what is missing, which are in every part, once and first."""
    cases, methods = ({name: place for place, name in enumerate(settings[key], 1)} for key in ("cases", "methods"))
    distinct = {row.key: row for row in reversed(rows)}.values()
    return sorted(distinct, key=lambda row: (cases.get(row.case, 0), methods.get(row.method, 0), row.budget, row.seed))


def _part(about: dict[str, Any]) -> dict[str, Any]:
    return {name: about[name] for name in ("begun", "finished", "processor", "cpu_count")}
