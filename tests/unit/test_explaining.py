"""The two front doors: a game that is evaluated, and a table of given values."""

from __future__ import annotations

import numpy as np
import pytest
from games import smooth_game
from numpy.testing import assert_array_equal

import captum_spex
from captum_spex.approximators import BoostedTrees, ProxySpex, TableApproximator
from captum_spex.explaining import default_budget
from captum_spex.game import ValueTable
from captum_spex.games.training import from_table
from captum_spex.masks import DenseMasks

MASKS = np.random.default_rng(0).random((90, 9)) < 0.5
VALUES = smooth_game(MASKS)
TREES = ProxySpex(BoostedTrees(n_trees=20))


@pytest.mark.parametrize("settings", [{}, {"budget": 50}, {"index": "FSII", "max_order": 3}, {"max_terms": 5}])
def test_explain_of_a_table_is_explain_table(settings):
    settings = {"approximator": TREES, "random_state": 3, **settings}
    table = from_table(MASKS, VALUES, names=[*"abcdefghi"])
    result = captum_spex.explain_table(table, **settings)
    assert captum_spex.explain(table, **settings).to_json() == result.to_json()
    assert result.names == tuple("abcdefghi")
    assert result.n_evaluations == settings.get("budget", 90)


def test_a_table_needs_no_game():
    values = ValueTable(DenseMasks(MASKS), VALUES[:, None])
    settings = {"approximator": TREES, "random_state": 3}
    expected = captum_spex.explain_table(from_table(MASKS, VALUES), **settings)
    assert captum_spex.explain_table(values, **settings).to_json() == expected.to_json()
    named = captum_spex.explain_table(values, names=[*"ihgfedcba"], **settings)
    assert named.names == tuple("ihgfedcba")


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_outputs_of_a_table_are_results(n_outputs):
    table = from_table(MASKS, np.stack([VALUES, -VALUES], axis=1)[:, :n_outputs])
    results = captum_spex.explain_table(table, approximator=TREES, random_state=3)
    assert isinstance(results, list)
    assert len(results) == n_outputs


def test_any_object_with_a_fit_learns_a_table():
    class Mean:
        def start(self, problem, rng):
            raise AssertionError("a table is not evaluated")

        def fit(self, table, rng):
            return TREES.fit(table, rng)

    assert isinstance(Mean(), TableApproximator)
    ours = captum_spex.explain_table(from_table(MASKS, VALUES), approximator=Mean(), random_state=3)
    theirs = captum_spex.explain_table(from_table(MASKS, VALUES), approximator=TREES, random_state=3)
    assert_array_equal(ours.values, theirs.values)


@pytest.mark.parametrize(("n_players", "expected"), [(1, 2), (9, 512), (10, 512), (100, 2658), (1000, 39864)])
def test_the_default_budget(n_players, expected):
    assert default_budget(n_players) == expected
