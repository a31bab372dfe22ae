"""The games of tree ensembles: each is the ensemble on rows that are mixed of two, and so are its exact values."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from captum_spex.benchmark.cases.conjunctions import Conjunctions
from captum_spex.benchmark.cases.trees import KINDS, PLAYERS, SOURCES, Tree, ensemble_game
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks

ROUNDED = {"xgboost": 1e-5}  # it adds in single precision


@pytest.fixture(params=KINDS)
def kind(request):
    if request.param == "xgboost":
        pytest.importorskip("xgboost")
    return request.param


def test_a_game_is_the_ensemble_on_mixed_rows(kind):
    game, predict = ensemble_game(kind, 30, 0)
    masks = np.random.default_rng(1).random((40, 30)) < 0.5
    assert np.ptp(game(masks) - predict(masks)) < ROUNDED.get(kind, 1e-9) * np.ptp(game(masks))


def test_exact_values_are_those_of_the_ensembles_predictions(kind):
    game, predict = ensemble_game(kind, 7, 3)
    table = np.asarray(predict(oracles.every_mask(7)), dtype=np.float64)
    scale = np.ptp(table)
    for name in ("SV", "SII", "FSII"):
        index = resolve_index(name, 3, 7)
        found, exact = game.index_terms(index), oracles.INDICES[name](table, 7, index.max_order)
        differences = [found.get(players, 0.0) - value for players, value in exact.items()]
        assert_allclose(differences, 0.0, atol=10 * ROUNDED.get(kind, 1e-10) * scale, err_msg=name)


@st.composite
def trees(draw, n_features=4, deepest=5):
    """A tree that may test a feature several times on a path, and where two rows go at its nodes."""
    nodes = []

    def grow(depth):
        row = len(nodes)
        is_leaf = depth == deepest or draw(st.integers(0, 3)) == 0
        feature = -1 if is_leaf else draw(st.integers(0, n_features - 1))
        sides = [draw(st.booleans()), draw(st.booleans())]
        nodes.append([feature, -1, -1, draw(st.integers(-9, 9)), *sides])
        if not is_leaf:
            nodes[row][1], nodes[row][2] = grow(depth + 1), grow(depth + 1)
        return row

    grow(0)
    feature, left, right, value, *sides = np.array(nodes).T
    return Tree(feature, left, right, value.astype(float), np.array(sides, dtype=bool))


@settings(max_examples=60, deadline=None)
@given(trees())
def test_paths_are_the_leaves_that_mixed_rows_reach(tree):
    paths = {}
    for path, value in tree.paths():
        paths[path] = paths.get(path, 0.0) + value
    masks = all_masks(4)
    direct = []
    for mask in masks:
        node = 0
        while tree.feature[node] >= 0:
            goes_left = tree.goes_left[int(mask[tree.feature[node]]), node]
            node = (tree.left if goes_left else tree.right)[node]
        direct.append(tree.value[node])
    assert_allclose(Conjunctions.of_paths(paths, 4)(masks), direct)


def test_every_kind_is_in_the_catalogue_at_every_number_of_features():
    names = {f"trees-{name}-{n}" for name in ("lightgbm", "xgboost", "forest") for n in PLAYERS}
    assert {source.name for source in SOURCES} == names
    assert PLAYERS == (30, 60, 200, 1000)
