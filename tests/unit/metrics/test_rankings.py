"""Orders and sets against slow twins."""

from __future__ import annotations

import numpy as np
from games import random_table, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from oracles import as_game, shapley_by_permutations
from slow_metrics import seeds, slow_best_change, slow_greedy, value

import captum_spex
from captum_spex import metrics
from captum_spex.model import Spectrum


def test_the_ranking_follows_first_order_values():
    values = np.array([0.5, -2.0, 0.0, 3.0, 0.5])
    assert metrics.ranking(values) == metrics.ranking(values.tolist()) == (3, 0, 4, 2, 1)
    singles = {(player,): number for player, number in enumerate(values.tolist())}
    assert metrics.ranking(singles | {(0, 1): 99.0}, n_players=6) == (3, 0, 4, 2, 5, 1)
    exact = captum_spex.explain(lambda m: m @ (values - np.arange(5) / 100), 5, budget=32)
    for explained in (exact, exact.to("Fourier"), exact.to("BII"), exact.model, exact.spectrum):
        assert metrics.ranking(explained) == (3, 0, 4, 2, 1)


@given(tables(6))
def test_the_ranking_of_a_recovered_game_is_by_shapley_values(drawn):
    table, n = drawn
    order = metrics.ranking(Spectrum.from_values(table, n))
    shapley = shapley_by_permutations(table, n)
    assert (np.diff(shapley[list(order)]) <= 1e-9).all()


@given(st.integers(2, 7), seeds, st.sampled_from(["insertion", "removal"]))
def test_the_greedy_order_is_greedy(n, seed, kind):
    table = random_table(n, seed)
    expected = slow_greedy(as_game(table), n, kind)
    assert metrics.greedy_ranking(as_game(table), kind, n_players=n) == expected
    assert metrics.greedy_ranking(Spectrum.from_values(table, n), kind) == expected


def test_after_the_greedy_steps_the_last_look_decides():
    terms = {(0,): 5.0, (1,): 1.0, (2,): 2.0, (1, 2): 0.5, (3,): 3.0, (1, 3): 9.0}
    assert metrics.greedy_ranking(terms, n_players=4) == (0, 3, 1, 2)
    assert metrics.greedy_ranking(terms, n_players=4, n_greedy=1) == (0, 3, 2, 1)


@given(st.integers(2, 6), seeds, st.data())
def test_the_most_influential_set_changes_most(n, seed, data):
    table = random_table(n, seed)
    size = data.draw(st.integers(1, n))
    (found,) = metrics.most_influential(as_game(table), [size], n_players=n)
    assert len(found) == size
    change = abs(table[-1] - value(as_game(table), n, set(range(n)) - set(found)))
    assert_allclose(change, slow_best_change(as_game(table), n, size), rtol=1e-9)


def test_beyond_enumeration_the_larger_of_two_greedy_ways():
    values = np.concatenate([np.full(20, 1.0), np.full(20, -1.5)]) + np.linspace(0, 0.1, 40)
    three, nine = metrics.most_influential(values, [3, 9])
    assert three == (20, 21, 22)
    assert nine == tuple(range(20, 29))
    assert metrics.most_influential(-values, [9])[0] == nine
    assert metrics.most_influential(values + 3, [9])[0] == tuple(range(11, 20))
