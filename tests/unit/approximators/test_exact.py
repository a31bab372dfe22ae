"""Enumeration of all coalitions."""

from __future__ import annotations

import oracles
import pytest
from games import Counting, random_table
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.approximators import Exact
from captum_spex.errors import BudgetError


def test_every_mask_is_evaluated_once() -> None:
    table = random_table(5, 0)
    game = Counting(oracles.as_game(table))
    result = captum_spex.explain(game, 5, budget=32, approximator=Exact())
    assert game.n_rows == game.n_distinct == result.n_evaluations == 32
    expected = oracles.INDICES["SII"](table, 5, 2)
    assert_allclose([result[players] for players in expected], list(expected.values()), atol=1e-12)
    assert (result.faithfulness, result.diagnostics) == (1.0, {"method": "exact: every mask was evaluated"})


def test_a_budget_that_does_not_hold_every_mask_is_refused() -> None:
    message = r"`budget`: expected at least 2\*\*5 = 32, as `Exact` evaluates every coalition, got 31. Use "
    with pytest.raises(BudgetError, match=message):
        captum_spex.explain(len, 5, budget=31, approximator=Exact())
