"""Many masks, a block at a time: unpacked blocks, some columns, sums over all rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.game import ValueTable

ONE_SIDED_95 = 1.645
_BLOCK_CELLS = 1 << 25  # of masks that are unpacked at once: 128 MiB in single precision
_HELD_OUT, _FEWEST_HELD_OUT, _MOST_HELD_OUT = 0.1, 20, 5000

Singles = NDArray[np.float32]


def unpacked_blocks(observed: ValueTable) -> Iterator[tuple[slice, Singles]]:
    """Yield runs of rows, with their masks as single-precision 0 and 1."""
    for start, stop in _runs(observed, observed.masks.n_players):
        yield slice(start, stop), observed.masks.block(np.arange(start, stop)).unpack().astype(np.float32)


def columns_of(observed: ValueTable, players: Ints) -> Singles:
    """Return the presences of some players, ``(n_rows, len(players))``."""
    runs = _runs(observed, max(len(players), observed.masks.n_players // 8))  # whole rows are read
    blocks = [observed.masks.block(np.arange(start, stop)).columns(players) for start, stop in runs]
    return np.concatenate([np.zeros((0, len(players)), dtype=np.bool_), *blocks]).astype(np.float32)


def _runs(observed: ValueTable, width: int) -> list[tuple[int, int]]:
    n_rows, step = len(observed.values), max(1, _BLOCK_CELLS // max(1, width))
    return [(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def sums(data: ValueTable, targets: Singles, *, with_gram: bool) -> tuple[Floats, Floats, Floats | None]:
    """Return how often players are present, their products with the targets, and on request with each other."""
    n_players = data.masks.n_players
    presence, products = np.zeros(n_players), np.zeros((n_players, targets.shape[1]))
    gram = np.zeros((n_players, n_players)) if with_gram else None
    for rows, masks in unpacked_blocks(data):
        presence += masks.sum(axis=0, dtype=np.float64)
        products += masks.T @ targets[rows]
        if gram is not None:
            gram += masks.T @ masks
    return presence, products, gram


def standardised(values: Floats) -> tuple[Singles, Floats, Floats]:
    """Return values of mean 0 and variance 1, and what the means and deviations were."""
    middle = values.mean(axis=0)
    scale = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 1.0)
    return ((values - middle) / scale).astype(np.float32), middle, scale


def units(shares: Floats) -> Floats:
    """Return one over the deviation of every player's presence; 0 for players that never change: no effect."""
    spread = np.sqrt(shares * (1 - shares))
    return np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0.0)


def split(observed: ValueTable, rng: np.random.Generator) -> tuple[ValueTable, ValueTable]:
    """Return rows to learn from, and others, a tenth of them and at most 5,000, to measure the faithfulness on.

    Of few rows a fourth, up to 20: fewer would tell nothing.
    """
    n_masks = len(observed.masks)
    held_out = np.zeros(n_masks, dtype=np.bool_)
    held_out[rng.choice(n_masks, _n_held_out(n_masks), replace=False)] = True
    return observed.at(np.flatnonzero(~held_out)), observed.at(np.flatnonzero(held_out))


def held_out_quality(truth: Floats, left: Floats) -> tuple[float, float]:
    """Return R² on masks that took no part, and a bound that it exceeds with 95 % confidence."""
    variance = float(truth.var()) if len(truth) else 0.0
    if variance == 0:
        return float("nan"), float("nan")
    errors = left**2
    doubt = ONE_SIDED_95 * float(errors.std()) / np.sqrt(len(errors))
    return 1 - float(errors.mean()) / variance, float(1 - (errors.mean() + doubt) / variance)


def _n_held_out(n_masks: int) -> int:
    return min(max(int(_HELD_OUT * n_masks), min(n_masks // 4, _FEWEST_HELD_OUT)), _MOST_HELD_OUT)


def trusted_slope(predicted: Floats, truth: Floats) -> float:
    """Return how far predictions of masks that took no part are to be followed, 0 to 1.

    It is the slope of the values on the predictions, less one standard error: players that were screened by the masks
    of the fit look as if they mattered more than they do.
    """
    if len(truth) < 3 or not predicted.var() > 0:
        return 1.0
    centered, spread = predicted - predicted.mean(), float(predicted.var())
    slope = float((centered * truth).mean() / spread)
    left = truth - truth.mean() - slope * centered
    return float(np.clip(slope - np.sqrt(left.var() / spread / (len(truth) - 2)), 0.0, 1.0))
