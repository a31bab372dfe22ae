"""Every interaction index, from every kind of model, against its definition."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import oracles
import pytest
from games import random_table, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.errors import OrderError, UnknownNameError
from captum_spex.indices import NAMES, resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import GameModel, Residuals, Spectrum
from captum_spex.player_sets import PlayerSets

ALL_NAMES = tuple(oracles.INDICES)


def from_spectrum(table, n, name, top):
    return Spectrum.from_values(table, n).to_index(name, max_order=top)


def from_observations(table, n, name, top):
    model = GameModel((Residuals(oracles.every_mask(n), table),))
    return model.index_terms(resolve_index(name, top, n))


def from_explain(table, n, name, top):
    return captum_spex.explain(oracles.as_game(table), n, budget=2**n, index=name, max_order=top)


ROUTES = {"spectrum": from_spectrum, "observations": from_observations, "explain": from_explain}


def assert_matches(terms, expected, baseline, *, rtol=1e-8):
    """All sets agree, and sets that are not listed are worth 0."""
    atol = rtol * max(1.0, *(abs(value) for value in expected.values()))
    ours = dict(terms)
    assert set(ours) <= set(expected)
    assert_allclose([ours.get(players, 0.0) for players in expected], list(expected.values()), rtol=rtol, atol=atol)
    assert_allclose(terms.baseline, baseline, rtol=rtol, atol=atol)


def test_every_allowed_name_has_a_twin():
    assert set(NAMES) | {"BII(p=0.3)"} == set(ALL_NAMES)


@pytest.mark.sampled
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ALL_NAMES)
@given(game=tables(largest=6), top=st.integers(1, 6))
def test_every_index_equals_its_definition(route, name, game, top):
    table, n = game
    top = min(top, n)
    assert_matches(
        ROUTES[route](table, n, name, top),
        oracles.INDICES[name](table, n, top),
        oracles.baseline(name, table, n, 1 if name in ("SV", "BV") else top),
    )


@pytest.mark.sampled
@pytest.mark.parametrize("top", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("name", ALL_NAMES)
def test_every_index_of_eight_players_at_every_depth(name, top):
    table = random_table(8, seed=top)
    expected = oracles.INDICES[name](table, 8, top)
    baseline = oracles.baseline(name, table, 8, 1 if name in ("SV", "BV") else top)
    for route in ROUTES.values():
        assert_matches(route(table, 8, name, top), expected, baseline)


@given(game=tables(largest=6))
def test_shapley_value_is_the_average_over_orders_of_arrival(game):
    table, n = game
    terms = from_spectrum(table, n, "SV", 1)
    assert_allclose([terms.get((i,), 0.0) for i in range(n)], oracles.shapley_by_permutations(table, n), atol=1e-9)


@given(game=tables(largest=6), top=st.integers(1, 6))
def test_faithful_and_taylor_indices_add_up_to_the_grand_coalition(game, top):
    table, n = game
    for name in ("FSII", "STII", "k-SII"):
        terms = from_spectrum(table, n, name, min(top, n))
        assert_allclose(terms.values.sum(), table[-1] - table[0], atol=1e-9)


@given(game=tables(largest=6))
def test_up_to_the_last_order_faithful_indices_are_the_moebius_transform(game):
    table, n = game
    expected = oracles.moebius(table, n, n)
    for name in ("FSII", "FBII", "STII"):
        assert_matches(from_spectrum(table, n, name, n), expected, table[0])


# --- weights of Fourier terms, by hand --------------------------------------------------------------------------------


def weights(name, top, order, degree=60):
    return resolve_index(name, top, 100).fourier_weights(order, degree)


def test_weights_of_moebius_and_co_moebius():
    for s in (1, 2, 3):
        u = np.arange(s, 11)
        assert_allclose(weights("Moebius", 3, s, 10)[s:], np.full(len(u), (-2.0) ** s), rtol=1e-15)
        assert_allclose(weights("Co-Moebius", 3, s, 10)[s:], 2.0**s * (-1.0) ** u, rtol=1e-15)


def test_weights_of_banzhaf():
    for s in (1, 2, 3):
        expected = np.zeros(11)
        expected[s] = (-2.0) ** s
        assert_allclose(weights("BII", 3, s, 10), expected, rtol=1e-15)
        r = np.arange(11 - s)
        assert_allclose(weights("BII(p=0.3)", 3, s, 10)[s:], (-2.0) ** s * 0.4**r, rtol=1e-14)


def test_weights_of_shapley_pairs():
    even = np.arange(2, 61, 2)
    assert_allclose(weights("SII", 2, 2)[even], 4 / (even - 1), rtol=1e-15)
    assert_allclose(weights("SII", 2, 2)[even - 1], 0)


def test_weights_of_two_sii_singles():
    even, odd = np.arange(2, 61, 2), np.arange(1, 61, 2)
    assert_allclose(weights("k-SII", 2, 1)[odd], -2 / odd, rtol=1e-15)
    assert_allclose(weights("k-SII", 2, 1)[even], -2)


def test_weights_of_taylor_pairs():
    even, odd = np.arange(2, 61, 2), np.arange(3, 61, 2)
    assert_allclose(weights("STII", 2, 2)[even], 4 / (even - 1), rtol=1e-15)
    assert_allclose(weights("STII", 2, 2)[odd], 4 / odd, rtol=1e-15)


def test_weights_of_faithful_shapley_of_order_two():
    even, odd = np.arange(2, 61, 2), np.arange(3, 61, 2)
    singles, pairs = weights("FSII", 2, 1), weights("FSII", 2, 2)
    assert_allclose(singles[odd], -2 / odd, rtol=1e-15)
    assert_allclose(singles[even], -6 / (even + 1), rtol=1e-15)
    assert_allclose(pairs[odd], 0)
    assert_allclose(pairs[even], 12 / (even**2 - 1), rtol=1e-15)


@pytest.mark.parametrize("s", [1, 2, 3, 4])
def test_weights_of_chaining_and_taylor_at_the_top(s):
    for u in range(s, 13):
        r = u - s
        moments = sum(Fraction(comb(s - 1, k), k + r + 1) for k in range(s) if (k - r) % 2 == 0)
        assert weights("CHII", s, s, u)[u] == float(2 * s * (-1) ** (s + r) * moments)
        assert weights("STII", s, s, u)[u] == float(2 * s * (-1) ** s * moments)


@pytest.mark.parametrize("top", [1, 2, 3, 4, 6])
def test_faithful_weights_of_the_top_order_keep_all_digits(top):
    computed = weights("FSII", top, top)
    for u in range(top, 61):
        r = u - top
        product = Fraction(1)
        for j in range(r // 2):
            product *= Fraction(2 * j + 1, 2 * top + 1 + 2 * j)
        assert computed[u] == (float((-2) ** top * product) if r % 2 == 0 else 0.0)


@pytest.mark.parametrize(("top", "u"), [(1, 5), (2, 3), (2, 60), (3, 7), (3, 60), (4, 9), (5, 12), (6, 60)])
def test_faithful_weights_minimise_their_least_squares(top, u):
    expected = oracles.fsii_weights_by_least_squares(top, u)
    computed = [weights("FSII", top, order)[u] for order in range(1, top + 1)]
    assert_allclose(computed, [float(weight) for weight in expected], rtol=1e-15)


@pytest.mark.parametrize("name", ["SII", "k-SII", "STII", "FSII", "kADD-SHAP"])
def test_first_order_alone_is_always_the_shapley_value(name):
    u = np.arange(1, 61)
    assert_allclose(weights(name, 1, 1)[1:], np.where(u % 2 == 1, -2 / u, 0), rtol=1e-15)


@given(table_seed=st.integers(0, 1000), name=st.sampled_from(ALL_NAMES))
def test_indices_are_linear(table_seed, name):
    one, two = random_table(5, table_seed), random_table(5, table_seed + 1)
    parts = [from_observations(table, 5, name, 3) for table in (one, two)]
    whole = from_observations(2 * one - 3 * two, 5, name, 3)
    assert_allclose([2 * parts[0][S] - 3 * parts[1][S] for S in whole], whole.values, atol=1e-9)


def test_coalitions_of_many_players_weigh_what_the_definition_says():
    """Shapley pairs of 40 players: one observed coalition counts with (n-s-t)! t! / (n-s+1)! of its derivative."""
    n = 40
    table = resolve_index("SII", 2, n).coalition_weights(2, n)
    for a in range(3):
        for size in range(a, n - 2 + a + 1):
            weight = (-1) ** (2 - a) / ((n - 1) * comb(n - 2, size - a))
            assert_allclose(table[a, size], weight, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_coefficients_are_the_weights_of_single_coalitions(order):
    masks, index = all_masks(5), resolve_index("SII", 3, 5)
    sets = PlayerSets.all_of_order(order, 5)
    found = index.coefficients(masks, sets)
    for mask, row in zip(masks, found, strict=True):
        for players, weight in zip(sets.tuples(), row, strict=True):
            others = int(mask.sum() - mask[list(players)].sum())
            sign = (-1) ** (order - mask[list(players)].sum())
            assert_allclose(weight, sign / (6 - order) / comb(5 - order, others))


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["FSII", "kADD-SHAP", "k-SII", "STII", "CHII"])
@pytest.mark.parametrize("top", [2, 3, 4, 6])
@pytest.mark.parametrize("n", [12, 40, 100])
def test_coalition_weights_of_a_constant_and_of_a_character_cancel(name, top, n):
    """Both views of one functional agree: coalition weights summed over a Fourier term give its Fourier weight."""
    index = resolve_index(name, top, n)
    for order in (1, top):
        table = index.coalition_weights(order, n)
        by_size = np.zeros(n + 1)
        terms = []
        for a in range(order + 1):
            for size in range(a, n - order + a + 1):
                terms.append(comb(order, a) * comb(n - order, size - a) * table[a, size] * (-1.0) ** a)
                by_size[size] += terms[-1]
        assert_allclose(sum(terms), index.fourier_weights(order, order)[order], rtol=1e-6)


# --- names and orders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Shapley", "sii", "", "BII(p=0)", "BII(p=1.0)", "BII(p=2)", None, 3])
def test_unknown_names_are_refused_with_the_list(name):
    with pytest.raises(UnknownNameError, match=r"`index`: expected 'SV', .*, or 'BII\(p=0.3\)' with 0 < p < 1, got "):
        resolve_index(name, 2, 5)


@pytest.mark.parametrize("order", [0, -1, 6, 2.0, True, "2", None])
def test_impossible_orders_are_refused_with_the_range(order):
    with pytest.raises(OrderError, match=r"`max_order`: expected an integer from 1 to the number of players, 5, got"):
        resolve_index("SII", order, 5)


def test_values_of_single_players_are_of_order_one_whatever_was_asked():
    assert [resolve_index(name, 4, 5).max_order for name in ("SV", "BV", "SII")] == [1, 1, 4]
