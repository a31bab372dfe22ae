"""The page: one file, with everything in it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from math import nan

import pytest
from benchmark_rows import many_rows, row

from captum_spex.benchmark.report import write_report
from captum_spex.benchmark.row import OURS
from captum_spex.benchmark.summary import NOTHING

HEADER = {"command": "captum-spex benchmark --out <DIR>", "captum-spex": "9.8.7"}


class Page(HTMLParser):
    """Tags with their attributes, and whether all that are opened are closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_has_everything_in_it(tmp_path):
    rows = many_rows(2)
    rows += [replace(one, case='<script>alert("1")</script> & $x_1$ \ud800') for one in many_rows(1)]
    rows.append(row("gone", "case 0", status="missing", message="not in <shapiq> 1.4.1", n_evaluations=nan))
    rows.append(row("broken", "case 0", status="failed", message="ValueError: <b>no</b>", n_evaluations=nan))
    page, *pictures = write_report(rows, tmp_path, header=HEADER)
    assert [path.stem for path in pictures] == ["standings", "needed"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert parsed.open == []
    tags = [tag for tag, _ in parsed.tags]
    assert "script" not in tags
    assert "b" not in tags
    links = [value for _, attributes in parsed.tags for name, value in attributes.items() if name in {"src", "href"}]
    assert len(links) == len(pictures)
    assert all(link.startswith("data:image/png;base64,") for link in links)
    words = " ".join(parsed.words)
    for expected in ("ValueError: <b>no</b>", "not in <shapiq> 1.4.1", '<script>alert("1")</script> & $x_1$ ?',
                     HEADER["command"], "9.8.7", "Without a result"):  # fmt: skip
        assert expected in words


@pytest.mark.parametrize("rows", [[], [row(OURS, status="failed", message="boom", n_evaluations=nan)]])
def test_a_page_without_results_says_so(rows, tmp_path):
    (page,) = write_report(rows, tmp_path / "new" / "folder", header=HEADER)
    assert NOTHING in page.read_text(encoding="utf-8")
