"""Drops when the top players are removed, and exact recovery of sets, from the definitions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from games import Counting, random_table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from oracles import as_game
from slow_metrics import seeds, two_outputs, value

import captum_spex
from captum_spex import metrics
from captum_spex.errors import ArgumentError


def without(n, removed):
    return [player for player in range(n) if player not in removed]


@given(st.integers(2, 7), seeds, st.data())
def test_an_order_loses_its_first_players(n, seed, data):
    table, order = random_table(n, seed), data.draw(st.permutations(range(n)))
    found = metrics.log_prob_drop(order, as_game(table), k=range(1, n + 1))
    full = value(as_game(table), n, range(n))
    assert found.removed == tuple(tuple(sorted(order[:k])) for k in range(1, n + 1))
    assert_allclose(found.drops, [full - value(as_game(table), n, order[k:]) for k in range(1, n + 1)])
    assert found.full_value == full
    assert found.n_evaluations == n + 1


@given(st.integers(2, 7), seeds)
def test_attributions_are_ranked(n, seed):
    table, attributions = random_table(n, seed), np.random.default_rng(seed).normal(size=n)
    ranked = metrics.log_prob_drop(attributions, as_game(table), k=[1, n])
    ordered = metrics.log_prob_drop(np.argsort(-attributions), as_game(table), k=[1, n])
    assert_allclose(ranked.drops, ordered.drops)


@given(st.integers(2, 7), seeds)
def test_what_predicts_loses_the_set_that_costs_most(n, seed):
    game = as_game(random_table(n, seed))
    result = captum_spex.explain(game, n, budget=2**n)
    found = metrics.log_prob_drop(result, game, k=[1, n // 2 or 1], n_players=n)
    for size, drop in zip([1, n // 2 or 1], found.drops, strict=True):
        lowest = min(value(game, n, without(n, removed)) for removed in combinations(range(n), size))
        assert drop == pytest.approx(value(game, n, range(n)) - lowest)


def test_of_players_that_say_the_same_both_are_removed():
    def game(masks):
        return 3.0 * (masks[:, 0] | masks[:, 1]) + 2.0 * masks[:, 2] + 1.9 * masks[:, 3]

    result = captum_spex.explain(game, 4, budget=16)
    assert metrics.log_prob_drop(result, game, k=[1, 2, 3], n_players=4).removed == ((2,), (2, 3), (0, 1, 2))
    first_order = metrics.log_prob_drop(result.first_order(), game, k=[3])
    assert first_order.drops[0] < metrics.log_prob_drop(result, game, k=[3], n_players=4).drops[0]


def test_several_outputs_and_evaluations_once():
    game = Counting(two_outputs)
    found = metrics.log_prob_drop([0.5, 0.1, 0.4, 0.2, 0.3, 0.0, 0.6, 0.7], game, k=[1, 1, 3])
    assert found.drops.shape == (3, 2)
    assert found.full_value.shape == (2,)
    assert_allclose(found.drops[0], found.drops[1])
    assert found.n_evaluations == game.n_rows == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": [0]}, "`k`: expected an integer from 1 to 3, got 0."),
        ({"k": 3}, "`k`: expected numbers of players, such as [1, 3, 5], got 3."),
        ({"k": [4]}, "`k`: expected an integer from 1 to 3, got 4."),
        ({"n_players": 4}, "`explained`: expected 4 players, as in `n_players`, got 3 players."),
    ],
)
def test_bad_arguments_of_a_drop_are_refused(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        metrics.log_prob_drop([1.0, 2.0, 3.0], pytest.fail, **arguments)
    assert str(caught.value) == message


def test_exact_recovery_of_sets():
    found = metrics.set_recovery([(1, 0), (2,), (), (5, 6, 7)], [[0, 1], [2, 3], [4], [7]])
    assert found.exact == 0.25
    assert found.precision == pytest.approx((1 + 1 + 0 + 1 / 3) / 4)
    assert found.recall == pytest.approx((1 + 0.5 + 0 + 1) / 4)


@pytest.mark.parametrize(
    ("found", "planted", "message"),
    [
        ([], [], "`planted`: expected one or more sets of players, got no set."),
        ([(0,)], [()], "`planted`: expected one or more sets of players, got an empty set."),
        ([(0,)], [(0,), (1,)], "`found`: expected 2 sets, one for each planted one, got 1 sets."),
        ([("a",)], [(0,)], "`found`: expected players by their numbers, got ('a',)."),
    ],
)
def test_bad_sets_are_refused(found, planted, message):
    with pytest.raises(ArgumentError) as caught:
        metrics.set_recovery(found, planted)
    assert str(caught.value) == message
