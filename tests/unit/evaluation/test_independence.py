"""Which two masks are evaluated alone, and which differences are rounding."""

from __future__ import annotations

import numpy as np
import pytest

from captum_spex.errors import ArgumentError
from captum_spex.evaluation.independence import Pair, check_alone
from captum_spex.masks import DenseMasks, all_masks

ROWS = np.arange(4)
VALUES = np.array([[0.0], [1.0], [3.0], [2.0]])


def batches_of(masks, size):
    return [np.arange(start, min(start + size, len(masks))) for start in range(0, len(masks), size)]


@pytest.mark.parametrize("size", [2, 3, 5, 16, 32])
@pytest.mark.parametrize("seed", range(5))
def test_one_of_two_inner_masks_moves_however_rows_are_sorted(size, seed):
    masks = all_masks(5)[np.random.default_rng(seed).permutation(32)]
    batches = batches_of(masks, size)
    pair = Pair.among(DenseMasks(masks), batches)
    chosen = masks[pair.rows]
    assert ((chosen.sum(axis=1) > 0) & (chosen.sum(axis=1) < 5)).all()
    assert (chosen[0] != chosen[1]).sum() >= 3
    assert {number for number, rows in enumerate(batches) if np.isin(pair.rows, rows).any()} == pair.batches
    for sign in (1, -1):
        moves = []
        for number in pair.batches:
            rows = batches[number]
            order = np.argsort(sign * masks[rows].sum(axis=1), kind="stable")
            moves += [row for place, row in zip(order, rows, strict=True) if rows[place] != row]
        assert np.isin(pair.rows, moves).any()


def test_masks_that_share_no_call_are_not_compared():
    masks = DenseMasks(all_masks(3))
    assert Pair.among(masks, batches_of(ROWS, 1)) is None
    assert Pair.among(masks, []) is None
    assert set(Pair.among(masks, [np.array([0, 7])]).rows.tolist()) == {0, 7}  # without inner masks, the ends


@pytest.mark.parametrize(
    ("rounding", "difference", "is_refused"),
    [
        (None, 1e-5, False),
        (None, 1e-2, True),
        (2.0**-23, 1e-3, False),
        (2.0**-10, 5e-2, False),
        (2.0**-10, 0.3, True),
        (2.0**-7, 0.2, False),
        (2.0**-7, 1.0, True),
    ],
)
def test_what_is_rounding(rounding, difference, is_refused):
    alone = [(np.array([2]), VALUES[[2]] + difference), (np.array([1]), VALUES[[1]])]
    together = [(ROWS[:2], VALUES[:2]), (ROWS[2:], VALUES[2:])]
    if not is_refused:
        check_alone("batch_size", alone, together, rounding)
        return
    said = rf"`batch_size`: expected 1 .* got several, though a mask of value {3 + difference:g} alone has 3 in a call"
    with pytest.raises(ArgumentError, match=said):
        check_alone("batch_size", alone, together, rounding)


def test_a_small_effect_beside_a_large_constant_counts():
    together = [(ROWS, 1000 + VALUES / 10)]
    check_alone("batch_size", [(ROWS[1:2], 1000 + VALUES[1:2] / 10 + 1e-3)], together)
    with pytest.raises(ArgumentError, match="`batch_size`"):
        check_alone("batch_size", [(ROWS[1:2], 1000 + VALUES[1:2] / 10 + 0.02)], together)
