"""What is reported as faithfulness is true, on games made to deceive a surrogate."""

from __future__ import annotations

import numpy as np
import pytest

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.statistics import r_squared

N_PLAYERS, N_EVALUATIONS = 20, 500


def parity(order):
    return lambda masks: 1.0 - 2.0 * (masks[:, :order].sum(axis=1) % 2)


def true_r_squared(game, result) -> float:
    masks = np.random.default_rng(5).random((4000, N_PLAYERS)) < 0.5
    truth = game(masks)
    return r_squared(truth, result.model(masks))


@pytest.mark.parametrize("order", [6, 8])
@pytest.mark.parametrize("design", ["bernoulli", "spread"])
def test_no_more_of_a_parity_is_claimed_than_was_found(design, order):
    game = parity(order)
    result = captum_spex.explain(
        game, N_PLAYERS, budget=N_EVALUATIONS, approximator=ProxySpex(design=design), random_state=0
    )
    assert result.faithfulness < max(true_r_squared(game, result), 0) + 0.1
    if order == 8 or design == "bernoulli":  # the spread design may find some of the smaller one
        assert result.faithfulness < 0.1


@pytest.mark.parametrize("design", ["bernoulli", "spread"])
def test_the_parity_of_two_players_is_found(design):
    game = parity(2)
    result = captum_spex.explain(
        game, N_PLAYERS, budget=N_EVALUATIONS, approximator=ProxySpex(design=design), random_state=0
    )
    assert result[(0, 1)] == pytest.approx(4.0, abs=0.01)
    assert true_r_squared(game, result) > 0.99
