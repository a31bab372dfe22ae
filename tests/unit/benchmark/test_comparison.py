"""Means over seeds, evaluations needed, wins and losses: by hand, and by their laws."""

from __future__ import annotations

import re
from dataclasses import replace
from math import exp, log, nan

import numpy as np
import pytest
from benchmark_parts import METHODS
from benchmark_rows import BUDGETS, curve, many_rows, needed, row, standing, summary_text
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sampled import examples

from captum_spex.benchmark import Row
from captum_spex.benchmark.comparison import (
    BEST_OTHER,
    METRICS,
    R2,
    SHAPLEY,
    curves_of,
    evaluations_needed,
    interval,
    standings,
)
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED


def test_curves_are_means_with_standard_errors():
    rows = [row("m", seed=seed, r2=value) for seed, value in enumerate((0.2, 0.4, 0.6))]
    [point] = curves_of(rows, R2).itertuples()
    assert_allclose([point.quality, point.error], [0.4, 0.2 / np.sqrt(3)])
    assert {metric.column for metric in METRICS} <= set(Row.__dataclass_fields__)


def test_the_methods_compared_exist_under_these_names():
    assert {METHODS[name].package for name in (OURS, PUBLISHED)} == {PACKAGE}


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
    assert "≥ 4.00" in summary_text(rows)


def test_what_is_surpassed_at_the_first_budget_counts_with_it_and_is_marked():
    rows = [*curve(OURS, (0.8, 0.9)), row(PUBLISHED, budget=400, r2=0.5)]
    found = needed(rows)
    assert_allclose(found.ratio, 100 / 400)
    assert (found.n_never, found.n_at_once) == (0, 1)
    assert "≤ 0.25" in summary_text(rows)


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
    assert [one for one in evaluations_needed(rows) if one.reference == PUBLISHED] == []


def test_a_method_that_is_missing_in_a_case_is_averaged_over_the_others_and_told():
    rows = curve(PUBLISHED, (0.2, 0.4), "a") + curve(PUBLISHED, (0.2, 0.4), "b") + curve(OURS, (0.2, 0.4), "a")
    rows.append(row(OURS, "b", status="failed", message="ValueError: no", n_evaluations=nan))
    found = needed(rows)
    assert_allclose(found.ratio, 1.0)
    assert (found.n_cases, found.n_unanswered) == (1, 1)
    assert "no answer in 1 more" in summary_text(rows)


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


def test_one_case_has_no_interval():
    rows = curve(OURS, (0.2, 0.4)) + curve(PUBLISHED, (0.2, 0.4))
    assert np.isnan([needed(rows).low, needed(rows).high]).all()
    assert "1.00 (one case)" in summary_text(rows)


def test_exact_answers_are_all_equal():
    rows = curve(OURS, (1 - 1e-12, 1 - 1e-9)) + curve(PUBLISHED, (1 - 1e-9, 1.0)) + curve("rival", (1.0, 1.0))
    assert_allclose(needed(rows).ratio, exp(log(0.5) / 2))
    assert needed(rows).n_never == 0
    assert standing(rows).outcome == "tied"
    errors = [replace(one, r2=nan, shapley_error=1 - one.r2) for one in rows]
    assert standing(errors, SHAPLEY).outcome == "tied"


same = {"rtol": 1e-9, "equal_nan": True}


def numbers_of(rows):
    every = {(one.method, one.reference, one.metric, one.family): one for one in evaluations_needed(rows)}
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


def line_of(rows):
    """The cells of the table of losses on ``case``, without its name."""
    lines = (re.split(r"\s{2,}", line.strip()) for line in summary_text(rows).splitlines())
    return [cells[1:] for cells in lines if cells[0] == "case"][1]


def test_a_loss_names_the_rival_and_its_size():
    rows = curve(OURS, (0.5, 0.7)) + curve("one", (0.4, 0.9)) + curve("two", (0.6, 0.65))
    found = standing(rows)
    assert [(one.rival, one.outcome) for one in found.verdicts] == [("two", "lost"), ("one", "lost")]
    assert_allclose([one.difference for one in found.verdicts], [-0.1, -0.2])
    assert (found.outcome, found.n_lost, found.worst.rival) == ("lost", 2, "one")
    assert line_of(rows)[1:] == ["200", "\N{MINUS SIGN}0.200 R²", "one", "2 of 2 budgets"]


def test_a_loss_at_one_budget_is_listed_where_the_case_is_won():
    rows = curve(OURS, (0.5, 0.9)) + curve("rival", (0.55, 0.6))
    assert standing(rows).outcome == "won"
    assert line_of(rows) == ["+0.125 R²", "100", "\N{MINUS SIGN}0.050 R²", "rival", "1 of 2 budgets"]


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
    assert line_of(rows) == ["no answer", "100", "no answer", "rival", "1 of 1 budgets"]


def test_losses_come_first_by_size():
    rows = []
    for case, gap in (("won", -0.2), ("small", 0.1), ("tied", 0.0), ("large", 0.3)):
        rows += [row(OURS, case, r2=0.5), row("rival", case, r2=0.5 + gap)]
    assert [one.case for one in standings(rows)] == ["large", "small", "tied", "won"]
