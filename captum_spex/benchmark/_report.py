"""A benchmark as one page that needs no network, and its pictures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

from captum_spex.benchmark._curves import OURS
from captum_spex.benchmark._markup import (
    cases,
    element,
    escaped,
    facts,
    headline,
    needed_tables,
    undone_tables,
    verdicts,
)
from captum_spex.benchmark._needed import summary
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._summary import NO_RIVALS, NOTHING
from captum_spex.benchmark._verdicts import standings

_DPI = 130
_TITLES = {
    "standings": "Wins and losses",
    "needed": "Evaluations needed",
    "r2": "R² against evaluations",
    "shapley_error": "Error of Shapley values against evaluations",
    "cost": "Time and memory",
}


def write_report(rows: Sequence[Row], folder: str | Path, *, header: Mapping[str, str]) -> list[Path]:
    """Write ``report.html``, one page with everything in it, and each of its pictures as a PNG file.

    Args:
        rows: the results; without any that is done the page says so.
        folder: where to; made if it does not exist.
        header: what the page says about the run: the command, versions, the date...

    Returns:
        The files, the page first.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     [path.name for path in write_report([], folder, header={"command": "captum-spex benchmark"})]
        ['report.html']
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    pictures = _pictures(rows)
    page = target / "report.html"
    page.write_text(_document(rows, pictures, header), encoding="utf-8")
    paths = [page]
    for name, (image, _) in pictures.items():
        paths.append(target / f"{name}.png")
        paths[-1].write_bytes(image)
    return paths


def _pictures(rows: Sequence[Row]) -> dict[str, tuple[bytes, str]]:
    from captum_spex.benchmark._figures import figures  # loads matplotlib

    found = {}
    for name, (figure, caption) in figures(rows).items():
        file = BytesIO()
        figure.savefig(file, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
        found[name] = (file.getvalue(), caption)
    return found


def _document(rows: Sequence[Row], pictures: Mapping[str, tuple[bytes, str]], header: Mapping[str, str]) -> str:
    style = files("captum_spex.benchmark").joinpath("report.css").read_text(encoding="utf-8").replace("\r\n", "\n")
    digest = b64encode(sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Benchmark of captum_spex</title><style>{style}</style>"
    )
    body = element("h1", "Benchmark of captum_spex") + facts(rows, header) + _content(rows, pictures)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _content(rows: Sequence[Row], pictures: Mapping[str, tuple[bytes, str]]) -> str:
    if not any(row.status == "done" for row in rows):
        return element("p", NOTHING) + undone_tables(rows)
    ratios, every = summary(rows), standings(rows)
    drawn = {name: _figure(name, *picture) for name, picture in pictures.items()}
    parts: list[Any] = [
        headline(ratios),
        verdicts(every) if every else element("p", NO_RIVALS),
        drawn.pop("standings", ""),
        undone_tables(rows),
        drawn.pop("needed", ""),
        element("p", f"The same of every method, {OURS} in bold; last those that mostly do not get there:", "quiet")
        if ratios
        else "",
        needed_tables(ratios),
        *drawn.values(),
        cases(rows),
    ]
    return "".join(parts)


def _figure(name: str, image: bytes, caption: str) -> str:
    data = b64encode(image).decode("ascii")
    width = int.from_bytes(image[16:20], "big") * 96 // _DPI  # of the PNG's header, in CSS pixels of 1/96 inch
    picture = f'<img alt="{escaped(caption)}" width="{width}" src="data:image/png;base64,{data}">'
    shown = f'<div class="scroll">{picture}</div>{element("figcaption", caption)}'
    return element("h2", _TITLES[name]) + f"<figure>{shown}</figure>"
