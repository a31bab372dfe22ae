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


def slow_quality(truth: Floats, left_out: Floats, reused: Floats, weights: Floats, spread: float, h: float) -> Quality:
    """The formula mask by mask."""
    rows = list(zip(weights.tolist(), truth.tolist(), left_out.tolist(), reused.tolist(), strict=True))
    mean = sum(w * t for w, t, _, _ in rows)
    variance = sum(w * (t - mean) ** 2 for w, t, _, _ in rows)
    pessimistic, optimistic = sum(w * (t - p) ** 2 for w, t, p, _ in rows), sum(w * (t - r) ** 2 for w, t, _, r in rows)
    worse = max(pessimistic, optimistic)
    doubt = 1.645 * h * sum((w * ((t - p) ** 2 - pessimistic)) ** 2 for w, t, p, _ in rows) ** 0.5
    likely = h * (2 * worse + optimistic) / 3 + doubt / 4
    largest = h * worse + doubt + variance * sum(w * w for w, _, _, _ in rows)
    a = min(max(likely / variance, 0.5), 1.0)
    measured = 1 - likely / min(variance**a * (spread + likely) ** (1 - a), 2 * spread + likely)
    return Quality(measured, min(measured, 1 - largest / min(variance, spread + largest)))


@pytest.mark.parametrize("spread", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("hardness", [1.0, 0.6, 1.5])
@pytest.mark.parametrize("reused_size", [0.2, 2.0])
def test_quality_is_its_formula(spread: float, hardness: float, reused_size: float) -> None:
    rng = np.random.default_rng(3)
    truth, weights = rng.normal(size=20), rng.dirichlet(np.ones(20))
    left_out, reused = truth + 0.5 * rng.normal(size=20), truth + reused_size * rng.normal(size=20)
    measured = stacked_quality(
        truth, left_out, reused, weights=weights, noise=np.zeros(20), spread=spread, hardness=hardness
    )
    expected = slow_quality(truth, left_out, reused, weights, spread, hardness)
    assert_allclose([measured.r_squared, measured.lower], [expected.r_squared, expected.lower])


def test_noise_is_no_error_of_the_model() -> None:
    rng = np.random.default_rng(0)
    game, noise, weights = rng.normal(size=4000), 0.5 * rng.normal(size=4000), np.full(4000, 1 / 4000)
    measured = stacked_quality(game + noise, game, game, weights=weights, noise=np.full(4000, 0.25), spread=1.0)
    assert measured.r_squared > 0.98


def test_one_mask_of_which_nothing_is_known_makes_small_samples_doubtful() -> None:
    rng = np.random.default_rng(0)
    bounds = []
    for count in (10, 100, 1000):
        truth, weights = rng.normal(size=count), np.full(count, 1 / count)
        nearly = truth + 1e-3 * rng.normal(size=count)
        bounds.append(quality_of(truth, nearly, nearly, weights, 1.0).lower)
    assert_allclose(1 - np.array(bounds), [1 / 10, 1 / 100, 1 / 1000], rtol=0.1)


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
