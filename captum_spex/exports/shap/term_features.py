"""Players and groups of players as features, and names that SHAP's plots show as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.columns import Column
from captum_spex.exports.many_rows import check_alike, distinct
from captum_spex.exports.result import Result
from captum_spex.exports.shap.additive_values import base_values, summing, totals
from captum_spex.player_sets import PlayerSets

OTHER_TERMS = "other terms"
_TIMES = " × "  # noqa: RUF001
_CANDIDATES = 1000  # largest terms of every row, from which the largest on average are chosen
_ROUNDING = 1e-12  # share of the largest number below which a value is 0
_NEGLIGIBLE = 1e-9  # share of the largest number below which other terms need no feature

Players = tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class TermTable:
    """The largest terms of many rows, by name.

    Attributes:
        results: one for every row, in an index whose terms add up to the prediction.
        groups: the names of the players of every term.
        players: for every row the players of every term, ``None`` where it lacks one.
    """

    results: list[Result]
    groups: list[tuple[str, ...]]
    players: list[list[Players]]

    @classmethod
    def of(cls, rows: list[Result], max_terms: int) -> TermTable:
        """Choose the terms of the largest mean absolute value."""
        results = [summing(row, "form") for row in rows]
        check_alike(results)
        names = [distinct(names_of(row.names, row.n_players)) for row in rows]
        groups = _candidates(results, names)
        table = cls(results, groups, [_players_of(groups, own) for own in names])
        sizes = np.abs(table.values).sum(axis=0)
        chosen = [k for k in np.argsort(-sizes, kind="stable")[:max_terms] if sizes[k] > _ROUNDING * table.scale]
        kept = [[own[k] for k in chosen] for own in table.players]
        return cls(results, [groups[k] for k in chosen], kept)

    @cached_property
    def values(self) -> Floats:
        """The terms' values ``(rows, n_terms)``, 0 where a row lacks one."""
        pairs = zip(self.results, self.players, strict=True)
        values = np.stack([_values_at(result, players) for result, players in pairs])
        return np.where(np.abs(values) > _ROUNDING * self.scale, values, 0.0)

    @cached_property
    def base_values(self) -> Floats:
        """The values without any player ``(rows,)``."""
        return base_values(self.results)

    @cached_property
    def remainder(self) -> Floats:
        """The sum of all other terms: the predictions minus the base values and these terms, ``(rows,)``."""
        remainder = totals(self.results) - self.base_values - self.values.sum(axis=1)
        return np.where(np.abs(remainder) > _ROUNDING * self.scale, remainder, 0.0)

    @cached_property
    def scale(self) -> float:
        """The largest number among the predictions and the terms."""
        largest = max(float(np.abs(result.values).max(initial=0.0)) for result in self.results)
        return max(largest, float(np.abs(np.concatenate([self.base_values, totals(self.results)])).max()))

    @property
    def labels(self) -> list[str]:
        """A name for every term, and for the remainder unless it is mere rounding and there are other terms."""
        has_remainder = bool((np.abs(self.remainder) > _NEGLIGIBLE * self.scale).any())
        names = [_TIMES.join(group) for group in self.groups]
        return [*names, OTHER_TERMS] if has_remainder or not names else names

    def completed(self, values: Floats, others: Floats) -> Floats:
        """Add the column of the other terms, if there is one."""
        return values if len(self.labels) == len(self.groups) else np.column_stack([values, others])

    def data(self, given: list[NDArray[Any]] | None, columns: list[Column] | None = None) -> Floats | None:
        """Return what plots colour by: products of numbers, else 1 where a row has all players of the term.

        A product with a missing number is missing, NaN. ``None`` if no data was given and all entries are 1.

        Args:
            given: the values of every row's players.
            columns: the players' columns, if all rows have the same players.
        """
        shown = np.ones((len(self.players), len(self.groups)))
        for number in range(len(self.groups)):
            sets = [own[number] for own in self.players]
            rows = np.array([row for row, players in enumerate(sets) if players is not None], dtype=np.int64)
            shown[np.setdiff1d(np.arange(len(sets)), rows), number] = 0.0
            if given is not None and len(rows):
                shown[rows, number] = _products(given, columns, [(row, sets[row] or ()) for row in rows])
        return None if given is None and (shown == 1).all() else self.completed(shown, np.ones(len(shown)))

    def display(self, row: NDArray[Any]) -> NDArray[Any]:
        """Return the values of the players of the first row's terms as text, and the number of other terms."""
        shown = [", ".join(_short(row[player]) for player in players or ()) for players in self.players[0]]
        first = self.results[0]
        n_others = int((np.abs(first.values) > _ROUNDING * self.scale).sum()) + first.n_left_out - len(shown)
        texts = np.empty(len(self.labels), dtype=object)
        texts[:] = [*shown, f"{max(n_others, 0):,}"][: len(texts)]
        return texts


def _candidates(rows: Sequence[Result], names: Sequence[list[str]]) -> list[tuple[str, ...]]:
    """Return the groups of names that are among the largest of some row, whatever the order of the names."""
    labels: dict[frozenset[str], tuple[str, ...]] = {}
    for row, own in zip(rows, names, strict=True):
        for players in row.sets.take(np.arange(min(_CANDIDATES, len(row.sets)))).tuples():
            label = tuple(own[player] for player in players)
            labels.setdefault(frozenset(label), label)
    return list(labels.values())


def _players_of(groups: Sequence[tuple[str, ...]], names: Sequence[str]) -> list[Players]:
    place = {name: player for player, name in enumerate(names)}
    return [tuple(place[name] for name in group) if place.keys() >= set(group) else None for group in groups]


def _values_at(row: Result, sets: Sequence[Players]) -> Floats:
    values = np.zeros(len(sets))
    present = np.array([number for number, players in enumerate(sets) if players is not None], dtype=np.int64)
    rows = PlayerSets.from_sets([sets[number] or () for number in present], row.n_players).find(row.sets)
    values[present[rows >= 0]] = row.values[rows[rows >= 0]]
    return values


def _products(
    given: list[NDArray[Any]], columns: list[Column] | None, sets: list[tuple[int, tuple[int, ...]]]
) -> Floats:
    """Return for every row the product of its players' values; 1 where one of their columns is not of numbers."""
    product = np.ones(len(sets))
    for place, player in enumerate(sets[0][1]):
        if columns is None:
            column = Column.of([given[row][players[place]] for row, players in sets])
        else:
            column = columns[player]
        if column.kind not in ("number", "flag"):
            return np.ones(len(sets))
        product *= column.numbers if columns is None else column.numbers[[row for row, _ in sets]]
    return product


def _short(value: Any) -> str:
    return f"{value:.4g}" if checks.is_number(value) else str(value)


_REPLACED = {"<=": "≤", ">=": "≥", "!=": "≠", "==": ":", "=": ":"}


def plain_name(name: object) -> str:
    """Return a name without ``=``, as SHAP's plots show only what follows it.

    Example:
        >>> plain_name("sex=male"), plain_name("age <= 30")
        ('sex:male', 'age ≤ 30')
    """
    text = str(name)
    for sign, instead in _REPLACED.items():
        text = text.replace(sign, instead)
    return text


def names_of(names: Sequence[str] | None, n_players: int) -> list[str]:
    """Return a name for every player."""
    return [f"Feature {player}" for player in range(n_players)] if names is None else list(map(plain_name, names))
