"""A run of one method on one case, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmark_parts import GAME, MASKS, MEAN, OWN, TABLE, N
from numpy.testing import assert_allclose

from captum_spex.benchmark.attempts import Attempts, Counted, PeakMemory
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.plan import plan_of


def test_distinct_masks_and_all_masks_are_counted():
    game = Counted(GAME, N)
    values = game(MASKS[[3, 5, 3]])
    game(MASKS[5:8].astype(np.float64))
    assert_allclose(values, TABLE[[3, 5, 3]])
    assert (len(game.keys), game.n_calls) == (4, 6)
    assert sorted(game.keys) == [3, 5, 6, 7]
    assert game.seconds > 0


def test_memory_at_its_peak_is_measured():
    memory = PeakMemory()
    if np.isnan(memory.mib):
        pytest.skip("this system does not tell")
    held = np.ones(40 << 17)  # 40 MiB
    del held
    assert 38 < memory.mib < 80


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
