"""CPR and CMD of circuits, as the benchmark MIB defines them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from games import Counting, random_table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from oracles import as_game
from slow_metrics import seeds, value

from captum_spex import metrics
from captum_spex.errors import ArgumentError, GameError, MaskError


def slow_scores(game, n, circuits):
    """CPR and CMD from their definition, interval by interval."""
    none, full = value(game, n, ()), value(game, n, range(n))
    points = sorted({(0, ()), (n, tuple(range(n))), *((len(one), tuple(one)) for one in circuits)})
    cpr = cmd = 0.0
    for (size, one), (next_size, other) in pairwise(points):
        f, g = ((value(game, n, circuit) - none) / (full - none) for circuit in (one, other))
        cpr += (next_size - size) / n * (f + g) / 2
        cmd += (next_size - size) / n * (abs(1 - f) + abs(1 - g)) / 2
    return cpr, cmd


@given(st.integers(1, 7), seeds, st.data())
def test_both_scores_follow_their_definition(n, seed, data):
    table = random_table(n, seed)
    sizes = data.draw(st.sets(st.integers(0, n)))
    circuits = [tuple(sorted(data.draw(st.permutations(range(n)))[:size])) for size in sizes]
    score = metrics.circuit_score(circuits, as_game(table), n_players=n)
    assert_allclose((score.cpr, score.cmd), slow_scores(as_game(table), n, circuits), rtol=1e-9)
    assert score.n_evaluations == len({0, n} | sizes)


@given(st.integers(2, 7), seeds, st.data())
def test_nested_circuits_are_an_insertion_curve(n, seed, data):
    table, order = random_table(n, seed), data.draw(st.permutations(range(n)))
    score = metrics.circuit_score([order[:size] for size in range(n + 1)], as_game(table), n_players=n)
    assert_allclose(score.cpr, metrics.insertion_curve(order, as_game(table)).normalised.area, rtol=1e-9, atol=1e-9)


@given(st.integers(2, 6), seeds, st.floats(0.1, 10), st.floats(-10, 10))
def test_scores_do_not_depend_on_the_unit(n, seed, scale, shift):
    table = random_table(n, seed)
    circuits = [range(size) for size in range(1, n)]
    plain = metrics.circuit_score(circuits, as_game(table), n_players=n)
    for sign in (1, -1):
        other = metrics.circuit_score(circuits, as_game(sign * scale * table + shift), n_players=n)
        assert_allclose((other.cpr, other.cmd), (plain.cpr, plain.cmd), rtol=1e-6)


def test_a_circuit_that_is_better_than_the_model_raises_both():
    """MIB separates the two for this: more performance, but another behaviour."""
    game = as_game(np.array([0.0, 2.0, -1.0, 1.0]))  # player 1 harms
    score = metrics.circuit_score([[0]], game, n_players=2)
    assert (score.faithfulness.tolist(), score.cpr, score.cmd) == ([0.0, 2.0, 1.0], 1.25, 0.75)


def test_several_outputs_and_one_call():
    weights = np.array([[1.0, 0.0], [1.0, 2.0]])
    game = Counting(lambda masks: masks @ weights)
    score = metrics.circuit_score([[0]], game, n_players=2)
    assert len(game.batches) == 1
    assert score.faithfulness.tolist() == [[0.0, 0.0], [0.5, 0.0], [1.0, 1.0]]
    assert_allclose(score.cpr, [0.5, 0.25])
    assert_allclose(score.cmd, [0.5, 0.75])


def test_the_model_itself_has_the_scores_of_a_straight_line():
    score = metrics.circuit_score([], lambda masks: masks.sum(axis=1), n_players=4)
    assert (score.cpr, score.cmd, score.sizes.tolist()) == (0.5, 0.5, [0.0, 1.0])


@pytest.mark.parametrize(
    ("circuits", "message"),
    [
        ([[0], [1]], "`circuits`: expected one circuit for each size, got several of 1 players."),
        ([0, 1], "`circuits`: expected sets of players, got 0 among them. One circuit is a list of"),
        ("01", "`circuits`: expected a list of sets of players, got"),
        ([[3]], "`circuits`: expected"),
        ([[-1]], "`circuits`: expected"),
        ([[0.5]], "`circuits`: expected"),
    ],
    ids=str,
)
def test_circuits_that_cannot_be(circuits, message):
    game = Counting(lambda masks: masks.sum(axis=1))
    with pytest.raises((ArgumentError, MaskError)) as raised:
        metrics.circuit_score(circuits, game, n_players=3)
    assert str(raised.value).startswith(message)
    assert not game.batches


def test_a_game_without_anything_to_recover():
    with pytest.raises(GameError, match=r"expected values that differ between no player and all players, got 2"):
        metrics.circuit_score([[0]], lambda masks: np.full(len(masks), 2.0), n_players=2)
