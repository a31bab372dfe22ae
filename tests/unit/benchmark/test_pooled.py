"""Curves of many games in one: by hand."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from benchmark_rows import row
from numpy.testing import assert_allclose

from captum_spex.benchmark.comparison import R2, SHAPLEY
from captum_spex.benchmark.pooled import pooled
from captum_spex.benchmark.protocol import OURS


def rows_of(method, case, n_players, errors, multiples=(1, 3, 8), **settings):
    pairs = zip(multiples, errors, strict=True)
    rows = [
        row(method, case, round(multiple * n_players), shapley_error=error, **settings) for multiple, error in pairs
    ]
    return [replace(one, n_players=n_players) for one in rows]


def line(rows, method, metric=SHAPLEY, panel=0):
    return next(one for one in pooled(rows, metric)[panel].lines if one.method == method)


def test_errors_are_geometric_means_over_games_by_multiples_of_players():
    rows = rows_of(OURS, "a", 10, (1.0, 0.1, 0.01)) + rows_of(OURS, "b", 13, (0.01, 0.001, 0.0001))
    [panel] = pooled(rows, SHAPLEY)
    assert (panel.n_players, panel.sizes, panel.n_games) == (14, (10, 13), 2)
    assert_allclose(panel.budgets, [1, 3, 8])
    [own] = panel.lines
    assert_allclose(own.multiples, [1, 3, 8])
    assert_allclose(own.left, [0.1, 0.01, 0.001])
    assert_allclose(own.low, [0.01, 0.001, 0.0001])
    assert_allclose(own.high, [1.0, 0.1, 0.01])


def test_games_are_with_the_nearest_number_of_players():
    sizes = (5, 6, 28, 30, 109, 110, 447, 448, 2500, 2501)
    rows = [one for n in sizes for one in rows_of(OURS, f"game {n}", n, (0.5, 0.3, 0.2))]
    found = {panel.n_players: panel.sizes for panel in pooled(rows, SHAPLEY)}
    assert found == {14: (6, 28), 60: (30, 109), 200: (110, 447), 1000: (448, 2500)}


def test_a_method_is_placed_by_its_ratio_in_the_games_that_it_answers():
    rows = rows_of(OURS, "hard", 14, (1.0, 1.0, 1.0)) + rows_of(OURS, "easy", 14, (0.01, 0.01, 0.01))
    rows += rows_of("rival", "hard", 14, (2.0, 3.0, nan))
    rows += rows_of("half", "easy", 14, (0.02, 0.02, 0.02)) + rows_of("half", "hard", 14, (8.0, 0.5, nan))
    assert_allclose(line(rows, "rival").left, [0.2, 0.3])
    assert np.isnan(line(rows, "rival").low).all()
    assert_allclose(line(rows, "half").left, [0.1 * 4.0, 0.1 * 1.0, 0.1 * 2.0])
    assert_allclose(line(rows, "half").low[:2], [0.1 * 2.0, 0.1 * 0.5])
    third = rows + rows_of(OURS, "third", 14, (0.1, 0.1, 0.1))
    assert [one.method for one in pooled(third, SHAPLEY)[0].lines] == [OURS, "half"]  # one of three games is too few


def test_budgets_of_few_games_are_left_out():
    rows = rows_of(OURS, "a", 14, (1.0, 0.5, 0.2)) + rows_of(OURS, "b", 14, (1.0, 0.5, nan))
    assert_allclose(line(rows, OURS).left, [1.0, 0.5, 0.2])
    rows += rows_of(OURS, "c", 14, (1.0, nan, nan))
    assert_allclose(line(rows, OURS).left, [1.0, 0.5])


def test_evaluations_made_count_and_not_the_budget():
    rows = rows_of(OURS, "a", 20, (0.5, 0.3, 0.2)) + rows_of("frugal", "a", 20, (0.4, 0.4, 0.4), n_evaluations=21.0)
    assert_allclose(line(rows, "frugal").multiples, [1.05] * 3)


def test_what_is_left_of_r2_is_of_games_without_exact_values():
    known = rows_of(OURS, "known", 14, (0.5, 0.3, 0.2), r2=0.9)
    unknown = rows_of(OURS, "unknown", 14, (nan, nan, nan), r2=0.96)
    assert_allclose(line(known + unknown, OURS, R2).left, [0.04] * 3)
    assert_allclose(line(known + unknown, OURS, SHAPLEY).left, [0.5, 0.3, 0.2])
    assert pooled(known, R2) == []


@pytest.mark.parametrize("rows", [[], rows_of("rival", "a", 14, (1.0, 1.0, 1.0)), rows_of(OURS, "a", 14, (nan,) * 3)])
def test_without_ours_there_is_no_panel(rows):
    assert pooled(rows, SHAPLEY) == []
