"""Evaluations needed: by hand, and by their laws."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, nan

import numpy as np
import pytest
from benchmark_rows import curve, many_rows, needed, row, standing, summary_text
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sampled import examples

from captum_spex.benchmark.comparison import BEST_OTHER, R2, SHAPLEY
from captum_spex.benchmark.needed import evaluations_needed
from captum_spex.benchmark.protocol import OURS, PUBLISHED
from captum_spex.benchmark.standings import standings


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
    assert_allclose([needed(rows, group=name).ratio for name in ("", "a", "b")], [1.0, 0.5, 2.0])
    assert np.isnan(needed(rows, group="a").low)


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


def test_each_rival_alone_is_a_reference_of_all_cases():
    rows = curve(OURS, (0.3, 0.4, 0.5)) + curve("weak", (0.1, 0.3)) + curve("strong", (0.2, 0.5))
    found = evaluations_needed(rows, references=["weak", "strong", "unknown"], methods=[OURS], metrics=[R2])
    # weak: 0.1 at once, 0.3 after 100 instead of 200; strong: 0.2 at once, 0.5 after 400 instead of 200.
    assert [(one.reference, one.group) for one in found] == [("weak", ""), ("strong", "")]
    assert_allclose([one.ratio for one in found], [(1 * 0.5) ** 0.5, (1 * 2) ** 0.5])


def test_only_budgets_between_two_multiples_of_the_number_of_players_count():
    rows = curve(OURS, (0.3, 0.4, 0.5, 0.6)) + curve("rival", (0.3, 0.3, 0.6, 0.4))  # of 9 players
    found = [
        evaluations_needed(rows, references=[BEST_OTHER], methods=[OURS], metrics=[R2], multiples=multiples)[0].ratio
        for multiples in ((200 / 9, 400 / 9), (22.2, 45), (11, 12), (400 / 9, 400 / 9))
    ]
    assert_allclose(found, [(0.5 * 2) ** 0.5, (0.5 * 2) ** 0.5, 1.0, 2.0])


def test_classes_of_players_are_averaged_apart():
    rows = []
    for n_players, reached in ((16, 100), (17, 400), (64, 400), (300, 200), (301, 50)):
        own = [row(PUBLISHED, str(n_players), 200, r2=0.5), row(OURS, str(n_players), reached, r2=0.5)]
        rows += [replace(one, n_players=n_players) for one in own]
    found = {one.group: one.ratio for one in evaluations_needed(rows, references=[PUBLISHED], methods=[OURS])}
    sizes = ["up to 16 players", "17 to 64 players", "65 to 300 players", "more than 300 players"]
    assert_allclose([found[name] for name in sizes], [0.5, 2.0, 1.0, 0.25])
    assert_allclose(found[""], (0.5 * 2 * 2 * 1 * 0.25) ** 0.2)


same = {"rtol": 1e-9, "equal_nan": True}


def numbers_of(rows):
    every = {(one.method, one.reference, one.metric, one.group): one for one in evaluations_needed(rows)}
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
