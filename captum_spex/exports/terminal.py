"""Results as text, for a terminal."""

from __future__ import annotations

import math

import numpy as np

from captum_spex.exports.result import EXACT, Result, clipped, heading, is_exact, screened_out, sum_in_words

_ROWS, _BAR_WIDTH, _NAME_WIDTH = 10, 20, 44  # a result of order 2 fits a terminal of 30 lines and 90 columns


def tables(result: Result) -> str:
    """Return the facts of a result and its largest terms, a table for each order."""
    orders = range(1, result.max_order + 1)
    counts = np.bincount(result.sets.orders, minlength=result.max_order + 1)
    terms = ", ".join(f"{counts[order]:,} of order {order}" for order in orders)
    left_out = f" ({result.n_left_out:,} smaller ones left out)" if result.n_left_out else ""
    trust = "faithfulness unknown" if math.isnan(result.faithfulness) else f"faithfulness R² {result.faithfulness:.4f}"
    if is_exact(result):
        trust = EXACT
    lines = [
        f"{result.index} of {result.n_players:,} players: {terms}{left_out}",
        f"baseline {result.baseline:.6g} | {trust} | {result.n_evaluations:,} evaluations",
        sum_in_words(result),
    ]
    if screened := screened_out(result.diagnostics):
        lines.append(screened)
    for order in orders:
        lines += _table(result, order)
    return "\n".join(lines)


def summary(result: Result) -> str:
    """Return a result in one line."""
    trust = EXACT if is_exact(result) else f"faithfulness {result.faithfulness:.4f}"
    return (
        f"<Interactions: {result.index} up to order {result.max_order} of {result.n_players} players, "
        f"{len(result.sets)} terms, {trust}, {result.n_evaluations} evaluations>"
    )


def _table(result: Result, order: int) -> list[str]:
    rows = np.flatnonzero(result.sets.orders == order)[:_ROWS]
    if not len(rows):
        return []
    chosen, values = result.sets.take(rows), result.values[rows].tolist()
    names = [clipped(result.name_of(players), _NAME_WIDTH) for players in chosen.tuples()]
    errors = result.errors_of(chosen)
    doubts = [""] * len(rows) if errors is None else [f" ± {error:<8.2g}" for error in errors]
    width = max(map(len, names))
    largest = max(map(abs, values)) or 1.0
    bars = ["█" * round(_BAR_WIDTH * abs(value) / largest) for value in values]
    lines = [
        f"  {name:<{width}}  {value:>+12.6g}{doubt}  {bar}".rstrip()
        for name, value, doubt, bar in zip(names, values, doubts, bars, strict=True)
    ]
    return ["", heading(result, order), *lines]
