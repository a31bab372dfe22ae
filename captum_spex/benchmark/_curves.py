"""What a results file says about quality: for every case and method a curve over the number of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats
from captum_spex.benchmark._row import Row

OURS, PUBLISHED, PACKAGE = "ProxySpex", "ProxySpex as published", "captum-spex"
"""This package's default method, the published algorithm that it is compared with, and the package of both."""
_CAP, _FLOOR = 1 - 1e-6, 1e-9  # an R² or an error beyond is exact: what differs there is rounding


@dataclass(frozen=True)
class Metric:
    """A column of the results, as a quality: larger is better, differences mean the same everywhere.

    Attributes:
        column: the attribute of `Row`.
        label: for people.
        quality: from means of the column to qualities.
        ceiling: the largest quality there is.
        worth: qualities of a reference up to this mean nothing, so nothing is compared with them.
        negligible: a difference in quality that is a tie even if there is no noise.
    """

    column: str
    label: str
    quality: Callable[[Floats], Floats]
    ceiling: float
    worth: float
    negligible: float


def _capped(values: Floats) -> Floats:
    return np.minimum(values, _CAP)


def _digits(values: Floats) -> Floats:
    return -np.log10(np.maximum(values, _FLOOR))


R2 = Metric("r2", "R²", _capped, _CAP, 0.05, 0.001)
"""The quality is R² itself; a reference counts above 0.05; differences below 0.001 are ties."""
SHAPLEY = Metric("shapley_error", "Shapley error", _digits, -float(np.log10(_FLOOR)), 0.0, 0.02)
"""The quality is ``-log10(error)``; a reference counts below an error of 1; differences below 5 % are ties."""
METRICS = (R2, SHAPLEY)


@dataclass(frozen=True, eq=False)
class Curves:
    """Quality and evaluations, means over seeds, of every method in every case at every budget of its grid.

    Attributes:
        metric: whose qualities these are.
        cases, families: ``(n_cases,)`` names, in the order of the results; the family of each.
        methods, others: ``(n_methods,)`` names, and which are of another package.
        budgets: ``(n_cases, n_budgets)``, increasing, NaN where a case has fewer.
        quality: ``(n_cases, n_methods, n_budgets)``; NaN where no run was done or the metric is not known.
        evaluations: the same of distinct masks evaluated.
        errors: the same of standard errors of the quality, from the spread over seeds; 0 for a single seed.
        tried: ``(n_cases, n_methods, n_budgets)``: whether there is any run, done or not.
    """

    metric: Metric
    cases: tuple[str, ...]
    families: tuple[str, ...]
    methods: tuple[str, ...]
    others: NDArray[np.bool_]
    budgets: Floats
    quality: Floats
    evaluations: Floats
    errors: Floats
    tried: NDArray[np.bool_]

    def of(self, method: str) -> int | None:
        """Return the number of a method, None if it has no runs."""
        return self.methods.index(method) if method in self.methods else None


def curves_of(rows: Sequence[Row], metric: Metric) -> Curves:
    """Average the runs of each case, method and budget over seeds.

    Args:
        rows: the results.
        metric: which column.

    Returns:
        The curves: at each budget ``quality(mean over seeds of the column)`` and the mean number of evaluations.

    Example:
        >>> rows = [Row("c", "f", 4, "m", "p", "1", 8, seed, "done", n_evaluations=8, r2=r2)
        ...         for seed, r2 in enumerate((0.5, 0.7))]
        >>> curves_of(rows, R2).quality.round(3).tolist()
        [[[0.6]]]
    """
    rows = tried(rows)
    families = {row.case: row.family for row in rows}
    packages = {row.method: row.package for row in rows}
    cases, methods = _numbered(families), _numbered(packages)
    grids = {case: sorted({row.budget for row in rows if row.case == case}) for case in cases}
    slots = {case: _numbered(dict.fromkeys(grid)) for case, grid in grids.items()}
    shape = (len(cases), len(methods), max(map(len, grids.values()), default=0))
    budgets = np.full((shape[0], shape[2]), np.nan)
    for case, grid in grids.items():
        budgets[cases[case], : len(grid)] = grid
    places = [(cases[row.case], methods[row.method], slots[row.case][row.budget]) for row in rows]
    at = np.array(places, dtype=np.intp).reshape(-1, 3).T
    table = np.array([(getattr(row, metric.column), row.n_evaluations) for row in rows]).reshape(-1, 2).T
    usable = np.array([row.status == "done" for row in rows], dtype=bool) & np.isfinite(table).all(axis=0)
    usable &= table[1] > 0
    return Curves(
        metric,
        tuple(cases),
        tuple(families.values()),
        tuple(methods),
        np.array([package != PACKAGE for package in packages.values()], dtype=bool),
        budgets,
        *_means(at[:, usable], table[:, usable], shape, metric),
        _counts(at, shape) > 0,
    )


def tried(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a method in a case: not those of a method or of a case that could not be used at all."""
    return [row for row in rows if row.case and row.method]


def _numbered(names: dict[Any, Any]) -> dict[Any, int]:
    return {name: number for number, name in enumerate(names)}


def _counts(at: NDArray[np.intp], shape: tuple[int, int, int], weights: Floats | None = None) -> Floats:
    places = np.ravel_multi_index(tuple(at), shape) if at.size else np.zeros(0, dtype=np.intp)
    return np.bincount(places, weights, int(np.prod(shape))).reshape(shape).astype(np.float64)


def _means(
    at: NDArray[np.intp], table: Floats, shape: tuple[int, int, int], metric: Metric
) -> tuple[Floats, Floats, Floats]:
    """Return qualities, evaluations, and standard errors of the qualities."""
    counts = _counts(at, shape)
    runs = metric.quality(table[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        values, evaluations, middles = (
            _counts(at, shape, column) / counts for column in (table[0], table[1], runs)
        )  # NaN where there is no run
        squares = _counts(at, shape, (runs - middles[tuple(at)]) ** 2)
        errors = np.sqrt(squares / np.maximum(counts - 1, 1) / counts)
    return metric.quality(values), evaluations, errors
