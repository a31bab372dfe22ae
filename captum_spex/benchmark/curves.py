"""Quality against evaluations: means over seeds, for every method in every case at every budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from captum_spex.arrays import Floats
from captum_spex.benchmark.row import Row

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
    table = pd.DataFrame([vars(row) for row in rows], columns=[field.name for field in fields(Row)])
    return table[(table["case"] != "") & (table["method"] != "")]


def curves_of(rows: Sequence[Row], metric: Metric) -> pd.DataFrame:
    """Average the runs of each case, method and budget over seeds.

    Returns:
        One line for each case, method and budget that was tried: family, package, evaluations, quality, and error, its
        standard error over seeds (0 for a single seed); quality and evaluations are NaN if no run was done.

    Example:
        >>> rows = [Row("c", "f", 4, "m", "p", "1", 8, seed, "done", n_evaluations=8, r2=r2)
        ...         for seed, r2 in enumerate((0.5, 0.7))]
        >>> curves_of(rows, R2)["quality"].round(3).tolist()
        [0.6]
    """
    table = frame_of(rows)
    value, evaluations = table[metric.column].astype(float), table["n_evaluations"].astype(float)
    usable = (table["status"] == "done") & np.isfinite(value) & (evaluations > 0)
    value, evaluations = value.where(usable), evaluations.where(usable)
    table = table.assign(value=value, evaluations=evaluations, each=metric.quality(value))
    groups = table.groupby(["case", "method", "budget"], sort=False)
    columns = {name: (name, "first") for name in ("family", "package")}
    found = groups.agg(
        **columns, value=("value", "mean"), evaluations=("evaluations", "mean"), error=("each", "sem")
    ).reset_index()
    return found.assign(quality=metric.quality(found["value"]), error=found["error"].fillna(0.0))


def by_evaluations(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the known points of one method's curve in one case, by increasing evaluations."""
    return curve.dropna(subset="quality").sort_values("evaluations", kind="stable")
