"""Single columns and products of columns that explain values: found greedily, fitted together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captum_spex.approximators.proxyspex.ard_regression import ard_weights
from captum_spex.approximators.proxyspex.many_players.blocked_table import Singles
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Ints
from captum_spex.player_sets import PlayerSets


def find_products(centered: Singles, targets: Floats) -> tuple[list[tuple[int, ...]], Floats]:
    """Return sets of the given columns that explain the targets, every single column among them, and their weights.

    Products are sought in the residuals of single columns, then of single columns and pairs, and so on.
    """
    n_rows, n_columns = centered.shape
    sets: list[tuple[int, ...]] = [(column,) for column in range(n_columns)]
    features = centered.astype(np.float64)
    weights, _ = ard_weights(features, targets)
    for degree in range(2, min(SETTINGS.product_degree, n_columns) + 1):
        parents = [players for players in sets if len(players) == degree - 1]
        residuals = (targets - features @ weights).astype(np.float32)
        room = min(SETTINGS.product_terms, n_rows // 4 - len(sets) + n_columns)
        if room <= 0 or not parents or not residuals.any():
            break
        limit = 2 * np.log(max(2, len(parents) * n_columns)) + SETTINGS.strictness
        known = set(sets)
        grown = _grown(centered, residuals, parents)
        new = [players for players, score in grown if score > limit and players not in known]
        if new:
            sets += new[:room]
            features = np.concatenate([features, features_of(centered, new[:room])], axis=1)
            weights, _ = ard_weights(features, targets)
    return sets, weights


def _grown(
    centered: Singles, residuals: Singles, parents: Sequence[tuple[int, ...]]
) -> list[tuple[tuple[int, ...], float]]:
    """Return parents with one more player, the squared z-score of each, the best first."""
    features = features_of(centered, parents).astype(np.float32)
    covered = (features * residuals[:, None]).T @ centered
    power = (features**2).T @ centered**2
    scores = covered.astype(np.float64) ** 2 / np.maximum(power, 1e-12) / float(residuals.var())
    best: dict[tuple[int, ...], float] = {}
    for flat in np.argsort(-scores, axis=None)[: 4 * SETTINGS.product_terms]:
        parent, player = divmod(int(flat), centered.shape[1])
        players = tuple(sorted({*parents[parent], player}))
        if len(players) > len(parents[parent]):
            best.setdefault(players, float(scores[parent, player]))
    return list(best.items())


def features_of(centered: Singles, sets: Sequence[tuple[int, ...]]) -> Floats:
    """Return the products of columns, ``(n_rows, n_sets)``."""
    features = np.ones((len(centered), len(sets)), dtype=np.float32)
    for _, rows, block in PlayerSets.from_sets(sets, centered.shape[1]).by_order():
        for column in block.T:
            features[:, rows] *= centered[:, column]
    return features.astype(np.float64)


def largest(values: Floats, count: int) -> Ints:
    """Return the rows of the ``count`` largest values, in no order."""
    if count >= len(values):
        return np.arange(len(values))
    return np.argpartition(-values, count)[:count].astype(np.int64)
