"""Choosing the next masks by how much they reduce the variance of the index to explain by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import comb

from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.indices import Index
from captum_spex.masks import Masks, find_rows, first_rows, mask_keys
from captum_spex.model import LinkedExpansion, Posterior
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True, eq=False)
class Slopes:
    r"""A game behind a link h, as far as the values' indices depend on the latent game g: in first order.

    .. math:: I(S) = \sum_T c_S(T)\, h(g(T)), \qquad
              \operatorname{Cov}(I(S), g(x)) \approx \sum_T c_S(T)\, h'(g(T)) \operatorname{Cov}(g(T), g(x))

    Where the link is flat, the latent game need not be known. The sum is taken over random coalitions, equally many of
    every size: ``shares`` ``(n_coalitions,)`` are how many of its size each stands for.
    """

    game: LinkedExpansion
    coalitions: Masks
    shares: Floats

    @classmethod
    def of(cls, game: LinkedExpansion, rng: np.random.Generator) -> Slopes:
        """Draw the coalitions."""
        n, count = game.n_players, SETTINGS.coalitions // (game.n_players + 1)
        drawn = rng.permuted(np.arange(n) < np.repeat(np.arange(n + 1), 3 * count)[:, None], axis=1)
        drawn = drawn[first_rows(mask_keys(drawn))[0]]
        sizes = drawn.sum(axis=1)
        rows = np.concatenate([np.flatnonzero(sizes == size)[:count] for size in range(n + 1)])
        return cls(game, drawn[rows], (comb(n, np.arange(n + 1)) / np.bincount(sizes[rows]))[sizes[rows]])

    def index_covariance(self, posterior: Posterior, index: Index, sets: PlayerSets, masks: Masks) -> Floats:
        """Return the prior covariance of latents at masks with the indices of sets of one order."""
        total = posterior.covariance(masks, self.coalitions) @ self._weights(index, sets)
        own = index.coefficients(masks, sets) * self.game.slopes(masks)[:, None]
        return np.asarray(total + posterior.nugget * own)

    def _weights(self, index: Index, sets: PlayerSets) -> Floats:
        """What every coalition's latent weighs in the indices, with those for which it stands."""
        shares = self.shares * self.game.slopes(self.coalitions)
        return index.coefficients(self.coalitions, sets) * shares[:, None]


def most_informative(
    posterior: Posterior,
    index: Index,
    strongest: PlayerSets,
    candidates: Masks,
    n_masks: int,
    *,
    slopes: Slopes | None = None,
) -> Masks:
    r"""Return ``n_masks`` of the candidates, in complementary pairs, that reduce the indices' summed variance most.

    Evaluating x reduces :math:`\sum_S \operatorname{Var} I(S)` by
    :math:`\sum_S \operatorname{Cov}(I(S), f(x))^2 / \operatorname{Var} f(x)`, given the values so far. Pairs are chosen
    greedily; after each, all covariances are updated by rank one. ``strongest`` are the sets that count: all of them
    weigh alike, as in a mean squared error. Behind a link, whose ``slopes`` are given, f is the latent game: to know it
    is to know the value.

    References:
        Cohn, "Neural network exploration using optimal experiment design", 1996; Krause, Singh, Guestrin, "Near-optimal
        sensor placements in Gaussian processes", JMLR 2008 (greedy choice).
    """
    candidates = _with_complements(candidates, posterior.masks)
    with_masks, among = _covariances(posterior, index, strongest, candidates, slopes)
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


def _covariances(
    posterior: Posterior, index: Index, sets: PlayerSets, candidates: Masks, slopes: Slopes | None
) -> tuple[Floats, Floats]:
    """Posterior covariances of the indices with the candidates' values, and of these with each other."""
    both = np.concatenate([posterior.masks, candidates])
    known = posterior.whitened(posterior.covariance(posterior.masks, candidates))
    among = posterior.covariance(candidates, candidates) - known.T @ known
    among.flat[:: len(among) + 1] += posterior.nugget + float(posterior.noise.mean())
    rows = []
    for _, _, block in sets.by_order():
        group = PlayerSets.from_blocks([block[: SETTINGS.max_sets]], sets.n_players)
        if slopes is None:
            prior = posterior.index_covariance(index, group, both)
        else:
            prior = slopes.index_covariance(posterior, index, group, both)
        at_known, at_candidates = np.split(prior, [len(posterior.masks)])
        explained = posterior.whitened(at_known).T @ known
        rows.append((at_candidates.T - explained) / len(group) ** (SETTINGS.balance / 2))
    return np.concatenate(rows), among
