"""Errors of this package's default method, relative to those of others at equal evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import pandas as pd

from captum_spex.benchmark.comparison import (
    BEST_OTHER,
    ERRORS,
    Metric,
    Rows,
    beside,
    cells_of,
    curves_of,
    frame_of,
    groups_of,
    interval,
    within,
)

_MOST = 2.0  # digits that one cell may count


@dataclass(frozen=True)
class Ratio:
    """The errors of `OURS`, squared as in the results, relative to those of a reference at equal evaluations."""

    metric: str  # its label
    reference: str  # a method, or the best other of each cell
    group: str  # whose cases: a family, or a class by the number of players; empty: all
    ratio: float  # geometric mean over cases; below 1, ours is smaller; NaN without a cell
    low: float  # 95 % bootstrap interval over cases; NaN if there are fewer than two
    high: float
    unclipped: float  # the same without the limits of a cell
    n_cases: int
    n_cells: int  # budgets of cases
    n_clipped: int  # of these, in which the ratio is beyond a limit
    n_exact: int  # of these, in which ours is exact but for rounding errors
    n_exact_theirs: int
    n_unanswered: int  # of these, in which ours has no answer, and keeps that of its last budget
    n_lost: int  # cells in which ours is larger


def error_ratios(
    rows: Rows,
    *,
    metrics: Sequence[Metric] = ERRORS,
    references: Sequence[str] | None = None,
    multiples: tuple[float, float] = (0.0, inf),
) -> list[Ratio]:
    """Compare the errors of this package's default method with those of others, at equal evaluations.

    A cell is a budget of a case, see `captum_spex.benchmark.comparison.cells_of`. With ``ours`` and ``theirs``, means
    over seeds of the squared relative errors, but at least 1e-9,

        ratio = exp(mean over cases (mean over cells (log(clip(ours / theirs, 1 / 100, 100))))).

    Where ours has no answer, it keeps that of its last budget, as a rival does; before its first, there is no cell. One
    method alone is not compared beyond its last answer, which is of fewer evaluations. The interval is that of a
    bootstrap over cases.

    Args:
        rows: the results.
        metrics: which errors.
        references: methods, and ``"best other"``, the best method of another package in each cell; default: all.
        multiples: between which multiples of the number of players a budget counts.

    Returns:
        For each metric and reference that have a cell one record of all cases; relative to the best other also one of
        each class by the number of players and of each family.

    Example:
        >>> from captum_spex.benchmark import Row
        >>> rows = [Row("c", "f", 9, method, package, "1", 100, 0, "done", n_evaluations=100, shapley_error=error)
        ...         for method, package, error in (("ProxySpex", "captum-spex", 0.01), ("rival", "other", 0.04))]
        >>> [(one.reference, round(one.ratio, 3)) for one in error_ratios(rows) if one.group == ""]
        [('best other', 0.25), ('rival', 0.25)]
    """
    found, table = list[Ratio](), frame_of(rows)
    for metric in metrics:
        curves = curves_of(table, metric)
        cells = within(cells_of(curves), multiples)
        for reference in [BEST_OTHER, *cells["rival"].unique()] if references is None else references:
            chosen = beside(cells, reference, curves.packages)
            groups = groups_of(chosen) if reference == BEST_OTHER else [("", chosen[chosen["answered"]])]
            found += [_ratio(own, metric, reference, group) for group, own in groups if len(own)]
    return found


def _ratio(cells: pd.DataFrame, metric: Metric, reference: str, group: str) -> Ratio:
    known = cells.dropna(subset="kept")
    digits = known["theirs"] - known["kept"]
    logs = digits.clip(-_MOST, _MOST).groupby(known["case"], sort=False).mean().to_numpy(dtype=np.float64)
    whole = digits.groupby(known["case"], sort=False).mean().to_numpy(dtype=np.float64)
    means = logs.mean() if len(logs) else np.nan, *interval(logs), whole.mean() if len(whole) else np.nan
    ratio, low, high, unclipped = (10.0 ** np.array(means)).tolist()
    exact, exact_theirs = (int((known[name] >= metric.ceiling - 1e-9).sum()) for name in ("kept", "theirs"))
    return Ratio(
        metric.label, reference, group, ratio, low, high, unclipped,
        n_cases=len(logs), n_cells=len(known), n_clipped=int((digits.abs() > _MOST).sum()), n_exact=exact,
        n_exact_theirs=exact_theirs, n_unanswered=int(known["ours"].isna().sum()),
        n_lost=int((digits > metric.negligible).sum()),
    )  # fmt: skip
