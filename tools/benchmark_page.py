"""Write the results on ``docs/benchmark.md``, its pictures and the README's table: ``python tools/benchmark_page.py``.

All of them are made from ``docs/benchmark/results.csv.gz`` and ``run.json`` beside it; what stands between two comments
in a page is replaced. The build of the documentation does the same. ``--check`` writes nothing and fails if something
is not what this script would write; ``--results DIR --out DIR`` shows the results of another folder in a new one.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, where this is run as a script

from captum_spex.benchmark import Row, read_results
from captum_spex.benchmark.comparison import frame_of
from captum_spex.benchmark.figures import figures
from captum_spex.benchmark.results import read_about
from captum_spex.errors import ArgumentError
from tools.benchmark_tables import MULTIPLES, Results, section, summary

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "benchmark"
RESULTS = FOLDER / "results.csv.gz"
PAGE, README = ROOT / "docs" / "benchmark.md", ROOT / "README.md"
DPI = 110
_BETWEEN = re.compile(r"(<!-- results[^>]*-->\n)(.*?)(<!-- end of results -->)", re.DOTALL)


def filled(text: str, content: str) -> str:
    """Return a page with new results between its two comments."""
    new, n_places = _BETWEEN.subn(lambda found: f"{found[1]}\n{content}\n\n{found[3]}", text)
    if n_places != 1:
        raise ValueError(f"the page has {n_places} places for results: <!-- results --> to <!-- end of results -->")
    return new


def read(folder: Path) -> tuple[list[Row], Mapping[str, Any], str]:
    """Return the results of a folder, the facts about the run, and what identifies them.

    The results of a benchmark that still runs in parts are those of its parts.
    """
    paths = [path for path in (folder / RESULTS.name, folder / "results.csv") if path.exists()][:1]
    paths = paths or sorted(folder.glob("shard-*-of-*/results.csv")) or [folder]
    rows = [row for path in paths for row in read_results(path)]
    facts = read_about(paths[0].parent if paths[0] != folder else folder)
    return rows, facts, hashlib.sha256("\n".join(map(repr, rows)).encode()).hexdigest()


def stale_pictures(folder: Path, identity: str, names: list[str]) -> list[str]:
    """Return the pictures that were not drawn from these results."""

    def is_stale(path: Path) -> bool:
        if not path.exists():
            return True
        with Image.open(path) as picture:
            return picture.info.get("Results") != identity

    return [name for name in names if is_stale(folder / f"{name}.png")]


def draw(rows: Sequence[Row], folder: Path, identity: str) -> list[Path]:
    """Draw all pictures, with what identifies their results in the file."""
    paths = []
    for name, (figure, _) in figures(frame_of(rows), MULTIPLES).items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI, facecolor="white", metadata={"Software": None, "Results": identity})
    return paths


def pictures_of(text: str) -> list[str]:
    """Return the names of the pictures of the benchmark that a page shows."""
    return re.findall(r"\]\(benchmark/(\w+)\.png\)", text)


def texts(found: Results) -> dict[Path, str]:
    """Return the pages as they should be."""
    contents = {PAGE: section(found), README: summary(found)}
    return {path: filled(path.read_text(encoding="utf-8"), content) for path, content in contents.items()}


def update(*, check: bool = False) -> list[str]:
    """Write what is not up to date, or with ``check`` nothing; return its names."""
    rows, facts, identity = read(FOLDER)
    pages = texts(Results(rows, facts))
    stale = [path for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    pictures = stale_pictures(FOLDER, identity, pictures_of(pages[PAGE]))
    if not check:
        for path in stale:
            path.write_text(pages[path], encoding="utf-8")
        if pictures:
            draw(rows, FOLDER, identity)
    return [path.name for path in stale] + [f"{name}.png" for name in pictures]


def show(results: Path, out: Path) -> None:
    """Write the results of another folder to ``page.md`` in a new one, with pictures."""
    rows, facts, identity = read(results)
    (out / "benchmark").mkdir(parents=True, exist_ok=True)
    draw(rows, out / "benchmark", identity)
    found = Results(rows, facts)
    (out / "page.md").write_text(f"{summary(found)}\n\n{section(found)}\n", encoding="utf-8")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write the results on the pages, and their pictures.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is not up to date")
    parser.add_argument("--results", type=Path, help="show the results of this folder, in --out")
    parser.add_argument("--out", type=Path, help="a folder for page.md and pictures")
    options = parser.parse_args()
    try:
        if options.results is not None:
            show(options.results, options.out or options.results)
            return 0
        changed = update(check=options.check)
    except ArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{'Not up to date' if options.check else 'Written'}: {', '.join(changed) or 'nothing'}")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
