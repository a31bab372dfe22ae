"""Arguments that the pictures share, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from captum_spex.errors import ArgumentError, OrderError
from captum_spex.interactions import Interactions


def checked_result(result: Any) -> Interactions:
    """Return the result if it is one."""
    if isinstance(result, Interactions):
        return result
    if isinstance(result, Sequence) and not isinstance(result, str):
        hint = "Several outputs or rows have one result each: choose one, such as `result[0]`."
        raise ArgumentError("result", f"a {type(result).__name__} of {len(result)}", "one `Interactions`", hint)
    raise ArgumentError("result", f"a {type(result).__name__}", "one `Interactions`, as `explain` returns it")


def checked_order(result: Interactions, order: Any, lowest: int = 1) -> int:
    """Return an order if the result holds it."""
    whole = isinstance(order, int | np.integer) and not isinstance(order, bool)
    if whole and lowest <= order <= result.max_order:
        return int(order)
    held = f"{lowest} to {result.max_order}" if result.max_order > lowest else str(result.max_order)
    held = "none from 2 on" if result.max_order < lowest else held
    allowed = f"{held}, as the result holds orders 1 to {result.max_order}"
    if result.max_order == 1:
        allowed = "1, the only order of this result" if lowest == 1 else "none, as the result holds order 1 only"
    raise OrderError("order", repr(order), allowed, _how_to_convert(result, order if whole else 2))


def checked_pairs(result: Interactions) -> None:
    """Raise if a picture of pairs cannot be drawn; a single player has none."""
    if result.n_players > 1:
        checked_order(result, 2, lowest=2)


def checked_interactions(result: Interactions, order: int | None) -> list[int]:
    """Return the orders of interactions to draw: the one given, or all that the result holds."""
    if order is None:
        return list(range(2, result.max_order + 1))
    return [] if result.n_players == 1 and order == 2 else [checked_order(result, order, lowest=2)]


def _how_to_convert(result: Interactions, order: int) -> str:
    if not result.max_order < order <= result.n_players:
        return ""
    index = {"SV": "SII", "BV": "BII"}.get(result.index, result.index)
    return f'Use `result.to("{index}", max_order={order})`, which costs no evaluation.'
