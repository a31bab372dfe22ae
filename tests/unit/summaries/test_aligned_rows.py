"""Players are joined by name, and every row is asked in its own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from games import random_table, smooth_game
from numpy.testing import assert_allclose, assert_array_equal
from shap_forms import QUICK, exact

import captum_spex
from captum_spex.player_sets import PlayerSets
from captum_spex.summaries import aligned_rows
from captum_spex.summaries.aligned_rows import AlignedRows


def test_numbers_of_the_players_of_every_row():
    rows = [exact(random_table(len(names), 0), len(names), names=names) for names in ("ab", "cba", "ad")]
    aligned = AlignedRows.of(rows)
    assert aligned.names == ("a", "b", "c", "d")
    assert [numbers.tolist() for numbers in aligned.numbers] == [[0, 1], [2, 1, 0], [0, 3]]
    sets = PlayerSets.from_sets([(0, 2), (3,), (1,)], 4)
    present, own = aligned.present(1, sets)
    assert present.tolist() == [0, 2]
    assert own.tuples() == [(0, 2), (1,)]


def test_values_and_errors_in_the_rows_own_numbers():
    rows = [
        captum_spex.explain(smooth_game, 9, budget=100, approximator=QUICK, random_state=0, names=names, max_terms=2)
        for names in ("abcdefghi", "ihgfedcba")
    ]
    aligned = AlignedRows.of(rows)
    sets = PlayerSets.from_sets([(0, 3), (8,), (2, 7), (0,)], 9)
    own = PlayerSets.from_sets([(5, 8), (0,), (1, 6), (8,)], 9)
    present, values, is_left_out = aligned.values_of(1, sets)
    whole = rows[1].to("SII", 2)
    assert present.tolist() == [0, 1, 2, 3]
    assert_allclose(values, [whole[players] for players in own.tuples()], atol=1e-12)
    assert is_left_out.tolist() == [players not in rows[1] for players in own.tuples()]
    assert_array_equal(aligned.errors_of(1, sets)[1], rows[1].errors_of(own))


def test_many_listed_terms_are_added_up_in_blocks(monkeypatch):
    rows = [exact(random_table(5, seed), 5) for seed in range(6)]
    sets, sums = AlignedRows.of(rows).listed()
    monkeypatch.setattr(aligned_rows, "_BLOCK", 20)
    few, few_sums = AlignedRows.of(rows).listed()
    order = few.find(sets)
    assert_allclose(few_sums, sums[order])
    for players, total in zip(sets.tuples(), sums, strict=True):
        assert total == pytest.approx(np.sum([abs(row[players]) for row in rows]))
