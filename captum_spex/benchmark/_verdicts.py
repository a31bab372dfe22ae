"""Where this package's default method wins, and where it is beaten, by whom and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark._curves import METRICS, OURS, Curves, Metric, curves_of
from captum_spex.benchmark._row import Row

LOST, TIED, WON, UNANSWERED = "lost", "tied", "won", "no answer"
_EQUAL = 1.05  # numbers of evaluations that differ by less are equal
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Verdict:
    """`OURS` against the best other method in one case at one budget, at equal numbers of evaluations.

    Attributes:
        budget, evaluations: of the grid; what ours evaluated.
        rival: the best other method there.
        ours, theirs: qualities, see `Metric`; ours is NaN where it has no answer.
        difference: ``ours - theirs``.
        noise: what the difference has to exceed: twice its standard error over seeds, and `Metric.negligible`.
        outcome: ``"lost"``, ``"tied"``, ``"won"``, or ``"no answer"``, which is as bad as lost.
    """

    budget: int
    evaluations: float
    rival: str
    ours: float
    theirs: float
    difference: float
    noise: float
    outcome: str


@dataclass(frozen=True)
class Standing:
    """How `OURS` stands in one case.

    Attributes:
        case, family, metric: which.
        difference: mean of the differences over budgets where both have an answer; NaN if there is none.
        outcome: of that mean; ``"no answer"`` if ours has none at any budget.
        verdicts: one for each budget with a rival.
    """

    case: str
    family: str
    metric: Metric
    difference: float
    outcome: str
    verdicts: tuple[Verdict, ...]

    @property
    def n_lost(self) -> int:
        """At how many budgets it is lost or not answered."""
        return sum(verdict.outcome in (LOST, UNANSWERED) for verdict in self.verdicts)

    @property
    def worst(self) -> Verdict:
        """The budget where most is lost, or least is won; one without an answer before all others."""
        return min(self.verdicts, key=lambda verdict: _by_loss(verdict.outcome, verdict.difference))


def standings(rows: Sequence[Row]) -> list[Standing]:
    """Compare this package's default method with the best other one in every case, at equal evaluations.

    At a budget, ours has the quality ``q`` after ``e`` evaluations (means over seeds). The quality of another method
    after ``e`` evaluations is interpolated on its curve over ``log(evaluations)``; past its last budget it stays what
    it was, before its first one it has none. The best of these is the rival there. A budget below all that others got
    does not count: there are only those who evaluate less than they may.

    Args:
        rows: the results.

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
        curves = curves_of(rows, metric)
        ours = curves.of(OURS)
        if ours is not None:
            each = (_standing(curves, ours, case) for case in range(len(curves.cases)))
            found += sorted(
                (one for one in each if one is not None), key=lambda one: _by_loss(one.outcome, one.difference)
            )
    return found


def _by_loss(outcome: str, difference: float) -> tuple[int, float]:
    return (UNANSWERED, LOST, TIED, WON).index(outcome), float(np.nan_to_num(difference))


def _standing(curves: Curves, ours: int, case: int) -> Standing | None:
    at = np.where(np.isnan(curves.quality[case, ours]), curves.budgets[case], curves.evaluations[case, ours])
    theirs, errors = _at(curves, case, at)
    offered = np.logical_or.accumulate(curves.tried[case, curves.others].any(axis=0))  # not below all that others got
    slots = np.flatnonzero(np.isfinite(theirs).any(axis=0) & curves.tried[case, ours] & offered)
    if not len(slots):
        return None
    names = [name for name, other in zip(curves.methods, curves.others, strict=True) if other]
    bests = np.nan_to_num(theirs, nan=-np.inf).argmax(axis=0)
    noises = _STANDARD_ERRORS * np.hypot(curves.errors[case, ours], errors[bests, np.arange(len(bests))])
    verdicts = tuple(
        _verdict(
            curves.metric,
            (int(curves.budgets[case, slot]), float(at[slot]), names[bests[slot]]),
            (float(curves.quality[case, ours, slot]), float(theirs[bests[slot], slot])),
            float(noises[slot]),
        )
        for slot in slots
    )
    answered = [slot for slot, verdict in zip(slots, verdicts, strict=True) if verdict.outcome != UNANSWERED]
    if not answered:
        return Standing(curves.cases[case], curves.families[case], curves.metric, np.nan, UNANSWERED, verdicts)
    difference = float(np.nanmean([verdict.difference for verdict in verdicts]))
    noise = float(np.sqrt((noises[answered] ** 2).sum())) / len(answered)
    outcome = _outcome(difference, max(noise, curves.metric.negligible))
    return Standing(curves.cases[case], curves.families[case], curves.metric, difference, outcome, verdicts)


def _at(curves: Curves, case: int, evaluations: Floats) -> tuple[Floats, Floats]:
    """Return qualities and their errors of all other methods ``(n_others, n_budgets)`` at numbers of evaluations."""
    found = np.full((2, int(curves.others.sum()), len(evaluations)), np.nan)
    for place, method in enumerate(np.flatnonzero(curves.others)):
        known = np.flatnonzero(~np.isnan(curves.quality[case, method]))
        known = known[np.argsort(curves.evaluations[case, method, known], kind="stable")]
        if not len(known):
            continue
        costs = curves.evaluations[case, method, known]
        there = evaluations * _EQUAL >= costs[0]  # NaN: nowhere
        for row, source in zip(found, (curves.quality, curves.errors), strict=True):
            row[place, there] = np.interp(np.log(evaluations[there]), np.log(costs), source[case, method, known])
    return found[0], found[1]


def _verdict(metric: Metric, where: tuple[int, float, str], qualities: tuple[float, float], noise: float) -> Verdict:
    difference = qualities[0] - qualities[1]
    noise = float(np.fmax(noise, metric.negligible))
    return Verdict(*where, *qualities, difference, noise, _outcome(difference, noise))


def _outcome(difference: float, noise: float) -> str:
    if np.isnan(difference):
        return UNANSWERED
    if abs(difference) <= noise:
        return TIED
    return WON if difference > 0 else LOST
