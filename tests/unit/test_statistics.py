"""One R² and one standardisation, from their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.statistics import Standardised, r_squared


@given(st.integers(0, 1000), st.booleans())
def test_r_squared_is_the_share_of_variance_explained(seed, is_weighted):
    rng = np.random.default_rng(seed)
    truth, predicted, weights = rng.normal(size=20), rng.normal(size=20), rng.random(20)
    if not is_weighted:
        assert_allclose(r_squared(truth, predicted), 1 - ((truth - predicted) ** 2).mean() / truth.var())
    mean = weights @ truth / weights.sum()
    expected = 1 - weights @ (truth - predicted) ** 2 / (weights @ (truth - mean) ** 2)
    assert_allclose(r_squared(truth, predicted, weights), expected)


def test_r_squared_of_constant_values():
    assert r_squared(np.full(3, 2.0), np.full(3, 2.0)) == 1.0
    assert r_squared(np.full(3, 2.0), np.array([2.0, 2.0, 3.0])) == 0.0
    assert r_squared(np.zeros(3), np.zeros(3)) == 1.0


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_standardised_values_of_any_unit(unit, rng):
    values = rng.normal(size=(50, 3)) * unit
    standard = Standardised.of(values)
    assert_allclose(standard.values.mean(axis=0), 0, atol=1e-12)
    assert_allclose(standard.values.std(axis=0), 1)
    assert_allclose(standard.values * standard.scale + standard.center, values, rtol=1e-10, atol=1e-10 * unit)


def test_constant_columns_become_zero():
    standard = Standardised.of(np.array([[7.0, 0.0], [7.0, 2.0]]))
    assert_array_equal(standard.values, [[0.0, -1.0], [0.0, 1.0]])
    assert_array_equal(standard.scale, [1.0, 1.0])
    assert_array_equal(standard.center, [7.0, 1.0])
