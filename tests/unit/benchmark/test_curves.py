"""Means over seeds."""

from __future__ import annotations

import numpy as np
from benchmark_rows import row
from numpy.testing import assert_allclose

from captum_spex.benchmark import Row
from captum_spex.benchmark.curves import METRICS, R2, curves_of


def test_curves_are_means_with_standard_errors():
    rows = [row("m", seed=seed, r2=value) for seed, value in enumerate((0.2, 0.4, 0.6))]
    [point] = curves_of(rows, R2).itertuples()
    assert_allclose([point.quality, point.error], [0.4, 0.2 / np.sqrt(3)])
    assert {metric.column for metric in METRICS} <= set(Row.__dataclass_fields__)
