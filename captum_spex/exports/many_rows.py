"""Results of many rows: what they have in common, and which of their players are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import Result, is_result

_LISTED = 5  # numbers in a message
_EXPECTED = "a list of `Interactions`, one for each row"


class Outputs(list[Any]):
    """The results of one row, one for each output: a list that nothing takes for the rows of a data set."""


def checked_rows(results: Any) -> list[Result]:
    """Return the results of one output, one for each row."""
    if isinstance(results, Outputs) and len(results) > 1:
        hint = "Choose one output of every row: `[row[0] for row in rows]`."
        raise ArgumentError("results", f"the {len(results)} outputs of one row", _EXPECTED, hint)
    if not isinstance(results, Sequence) or isinstance(results, str):
        raise ArgumentError("results", "one result" if is_result(results) else type_of(results), _EXPECTED)
    if not len(results):
        raise ArgumentError("results", "no results", _EXPECTED)
    for row in results:
        if isinstance(row, Sequence) and not isinstance(row, str):
            hint = "Choose one: `[row[0] for row in results]`."
            raise ArgumentError("results", "rows with several outputs", "the results of one output", hint)
        if not is_result(row):
            raise ArgumentError("results", type_of(row), _EXPECTED)
    return list(results)


def sizes_in_words(rows: Sequence[Result]) -> str:
    """Return the different numbers of players of rows: all of them, or from which to which."""
    sizes = sorted({row.n_players for row in rows})
    if len(sizes) > _LISTED:
        return f"{sizes[0]} to {sizes[-1]}"
    return " and ".join(filter(None, [", ".join(map(str, sizes[:-1])), str(sizes[-1])]))


def check_alike(rows: Sequence[Result]) -> None:
    """Raise for rows of different indices or orders; rows of few players have the orders that these allow."""
    highest = max(row.max_order for row in rows)
    # The value of a single player is f(all) - f(none) in every index but Fourier's.
    indices = {row.index for row in rows if row.n_players > 1 or row.index == "Fourier"}
    if len(indices) > 1 or any(row.max_order != min(highest, row.n_players) for row in rows):
        got = " and ".join(sorted({f"{row.index} of order {row.max_order}" for row in rows}))
        hint = 'Convert the others by `.to("k-SII", max_order=2)` or the like, without further evaluations.'
        raise ArgumentError("results", f"rows in {got}", "the same index and order in every row", hint)


def distinct(names: Sequence[str]) -> list[str]:
    """Number names that occur again.

    Example:
        >>> distinct(["the", "cat", "the"])
        ['the', 'cat', 'the#2']
    """
    found: dict[str, None] = {}
    given = set(names)
    for name in names:
        number, free = 2, name
        while free in found or (free != name and free in given):
            number, free = number + 1, f"{name}#{number}"
        found[free] = None
    return list(found)
