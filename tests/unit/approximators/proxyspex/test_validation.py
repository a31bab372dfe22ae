"""Quality on masks that took no part, and folds."""

from __future__ import annotations

import numpy as np
import pytest
from games import codes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from captum_spex.approximators.proxyspex.validation import Quality, folds, stacked_quality
from captum_spex.arrays import Floats
from captum_spex.masks import all_masks


@given(seed=st.integers(0, 1000), size=st.floats(0, 10))
def test_quality_lies_above_its_bound(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    truth, weights = rng.normal(size=60), rng.dirichlet(np.ones(60))
    left_out, reused = truth + size * rng.normal(size=60), truth + size / 2 * rng.normal(size=60)
    measured = quality_of(truth, left_out, reused, weights, 1.0)
    assert measured.lower <= measured.r_squared <= 1


def quality_of(truth: Floats, left_out: Floats, reused: Floats, weights: Floats, spread: float) -> Quality:
    return stacked_quality(truth, left_out, reused, weights=weights, noise=np.zeros(len(truth)), spread=spread)


@pytest.mark.parametrize(("spread", "variance"), [(50.0, 16.0), (1.0, 1 + 0.5 * 2 / 3 + 0.25 * 3 + 0.25 * 3)])
def test_quality_by_hand(spread: float, variance: float) -> None:
    truth, weights = np.array([4.0, -4.0, -4.0]), np.array([0.5, 0.25, 0.25])
    measured = quality_of(truth, truth + np.array([1.0, 2, 0]), truth + np.array([0.0, 1, 3]), weights, spread)
    assert_allclose(measured.r_squared, 1 - (0.5 * 2 / 3 + 0.25 * 3 + 0.25 * 3) / variance)
    pessimistic = np.array([1.0, 4.0, 0.0])
    doubt = 1.645 * np.sqrt(
        sum((w * (e - pessimistic @ weights)) ** 2 for w, e in zip(weights, pessimistic, strict=True))
    )
    assert_allclose(measured.lower, 1 - (pessimistic @ weights + doubt) / variance)


def test_quality_without_errors_or_without_anything() -> None:
    truth, weights = np.arange(4.0), np.full(4, 0.25)
    assert quality_of(truth, truth, truth, weights, 1.0) == Quality(1.0, 1.0)
    assert quality_of(truth, truth, truth, weights, 0.0) == Quality(1.0, 1.0)
    assert quality_of(truth, truth + 1, truth + 1, weights, 0.0).r_squared == 0


def test_the_bound_holds_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        truth, noise, weights = 2 * rng.normal(size=150), rng.normal(size=150), np.full(150, 1 / 150)
        held += quality_of(truth, truth + noise, truth + noise, weights, 3.0).lower <= 3 / 4
    assert 0.9 <= held / 300 <= 1.0


@given(n=st.integers(2, 7), count=st.integers(2, 6), seed=st.integers(0, 100))
def test_folds_part_the_masks_but_no_mask_from_its_complement(n: int, count: int, seed: int) -> None:
    masks = all_masks(n)[np.random.default_rng(seed).permutation(2**n)[: max(2, 2**n * 2 // 3)]]
    parts = folds(masks, count, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(masks)))
    place = {code: number for number, part in enumerate(parts) for code in codes(masks[part])}
    assert all(place.get(2**n - 1 - code, number) == number for code, number in place.items())
