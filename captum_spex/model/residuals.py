"""Residuals: with them a recovered game takes its observed value at every evaluated mask, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Any, ClassVar

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.indices import Index
from captum_spex.masks import Masks, find_rows, mask_keys, masks_from_hex, masks_to_hex
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True)
class Limits:
    """Where one way of computing gives way to another, all by memory."""

    players_of_matrix: int = 4096  # all pairs as one matrix product: 128 MiB
    players_of_table: int = 20  # the transform of a full table: 8 MiB
    cells: int = 1 << 22  # of a block of products: 32 MiB


class Residuals:
    r"""A game that is ``values[t]`` at ``masks[t]`` (distinct rows) and 0 at all other masks.

    Its index is :math:`I(S) = \sum_t \delta_t\, c_S(T_t)` with the index's own coefficient of each coalition
    (`Index.coalition_weights`), a function of :math:`a = |S \cap T|` and :math:`|T|`. Written in forward
    differences over ``a`` it is a sum over :math:`L \subseteq S` of weighted counts of the masks that contain
    :math:`L`, so all pairs cost one matrix product, :math:`O(T n^2)`.
    """

    kind: ClassVar[str] = "residuals"
    concerns_all: ClassVar[bool] = True
    limits = Limits()

    def __init__(self, masks: Masks, values: Floats) -> None:
        self.masks = masks
        self.values = values

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.masks.shape[1]

    @cached_property
    def _presence(self) -> Floats:
        return self.masks.astype(np.float64)

    @cached_property
    def _sizes(self) -> np.ndarray:
        return self.masks.sum(axis=1)

    def __call__(self, masks: Masks) -> Floats:
        """Return the residual of every mask, 0 where it was not evaluated."""
        rows = find_rows(mask_keys(masks), mask_keys(self.masks))
        return np.where(rows >= 0, np.append(self.values, 0.0)[rows], 0.0)

    def baseline(self, index: Index) -> float:
        """Return the index of the empty set."""
        weights = index.coalition_weights(0, self.n_players)[0]
        return float(self.values @ weights[self._sizes])

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the index of every set."""
        values = np.zeros(len(sets))
        for order, rows, block in sets.by_order():
            differences = _forward_differences(index.coalition_weights(order, self.n_players))
            for size in range(order + 1):
                weights = self.values * differences[size][self._sizes]
                for columns in combinations(range(order), size):
                    values[rows] += self._weighted_counts(weights, block[:, list(columns)])
        return values

    def candidates(self, max_order: int) -> PlayerSets:
        """Suggest no set: the residual of a single mask concerns all sets alike."""
        return PlayerSets.from_sets([], self.n_players)

    def largest_terms(self, max_terms: int) -> Spectrum:
        """Return the largest Fourier terms where the players are few, and none beyond 20 players.

        The residual of one mask contributes ``residual / 2**n_players`` to every term: with many players it vanishes.
        """
        if self.n_players > self.limits.players_of_table:
            return Spectrum.from_terms({}, self.n_players)
        table = np.zeros(1 << self.n_players)
        table[self.masks @ (1 << np.arange(self.n_players))] = self.values
        return Spectrum.from_values(table, self.n_players).largest_terms(max_terms)

    def scaled(self, factor: float) -> Residuals:
        """Return ``factor`` times the game."""
        return Residuals(self.masks, factor * self.values)

    def to_dict(self) -> dict[str, Any]:
        """Return the masks, packed and in hexadecimal, and the residuals, for JSON."""
        masks = masks_to_hex(self.masks)
        return {"n_players": self.n_players, "masks": masks, "values": self.values.tolist()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Residuals:
        """Read what `to_dict` returned."""
        masks = masks_from_hex(content["masks"], content["n_players"])
        return cls(masks, np.array(content["values"], dtype=np.float64))

    def _weighted_counts(self, weights: Floats, block: np.ndarray) -> Floats:
        """For every row of players, sum the weights of the masks in which all of them are present."""
        n_sets, size = block.shape
        if size == 0:
            return np.full(n_sets, weights.sum())
        if size == 1:
            return (weights @ self._presence)[block[:, 0]]
        if size == 2 and self.n_players <= self.limits.players_of_matrix and n_sets > self.n_players:
            return (self._presence.T @ (weights[:, None] * self._presence))[block[:, 0], block[:, 1]]
        counts = np.empty(n_sets)
        step = max(1, self.limits.cells // max(1, len(weights)))
        for start in range(0, n_sets, step):
            chosen = block[start : start + step]
            together = self._presence[:, chosen[:, 0]]
            for column in range(1, size):
                together *= self._presence[:, chosen[:, column]]
            counts[start : start + step] = weights @ together
        return counts


def _forward_differences(weights: Floats) -> list[Floats]:
    """Return the 0th, 1st, ... forward difference over ``a`` at ``a = 0`` of a table ``(a, size)``."""
    rows = range(len(weights))
    return [np.sum([(-1.0) ** (j - a) * comb(j, a) * weights[a] for a in range(j + 1)], axis=0) for j in rows]
