"""Arguments that the pictures share, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.interactions import Interactions


class IndexedTerms(Protocol):
    """Terms of an index up to an order: a result, or the summary of many."""

    index: str
    max_order: int

    @property
    def n_players(self) -> int:
        """Number of players."""


def checked_result(result: Any) -> Interactions:
    """Return the result if it is one."""
    if isinstance(result, Interactions):
        return result
    if isinstance(result, Sequence) and not isinstance(result, str):
        hint = "Several outputs or rows have one result each: choose one, such as `result[0]`."
        raise ArgumentError("result", f"{type_of(result)} of {len(result)}", "one `Interactions`", hint)
    raise ArgumentError("result", type_of(result), "one `Interactions`, as `explain` returns it")


def checked_order(result: IndexedTerms, order: Any, lowest: int = 1) -> int:
    """Return an order if the result holds it."""
    is_integer = checks.is_integer(order)
    if is_integer and lowest <= order <= result.max_order:
        return int(order)
    held = f"orders 1 to {result.max_order}" if result.max_order > 1 else "order 1 only"
    allowed = checks.span(lowest, result.max_order, "an integer from")
    expected = f"{allowed}, as the result holds {held}"
    if lowest > result.max_order:
        expected = f"a result of order {lowest} or more; this one holds {held}"
    raise OrderError("order", repr(order), expected, _how_to_convert(result, order if is_integer else 2))


def checked_orders(result: IndexedTerms, order: int | None, lowest: int = 1) -> list[int]:
    """Return the orders to draw: the one given, or all that the result holds, from the lowest on."""
    if order is None:
        return list(range(lowest, result.max_order + 1))
    return [] if result.n_players == 1 and order == lowest == 2 else [checked_order(result, order, lowest)]


def _how_to_convert(result: IndexedTerms, order: int) -> str:
    if not isinstance(result, Interactions):
        return 'Convert every row first, such as `[row.to("SII", max_order=2) for row in rows]`.'
    if not result.max_order < order <= result.n_players:
        return ""
    index = {"SV": "SII", "BV": "BII"}.get(result.index, result.index)
    return f'Use `result.to("{index}", max_order={order})`, which needs no further evaluations.'
