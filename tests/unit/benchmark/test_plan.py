"""What is run: cases, methods, budgets and seeds, and arguments that are refused."""

from __future__ import annotations

import pytest
from benchmark_parts import METHODS, OWN

from captum_spex.benchmark import run_benchmark
from captum_spex.benchmark.plan import plan_of
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError


def test_every_method_is_in_the_quick_selection():
    plan = plan_of(quick=True)
    assert [method.name for method in plan.methods] == list(METHODS)
    assert all(len(plan.budgets_of(source)) == 3 for source in plan.sources)


def test_budgets_are_fewer_than_all_masks_and_smaller_where_evaluations_are_slow():
    plan = plan_of()
    budgets = {source.name: plan.budgets_of(source) for source in plan.sources}
    assert budgets["boosted-10"] == [128, 256, 512]
    assert budgets["digits-64"] == [128, 256, 512, 1024, 2048, 4096]
    assert budgets["encoder-96"] == [128, 256, 512, 1024]
    assert budgets["planted-10000"][-1] == 8192
    assert plan_of(cases=["boosted-10"], budgets=[1024, 2048]).budgets_of(plan.sources[0]) == [1024]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"cases": ["nonsense"]}, UnknownNameError, "'boosted-10'"),
        ({"methods": ["nonsense"]}, UnknownNameError, "'Captum Lime'"),
        ({"budgets": [1]}, BudgetError, "budgets"),
        ({"budgets": []}, ArgumentError, "at least one"),
        ({"seeds": 0}, ArgumentError, "seeds"),
        ({"cases": [OWN, OWN]}, ArgumentError, "the name 'mine'"),
        ({"games": "nowhere"}, ArgumentError, "`games`: expected .*, got 'nowhere'"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, arguments, error, match):
    with pytest.raises(error, match=match):
        run_benchmark(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
