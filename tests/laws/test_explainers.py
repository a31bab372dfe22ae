"""Laws of the SHAP explainers: additivity, null player, permutation, linearity, duplicates, symmetry."""

from __future__ import annotations

import numpy as np
from games import random_table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import shapley_by_permutations
from shap_cases import (
    assert_pairs,
    assert_sums,
    slow_matrix,
)

from captum_spex.explainers import ProxySpexExplainer


def game_of(values):
    """A model whose columns say which players are there."""
    return lambda x: values[np.asarray(x).astype(int) @ (1 << np.arange(x.shape[1]))]


@st.composite
def games(draw, largest=6):
    n = draw(st.integers(2, largest))
    return random_table(n, draw(st.integers(0, 2**32 - 1)), sparse=draw(st.booleans())), n


def explained(game, n, **settings):
    """Explain a table of values, or a model of columns of ones."""
    model = game if callable(game) else game_of(game)
    return ProxySpexExplainer(model, np.zeros((1, n)))(np.ones((1, n)), **settings)


@given(games())
def test_law_additivity_and_oracles(game):
    values, n = game
    found, pairs = explained(values, n), explained(values, n, interactions=True)
    assert_sums(found, values[-1:])
    assert_pairs(pairs, found)
    assert_allclose(found.values[0], shapley_by_permutations(values, n), atol=1e-9)
    assert_allclose(pairs.values[0], slow_matrix(values, n), atol=1e-9)
    assert_allclose(found.base_values, values[:1], atol=1e-12)


@given(games(), st.data())
def test_law_null_player(game, data):
    """A column that the model does not read: 0, in every pair, and nothing changes for the others."""
    values, n = game
    null = data.draw(st.integers(0, n))
    others = [player for player in range(n + 1) if player != null]
    base = game_of(values)
    for form in (False, True):
        found = explained(lambda x: base(x[:, others]), n + 1, interactions=form).values[0]
        assert_allclose(found[null], 0.0, atol=1e-9)
        expected = explained(values, n, interactions=form).values[0]
        assert_allclose(found[np.ix_(others, others)] if form else found[others], expected, atol=1e-9)


@given(games(), st.data())
def test_law_permutation_of_columns(game, data):
    values, n = game
    order = data.draw(st.permutations(range(n)))
    back = np.argsort(order)
    base = game_of(values)
    for form in (False, True):
        moved = explained(lambda x: base(x[:, back]), n, interactions=form).values[0]
        plain = explained(values, n, interactions=form).values[0]
        assert_allclose(moved, plain[np.ix_(order, order)] if form else plain[order], atol=1e-9)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.floats(-10, 10), st.floats(-10, 10))
def test_law_linearity(n, seed, a, b):
    """Of outputs, too: both are explained from the same evaluations."""
    one, other = random_table(n, seed), random_table(n, seed ^ 1, sparse=True)
    for form in (False, True):
        first, second = (explained(game, n, interactions=form).values for game in (one, other))
        together = explained(np.column_stack([one, other, a * one + b * other]), n, interactions=form).values
        assert_allclose(together, np.stack([first, second, a * first + b * second], axis=-1), atol=1e-7)


@given(games(5), st.integers(2, 4))
def test_law_duplicates(game, n_rows):
    """Rows that come again get the same, and a background given several times is the same as once."""
    values, n = game
    model, once = game_of(values), explained(values, n).values[0]
    x = np.ones((n_rows, n))
    assert_array_equal(ProxySpexExplainer(model, np.zeros((1, n)))(x).values, np.tile(once, (n_rows, 1)))
    assert_allclose(ProxySpexExplainer(model, np.zeros((n_rows, n)))(x[:1]).values[0], once, atol=1e-9)


@given(games(5))
def test_law_symmetry(game):
    """Two columns of which the model reads only how many are there get the same."""
    values, n = game
    base = game_of(values)

    def model(x):
        either = (x[:, :1] + x[:, -1:]) > 1
        return base(np.hstack([either, x[:, 1:n]])) + x[:, 0] + x[:, -1]

    found = explained(model, n + 1).values[0]
    assert_allclose(found[0], found[-1], atol=1e-9)
    pairs = explained(model, n + 1, interactions=True).values[0]
    assert_allclose(np.delete(pairs[0], [0, -1]), np.delete(pairs[-1], [0, -1]), atol=1e-9)
