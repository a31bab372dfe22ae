"""Mask designs: the full and the empty mask first, then distinct masks, as many as were asked for."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from games import Counting, codes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

import captum_spex
from captum_spex.designs import (
    affordable_level,
    bernoulli,
    enumerate_and_spread,
    exhaustive,
)
from captum_spex.masks import all_masks


def spread(level):
    def design(n, n_masks, rng):
        return enumerate_and_spread(n, n_masks, rng, level=level)

    return design


def automatic(n, n_masks, rng):
    return enumerate_and_spread(n, n_masks, rng, level=affordable_level(n, n_masks))


def alone(n, n_masks, rng):
    return enumerate_and_spread(n, n_masks, rng, level=0, paired=False)


DESIGNS = {"bernoulli": bernoulli, "spread 0": spread(0), "automatic": automatic, "alone": alone}


def assert_lawful(design, n, n_masks):
    masks = design.masks
    assert masks.dtype == bool
    assert masks.shape == (n_masks, n)
    assert masks[0].all()
    assert not masks[1].any()
    assert len(set(codes(masks))) == n_masks
    assert design.odds.shape == design.weights.shape == (n_masks,)
    assert (design.weights >= 0).all()
    assert_allclose(design.weights.sum(), 1.0)


@pytest.mark.parametrize("name", DESIGNS)
@given(n=st.integers(1, 12), share=st.floats(0, 1), seed=st.integers(0, 100))
def test_every_budget_of_few_players(name, n, share, seed):
    n_masks = max(2, min(round(share * 2**n), 600 if n > 9 else 2**n))
    assert_lawful(DESIGNS[name](n, n_masks, np.random.default_rng(seed)), n, n_masks)


@pytest.mark.sampled
@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(("n", "missing"), [(3, 0), (3, 1), (6, 1), (8, 0), (8, 1), (8, 5), (10, 1)])
def test_nearly_all_masks(name, n, missing):
    assert_lawful(DESIGNS[name](n, 2**n - missing, np.random.default_rng(0)), n, 2**n - missing)


@pytest.mark.sampled
@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(("n", "n_masks"), [(30, 2), (30, 3), (64, 200), (65, 201), (500, 300), (2000, 2), (2000, 64)])
def test_many_players(name, n, n_masks):
    assert_lawful(DESIGNS[name](n, n_masks, np.random.default_rng(0)), n, n_masks)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_same_seed_draws_the_same_masks(name):
    one, two, other = (DESIGNS[name](20, 300, np.random.default_rng(seed)).masks for seed in (5, 5, 6))
    assert_array_equal(one, two)
    assert set(codes(one)) != set(codes(other))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_all_of_them(n):
    design = exhaustive(n)
    assert_lawful(design, n, 2**n)
    assert_allclose(design.weights, np.full(2**n, 0.5**n))
    assert set(codes(design.masks)) == set(codes(all_masks(n)))


@pytest.mark.parametrize(("n", "level"), [(10, 1), (10, 2), (6, 2), (30, 2), (5, 2)])
def test_small_and_large_coalitions_are_all_there(n, level):
    enumerated = sum(comb(n, size) for size in range(n + 1) if min(size, n - size) <= level)
    design = enumerate_and_spread(n, enumerated, np.random.default_rng(0), level=level)
    assert_lawful(design, n, enumerated)
    sizes = design.masks.sum(axis=1)
    assert_array_equal(np.minimum(sizes, n - sizes) <= level, np.ones(enumerated, dtype=bool))
    assert not design.odds.any()


def test_an_enumeration_that_does_not_fit():
    with pytest.raises(ValueError, match=r"`level`: 2 enumerates 112 masks, more than `n_masks` = 111"):
        enumerate_and_spread(10, 111, np.random.default_rng(0), level=2)


def test_the_rest_comes_in_complementary_pairs():
    masks = enumerate_and_spread(20, 42 + 300, np.random.default_rng(0), level=1).masks[42:]
    drawn = set(codes(masks))
    assert {2**20 - 1 - mask for mask in drawn} == drawn


def amplification(masks):
    """How much larger the error of a linear fit is than with orthogonal masks."""
    rows = np.column_stack([np.ones(len(masks)), 1.0 - 2.0 * masks])
    return len(rows) * np.trace(np.linalg.inv(rows.T @ rows)) / rows.shape[1]


@pytest.mark.parametrize(("n", "n_masks", "limit"), [(13, 20, 1.5), (30, 32, 4.0), (30, 45, 1.35), (64, 128, 1.2)])
def test_masks_alone_tell_main_effects_apart(n, n_masks, limit):
    found = [amplification(alone(n, n_masks, np.random.default_rng(seed)).masks) for seed in range(5)]
    assert np.median(found) < limit
    assert limit < np.median([amplification(bernoulli(n, n_masks, np.random.default_rng(s)).masks) for s in range(5)])


def test_masks_alone_continue_those_taken_before():
    first = alone(12, 10, np.random.default_rng(0))
    both = enumerate_and_spread(12, 24, np.random.default_rng(1), level=0, taken=first, paired=False)
    assert_array_equal(both.masks[:10], first.masks)
    assert_array_equal(both.odds[:10], first.odds)
    assert_lawful(both, 12, 24)


def test_masks_alone_of_many_players_are_not_balanced():
    assert_lawful(alone(201, 300, np.random.default_rng(0)), 201, 300)


def test_uniformly_random_masks_hold_every_player_half_of_the_time():
    design = bernoulli(50, 4002, np.random.default_rng(0))
    assert_allclose(design.masks[2:].mean(axis=0), np.full(50, 0.5), atol=0.04)
    assert_allclose(np.cov(design.masks[2:].T), np.eye(50) / 4, atol=0.03)


# --- what a mask represents -------------------------------------------------------------------------------------------


def assert_sizes_are_binomial(masks, weights, tolerance):
    """Whether weighted masks have the sizes of uniformly random ones."""
    n = masks.shape[1]
    sizes, expected = masks.sum(axis=1), binom.cdf(np.arange(n + 1), n, 0.5)
    mean = weights @ sizes
    assert_allclose([mean, weights @ (sizes - mean) ** 2], [n / 2, n / 4], rtol=tolerance)
    assert_allclose(np.bincount(sizes, weights, minlength=n + 1).cumsum(), expected, atol=tolerance / 3)


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize("n_masks", [3, 5, 8])
def test_uniformly_random_masks_represent_equal_shares(n, n_masks):
    weights = bernoulli(n, n_masks, np.random.default_rng(0)).weights
    assert_allclose(weights[:2], 0.5**n)
    assert_allclose(weights[2:], (1 - 2 * 0.5**n) / (n_masks - 2))


@pytest.mark.parametrize(
    ("n", "n_masks", "level"), [(10, 200, 1), (10, 300, 2), (30, 200, 1), (6, 20, 1), (300, 70, 0)]
)
def test_masks_that_were_enumerated_represent_themselves(n, n_masks, level):
    design = enumerate_and_spread(n, n_masks, np.random.default_rng(0), level=level)
    sizes = design.masks.sum(axis=1)
    enumerated = np.minimum(sizes, n - sizes) <= level
    assert 0 < enumerated.sum() < n_masks
    assert_allclose(design.weights[enumerated], 0.5**n)
    assert_array_equal(design.odds[enumerated], 0.0)
    assert (design.odds[~enumerated] > 0).all()


def test_weighted_masks_alone_have_the_sizes_of_uniformly_random_ones():
    designs = [alone(30, 60, np.random.default_rng(seed)) for seed in range(30)]
    masks = np.concatenate([one.masks for one in designs])
    weights = np.concatenate([one.weights for one in designs]) / len(designs)
    assert_sizes_are_binomial(masks, weights, 0.1)


@pytest.mark.parametrize(("n", "level"), [(30, 0), (30, 1), (30, 2), (61, 1), (100, 1)])
def test_weighted_spread_masks_have_the_sizes_of_uniformly_random_ones(n, level):
    design = enumerate_and_spread(n, 4000, np.random.default_rng(0), level=level)
    assert design.masks.sum(axis=1).std() > 1.3 * np.sqrt(n) / 2  # without the weights they are spread wider
    assert_sizes_are_binomial(design.masks, design.weights, 0.15)


def test_weighted_spread_masks_are_unbiased():
    n, runs = 14, 60
    designs = [enumerate_and_spread(n, 300, np.random.default_rng(seed), level=1) for seed in range(runs)]
    masks, weights = (np.concatenate([getattr(one, name) for one in designs]) for name in ("masks", "weights"))
    assert_sizes_are_binomial(masks, weights / runs, 0.02)
    assert_allclose(weights @ masks / runs, np.full(n, 0.5), rtol=0.01)


# --- more masks behind those of an earlier design ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [7, 12, 70])
@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_that_is_continued(name, n):
    continued = {"bernoulli": bernoulli}.get(name, lambda *args, **more: enumerate_and_spread(*args, level=0, **more))
    rng = np.random.default_rng(0)
    first = DESIGNS[name](n, 40, rng)
    second = continued(n, 90, rng, taken=first)
    third = continued(n, 128, rng, taken=second)
    assert_lawful(second, n, 90)
    assert_lawful(third, n, 128)
    assert_array_equal(third.masks[:90], second.masks)
    assert_array_equal(second.masks[:40], first.masks)
    assert_array_equal(second.odds[2:40], first.odds[2:])


def test_what_was_drawn_before_and_is_enumerated_now_represents_itself():
    n = 8
    first = bernoulli(n, 60, np.random.default_rng(0))
    design = enumerate_and_spread(n, 150, np.random.default_rng(1), level=2, taken=first)
    assert_lawful(design, n, 150)
    sizes = design.masks.sum(axis=1)
    small = np.minimum(sizes, n - sizes) <= 2
    assert small[2:60].any()
    assert small.sum() == 2 * (1 + 8 + 28)
    assert_allclose(design.weights[small], 0.5**n)
    assert_array_equal(design.odds[:60][~small[:60]], 1.0)


def test_masks_chosen_on_purpose_represent_themselves():
    first = bernoulli(10, 40, np.random.default_rng(0))
    masks = all_masks(10)
    chosen = masks[~np.isin(codes(masks), codes(first.masks))][:5]
    design = first.extended(chosen)
    assert_lawful(design, 10, 45)
    assert_array_equal(design.masks[40:], chosen)
    assert_allclose(design.weights[40:], 0.5**10)
    assert_lawful(enumerate_and_spread(10, 60, np.random.default_rng(0), level=0, taken=design), 10, 60)


def test_levels_that_pay():
    assert affordable_level(10, 1000) == 2
    assert affordable_level(10, 100) == 1
    assert affordable_level(100, 100) == 0
    assert affordable_level(2, 4) == 0


@pytest.mark.parametrize("paired", [True, False])
def test_masks_are_paired_with_their_complements_or_unpaired(paired):
    masks = enumerate_and_spread(100, 120, np.random.default_rng(0), level=0, paired=paired).masks
    assert len(np.unique(masks, axis=0)) == 120
    known = {mask.tobytes() for mask in masks}
    complemented = [(~mask).tobytes() in known for mask in masks[2:-1]]
    assert all(complemented) if paired else not any(complemented)


@pytest.mark.parametrize(("n_masks", "paired"), [(40, False), (120, False), (201, False), (300, True)])
def test_masks_are_unpaired_until_single_players_are_enumerated(n_masks, paired):
    """Measured: a pair gives only one number about single players."""
    game = Counting(lambda masks: masks @ np.arange(100.0))
    captum_spex.explain(game, 100, budget=n_masks, random_state=0)
    drawn = game.masks[2:]
    drawn = drawn[(drawn.sum(axis=1) > 1) & (drawn.sum(axis=1) < 99)]
    known = {mask.tobytes() for mask in drawn}
    assert any((~mask).tobytes() in known for mask in drawn) is paired
