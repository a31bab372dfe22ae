"""More players than a Gaussian process is fitted to."""

from __future__ import annotations

import numpy as np
import pytest

import captum_spex
from captum_spex.approximators import BoostedTrees, ProxySpex
from captum_spex.approximators._recovery import _screened
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks
from captum_spex.sampling import bernoulli, enumerate_and_spread
from captum_spex.supports import Floats

N = 6000
PLAYERS = (5, 17, 900, 5999)


def game(masks: Masks) -> Floats:
    """Four players matter, one of them against the others, which hides it where sizes vary."""
    return 3.0 * masks[:, 5] + 2.0 * (masks[:, 17] & masks[:, 900]) - 1.0 * masks[:, 5999]


@pytest.mark.parametrize("design", ["spread", "bernoulli"])
def test_players_that_matter_are_kept_whatever_the_sizes(design: str) -> None:
    rng = np.random.default_rng(0)
    masks = (bernoulli(N, 600, rng) if design == "bernoulli" else enumerate_and_spread(N, 600, rng, level=0)).masks
    kept = _screened(masks, game(masks)[:, None])
    assert len(kept) == 2000
    assert set(PLAYERS) <= set(kept.tolist())


def test_few_players_are_all_kept() -> None:
    assert _screened(np.eye(7, dtype=bool), np.arange(7.0)[:, None]).tolist() == list(range(7))


def test_many_players_are_explained_by_their_own_numbers() -> None:
    approximator = ProxySpex(proxy=BoostedTrees(n_trees=60), design="bernoulli")
    result = captum_spex.explain(game, N, budget=400, approximator=approximator, random_state=0)
    assert isinstance(result, Interactions)
    assert set(result.top(2, order=1)) <= {(player,) for player in PLAYERS}
    assert result.std_errors is None
    assert result.first_order().sum() == pytest.approx(4.0)
