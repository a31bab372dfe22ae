"""The summary of a whole data set: every term's mean, size and spread over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, Rows
from captum_spex.exports.many_rows import check_alike, checked_rows
from captum_spex.exports.result import Result, counted, smallest
from captum_spex.indices import Index
from captum_spex.player_sets import PlayerSets
from captum_spex.summaries import printed
from captum_spex.summaries.aligned_rows import AlignedRows
from captum_spex.terms import Terms, largest_first, no_term

if TYPE_CHECKING:
    import pandas

Statistic = Literal["mean_abs", "mean"]
STATISTICS = ("mean_abs", "mean")
MAX_TERMS = 100_000


class Summary(Terms):
    r"""What the results of many rows have in common, term by term, from the largest mean absolute value.

    A read-only mapping from tuples of players to mean absolute values, as `captum_spex.Interactions` is one to values.
    With :math:`v_{rS}` the value of the term :math:`S` in row :math:`r` and the :math:`R_S` rows that have all of its
    players,

    .. math::

        \text{mean}_S = \frac1{R_S} \sum_r v_{rS}, \quad \text{mean\_abs}_S = \frac1{R_S} \sum_r |v_{rS}|, \quad
        \text{spread}_S^2 = \frac1{R_S - 1} \sum_r (v_{rS} - \text{mean}_S)^2

    A row that lacks one of the players, as texts do, does not count, in the denominator neither. A row that has them
    counts: with 0 where its result lists no such term and is complete, and where the term was left out of a truncated
    result with the value that its recovered game has. Noise has a size: of a term that is 0 in every row and estimated
    with errors, the mean absolute value is about as large as the errors.

    Attributes:
        index, max_order, resolved_index: which index of the rows, up to which order.
        baseline: the mean of the rows' baselines.
        names: names of all players, those of the first row first; ``None`` if the rows have none.
        values: the mean absolute values ``(n_terms,)``, aligned with iteration, as are all other arrays.
        mean: the mean values.
        spread: the standard deviations of the values over the rows, with ``R - 1`` in the denominator (``ddof=1``);
            NaN for terms of a single row.
        n_rows: how many rows have all players of the term, the denominator of both means.
        n_nonzero: in how many of them the value is not 0.
        n_filled: in how many the term was left out of a truncated result, and comes from ``result.model``.
        n_left_out: how many terms of order 2 and more, beyond ``max_terms``, are not listed.
        results: the rows.
        aligned: the same, with their players joined.
    """

    index: str
    max_order: int
    resolved_index: Index
    baseline: float
    mean: Floats
    spread: Floats
    n_rows: Ints
    n_nonzero: Ints
    n_filled: Ints
    n_left_out: int
    aligned: AlignedRows
    _spread_abs: Floats
    _estimations: dict[bytes, Floats]

    def __init__(self, aligned: AlignedRows, sets: PlayerSets, n_left_out: int) -> None:
        found = _Statistics.of(aligned, sets)
        rows = largest_first(sets, found.sizes.mean)
        super().__init__(sets.take(rows), found.sizes.mean[rows], is_sorted=True)
        highest = max(aligned.results, key=lambda row: row.max_order)
        facts = {
            "mean": found.values.mean[rows],
            "spread": found.values.deviation[rows],
            "n_rows": found.values.count[rows],
            "n_nonzero": found.n_nonzero[rows],
            "n_filled": found.n_filled[rows],
            "_spread_abs": found.sizes.deviation[rows],
        }
        for array in facts.values():
            array.flags.writeable = False
        self._set(
            index=highest.index,
            max_order=highest.max_order,
            resolved_index=highest.resolved_index,
            baseline=float(np.mean([row.baseline for row in aligned.results])),
            names=aligned.names,
            n_left_out=n_left_out,
            aligned=aligned,
            _estimations={},
            **facts,
        )

    @property
    def results(self) -> tuple[Result, ...]:
        """The result of every row."""
        return self.aligned.results

    @property
    def mean_abs(self) -> Floats:
        """The mean absolute values: ``values``."""
        return self.values

    @cached_property
    def std_errors(self) -> Floats:
        """Standard errors of the mean absolute values, see `errors_of`; computed on first use."""
        return self.errors_of(self.sets)

    @cached_property
    def mean_std_errors(self) -> Floats:
        """Standard errors of the mean values, see `errors_of`; computed on first use."""
        return self.errors_of(self.sets, "mean")

    @cached_property
    def n_rows_with_errors(self) -> int:
        """Of how many rows the errors of estimation are known; those of exact results are, and are 0."""
        nothing = PlayerSets.from_sets([], self.n_players)
        known = [self.aligned.errors_of(row, nothing)[1] is not None for row in range(len(self.results))]
        return sum(known)

    def errors_of(self, sets: PlayerSets, statistic: Statistic = "mean_abs") -> Floats:
        r"""Return the standard errors of the means of a few listed sets ``(n_sets,)``, NaN where a single row has them.

        Two independent parts add up: rows are drawn from many, and the value of each is estimated, with the error
        :math:`e_{rS}` (`captum_spex.Interactions.std_errors`; 0 in exact results, and where it is not known).

        .. math:: \text{error}_S^2 = \frac{s_S^2}{R_S} + \frac1{R_S^2} \sum_r e_{rS}^2

        with :math:`s_S` the standard deviation over the rows, of the values or of the absolute values.
        """
        checks.choice("statistic", statistic, STATISTICS)
        places = sets.find(self.sets)
        spread = (self._spread_abs if statistic == "mean_abs" else self.spread)[places]
        n_rows = self.n_rows[places]
        squares = spread**2 / n_rows + self._estimation(sets) / n_rows**2
        return np.where(places < 0, np.nan, np.sqrt(squares))

    def _estimation(self, sets: PlayerSets) -> Floats:
        """Return the sums over the rows of the squared errors of estimation, kept, as both means have them."""
        key = sets.keys().tobytes()
        if key not in self._estimations:
            total = np.zeros(len(sets))
            for row in range(len(self.results)):
                present, errors = self.aligned.errors_of(row, sets)
                if errors is not None:
                    total[present] += errors**2
            self._estimations[key] = total
        return self._estimations[key]

    def __getitem__(self, players: Any) -> float:
        key, value = self._listed(players, self.baseline)
        if value is not None:
            return value
        self._check_numbers(key)
        if len(key) > self.max_order:
            raise no_term(f"{key}: orders go up to {self.max_order}")
        if self.n_left_out:
            raise no_term(f"{key}: not among the listed terms, {self.n_left_out} smaller ones were left out")
        own = PlayerSets.from_sets([key], self.n_players)
        having = [row for number, row in enumerate(self.results) if len(self.aligned.present(number, own)[0])]
        if not having:
            raise no_term(f"{key}: no row has all of these players")
        if any(row.n_left_out for row in having):
            raise no_term(f"{key}: listed in no row, and left out of some")
        return 0.0

    def describe(self, players: Any) -> dict[str, float]:
        """Return all statistics of a listed term, by the names of `to_dataframe`.

        Raises:
            KeyError: if the term is not listed.
        """
        key = self._canonical(players)
        row = self._rows().get(key)
        if row is None:
            raise no_term(f"{key}: not among the listed terms")
        sets = self.sets.take(np.array([row]))
        return {name: column[0].item() for name, column in self._columns(sets, np.array([row])).items()}

    def to_dataframe(self) -> pandas.DataFrame:
        """Return one row per term.

        Columns: ``players``, ``name``, ``order``, ``mean_abs``, ``mean_abs_std_error``, ``mean``, ``mean_std_error``,
        ``spread``, ``n_rows``, ``n_nonzero``, ``n_filled``.
        """
        import pandas

        players = self.sets.tuples()
        facts = {"players": players, "name": [self.name_of(term) for term in players], "order": self.orders}
        return pandas.DataFrame({**facts, **self._columns(self.sets, np.arange(len(self)))})

    def _columns(self, sets: PlayerSets, rows: Rows) -> dict[str, NDArray[Any]]:
        is_all = len(rows) == len(self)
        return {
            "mean_abs": self.values[rows],
            "mean_abs_std_error": self.std_errors if is_all else self.errors_of(sets),
            "mean": self.mean[rows],
            "mean_std_error": self.mean_std_errors if is_all else self.errors_of(sets, "mean"),
            "spread": self.spread[rows],
            "n_rows": self.n_rows[rows],
            "n_nonzero": self.n_nonzero[rows],
            "n_filled": self.n_filled[rows],
        }

    def __str__(self) -> str:
        return printed.of_summary(self)

    def __repr__(self) -> str:
        rows = counted(len(self.results), "row")
        return f"<Summary: mean |{self.index}| up to order {self.max_order} over {rows}, {len(self)} terms>"


def summary(results: Sequence[Result], *, max_terms: int = MAX_TERMS) -> Summary:
    """Summarise the results of a whole data set: how large every term is on average, its mean, its spread.

    Players are joined by their names, in whatever order each row has them; without names, by their numbers.

    Args:
        results: a `captum_spex.Interactions` for every row, of one output: from `captum_spex.explain` in a loop, from
            ``explainer.interactions(X)``, or Captum's ``return_interactions=True``.
        max_terms: how many terms of order 2 and more to keep, those of the largest sum of absolute values in the rows
            that list them; all of order 1 are kept.

    Returns:
        The `Summary`, its terms sorted by mean absolute value: ``summary.top(10, order=2)`` ranks the interactions.

    Raises:
        ArgumentError: if there are no results, rows have several outputs, or their index, order or players differ.

    Example:
        >>> import captum_spex
        >>> rows = [captum_spex.explain(lambda m, x=x: x * (m[:, 0] & m[:, 1]), 2, budget=4) for x in (1.0, -3.0)]
        >>> found = captum_spex.summary(rows)
        >>> found.top(1, order=2), found.mean[:1], found.spread[:1]
        ({(0, 1): 2.0}, array([-1.]), array([2.82842712]))
    """
    rows = checked_rows(results)
    most = checks.integer("max_terms", max_terms)
    check_alike(rows)
    aligned = AlignedRows.of(rows)
    sets, sizes = aligned.listed()
    is_higher = sets.orders > 1
    higher = np.flatnonzero(is_higher)
    chosen = higher[np.argsort(-sizes[higher], kind="stable")[:most]]
    kept = np.sort(np.concatenate([np.flatnonzero(~is_higher), chosen]))
    return Summary(aligned, sets.take(kept), n_left_out=len(sets) - len(kept))


@dataclass(frozen=True, eq=False)
class _Moments:
    """Means and sums of squared deviations of many terms, told row by row (Welford 1962)."""

    count: Ints
    mean: Floats
    squares: Floats

    @classmethod
    def of_none(cls, n_terms: int) -> _Moments:
        return cls(np.zeros(n_terms, dtype=np.int64), np.zeros(n_terms), np.zeros(n_terms))

    def tell(self, terms: Rows, values: Floats) -> None:
        self.count[terms] += 1
        step = values - self.mean[terms]
        self.mean[terms] += step / self.count[terms]
        self.squares[terms] += step * (values - self.mean[terms])

    @property
    def deviation(self) -> Floats:
        """The standard deviations, NaN of a single value."""
        return np.where(self.count > 1, np.sqrt(self.squares / np.maximum(self.count - 1, 1)), np.nan)


@dataclass(frozen=True, eq=False)
class _Statistics:
    """What is counted of every term: one pass over the rows, in the memory of a few rows."""

    values: _Moments
    sizes: _Moments
    n_nonzero: Ints
    n_filled: Ints

    @classmethod
    def of(cls, aligned: AlignedRows, sets: PlayerSets) -> _Statistics:
        n_nonzero, n_filled = np.zeros((2, len(sets)), dtype=np.int64)
        found = cls(_Moments.of_none(len(sets)), _Moments.of_none(len(sets)), n_nonzero, n_filled)
        for row, result in enumerate(aligned.results):
            present, values, is_left_out = aligned.values_of(row, sets)
            found.values.tell(present, values)
            found.sizes.tell(present, np.abs(values))
            n_nonzero[present] += np.abs(values) > smallest(result)
            n_filled[present] += is_left_out
        return found
