"""Tables that are read block by block, and what held-out rows say of a fit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.approximators import FitLimits
from captum_spex.approximators.proxyspex.many_players.blocked_table import (
    BlockedTable,
    inverse_deviations,
    n_held_out,
    trusted_slope,
)
from captum_spex.masks import PackedMasks


@pytest.mark.parametrize("block_cells", [1, 90, 1 << 25])
def test_blocks_are_the_table(rng: np.random.Generator, block_cells: int) -> None:
    masks, values = rng.random((50, 30)) < 0.5, rng.normal(size=(50, 2)).astype(np.float32)
    table = BlockedTable(PackedMasks.of(masks), values.astype(np.float64), FitLimits(block_cells=block_cells))
    assert_array_equal(np.concatenate([block for _, block in table.blocks()]), masks)
    assert_array_equal(np.concatenate([values[rows] for rows, _ in table.blocks()]), values)
    assert_array_equal(table.columns(np.array([7, 2])), masks[:, [7, 2]])
    presence, products, gram = table.sums(values, with_gram=True)
    assert_array_equal(presence, masks.sum(axis=0))
    assert_allclose(products, masks.T @ values, rtol=1e-4, atol=1e-4)
    assert_array_equal(gram, masks.T.astype(int) @ masks.astype(int))


def test_a_split_parts_the_rows(rng: np.random.Generator) -> None:
    table = BlockedTable(PackedMasks.of(rng.random((300, 9)) < 0.5), np.arange(300.0)[:, None], FitLimits())
    rows, held_out = table.split(rng)
    assert len(held_out) == len(held_out.masks) == 30
    assert sorted([*rows.values.ravel(), *held_out.values.ravel()]) == list(range(300))


@pytest.mark.parametrize(
    ("n_masks", "count"), [(1, 0), (12, 3), (80, 20), (150, 20), (300, 30), (20_000, 2000), (10**6, 5000)]
)
def test_a_tenth_is_held_out_but_neither_very_few_nor_very_many(n_masks: int, count: int) -> None:
    assert n_held_out(n_masks) == count


def test_players_that_never_change_have_no_deviation() -> None:
    assert inverse_deviations(np.array([0.0, 0.5, 0.8, 1.0])).tolist() == [0.0, 2.0, 2.5, 0.0]


def test_predictions_are_trusted_as_far_as_the_values_follow_them(rng: np.random.Generator) -> None:
    predicted = rng.normal(size=2000)
    assert trusted_slope(predicted, predicted) == pytest.approx(1.0)
    assert trusted_slope(predicted, rng.normal(size=2000)) < 0.05
    assert 0.4 < trusted_slope(predicted, 0.5 * predicted + 0.1 * rng.normal(size=2000)) < 0.5
    assert trusted_slope(predicted, -predicted) == 0.0
    assert trusted_slope(predicted[:2], predicted[:2]) == 1.0  # too few to say
