"""Wins and losses: this package's default method against the best other one, case by case, at equal evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from captum_spex.benchmark.comparison import BEST_OTHER, METRICS, Metric, Rows, beside, cells_of, curves_of, frame_of


class Outcome(StrEnum):
    """How a comparison ends; no answer is as bad as a loss."""

    LOST = "lost"
    TIED = "tied"
    WON = "won"
    UNANSWERED = "no answer"

    @classmethod
    def of(cls, difference: float, noise: float, metric: Metric) -> Outcome:
        """Return the outcome of ours minus theirs; a difference within the noise, or negligible, is a tie."""
        if np.isnan(difference):
            return cls.UNANSWERED
        if abs(difference) <= max(noise, metric.negligible):
            return cls.TIED
        return cls.WON if difference > 0 else cls.LOST


@dataclass(frozen=True)
class Verdict:
    """`OURS` against the best other method in one case at one budget, at equal numbers of evaluations."""

    budget: int
    evaluations: float  # of ours
    rival: str  # the best other method there
    theirs: float  # its quality, see `Metric`
    difference: float  # of ours to it; NaN where ours has no answer
    noise: float  # twice the standard error of the difference over seeds
    outcome: Outcome


@dataclass(frozen=True)
class Standing:
    """How `OURS` stands in one case."""

    case: str
    metric: Metric
    difference: float  # mean over budgets where both have an answer; NaN if there is none
    outcome: Outcome  # of that mean; "no answer" if ours has none at any budget
    verdicts: tuple[Verdict, ...]  # one for each budget with a rival

    @property
    def n_lost(self) -> int:
        """At how many budgets it is lost or not answered."""
        return sum(verdict.outcome in (Outcome.LOST, Outcome.UNANSWERED) for verdict in self.verdicts)

    @property
    def worst(self) -> Verdict:
        """The budget where most is lost, or least is won; one without an answer before all others."""
        return min(self.verdicts, key=_by_loss)


def standings(rows: Rows, metrics: Sequence[Metric] = METRICS) -> list[Standing]:
    """Compare this package's default method with the best other one in every case, at equal evaluations.

    The best other is chosen at each budget of each case, from the cells of `captum_spex.benchmark.comparison.cells_of`.

    Returns:
        The standings of each metric; those with the largest losses first.

    Example:
        >>> from captum_spex.benchmark import Row
        >>> rows = [Row("c", "f", 9, method, package, "1", 100, 0, "done", n_evaluations=100, r2=r2)
        ...         for method, package, r2 in (("ProxySpex", "captum-spex", 0.7), ("rival", "other", 0.8))]
        >>> [(standing.outcome.value, round(standing.difference, 3)) for standing in standings(rows)]
        [('lost', -0.1)]
    """
    found, table = list[Standing](), frame_of(rows)
    for metric in metrics:
        curves = curves_of(table, metric)
        best = beside(cells_of(curves), BEST_OTHER, curves.packages)
        each = (_standing(str(case), metric, own) for case, own in best.groupby("case", sort=False))
        found += sorted(each, key=_by_loss)
    return found


def _by_loss(one: Verdict | Standing) -> tuple[bool, int, float]:
    is_answered = one.outcome != Outcome.UNANSWERED
    return is_answered, list(Outcome).index(one.outcome), float(np.nan_to_num(one.difference))


def _standing(case: str, metric: Metric, cells: pd.DataFrame) -> Standing:
    lines = cells.sort_values("budget", kind="stable").itertuples(index=False)
    verdicts = tuple(
        Verdict(
            one.budget, one.evaluations, one.rival, one.theirs, one.difference, one.noise,
            Outcome.of(one.difference, one.noise, metric),
        )
        for one in lines
    )  # fmt: skip
    answered = [verdict for verdict in verdicts if verdict.outcome != Outcome.UNANSWERED]
    difference = float(np.mean([verdict.difference for verdict in answered])) if answered else np.nan
    noise = float(np.linalg.norm([verdict.noise for verdict in answered])) / max(1, len(answered))
    return Standing(case, metric, difference, Outcome.of(difference, noise, metric), verdicts)
