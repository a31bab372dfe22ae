"""A game among players that do nothing: its indices, errors, exports and conversions."""

from __future__ import annotations

import numpy as np
import pytest
from games import planted_spectrum, random_table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES, as_game, every_mask
from shap_forms import FORMS, N_SMOOTH, columns, estimated, exact, label, random_result, without_zeros

import captum_spex
from captum_spex import Interactions
from captum_spex.approximators import Spex
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.indices import NAMES, Index, resolve_index
from captum_spex.model import AmongOthers, GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

PLACES, N_ALL = (1, 3, 4), 6


def inner_table(seed=0):
    return random_table(len(PLACES), seed)


def played_wide(index, order):
    """The game of three players with three more that do nothing, evaluated on all masks."""
    game = as_game(inner_table())
    return captum_spex.explain(lambda masks: game(masks[:, PLACES]), N_ALL, budget=64, index=index, max_order=order)


def assert_same_values(one, two):
    """Both hold the same, where a set that is not listed is worth nothing."""
    for players in set(one) | set(two):
        assert one[players] == pytest.approx(two[players], abs=1e-9), players
    assert one.baseline == pytest.approx(two.baseline, abs=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("index", [*NAMES, "BII(p=0.3)"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_among_players_that_do_nothing(index, order):
    wide = exact(inner_table(), 3, index, order).among(PLACES, N_ALL)
    expected = played_wide(index, order)
    assert (wide.index, wide.max_order, wide.n_players) == (expected.index, expected.max_order, N_ALL)
    assert_same_values(wide, expected)
    assert_allclose(wide.model(every_mask(N_ALL)), expected.model(every_mask(N_ALL)), atol=1e-9)
    assert np.abs(wide.values).tolist() == sorted(np.abs(wide.values).tolist(), reverse=True)
    assert_allclose(wide.first_order(), expected.first_order(), atol=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("index", [*NAMES, "BII(p=0.3)"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_another_index_among_others(index, order):
    wide = exact(inner_table(), 3, "SII", 2).among(PLACES, N_ALL).to(index, order)
    assert_same_values(wide, played_wide(index, order))


@given(st.data(), st.sampled_from(NAMES), st.integers(1, 3))
def test_index_terms_among_others(data, index, order):
    n = data.draw(st.integers(1, 4))
    n_all = data.draw(st.integers(max(n, order), 6))
    places = sorted(data.draw(st.permutations(range(n_all)))[:n])
    table = random_table(n, data.draw(st.integers(0, 99)))
    model = AmongOthers.of(exact(table, n, "SII", min(2, n)).model, places, n_all)
    wide = np.array([table[sum(1 << k for k, p in enumerate(places) if mask[p])] for mask in every_mask(n_all)])
    terms = model.index_terms(resolve_index(index, order, n_all))
    expected = INDICES[index](wide, n_all, terms.max_order)
    found = dict(zip(terms.sets.tuples(), terms.values.tolist(), strict=True))
    assert {players for players in found if len(players) == 1} == {(player,) for player in range(n_all)}
    assert found.keys() <= expected.keys()
    for players, value in expected.items():
        assert found.get(players, 0.0) == pytest.approx(value, abs=1e-8), players


def test_standard_errors_among_others():
    narrow = estimated()
    places = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    wide = narrow.among(places, 40)
    known = dict(zip(narrow, narrow.std_errors, strict=True))
    assert len(wide.std_errors) == len(wide) == len(narrow) + 30
    for players, error in zip(wide, wide.std_errors.tolist(), strict=True):
        inner = tuple(places.index(player) for player in players if player in places)
        assert error == pytest.approx(known[inner] if len(inner) == len(players) else 0.0, rel=1e-9)
    asked = PlayerSets.from_sets([(2, 3), (0, 2), (0,), (), (13,)], 40)
    errors = wide.model.std_errors(Index("SII", 2), asked)
    assert errors[1] == errors[2] == 0
    assert errors[0] == pytest.approx(known[(0, 1)])
    assert errors[4] == pytest.approx(known[(5,)])


def test_standard_errors_that_are_not_known_stay_unknown():
    assert estimated(approximator=Spex(), budget=300).among(range(N_SMOOTH), 12).std_errors is None
    assert not random_result().among(range(4), 6).std_errors.any()


def test_spectrum_among_others():
    planted = planted_spectrum(4, 5, 3, seed=0)
    model = AmongOthers.of(GameModel((planted,)), [0, 2, 5, 6], 7)
    spectrum = model.spectrum(3)
    assert spectrum.sets.n_players == 7
    inner = planted.largest_terms(3)
    renamed = [tuple((0, 2, 5, 6)[player] for player in players) for players in inner.sets.tuples()]
    assert spectrum.sets.tuples() == renamed
    assert_array_equal(spectrum.values, inner.values)


@pytest.mark.parametrize("make", [lambda: random_result(3), estimated], ids=["exact", "estimated"])
def test_json_among_others(make):
    narrow = make()
    places = [2 * player + 1 for player in range(narrow.n_players)]
    names = [f"word {player}" for player in range(90)]
    wide = narrow.among(places, 90, names)  # more than 64: sets have hashed keys
    again = Interactions.from_json(wide.to_json())
    assert dict(again) == dict(wide)
    assert list(again) == list(wide)
    assert isinstance(again.model, AmongOthers)
    for name in ("names", "n_players", "n_left_out", "n_evaluations", "faithfulness", "baseline"):
        assert getattr(again, name) == getattr(wide, name), name
    assert_allclose(again.std_errors, wide.std_errors, rtol=1e-9)
    masks = np.random.default_rng(0).random((50, 90)) < 0.5
    assert_allclose(again.model(masks), narrow.model(masks[:, places]), atol=1e-9)
    assert_same_values(again.to("STII"), wide.to("STII"))
    assert wide["word 1"] == narrow[0]


def test_shap_forms_of_a_result_that_was_read():
    result = estimated("STII", names=[f"word {player}" for player in range(N_SMOOTH)])
    again = Interactions.from_json(result.to_json())
    for form in FORMS:
        assert_allclose(again.to_shap(form).values, result.to_shap(form).values, atol=1e-9)
        assert list(again.to_shap(form).feature_names) == list(result.to_shap(form).feature_names)


def test_among_others_twice():
    once = exact(inner_table(), 3, "SII", 3).among([0, 2, 3], 4)
    twice = once.among([1, 2, 3, 5], 6)
    assert_same_values(twice, exact(inner_table(), 3, "SII", 3).among([1, 3, 5], 6))
    assert_same_values(Interactions.from_json(twice.to_json()), twice)


def test_facts_and_what_was_left_out_stay():
    narrow = estimated(max_terms=3)
    wide = narrow.among(range(N_SMOOTH), 12)
    for name in ("n_left_out", "n_evaluations", "faithfulness", "diagnostics", "index", "max_order", "baseline"):
        assert getattr(wide, name) == getattr(narrow, name), name
    assert wide.to("SII", max_terms=3).n_left_out == narrow.n_left_out
    assert wide[(11,)] == 0.0


def test_shap_forms_among_others():
    narrow = exact(inner_table(), 3, "SII", 2)
    wide = narrow.among(PLACES, N_ALL)
    values = np.zeros(N_ALL)
    values[list(PLACES)] = narrow.to_shap("values").values
    assert_allclose(wide.to_shap("values").values, values, atol=1e-12)
    matrix = np.zeros((N_ALL, N_ALL))
    matrix[np.ix_(PLACES, PLACES)] = narrow.to_shap("matrix").values[0]
    assert_allclose(wide.to_shap("matrix").values[0], matrix, atol=1e-12)
    renamed = {label(tuple(PLACES[player] for player in term)): v for term, v in narrow.to("k-SII", 2).items()}
    assert without_zeros(columns(wide.to_shap("terms"))) == pytest.approx(without_zeros(renamed), abs=1e-8)


@pytest.mark.parametrize(
    "players",
    [(3, 1, 4), (1, 1, 4), (1, 3), (1, 3, 4, 5), (), (1, 3, 6), (-1, 3, 4), (0.5, 1.5, 2.5), ("a", "b", "c"), None],
    ids=repr,
)
def test_players_that_do_not_fit(players):
    with pytest.raises(ArgumentError, match=r"`players`.*3 increasing numbers from 0 to 5"):
        random_result(3).among(players, N_ALL)


@pytest.mark.parametrize("names", [["a"], ["a"] * 7])
def test_names_that_do_not_fit(names):
    with pytest.raises(ArgumentError, match=r"`names`.*6 players"):
        random_result(3).among(PLACES, N_ALL, names)


def test_orders_among_others_go_up_to_all_players():
    wide = random_result(3).among(PLACES, N_ALL)
    assert wide.to("STII", N_ALL).max_order == N_ALL
    with pytest.raises(OrderError):
        wide.to("STII", N_ALL + 1)


def test_masks_among_others_have_all_players():
    model = AmongOthers.of(GameModel((Spectrum.from_terms({(0,): 1.0}, 1),)), [2], 3)
    assert model.n_players == 3
    assert model([[True, True, False], [False, False, True]]).tolist() == [1.0, -1.0]
    with pytest.raises(captum_spex.errors.MaskError):
        model([[True]])


@pytest.mark.parametrize("index", ["SII", "FSII", "Fourier"])
def test_the_index_of_any_sets(index):
    model, resolved = (
        AmongOthers.of(exact(inner_table(), 3, index).model, PLACES, N_ALL),
        resolve_index(index, 2, N_ALL),
    )
    sets = PlayerSets.from_sets([(4,), (0,), (1, 3), (3, 4), (1, 2)], N_ALL)
    wide = played_wide(index, 2)
    assert_allclose(model.index_at(resolved, sets), [wide[players] for players in sets.tuples()], atol=1e-12)
    assert_allclose(wide.model.index_at(resolved, sets), model.index_at(resolved, sets), atol=1e-12)
