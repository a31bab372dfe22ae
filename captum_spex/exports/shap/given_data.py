"""The players' values that somebody gives for pictures: tables and rows of any kind, cell by cell as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from captum_spex import checks
from captum_spex.arrays import Ints, as_array, type_of
from captum_spex.columns import Column
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import Result
from captum_spex.frames import cells_of, frame_of, holds, values_of


def checked_data(data: Any, rows: Sequence[Result]) -> list[NDArray[Any]]:
    """Return the players' values of every row; a data frame's columns are sorted like the row's players, by names."""
    try:
        given = list(_rows_of(data))
    except TypeError:
        raise ArgumentError("data", type_of(data), "the players' values, a row for each result") from None
    if len(given) != len(rows):
        raise ArgumentError("data", f"{len(given)} rows", f"{len(rows)} rows, one for each result")
    frame = frame_of(data)
    if frame is not None:
        given = [row[order_of(frame.names, result.names)] for row, result in zip(given, rows, strict=True)]
    found = [as_row(row, result.names) for row, result in zip(given, rows, strict=True)]
    for number, (row, result) in enumerate(zip(found, rows, strict=True)):
        if row.shape != (result.n_players,):
            expected = f"shape ({result.n_players},), a value for each player"
            raise ArgumentError("data", f"shape {row.shape} for row {number}", expected)
    return found


def columns_of(data: Any, given: Sequence[NDArray[Any]], names: Sequence[str] | None) -> list[Column]:
    """Return the columns of rows of the same players, of which `checked_data` made ``given``; frames keep dtypes."""
    frame = frame_of(data)
    if frame is not None:
        return [Column.of(frame.column(place)) for place in order_of(frame.names, names)]
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
    frame = frame_of(data)
    is_named = frame is not None and names is not None and sorted(map(str, frame.names)) == sorted(names)
    if is_named or all(np.array_equal(own, np.arange(n_players)) for own in numbers):
        return columns_of(data, given, names)
    cells: list[list[Any]] = [[None] * len(rows) for _ in range(n_players)]
    for row, (own, values) in enumerate(zip(numbers, given, strict=True)):
        for number, value in zip(own, values, strict=True):
            cells[number][row] = value
    return [Column.of(column) for column in cells]


def stacked(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return rows as a table, of objects where a type in common would change cells."""
    kinds = {row.dtype.kind for row in rows}
    if len({row.dtype for row in rows}) == 1:
        return np.stack(rows)
    if kinds <= set("iuf") and all(holds(np.result_type(*rows), row) for row in rows):
        return np.stack(rows)
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for number, row in enumerate(rows):
        table[number] = cells_of(row)
    return table


def as_row(row: Any, names: Sequence[str] | None = None) -> NDArray[Any]:
    """Return one row of data as an array, by names if it has some; numbers among texts stay numbers."""
    frame = frame_of(row)
    if frame is not None:
        cells = values_of(frame)
        return cells[0][order_of(frame.names, names)] if len(cells) == 1 else cells
    if hasattr(row, "iloc"):  # a series, named by its index
        return np.asarray(row.to_numpy())[order_of(list(row.index), names)]
    if sparse.issparse(row) or isinstance(row, np.matrix):
        cells = row.toarray() if sparse.issparse(row) else np.asarray(row)
        return cells.reshape(-1) if cells.shape[0] == 1 else cells
    if isinstance(row, list | tuple):
        return _of_objects(row)
    if isinstance(row, np.ma.MaskedArray):
        return _unmasked(row)
    return as_array(row.to_numpy() if hasattr(row, "to_numpy") else row)


def _rows_of(data: Any) -> Any:
    frame = frame_of(data)
    if frame is not None:
        return values_of(frame)
    if sparse.issparse(data):
        return data.toarray()
    if isinstance(data, np.matrix):
        return np.asarray(data)
    if hasattr(data, "detach"):
        return as_array(data)
    if isinstance(data, np.ma.MaskedArray):
        return _unmasked(data)
    return data.to_numpy() if hasattr(data, "to_numpy") else data


def _unmasked(array: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    """Return an array in which masked cells are missing."""
    mask, cells = np.ma.getmaskarray(array), np.array(array.data)
    if mask.any():
        cells = cells if cells.dtype.kind == "f" else cells.astype(object)
        cells[mask] = np.nan if cells.dtype.kind == "f" else None
    return cells


def _of_objects(row: list[Any] | tuple[Any, ...]) -> NDArray[Any]:
    """Return a list of cells as an array in a type that holds all of them."""
    try:
        array = np.asarray(row)
    except ValueError:  # cells that are arrays or lists of different lengths
        array = np.array(None)
    cells = cells_of(row)
    is_rounded = array.dtype.kind == "f" and any(checks.is_integer(cell) and int(cell) != float(cell) for cell in cells)
    return array if array.ndim == 1 and array.dtype.kind not in "US" and not is_rounded else cells


def order_of(columns: Sequence[Any], names: Sequence[str] | None) -> list[int]:
    """Return the columns in the order of the players, by name if the names are the same."""
    texts = list(map(str, columns))
    if names is not None and len(set(texts)) == len(texts) and sorted(texts) == sorted(names):
        return [texts.index(name) for name in names]
    return list(range(len(texts)))
