"""Explanations of tables whose cells SHAP's plots cannot draw as they are: texts, flags, dates, missing values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import scalar
from captum_spex.columns import Column, category_dtype
from captum_spex.compat.shap import Explanation
from captum_spex.errors import ArgumentError
from captum_spex.exports.shap.asking import Asking, asking

MISSING = "missing"
_GREY = "grey"  # a text that is no number: SHAP's beeswarm draws such a column in grey
_EXACT = 2**53  # from here on float64 rounds integers
_TICKS = 8  # dates at an axis
_WRITE_CELLS = ("plots._bar", "plots._waterfall", "plots._force")
_VIOLINS = ("violin", "layered_violin")

Cells = NDArray[Any]


def is_drawable(data: Any) -> bool:
    """Whether SHAP's plots draw data as they are: numbers that float64 holds, none missing, no column of one only."""
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "iuf" or np.isnan(data).any():
        return False
    if data.dtype.kind != "f" and data.size and max(abs(int(data.min())), int(data.max())) > _EXACT:
        return False
    return data.ndim != 2 or len(data) < 2 or not (data == data[0]).all(axis=0).any()


class TableExplanation(Explanation):  # type: ignore[misc]
    """A ``shap.Explanation`` of a table, of which every reader gets what it can use.

    ``data`` are the cells as they were given. SHAP's plots get in their place numbers to draw them by, and as
    ``display_data`` texts to name them by; those that could not draw a column correctly say so, and which call does.
    """

    _categories: Mapping[str, Any] = {}

    def with_categories(self, categories: Mapping[str, Any]) -> TableExplanation:
        """Keep the dtypes of categorical columns, by name: an array of cells knows neither categories nor order."""
        self._categories = dict(categories)
        return self

    def __copy__(self) -> TableExplanation:
        copied: TableExplanation = super().__copy__()
        copied.__class__ = type(self)
        return copied.with_categories(self._categories)

    def __getitem__(self, item: Any) -> Explanation:
        cells = self._read("data")
        if not isinstance(cells, np.ndarray) or cells.ndim != 2 or not any(map(_holds_more, cells.flat)):
            return super().__getitem__(item)
        worded = self.__copy__()  # SHAP takes a row that begins with a list or an array for a table
        worded.data = _array([str(cell) if _holds_more(cell) else cell for cell in cells.flat]).reshape(cells.shape)
        return worded[item]

    @property
    def data(self) -> Any:
        """The players' values."""
        given, reader = self._read("data"), asking(self)
        names = None if reader is None or reader.module not in _DRAWN else self._column_names()
        if reader is None or names is None:
            return given
        return _DRAWN[reader.module](self._columns(names), names, np.ndim(given), reader)

    @data.setter
    def data(self, given: Any) -> None:
        Explanation.data.fset(self, given.to_numpy() if isinstance(given, pd.DataFrame) else given)

    @property
    def display_data(self) -> Any:
        """The players' values in words, if somebody set them."""
        given, cells, reader = self._read("display_data"), self._read("data"), asking(self)
        if given is not None or reader is None or not isinstance(cells, np.ndarray):
            return given
        names, n_axes = self._column_names(), cells.ndim
        if reader.module == "plots._scatter" and names is not None:
            return _joined([_placed(one, reader)[1] for one in self._columns(names)], n_axes)
        if reader.module == "plots._force" and names is not None and n_axes == 2:
            return _joined([one.texts for one in self._columns(names)], n_axes)
        if reader.module in _WRITE_CELLS and n_axes == 1:
            return _array([cell_text(cell, guard=reader.module == "plots._bar") for cell in cells])
        return given

    @display_data.setter
    def display_data(self, given: Any) -> None:
        Explanation.display_data.fset(self, given)

    def _read(self, name: str) -> Any:
        """Return what SHAP's property gives, whoever asks."""
        return getattr(Explanation, name).fget(self)

    def _column_names(self) -> list[str] | None:
        """Return the names of the columns of ``data``, ``None`` if it is not a table, or one column of it."""
        cells, names = self._read("data"), self.feature_names
        shape: tuple[int, ...] = cells.shape if isinstance(cells, np.ndarray) else ()
        if isinstance(names, str):
            return [names] if len(shape) == 1 else None
        if len(shape) != 2 or names is None or len(names) != shape[1]:
            return None
        return list(names) if all(isinstance(name, str) for name in names) else None

    def _columns(self, names: list[str]) -> list[_Cells]:
        cells = self._read("data")
        columns = [cells] if cells.ndim == 1 else list(cells.T)
        unclear = len(set(names)) < len(names)
        known = {} if unclear else self._categories
        return [_Cells.of(column, known.get(name)) for column, name in zip(columns, names, strict=True)]


class _Cells:
    """One column: its cells, and what they are; integers that float64 rounds are counted from the least of them."""

    def __init__(self, cells: Cells, column: Column, is_shifted: bool = False) -> None:
        self.cells = cells
        self.column = column
        self.is_shifted = is_shifted

    @classmethod
    def of(cls, cells: Cells, dtype: Any) -> _Cells:
        column = Column.of(cells)
        if dtype is not None:
            is_known = pd.Series(cells, dtype=object).isin(dtype.categories).to_numpy()
            if (is_known | column.is_missing).all():  # else somebody changed the data
                column = Column.of(pd.Categorical(cells, dtype=dtype))
        if column.kind != "number" or not any(map(_is_rounded, cells)):
            return cls(cells, column)
        return cls(cells, Column(_above_least(cells, column.is_missing), "number"), is_shifted=True)

    @property
    def is_number(self) -> bool:
        """Whether the numbers are those of the cells."""
        return self.column.kind == "number" and not self.is_shifted

    @property
    def kind(self) -> str:
        """What the cells are, in words."""
        return "large integer" if self.is_shifted else self.column.kind

    @property
    def texts(self) -> Cells:
        """Numbers of a column of numbers, all else in words."""
        column = self.column
        if self.is_number:
            return _array(column.numbers.tolist())
        if not column.labels:
            return _array([str(cell_text(cell)) for cell in self.cells])
        places = np.where(column.is_missing, -1, column.numbers).astype(int)
        return np.array([*column.labels, MISSING], dtype=object)[places]

    @property
    def shades(self) -> Cells:
        """What can be drawn from low to high; a column that cannot, or has one value only, in grey."""
        present = self.column.numbers[~self.column.is_missing]
        same = self.column.is_missing.any() and not (len(present) and np.ptp(present))
        if self.column.kind == "category" or same:
            return np.full(len(self.cells), _GREY, dtype=object)
        return self.column.numbers


def categories_of(columns: Sequence[Any], names: Sequence[str] | None) -> dict[str, Any]:
    """Return the dtypes of the categorical columns among those of the features."""
    if names is None or len(names) != len(columns):
        return {}
    dtypes = dict(zip(names, map(category_dtype, columns), strict=True))
    return {name: dtype for name, dtype in dtypes.items() if dtype is not None}


def cell_text(cell: Any, guard: bool = False) -> Any:
    """Return a cell as SHAP's plots write it: a number as it is if float64 holds it, anything else in words.

    Args:
        cell: a cell of a table.
        guard: whether zeros at the end of a text would be taken for digits, and cut.

    Example:
        >>> cell_text(2.5), cell_text(True), cell_text(None), cell_text(2**60 + 1)
        (2.5, 'True', 'missing', '1152921504606846977')
    """
    if not _holds_more(cell) and pd.isna(cell):
        return MISSING
    if checks.is_number(cell) and not _is_rounded(cell):
        return cell
    text = str(pd.Timestamp(cell) if isinstance(cell, np.datetime64 | date) else cell).removesuffix(" 00:00:00")
    return f"{text} " if guard and text.endswith("0") else text


def _is_rounded(cell: Any) -> bool:
    return checks.is_integer(cell) and abs(int(cell)) > _EXACT


def _above_least(cells: Cells, is_missing: Cells) -> Cells:
    """Return how much every number exceeds the least, exactly where they are close to each other."""
    plain = [scalar(cell) for cell in cells[~is_missing]]
    exact = [Fraction(cell) if isfinite(cell) else cell for cell in plain]
    found, least = np.full(len(cells), np.nan), min(exact)
    found[~is_missing] = [float(cell - least) for cell in exact]
    return found


def _holds_more(cell: Any) -> bool:
    return hasattr(cell, "__len__") and not isinstance(cell, str | bytes)


def _array(cells: list[Any]) -> Cells:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _joined(columns: list[Any], n_axes: int) -> Cells:
    """Return columns as a table, or the only one as it is."""
    return np.column_stack(columns) if n_axes == 2 else columns[0]


def _placed(one: _Cells, reader: Asking) -> tuple[Any, Cells]:
    """Return where SHAP's scatter plot shall draw the cells of a column, or in which colour, and their labels.

    Cells with labels are never NaN, as SHAP would put a label there: missing ones have a place of their own.
    """
    column, gaps = one.column, one.column.is_missing
    present = column.numbers[~gaps]
    if one.is_number or not len(present):
        return column.numbers, _array(column.numbers.tolist())
    labels = one.texts
    if column.labels:
        if reader.is_colour:  # SHAP's colour bar takes the places for 0, 1, 2, ...
            places = np.unique(column.numbers, return_inverse=True)[1].astype(np.float64)
            return np.where(gaps, len(np.unique(present)), places), labels
        return np.where(gaps, len(column.labels), column.numbers), labels
    margin = 0.1 * (float(np.ptp(present)) or 1.0)
    shown = np.argsort(column.numbers)[np.linspace(0, len(present) - 1, _TICKS).astype(int)]
    labels = np.where(np.isin(np.arange(len(labels)), shown) | gaps, labels, "")
    return np.where(gaps, present.min() - margin, column.numbers), labels.astype(object)


def _where(columns: list[_Cells], names: list[str], n_axes: int, reader: Asking) -> Any:
    """What SHAP's scatter plot draws."""
    for one, name in zip(columns, names, strict=True):
        if reader.is_colour and one.kind in ("date", "duration", "large integer"):
            hint = (
                "Choose the colour: `color=explanation[:, i]`, "
                "or draw `captum_spex.plots.scatter(results, (i, j), data=X)`."
            )
            got = f"the {one.kind}s of column {name!r}"
            _refuse(got, "numbers or categories", f"{reader.call}(color=)", hint)
    return _joined([_placed(one, reader)[0] for one in columns], n_axes)


def _in_shades(columns: list[_Cells], names: list[str], n_axes: int, reader: Asking) -> Any:
    """What SHAP's beeswarms and violins draw from low to high."""
    if reader.module == "plots._violin" or reader.plot_type in _VIOLINS:
        for one, name in zip(columns, names, strict=True):
            _check_violin(one.column, name, reader)
    shades = [one.shades for one in columns]
    kind = object if any(one.dtype == object for one in shades) else np.float64
    return _joined([one.astype(kind) for one in shades], n_axes)


def _check_violin(column: Column, name: str, reader: Asking) -> None:
    numbers, what = column.numbers, ""
    if column.kind == "category":
        what = "categories"
    elif column.is_missing.any():
        what = "missing values"
    elif reader.plot_type == "layered_violin" and len(numbers) and np.ptp(numbers) == 0:
        what = "a single value"
    if what:
        hint = "`shap.plots.beeswarm(explanation)` draws it."
        _refuse(f"{what} in column {name!r}", "values from low to high, none of them missing", reader.call, hint)


def _as_numbers(columns: list[_Cells], names: list[str], n_axes: int, _: Asking) -> Any:
    """What SHAP splits into cohorts at thresholds."""
    for one, name in zip(columns, names, strict=True):
        if one.kind not in ("number", "flag") or one.column.is_missing.any():
            got = f"{'missing values' if one.column.is_missing.any() else f'a {one.kind}'} in column {name!r}"
            hint = "Name the cohort of every row: `explanation.cohorts(names)`."
            _refuse(got, "numbers, none of them missing", "cohorts", hint)
    return _joined([one.column.numbers for one in columns], n_axes)


def _refuse(got: str, expected: str, call: str, hint: str) -> None:
    raise ArgumentError("data", f"{got}, in SHAP's `{call}`", expected, hint)


_Drawn = Callable[[list[_Cells], list[str], int, Asking], Any]
_DRAWN: dict[str, _Drawn] = {
    "plots._scatter": _where,
    "plots._beeswarm": _in_shades,
    "plots._violin": _in_shades,
    "utils._general": _where,
    "_explanation": _as_numbers,
}
