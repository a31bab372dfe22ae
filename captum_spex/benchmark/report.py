"""A benchmark as one page that needs no network: the tables of the terminal, and the pictures."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from rich.console import Console
from rich.text import Text

from captum_spex.benchmark.row import Row
from captum_spex.benchmark.summary import summary_of

_DPI = 130
_WIDTH = 150  # characters of a line
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Benchmark of captum_spex</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>
body {{ max-width: 1180px; margin: 20px auto; background: #fff; color: #222; font-family: sans-serif; }}
pre {{ overflow-x: auto; font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace; }}
img {{ max-width: 100%; height: auto; }}
</style></head><body><h1>Benchmark of captum_spex</h1>
{figures}
<pre>{text}</pre>
</body></html>
"""


def write_report(rows: Sequence[Row], folder: str | Path, *, header: Mapping[str, str]) -> list[Path]:
    """Write ``report.html``, one page with everything in it, and each of its pictures as a PNG file.

    Args:
        rows: the results; if no run is done the page says so.
        folder: where to; made if it does not exist.
        header: about the run: the command, versions, the date...

    Returns:
        The files, the page first.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     [path.name for path in write_report([], folder, header={"command": "captum-spex benchmark"})]
        ['report.html']
    """
    from captum_spex.benchmark.figures import figures  # loads matplotlib

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths, pictures = [target / "report.html"], []
    for name, (figure, caption) in figures(rows).items():
        paths.append(target / f"{name}.png")
        figure.savefig(paths[-1], dpi=_DPI, facecolor="white", metadata={"Software": None})
        data = b64encode(paths[-1].read_bytes()).decode("ascii")
        image = f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        pictures.append(f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>")
    page = _PAGE.format(figures="\n".join(pictures), text=_text(rows, header))
    paths[0].write_text(page, encoding="utf-8", errors="replace")
    return paths


def _text(rows: Sequence[Row], header: Mapping[str, str]) -> str:
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="standard")
    for name, value in header.items():
        console.print(Text(f"{name}: {value}"), soft_wrap=True)
    console.print("", *summary_of(rows, is_full=True), sep="\n")
    return console.export_html(inline_styles=True, code_format="{code}")
