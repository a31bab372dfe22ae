"""Results of one smooth game, and how two results are compared."""

from __future__ import annotations

import numpy as np
from games import smooth_game
from numpy.testing import assert_allclose, assert_array_equal

import captum_spex
from captum_spex.approximators import BoostedTrees, GaussianProcess, ProxySpex
from captum_spex.masks import all_masks

NAMES = ("age", "area", "bmi", "dose", "eye", "fat", "gene", "hair", "iron")
TREES = ProxySpex(BoostedTrees(n_trees=30, learning_rate=0.3))
PROCESS = ProxySpex(GaussianProcess(n_steps=10))


def estimate(budget=150, n=9, approximator=PROCESS, **settings):
    return captum_spex.explain(smooth_game, n, budget=budget, approximator=approximator, random_state=0, **settings)


def assert_same(one, two):
    assert dict(one) == dict(two)
    assert list(one) == list(two)
    for name in ("index", "max_order", "n_players", "baseline", "n_evaluations", "names", "n_left_out"):
        assert getattr(one, name) == getattr(two, name), name
    assert_array_equal(one.faithfulness, two.faithfulness)  # NaN equals NaN here
    assert (one.std_errors is None) == (two.std_errors is None)
    if one.std_errors is not None:
        assert_allclose(one.std_errors, two.std_errors, rtol=1e-9)
    masks = all_masks(one.n_players) if one.n_players < 12 else np.eye(one.n_players, dtype=bool)
    assert_allclose(one.model(masks), two.model(masks), rtol=1e-12, atol=1e-12)
