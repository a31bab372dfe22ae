"""The summary in words and tables, and the page: one file, with everything in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from math import nan

import pytest
from benchmark_rows import BUDGETS, curve, many_rows, row, summary_text

from captum_spex.benchmark import Row
from captum_spex.benchmark.protocol import OURS, PUBLISHED
from captum_spex.benchmark.report import NO_RIVALS, NOTHING, write_report


def cells_of(text):
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


@pytest.mark.parametrize("rows", [[], [row(OURS, status="failed", message="boom", n_evaluations=nan)]])
def test_nothing_done_is_said(rows):
    assert summary_text(rows).startswith(NOTHING)
    assert ("boom" in summary_text(rows)) == bool(rows)


def test_results_without_rivals_are_said():
    assert NO_RIVALS in summary_text([row(OURS, r2=0.5)])
    assert NO_RIVALS in summary_text([row("rival", r2=0.5)])


def test_reasons_that_differ_in_numbers_are_one():
    rows = [row("rival", budget=budget, status="refused", message=f"needs {2 * budget} or more") for budget in BUDGETS]
    rows.append(row("rival", status="failed", message="ValueError: no"))
    assert cells_of(summary_text(rows))[-2:] == [
        ["failed", "rival", "case", "1", "ValueError: no"],
        ["refused", "rival", "case", "4", "needs 200 or more"],
    ]


def test_methods_and_cases_that_cannot_be_used_are_named_and_count_nowhere():
    rows = many_rows()
    more = [
        Row("", "", 0, "gone", "shapiq", "1.4.1", 0, 0, "missing", "not in shapiq 1.4.1"),
        Row("table.npz", "damaged", 0, "", "", "", 0, 0, "failed", "not a zip file"),
    ]
    before, after = cells_of(summary_text(rows)), cells_of(summary_text([*more, *rows]))
    assert after[: len(before)] == before
    assert after[-2:] == [
        ["failed", "all", "table.npz", "not a zip file"],
        ["missing", "gone", "all", "not in shapiq 1.4.1"],
    ]


def test_the_page_has_all_methods_and_wins_and_every_case():
    rows = curve(OURS, (0.5, 0.7)) + curve(PUBLISHED, (0.4, 0.5)) + curve("rival", (0.2, 0.3))
    short, full = summary_text(rows), summary_text(rows, is_full=True)
    assert "1 won of 1 case" in short
    assert "rival" not in short
    assert ["rival", "best other", "R²", "1.00 (one case)", "1 case"] in cells_of(full)
    assert ["ProxySpex", "0.500 (100)", "0.700 (200)"] in cells_of(full)


def test_a_table_of_a_case_has_means_and_what_failed():
    rows = [row(OURS, seed=seed, r2=r2, shapley_error=0.25) for seed, r2 in enumerate((0.4, 0.6))]
    rows += [row("broken", status="failed", n_evaluations=nan), row("far off", r2=-123.0)]
    cells = cells_of(summary_text(rows, is_full=True))
    assert ["ProxySpex", "0.500 (100, 0.25)"] in cells
    assert ["broken", "failed"] in cells
    assert ["far off", "-1.2e+02 (100)"] in cells


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
    assert [path.stem for path in pictures] == ["standings", "needed", "errors"]
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
