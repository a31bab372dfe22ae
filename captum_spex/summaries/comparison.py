"""Two results on the same players, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.many_rows import distinct
from captum_spex.exports.result import Result, is_result, smallest
from captum_spex.indices import Index
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import INTERVAL
from captum_spex.summaries import printed
from captum_spex.summaries.aligned_rows import AlignedRows
from captum_spex.terms import Terms, largest_first, no_term

if TYPE_CHECKING:
    import pandas


class Comparison(Terms):
    r"""How two results differ, term by term, from the largest absolute difference.

    A read-only mapping from tuples of players to differences, first minus second, of every term that either result
    lists; what one of them left out has the value of its recovered game. Differences that are mere rounding (up to 1e-9
    of the largest value) are 0. The errors of the two results are taken as independent, so their squares add up:

    .. math:: \text{error}_S^2 = e_{1S}^2 + e_{2S}^2

    Attributes:
        index, max_order, resolved_index: of both results.
        baseline: difference of the baselines.
        names: names of the players, in the order of the first result.
        values: the differences ``(n_terms,)``, aligned with iteration, as are all other arrays.
        first, second: the values of both results.
        aligned: both results, with their players joined.
    """

    index: str
    max_order: int
    resolved_index: Index
    baseline: float
    first: Floats
    second: Floats
    aligned: AlignedRows

    def __init__(self, aligned: AlignedRows) -> None:
        sets = aligned.listed()[0]
        values = [np.zeros(len(sets)), np.zeros(len(sets))]
        for row, own in enumerate(values):
            rows, found, _ = aligned.values_of(row, sets)
            own[rows] = found
        rounding = max(map(smallest, aligned.results))
        difference = values[0] - values[1]
        difference = np.where(np.abs(difference) > rounding, difference, 0.0)
        rows = largest_first(sets, difference)
        super().__init__(sets.take(rows), difference[rows], is_sorted=True)
        first, second = aligned.results
        self._set(
            index=first.index,
            max_order=first.max_order,
            resolved_index=first.resolved_index,
            baseline=first.baseline - second.baseline,
            names=aligned.names,
            first=values[0][rows],
            second=values[1][rows],
            aligned=aligned,
        )

    @cached_property
    def std_errors(self) -> Floats | None:
        """Standard errors of the differences, ``None`` where those of a result are not known; on first use."""
        return self.errors_of(self.sets)

    @property
    def z(self) -> Floats | None:
        """Differences in standard errors; infinite where both results are exact and differ, 0 where they do not."""
        if self.std_errors is None:
            return None
        exact = np.where(self.values == 0, 0.0, np.copysign(np.inf, self.values))
        safe = np.where(self.std_errors > 0, self.std_errors, 1.0)
        return np.where(self.std_errors > 0, self.values / safe, exact)

    @property
    def differs(self) -> NDArray[np.bool_] | None:
        """Whether the 90 % interval of the difference, 1.64 standard errors to each side, does not hold 0."""
        return None if self.std_errors is None else np.abs(self.values) > INTERVAL * self.std_errors

    def errors_of(self, sets: PlayerSets) -> Floats | None:
        """Return the standard errors of a few differences, ``None`` where those of a result are not known."""
        squares = np.zeros(len(sets))
        for row in range(2):
            rows, errors = self.aligned.errors_of(row, sets)
            if errors is None:
                return None
            squares[rows] += errors**2
        return np.sqrt(squares)

    def __getitem__(self, players: Any) -> float:
        key, value = self._listed(players, self.baseline)
        if value is not None:
            return value
        if key[0] < 0 or key[-1] >= self.n_players or len(key) > self.max_order:
            allowed = f"players are numbered 0 to {self.n_players - 1}, orders go up to {self.max_order}"
            raise no_term(f"{key}: {allowed}")
        if any(result.n_left_out for result in self.aligned.results):
            raise no_term(f"{key}: listed in neither result, and left out of one")
        return 0.0

    def to_dataframe(self) -> pandas.DataFrame:
        """Return one row per term.

        Columns: ``players``, ``name``, ``order``, ``first``, ``second``, ``difference`` and, where errors are known,
        ``std_error``, ``z`` and ``differs``.
        """
        import pandas

        players = self.sets.tuples()
        columns: dict[str, Any] = {
            "players": players,
            "name": [self.name_of(term) for term in players],
            "order": self.orders,
            "first": self.first,
            "second": self.second,
            "difference": self.values,
        }
        if self.std_errors is not None:
            columns |= {"std_error": self.std_errors, "z": self.z, "differs": self.differs}
        return pandas.DataFrame(columns)

    def __str__(self) -> str:
        return printed.of_comparison(self)

    def __repr__(self) -> str:
        return f"<Comparison: {self.index} up to order {self.max_order} of two results, {len(self)} terms>"


def compare(first: Result, second: Any) -> Comparison:
    """Compare two results on the same players; see `captum_spex.Interactions.compare`."""
    _check(first, second)
    return Comparison(AlignedRows.of([first, second]))


def _check(first: Result, other: Any) -> None:
    if not is_result(other):
        is_list = isinstance(other, Sequence) and not isinstance(other, str)
        hint = "Choose one of them, or summarise both lists by `captum_spex.summary`." if is_list else ""
        raise ArgumentError("other", type_of(other), "one `Interactions`", hint)
    if (first.names is None) != (other.names is None):
        got = "a result without names of the players" if other.names is None else "a result with names of the players"
        raise ArgumentError("other", got, "names in both results, or in neither")
    if first.names is None and first.n_players != other.n_players:
        raise ArgumentError("other", f"a result of {other.n_players} players", f"the same {first.n_players} players")
    own, others = (dict.fromkeys(distinct(result.names or ())) for result in (first, other))
    missing, further = [name for name in own if name not in others], [name for name in others if name not in own]
    if missing or further:
        parts = [f"{what} {_listed(names)}" for what, names in (("without", missing), ("with", further)) if names]
        raise ArgumentError("other", f"a result {' and '.join(parts)}", "the same players by name")
    if (first.index, first.max_order) != (other.index, other.max_order):
        hint = f'Use `other.to("{first.index}", max_order={first.max_order})`, which needs no further evaluations.'
        got, expected = (f"{one.index} of order {one.max_order}" for one in (other, first))
        raise ArgumentError("other", got, f"{expected}, as in this result", hint)


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
