"""Mask designs: the full and the empty mask first, then distinct masks, as many as were asked for."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from games import codes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.masks import all_masks
from captum_spex.sampling import affordable_level, bernoulli, enumerate_and_spread, exhaustive


def spread(level):
    def design(n, n_masks, rng):
        return enumerate_and_spread(n, n_masks, rng, level=level)

    return design


def automatic(n, n_masks, rng):
    return enumerate_and_spread(n, n_masks, rng, level=affordable_level(n, n_masks, 2))


DESIGNS = {"bernoulli": bernoulli, "spread 0": spread(0), "automatic": automatic}


def assert_lawful(design, n, n_masks):
    masks = design.masks
    assert masks.dtype == bool
    assert masks.shape == (n_masks, n)
    assert masks[0].all()
    assert not masks[1].any()
    assert len(set(codes(masks))) == n_masks
    assert design.uniform.shape == (n_masks,)


@pytest.mark.parametrize("name", DESIGNS)
@given(n=st.integers(1, 12), share=st.floats(0, 1), seed=st.integers(0, 100))
def test_every_budget_of_few_players(name, n, share, seed):
    n_masks = max(2, min(round(share * 2**n), 600 if n > 9 else 2**n))
    assert_lawful(DESIGNS[name](n, n_masks, np.random.default_rng(seed)), n, n_masks)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(("n", "missing"), [(3, 0), (3, 1), (6, 1), (8, 0), (8, 1), (8, 5), (10, 1)])
def test_nearly_all_masks(name, n, missing):
    assert_lawful(DESIGNS[name](n, 2**n - missing, np.random.default_rng(0)), n, 2**n - missing)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(("n", "n_masks"), [(30, 2), (30, 3), (64, 200), (65, 201), (500, 300), (2000, 64)])
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
    assert design.uniform.all()
    assert set(codes(design.masks)) == set(codes(all_masks(n)))


@pytest.mark.parametrize(("n", "level"), [(10, 1), (10, 2), (6, 2), (30, 2), (5, 2)])
def test_small_and_large_coalitions_are_all_there(n, level):
    enumerated = sum(comb(n, size) for size in range(n + 1) if min(size, n - size) <= level)
    design = enumerate_and_spread(n, enumerated, np.random.default_rng(0), level=level)
    assert_lawful(design, n, enumerated)
    sizes = design.masks.sum(axis=1)
    assert_array_equal(np.minimum(sizes, n - sizes) <= level, np.ones(enumerated, dtype=bool))
    assert not design.uniform.any()


def test_an_enumeration_that_does_not_fit():
    with pytest.raises(ValueError, match=r"`level`: 2 enumerates 112 masks, more than `n_masks` = 111"):
        enumerate_and_spread(10, 111, np.random.default_rng(0), level=2)


def test_the_rest_comes_in_complementary_pairs():
    masks = enumerate_and_spread(20, 42 + 300, np.random.default_rng(0), level=1).masks[42:]
    drawn = set(codes(masks))
    assert {2**20 - 1 - mask for mask in drawn} == drawn


def test_uniformly_random_masks_hold_every_player_half_of_the_time():
    design = bernoulli(50, 4002, np.random.default_rng(0))
    assert design.uniform.sum() == 4000
    assert_allclose(design.masks[2:].mean(axis=0), np.full(50, 0.5), atol=0.04)
    assert_allclose(np.cov(design.masks[2:].T), np.eye(50) / 4, atol=0.03)


def test_marked_spread_masks_have_the_sizes_of_uniformly_random_ones():
    design = enumerate_and_spread(30, 2000, np.random.default_rng(0), level=1)
    sizes = design.masks[design.uniform].sum(axis=1)
    assert 700 < len(sizes) < 1200
    assert_allclose([sizes.mean(), sizes.std()], [15, np.sqrt(30) / 2], rtol=0.08)
    assert design.masks[~design.uniform].sum(axis=1).std() > 6


def test_levels_that_pay():
    assert affordable_level(10, 1000, 2) == 2
    assert affordable_level(10, 1000, 1) == 1
    assert affordable_level(10, 100, 2) == 1
    assert affordable_level(100, 100, 2) == 0
    assert affordable_level(2, 4, 2) == 0
