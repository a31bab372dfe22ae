"""Sums of conjunctions of players present and absent: trees, additive models, Möbius terms; all indices are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from captum_spex.arrays import Floats, Ints
from captum_spex.indices import Index, IndexTerms
from captum_spex.masks import as_masks, in_batches
from captum_spex.player_sets import PlayerSets, sum_by_set

Conjunction = frozenset[tuple[int, int]]
"""Players with their signs: 1 where the player must be present, -1 where it must be absent."""
_CELLS = 1 << 22  # of a block of masks and conjunctions


@dataclass(frozen=True, eq=False)
class Conjunctions:
    r"""The game that adds ``values[t]`` where all players of the conjunction t are present, or absent, as it says.

    The conjunction of A absent and B present is :math:`\prod_{i \in A} (1 - m_i) \prod_{i \in B} m_i`. For S among
    its players, of whom a of A and b of B are outside S, its difference over S has the mean
    :math:`(-1)^{|S \cap A|} p^b (1-p)^a`, so every index is that of a coalition (`Functional.of_coalition`): SII is
    :math:`(-1)^{|S \cap A|} a!\, b! / (a + b + 1)!`. For all other sets it is 0.

    Attributes:
        n_players: number of players.
        players: those of every conjunction, ``(n_terms, longest)``, padded with -1.
        signs: 1 where one must be present, -1 where it must be absent, 0 where there is none, of the same shape.
        values: float64 ``(n_terms,)``.

    Example:
        >>> game = Conjunctions.of_paths({frozenset({(0, 1), (2, -1)}): 3.0}, n_players=3)
        >>> game([[True, True, False], [True, True, True]])
        array([3., 0.])
    """

    n_players: int
    players: Ints
    signs: Ints
    values: Floats

    @classmethod
    def of_paths(cls, paths: Mapping[Conjunction, float], n_players: int) -> Conjunctions:
        """Lay out conjunctions with their values."""
        width = max(map(len, paths), default=0)
        players, signs = np.full((len(paths), width), -1), np.zeros((len(paths), width), dtype=np.int64)
        for row, path in enumerate(paths):
            for column, (player, sign) in enumerate(sorted(path)):
                players[row, column], signs[row, column] = player, sign
        return cls(n_players, players, signs, np.array(list(paths.values()), dtype=np.float64))

    @classmethod
    def of_moebius(cls, terms: Mapping[tuple[int, ...], float], n_players: int) -> Conjunctions:
        """Return the game with these Möbius coefficients."""
        paths = {frozenset((player, 1) for player in players): value for players, value in terms.items()}
        return cls.of_paths(paths, n_players)

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``; that of a mask does not depend on the others, to the last bit."""
        presence = as_masks(masks, self.n_players).T.astype(np.float32)
        values = np.zeros(presence.shape[1])
        step = max(1, _CELLS // max(1, len(self.values)))
        for some in in_batches(len(values), step) if len(values) else []:
            holds = self._tests @ presence[:, some] == self._n_present[:, None]
            values[some] = csr_array(holds.T) @ self.values
        return values

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of players where it is not 0."""
        found = [self._of_order(index, order) for order in range(1, index.max_order + 1)]
        empty = self._weights(index, 0)[self._n_present.astype(np.int64), self._n_absent]
        sets, values = PlayerSets.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])
        rows = np.flatnonzero(values)
        return IndexTerms(index, sets.take(rows), values[rows], float(empty @ self.values))

    @cached_property
    def _tests(self) -> csr_array:
        """The signs, ``(n_terms, n_players)``: times a mask it is the number of present players that must be so."""
        rows, columns = np.nonzero(self.signs)
        place = rows, self.players[rows, columns]
        return csr_array((self.signs[rows, columns].astype(np.float32), place), (len(self.values), self.n_players))

    @cached_property
    def _n_present(self) -> Floats:
        return (self.signs > 0).sum(axis=1).astype(np.float32)

    @cached_property
    def _n_absent(self) -> Ints:
        return (self.signs < 0).sum(axis=1)

    def _weights(self, index: Index, order: int) -> Floats:
        """Return the index of a conjunction's sets of one order but for the sign, by b and a."""
        counts = np.arange(self.players.shape[1] + 1, dtype=np.float64)
        return index.functional(order).of_coalition(counts[:, None], counts)

    def _of_order(self, index: Index, order: int) -> tuple[PlayerSets, Floats]:
        weights = self._weights(index, order)
        blocks, values = [np.zeros((0, order), dtype=np.int64)], [np.zeros(0)]
        for columns in map(list, combinations(range(self.players.shape[1]), order)):
            signs = self.signs[:, columns]
            rows = np.flatnonzero((signs != 0).all(axis=1))
            present = (self.signs[rows] > 0).sum(axis=1) - (signs[rows] > 0).sum(axis=1)
            absent = (self.signs[rows] < 0).sum(axis=1) - (signs[rows] < 0).sum(axis=1)
            blocks.append(self.players[rows][:, columns])
            values.append(self.values[rows] * signs[rows].prod(axis=1) * weights[present, absent])
        return sum_by_set(PlayerSets.from_blocks(blocks, self.n_players), np.concatenate(values))
