"""Faithfulness and error bars are true on games of the benchmark: within their noise, and rarely too good."""

from __future__ import annotations

import numpy as np

from benchmarks import faithfulness as benchmark


def test_faithfulness_is_near_the_truth_in_the_mean(capsys):
    benchmark.main(["--names", "network-30", "planted-30", "boosted-30", "--multiples", "4", "6", "10"])
    last = capsys.readouterr().out.splitlines()[-1]
    figures, covered = (part.split() for part in last.split("|")[1:])
    gap, deviation, over, holds = map(float, figures[1:])
    assert abs(gap) < 0.05
    assert deviation < 0.1
    assert over <= 0.25
    assert holds >= 0.75
    assert 0.75 <= np.min(list(map(float, covered))) <= 1.0
