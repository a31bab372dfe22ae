"""Cells of columns: as Python objects, as numbers that are equal for equal cells, and exactly in other dtypes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Ints

Cells = NDArray[np.object_]


def cells_of(column: Any) -> Cells:
    """Return the cells of a column of any library as Python objects."""
    if hasattr(column, "to_pylist"):  # pyarrow
        values = column.to_pylist()
    elif type(column).__module__.startswith("polars"):
        values = column.to_list()
    else:
        values = list(column)  # of pandas: timestamps stay timestamps, and categories what they name
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


def holds(dtype: np.dtype[Any], values: NDArray[Any]) -> bool:
    """Whether a dtype of NumPy holds numbers without changing them.

    Example:
        >>> holds(np.dtype(float), np.array([2**53])), holds(np.dtype(float), np.array([2**53 + 1]))
        (True, False)
    """
    if "b" in (dtype.kind, values.dtype.kind):
        return values.dtype.kind == "b"
    is_rounded = dtype.kind == "f" and values.dtype.kind in "iu"
    if np.can_cast(values.dtype, dtype, "safe") and not is_rounded:
        return True
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
    if dtype.kind == values.dtype.kind == "f":
        return np.array_equal(cast, values, equal_nan=True)
    largest = 2 ** (np.finfo(dtype).nmant + 1) if is_rounded else 0
    if is_rounded and bool((np.abs(values.astype(np.float64)) < largest).all()):
        return True
    # Python compares whole numbers with floats exactly, NumPy in floats.
    return bool((cast.astype(object) == values.astype(object)).all())


def codes_of(cells: Iterable[Any]) -> Ints:
    """Return a number for every cell, the same for equal ones; cells may hold arrays, lists and dictionaries.

    Example:
        >>> codes_of([1, np.array([1, 2]), 1, np.array([1, 2]), float("nan"), None, float("nan")]).tolist()
        [0, 1, 0, 1, 2, 3, 2]
    """
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(_key(cell), len(numbers)) for cell in cells], dtype=np.int64)


def _key(cell: Any) -> Hashable:
    """Return something that is equal for equal cells, whatever they hold."""
    if isinstance(cell, float | np.floating) and np.isnan(cell):
        return "missing", "nan"
    if hasattr(cell, "detach"):
        cell = cell.detach().cpu().numpy()
    if isinstance(cell, np.ndarray):
        inner = cell.tobytes() if cell.dtype != object else tuple(map(_key, cell.flat))
        return "array", cell.shape, str(cell.dtype), inner
    if isinstance(cell, list | tuple):
        return type(cell), tuple(map(_key, cell))
    if isinstance(cell, dict):
        return dict, tuple((_key(key), _key(value)) for key, value in cell.items())
    try:
        hash(cell)
    except TypeError:
        return "identity", id(cell)
    return cell
