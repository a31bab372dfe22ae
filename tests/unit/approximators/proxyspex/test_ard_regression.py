"""Regression in which every weight has a prior variance of its own."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from captum_spex.approximators.proxyspex.ard_regression import ard_weights, many_ard_weights


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


def test_many_regressions_at_once_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    features = np.sign(rng.normal(size=(12, 40, 15)))
    taken = np.arange(15) < rng.integers(1, 16, size=12)[:, None]
    true = rng.normal(size=(12, 15, 1)) * (rng.random((12, 15, 1)) < 0.3)
    targets = (features @ true)[:, :, 0] + 0.1 * rng.normal(size=(12, 40))
    taken[0], targets[1], targets[2], features[3, :, 0] = False, 0.0, rng.normal(size=40), 0.0
    found = many_ard_weights(features, targets, taken)
    for one, own, column, chosen in zip(found, features, targets, taken, strict=True):
        assert_allclose(one[chosen], ard_weights(own[:, chosen], column)[0], atol=1e-10)
        assert not one[~chosen].any()
