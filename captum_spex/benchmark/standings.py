"""Where this package's default method wins, and where it is beaten, by whom and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from captum_spex.arrays import Floats
from captum_spex.benchmark.curves import METRICS, Metric, by_evaluations, curves_of
from captum_spex.benchmark.row import OURS, PACKAGE, Row

LOST, TIED, WON, UNANSWERED = "lost", "tied", "won", "no answer"
_EQUAL = 1.05  # numbers of evaluations that differ by less are equal
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Verdict:
    """`OURS` against the best other method in one case at one budget, at equal numbers of evaluations."""

    budget: int
    evaluations: float  # of ours
    rival: str  # the best other method there
    ours: float  # quality, see `Metric`; NaN where it has no answer
    theirs: float
    noise: float  # a smaller difference is a tie: twice its standard error over seeds, at least `Metric.negligible`

    @property
    def difference(self) -> float:
        """``ours - theirs``."""
        return self.ours - self.theirs

    @property
    def outcome(self) -> str:
        """``"lost"``, ``"tied"``, ``"won"``, or ``"no answer"``, which is as bad as lost."""
        return _outcome(self.difference, self.noise)


@dataclass(frozen=True)
class Standing:
    """How `OURS` stands in one case."""

    case: str
    metric: Metric
    difference: float  # mean over budgets where both have an answer; NaN if there is none
    outcome: str  # of that mean; "no answer" if ours has none at any budget
    verdicts: tuple[Verdict, ...]  # one for each budget with a rival

    @property
    def n_lost(self) -> int:
        """At how many budgets it is lost or not answered."""
        return sum(verdict.outcome in (LOST, UNANSWERED) for verdict in self.verdicts)

    @property
    def worst(self) -> Verdict:
        """The budget where most is lost, or least is won; one without an answer before all others."""
        return min(self.verdicts, key=_by_loss)


def standings(rows: Sequence[Row]) -> list[Standing]:
    """Compare this package's default method with the best other one in every case, at equal evaluations.

    At a budget, ours has the quality ``q`` after ``e`` evaluations (means over seeds). The quality of another method
    after ``e`` evaluations is interpolated on its curve over ``log(evaluations)``; past its last budget it stays what
    it was, before its first one it has none. The best of these is the rival there. Budgets below all that others were
    given do not count: only methods that evaluate less than they may have an answer there.

    Returns:
        The standings of each metric; those with the largest losses first.

    Example:
        >>> rows = [Row("c", "f", 9, method, package, "1", 100, 0, "done", n_evaluations=100, r2=r2)
        ...         for method, package, r2 in (("ProxySpex", "captum-spex", 0.7), ("rival", "other", 0.8))]
        >>> [(standing.outcome, round(standing.difference, 3)) for standing in standings(rows)]
        [('lost', -0.1)]
    """
    found: list[Standing] = []
    for metric in METRICS:
        each = (_standing(case, metric, curves) for case, curves in curves_of(rows, metric).groupby("case", sort=False))
        found += sorted((one for one in each if one is not None), key=_by_loss)
    return found


def _by_loss(one: Verdict | Standing) -> tuple[int, float]:
    return (UNANSWERED, LOST, TIED, WON).index(one.outcome), float(np.nan_to_num(one.difference))


def _standing(case: str, metric: Metric, of_case: pd.DataFrame) -> Standing | None:
    others = of_case[of_case["package"] != PACKAGE]
    ours = of_case[(of_case["method"] == OURS) & (of_case["budget"] >= others["budget"].min())].sort_values("budget")
    evaluations = ours["evaluations"].fillna(ours["budget"]).to_numpy(dtype=np.float64)
    names, curves = [], []
    for name, curve in others.groupby("method", sort=False):
        names.append(str(name))
        curves.append(_interpolated(by_evaluations(curve), evaluations))
    theirs = np.array(curves).reshape(len(names), 2, len(ours))  # quality and error, at each budget of ours
    verdicts, noises = [], []
    for number, line in enumerate(ours.itertuples()):
        if np.isfinite(theirs[:, 0, number]).any():
            rival = int(np.nanargmax(theirs[:, 0, number]))
            quality, error = theirs[rival, :, number]
            noises.append(_STANDARD_ERRORS * float(np.hypot(line.error, error)))
            where = line.budget, float(evaluations[number]), names[rival]
            verdicts.append(Verdict(*where, line.quality, float(quality), max(noises[-1], metric.negligible)))
    if not verdicts:
        return None
    differences = np.array([verdict.difference for verdict in verdicts])
    is_answered = ~np.isnan(differences)
    if not is_answered.any():
        return Standing(case, metric, np.nan, UNANSWERED, tuple(verdicts))
    difference = float(differences[is_answered].mean())
    noise = float(np.sqrt((np.array(noises)[is_answered] ** 2).sum())) / int(is_answered.sum())
    outcome = _outcome(difference, max(noise, metric.negligible))
    return Standing(case, metric, difference, outcome, tuple(verdicts))


def _interpolated(curve: pd.DataFrame, evaluations: Floats) -> tuple[Floats, Floats]:
    """Return the quality of a method and its error after some numbers of evaluations; NaN before its first budget."""
    if not len(curve):
        return np.full(len(evaluations), np.nan), np.full(len(evaluations), np.nan)
    costs = curve["evaluations"].to_numpy()
    places = np.where(evaluations * _EQUAL >= costs[0], np.log(evaluations), np.nan)
    quality, error = (np.interp(places, np.log(costs), curve[name]) for name in ("quality", "error"))
    return quality, error


def _outcome(difference: float, noise: float) -> str:
    if np.isnan(difference):
        return UNANSWERED
    if abs(difference) <= noise:
        return TIED
    return WON if difference > 0 else LOST
