"""What is run: cases, methods, budgets and seeds, and arguments that are refused."""

from __future__ import annotations

import pytest
from benchmark_parts import METHODS, OWN, TINY
from hypothesis import given
from hypothesis import strategies as st

from captum_spex.benchmark import run_benchmark
from captum_spex.benchmark.plan import SLOW, plan_of
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError


def test_every_method_is_in_the_quick_selection():
    plan = plan_of(quick=True)
    assert [method.name for method in plan.methods] == list(METHODS)
    assert all(len(plan.budgets_of(source)) == 3 for source in plan.sources)


def test_budgets_are_fewer_than_all_masks_and_smaller_where_evaluations_are_slow():
    plan = plan_of()
    budgets = {source.name: plan.budgets_of(source) for source in plan.sources}
    assert budgets["boosted-10"] == [5, 10, 30, 80, 200, 1000]
    assert budgets["digits-64"] == [32, 64, 192, 512, 1280, 6400]
    assert budgets["encoder-96"] == [48, 96, 288, 768]
    assert budgets["planted-10000"] == [500, 1000, 2000, 4000]
    assert plan_of(cases=["boosted-10"], budgets=[1024, 2048]).budgets_of(plan.sources[0]) == [1024]


def test_slow_methods_get_fewer_seeds_unless_a_number_is_given():
    assert {*SLOW} <= {*METHODS}
    chosen = {"cases": [OWN], "methods": ["ProxySpex", "ProxySpex as published"], "budgets": [20]}
    for seeds, expected in ((None, [5, 1]), (3, [3, 3])):
        plan = plan_of(**chosen, seeds=seeds)
        runs = [run.method.name for run in plan.runs(plan.sources[0])]
        assert [runs.count(method.name) for method in plan.methods] == expected


def test_triples_are_asked_for_where_they_cost_no_pairs():
    plan = plan_of(cases=["planted-*"], methods=["ProxySpex", "Captum Lime"], budgets=[30, 600], seeds=1)
    orders = {
        run.key[:3]: run.request(is_exact_known=True).max_order for source in plan.sources for run in plan.runs(source)
    }
    assert [orders["planted-30", "ProxySpex", 30], orders["planted-100", "ProxySpex", 600]] == [3, 2]
    assert [orders[f"planted-{n}", "Captum Lime", 600] for n in (10, 30)] == [3, 2]
    assert orders["planted-10", "Captum Lime", 30] == 2
    assert {run.request(is_exact_known=False).max_order for run in plan.runs(plan.sources[0])} == {2}


@given(st.integers(1, 7), st.integers(1, 6))
def test_parts_divide_the_runs(total, seeds):
    chosen = {"cases": ["planted-10*", OWN, TINY], "methods": ["Captum *"], "budgets": [20, 30], "seeds": seeds}
    plans = [plan_of(**chosen, shard=part) for part in (None, *(f"{number}/{total}" for number in range(1, total + 1)))]
    whole, *parts = ([run.key for source in plan.sources for run in plan.runs(source)] for plan in plans)
    assert sorted(whole) == sorted(key for part in parts for key in part)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"cases": ["nonsense"]}, UnknownNameError, "'boosted-10'"),
        ({"methods": ["nonsense"]}, UnknownNameError, "'Captum Lime'"),
        ({"budgets": [1]}, BudgetError, "budgets"),
        ({"budgets": []}, ArgumentError, "at least one"),
        ({"seeds": 0}, ArgumentError, "seeds"),
        ({"shard": "0/3"}, ArgumentError, "`shard`: expected .* such as '3/12'.*, got '0/3'"),
        ({"shard": "4/3"}, ArgumentError, "got '4/3'"),
        ({"shard": "two"}, ArgumentError, "got 'two'"),
        ({"shard": 3}, ArgumentError, "got 3"),
        ({"cases": [OWN, OWN]}, ArgumentError, "the name 'mine'"),
        ({"games": "nowhere"}, ArgumentError, "`games`: expected .*, got 'nowhere'"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, arguments, error, match):
    with pytest.raises(error, match=match):
        run_benchmark(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
