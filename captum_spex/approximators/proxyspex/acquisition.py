"""Choosing the next masks by how much they reduce the variance of the index to explain by."""

from __future__ import annotations

import numpy as np

from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.indices import Index
from captum_spex.masks import Masks, find_rows, mask_keys
from captum_spex.model import Posterior
from captum_spex.player_sets import PlayerSets


def most_informative(
    posterior: Posterior, index: Index, strongest: PlayerSets, candidates: Masks, n_masks: int
) -> Masks:
    r"""Return ``n_masks`` of the candidates, in complementary pairs, that reduce the indices' summed variance most.

    Evaluating x reduces :math:`\sum_S \operatorname{Var} I(S)` by
    :math:`\sum_S \operatorname{Cov}(I(S), f(x))^2 / \operatorname{Var} f(x)`, given the values so far. Pairs are chosen
    greedily; after each, all covariances are updated by rank one. ``strongest`` are the sets that count: all of them
    weigh alike, as in a mean squared error.

    References:
        Cohn, "Neural network exploration using optimal experiment design", 1996; Krause, Singh, Guestrin, "Near-optimal
        sensor placements in Gaussian processes", JMLR 2008 (greedy choice).
    """
    candidates = _with_complements(candidates, posterior.masks)
    with_masks, among = _covariances(posterior, index, strongest, candidates)
    free = np.ones(len(candidates), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(n_masks, len(candidates))):
        if len(chosen) % 2:
            row = chosen[-1] ^ 1  # the complement of the one before
        else:
            gains = (with_masks**2).sum(axis=0) / np.maximum(among.diagonal(), SETTINGS.min_variance)
            row = int(np.where(free, gains, -1.0).argmax())
        chosen.append(row)
        free[row] = False
        variance = max(float(among[row, row]), SETTINGS.min_variance)
        direction = among[row] / variance
        with_masks = with_masks - np.outer(with_masks[:, row], direction)
        among = among - np.outer(among[row], direction)
    return candidates[chosen]


def _with_complements(candidates: Masks, taken: Masks) -> Masks:
    """Return the candidates that are new, every one followed by its complement, if that is new too."""
    known = mask_keys(taken)
    fresh = (find_rows(mask_keys(candidates), known) < 0) & (find_rows(mask_keys(~candidates), known) < 0)
    keys = np.minimum(mask_keys(candidates), mask_keys(~candidates))
    _, first = np.unique(keys, return_index=True)
    chosen = candidates[np.intersect1d(first, np.flatnonzero(fresh))]
    return np.stack([chosen, ~chosen], axis=1).reshape(-1, candidates.shape[1])


def _covariances(posterior: Posterior, index: Index, sets: PlayerSets, candidates: Masks) -> tuple[Floats, Floats]:
    """Posterior covariances of the indices with the candidates' values, and of these with each other."""
    known = posterior.whitened(posterior.covariance(posterior.masks, candidates))
    among = posterior.covariance(candidates, candidates) - known.T @ known
    among.flat[:: len(among) + 1] += posterior.nugget + float(posterior.noise.mean())
    rows = []
    for _, _, block in sets.by_order():
        group = PlayerSets.from_blocks([block[: SETTINGS.max_sets]], sets.n_players)
        prior = posterior.index_covariance(index, group, candidates).T
        explained = posterior.whitened(posterior.index_covariance(index, group, posterior.masks)).T @ known
        rows.append((prior - explained) / len(group) ** (SETTINGS.balance / 2))
    return np.concatenate(rows), among
