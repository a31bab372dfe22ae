"""Summaries of many rows, as the pictures of one result draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import in_words
from captum_spex.exports.result import counted, smallest
from captum_spex.indices import Index
from captum_spex.interactions import Interactions
from captum_spex.player_sets import PlayerSets
from captum_spex.plots.arguments import checked_result
from captum_spex.statistics import INTERVAL
from captum_spex.summaries import Comparison, Summary, summary
from captum_spex.summaries.data_set import STATISTICS, Statistic
from captum_spex.terms import Terms

Drawable: TypeAlias = "Interactions | Summary | Sequence[Interactions]"
"""What a picture of one result or of many takes."""


@dataclass(frozen=True)
class MeanOf:
    """What the means of an index are called."""

    index: Index
    is_size: bool

    def value_name(self, order: int, *, plural: bool = False) -> str:
        """Return what the mean of a term of ``order`` players is called: ``"mean |Shapley value|"``."""
        return f"mean |{self.index.value_name(order)}|" if self.is_size else f"mean {self.index.value_name(order)}"


class SummaryView(Terms):
    """A summary whose values are the means, or the mean absolute values with the signs of the means, for colours.

    Attributes:
        index, max_order, baseline: those of the summary.
        resolved_index: what the values are called.
        is_size: whether the values are absolute ones, whose sign is that of the mean.
        rows: how many there are, in words.
        of: the summary.
    """

    index: str
    max_order: int
    resolved_index: MeanOf
    baseline: float
    is_size: bool
    rows: str
    of: Summary
    _statistic: Statistic

    def __init__(self, found: Summary, statistic: Statistic) -> None:
        is_size = statistic == "mean_abs"
        super().__init__(found.sets, np.where(found.mean < 0, -1, 1) * found.values if is_size else found.mean.copy())
        self._set(
            index=found.index,
            max_order=found.max_order,
            resolved_index=MeanOf(found.resolved_index, is_size),
            baseline=found.baseline,
            names=found.names,
            is_size=is_size,
            rows=counted(len(found.results), "row"),
            of=found,
            _statistic=statistic,
        )

    def errors_of(self, sets: PlayerSets) -> Floats | None:
        """Return the standard errors of a few sets; ``None`` if there are none or all are 0."""
        errors = np.nan_to_num(self.of.errors_of(sets, self._statistic))
        return errors if errors.any() else None

    def unclear(self, sets: PlayerSets) -> NDArray[np.bool_]:
        """Return which of a few sets may raise or lower on average: the 90 % interval of their mean holds 0."""
        errors = np.nan_to_num(self.of.errors_of(sets, "mean"))
        means = np.abs(self.of.mean[sets.find(self.of.sets)])
        return (means <= np.maximum(INTERVAL * errors, smallest(self.of))) & (errors > 0)


Drawn: TypeAlias = Interactions | SummaryView | Comparison


def drawn_result(result: Any, value: Any) -> Drawn:
    """Return what to draw of a result, of a summary, or of the results of many rows, which are summarised."""
    statistic = checks.choice("value", value, STATISTICS)
    if isinstance(result, Sequence) and not isinstance(result, str):
        with in_words({"results": "result"}):
            return SummaryView(summary(result), statistic)
    return SummaryView(result, statistic) if isinstance(result, Summary) else checked_result(result)


def is_size(result: Drawn) -> bool:
    """Whether values are absolute ones, whose sign is for the colour only."""
    return isinstance(result, SummaryView) and result.is_size


def unclear(result: Drawn, sets: PlayerSets) -> NDArray[np.bool_]:
    """Return which of a few sets may raise or lower on average; none of one result."""
    return result.unclear(sets) if isinstance(result, SummaryView) else np.zeros(len(sets), dtype=np.bool_)


def about_rows(result: Drawn, sets: PlayerSets, *, narrow: bool = False) -> str:
    """Return over how many rows means are, and what colours of the sets drawn mean; nothing for one result."""
    if not isinstance(result, SummaryView):
        return ""
    places = sets.find(result.of.sets)
    n_single = int(np.count_nonzero(result.of.n_rows[places[places >= 0]] == 1)) if len(result.of.results) > 1 else 0
    lines = [f"over {result.rows}" + ("\n" if narrow else "; ") + "red raises on average, blue lowers"]
    lines += ["grey: the mean's 90 % interval holds 0"] if result.unclear(sets).any() else []
    lines += [f"{counted(n_single, 'term')} of a single row: no interval"] if n_single else []
    return "\n".join(lines)
