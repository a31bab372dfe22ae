"""The verdict: quality against evaluations, evaluations needed for a given quality, wins and losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from captum_spex.arrays import Floats
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED, Row

_CAP, _FLOOR = 1 - 1e-6, 1e-9  # an R² or an error beyond is exact: differences there are rounding errors


@dataclass(frozen=True)
class Metric:
    """A column of the results, as a quality: larger is better, differences mean the same everywhere."""

    column: str
    label: str
    quality: Callable[[Floats], Floats]  # of means of the column
    ceiling: float  # the largest quality there is
    worth: float  # a reference counts only if its quality is above
    negligible: float  # smaller differences in quality are ties even without noise

    def difference_text(self, difference: float) -> str:
        """Return a difference of qualities in the metric's own terms: R² as it is, errors as a factor."""
        if np.isnan(difference):
            return "no answer"
        if self == R2:
            return f"{difference:+.3f} {self.label}".replace("-", "\N{MINUS SIGN}")
        return f"error \N{MULTIPLICATION SIGN} {10 ** min(-difference, 12.0):.3g}"


R2 = Metric("r2", "R²", lambda values: np.minimum(values, _CAP), _CAP, 0.05, 0.001)
"""The quality is R² itself; a reference counts above 0.05; differences below 0.001 are ties."""
SHAPLEY = Metric("shapley_error", "Shapley error", lambda values: -np.log10(np.maximum(values, _FLOOR)), 9.0, 0.0, 0.02)
"""The quality is ``-log10(error)``; a reference counts below an error of 1; differences below 5 % are ties."""
METRICS = (R2, SHAPLEY)


def frame_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows of methods in cases; not those of a method or a case that could not be used at all."""
    names = [field.name for field in fields(Row)]
    columns = {name: [_in_utf8(getattr(row, name)) for row in rows] for name in names}
    table = pd.DataFrame(columns, columns=names)
    return table[(table["case"] != "") & (table["method"] != "")]


def _in_utf8(cell: Any) -> Any:
    """Replace lone surrogates in texts, which pandas refuses where pyarrow is installed."""
    return cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell


def curves_of(rows: Sequence[Row], metric: Metric) -> pd.DataFrame:
    """Average the runs of each case, method and budget over seeds.

    Returns:
        One line for each case, method and budget that was tried: family, package, evaluations, quality, and error, its
        standard error over seeds (0 for a single seed); quality and evaluations are NaN if no run was done.
    """
    table = frame_of(rows)
    value, evaluations = table[metric.column].astype(float), table["n_evaluations"].astype(float)
    usable = (table["status"] == "done") & np.isfinite(value) & (evaluations > 0)
    value, evaluations = value.where(usable), evaluations.where(usable)
    table = table.assign(value=value, evaluations=evaluations, each=metric.quality(value))
    groups = table.groupby(["case", "method", "budget"], sort=False)
    how = {"family": "first", "package": "first", "value": "mean", "evaluations": "mean", "each": "sem"}
    found = groups.agg(how).reset_index().rename(columns={"each": "error"})
    return found.assign(quality=metric.quality(found["value"]), error=found["error"].fillna(0.0))


def by_evaluations(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the known points of one method's curve in one case, by increasing evaluations."""
    return curve.dropna(subset="quality").sort_values("evaluations", kind="stable")


BEST_OTHER = "best other"
REFERENCES = (PUBLISHED, BEST_OTHER)
_RESAMPLES = 4000


@dataclass(frozen=True)
class Needed:
    """How many evaluations a method needs for the quality of a reference, relative to those of the reference."""

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
    ratio, low, high = np.exp([logs.mean() if len(logs) else np.nan, *interval(logs)]).tolist()
    bounds = int(answered["never"].sum()), int(answered["at_once"].sum())
    return Needed(method, reference, metric, family, ratio, low, high, len(logs), *bounds, len(chosen) - len(answered))


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, always with the same draws; NaN for fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    means = np.sort(values)[draws].mean(axis=1)  # sorted: the names and the order of cases do not matter
    low, high = np.quantile(means, (0.025, 0.975))
    middle = values.mean()
    return float(min(low, middle)), float(max(high, middle))


_EQUAL = 1.05  # numbers of evaluations that differ by less are equal
_STANDARD_ERRORS = 2.0


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
        >>> [(standing.outcome.value, round(standing.difference, 3)) for standing in standings(rows)]
        [('lost', -0.1)]
    """
    found: list[Standing] = []
    for metric in METRICS:
        each = (_standing(case, metric, curves) for case, curves in curves_of(rows, metric).groupby("case", sort=False))
        found += sorted((one for one in each if one is not None), key=_by_loss)
    return found


def _by_loss(one: Verdict | Standing) -> tuple[bool, int, float]:
    is_answered = one.outcome != Outcome.UNANSWERED
    return is_answered, list(Outcome).index(one.outcome), float(np.nan_to_num(one.difference))


def _standing(case: str, metric: Metric, of_case: pd.DataFrame) -> Standing | None:
    others = of_case[of_case["package"] != PACKAGE]
    ours = of_case[(of_case["method"] == OURS) & (of_case["budget"] >= others["budget"].min())].sort_values("budget")
    evaluations = ours["evaluations"].fillna(ours["budget"]).to_numpy(dtype=np.float64)
    methods = others.groupby("method", sort=False)
    curves = {str(name): _interpolated(by_evaluations(curve), evaluations) for name, curve in methods}
    theirs = np.array(list(curves.values())).reshape(len(curves), 2, len(ours))  # quality, error, at each of ours
    verdicts = []
    for number, line in enumerate(ours.itertuples()):
        if np.isfinite(theirs[:, 0, number]).any():
            rival = int(np.nanargmax(theirs[:, 0, number]))
            quality, error = theirs[rival, :, number].tolist()
            difference, noise = line.quality - quality, _STANDARD_ERRORS * float(np.hypot(line.error, error))
            where = line.budget, float(evaluations[number]), list(curves)[rival]
            verdicts.append(Verdict(*where, quality, difference, noise, Outcome.of(difference, noise, metric)))
    if not verdicts:
        return None
    answered = [verdict for verdict in verdicts if verdict.outcome != Outcome.UNANSWERED]
    difference = float(np.mean([verdict.difference for verdict in answered])) if answered else np.nan
    noise = float(np.linalg.norm([verdict.noise for verdict in answered])) / max(1, len(answered))
    return Standing(case, metric, difference, Outcome.of(difference, noise, metric), tuple(verdicts))


def _interpolated(curve: pd.DataFrame, evaluations: Floats) -> Floats:
    """Return the quality of a method and its error after some numbers of evaluations; NaN before its first budget."""
    if not len(curve):
        return np.full((2, len(evaluations)), np.nan)
    costs = curve["evaluations"].to_numpy()
    places = np.where(evaluations * _EQUAL >= costs[0], np.log(evaluations), np.nan)
    return np.array([np.interp(places, np.log(costs), curve[name]) for name in ("quality", "error")])
