"""Evaluations that a method needs for a given quality, relative to those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import pandas as pd

from captum_spex.benchmark.comparison import (
    BEST_OTHER,
    METRICS,
    Curves,
    Metric,
    Points,
    Rows,
    curves_of,
    frame_of,
    groups_of,
    interval,
    is_within,
)
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED

REFERENCES = (PUBLISHED, BEST_OTHER)


@dataclass(frozen=True)
class Needed:
    """How many evaluations a method needs for the quality of a reference, relative to those of the reference."""

    method: str
    reference: str
    metric: str  # its label
    group: str  # whose cases: a family, or a class by the number of players; empty: all
    ratio: float  # geometric mean over cases; below 1, it needs fewer; NaN without a case
    low: float  # 95 % bootstrap interval over cases; NaN if there are fewer than two
    high: float
    n_cases: int  # in which the method answers
    n_never: int  # of these, in which a quality is never reached: the true ratio is larger
    n_at_once: int  # of these, in which one is surpassed at the smallest budget: the true ratio is smaller
    n_unanswered: int  # further cases, in which the method has no answer

    @property
    def bound(self) -> str:
        """A mark for a ratio that is a bound in some cases: from below, from above, or in some of either."""
        if self.n_never and self.n_at_once:
            return "≈ "
        return "≥ " if self.n_never else "≤ " if self.n_at_once else ""


def evaluations_needed(
    rows: Rows,
    *,
    metrics: Sequence[Metric] = METRICS,
    references: Sequence[str] = REFERENCES,
    methods: Sequence[str] | None = None,
    multiples: tuple[float, float] = (0.0, inf),
) -> list[Needed]:
    r"""Sum up a benchmark: evaluations needed to reach a given quality, relative to a reference.

    In a case, at a budget ``B`` of its grid, the reference (published ProxySPEX, the best method of another package
    there, or any one method) has the quality ``q_B``, a mean over seeds, after ``e_B`` evaluations. A method reaches it
    after

        needed(q_B) = exp(interpolation of log(evaluations) at q_B on the curve of the method),

    where the curve is the best mean quality up to a number of evaluations. If it is never reached, the largest number
    of evaluations is a lower bound of ``needed``; if it is surpassed at the smallest, that is an upper bound. Then

        ratio = exp(mean over cases (mean over B (log(needed(q_B) / e_B)))).

    Only ``q_B`` above `Metric.worth` count. The interval is between the 2.5 % and 97.5 % quantiles of the ratio over
    4,000 draws of as many cases, with replacement.

    Args:
        rows: the results.
        metrics: by which quality.
        references: names of methods, and ``"best other"``.
        methods: whose evaluations; default: of all.
        multiples: between which multiples of the number of players a budget ``B`` counts.

    Returns:
        For each metric, reference and method one record of all cases; for this package's default method, relative to
        the published ProxySPEX and to the best other, also one of each class by the number of players and of each
        family.

    Example:
        >>> from captum_spex.benchmark import Row
        >>> rows = [Row("c", "f", 9, method, package, "1", budget, 0, "done", n_evaluations=budget, r2=r2)
        ...         for method, package, gain in (("ProxySpex", "captum-spex", 0.1), ("rival", "other", 0.0))
        ...         for budget, r2 in ((100, 0.5 + gain), (200, 0.6 + gain), (400, 0.7 + gain))]
        >>> [(one.method, round(one.ratio, 2)) for one in evaluations_needed(rows) if one.group == ""]
        [('ProxySpex', 0.63), ('rival', 1.0)]
    """
    found, table = list[Needed](), frame_of(rows)
    for metric in metrics:
        curves = curves_of(table, metric)
        for reference in references:
            ratios = _ratios(curves, reference, methods, multiples)
            for method, own in ratios.groupby("method", sort=False):
                groups = groups_of(own) if method == OURS and reference in REFERENCES else [("", own)]
                found += [_averaged(some, str(method), reference, metric.label, group) for group, some in groups]
    return found


_RATIOS = ["case", "family", "n_players", "method", "log", "never", "at_once"]


def _ratios(
    curves: Curves, reference: str, methods: Sequence[str] | None, multiples: tuple[float, float]
) -> pd.DataFrame:
    """Return ``log(needed / e)``, a mean over targets, of every method in every case with targets."""
    lines = []
    for case, (family, n_players) in curves.cases.items():
        points = curves.of_case(case)
        targets = _targets(points, reference, curves)
        is_used = (targets.quality > curves.metric.worth) & is_within(targets.budgets, n_players, multiples)
        targets = Points(*(values[is_used] for values in targets))
        for method in (methods or curves.packages) if len(targets.budgets) else ():
            reached = _reached(points[method].known, targets, curves.metric) if method in points else _NOT_TRIED
            lines.append((case, family, n_players, method, *reached))
    return pd.DataFrame(lines, columns=_RATIOS)


_NOT_TRIED = (np.nan, False, False)


def _targets(points: dict[str, Points], reference: str, curves: Curves) -> Points:
    """Return the points of a reference: for each budget the best one, of the fewest evaluations."""
    used = [one for one in points if (curves.packages[one] != PACKAGE if reference == BEST_OTHER else one == reference)]
    known = Points(*(np.concatenate([[], *values]) for values in zip(*_known(points, used), strict=True)))
    best_first = Points(*(values[np.lexsort((known.evaluations, -known.quality))] for values in known))
    return Points(*(values[np.unique(best_first.budgets, return_index=True)[1]] for values in best_first))


def _known(points: dict[str, Points], methods: Sequence[str]) -> list[Points]:
    return [points[method].known for method in methods] or [Points(*np.zeros((4, 0)))]


def _reached(curve: Points, targets: Points, metric: Metric) -> tuple[float, bool, bool]:
    """Return the mean ``log(needed / e)`` of a curve, and whether it is a lower and an upper bound."""
    if not len(curve.budgets):
        return _NOT_TRIED
    quality, costs = np.maximum.accumulate(curve.quality), np.log(curve.evaluations)
    wanted = targets.quality
    after = np.searchsorted(quality, wanted)  # the first point that reaches it
    never = after == len(quality)
    after = np.minimum(after, len(quality) - 1)
    before = np.maximum(after - 1, 0)
    rise = quality[after] - quality[before]
    share = np.where(rise > 0, (quality[after] - wanted) / np.where(rise > 0, rise, 1.0), 0.0)
    logs = np.where(never, costs[-1], costs[after] - (costs[after] - costs[before]) * share)
    is_surpassed = (quality[0] > wanted) | (quality[0] >= metric.ceiling)
    at_once = ~never & (logs <= costs[0]) & is_surpassed
    return float((logs - np.log(targets.evaluations)).mean()), bool(never.any()), bool(at_once.any())


def _averaged(chosen: pd.DataFrame, method: str, reference: str, metric: str, group: str) -> Needed:
    answered = chosen.dropna(subset="log")
    logs = answered["log"].to_numpy()
    ratio, low, high = np.exp([logs.mean() if len(logs) else np.nan, *interval(logs)]).tolist()
    bounds = int(answered["never"].sum()), int(answered["at_once"].sum())
    return Needed(method, reference, metric, group, ratio, low, high, len(logs), *bounds, len(chosen) - len(answered))
