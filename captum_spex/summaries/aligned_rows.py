"""Results over the same players, whatever the order in which each has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints, Rows
from captum_spex.errors import ArgumentError
from captum_spex.exports.many_rows import distinct, sizes_in_words
from captum_spex.exports.result import Result
from captum_spex.player_sets import PlayerSets, sum_by_set, within

_BLOCK = 1 << 22  # listed terms that are added up at a time


@dataclass(frozen=True, eq=False)
class AlignedRows:
    """Results whose players are joined by name, or by number where no row has names.

    Attributes:
        results: one for every row.
        names: the names of all players, those of the first row first; a name that occurs again in a row is numbered.
        n_players: how many players there are in all.
        numbers: for every row the numbers of its own players among all, ``(row.n_players,)``.
    """

    results: tuple[Result, ...]
    names: tuple[str, ...] | None
    n_players: int
    numbers: tuple[Ints, ...]

    @classmethod
    def of(cls, results: Sequence[Result]) -> AlignedRows:
        """Join the players of results.

        Raises:
            ArgumentError: about ``results``, if only some have names, or none has and the numbers of players differ.
        """
        sizes = sorted({row.n_players for row in results})
        if all(row.names is None for row in results):
            if len(sizes) > 1:
                got, expected = f"rows of {sizes_in_words(results)} players", "the same players in every row, or names"
                raise ArgumentError("results", got, expected, "Players are joined by the `names` given to `explain`.")
            return cls(tuple(results), None, sizes[0], (np.arange(sizes[0]),) * len(results))
        if any(row.names is None for row in results):
            expected = "names of the players in every row, or in none"
            raise ArgumentError("results", "rows with names and rows without", expected)
        own = [distinct(row.names or ()) for row in results]
        place = {name: number for number, name in enumerate(dict.fromkeys(chain.from_iterable(own)))}
        numbers = tuple(np.array([place[name] for name in names], dtype=np.int64) for names in own)
        return cls(tuple(results), tuple(place), len(place), numbers)

    def listed(self) -> tuple[PlayerSets, Floats]:
        """Return the sets that any row lists, over all players, and the sums of their absolute values."""
        found: list[PlayerSets] = []
        sizes: list[Floats] = []
        for row, numbers in zip(self.results, self.numbers, strict=True):
            found.append(row.sets.renumbered(numbers, self.n_players))
            sizes.append(np.abs(row.values))
            if sum(map(len, sizes)) > _BLOCK:
                found, sizes = _added_up(found, sizes)
        found, sizes = _added_up(found, sizes)
        return found[0], sizes[0]

    def present(self, row: int, sets: PlayerSets) -> tuple[Rows, PlayerSets]:
        """Return which sets hold players of a row only, and these in the row's own numbers."""
        numbers, n_own = self.numbers[row], self.results[row].n_players
        place = np.full(self.n_players, -1)
        place[numbers] = np.arange(n_own)
        rows = np.arange(len(sets)) if n_own == self.n_players else np.flatnonzero(within(sets, numbers))
        return rows, sets.take(rows).renumbered(place, n_own)

    def values_of(self, row: int, sets: PlayerSets) -> tuple[Rows, Floats, NDArray[np.bool_]]:
        """Return which sets hold players of a row only, their values in it, and which of these were left out of it.

        The values of sets that were left out are those of the recovered game, exact for that game.
        """
        result = self.results[row]
        rows, own = self.present(row, sets)
        places = own.find(result.sets)
        values = np.where(places < 0, 0.0, result.values[places]) if len(result.values) else np.zeros(len(own))
        is_left_out = (places < 0) & (result.n_left_out > 0)
        if is_left_out.any():
            missing = own.take(np.flatnonzero(is_left_out))
            values[is_left_out] = result.model.index_at(result.resolved_index, missing)
        return rows, values, is_left_out

    def errors_of(self, row: int, sets: PlayerSets) -> tuple[Rows, Floats | None]:
        """Return which sets hold players of a row only, and their standard errors in it, ``None`` if unknown."""
        result = self.results[row]
        rows, own = self.present(row, sets)
        return rows, result.model.std_errors(result.resolved_index, own)


def _added_up(sets: list[PlayerSets], sizes: list[Floats]) -> tuple[list[PlayerSets], list[Floats]]:
    distinct_sets, sums = sum_by_set(PlayerSets.concatenate(sets), np.concatenate(sizes))
    return [distinct_sets], [sums]
