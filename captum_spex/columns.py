"""Columns of tables as numbers and labels, decided by their type and never cell by cell: for pictures and exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np

from captum_spex.arrays import Floats, as_array, scalar

Kind = Literal["number", "flag", "date", "duration", "ordered", "category"]
"""What the cells of a column are; of ``"ordered"`` categories the order is known."""

_MISSING_TEXTS = frozenset(("", "n/a", "na", "nan", "none", "null", "<na>", "#n/a", "-", "?"))
_EPOCH = np.datetime64("1970-01-01", "ns")
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")
_SECOND = np.timedelta64(1, "s") / np.timedelta64(1, "ns")


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Attributes:
        numbers: float64 ``(n_rows,)``, NaN where the value is missing: the number, 0 or 1 for a flag, days since 1970
            for a date (Matplotlib's unit), seconds for a duration, the place of a category among ``labels``.
        kind: what the cells are.
        labels: names of the places 0, 1, ... of flags and categories, else empty.

    Example:
        >>> Column.of(["00", "0", None]).kind, Column.of(["00", "0", None]).labels
        ('category', ('0', '00'))
        >>> Column.of([True, None]).numbers
        array([ 1., nan])
    """

    numbers: Floats
    kind: Kind
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Any) -> Column:
        """Read a column: a pandas, polars or pyarrow column, an array, a list.

        A dtype decides. Python objects are what all of them that are not missing (``None``, NaN, ``pandas.NA``, NaT)
        are; where these differ, categories by their texts. Texts among numbers that tables write for a missing value,
        such as ``"n/a"``, are missing too.
        """
        dtype = category_dtype(values)
        if dtype is not None:
            return _categorical(values, dtype)
        array = _numpy(values)
        kind = array.dtype.kind
        if kind == "b":
            return _flags(array, np.zeros(len(array), dtype=np.bool_))
        if kind in "iuf":
            return cls(array.astype(np.float64), "number")
        if kind in "Mm":
            return _times(array)
        return _objects(array.astype(object))

    @property
    def is_missing(self) -> np.ndarray:
        """Which values are missing, bool ``(n_rows,)``."""
        return np.isnan(self.numbers)


def _numpy(values: Any) -> np.ndarray:
    """Return a column as a one-dimensional array; where a value is missing among others than floats, of objects."""
    if hasattr(values, "to_pylist"):  # pyarrow
        values = values.to_pylist()
    dtype = getattr(values, "dtype", None)
    if dtype is not None and not isinstance(dtype, np.dtype) and hasattr(values, "to_numpy"):
        values = _extension(values, dtype)
    if isinstance(values, np.ndarray):
        return values.reshape(-1)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        array = np.empty(len(values), dtype=object)
        array[:] = list(values)
        return array
    return np.atleast_1d(as_array(values)).reshape(-1)


def _extension(values: Any, dtype: Any) -> np.ndarray:
    """Return a column of pandas or polars whose dtype is none of NumPy's, without a detour through texts."""
    kind = getattr(dtype, "kind", "")
    if kind == "M" and getattr(dtype, "tz", None) is not None:
        return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if hasattr(dtype, "freq"):  # periods are where they begin
        return np.asarray((values.dt if hasattr(values, "dt") else values).to_timestamp().to_numpy())
    return np.asarray(values.to_numpy(), dtype=None if kind in ("", "O") else object)


def category_dtype(values: Any) -> Any:
    """Return the ``pandas.CategoricalDtype`` of a column of categories, of pandas or polars; ``None`` of another."""
    dtype = getattr(values, "dtype", None)
    categories = getattr(dtype, "categories", None)
    if categories is None or hasattr(dtype, "ordered"):
        return None if categories is None else dtype
    import pandas

    return pandas.CategoricalDtype(list(categories), ordered=True) if type(dtype).__name__ == "Enum" else None


def _categorical(values: Any, dtype: Any) -> Column:
    import pandas

    cells = values if hasattr(values, "codes") or hasattr(values, "cat") else values.to_list()
    codes = np.asarray(pandas.Categorical(cells, dtype=dtype).codes)
    is_ordered, categories = bool(dtype.ordered), dtype.categories
    kept = np.arange(len(categories)) if is_ordered else np.unique(codes[codes >= 0])
    place = np.full(len(categories) + 1, np.nan)  # the last for the code -1, missing
    place[kept] = np.arange(len(kept))
    labels = tuple(str(categories[int(code)]) for code in kept)
    return Column(place[codes], "ordered" if is_ordered else "category", labels)


def _flags(array: np.ndarray, missing: np.ndarray) -> Column:
    numbers = np.where(missing, np.nan, np.where(missing, False, array).astype(np.float64))
    return Column(numbers, "flag", ("False", "True"))


def _times(array: np.ndarray) -> Column:
    missing = np.isnat(array)
    is_date = array.dtype.kind == "M"
    exact = array.astype("datetime64[ns]") - _EPOCH if is_date else array.astype("timedelta64[ns]")
    numbers = exact.astype(np.int64) / (_DAY if is_date else _SECOND)
    return Column(np.where(missing, np.nan, numbers), "date" if is_date else "duration")


def _objects(array: np.ndarray) -> Column:
    import pandas

    missing = np.asarray(pandas.isna(array), dtype=np.bool_)
    numbers = [isinstance(value, Real | Decimal) for value in array]
    is_number = np.array(numbers, dtype=np.bool_)
    if is_number.any() and all(str(text).strip().lower() in _MISSING_TEXTS for text in array[~missing & ~is_number]):
        missing |= ~is_number
    present = [
        value if isinstance(value, np.datetime64 | np.timedelta64) else scalar(value) for value in array[~missing]
    ]
    is_flag = [type(value) is bool for value in present]
    if not present:
        return Column(np.full(len(missing), np.nan), "number")
    if all(is_flag):
        return _flags(_spread(present, missing, False), missing)
    if all(isinstance(one, date | np.datetime64) for one in present):
        return _moments(present, missing, "datetime64[ns]")
    if all(isinstance(one, timedelta | np.timedelta64) for one in present):  # NumPy's are numbers too
        return _moments(present, missing, "timedelta64[ns]")
    if not any(is_flag) and all(isinstance(one, Real | Decimal) for one in present):
        return Column(_spread([float(one) for one in present], missing, np.nan), "number")
    return _texts([str(one) for one in present], missing)


def _moments(cells: list[Any], missing: np.ndarray, dtype: str) -> Column:
    def exact(cell: Any) -> Any:
        aware = getattr(cell, "tzinfo", None) is not None
        return np.datetime64(cell.astimezone(UTC).replace(tzinfo=None)) if aware else cell

    array = np.full(len(missing), "NaT", dtype=dtype)
    array[~missing] = np.array([exact(cell) for cell in cells], dtype=dtype)
    return _times(array)


def _texts(cells: list[str], missing: np.ndarray) -> Column:
    labels, places = np.unique(np.array(cells, dtype=object).astype(str), return_inverse=True)
    return Column(_spread(places.ravel(), missing, np.nan), "category", tuple(labels.tolist()))


def _spread(cells: Any, missing: np.ndarray, fill: Any) -> np.ndarray:
    """Return the cells at the places that are not missing."""
    array: np.ndarray = np.full(len(missing), fill, dtype=np.bool_ if fill is False else np.float64)
    array[~missing] = cells
    return array
