"""Results as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from captum_spex.exports.result import Result

if TYPE_CHECKING:
    import pandas


def to_dataframe(result: Result) -> pandas.DataFrame:
    """Return one row per term; see `captum_spex.Interactions.to_dataframe`."""
    import pandas

    players = result.sets.tuples()
    columns: dict[str, Any] = {
        "players": players,
        "name": pandas.Series([result.name_of(term) for term in players], dtype=object),  # any text, even not UTF-8
        "order": result.sets.orders,
        "value": result.values,
    }
    if result.std_errors is not None:
        columns["std_error"] = result.std_errors
    return pandas.DataFrame(columns)
