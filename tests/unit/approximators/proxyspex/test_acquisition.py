"""The masks that are chosen reduce the variance of the indices most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from games import smooth_game
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import comb

from captum_spex.approximators import GaussianProcess, ProxyData
from captum_spex.approximators.proxyspex.acquisition import Slopes, most_informative
from captum_spex.indices import resolve_index
from captum_spex.masks import Masks, all_masks, find_rows, mask_keys
from captum_spex.model import GameModel, Link, LinkedExpansion, Posterior, Residuals
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised

N = 8
SINGLES = PlayerSets.all_of_order(1, N)


@pytest.fixture
def guide(rng: np.random.Generator) -> GameModel:
    masks = all_masks(N)[rng.permutation(2**N)[:40]]
    values = Standardised.of(np.tanh(smooth_game(masks))[:, None]).values
    data = ProxyData(masks, values, np.full(40, 0.1), np.random.default_rng(0), torch.device("cpu"))
    return GaussianProcess().guide(data)


@pytest.fixture
def posterior(guide: GameModel) -> Posterior:
    assert guide.posterior is not None
    return guide.posterior


@pytest.fixture
def linked(guide: GameModel) -> LinkedExpansion:
    (part,) = guide.parts
    assert isinstance(part, LinkedExpansion)
    return part


def candidates_for(posterior: Posterior) -> Masks:
    masks = all_masks(N)
    known = mask_keys(posterior.masks)
    fresh = (find_rows(mask_keys(masks), known) < 0) & (find_rows(mask_keys(~masks), known) < 0)
    return masks[fresh]


@pytest.mark.parametrize("name", ["SII", "BII"])
def test_the_first_mask_is_the_one_after_which_the_indices_vary_least(posterior: Posterior, name: str) -> None:
    index, candidates = resolve_index(name, 1, N), candidates_for(posterior)

    def variance_with(mask: np.ndarray) -> float:
        noise = np.append(posterior.noise, posterior.noise.mean())
        more = replace(posterior, masks=np.concatenate([posterior.masks, mask[None]]), noise=noise)
        return float((more.std_errors(index, SINGLES) ** 2).sum())

    chosen = most_informative(posterior, index, SINGLES, candidates, 2)
    left = np.array([variance_with(mask) for mask in candidates])
    assert variance_with(chosen[0]) <= left.min() * (1 + 1e-9)


def test_new_masks_are_chosen_in_pairs_of_complements(posterior: Posterior) -> None:
    index = resolve_index("SII", 2, N)
    sets = PlayerSets.concatenate([SINGLES, PlayerSets.all_of_order(2, N)])
    chosen = most_informative(posterior, index, sets, all_masks(N), 10)
    assert_array_equal(chosen[1::2], ~chosen[::2])
    assert len(np.unique(mask_keys(chosen))) == 10
    assert (find_rows(mask_keys(chosen), mask_keys(posterior.masks)) < 0).all()


def test_there_may_be_fewer_candidates_than_wanted(posterior: Posterior) -> None:
    index = resolve_index("SII", 1, N)
    pair = candidates_for(posterior)[:1]
    assert len(most_informative(posterior, index, SINGLES, pair, 10)) == 2


@pytest.mark.parametrize("name", ["SII", "FBII"])
@pytest.mark.parametrize("order", [1, 2])
def test_behind_a_link_latents_count_by_its_slope(
    posterior: Posterior, linked: LinkedExpansion, rng: np.random.Generator, name: str, order: int
) -> None:
    index, sets, masks = resolve_index(name, 2, N), PlayerSets.all_of_order(order, N), all_masks(N)
    weights = [Residuals(mask[None], np.ones(1)).index_at(index, sets) for mask in masks]  # of every value
    with_nugget = posterior.covariance(masks, masks) + posterior.nugget * np.eye(len(masks))
    expected = (with_nugget * linked.slopes(masks)) @ np.array(weights)
    every = Slopes(linked, masks, np.ones(len(masks)))
    assert_allclose(every.index_covariance(posterior, index, sets, masks), expected, atol=1e-10)
    drawn = Slopes.of(linked, rng).index_covariance(posterior, index, sets, masks)
    assert np.corrcoef(drawn.ravel(), expected.ravel())[0, 1] > 0.98


def test_a_straight_link_changes_nothing(posterior: Posterior, linked: LinkedExpansion) -> None:
    straight = LinkedExpansion(linked.linear, linked.kernel, Link(np.array([-9.0, 9.0]), np.array([-9.0, 9.0])))
    slopes = Slopes(straight, all_masks(N), np.ones(2**N))
    index = resolve_index("SII", 2, N)
    sets = PlayerSets.concatenate([SINGLES, PlayerSets.all_of_order(2, N)])
    usual, behind = (most_informative(posterior, index, sets, all_masks(N), 10, slopes=s) for s in (None, slopes))
    assert_array_equal(usual, behind)


def test_coalitions_stand_for_all_of_their_size(linked: LinkedExpansion, rng: np.random.Generator) -> None:
    drawn = Slopes.of(linked, rng)
    sizes = drawn.coalitions.sum(axis=1)
    assert_allclose(np.bincount(sizes, drawn.shares), comb(N, np.arange(N + 1)))
    assert len(np.unique(mask_keys(drawn.coalitions))) == len(drawn.coalitions)
