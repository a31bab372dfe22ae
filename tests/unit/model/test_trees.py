"""The spectrum of trees is what the trees predict."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from numpy.testing import assert_allclose

from captum_spex.masks import all_masks
from captum_spex.model import TreeEnsemble


def train(masks, values, **settings):
    parameters = {"objective": "l2", "verbosity": -1, "min_data_in_bin": 1, "num_threads": 1} | settings
    data = lightgbm.Dataset(masks.astype(np.float32), values, params={"verbosity": -1})
    return lightgbm.train(parameters, data, num_boost_round=20)


def by_hand(n_players, *trees):
    """Trees as nested tuples ``(player, absent, present)`` with numbers for leaves."""
    rows, roots = [], []

    def add(tree):
        row = len(rows)
        rows.append(None)
        if isinstance(tree, tuple):
            rows[row] = (tree[0], add(tree[1]), add(tree[2]), 0.0)
        else:
            rows[row] = (-1, -1, -1, tree)
        return row

    roots = [add(tree) for tree in trees]
    player, absent, present, value = (np.array(column) for column in zip(*rows, strict=True))
    return TreeEnsemble(n_players, player, absent, present, value.astype(float), np.array(roots))


def predict(tree, mask):
    while isinstance(tree, tuple):
        tree = tree[2] if mask[tree[0]] else tree[1]
    return tree


@pytest.mark.parametrize(
    ("n", "settings"),
    [
        (6, {"num_leaves": 8}),
        (20, {"num_leaves": 31, "max_depth": 5}),
        (20, {"num_leaves": 63, "max_depth": 10, "min_child_samples": 2}),
        (70, {"num_leaves": 31, "max_depth": 6}),
    ],
)
def test_lightgbm_predictions_are_the_values_of_the_spectrum(rng, n, settings):
    masks = rng.random((400, n)) < 0.5
    values = masks[:, 0] + 2.0 * (masks[:, 1] & masks[:, 5]) + rng.normal(size=400)
    booster = train(masks, values, **settings)
    spectrum = TreeEnsemble.from_lightgbm(booster.model_to_string(), n).spectrum()
    others = rng.random((300, n)) < 0.5
    assert_allclose(spectrum(others), booster.predict(others.astype(np.float32)), atol=1e-9)


def test_boosters_whose_trees_are_single_leaves(rng):
    masks = rng.random((30, 4)) < 0.5
    booster = train(masks, np.full(30, 2.5))
    spectrum = TreeEnsemble.from_lightgbm(booster.model_to_string(), 4).spectrum()
    assert_allclose(spectrum(all_masks(4)), np.full(16, 2.5))
    several = TreeEnsemble.from_lightgbm(3 * booster.model_to_string(), 4).spectrum()  # no line names a player
    assert_allclose(several(all_masks(4)), np.full(16, 7.5))


def test_some_trees_single_leaves_and_some_not(rng):
    masks = rng.random((60, 4)) < 0.5
    boosters = [train(masks, np.full(60, 2.5)), train(masks, masks[:, 0] * 1.0), train(masks, np.full(60, -1.0))]
    text = "".join(booster.model_to_string() for booster in boosters)
    others = all_masks(4)
    expected = sum(booster.predict(others.astype(np.float32)) for booster in boosters)
    assert_allclose(TreeEnsemble.from_lightgbm(text, 4).spectrum()(others), expected, atol=1e-9)


def test_one_split_by_hand():
    spectrum = by_hand(3, (1, 5.0, 1.0)).spectrum()
    assert dict(spectrum) == {(): 3.0, (1,): 2.0}


def test_leaf_only_trees_by_hand():
    assert dict(by_hand(2, 1.5, 2.0).spectrum()) == {(): 3.5}


@pytest.mark.parametrize(
    "tree",
    [
        (0, (0, 1.0, 100.0), (0, -100.0, 2.0)),  # the second test of player 0 is decided already
        (0, (1, (0, 1.0, 50.0), 3.0), (2, 4.0, (0, -50.0, (1, 5.0, 6.0)))),
        (2, (1, (2, (1, 7.0, 9.0), 9.0), (2, 8.0, 9.0)), (0, (2, 9.0, 1.0), (0, 9.0, (2, 9.0, 2.0)))),
    ],
)
def test_paths_that_test_the_same_player_twice(tree):
    masks = all_masks(3)
    expected = [predict(tree, mask) for mask in masks]
    assert_allclose(by_hand(3, tree).spectrum()(masks), expected, atol=1e-12)


def test_a_forest_is_the_sum_of_its_trees():
    trees = [(0, 1.0, (1, 2.0, 3.0)), 4.0, (2, (0, 5.0, 6.0), 7.0)]
    masks = all_masks(3)
    expected = [sum(predict(tree, mask) for tree in trees) for mask in masks]
    assert_allclose(by_hand(3, *trees).spectrum()(masks), expected, atol=1e-12)


def test_trees_that_are_too_deep_say_so():
    tree = 0.0
    for player in range(28):
        tree = (player, 0.0, tree)
    with pytest.raises(MemoryError, match="max_depth"):
        by_hand(28, tree).spectrum()
