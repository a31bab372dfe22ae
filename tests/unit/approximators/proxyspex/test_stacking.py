"""Stacking: few surrogates, non-negative weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from captum_spex.approximators.proxyspex.proxy import FittedProxy
from captum_spex.approximators.proxyspex.stacking import stack
from captum_spex.arrays import Floats
from captum_spex.designs import enumerate_and_spread
from captum_spex.masks import Masks


def surrogate(left_out: Floats, reused: Floats | None = None) -> FittedProxy:
    return FittedProxy("made", [()], left_out[:, None], (left_out if reused is None else reused)[:, None])


def random_masks(count: int) -> Masks:
    return np.random.default_rng(1).random((count, 30)) < 0.5


RANDOM = random_masks(400)


@pytest.fixture
def truth(rng: np.random.Generator) -> Floats:
    return rng.normal(size=400)


def test_a_useless_surrogate_leaves_no_trace(truth: Floats, rng: np.random.Generator) -> None:
    good, useless = surrogate(truth + 0.3 * rng.normal(size=400)), surrogate(rng.normal(size=400))
    alone, found = stack([good], truth, 0, RANDOM), stack([useless, good, useless], truth, 0, RANDOM)
    assert list(found.weights) == [1]
    assert found.weights[1] == pytest.approx(alone.weights[0], rel=0.01)
    assert_allclose(found.left_out, good.left_out[:, 0] * found.weights[1])


def test_a_slightly_worse_twin_leaves_no_trace(truth: Floats, rng: np.random.Generator) -> None:
    best = truth + 0.3 * rng.normal(size=400)
    assert list(stack([surrogate(best + 0.02 * rng.normal(size=400)), surrogate(best)], truth, 0, RANDOM).weights) == [
        1
    ]


def test_surrogates_that_err_apart_are_combined(truth: Floats, rng: np.random.Generator) -> None:
    pair = [surrogate(truth + rng.normal(size=400)) for _ in range(2)]
    found = stack(pair, truth, 0, RANDOM)
    assert set(found.weights) == {0, 1}
    assert ((found.left_out - truth) ** 2).mean() < 0.8 * (
        (stack(pair[:1], truth, 0, RANDOM).left_out - truth) ** 2
    ).mean()


def test_masks_that_none_predicts_do_not_decide(truth: Floats, rng: np.random.Generator) -> None:
    close, other = truth + 0.1 * rng.normal(size=400), truth + 0.3 * rng.normal(size=400)
    hard = np.arange(400) < 8
    close[hard], other[hard] = truth[hard] - 3, truth[hard] - 2  # by squared errors the worse one is the better
    assert ((close - truth) ** 2).mean() > ((other - truth) ** 2).mean()
    weights = stack([surrogate(close), surrogate(other)], truth, 0, RANDOM).weights
    assert weights[0] > 4 * weights.get(1, 0.0)


@given(seed=st.integers(0, 1000), count=st.integers(1, 4))
def test_weights_are_not_negative_and_make_the_predictions(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=50)
    made = [surrogate(rng.normal(size=50) + rng.normal() * truth, rng.normal(size=50)) for _ in range(count)]
    found = stack(made, truth, 0, random_masks(50))
    assert all(weight >= 0 for weight in found.weights.values())
    for name in ("left_out", "reused"):
        mixed = sum(weight * getattr(made[number], name)[:, 0] for number, weight in found.weights.items())
        assert_allclose(getattr(found, name), mixed, atol=1e-12)


def test_a_perfect_surrogate_is_taken_alone(truth: Floats) -> None:
    assert stack([surrogate(truth), surrogate(truth), surrogate(-truth)], truth, 0, RANDOM).weights == {
        0: pytest.approx(1.0)
    }


def test_sizes_that_were_all_evaluated_do_not_decide_where_they_are_harder(rng: np.random.Generator) -> None:
    """Of two surrogates the one counts that predicts masks of sizes which were not all evaluated."""
    masks = enumerate_and_spread(12, 120, rng, level=1).masks
    is_small = masks.sum(axis=1) <= 1
    values = rng.normal(size=120) + 6.0 * is_small * rng.normal(size=120)
    rest, small = values + 0.1 * rng.normal(size=120), values + 1.5 * rng.normal(size=120)
    rest[is_small], small[is_small] = 0.0, 0.8 * values[is_small]
    pair = [surrogate(small), surrogate(rest)]
    weights, before = (stack(pair, values, 0, some).weights for some in (masks, random_masks(120)))
    assert weights[1] > 2 * weights[0]
    assert before[1] < 0.9 * weights[1]


@pytest.mark.parametrize(("count", "largest"), [(60, 1.0), (400, 1.2)])
def test_weights_sum_to_one_at_most_where_masks_are_few(count: int, largest: float, rng: np.random.Generator) -> None:
    truth = rng.normal(size=count)
    found = stack([surrogate(0.5 * truth)], truth, 0, random_masks(count))
    assert_allclose(found.weights[0], largest)
