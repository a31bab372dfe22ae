"""Terms: a sparse map from sets of players to numbers, the shape of every spectrum and every result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from operator import index as as_index
from typing import Any

import numpy as np
import sparse

from captum_spex import checks
from captum_spex.arrays import Floats, Rows
from captum_spex.errors import OrderError, with_page
from captum_spex.player_sets import PlayerSets

_LARGEST_LINEAR_INDEX = np.iinfo(np.int64).max


class Terms(Mapping[tuple[int, ...], float]):
    """Sets of players with one value each, iterated from the largest absolute value.

    Players are looked up by numbers or, where they have ``names``, by these. Equal absolute values are sorted by order,
    then by a key of the players: the same terms always read the same.

    Example:
        >>> from captum_spex.player_sets import PlayerSets
        >>> terms = Terms(PlayerSets.from_sets([(0,), (0, 2)], 3), np.array([1.0, -2.0]))
        >>> list(terms), terms[(2, 0)], terms.top(1)
        ([(0, 2), (0,)], -2.0, {(0, 2): -2.0})
    """

    sets: PlayerSets
    names: tuple[str, ...] | None = None
    _row_of: dict[tuple[int, ...], int]
    values: Floats  # type: ignore[assignment]  # an array as in `shap.Explanation`, not the method of a dict

    def __init__(self, sets: PlayerSets, values: Floats, *, is_sorted: bool = False) -> None:
        if not is_sorted:
            rows = largest_first(sets, values)
            sets, values = sets.take(rows), np.asarray(values, dtype=np.float64)[rows]
        values.flags.writeable = False
        self._set(sets=sets, values=values, _row_of={})

    def _set(self, **attributes: object) -> None:
        """Set attributes while constructing; afterwards the record is frozen."""
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`{name}` cannot be set: {type(self).__name__} is frozen")

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.sets.n_players

    @property
    def supports(self) -> sparse.COO:
        """Which players belong to which term, a boolean ``sparse.COO`` of shape ``(n_terms, n_players)``."""
        return self.sets.to_coo()

    @property
    def orders(self) -> np.ndarray:
        """Number of players of every term, ``(n_terms,)``."""
        return self.sets.orders

    def __len__(self) -> int:
        return len(self.sets)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self.sets.tuples())

    def __contains__(self, players: object) -> bool:
        try:
            return self._canonical(players) in self._rows()
        except KeyError:  # no players at all
            return False

    def __getitem__(self, players: Sequence[int] | int) -> float:
        key, value = self._listed(players)
        if value is None:
            raise KeyError(key)
        return value

    def _listed(self, players: object, baseline: float | None = None) -> tuple[tuple[int, ...], float | None]:
        """Return the players of a term in order, and its value: ``None`` if it is not listed.

        Args:
            players: as a caller named them.
            baseline: the value of no players.
        """
        key = self._canonical(players)
        row = self._rows().get(key)
        if row is not None:
            return key, float(self.values[row])
        return key, None if key else baseline

    def _check_numbers(self, key: tuple[int, ...]) -> None:
        """Raise for players that there are not."""
        if key[0] < 0 or key[-1] >= self.n_players:
            raise no_term(f"{key}: players are numbered 0 to {self.n_players - 1}")

    def _canonical(self, players: object) -> tuple[int, ...]:
        """Sort the players that a caller named; a single player needs no tuple."""
        chosen = players if isinstance(players, (tuple, list, frozenset, set)) else (players,)
        if self.names is not None:
            return tuple(sorted({self._player(player) for player in chosen}))
        try:
            return tuple(sorted({as_index(player) for player in chosen}))
        except TypeError:
            raise KeyError(players) from None

    def _player(self, player: Any) -> int:
        if not isinstance(player, str):
            try:
                return as_index(player)
            except TypeError:
                raise no_term(player) from None
        names = self.names or ()
        if names.count(player) != 1:
            raise no_term(f"{player!r} names {names.count(player)} players")
        return names.index(player)

    def name_of(self, players: tuple[int, ...]) -> str:
        """Return a term's players in words, joined by ``x``."""
        return " x ".join(self.names[player] if self.names else str(player) for player in players)

    def _rows(self) -> dict[tuple[int, ...], int]:
        if len(self._row_of) != len(self):
            self._row_of.update((players, row) for row, players in enumerate(self))
        return self._row_of

    def top(self, k: int = 10, order: int | None = None) -> dict[tuple[int, ...], float]:
        """Return the ``k`` terms of largest absolute value, of one order if ``order`` is given."""
        rows = np.arange(len(self)) if order is None else np.flatnonzero(self.orders == order)
        chosen = rows[: checks.integer("k", k, 0)]
        return dict(zip(self.sets.take(chosen).tuples(), self.values[chosen].tolist(), strict=True))

    def first_order(self) -> Floats:
        """Return the values of the single players as an array ``(n_players,)``."""
        rows, players = self.sets.of_order(1)
        dense = np.zeros(self.n_players)
        dense[players[:, 0]] = self.values[rows]
        return dense

    def coo(self, order: int, *, symmetric: bool = False) -> sparse.COO:
        """Return the terms of one order as a ``sparse.COO`` of shape ``(n_players,) * order``.

        Entries are at ``i < j < ...``; with ``symmetric=True`` at every permutation of the players.

        Raises:
            OrderError: if ``order`` is below 1, or ``n_players**order`` does not fit a 64-bit index
                (then ``supports`` and ``values`` still work).
        """
        order = checks.integer("order", order, error=OrderError)
        if self.n_players**order > _LARGEST_LINEAR_INDEX:
            fits = max(k for k in range(1, order) if self.n_players**k <= _LARGEST_LINEAR_INDEX)
            expected = f"an integer from 1 to {fits}: with {self.n_players} players a 64-bit index counts no more cells"
            hint = "Use `supports` and `values`, which hold terms of any order."
            raise OrderError("order", str(order), expected, hint)
        rows, players = self.sets.of_order(order)
        ways = list(permutations(range(order))) if symmetric else [tuple(range(order))]
        coordinates = np.concatenate([players[:, list(way)] for way in ways]).T
        data = np.tile(self.values[rows], len(ways))
        return sparse.COO(coordinates, data, shape=(self.n_players,) * order)


def largest_first(sets: PlayerSets, values: Floats) -> Rows:
    """Return the rows of terms from the largest absolute value; equal ones by order, then by a key of the players."""
    return np.lexsort((sets.keys(), sets.orders, -np.abs(values)))


def no_term(message: object, page: str = "quickstart") -> Exception:
    """Return the error of a look-up that cannot be answered."""
    return with_page(KeyError(message), page)
