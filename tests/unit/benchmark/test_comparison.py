"""Means over seeds, cells at equal evaluations, groups of cases, and intervals."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from benchmark_parts import METHODS
from benchmark_rows import curve, row
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sampled import examples

from captum_spex.benchmark import Row
from captum_spex.benchmark.comparison import (
    BEST_OTHER,
    ERRORS,
    METRICS,
    PRECISION,
    R2,
    SHAPLEY,
    beside,
    cells_of,
    curves_of,
    frame_of,
    groups_of,
    interval,
    is_within,
    size_of,
)
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED


def test_curves_are_means_with_standard_errors():
    rows = [row("m", seed=seed, r2=value) for seed, value in enumerate((0.2, 0.4, 0.6))]
    points = curves_of(rows, R2).points["case", "m"]
    assert_allclose([*points.quality, *points.error], [0.4, 0.2 / np.sqrt(3)])
    assert {metric.column for metric in (*METRICS, *ERRORS, PRECISION)} <= set(Row.__dataclass_fields__)


def test_budgets_without_a_run_are_kept_and_not_known():
    rows = [row("m", budget=200, r2=0.5), row("m", budget=100, status="refused", n_evaluations=nan)]
    points = curves_of(rows, R2).points["case", "m"]
    assert_allclose(points.budgets, [100, 200])
    assert_allclose(points.quality, [nan, 0.5])
    assert_allclose(points.known.budgets, [200])


def test_the_methods_compared_exist_under_these_names():
    assert {METHODS[name].package for name in (OURS, PUBLISHED)} == {PACKAGE}


def cells(rows, metric=R2, reference=BEST_OTHER):
    curves = curves_of(rows, metric)
    found = beside(cells_of(curves), reference, curves.packages)
    return list(found[["budget", "rival", "theirs", "difference"]].itertuples(index=False, name=None))


def test_a_cell_is_of_a_rival_after_as_many_evaluations():
    rows = curve(OURS, (0.1, 0.2, 0.3, 0.4)) + curve("early", (0.2, 0.3)) + curve(PUBLISHED, (0.9, 0.9, 0.9, 0.9))
    rows += [
        row("late", budget=400, n_evaluations=419.0, r2=0.7),
        row("too late", budget=200, n_evaluations=211.0, r2=0.7),
    ]
    found = [(budget, rival, round(theirs, 9)) for budget, rival, theirs, _ in cells(rows)]
    assert found == [(100, "early", 0.2), (200, "early", 0.3), (400, "late", 0.7), (800, "late", 0.7)]
    assert [rival for _, rival, _, _ in cells(rows, reference=PUBLISHED)] == [PUBLISHED] * 4
    assert [budget for budget, *_ in cells(rows, reference="too late")] == [400, 800]


def test_an_answer_that_ours_lacks_is_a_cell_without_a_difference():
    rows = [
        *curve(OURS, (0.5, nan)),
        row(OURS, budget=200, status="failed", n_evaluations=nan),
        *curve("r", (0.1, 0.2)),
    ]
    assert_allclose([difference for *_, difference in cells(rows)], [0.4, nan])


@pytest.mark.parametrize("rows", [[], curve(OURS, (0.1,)), curve("rival", (0.1,)), curve("rival", (nan,))])
def test_without_a_pair_there_is_no_cell(rows):
    assert cells(rows) == []
    assert [len(own) for _, own in groups_of(cells_of(curves_of(rows, SHAPLEY)))] == [0]


def test_classes_of_players():
    assert [size_of(number) for number in (1, 16, 17, 64, 65, 300, 301, 10**6)] == [
        "up to 16 players", "up to 16 players", "17 to 64 players", "17 to 64 players",
        "65 to 300 players", "65 to 300 players", "more than 300 players", "more than 300 players",
    ]  # fmt: skip


def test_groups_are_all_then_classes_then_families():
    rows = [replace(row(OURS, name, family=family), n_players=n)
            for name, family, n in (("a", "text", 300), ("b", "heads", 9), ("c", "text", 12))]  # fmt: skip
    table = curves_of(rows, R2).cases
    assert table == {"a": ("text", 300), "b": ("heads", 9), "c": ("text", 12)}
    found = {name: list(own["case"]) for name, own in groups_of(frame_of(rows))}
    assert found == {
        "": ["a", "b", "c"], "up to 16 players": ["b", "c"], "65 to 300 players": ["a"],
        "text": ["a", "c"], "heads": ["b"],
    }  # fmt: skip


def test_rounded_multiples_are_within():
    budgets = np.array([12, 13, 14, 259, 260, 261, 263])
    assert is_within(budgets, 13, (1.0, 20.0)).tolist() == [False, True, True, True, True, False, False]
    assert is_within(np.array([6, 7]), 13, (0.5, 0.5)).all()


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
