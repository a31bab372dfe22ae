"""Many sets of players in compressed rows, and the set algebra that the rest of the package needs, vectorised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

import numpy as np
import sparse
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints, Rows
from captum_spex.errors import MaskError
from captum_spex.masks import Keys, find_rows, player_keys

_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class PlayerSets:
    """Sets of players: set ``k`` is ``players[indptr[k]:indptr[k + 1]]``, in increasing order."""

    n_players: int
    indptr: Ints
    players: Ints

    @classmethod
    def from_sets(cls, sets: Iterable[Iterable[int]], n_players: int) -> PlayerSets:
        """Build from any iterables of players; a player named twice in one set counts once."""
        rows = [sorted({int(player) for player in players}) for players in sets]
        indptr = _bounds(np.array([len(row) for row in rows], dtype=np.int64))
        flat = np.array([player for row in rows for player in row], dtype=np.int64)
        if flat.size and not (flat.min() >= 0 and flat.max() < n_players):
            wrong = int(flat[(flat < 0) | (flat >= n_players)][0])
            raise MaskError("players", f"player {wrong}", f"0 to {n_players - 1}, as `n_players` is {n_players}")
        return cls(n_players, indptr, flat)

    @classmethod
    def from_padded(cls, rows: Ints, n_players: int) -> PlayerSets:
        """Build from rows of distinct players in any order, padded with -1 anywhere.

        Example:
            >>> PlayerSets.from_padded(np.array([[-1, 2, 0], [1, -1, -1]]), 3).tuples()
            [(0, 2), (1,)]
        """
        ordered = np.sort(np.where(rows < 0, n_players, rows), axis=1)  # what pads sorts behind every player
        inside = ordered < n_players
        return cls(n_players, _bounds(inside.sum(axis=1)), ordered[inside])

    @classmethod
    def from_blocks(cls, blocks: Sequence[Ints], n_players: int) -> PlayerSets:
        """Build from arrays ``(n_sets, order)`` whose rows are sorted, one array for each order."""
        orders = np.concatenate([np.full(len(b), b.shape[1], dtype=np.int64) for b in blocks] or [_NONE])
        flat = np.concatenate([b.ravel() for b in blocks] or [_NONE]).astype(np.int64)
        return cls(n_players, _bounds(orders), flat)

    @classmethod
    def all_of_order(cls, order: int, n_players: int) -> PlayerSets:
        """All ``C(n_players, order)`` sets of one order, in lexicographic order."""
        if order == 1:
            block = np.arange(n_players)[:, None]
        elif order == 2:
            block = np.stack(np.triu_indices(n_players, k=1), axis=1)
        else:
            count = comb(n_players, order)
            flat = (player for players in combinations(range(n_players), order) for player in players)
            block = np.fromiter(flat, dtype=np.int64, count=count * order).reshape(count, order)
        return cls.from_blocks([block.astype(np.int64)], n_players)

    @classmethod
    def concatenate(cls, many: Sequence[PlayerSets]) -> PlayerSets:
        """All sets of several collections over the same players, repetitions kept."""
        orders = np.concatenate([s.orders for s in many])
        return cls(many[0].n_players, _bounds(orders), np.concatenate([s.players for s in many]))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def orders(self) -> Ints:
        """Number of players of every set, ``(n_sets,)``."""
        return np.diff(self.indptr)

    @property
    def owners(self) -> Rows:
        """The row of the set to which every entry of ``players`` belongs."""
        return np.repeat(np.arange(len(self)), self.orders)

    def by_order(self) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield ``order, rows, block`` with ``block`` the players ``(len(rows), order)`` of the sets at ``rows``."""
        for order in np.unique(self.orders):
            yield int(order), *self.of_order(int(order))

    def of_order(self, order: int) -> tuple[Rows, Ints]:
        """Return the rows of the sets of one order, and their players ``(len(rows), order)``.

        Example:
            >>> PlayerSets.from_sets([(2,), (0, 3), (1,)], 4).of_order(1)
            (array([0, 2]), array([[2],
                   [1]]))
        """
        rows = np.flatnonzero(self.orders == order)
        return rows, self.players[self.indptr[rows][:, None] + np.arange(order)]

    def keys(self) -> Keys:
        """One 64-bit key per set: exact bit sets up to 64 players, else XORs of hashed players.

        Beyond 64 players two different sets share a key with probability ``2**-64``.
        """
        keys = np.zeros(len(self), dtype=np.uint64)
        for order, rows, block in self.by_order():
            if order:
                keys[rows] = np.bitwise_xor.reduce(player_keys(block, self.n_players), axis=1)
        return keys

    def take(self, rows: Rows | Ints) -> PlayerSets:
        """The sets at ``rows``, in that order."""
        orders = self.orders[rows]
        indptr = _bounds(orders)
        within = np.arange(indptr[-1]) - np.repeat(indptr[:-1], orders)
        return PlayerSets(self.n_players, indptr, self.players[np.repeat(self.indptr[:-1][rows], orders) + within])

    def unique(self) -> tuple[PlayerSets, Rows]:
        """Return the distinct sets and, for every set of this collection, the row of its twin among them."""
        _, first, inverse = np.unique(self.keys(), return_index=True, return_inverse=True)
        return self.take(first), inverse.ravel()

    def find(self, known: PlayerSets) -> Rows:
        """Return for every set its row in ``known`` (distinct sets), or -1."""
        return find_rows(self.keys(), known.keys())

    def renumbered(self, numbers: Ints, n_players: int) -> PlayerSets:
        """Return the sets with player ``i`` as player ``numbers[i]`` of ``n_players``; the numbers are distinct.

        Example:
            >>> PlayerSets.from_sets([(0, 2)], 3).renumbered(np.array([8, 7, 4]), 10).tuples()
            [(4, 8)]
        """
        players = numbers[self.players]
        if (np.diff(numbers) < 0).any():  # within a set players increase
            players = players[np.lexsort((players, self.owners))]
        return PlayerSets(n_players, self.indptr, players)

    def subsets(self, order: int) -> tuple[PlayerSets, Rows]:
        """All subsets of one order of every set (repetitions kept), and the row each came from."""
        blocks, parents = [], []
        for size, rows, block in self.by_order():
            if size >= order:
                chosen = list(combinations(range(size), order))
                columns = np.array(chosen, dtype=np.int64).reshape(len(chosen), order)
                blocks.append(block[:, columns].reshape(len(rows) * len(chosen), order))
                parents.append(np.repeat(rows, len(columns)))
        found = np.concatenate(blocks) if blocks else np.zeros((0, order), dtype=np.int64)
        return PlayerSets.from_blocks([found], self.n_players), np.concatenate(parents or [_NONE])

    def tuples(self) -> list[tuple[int, ...]]:
        """The sets as tuples of Python integers."""
        flat, bounds = self.players.tolist(), self.indptr.tolist()
        return [tuple(flat[a:b]) for a, b in pairwise(bounds)]

    def to_coo(self) -> sparse.COO:
        """Boolean membership matrix ``(n_sets, n_players)`` as a ``sparse.COO``."""
        data = np.ones(len(self.players), dtype=np.bool_)
        return sparse.COO(np.stack([self.owners, self.players]), data, shape=(len(self), self.n_players))


def within(sets: PlayerSets, players: Ints) -> NDArray[np.bool_]:
    """Return for every set whether all of its players are among some, ``(n_sets,)``."""
    outside = sets.owners[~np.isin(sets.players, players)]
    return np.bincount(outside, minlength=len(sets)) == 0


def sum_by_set(sets: PlayerSets, values: Floats) -> tuple[PlayerSets, Floats]:
    """Add up the values of equal sets."""
    distinct, inverse = sets.unique()
    return distinct, np.bincount(inverse, weights=values, minlength=len(distinct)).astype(np.float64)


def extended_by_one(sets: PlayerSets) -> PlayerSets:
    """Return the distinct sets that have one player more than one of ``sets``.

    Example:
        >>> extended_by_one(PlayerSets.from_sets([(0,), (1,)], 3)).tuples()
        [(0, 1), (0, 2), (1, 2)]
    """
    grown = [np.sort(supersets(block, 1, sets.n_players)[0], axis=1) for _, _, block in sets.by_order()]
    return PlayerSets.from_blocks(grown, sets.n_players).unique()[0]


def supersets(block: Ints, more: int, n_players: int) -> tuple[Ints, Ints]:
    """Return every set with ``more`` further players, in any order, and the row of ``block`` that it came from."""
    rows = np.arange(len(block))
    for _ in range(more):
        grown = np.column_stack([np.repeat(block, n_players, axis=0), np.tile(np.arange(n_players), len(block))])
        fresh = (grown[:, :-1] != grown[:, -1:]).all(axis=1)
        block, rows = grown[fresh], np.repeat(rows, n_players)[fresh]
    return block, rows


def _bounds(orders: Ints) -> Ints:
    """Return where sets of these orders start and end in one row of players."""
    return np.concatenate([[0], np.cumsum(orders)]).astype(np.int64)
