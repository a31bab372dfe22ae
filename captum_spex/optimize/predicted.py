"""The best subsets of a size for anything that predicts values: all are tried, or the best so far are built upon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from captum_spex.arrays import Floats, Ints
from captum_spex.masks import Masks, first_rows, mask_keys

ENUMERATED = 20_000
"""Sets up to which all of a size are tried."""
WIDTH = 32
"""Sets of a size that are kept and built upon, beyond that."""
_ROWS = 1 << 14  # masks that are predicted at once


@dataclass(frozen=True, eq=False)
class Subsets:
    """Subsets of one size, the best first: masks ``(n_sets, n_players)``, and what was to be large, ``(n_sets,)``."""

    masks: Masks
    values: Floats

    def best(self, n_sets: int) -> Subsets:
        """Return the first of them, ties by the players' numbers."""
        order = np.argsort(-self.values, kind="stable")[:n_sets]
        return Subsets(self.masks[order], self.values[order])


class BestSubsets:
    r"""The best subsets of every size, :math:`\max_{|S| = k} g(S)`, for any function of masks.

    Up to 20,000 sets of a size are all tried, which is exact. Beyond, one player is added to each of the 32 best sets
    of the size below (a beam), the best of which are kept: no proof, but it follows redundant and complementary players
    where a ranking of single players does not.

    Args:
        objective: what is to be large, from masks to ``(n_masks,)``.
        n_players: width of the masks.

    Example:
        >>> import numpy as np
        >>> search = BestSubsets(lambda masks: masks @ [1.0, 3.0, 2.0] - 5.0 * (masks[:, 1] & masks[:, 2]), 3)
        >>> [np.flatnonzero(search.of_size(size).masks[0]).tolist() for size in range(3)]
        [[], [1], [0, 1]]
    """

    def __init__(self, objective: Callable[[Masks], Floats], n_players: int) -> None:
        self._objective = objective
        self._n_players = n_players
        self._known: dict[int, Subsets] = {}

    def of_size(self, size: int) -> Subsets:
        """Return the best subsets of a size, the best first, at least one."""
        if size not in self._known:
            self._known[size] = self._searched(size)
        return self._known[size]

    def _searched(self, size: int) -> Subsets:
        n = self._n_players
        if comb(n, size) <= ENUMERATED:
            players = np.array(list(combinations(range(n), size)), dtype=np.int64).reshape(comb(n, size), size)
            return self._valued(_with(np.zeros((len(players), n), dtype=np.bool_), players))
        below = self.of_size(size - 1).best(WIDTH).masks
        parents, added = np.nonzero(~below)
        grown = _with(below[parents], added[:, None])
        return self._valued(grown[np.sort(first_rows(mask_keys(grown))[0])]).best(WIDTH)

    def _valued(self, masks: Masks) -> Subsets:
        blocks = range(0, len(masks), _ROWS)
        values = np.concatenate([self._objective(masks[start : start + _ROWS]) for start in blocks])
        return Subsets(masks, values).best(len(masks))


def _with(masks: Masks, players: Ints) -> Masks:
    masks[np.arange(len(masks))[:, None], players] = True
    return masks
