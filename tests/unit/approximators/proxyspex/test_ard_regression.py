"""Regression in which every weight has a prior variance of its own."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from captum_spex.approximators.proxyspex.ard_regression import ard_weights


def test_weights_of_few_relevant_features() -> None:
    """Against least squares on the features that are known to matter; the others shrink to zero."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 100)) * rng.uniform(0.1, 10, 100)
    targets = features[:, :3] @ np.array([1.0, -2.0, 0.5]) + rng.normal(size=300) * 0.1
    weights, errors = ard_weights(features, targets)
    ideal = np.linalg.lstsq(features[:, :3], targets, rcond=None)[0]
    assert_allclose(weights[:3], ideal, atol=4 * errors[:3].max())
    assert (np.abs(weights[3:]) * features[:, 3:].std(axis=0) < 0.03).all()
    scaled, _ = ard_weights(features * 1e6, targets * 1e-9)
    assert_allclose(scaled, weights * 1e-15, rtol=1e-6)


def test_weights_of_nothing() -> None:
    assert ard_weights(np.zeros((5, 0)), np.ones(5))[0].shape == (0,)
    assert not ard_weights(np.ones((5, 2)), np.zeros(5))[0].any()
    assert ard_weights(np.zeros((5, 2)), np.arange(5.0))[0].tolist() == [0.0, 0.0]
