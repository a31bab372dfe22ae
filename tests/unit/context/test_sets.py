"""Sufficient and necessary sets: as small as brute force finds them, verified, and honest where they are not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import captum_spex
from captum_spex.context import necessary_set, sufficient_set
from captum_spex.errors import ArgumentError, GameError
from captum_spex.model import Spectrum

KINDS = {"sufficient": sufficient_set, "necessary": necessary_set}
BOTH = pytest.mark.parametrize("kind", KINDS)


def present(kind, players, n):
    mask = np.zeros(n, dtype=bool)
    mask[list(players)] = True
    return mask if kind == "sufficient" else ~mask


def does_it(kind, game, players, n, share):
    nobody, everybody, value = game(np.array([[False] * n, [True] * n, present(kind, players, n)])).tolist()
    kept, way = value - nobody, everybody - nobody
    return kept >= share * way - 1e-9 * way if kind == "sufficient" else kept <= (1 - share) * way + 1e-9 * way


def least_size(kind, game, n, share):
    """By brute force: all sets of 0 players, of 1, of 2, ..."""
    return next(
        size
        for size in range(n + 1)
        if any(does_it(kind, game, players, n, share) for players in combinations(range(n), size))
    )


@st.composite
def contexts(draw):
    """Games of single sources, of groups of which any will do, and of groups that are needed together."""
    n = draw(st.integers(2, 9))
    players = st.integers(0, n - 1)
    groups = draw(st.lists(st.tuples(st.sampled_from("ao"), st.sets(players, min_size=1, max_size=3)), min_size=1))
    weights = draw(st.lists(st.floats(0.25, 4.0), min_size=len(groups), max_size=len(groups)))

    def game(masks):
        values = np.zeros(len(masks))
        for (kind, members), weight in zip(groups, weights, strict=True):
            chosen = masks[:, sorted(members)]
            values += weight * (chosen.all(axis=1) if kind == "a" else chosen.any(axis=1))
        return values

    return game, n


@BOTH
@given(drawn=contexts(), share=st.sampled_from([0.3, 0.5, 0.75, 0.9, 1.0]))
@settings(max_examples=60, deadline=None)
def test_of_an_exact_game_as_small_as_brute_force_finds(kind, drawn, share):
    game, n = drawn
    result = captum_spex.explain(game, n, budget=2**n)
    found = KINDS[kind](result, game, share=share, max_evaluations=100)
    assert len(found) == least_size(kind, game, n, share)
    assert found.is_verified
    assert found.is_minimal
    assert does_it(kind, game, found.players, n, share)
    assert found.measured == game(present(kind, found.players, n)[None])[0]
    assert found.predicted == pytest.approx(found.measured, abs=1e-9)
    for player in found.players:
        assert not does_it(kind, game, set(found.players) - {player}, n, share)


@BOTH
@given(drawn=contexts(), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_wrong_recovered_game_is_found_out(kind, drawn, seed):
    game, n = drawn
    rng = np.random.default_rng(seed)
    wrong = Spectrum.from_terms({(player,): rng.normal() for player in range(n)}, n)
    found = KINDS[kind](wrong, game, max_evaluations=100)
    assert found.is_verified
    assert does_it(kind, game, found.players, n, 0.9)
    if found.is_minimal:
        assert not any(does_it(kind, game, set(found.players) - {one}, n, 0.9) for one in found.players)


@pytest.mark.parametrize("share", [0.5, 1.0])
@BOTH
def test_many_sources_beyond_what_can_be_enumerated(kind, share):
    """40 sources, 12 that count: sets of 6 or 12 of them, out of millions."""
    n, weights = 40, np.where(np.arange(40) % 3 == 0, 1.0, 0.0)

    def game(masks):
        return masks @ weights

    found = KINDS[kind](Spectrum.from_terms({(i,): -weights[i] / 2 for i in range(n)}, n), game, share=share)
    assert len(found) == round(share * weights.sum())
    assert found.is_minimal


def counted(game):
    asked = []

    def counting(masks):
        asked.extend(masks.tolist())
        return game(masks)

    return counting, asked


@BOTH
@pytest.mark.parametrize("most", [3, 4, 5, 8, 20])
def test_evaluations_are_counted_and_never_exceeded(kind, most):
    def game(masks):
        return 1.0 * masks[:, 3:].all(axis=1)

    counting, asked = counted(game)
    wrong = Spectrum.from_terms({(0,): -0.5}, 9)
    found = KINDS[kind](wrong, counting, max_evaluations=most)
    assert found.n_evaluations == len(asked) == len({tuple(mask) for mask in asked}) <= most
    assert found.is_verified is does_it(kind, game, found.players, 9, 0.9)


def test_without_evaluations_left_a_set_is_not_called_verified_or_minimal():
    def game(masks):
        return 1.0 * masks[:, 3:].all(axis=1)

    wrong = Spectrum.from_terms({(0,): -2.0}, 9)
    found = sufficient_set(wrong, game, max_evaluations=3)
    assert (found.players, found.is_verified, found.is_minimal) == ((0,), False, False)
    assert (found.predicted, found.measured, found.share) == (2.0, 0.0, 0.0)


def test_sets_of_a_log_probability_are_those_of_its_values_as_they_are():
    def game(masks):
        return np.log(0.02 + 0.9 * (masks[:, 1] | masks[:, 4]) * masks[:, 2])

    result = captum_spex.explain(game, 6, budget=64)
    found = sufficient_set(result, game, share=0.9)
    assert len(found) == 2
    assert found.target == pytest.approx(np.log(0.02) + 0.9 * (np.log(0.92) - np.log(0.02)))
    assert necessary_set(result, game).players == (2,)


@BOTH
def test_a_tiny_share_is_not_reached_by_no_source(kind):
    found = KINDS[kind](Spectrum.from_terms({(1,): -0.5}, 3), lambda masks: 1.0 * masks[:, 1], share=1e-13)
    assert (found.players, found.is_minimal) == ((1,), True)


def test_a_single_source():
    result = captum_spex.explain(lambda masks: 2.0 * masks[:, 0], 1, budget=2)
    for kind, search in KINDS.items():
        found = search(result, lambda masks: 2.0 * masks[:, 0])
        assert (found.kind, found.players, found.is_minimal, found.n_evaluations) == (kind, (0,), True, 2)


REFUSED = {
    "share of 0": ({"share": 0}, "`share`: expected a number above 0 and at most 1, got 0."),
    "share above 1": ({"share": 1.5}, "`share`: expected a number above 0 and at most 1, got 1.5."),
    "share that is no number": ({"share": None}, "`share`: expected a number above 0 and at most 1, got None."),
    "too few evaluations": ({"max_evaluations": 2}, "`max_evaluations`: expected an integer of at least 3, got 2."),
    "another width": ({"n_players": 4}, "`explained`: expected 4 players, as in `n_players`, got 3 players."),
}


@BOTH
@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused_before_the_game_is_asked(kind, case):
    arguments, message = REFUSED[case]
    with pytest.raises(ArgumentError) as caught:
        KINDS[kind](Spectrum.from_terms({(0,): -0.5}, 3), pytest.fail, **arguments)
    assert str(caught.value) == message


@BOTH
def test_several_outputs_are_refused(kind):
    def game(masks):
        return np.stack([masks[:, 0], masks[:, 1]], axis=1) * 1.0

    results = captum_spex.explain(game, 3, budget=8)
    with pytest.raises(ArgumentError, match=r"expected one output, got 2 outputs. Choose one, such as `results\[0\]`"):
        KINDS[kind](results, pytest.fail)
    with pytest.raises(GameError, match=r"expected one output, got 2\. Choose one by `output=`\."):
        KINDS[kind](results[0], game)
    with pytest.raises(ArgumentError, match=r"`output`: expected an integer from 0 to 1, got 2\."):
        KINDS[kind](results, pytest.fail, output=2)
    with pytest.raises(ArgumentError, match=r"`output`: expected an integer from 0 to 1, got 5\."):
        KINDS[kind](results[0], game, output=5)
    with pytest.raises(ArgumentError, match=r"`output`: expected an integer from 0 to 1, got True\."):
        KINDS[kind](results[0], game, output=True)


@BOTH
def test_one_of_several_outputs(kind):
    def game(masks):
        return np.stack([masks[:, 0], 2.0 * (masks[:, 1] & masks[:, 2])], axis=1)

    results = captum_spex.explain(game, 4, budget=16)
    for output, single in enumerate([lambda masks: 1.0 * masks[:, 0], lambda masks: game(masks)[:, 1]]):
        found = KINDS[kind](results, game, output=output)
        assert found == KINDS[kind](results[output], game, output=output) == KINDS[kind](results[output], single)


@BOTH
@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_a_value_that_the_sources_do_not_raise_is_refused(kind, weight):
    def game(masks):
        return weight * masks[:, 0]

    result = captum_spex.explain(game, 3, budget=8)
    with pytest.raises(GameError, match=r"expected a value that the sources raise, got .*: there is nothing to keep"):
        KINDS[kind](result, game)
