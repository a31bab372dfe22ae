"""A run of one method on one case."""

from __future__ import annotations

from dataclasses import replace

from benchmark_parts import MEAN, OWN

from captum_spex.benchmark.attempts import Attempts
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.plan import plan_of


def test_a_slow_method_gets_no_larger_budget():
    plan = plan_of(quick=True, cases=[OWN], methods=[MEAN], budgets=[16, 32], seeds=2)
    (source,) = plan.sources
    runs = list(plan.runs(source))
    case, examiner = source.load(), Examiner(OWN)
    first = Attempts([], is_quick=True).row(runs[0], case, examiner)
    slow = replace(first, own_seconds=7.0)
    statuses = [Attempts([slow], is_quick=True).row(run, case, examiner) for run in runs]
    assert [row.status for row in statuses] == ["done", "done", "refused", "refused"]
    assert statuses[-1].message == "the budget before took 7 s"
    assert Attempts([slow], is_quick=False).row(runs[-1], case, examiner).status == "done"
