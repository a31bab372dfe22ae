"""Games with exact answers: every index is that of the table of all values, and the game is the model it came from."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.benchmark.cases.conjunctions import Conjunctions
from captum_spex.benchmark.cases.products import Product, SumOfProducts, made
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks

NAMES = sorted(oracles.INDICES)


def assert_exact(game, *, top=3, names=NAMES):
    """Compare with the definitions, on the table of all values."""
    n = game.n_players
    table = game(oracles.every_mask(n))
    for name in names:
        index = resolve_index(name, min(top, n), n)
        found = game.index_terms(index)
        exact = oracles.INDICES[name](table, n, index.max_order)
        assert len(set(found)) == len(found)
        differences = [found.get(players, 0.0) - exact.get(players, 0.0) for players in {*found, *exact} - {()}]
        scale = max(1.0, np.abs(table).max())
        assert_allclose(differences, 0.0, atol=1e-9 * scale, err_msg=name)
        assert found.baseline == pytest.approx(oracles.baseline(name, table, n, index.max_order), abs=1e-9 * scale)


values = st.floats(-4, 4).map(lambda value: round(value, 3))


@st.composite
def conjunctions(draw):
    n = draw(st.integers(2, 6))
    signed = st.dictionaries(st.integers(0, n - 1), st.sampled_from([-1, 1]))
    paths = draw(st.dictionaries(signed.map(lambda signs: frozenset(signs.items())), values, max_size=6))
    return n, paths


@st.composite
def sums_of_products(draw):
    n = draw(st.integers(2, 6))
    products = []
    for _ in range(draw(st.integers(1, 2))):
        order = draw(st.permutations(range(n)))
        cuts = sorted(draw(st.sets(st.integers(1, n), min_size=1, max_size=3)))
        groups = [np.array(order[a:b]) for a, b in zip([0, *cuts], cuts, strict=False)]
        sizes = [1 << len(group) for group in groups]
        tables = [np.array(draw(st.lists(values, min_size=size, max_size=size))) for size in sizes]
        products.append(Product(groups, tables))
    return SumOfProducts(n, products)


# --- conjunctions -----------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(conjunctions())
def test_conjunctions_have_the_values_and_every_index_of_the_definition(drawn):
    n, paths = drawn
    game = Conjunctions.of_paths(paths, n)
    direct = [
        sum(value for path, value in paths.items() if all(row[player] == (sign > 0) for player, sign in path))
        for row in all_masks(n)
    ]
    assert_allclose(game(all_masks(n)), direct, atol=1e-12)
    assert_exact(game)


def test_moebius_terms_are_conjunctions_of_players_that_are_present():
    game = Conjunctions.of_moebius({(): 0.5, (1,): 2.0, (0, 3): -1.5, (0, 1, 2): 0.25}, 4)
    found = game.index_terms(resolve_index("Moebius", 3, 4))
    assert dict(found) == {(1,): 2.0, (0, 3): -1.5, (0, 1, 2): 0.25}
    assert found.baseline == 0.5
    assert_exact(game)


def test_a_mask_has_one_value_whatever_is_beside_it():
    rng = np.random.default_rng(0)
    paths = {}
    for _ in range(3000):
        players = rng.choice(40, 3, replace=False)
        paths[frozenset((int(player), int(rng.choice([-1, 1]))) for player in players)] = rng.normal()
    game = Conjunctions.of_paths(paths, 40)
    masks = rng.random((3000, 40)) < 0.5
    assert_array_equal(game(masks), np.concatenate([game(masks[:1]), game(masks[1:2]), game(masks[2:])]))
    assert game(masks[:0]).shape == (0,)


# --- products ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(sums_of_products())
def test_products_have_the_values_and_every_index_of_the_definition(game):
    masks = all_masks(game.n_players)
    direct = np.zeros(len(masks))
    for product in game.products:
        for row, mask in enumerate(masks):
            codes = [oracles.code(np.flatnonzero(mask[group])) for group in product.groups]
            direct[row] += np.prod([table[code] for table, code in zip(product.tables, codes, strict=True)])
    assert_allclose(game(masks), direct, rtol=1e-12, atol=1e-12)
    assert_exact(game)


def test_twelve_players_have_the_indices_of_the_enumerated_game():
    from captum_spex.benchmark.cases.source import tabled

    game, _ = made(12, 2, 3, 0.5)
    _, table = tabled(12, game(all_masks(12)))
    for name in ("SV", "SII", "FSII", "FBII", "k-SII"):
        index = resolve_index(name, 3, 12)
        found, exact = game.index_terms(index), table.index_terms(index)
        assert_allclose([found.get(players, 0.0) for players in exact], list(exact.values), atol=1e-11, err_msg=name)
        assert set(found) <= set(exact)


def test_indices_stay_exact_for_many_factors():
    rng = np.random.default_rng(3)
    groups = np.arange(96).reshape(48, 2)
    game = SumOfProducts(96, [Product(groups, rng.uniform(0.8, 1.2, (48, 4)))])
    shapley = game.index_terms(resolve_index("SV", 1, 96)).first_order()
    nobody, everyone = game([[False] * 96, [True] * 96])
    assert shapley.sum() == pytest.approx(everyone - nobody, rel=1e-11)
    polynomial = np.polynomial.Polynomial([1.0])  # of the first player: all others by independence
    for table in game.products[0].tables[1:]:
        both = table[3] - table[2] - table[1] + table[0]
        polynomial *= np.polynomial.Polynomial([table[0], table[1] + table[2] - 2 * table[0], both])
    first, both = game.products[0].tables[0], np.diff(np.diff(game.products[0].tables[0].reshape(2, 2)), axis=0)
    integral = (polynomial * np.polynomial.Polynomial([first[1] - first[0], both.item()])).integ()
    assert shapley[0] == pytest.approx(integral(1.0) - integral(0.0), rel=1e-8)
