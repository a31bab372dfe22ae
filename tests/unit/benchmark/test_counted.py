"""What an explanation costs: evaluations, calls, memory."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_parts import GAME, MASKS, TABLE, N
from numpy.testing import assert_allclose

from captum_spex.benchmark.counted import Counted, PeakMemory


def test_distinct_masks_and_all_masks_are_counted():
    game = Counted(GAME, N)
    values = game(MASKS[[3, 5, 3]])
    game(MASKS[5:8].astype(np.float64))
    assert_allclose(values, TABLE[[3, 5, 3]])
    assert (game.n_evaluations, game.n_calls) == (4, 6)
    assert sorted(game.evaluated) == [3, 5, 6, 7]
    assert game.seconds > 0


def test_memory_at_its_peak_is_measured():
    memory = PeakMemory()
    if np.isnan(memory.mib):
        pytest.skip("this system does not tell")
    held = np.ones(40 << 17)  # 40 MiB
    del held
    assert 38 < memory.mib < 80
