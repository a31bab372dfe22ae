"""A spectrum is the game that its Fourier terms say."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from games import tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.masks import all_masks
from captum_spex.model import Spectrum
from captum_spex.player_sets import PlayerSets


@st.composite
def terms_of_many_players(draw):
    n = draw(st.sampled_from([3, 20, 64, 65, 300]))
    players = st.frozensets(st.integers(0, n - 1), max_size=5).map(lambda chosen: tuple(sorted(chosen)))
    return draw(st.dictionaries(players, st.floats(-10, 10), max_size=12)), n


def value_by_definition(terms, mask):
    present = set(np.flatnonzero(mask).tolist())
    return sum(value * (-1) ** len(present & set(players)) for players, value in terms.items())


@given(terms_of_many_players(), st.integers(0, 1000))
def test_evaluation_follows_the_definition(case, seed):
    terms, n = case
    masks = np.random.default_rng(seed).random((11, n)) < 0.5
    expected = [value_by_definition(terms, mask) for mask in masks]
    assert_allclose(Spectrum.from_terms(terms, n)(masks), expected, atol=1e-12)


@given(tables())
def test_the_spectrum_of_a_table_has_the_defining_coefficients(game):
    table, n = game
    spectrum = Spectrum.from_values(table, n)
    expected = {players: oracles.fourier_coefficient(table, n, players) for players in list(spectrum)[:20]}
    assert_allclose([spectrum[players] for players in expected], list(expected.values()), atol=1e-12)
    assert_allclose(spectrum(all_masks(n)), table, atol=1e-12)


def test_many_masks_and_many_terms_in_blocks_agree_with_a_dense_product(rng):
    class InSmallBlocks(Spectrum):
        cells = 50

    masks = rng.random((40, 12)) < 0.5
    sets = PlayerSets.all_of_order(3, 12)
    values = rng.normal(size=len(sets))
    characters = np.array([[(-1.0) ** mask[list(players)].sum() for players in sets.tuples()] for mask in masks])
    assert_allclose(InSmallBlocks(sets, values)(masks), characters @ values, atol=1e-12)


def test_masks_may_be_numbers_or_lists():
    spectrum = Spectrum.from_terms({(): 1.0, (1,): 2.0}, 2)
    assert_allclose(spectrum([[0, 1], [1, 0]]), [-1.0, 3.0])
    assert_allclose(spectrum(np.array([[0.0, 1.0]])), [-1.0])


def test_equal_sets_add_up():
    spectrum = Spectrum.from_terms({(0, 1): 1.0, (1, 0): 2.0, (2, 2): 0.5, (2,): 0.25}, 3)
    assert dict(spectrum) == {(0, 1): 3.0, (2,): 0.75}


def test_no_terms_is_the_zero_game():
    spectrum = Spectrum.from_terms({}, 4)
    assert len(spectrum) == 0
    assert_allclose(spectrum([[True] * 4]), [0.0])
    assert len(spectrum.to_index("SII", 2)) == 0


@pytest.mark.parametrize("player", [3, -1])
def test_players_out_of_range_are_named(player):
    with pytest.raises(MaskError, match=rf"`players`: expected 0 to 2, as `n_players` is 3, got player {player}"):
        Spectrum.from_terms({(0, player): 1.0}, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coefficients_must_be_finite(value):
    with pytest.raises(ArgumentError, match=rf"`terms`: expected finite coefficients, got {value}"):
        Spectrum.from_terms({(0,): 1.0, (1,): value}, 3)


def test_masks_of_another_width_are_refused():
    spectrum = Spectrum.from_terms({(0,): 1.0}, 3)
    with pytest.raises(MaskError, match=r"`masks`: expected \(n_masks, 3\): one column per player, got shape \(1, 2\)"):
        spectrum([[True, False]])
    with pytest.raises(MaskError, match="other values than 0 and 1"):
        spectrum([[0, 1, 2]])


def test_selection_scaling_and_sums():
    spectrum = Spectrum.from_terms({(): 4.0, (0,): -3.0, (1, 2): 2.0, (2,): 1.0}, 3)
    assert dict(spectrum.largest_terms(2)) == {(): 4.0, (0,): -3.0}
    assert dict(spectrum.largest_terms(99)) == dict(spectrum)
    assert dict(spectrum.select(np.array([2]))) == {(1, 2): 2.0}
    assert dict(spectrum.scaled(-0.5)) == {(): -2.0, (0,): 1.5, (1, 2): -1.0, (2,): -0.5}
    total = Spectrum.sum([spectrum, spectrum.scaled(-0.5), Spectrum.from_terms({}, 3)], 3)
    assert dict(total) == dict(spectrum.scaled(0.5))
    assert dict(Spectrum.sum([], 3)) == {}


@given(tables(largest=6))
def test_energy_of_orders_above_zero_is_the_variance(game):
    table, n = game
    energy = Spectrum.from_values(table, n).energy_by_order()
    assert_allclose(energy[1:].sum(), np.var(table), atol=1e-12)
    assert_allclose(energy.sum(), np.mean(table**2), atol=1e-12)


@given(terms_of_many_players())
def test_plain_lists_and_back(case):
    spectrum = Spectrum.from_terms(*case)
    again = Spectrum.from_dict(spectrum.to_dict())
    assert dict(again) == dict(spectrum)
    assert again.n_players == spectrum.n_players


def test_index_at_chosen_sets_and_zero_elsewhere():
    spectrum = Spectrum.from_terms({(0, 3): -1.25}, 100)
    index = captum_spex.indices.resolve_index("SII", 2, 100)
    sets = PlayerSets.from_sets([(3,), (0, 3), (7, 8), (50,)], 100)
    assert_allclose(spectrum.index_at(index, sets), [0.0, -5.0, 0.0, 0.0])
    assert_allclose(Spectrum.from_terms({}, 100).index_at(index, sets), np.zeros(4))


def test_wide_terms_cost_subsets_not_a_moebius_blow_up():
    """One term of 60 players: Shapley pairs are all 4 / 59, singles vanish."""
    spectrum = Spectrum.from_terms({tuple(range(60)): 1.0}, 1_000_000)
    terms = spectrum.to_index("SII", 2)
    assert len(terms) == 60 + 60 * 59 // 2
    assert_allclose(terms.values[terms.orders == 2], 4 / 59)
    assert_allclose(terms.values[terms.orders == 1], 0.0)
