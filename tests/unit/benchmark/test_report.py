"""The summary of a benchmark against examples done by hand, the laws that it obeys, and the page."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from math import exp, log, nan

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sampled import examples

from captum_spex.benchmark._curves import METRICS, OURS, PACKAGE, PUBLISHED, R2, SHAPLEY, curves_of
from captum_spex.benchmark._figures import figures, spread
from captum_spex.benchmark._needed import BEST_OTHER, interval, summary
from captum_spex.benchmark._report import write_report
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._summary import (
    NO_RIVALS,
    NOTHING,
    bound_mark,
    leaning,
    summary_lines,
    summary_markdown,
    undone,
)
from captum_spex.benchmark._verdicts import standings
from captum_spex.benchmark.methods import method_named

BUDGETS = (100, 200, 400, 800)
HEADER = {"command": "captum-spex benchmark --out <DIR>", "captum-spex": "9.8.7"}
OWN = {OURS, PUBLISHED, "Spex"}


def row(method, case="case", budget=100, seed=0, **values):
    package = PACKAGE if method in OWN else "rivals"
    settings = {"status": "done", "n_evaluations": float(budget), **values}
    return Row(case, settings.pop("family", "family"), 9, method, package, "1.0", budget, seed, **settings)


def curve(method, values, case="case", column="r2", **settings):
    pairs = zip(BUDGETS, values, strict=False)
    return [row(method, case, budget, **{column: value}, **settings) for budget, value in pairs]


def needed(rows, method=OURS, reference=PUBLISHED, family="", metric=R2):
    wanted = (method, reference, family, metric.label)
    return next(one for one in summary(rows) if (one.method, one.reference, one.family, one.metric) == wanted)


def standing(rows, metric=R2, case="case"):
    return next(one for one in standings(rows) if one.metric == metric and one.case == case)


def many_rows(n_cases=4, seed=0):
    rng = np.random.default_rng(seed)
    methods = {OURS: 1.5, PUBLISHED: 0.7, "Spex": 0.3, "rival one": 1.0, "rival <two>": 0.4}
    rows = []
    for case in range(n_cases):
        for method, skill in methods.items():
            own = skill * rng.lognormal(0, 0.5)
            for budget in BUDGETS:
                for number in range(2):
                    left = exp(-budget * own / 300) * rng.lognormal(0, 0.05)
                    values = {"r2": 1 - left, "shapley_error": left**2, "own_seconds": 0.1, "peak_mib": 3.0}
                    rows.append(row(method, f"case {case}", budget, number, family=f"family {case % 2}", **values))
    return rows


# --- evaluations needed -----------------------------------------------------------------------------------------------


def test_the_methods_compared_exist_under_these_names():
    assert {method_named(name).package for name in (OURS, PUBLISHED)} == {PACKAGE}


def test_half_the_evaluations_on_a_loglinear_curve():
    rows = curve(PUBLISHED, (0.2, 0.3, 0.4, 0.5)) + curve(OURS, (0.3, 0.4, 0.5, 0.6))
    # 0.2 is surpassed at once: at most 100; 0.3 at 100 instead of 200, 0.4 and 0.5 so too.
    found = needed(rows)
    assert_allclose(found.ratio, exp((log(1) + 3 * log(0.5)) / 4))
    assert (found.n_cases, found.n_never, found.n_at_once) == (1, 0, 1)
    rows = [one for one in rows if one.method == OURS or one.budget > 100]
    found = needed(rows)
    assert_allclose(found.ratio, 0.5)
    assert (found.n_never, found.n_at_once) == (0, 0)


def test_between_two_budgets_the_logarithm_of_evaluations_is_interpolated():
    found = needed([*curve(OURS, (0.0, 0.4)), row(PUBLISHED, budget=400, r2=0.1)])
    assert_allclose(found.ratio, 100 * 2**0.25 / 400)


def test_errors_are_interpolated_by_their_digits():
    rows = [*curve(OURS, (1e-1, 1e-3), column="shapley_error"), row(PUBLISHED, budget=400, shapley_error=1e-2)]
    assert_allclose(needed(rows, metric=SHAPLEY).ratio, 100 * 2**0.5 / 400)


def test_what_is_never_reached_counts_with_the_largest_budget_and_is_marked():
    rows = [*curve(OURS, (0.1, 0.2)), row(PUBLISHED, budget=50, r2=0.9)]
    found = needed(rows)
    assert_allclose(found.ratio, 200 / 50)
    assert (found.n_never, found.n_at_once) == (1, 0)
    assert any("≥ 4.00" in line for line in summary_lines(rows))


def test_what_is_surpassed_at_the_first_budget_counts_with_it_and_is_marked():
    rows = [*curve(OURS, (0.8, 0.9)), row(PUBLISHED, budget=400, r2=0.5)]
    found = needed(rows)
    assert_allclose(found.ratio, 100 / 400)
    assert (found.n_never, found.n_at_once) == (0, 1)
    assert any("≤ 0.25" in line for line in summary_lines(rows))


def test_a_curve_that_falls_again_keeps_its_best():
    rows = [*curve(OURS, (0.1, 0.6, 0.2, 0.3)), row(PUBLISHED, budget=800, r2=0.6)]
    assert_allclose(needed(rows).ratio, 200 / 800)
    rows = [*curve(OURS, (0.1, 0.5, 0.2, 0.6)), row(PUBLISHED, budget=800, r2=0.55)]
    assert_allclose(needed(rows).ratio, 400 * 2**0.5 / 800)


def test_the_evaluations_made_count_and_not_the_budget():
    rows = [*curve(OURS, (0.2, 0.4)), row(PUBLISHED, budget=100, n_evaluations=1000.0, r2=0.4)]
    assert_allclose(needed(rows).ratio, 200 / 1000)


def test_best_other_is_the_best_at_each_budget_and_none_of_ours():
    rows = curve("one", (0.3, 0.35)) + curve("two", (0.2, 0.5)) + curve(OURS, (0.1, 0.3, 0.5))
    rows += curve(PUBLISHED, (0.9, 0.95))
    # 0.3 of one: 200 instead of 100; 0.5 of two: 400 instead of 200.
    assert_allclose(needed(rows, reference=BEST_OTHER).ratio, 2.0)


@pytest.mark.parametrize(("metric", "useless"), [(R2, 0.04), (SHAPLEY, 1.2)])
def test_a_reference_that_explains_nothing_is_not_used(metric, useless):
    rows = curve(OURS, (useless,) * 2, column=metric.column) + curve(PUBLISHED, (useless,) * 2, column=metric.column)
    assert [one for one in summary(rows) if one.reference == PUBLISHED] == []


def test_a_method_that_is_missing_in_a_case_is_averaged_over_the_others_and_told():
    rows = curve(PUBLISHED, (0.2, 0.4), "a") + curve(PUBLISHED, (0.2, 0.4), "b") + curve(OURS, (0.2, 0.4), "a")
    rows.append(row(OURS, "b", status="failed", message="ValueError: no", n_evaluations=nan))
    found = needed(rows)
    assert_allclose(found.ratio, 1.0)
    assert (found.n_cases, found.n_unanswered) == (1, 1)
    assert any("no answer in 1 more" in line for line in summary_lines(rows))


def test_seeds_are_averaged_first():
    rows = [row(OURS, budget=budget, seed=seed, r2=value + 0.1 * seed)
            for budget, value in ((100, 0.1), (200, 0.3)) for seed in (-1, 1)]  # fmt: skip
    assert_allclose(needed([*rows, row(PUBLISHED, budget=400, r2=0.2)]).ratio, 100 * 2**0.5 / 400)


def test_runs_without_a_number_are_left_out():
    rows = [*curve(OURS, (0.2, nan, 0.4)), row(PUBLISHED, budget=400, r2=0.3), row(OURS, budget=200, seed=1, r2=nan)]
    assert_allclose(needed(rows).ratio, 200 / 400)


def test_cases_are_averaged_geometrically_and_families_apart():
    rows = []
    for case, reached in (("a", 100), ("b", 400)):
        rows += [row(PUBLISHED, case, 200, r2=0.5, family=case), row(OURS, case, reached, r2=0.5, family=case)]
    assert_allclose([needed(rows, family=name).ratio for name in ("", "a", "b")], [1.0, 0.5, 2.0])
    assert np.isnan(needed(rows, family="a").low)


def test_a_bound_that_leaves_it_open_is_neither_won_nor_lost():
    reference = curve(PUBLISHED, (0.3, 0.4, 0.5, 0.6))
    stopped, late = [row(OURS, r2=0.1)], [row(OURS, budget=800, r2=0.9)]
    won, lost = curve(OURS, (0.7, 0.8, 0.9, 0.95)), curve(OURS, (0.1, 0.15, 0.2, 0.25))
    found = [needed(reference + ours) for ours in (stopped, late, won, lost)]
    assert [(bound_mark(one), one.ratio < 1, leaning(one)) for one in found] == [
        ("≥ ", True, "tied"), ("≤ ", False, "tied"), ("≤ ", True, "won"), ("≥ ", False, "lost")
    ]  # fmt: skip


def test_one_case_has_no_interval():
    rows = curve(OURS, (0.2, 0.4)) + curve(PUBLISHED, (0.2, 0.4))
    assert np.isnan([needed(rows).low, needed(rows).high]).all()
    assert any("1.00 (one case)" in line for line in summary_lines(rows))


def test_exact_answers_are_all_equal():
    rows = curve(OURS, (1 - 1e-12, 1 - 1e-9)) + curve(PUBLISHED, (1 - 1e-9, 1.0)) + curve("rival", (1.0, 1.0))
    assert_allclose(needed(rows).ratio, exp(log(0.5) / 2))
    assert needed(rows).n_never == 0
    assert standing(rows).outcome == "tied"
    errors = [replace(one, r2=nan, shapley_error=1 - one.r2) for one in rows]
    assert standing(errors, SHAPLEY).outcome == "tied"


# --- laws -------------------------------------------------------------------------------------------------------------

same = {"rtol": 1e-9, "equal_nan": True}


def numbers_of(rows):
    every = {(one.method, one.reference, one.metric, one.family): one for one in summary(rows)}
    fields = ("ratio", "low", "high", "n_cases", "n_never", "n_at_once", "n_unanswered")
    return {key: [getattr(one, field) for field in fields] for key, one in every.items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, values in first.items():
        assert_allclose(values, second[key], err_msg=str(key), **same)


@examples(0.4)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    rows = many_rows(seed=seed)
    shuffled = [rows[number] for number in np.random.default_rng(seed).permutation(len(rows))]
    assert_same(numbers_of(rows), numbers_of(shuffled))
    outcomes = [
        {(one.case, one.metric): (one.outcome, one.n_lost) for one in standings(some)} for some in (rows, shuffled)
    ]
    assert outcomes[0] == outcomes[1]


@examples(0.4)
@given(st.integers(0, 2**32 - 1))
def test_names_of_cases_do_not_matter(seed):
    rows = many_rows(seed=seed)
    assert_same(numbers_of(rows), numbers_of([replace(one, case=one.case[::-1] + "é") for one in rows]))


@examples(0.4)
@given(st.integers(0, 2**32 - 1), st.integers(2, 1000))
def test_ratios_do_not_depend_on_the_unit_of_budgets(seed, factor):
    rows = many_rows(seed=seed)
    scaled = [replace(one, budget=one.budget * factor, n_evaluations=one.n_evaluations * factor) for one in rows]
    assert_same(numbers_of(rows), numbers_of(scaled))


@examples(0.4)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10.0))
def test_fewer_evaluations_scale_the_ratio(seed, factor):
    rows = many_rows(seed=seed)
    scaled = [replace(one, n_evaluations=one.n_evaluations * factor) if one.method == OURS else one for one in rows]
    assert_allclose(needed(scaled).ratio, factor * needed(rows).ratio)


@examples(2)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_the_interval_contains_the_mean(values):
    low, high = interval(np.array(values))
    assert min(values) - 1e-9 <= low <= np.mean(values) <= high <= max(values) + 1e-9


def test_the_interval_does_not_depend_on_the_order_of_cases():
    values = np.random.default_rng(1).normal(size=20)
    assert interval(values) == pytest.approx(interval(values[::-1]), rel=1e-12)


def test_the_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(size=400)
    low, high = interval(values)
    assert_allclose(high - low, 2 * 1.96 * values.std() / 20, rtol=0.05)


# --- wins and losses --------------------------------------------------------------------------------------------------


def test_a_loss_names_the_rival_and_its_size():
    rows = curve(OURS, (0.5, 0.7)) + curve("one", (0.4, 0.9)) + curve("two", (0.6, 0.65))
    found = standing(rows)
    assert [(one.rival, one.outcome) for one in found.verdicts] == [("two", "lost"), ("one", "lost")]
    assert_allclose([one.difference for one in found.verdicts], [-0.1, -0.2])
    assert (found.outcome, found.n_lost, found.worst.rival) == ("lost", 2, "one")
    assert any(
        "\N{MINUS SIGN}0.200 R² to one at 200 evaluations (lost at 2 of 2 budgets" in line
        for line in summary_lines(rows)
    )


def test_a_loss_at_one_budget_is_listed_where_the_case_is_won():
    rows = curve(OURS, (0.5, 0.9)) + curve("rival", (0.55, 0.6))
    assert standing(rows).outcome == "won"
    assert any("\N{MINUS SIGN}0.050 R² to rival at 100 evaluations" in line for line in summary_lines(rows))
    assert "\N{MINUS SIGN}0.050 R²" in summary_markdown(rows)


def test_differences_within_the_noise_over_seeds_are_ties():
    def rows(gap):
        ours = [row(OURS, seed=seed, r2=0.5 + 0.02 * (seed - 1)) for seed in range(3)]
        return ours + [row("rival", seed=seed, r2=0.5 + gap + 0.02 * (seed - 1)) for seed in range(3)]

    noise = 2 * np.hypot(*[0.02 / np.sqrt(3)] * 2)
    assert [standing(rows(gap)).outcome for gap in (0.9 * noise, 1.1 * noise, -1.1 * noise)] == ["tied", "lost", "won"]


def test_a_single_seed_ties_only_where_differences_are_negligible():
    outcomes = [standing([row(OURS, r2=0.5), row("rival", r2=0.5 + gap)]).outcome for gap in (0.0009, 0.0011)]
    assert outcomes == ["tied", "lost"]


def test_rivals_are_compared_at_equal_evaluations():
    rows = [row(OURS, r2=0.5), row("rival", budget=50, r2=0.4), row("rival", budget=200, r2=0.8)]
    assert_allclose(standing(rows).worst.theirs, 0.6)
    assert standings([row(OURS, r2=0.5), row("rival", budget=200, r2=0.8)]) == []
    later = [row(OURS, budget=800, r2=0.5), row("rival", budget=200, r2=0.8)]
    assert_allclose(standing(later).difference, -0.3)


def test_a_budget_below_all_that_others_got_does_not_count():
    frugal = [row("frugal", budget=budget, n_evaluations=10.0, r2=-60.0) for budget in BUDGETS[1:]]
    rows = curve(OURS, (0.2, 0.5, 0.6, 0.7)) + curve("rival", (nan, 0.6, 0.7, 0.8))[1:] + frugal
    found = standing(rows)
    assert [one.budget for one in found.verdicts] == [200, 400, 800]
    assert (found.outcome, found.n_lost) == ("lost", 3)
    assert_allclose(found.difference, -0.1)


def test_no_answer_is_as_bad_as_a_loss():
    rows = [row(OURS, status="failed", message="boom", n_evaluations=nan), row("rival", r2=0.5)]
    found = standing(rows)
    assert (found.outcome, found.n_lost) == ("no answer", 1)
    assert any("no answer to rival" in line for line in summary_lines(rows))


def test_losses_come_first_by_size():
    rows = []
    for case, gap in (("won", -0.2), ("small", 0.1), ("tied", 0.0), ("large", 0.3)):
        rows += [row(OURS, case, r2=0.5), row("rival", case, r2=0.5 + gap)]
    assert [one.case for one in standings(rows)] == ["large", "small", "tied", "won"]


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[], [row(OURS, status="failed", message="boom", n_evaluations=nan)]])
def test_nothing_done_is_said(rows, tmp_path):
    assert summary_lines(rows)[0] == NOTHING
    assert summary_markdown(rows).startswith(NOTHING)
    (page,) = write_report(rows, tmp_path / "new" / "folder", header=HEADER)
    assert NOTHING in page.read_text(encoding="utf-8")
    assert ("boom" in page.read_text(encoding="utf-8")) == bool(rows)


def test_results_without_rivals_are_said():
    assert NO_RIVALS in summary_lines([row(OURS, r2=0.5)])
    assert NO_RIVALS in summary_markdown([row("rival", r2=0.5)])


def test_reasons_that_differ_in_numbers_are_one():
    rows = [row("rival", budget=budget, status="refused", message=f"needs {2 * budget} or more") for budget in BUDGETS]
    rows.append(row("rival", status="failed", message="ValueError: no"))
    reasons = undone(rows)
    assert [(one.status, one.message, one.n_runs) for one in reasons] == [
        ("failed", "ValueError: no", 1),
        ("refused", "needs 200 or more", 4),
    ]


def test_methods_and_cases_that_cannot_be_used_are_told_and_count_nowhere(tmp_path):
    rows = many_rows()
    rows_too = [
        Row("", "", 0, "gone", "shapiq", "1.4.1", 0, 0, "missing", "not in shapiq 1.4.1"),
        Row("table.npz", "damaged", 0, "", "", "", 0, 0, "failed", "not a zip file"),
        *rows,
    ]
    assert_same(numbers_of(rows), numbers_of(rows_too))
    lines = summary_lines(rows_too)
    assert lines[-2:] == ["  failed: table.npz: not a zip file", "  missing: gone: not in shapiq 1.4.1"]
    text = write_report(rows_too, tmp_path, header={})[0].read_text(encoding="utf-8")
    assert "failed: table.npz</summary>" in text
    assert "<dd>4, 5</dd>" in text
    assert text.count("<summary>") == 2 + 4


def test_markdown_tables_keep_their_columns():
    rows = [*many_rows(), row("a|b", "x\ny", status="failed", message="<no>|`code`\n*")]
    tables = re.findall(r"(?:^\|.*\|$\n?)+", summary_markdown(rows), re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "&lt;no>\\|" in summary_markdown(rows)


# --- the page ---------------------------------------------------------------------------------------------------------


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
    assert [path.stem for path in pictures] == ["standings", "needed", "r2", "shapley_error", "cost"]
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
                     HEADER["command"], "9.8.7", "Lost", "Won"):  # fmt: skip
        assert expected in words


def test_losses_stand_before_wins_and_before_every_other_number(tmp_path):
    rows = curve(OURS, (0.5, 0.7), "lost case") + curve("rival", (0.7, 0.9), "lost case")
    rows += curve(OURS, (0.5, 0.7), "won case") + curve("rival", (0.3, 0.4), "won case")
    text = write_report(rows, tmp_path, header={})[0].read_text(encoding="utf-8")
    assert text.index("lost case</td>") < text.index("won case</td>") < text.index("<img") < text.index("Every case")


def test_the_page_explains_its_marks_and_words(tmp_path):
    text = write_report(many_rows(2), tmp_path, header={})[0].read_text(encoding="utf-8")
    cards, losses, pictures = (text.index(what) for what in ('class="cards"', "Where ProxySpex loses", "<img"))
    for mark in ("≤: in some cases", "≥: in some", "≈: both", "The best other is"):
        assert cards < text.index(mark) < losses
    for word in ("Worst: ", "mean: ", "error \N{MULTIPLICATION SIGN} 2: "):
        assert losses < text.index(word) < pictures


def test_methods_that_mostly_do_not_get_there_come_last(tmp_path):
    rows = curve(PUBLISHED, (0.3, 0.4, 0.5, 0.6)) + curve(OURS, (0.2, 0.3, 0.4, 0.6))
    rows += [row("frugal", budget=budget, n_evaluations=10.0, r2=0.1) for budget in BUDGETS]
    text = write_report(rows, tmp_path, header={})[0].read_text(encoding="utf-8")
    assert needed(rows, "frugal").ratio < needed(rows).ratio
    assert text.index('<td class="name">ProxySpex</td>') < text.index('<td class="name">frugal</td>')


def test_pictures_leave_matplotlib_as_it_was():
    before, numbers = dict(matplotlib.rcParams), plt.get_fignums()
    assert list(figures(many_rows(1))) == ["standings", "needed", "r2", "shapley_error", "cost"]
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == numbers


def test_the_bars_are_the_mean_differences():
    rows = curve(OURS, (0.5, 0.7)) + curve("rival", (0.6, 0.9))
    ax = figures(rows)["standings"][0].axes[0]
    assert_allclose(ax.patches[0].get_width(), -0.15)


def test_the_others_that_are_named_are_those_that_are_ahead():
    rows = curve(OURS, (0.5, 0.7, 0.8, 0.9)) + curve("flat", (0.3, 0.3, 0.3, 0.3)) + curve("low", (0.2, 0.2, 0.2, 0.2))
    rows += curve("late", (-90.0, 0.85, 0.9, 0.95)) + curve("early", (0.6,))
    ax = figures(rows)["r2"][0].axes[0]
    assert {"late", "early"} == {text.get_text() for text in ax.texts}


def test_the_legend_of_a_single_panel_is_not_cut():
    figure = figures(curve(OURS, (0.5, 0.7)) + curve("rival", (0.4, 0.5)))["r2"][0]
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= legend.x0 < legend.x1 <= figure.bbox.x1


def test_curves_are_means_with_standard_errors():
    rows = [row("m", seed=seed, r2=value) for seed, value in enumerate((0.2, 0.4, 0.6))]
    curves = curves_of(rows, R2)
    assert_allclose(curves.quality, [[[0.4]]])
    assert_allclose(curves.errors, [[[0.2 / np.sqrt(3)]]])
    assert {metric.column for metric in METRICS} <= set(Row.__dataclass_fields__)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_labels_keep_their_order_and_their_distance(heights):
    placed = np.array(spread(heights, 0.1))
    order = np.argsort(heights, kind="stable")
    assert (np.diff(placed[order]) >= 0.1 - 1e-9).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9
