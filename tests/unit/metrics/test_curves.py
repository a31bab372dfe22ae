"""Insertion and removal curves as the papers define them."""

from __future__ import annotations

import numpy as np
from games import Counting, random_table, smooth_game, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import as_game
from slow_metrics import seeds, slow_area, two_outputs, value

from captum_spex import metrics


@given(st.integers(1, 7), seeds, st.data())
def test_curves_follow_the_order(n, seed, data):
    table = random_table(n, seed)
    order = data.draw(st.permutations(range(n)))
    inserted = metrics.insertion_curve(order, as_game(table))
    removed = metrics.removal_curve(order, as_game(table))
    assert inserted.order == removed.order == tuple(order)
    assert_allclose(inserted.fractions, [i / n for i in range(n + 1)])
    assert_allclose(inserted.values, [value(as_game(table), n, order[:i]) for i in range(n + 1)])
    assert_allclose(removed.values, [value(as_game(table), n, order[i:]) for i in range(n + 1)])
    assert_allclose(inserted.area, slow_area(inserted.fractions, inserted.values))
    assert inserted.n_evaluations == n + 1


@given(st.integers(2, 7), seeds, st.data())
def test_inserting_backwards_is_removing(n, seed, data):
    game, order = as_game(random_table(n, seed)), data.draw(st.permutations(range(n)))
    backwards = metrics.insertion_curve(order[::-1], game)
    removed = metrics.removal_curve(order, game)
    assert_array_equal(removed.values, backwards.values[::-1])
    assert_allclose(removed.area, backwards.area)
    assert_allclose(removed.normalised.area, backwards.normalised.area)


@given(st.integers(2, 7), seeds, st.floats(0.1, 10), st.floats(-10, 10))
def test_normalised_areas_do_not_depend_on_the_unit(n, seed, scale, shift):
    table = random_table(n, seed)
    for sign in (1, -1):
        plain = metrics.insertion_curve(list(range(n)), as_game(table)).normalised
        other = metrics.insertion_curve(list(range(n)), as_game(sign * scale * table + shift)).normalised
        assert_allclose(other.values, plain.values, rtol=1e-6, atol=1e-6)
        assert_allclose(plain.values[[0, -1]], [0.0, 1.0], atol=1e-12)
        removed = metrics.removal_curve(list(range(n)), as_game(table)).normalised
        assert_allclose(removed.values[[0, -1]], [1.0, 0.0], atol=1e-12)


@given(st.integers(2, 7), seeds, st.data())
def test_no_order_beats_that_of_the_values_in_a_sum(n, seed, data):
    values = np.random.default_rng(seed).normal(size=n)
    other = data.draw(st.permutations(range(n)))
    best = metrics.insertion_curve(values, lambda m: m @ values)
    assert best.order == metrics.greedy_ranking(values)
    assert best.area >= metrics.insertion_curve(other, lambda m: m @ values).area - 1e-9
    lowest = metrics.removal_curve(values, lambda m: m @ values)
    assert lowest.area <= metrics.removal_curve(other, lambda m: m @ values).area + 1e-9


def test_a_curve_is_one_batch_of_distinct_masks():
    game = Counting(smooth_game)
    curve = metrics.insertion_curve(np.linspace(1, 0, 30), game, n_steps=7)
    assert [len(batch) for batch in game.batches] == [8]
    assert_allclose(curve.fractions * 30, [0, 4, 9, 13, 17, 21, 26, 30])
    assert_allclose(
        curve.values, [value(smooth_game, 30, range(int(count))) for count in [0, 4, 9, 13, 17, 21, 26, 30]]
    )
    assert len(metrics.removal_curve(np.linspace(1, 0, 9), smooth_game, n_steps=50).values) == 10


def test_curves_of_several_outputs():
    curve = metrics.insertion_curve(np.arange(10.0), two_outputs)
    assert curve.values.shape == (11, 2)
    apart = [metrics.insertion_curve(np.arange(10.0), lambda m, i=i: two_outputs(m)[:, i]) for i in range(2)]
    assert_allclose(curve.area, [one.area for one in apart])
    assert_allclose(curve.normalised.values[:, 1], apart[1].normalised.values)


def test_a_curve_that_ends_where_it_began_is_not_normalised():
    curve = metrics.insertion_curve([0, 1], lambda m: 1.0 * (m[:, 0] ^ m[:, 1]))
    assert curve.area == 0.5
    assert np.isnan(curve.normalised.values).all()


@given(tables(6), seeds)
def test_removal_is_as_the_papers_define_it(drawn, seed):
    table, n = drawn
    surrogate = random_table(n, seed)
    game = Counting(as_game(table))
    found = metrics.most_influential(as_game(surrogate), range(1, n + 1), n_players=n)
    removed = metrics.removal([set(players) for players in found], game, n_players=n)
    without = [value(as_game(table), n, set(range(n)) - set(players)) for players in found]
    assert removed.removed == found
    assert_allclose(removed.shares, [abs(table[-1] - one) / abs(table[-1]) for one in without])
    assert_allclose(removed.values, without)
    assert removed.full_value == table[-1]
    assert removed.n_evaluations == game.n_rows == n + 1


def test_removal_of_several_outputs_and_from_0():
    removed = metrics.removal([[0], [1], [0, 1]], two_outputs, n_players=8)
    assert removed.shares.shape == (3, 2)
    assert_allclose(removed.shares[:, 1], [2.0, 1.0, 1.0])
    nothing = metrics.removal([[0], []], lambda m: 1.0 - m[:, 0], n_players=2)
    assert_array_equal(nothing.shares, [np.inf, np.nan])
