"""Results and data of several rows, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import Result, is_result

_EXPECTED = "a list of `Interactions`, one for each row"


def checked_rows(results: Any) -> list[Result]:
    """Return the results of one output, one for each row."""
    if not isinstance(results, Sequence) or isinstance(results, str):
        raise ArgumentError("results", "one result" if is_result(results) else checks.a(results), _EXPECTED)
    if not len(results):
        raise ArgumentError("results", "no results", _EXPECTED)
    for row in results:
        if isinstance(row, Sequence) and not isinstance(row, str):
            hint = "Choose one: `[row[0] for row in results]`."
            raise ArgumentError("results", "rows with several outputs", "the results of one output", hint)
        if not is_result(row):
            raise ArgumentError("results", checks.a(row), _EXPECTED)
    return list(results)


def checked_data(data: Any, rows: Sequence[Result]) -> list[NDArray[Any]]:
    """Return the players' values of every row; a data frame's columns are sorted like the players, by their names."""
    try:
        given = [as_row(row) for row in _in_order(data, rows[0].names)]
    except TypeError:
        raise ArgumentError("data", checks.a(data), "the players' values, a row for each result") from None
    if len(given) != len(rows):
        raise ArgumentError("data", f"{len(given)} rows", f"{len(rows)} rows, one for each result")
    for number, (row, result) in enumerate(zip(given, rows, strict=True)):
        if row.shape != (result.n_players,):
            expected = f"shape ({result.n_players},), a value for each player"
            raise ArgumentError("data", f"shape {row.shape} for row {number}", expected)
    return given


def as_row(row: Any) -> NDArray[Any]:
    """Return one row of data as an array."""
    return np.asarray(row.to_numpy() if hasattr(row, "to_numpy") else row)


def _in_order(data: Any, names: tuple[str, ...] | None) -> Any:
    if not hasattr(data, "columns"):
        return data.to_numpy() if hasattr(data, "to_numpy") else data
    columns = list(map(str, data.columns))
    if names is not None and len(set(columns)) == len(columns) and sorted(columns) == sorted(names):
        return data.iloc[:, [columns.index(name) for name in names]].to_numpy()
    return data.to_numpy()
