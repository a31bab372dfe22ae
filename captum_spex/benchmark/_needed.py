"""Evaluations needed to reach a given quality: the one number that a benchmark is summed up in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats
from captum_spex.benchmark._curves import METRICS, OURS, PUBLISHED, Curves, curves_of
from captum_spex.benchmark._row import Row

BEST_OTHER = "best other"
REFERENCES = (PUBLISHED, BEST_OTHER)
_RESAMPLES = 4000
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Needed:
    """How many evaluations a method needs for the quality of a reference, relative to those of the reference.

    Attributes:
        method, reference, metric: of whom, relative to whom, by the label of which metric.
        family: whose cases; empty: all.
        ratio: geometric mean over cases; below 1, it needs fewer. NaN without a case.
        low, high: 95 % bootstrap interval over cases; NaN if there are fewer than two.
        n_cases: cases that count: the reference reaches a quality that means something, and the method answers.
        n_never: of these, in which a quality is never reached; the ratio counts less than it should.
        n_at_once: of these, in which one is surpassed at the smallest budget; the ratio counts more than it should.
        n_unanswered: further cases with such a reference, in which the method has no answer.
    """

    method: str
    reference: str
    metric: str
    family: str
    ratio: float
    low: float
    high: float
    n_cases: int
    n_never: int
    n_at_once: int
    n_unanswered: int


@dataclass(frozen=True, eq=False)
class Ratios:
    """Ratios for every case, method and target, before any averaging.

    Attributes:
        logs: ``(n_cases, n_methods, n_targets)`` natural logarithms; NaN where there is no target or no curve.
        never, at_once: which of them are bounds: really ``>=``, really ``<=``.
        wanted: ``(n_cases,)`` whether there is any target.
    """

    logs: Floats
    never: NDArray[np.bool_]
    at_once: NDArray[np.bool_]
    wanted: NDArray[np.bool_]


def summary(rows: Sequence[Row]) -> list[Needed]:
    r"""Sum up a benchmark: evaluations needed to reach a given quality, relative to a reference.

    In a case, at a budget ``B`` of its grid, the reference (published ProxySPEX, or the best method there that is not
    of this package) has the quality ``q_B``, a mean over seeds, after ``e_B`` evaluations. A method reaches it after

        needed(q_B) = exp(interpolation of log(evaluations) at q_B on the curve of the method),

    where the curve is the best mean quality up to a number of evaluations. If it is never reached, the largest number
    of evaluations is a lower bound of ``needed``; if it is surpassed at the smallest, that is an upper bound. Then

        ratio = exp(mean over cases (mean over B (log(needed(q_B) / e_B)))).

    Only ``q_B`` that mean something count: R² above 0.05, a Shapley error below 1. The interval is between the 2.5 %
    and 97.5 % quantiles of the ratio over 4,000 draws of as many cases, with replacement.

    Args:
        rows: the results.

    Returns:
        For each metric, reference and method one record of all cases, and for this package's default method one of
        each family.

    Example:
        >>> rows = [Row("c", "f", 9, method, package, "1", budget, 0, "done", n_evaluations=budget, r2=r2)
        ...         for method, package, gain in (("ProxySpex", "captum-spex", 0.1), ("rival", "other", 0.0))
        ...         for budget, r2 in ((100, 0.5 + gain), (200, 0.6 + gain), (400, 0.7 + gain))]
        >>> [(needed.method, round(needed.ratio, 2)) for needed in summary(rows) if needed.family == ""]
        [('ProxySpex', 0.63), ('rival', 1.0)]
    """
    found: list[Needed] = []
    for metric in METRICS:
        curves = curves_of(rows, metric)
        for reference in REFERENCES:
            ratios = ratios_to(curves, reference)
            if ratios is not None:
                found += _of_reference(curves, ratios, reference)
    return found


def ratios_to(curves: Curves, reference: str) -> Ratios | None:
    """Return the ratios of all methods to a reference, None if that has no quality that means something."""
    targets, costs = _targets(curves, reference)
    meant: NDArray[np.bool_] = np.asarray(targets > curves.metric.worth)
    if not meant.any():
        return None
    targets = np.where(meant, targets, np.nan)
    needed, never, at_once = _needed(curves, targets)
    logs = needed - np.log(np.where(meant, costs, np.nan))[:, None, :]
    wanted: NDArray[np.bool_] = np.asarray(meant.any(axis=1))
    return Ratios(logs, never, at_once, wanted)


def _targets(curves: Curves, reference: str) -> tuple[Floats, Floats]:
    """Return the qualities of a reference and its evaluations, both ``(n_cases, n_budgets)``."""
    number = curves.of(reference)
    if reference != BEST_OTHER:
        missing = np.full(curves.budgets.shape, np.nan)
        return (missing, missing) if number is None else (curves.quality[:, number], curves.evaluations[:, number])
    others = np.nan_to_num(curves.quality[:, curves.others], nan=-np.inf)
    best = others.max(axis=1, initial=-np.inf)
    cheapest = np.where(others == best[:, None], curves.evaluations[:, curves.others], np.inf)
    return best, cheapest.min(axis=1, initial=np.inf)


def _needed(curves: Curves, targets: Floats) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return logarithms of the evaluations that reach targets, and which are lower, which are upper bounds."""
    order = np.argsort(np.where(np.isnan(curves.quality), np.inf, curves.evaluations), axis=2, kind="stable")
    values = np.take_along_axis(curves.quality, order, axis=2)
    known = ~np.isnan(values)
    costs = np.log(np.where(known, np.take_along_axis(curves.evaluations, order, axis=2), np.nan))
    best = np.maximum.accumulate(np.where(known, values, -np.inf), axis=2)
    wanted = targets[:, None, :]
    reached: NDArray[np.bool_] = best[:, :, :, None] >= wanted[:, :, None, :]
    after = reached.argmax(axis=2)
    before = np.maximum(after - 1, 0)
    (low, high), (cheap, dear) = (
        [np.take_along_axis(array, places, axis=2) for places in (before, after)] for array in (best, costs)
    )
    with np.errstate(invalid="ignore"):  # where there is no curve, all is NaN or infinite
        share = np.where(high > low, (high - wanted) / np.where(high > low, high - low, 1.0), 0.0)
        inside = dear - (dear - cheap) * share
    start, end = costs[:, :, :1], costs.max(axis=2, keepdims=True, initial=-np.inf, where=known)
    usable = known.any(axis=2, keepdims=True) & ~np.isnan(wanted)
    never = usable & ~reached.any(axis=2)
    first = best[:, :, :1]
    at_once = usable & ~never & (inside <= start) & ((first > wanted) | (first >= curves.metric.ceiling))
    return np.where(usable, np.where(never, end, inside), np.nan), never, at_once


def _of_reference(curves: Curves, ratios: Ratios, reference: str) -> list[Needed]:
    everything = np.ones(len(curves.cases), dtype=bool)
    found = [_averaged(curves, ratios, (method, reference, ""), everything) for method in curves.methods]
    if OURS in curves.methods:
        for family in dict.fromkeys(curves.families):
            chosen = np.array([name == family for name in curves.families])
            if (chosen & ratios.wanted).any():
                found.append(_averaged(curves, ratios, (OURS, reference, family), chosen))
    return found


def _averaged(curves: Curves, ratios: Ratios, names: tuple[str, str, str], chosen: NDArray[np.bool_]) -> Needed:
    method, reference, family = names
    number = curves.methods.index(method)
    logs = ratios.logs[:, number]
    answered = chosen & ~np.isnan(logs).all(axis=1)
    per_case = np.nanmean(logs[answered], axis=1)
    low, high = interval(per_case)
    return Needed(
        method,
        reference,
        curves.metric.label,
        family,
        float(np.exp(per_case.mean())) if len(per_case) else np.nan,
        float(np.exp(low)),
        float(np.exp(high)),
        len(per_case),
        int(ratios.never[answered, number].any(axis=1).sum()),
        int(ratios.at_once[answered, number].any(axis=1).sum()),
        int((chosen & ratios.wanted & ~answered).sum()),
    )


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, always with the same draws; NaN for fewer than two values.

    Args:
        values: ``(n_cases,)``, in any order.

    Returns:
        The lower and the upper end; the mean is between them.

    Example:
        >>> low, high = interval(np.array([0.0, 1.0, 2.0, 3.0]))
        >>> low < 1.5 < high
        True
    """
    if len(values) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    draws = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    means = np.sort(values)[draws].mean(axis=1)  # sorted: the names and the order of cases do not matter
    low, high = np.quantile(means, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    middle = values.mean()
    return float(min(low, middle)), float(max(high, middle))
