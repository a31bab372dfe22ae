"""The players' values that somebody gives for pictures: tables and rows of any kind, cell by cell as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from captum_spex.arrays import Ints, type_of
from captum_spex.columns import Column
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import Result

_EXACT = 2**53  # from here on float64 rounds integers


def checked_data(data: Any, rows: Sequence[Result]) -> list[NDArray[Any]]:
    """Return the players' values of every row; a data frame's columns are sorted like the row's players, by names."""
    try:
        given = list(_rows_of(data))
    except TypeError:
        raise ArgumentError("data", type_of(data), "the players' values, a row for each result") from None
    if len(given) != len(rows):
        raise ArgumentError("data", f"{len(given)} rows", f"{len(rows)} rows, one for each result")
    if ordered_frame(data, None) is not None:
        columns = list(map(str, data.columns))
        given = [row[_order(columns, result.names)] for row, result in zip(given, rows, strict=True)]
    found = [as_row(row, result.names) for row, result in zip(given, rows, strict=True)]
    for number, (row, result) in enumerate(zip(found, rows, strict=True)):
        if row.shape != (result.n_players,):
            expected = f"shape ({result.n_players},), a value for each player"
            raise ArgumentError("data", f"shape {row.shape} for row {number}", expected)
    return found


def columns_of(data: Any, given: Sequence[NDArray[Any]], names: Sequence[str] | None) -> list[Column]:
    """Return the columns of rows of the same players, of which `checked_data` made ``given``; frames keep dtypes."""
    frame = ordered_frame(data, names)
    if frame is not None:
        return [Column.of(frame.iloc[:, place]) for place in range(frame.shape[1])]
    return [Column.of([row[player] for row in given]) for player in range(len(given[0]))]


def columns_by_player(
    data: Any, rows: Sequence[Result], numbers: Sequence[Ints], names: Sequence[str] | None, n_players: int
) -> list[Column]:
    """Return a column for each of all players of some rows, missing where a row lacks the player.

    Args:
        data: the values of every row's players.
        rows: the results.
        numbers: for every row the numbers of its players among all.
        names: the names of all players.
        n_players: how many players there are in all.
    """
    given = checked_data(data, rows)
    is_named = hasattr(data, "columns") and names is not None and sorted(map(str, data.columns)) == sorted(names)
    if is_named or all(np.array_equal(own, np.arange(n_players)) for own in numbers):
        return columns_of(data, given, names)
    cells: list[list[Any]] = [[None] * len(rows) for _ in range(n_players)]
    for row, (own, values) in enumerate(zip(numbers, given, strict=True)):
        for number, value in zip(own, values, strict=True):
            cells[number][row] = value
    return [Column.of(column) for column in cells]


def stacked(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return rows as a table, of objects where a type in common would change cells."""
    is_alike = len({row.dtype for row in rows}) == 1
    return np.stack(rows) if is_alike or _are_exact(rows) else _of_cells(rows)


def ordered_frame(data: Any, names: Sequence[str] | None) -> Any:
    """Return a data frame with its columns in the order of the players; ``None`` if the data is none."""
    if not (hasattr(data, "columns") and hasattr(data, "iloc")):
        return None
    return data.iloc[:, _order(list(map(str, data.columns)), names)]


def as_row(row: Any, names: Sequence[str] | None = None) -> NDArray[Any]:
    """Return one row of data as an array, by names if it has some; numbers among texts stay numbers."""
    if hasattr(row, "iloc"):
        cells = _cells(row) if hasattr(row, "columns") else row.to_numpy()
        labels = row.columns if hasattr(row, "columns") else row.index
        flat = cells.reshape(-1) if len(cells) == 1 or cells.ndim == 1 else cells
        return flat[_order(list(map(str, labels)), names)] if flat.ndim == 1 else flat
    if sparse.issparse(row) or isinstance(row, np.matrix):
        cells = row.toarray() if sparse.issparse(row) else np.asarray(row)
        return cells.reshape(-1) if cells.shape[0] == 1 else cells
    if isinstance(row, list | tuple):
        return _of_objects(row)
    return np.asarray(row.to_numpy() if hasattr(row, "to_numpy") else row)


def _rows_of(data: Any) -> Any:
    frame = ordered_frame(data, None)
    if frame is not None:
        return _cells(frame)
    if sparse.issparse(data):
        return data.toarray()
    if isinstance(data, np.matrix):
        return np.asarray(data)
    return data.to_numpy() if hasattr(data, "to_numpy") else data


def _of_objects(row: list[Any] | tuple[Any, ...]) -> NDArray[Any]:
    """Return a list of cells as an array in a type that holds all of them."""
    try:
        array = np.asarray(row)
    except ValueError:  # cells that are arrays or lists of different lengths
        array = np.array(None)
    if array.ndim == 1 and array.dtype.kind not in "US" and _is_exact(array, row):
        return array
    cells = np.empty(len(row), dtype=object)
    cells[:] = row
    return cells


def _is_exact(array: NDArray[Any], cells: Sequence[Any]) -> bool:
    """Whether no integer was rounded."""
    if array.dtype.kind != "f":
        return True
    return not any(isinstance(cell, int | np.integer) and abs(int(cell)) > _EXACT for cell in cells)


def _are_exact(parts: Sequence[NDArray[Any]]) -> bool:
    """Whether parts of a table are numbers that their type in common does not round."""
    if not {part.dtype.kind for part in parts} <= set("iuf"):
        return False
    integers = [part for part in parts if part.dtype.kind in "iu" and len(part)]
    is_rounding = bool(parts) and np.result_type(*parts).kind == "f"
    return not (is_rounding and any(max(abs(int(part.min())), int(part.max())) > _EXACT for part in integers))


def _of_cells(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for number, row in enumerate(rows):
        table[number] = row.astype(object) if row.dtype.kind in "biufc" else list(row)
    return table


def _cells(frame: Any) -> NDArray[Any]:
    """Return the cells of a data frame ``(n_rows, n_columns)``: of numbers if all are and none would be rounded."""
    columns = [_of_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    if not columns:
        return np.empty(frame.shape)
    is_alike = len({column.dtype for column in columns}) == 1
    return np.column_stack(columns) if is_alike or _are_exact(columns) else _of_cells(columns).T


def _of_column(column: Any) -> NDArray[Any]:
    """Return the cells of a column: in NumPy's type of numbers where it holds them, else objects."""
    dtype = column.dtype
    if hasattr(column, "sparse"):
        column = column.sparse.to_dense()
        dtype = column.dtype
    kind = getattr(dtype, "kind", "O")
    if isinstance(dtype, np.dtype) and kind in "biufc":
        return np.asarray(column.to_numpy())
    if not hasattr(dtype, "categories") and kind in "iuf" and not column.isna().any():
        return np.asarray(column.to_numpy(dtype=dtype.numpy_dtype))
    cells = np.empty(len(column), dtype=object)
    cells[:] = list(column.astype(object))
    return cells


def _order(columns: list[str], names: Sequence[str] | None) -> list[int]:
    """Return the columns in the order of the players, by name if the names are the same."""
    if names is not None and len(set(columns)) == len(columns) and sorted(columns) == sorted(names):
        return [columns.index(name) for name in names]
    return list(range(len(columns)))
