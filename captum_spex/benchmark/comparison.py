"""What is compared: the quality of every method against evaluations, in every case, and ours beside each rival."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from captum_spex.arrays import Floats
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED, Row

Rows: TypeAlias = Sequence[Row] | pd.DataFrame  # rows, or what `frame_of` has made of them
BEST_OTHER = "best other"
_CAP, _FLOOR = 1 - 1e-6, 1e-9  # an R² or an error beyond is exact: differences there are rounding errors
_EQUAL = 1.05  # numbers of evaluations that differ by less are equal
_STANDARD_ERRORS = 2.0
_RESAMPLES = 4000


@dataclass(frozen=True)
class Metric:
    """A column of the results, as a quality: larger is better, differences mean the same everywhere."""

    column: str
    label: str
    quality: Callable[[Floats], Floats]  # of means of the column
    ceiling: float  # the largest quality there is
    worth: float  # a reference counts only if its quality is above
    negligible: float  # smaller differences in quality are ties even without noise

    @property
    def is_error(self) -> bool:
        """Whether the quality is ``-log10(error)``, so that a difference is a factor of the error."""
        return self.ceiling > 1

    def difference_text(self, difference: float) -> str:
        """Return a difference of qualities in the metric's own terms: R² as it is, errors as a factor."""
        if np.isnan(difference):
            return "no answer"
        if not self.is_error:
            return f"{difference:+.3f} {self.label}".replace("-", "\N{MINUS SIGN}")
        return f"error \N{MULTIPLICATION SIGN} {10 ** min(-difference, 12.0):.3g}"


def _digits(errors: Floats) -> Floats:
    return -np.log10(np.maximum(errors, _FLOOR))


R2 = Metric("r2", "R²", lambda values: np.minimum(values, _CAP), _CAP, 0.05, 0.001)
"""The quality is R² itself; a reference counts above 0.05; differences below 0.001 are ties."""
SHAPLEY = Metric("shapley_error", "Shapley error", _digits, 9.0, 0.0, 0.02)
"""The quality is ``-log10(error)``; a reference counts below an error of 1; differences below 5 % are ties."""
PAIRS = Metric("order2_error", "error of pairs", _digits, 9.0, 0.0, 0.02)
"""As `SHAPLEY`, for the interactions of two players."""
TRIPLES = Metric("order3_error", "error of triples", _digits, 9.0, 0.0, 0.02)
"""As `SHAPLEY`, for the interactions of three players."""
PRECISION = Metric("precision", "precision", lambda values: values, 1.0, 0.0, 0.01)
"""The quality is the share of the ten largest pairs; differences below 0.01 are ties."""
METRICS, ERRORS = (R2, SHAPLEY), (SHAPLEY, PAIRS, TRIPLES)


def frame_of(rows: Rows) -> pd.DataFrame:
    """Return the rows of methods in cases; not those of a method or a case that could not be used at all."""
    if isinstance(rows, pd.DataFrame):
        return rows
    names = [field.name for field in fields(Row)]
    columns = {name: [_in_utf8(getattr(row, name)) for row in rows] for name in names}
    table = pd.DataFrame(columns, columns=names)
    return table[(table["case"] != "") & (table["method"] != "")]


def _in_utf8(cell: Any) -> Any:
    """Replace lone surrogates in texts, which pandas refuses where pyarrow is installed."""
    return cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell


class Points(NamedTuple):
    """Means over seeds of one method in one case, a point for each budget that was tried; NaN if no run was done."""

    budgets: Floats  # increasing
    evaluations: Floats
    quality: Floats
    error: Floats  # standard error of the quality over seeds; 0 for a single seed

    @property
    def known(self) -> Points:
        """The points with a quality, by increasing evaluations."""
        order = np.argsort(self.evaluations, kind="stable")
        return Points(*(values[order[np.isfinite(self.quality[order])]] for values in self))


@dataclass(frozen=True, eq=False)
class Curves:
    """All results by one metric: families and numbers of players of cases, packages of methods, and their points."""

    metric: Metric
    cases: dict[str, tuple[str, int]]
    packages: dict[str, str]
    points: dict[tuple[str, str], Points]  # by case and method

    def of_case(self, case: str) -> dict[str, Points]:
        """Return the points of the methods that were tried in a case."""
        return {method: self.points[case, method] for method in self.packages if (case, method) in self.points}


def curves_of(rows: Rows, metric: Metric) -> Curves:
    """Average the runs of each case, method and budget over seeds."""
    table = frame_of(rows)
    value, evaluations = table[metric.column].astype(float), table["n_evaluations"].astype(float)
    usable = (table["status"] == "done") & np.isfinite(value) & (evaluations > 0)
    value, evaluations = value.where(usable), evaluations.where(usable)
    each = table[["case", "method", "budget"]].assign(value=value, evaluations=evaluations, error=metric.quality(value))
    groups = each.groupby(["case", "method", "budget"], sort=False)
    means = groups.agg({"value": "mean", "evaluations": "mean", "error": "sem"}).reset_index()
    means = means.assign(value=metric.quality(means["value"]), error=means["error"].fillna(0.0))
    means = means.sort_values("budget", kind="stable").reset_index(drop=True)
    numbers = means[["budget", "evaluations", "value", "error"]].to_numpy(dtype=np.float64)
    places = means.groupby(["case", "method"], sort=False).indices
    about = table.drop_duplicates("case")
    cases = dict(zip(about["case"], zip(about["family"], about["n_players"].astype(int), strict=True), strict=True))
    packages = table.drop_duplicates("method").set_index("method")["package"].to_dict()
    return Curves(metric, cases, packages, {key: Points(*numbers[order].T) for key, order in places.items()})


def cells_of(curves: Curves) -> pd.DataFrame:
    """Put this package's default method beside every rival, in every case at every budget, at equal evaluations.

    Ours has the quality ``ours`` after ``evaluations`` (means over seeds). That of a rival after as many is
    interpolated on its curve over ``log(evaluations)``; past its last budget it stays what it was; before its first
    one, 5 % fewer apart, it has none and there is no cell. Rivals are the methods of other packages and the published
    ProxySPEX. Budgets below all that rivals were given do not count: only methods that evaluate less than they may
    have an answer there.

    Returns:
        A line for each cell: case, family, n_players, budget, evaluations, ours, kept (ours, or where it has no answer
        that of its last budget, as for rivals), noise (twice the standard error of the difference over seeds), rival,
        theirs, difference (ours - theirs; NaN if ours has no answer), answered (whether the rival has an answer at
        this budget or a larger one; else it stands there with its last, of fewer evaluations).
    """
    return pd.DataFrame([line for case in curves.cases for line in _lines(curves, case)], columns=_COLUMNS)


_COLUMNS = ["case", "family", "n_players", "budget", "evaluations", "ours", "kept", "noise", "rival", "theirs",
            "difference", "answered"]  # fmt: skip


def _lines(curves: Curves, case: str) -> Iterator[tuple[Any, ...]]:
    points = curves.of_case(case)
    rivals = {name: one for name, one in points.items() if curves.packages[name] != PACKAGE or name == PUBLISHED}
    if OURS not in points or not rivals:
        return
    is_used = points[OURS].budgets >= min(one.budgets[0] for one in rivals.values())
    budgets, evaluations, ours, error = (values[is_used] for values in points[OURS])
    evaluations = np.where(np.isnan(evaluations), budgets, evaluations)
    kept = np.where(np.isnan(ours), _interpolated(points[OURS].known, evaluations)[0], ours)
    for name, curve in rivals.items():
        quality, noise = _interpolated(curve.known, evaluations)
        last = curve.known.budgets.max(initial=0.0)
        differences, noises = ours - quality, _STANDARD_ERRORS * np.hypot(error, noise)
        for place in np.flatnonzero(np.isfinite(quality)).tolist():
            own = (float(values[place]) for values in (evaluations, ours, kept, noises))
            theirs = name, float(quality[place]), float(differences[place]), bool(budgets[place] <= last)
            yield (case, *curves.cases[case], int(budgets[place]), *own, *theirs)


def _interpolated(curve: Points, evaluations: Floats) -> Floats:
    """Return the quality of a method and its error after some numbers of evaluations; NaN before its first budget."""
    if not len(curve.budgets):
        return np.full((2, len(evaluations)), np.nan)
    places, costs = np.log(evaluations), np.log(curve.evaluations)
    found = np.array([np.interp(places, costs, values) for values in (curve.quality, curve.error)])
    return np.where(evaluations * _EQUAL >= curve.evaluations[0], found, np.nan)


def beside(cells: pd.DataFrame, reference: str, packages: Mapping[str, str]) -> pd.DataFrame:
    """Return the cells of one rival, or for `BEST_OTHER` those of the best method of another package in each."""
    if reference != BEST_OTHER:
        return cells[cells["rival"] == reference]
    others = cells[cells["rival"].map(packages).ne(PACKAGE)]
    best_first = others.sort_values("theirs", ascending=False, kind="stable").drop_duplicates(["case", "budget"])
    return best_first.sort_index()


def within(table: pd.DataFrame, multiples: tuple[float, float]) -> pd.DataFrame:
    """Return the lines with budgets from and to a multiple of the number of players."""
    return table[is_within(table["budget"], table["n_players"], multiples)]


def is_within(budgets: Any, n_players: Any, multiples: tuple[float, float]) -> Any:
    """Say which budgets are from and to a multiple of a number of players, which may have been rounded."""
    low, high = multiples
    return (budgets >= low * n_players - 0.5) & (budgets <= high * n_players + 0.5)


SIZES = {"up to 16 players": 16, "17 to 64 players": 64, "65 to 300 players": 300, "more than 300 players": 10**12}
"""Classes of games by their number of players: the largest in each."""


def size_of(n_players: int) -> str:
    """Return the class of a number of players."""
    return next(name for name, most in SIZES.items() if n_players <= most)


def groups_of(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the lines of all cases, with an empty name, of each class by the number of players, and of each family."""
    yield "", table
    sizes = table["n_players"].map(size_of)
    yield from ((name, table[sizes == name]) for name in SIZES if (sizes == name).any())
    yield from ((str(name), own) for name, own in table.groupby("family", sort=False))


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, always with the same draws; NaN for fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    means = np.sort(values)[draws].mean(axis=1)  # sorted: the names and the order of cases do not matter
    low, high = np.quantile(means, (0.025, 0.975))
    middle = values.mean()
    return float(min(low, middle)), float(max(high, middle))
