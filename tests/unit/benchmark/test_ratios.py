"""Ratios of errors: against a slow twin of the definition, and by their laws."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from math import exp, log, nan

import numpy as np
import pytest
from benchmark_rows import BUDGETS, curve, row
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sampled import examples

from captum_spex.benchmark.comparison import BEST_OTHER, PAIRS, SHAPLEY, TRIPLES
from captum_spex.benchmark.protocol import OURS, PUBLISHED
from captum_spex.benchmark.ratios import error_ratios


def ratio(rows, reference=BEST_OTHER, group="", metric=SHAPLEY, **settings):
    every = error_ratios(rows, metrics=[metric], **settings)
    return next(one for one in every if (one.reference, one.group) == (reference, group))


def errors(method, values, case="case", **settings):
    return curve(method, values, case, "shapley_error", **settings)


def random_rows(seed, n_cases=4):
    """Rows with errors from exact to useless."""
    rng, rows = np.random.default_rng(seed), []
    for case in range(n_cases):
        for method in (OURS, PUBLISHED, "one", "two", "three"):
            for budget in BUDGETS:
                for number in range(2):
                    error = 10 ** rng.uniform(-13, 1)
                    rows.append(row(method, f"case {case}", budget, number, shapley_error=error))
    return rows


def slow_ratio(rows, rivals, limit=100.0):
    """The definition, where all methods evaluate the budget and the best is at the budget."""
    runs = defaultdict(list)
    for one in rows:
        runs[one.case, one.budget, one.method].append(one.shapley_error)
    logs = defaultdict(list)
    for case, budget in dict.fromkeys((one.case, one.budget) for one in rows):
        ours = max(1e-9, np.mean(runs[case, budget, OURS]))
        theirs = min(max(1e-9, np.mean(runs[case, budget, rival])) for rival in rivals)
        logs[case].append(log(min(max(ours / theirs, 1 / limit), limit)))
    return exp(np.mean([np.mean(values) for values in logs.values()]))


@examples(0.4)
@given(st.integers(0, 2**32 - 1))
def test_the_ratio_is_the_definition(seed):
    rows, rivals = random_rows(seed), ["one", "two", "three"]
    found = ratio(rows)
    assert_allclose(found.ratio, slow_ratio(rows, rivals), rtol=1e-9)
    assert_allclose(found.unclipped, slow_ratio(rows, rivals, limit=1e30), rtol=1e-9)
    assert_allclose(ratio(rows, "one").ratio, slow_ratio(rows, ["one"]), rtol=1e-9)
    assert_allclose(ratio(rows, PUBLISHED).ratio, slow_ratio(rows, [PUBLISHED]), rtol=1e-9)


def test_cells_are_averaged_within_a_case_first():
    rows = errors(OURS, (0.1, 0.1, 0.1, 0.1), "a") + errors("rival", (0.2, 0.2, 0.2, 0.2), "a")
    rows += errors(OURS, (0.1,), "b") + errors("rival", (0.05,), "b")
    found = ratio(rows)
    assert_allclose(found.ratio, (0.5 * 2.0) ** 0.5)
    assert (found.n_cases, found.n_cells, found.n_lost, found.n_unanswered) == (2, 5, 1, 0)
    assert found.low <= found.ratio <= found.high


def test_exact_answers_count_as_the_floor_and_are_counted():
    rows = errors(OURS, (1e-14, 1e-14, 1e-3, 1e-8)) + errors("rival", (1e-16, 1e-3, 1e-12, 1e-9))
    found = ratio(rows)
    assert (found.n_cells, found.n_exact, found.n_exact_theirs, found.n_clipped) == (4, 2, 3, 2)
    assert_allclose(found.ratio, (1 * 0.01 * 100 * 10) ** 0.25)
    assert_allclose(found.unclipped, (1 * 1e-6 * 1e6 * 10) ** 0.25)


def test_a_few_exact_answers_do_not_decide_the_mean():
    worse = errors(OURS, (0.02, 0.02, 0.02, 1e-15)) + errors("rival", (0.01, 0.01, 0.01, 0.01))
    assert_allclose(ratio(worse).ratio, (2**3 / 100) ** 0.25)
    assert_allclose(ratio(worse).unclipped, (2**3 * 1e-7) ** 0.25)


def test_only_budgets_between_two_multiples_count():
    rows = errors(OURS, (0.1, 0.1, 0.1, 0.1)) + errors("rival", (0.1, 0.2, 0.4, 0.8))  # of 9 players
    assert_allclose(ratio(rows, multiples=(200 / 9, 400 / 9)).ratio, (0.5 * 0.25) ** 0.5)
    assert error_ratios(rows, multiples=(200.0, 300.0)) == []


def test_other_orders_and_families():
    rows = [row(OURS, "a", order2_error=0.1, family="x"), row("rival", "a", order2_error=0.2, family="x")]
    rows += [row(OURS, "b", order3_error=0.3, family="y"), row("rival", "b", order3_error=0.1, family="y")]
    assert_allclose([ratio(rows, metric=PAIRS).ratio, ratio(rows, group="y", metric=TRIPLES).ratio], [0.5, 3.0])
    assert np.isnan(ratio(rows, metric=PAIRS).low)


def test_where_ours_has_no_answer_it_keeps_its_last_one():
    refused = [row(OURS, budget=budget, status="refused", n_evaluations=nan) for budget in (100, 400, 800)]
    found = ratio([*refused, row(OURS, budget=200, shapley_error=0.1), *errors("rival", (0.2, 0.2, 0.05, 0.0125))])
    assert (found.n_cells, found.n_unanswered) == (3, 2)
    assert_allclose(found.ratio, (0.5 * 2 * 8) ** (1 / 3))


@pytest.mark.parametrize("rows", [[], errors(OURS, (0.1,)), errors("rival", (0.1,)), errors(OURS, (nan,))])
def test_nothing_to_compare_is_no_ratio(rows):
    assert error_ratios(rows) == []


def test_without_an_answer_of_ours_the_ratio_is_open():
    found = ratio([row(OURS, status="failed"), *errors("rival", (0.2,))])
    assert np.isnan([found.ratio, found.low, found.high, found.unclipped]).all()
    assert (found.n_cases, found.n_cells, found.n_unanswered) == (0, 0, 0)


@examples(0.4)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 2.0))
def test_larger_errors_scale_the_ratio(seed, factor):
    rng, rows = np.random.default_rng(seed), []
    for case in range(3):
        for method in (OURS, "one", "two"):
            rows += errors(method, 10 ** rng.uniform(-2.5, -2, 4), f"case {case}")
    scaled = [replace(one, shapley_error=one.shapley_error * factor) if one.method == OURS else one for one in rows]
    assert_allclose(ratio(scaled).ratio, factor * ratio(rows).ratio)
    shuffled = [scaled[place] for place in rng.permutation(len(scaled))]
    assert_allclose(ratio(shuffled).ratio, ratio(scaled).ratio)
    assert_allclose([ratio(shuffled).low, ratio(shuffled).high], [ratio(scaled).low, ratio(scaled).high])


def test_one_method_is_not_compared_beyond_its_last_answer():
    """Else its error of few evaluations would stand beside ours of many; the best other has one more candidate."""
    rows = errors(OURS, [0.1, 0.01, 0.001, 1e-4]) + errors("rival", [0.1])
    rows += [row("rival", budget=budget, status="refused", n_evaluations=nan) for budget in BUDGETS[1:]]
    alone, best = (ratio(rows, reference) for reference in ("rival", BEST_OTHER))
    assert (alone.n_cells, best.n_cells) == (1, 4)
    assert_allclose(alone.ratio, 1.0)
