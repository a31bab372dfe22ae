"""The games that the benchmark makes are functions of their masks, and worth explaining."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
import torch

from tools import made_games

N_MASKS = 32


@pytest.fixture(params=made_games.NAMES)
def game(request):
    if request.param.startswith("encoder"):
        pytest.importorskip(made_games.ENCODER_PACKAGE)
        pytest.importorskip("transformers")
    return made_games.make(request.param)


def test_values_are_a_function_of_the_masks(game):
    masks = np.random.default_rng(0).random((N_MASKS, game.n_players)) < 0.5
    masks.setflags(write=False)
    start = time.process_time()
    values = game.values(masks)
    assert time.process_time() - start < 30  # of the processor; a few at most are usual
    assert values.shape == (N_MASKS,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert np.unique(values.round(6)).size > 8
    np.testing.assert_array_equal(game.values(masks), values)
    np.testing.assert_allclose(game.values(masks[::-9]), values[::-9], atol=1e-6)
    again = made_games.make(game.name)
    np.testing.assert_allclose(again.values(masks[:4]), values[:4], atol=1e-6)
    assert game.values(masks[:0]).shape == (0,)


def test_instances_differ_and_the_global_random_state_stays(game):
    for cached in (made_games.trained_forest, made_games.trained_digits, made_games.encoder):
        cached.cache_clear()
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    other = made_games.make(game.name, instance=1)
    masks = np.random.default_rng(0).random((4, game.n_players)) < 0.5
    assert other.n_players == game.n_players
    assert np.abs(other.values(masks) - game.values(masks)).max() > 1e-3
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_planted_terms_are_hierarchical_and_the_noise_is_small():
    game = made_games.make("planted-1000")
    assert len(game.terms) == 50
    assert {len(players) for players in game.terms} == {1, 2, 3, 4}
    for players in game.terms:
        assert len(players) == 1 or any(part in game.terms for part in combinations(players, len(players) - 1))
    masks = np.random.default_rng(0).random((4000, 1000)) < 0.5
    truth = game.noiseless(masks)
    noise = game.values(masks) - truth
    assert noise.std() == pytest.approx(0.05 * truth.std(), rel=0.1)
    assert abs(noise.mean()) < 0.01 * truth.std()


def test_games_are_made_one_after_the_other():
    games = made_games.made_games(["mlp-40", "no such game"])
    assert next(games).name == "mlp-40"
    with pytest.raises(ValueError, match="no such game"):
        next(games)
