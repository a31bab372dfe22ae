"""Evaluations needed to reach a given quality: the one number that sums up a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from captum_spex.arrays import Floats
from captum_spex.benchmark.curves import METRICS, Metric, by_evaluations, curves_of
from captum_spex.benchmark.row import OURS, PACKAGE, PUBLISHED, Row

BEST_OTHER = "best other"
REFERENCES = (PUBLISHED, BEST_OTHER)
_RESAMPLES = 4000
_TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Needed:
    """How many evaluations a method needs for the quality of a reference, relative to those of the reference.

    The reference has to reach a quality worth comparing.
    """

    method: str
    reference: str
    metric: str  # its label
    family: str  # whose cases; empty: all
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


def evaluations_needed(rows: Sequence[Row]) -> list[Needed]:
    r"""Sum up a benchmark: evaluations needed to reach a given quality, relative to a reference.

    In a case, at a budget ``B`` of its grid, the reference (published ProxySPEX, or the best method of another package
    there) has the quality ``q_B``, a mean over seeds, after ``e_B`` evaluations. A method reaches it after

        needed(q_B) = exp(interpolation of log(evaluations) at q_B on the curve of the method),

    where the curve is the best mean quality up to a number of evaluations. If it is never reached, the largest number
    of evaluations is a lower bound of ``needed``; if it is surpassed at the smallest, that is an upper bound. Then

        ratio = exp(mean over cases (mean over B (log(needed(q_B) / e_B)))).

    Only ``q_B`` above `Metric.worth` count. The interval is between the 2.5 % and 97.5 % quantiles of the ratio over
    4,000 draws of as many cases, with replacement.

    Returns:
        For each metric, reference and method one record of all cases, and for this package's default method one of
        each family.

    Example:
        >>> rows = [Row("c", "f", 9, method, package, "1", budget, 0, "done", n_evaluations=budget, r2=r2)
        ...         for method, package, gain in (("ProxySpex", "captum-spex", 0.1), ("rival", "other", 0.0))
        ...         for budget, r2 in ((100, 0.5 + gain), (200, 0.6 + gain), (400, 0.7 + gain))]
        >>> [(one.method, round(one.ratio, 2)) for one in evaluations_needed(rows) if one.family == ""]
        [('ProxySpex', 0.63), ('rival', 1.0)]
    """
    found: list[Needed] = []
    for metric in METRICS:
        curves = curves_of(rows, metric)
        for reference in REFERENCES:
            ratios = _ratios(curves, reference, metric)
            names = [(method, "") for method in ratios["method"].unique()]
            names += [(OURS, family) for family in ratios["family"].unique()] if (OURS, "") in names else []
            found += [_averaged(ratios, method, reference, metric.label, family) for method, family in names]
    return found


def _ratios(curves: pd.DataFrame, reference: str, metric: Metric) -> pd.DataFrame:
    """Return ``log(needed / e)``, a mean over targets, of every method in every case with targets."""
    lines = []
    methods = curves["method"].unique()
    for (case, family), of_case in curves.groupby(["case", "family"], sort=False):
        targets = _targets(of_case, reference)
        targets = targets[targets["quality"] > metric.worth]
        for method in methods if len(targets) else ():
            curve = by_evaluations(of_case[of_case["method"] == method])
            lines.append((case, family, method, *_reached(curve, targets, metric)))
    return pd.DataFrame(lines, columns=["case", "family", "method", "log", "never", "at_once"])


def _targets(of_case: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return the qualities of a reference and its evaluations, one line for each budget."""
    if reference != BEST_OTHER:
        return of_case[of_case["method"] == reference].dropna(subset="quality")
    others = of_case[of_case["package"] != PACKAGE].dropna(subset="quality")
    best_first = others.sort_values(["quality", "evaluations"], ascending=[False, True], kind="stable")
    return best_first.drop_duplicates("budget")


def _reached(curve: pd.DataFrame, targets: pd.DataFrame, metric: Metric) -> tuple[float, bool, bool]:
    """Return the mean ``log(needed / e)`` of a curve, and whether it is a lower and an upper bound."""
    if not len(curve):
        return np.nan, False, False
    quality, costs = np.maximum.accumulate(curve["quality"].to_numpy()), np.log(curve["evaluations"].to_numpy())
    wanted = targets["quality"].to_numpy()
    after = np.searchsorted(quality, wanted)  # the first point that reaches it
    never = after == len(quality)
    after = np.minimum(after, len(quality) - 1)
    before = np.maximum(after - 1, 0)
    rise = quality[after] - quality[before]
    share = np.where(rise > 0, (quality[after] - wanted) / np.where(rise > 0, rise, 1.0), 0.0)
    logs = np.where(never, costs[-1], costs[after] - (costs[after] - costs[before]) * share)
    is_surpassed = (quality[0] > wanted) | (quality[0] >= metric.ceiling)
    at_once = ~never & (logs <= costs[0]) & is_surpassed
    mean = float((logs - np.log(targets["evaluations"].to_numpy())).mean())
    return mean, bool(never.any()), bool(at_once.any())


def _averaged(ratios: pd.DataFrame, method: str, reference: str, metric: str, family: str) -> Needed:
    chosen = ratios[(ratios["method"] == method) & ((ratios["family"] == family) | (family == ""))]
    answered = chosen.dropna(subset="log")
    logs = answered["log"].to_numpy()
    low, high = np.exp(interval(logs))
    ratio = float(np.exp(logs.mean())) if len(logs) else np.nan
    bounds = int(answered["never"].sum()), int(answered["at_once"].sum())
    n_unanswered = len(chosen) - len(answered)
    return Needed(method, reference, metric, family, ratio, float(low), float(high), len(logs), *bounds, n_unanswered)


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, always with the same draws; NaN for fewer than two values.

    Example:
        >>> low, high = interval(np.array([0.0, 1.0, 2.0, 3.0]))
        >>> low < 1.5 < high
        True
    """
    if len(values) < 2:
        return np.nan, np.nan
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    means = np.sort(values)[draws].mean(axis=1)  # sorted: the names and the order of cases do not matter
    low, high = np.quantile(means, _TAILS)
    middle = values.mean()
    return float(min(low, middle)), float(max(high, middle))
