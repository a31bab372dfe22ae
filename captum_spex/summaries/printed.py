"""Summaries and comparisons as text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.exports.result import clipped, counted, value_name
from captum_spex.player_sets import PlayerSets
from captum_spex.terms import Terms

if TYPE_CHECKING:
    from captum_spex.summaries.comparison import Comparison
    from captum_spex.summaries.data_set import Summary

_ROWS, _NAME_WIDTH = 10, 36


def of_summary(summary: Summary) -> str:
    """Return the facts of a summary and its largest terms, a table for each order."""
    n_rows, n_known = len(summary.results), summary.n_rows_with_errors
    some = f"those of estimation are known for {n_known:,} of them" if n_known else "those of estimation are not known"
    known = "and of estimation" if n_known == n_rows else some
    lines = [
        f"{summary.index} over {counted(n_rows, 'row')}: {_counts(summary, summary.max_order)}",
        f"standard errors: of rows drawn from many, {known}; spread: standard deviation over the rows",
    ]
    for order, rows, sets in _largest(summary, summary.max_order):
        heads = [f"mean |{value_name(summary, order)}|", "mean", "spread", "rows"]
        columns = [
            _with_errors(summary.values[rows], summary.errors_of(sets)),
            _with_errors(summary.mean[rows], summary.errors_of(sets, "mean"), sign="+"),
            [f"{spread:.3g}" for spread in summary.spread[rows]],
            [f"{count:,}" for count in summary.n_rows[rows]],
        ]
        lines += _table(summary, sets, order, heads, columns)
    return "\n".join(lines)


def of_comparison(comparison: Comparison) -> str:
    """Return the largest differences, a table for each order; those beyond their 90 % interval are marked."""
    known = "known" if comparison.std_errors is not None else "not known"
    lines = [
        f"{comparison.index} of two results, first minus second: {_counts(comparison, comparison.max_order)}",
        f"standard errors of the differences: {known}"
        + ("; *: the 90 % interval is beyond 0" if known == "known" else ""),
    ]
    for order, rows, sets in _largest(comparison, comparison.max_order):
        heads = [f"{value_name(comparison, order)}: first", "second", "difference"]
        errors = None if comparison.std_errors is None else comparison.std_errors[rows]
        marks = (
            [""] * len(rows)
            if comparison.differs is None
            else [" *" if one else "  " for one in comparison.differs[rows]]
        )
        differences = _with_errors(comparison.values[rows], errors, sign="+")
        columns = [
            [f"{value:+.4g}" for value in comparison.first[rows]],
            [f"{value:+.4g}" for value in comparison.second[rows]],
            [f"{text}{mark}" for text, mark in zip(differences, marks, strict=True)],
        ]
        lines += _table(comparison, sets, order, heads, columns)
    return "\n".join(lines)


def _counts(terms: Terms, max_order: int) -> str:
    counts = np.bincount(terms.orders, minlength=max_order + 1)
    listed = ", ".join(f"{counts[order]:,} of order {order}" for order in range(1, max_order + 1))
    return f"{counted(terms.n_players, 'player')}, terms: {listed}"


def _largest(terms: Terms, max_order: int) -> list[tuple[int, np.ndarray, PlayerSets]]:
    found = [(order, np.flatnonzero(terms.orders == order)[:_ROWS]) for order in range(1, max_order + 1)]
    return [(order, rows, terms.sets.take(rows)) for order, rows in found if len(rows)]


def _with_errors(values: Floats, errors: Floats | None, sign: str = "") -> list[str]:
    if errors is None or not np.nan_to_num(errors).any():
        return [f"{value:{sign}.4g}" for value in values]
    texts = ["" if np.isnan(error) else f" ± {error:.2g}" for error in errors]
    width = max(map(len, texts))
    return [f"{value:{sign}.4g}{text:<{width}}" for value, text in zip(values, texts, strict=True)]


def _table(terms: Terms, sets: PlayerSets, order: int, heads: Sequence[str], columns: Sequence[list[str]]) -> list[str]:
    names = [clipped(terms.name_of(players), _NAME_WIDTH) for players in sets.tuples()]
    first = f"order {order}"
    width = max(map(len, [first, *names]))
    wide = [[head, *column] for head, column in zip(heads, columns, strict=True)]
    widths = [max(map(len, column)) for column in wide]
    lines = []
    for row, name in enumerate([first, *names]):
        cells = [f"{column[row]:>{size}}" for column, size in zip(wide, widths, strict=True)]
        lines.append("  ".join(["", f"{name:<{width}}", *cells]).rstrip())
    return ["", *lines]
