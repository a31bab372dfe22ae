"""Games of rows: each value is kept, and a row that fails says so without raising."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from captum_spex.explainers.row_games import KeptGame, RowsGame

MASKS = np.array([[True, False, True], [False, False, True], [True, True, True]])


def game(function, n_outputs=0, batch_argument=None):
    """A game that counts its masks."""
    calls = []

    def values(masks):
        calls.extend(masks.tolist())
        found = function(masks)
        return np.stack([found] * n_outputs, axis=1) if n_outputs else found

    values.n_players, values.batch_argument, values.rounding = 3, batch_argument, 1e-6
    values.without = np.zeros(n_outputs) if n_outputs else np.float64(0)
    values.plan_batches = lambda masks: [np.arange(len(masks))]
    values.calls = calls
    return values


def size(masks):
    return masks.sum(axis=1).astype(float)


def test_a_mask_is_evaluated_once():
    inner = game(size)
    kept = KeptGame(inner)
    assert_array_equal(kept(MASKS), [2, 1, 3])
    assert_array_equal(kept(MASKS[::-1]), [3, 1, 2])
    assert len(inner.calls) == 3


def test_but_again_where_it_is_compared_with_itself_alone():
    inner = game(size, batch_argument="batch_size")
    kept = KeptGame(inner)
    assert_array_equal(kept(MASKS), kept(MASKS))
    assert len(inner.calls) == 6
    kept.recalls = True
    assert_array_equal(kept(MASKS), [2, 1, 3])
    assert len(inner.calls) == 6


def test_failures_are_remembered():
    for function in (lambda masks: 1 / 0, lambda masks: np.full(len(masks), np.inf)):
        kept = KeptGame(game(function))
        assert_array_equal(kept.columns(MASKS), np.zeros((3, 1)))
        assert kept.failed


def test_rows_side_by_side():
    games = [KeptGame(game(size, 2)), KeptGame(game(lambda masks: 1 / 0, 2)), KeptGame(game(lambda m: -size(m), 2))]
    rows = RowsGame(games)
    assert_array_equal(rows(MASKS)[0], [2, 2, 0, 0, -2, -2])
    assert [one.failed for one in games] == [False, True, False]
    assert (rows.n_players, len(rows.plan_batches(MASKS))) == (3, 1)
    assert rows.batch_argument is None
