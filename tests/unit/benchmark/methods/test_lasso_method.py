"""The lasso on random ablations: sparse sums are found at any scale, and evaluations are counted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.benchmark.methods.lasso_method import METHODS
from captum_spex.benchmark.protocol import Request
from captum_spex.masks import all_masks

(METHOD,) = METHODS
WEIGHTS = np.array([2.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.5])


def game_of(scale=1.0, base=0.25):
    return lambda masks: scale * (base + masks @ WEIGHTS)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_a_sparse_sum_is_found_but_for_the_penalty_at_any_scale(scale):
    answer = METHOD(game_of(scale), Request(8, 64, 0))
    assert answer.shapley is None
    assert not answer.interactions
    assert_allclose(answer.predict(all_masks(8)) / scale, game_of()(all_masks(8)), atol=0.1)
    predicted = answer.predict(np.eye(8, dtype=bool)) - answer.predict(np.zeros((1, 8), dtype=bool))
    assert_array_equal(np.flatnonzero(abs(predicted) > 1e-3 * scale), [0, 3, 7])


def test_the_minimum_is_that_of_the_definition():
    masks = []

    def game(rows):
        masks.append(rows)
        return game_of()(rows) + 1.5 * (rows[:, 1] & rows[:, 2])

    answer = METHOD(game, Request(8, 40, 3))
    (rows,) = masks
    values = game(rows)
    spread, scale = values.std(), rows.std(axis=0)
    standard = (rows - rows.mean(axis=0)) / scale
    weights = answer.predict(np.eye(8, dtype=bool)) - answer.predict(np.zeros((1, 8), dtype=bool))
    gradient = standard.T @ ((values - answer.predict(rows)) / spread) / len(rows)  # of the mean squared error's half
    chosen = weights != 0
    assert_allclose(gradient[chosen], 0.01 * np.sign(weights[chosen]), atol=1e-4)
    assert (abs(gradient[~chosen]) <= 0.01 + 1e-4).all()


def test_masks_are_random_halves_and_counted():
    seen = []

    def game(masks):
        seen.append(masks)
        return masks @ WEIGHTS

    for seed in (0, 0, 1):
        METHOD(game, Request(8, 500, seed))
    assert [len(masks) for masks in seen] == [500, 500, 500]
    assert_array_equal(seen[0], seen[1])
    assert (seen[0] != seen[2]).any()
    assert 0.45 < seen[0].mean() < 0.55


@pytest.mark.parametrize("budget", [2, 3])
def test_few_masks_and_constant_games_are_finite(budget):
    for game in (game_of(), lambda masks: np.full(len(masks), 3.0)):
        assert np.isfinite(METHOD(game, Request(8, budget, 0)).predict(all_masks(8))).all()


def test_one_evaluation_is_refused():
    assert METHOD.refusal(Request(8, 1, 0)) == "needs 2 evaluations"
    assert METHOD.missing() is None
