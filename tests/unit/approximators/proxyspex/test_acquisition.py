"""The masks that are chosen reduce the variance of the indices most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from games import smooth_game
from numpy.testing import assert_array_equal

from captum_spex.approximators import GaussianProcess, ProxyData
from captum_spex.approximators.proxyspex.acquisition import most_informative
from captum_spex.indices import resolve_index
from captum_spex.masks import Masks, all_masks, find_rows, mask_keys
from captum_spex.model import Posterior
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised

N = 8
SINGLES = PlayerSets.all_of_order(1, N)


@pytest.fixture
def posterior(rng: np.random.Generator) -> Posterior:
    masks = all_masks(N)[rng.permutation(2**N)[:40]]
    values = Standardised.of(smooth_game(masks)[:, None]).values
    data = ProxyData(masks, values, np.full(40, 0.1), np.random.default_rng(0), torch.device("cpu"))
    found = GaussianProcess().guide(data).posterior
    assert found is not None
    return found


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
