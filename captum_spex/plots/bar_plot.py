"""The largest terms as bars."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from captum_spex.exports.result import value_names
from captum_spex.plots.arguments import checked_orders
from captum_spex.plots.chosen_terms import Shown, about_sum, largest_terms
from captum_spex.plots.labels import lettering, term_labels
from captum_spex.plots.style import (
    GREY,
    NORMAL,
    axes_or_new,
    few_lines,
    label_bar,
    note,
    say_empty,
    width_for,
)
from captum_spex.plots.summary_view import Drawable, about_rows, drawn_result
from captum_spex.summaries.data_set import Statistic


def bar(
    result: Drawable,
    *,
    order: int | None = None,
    max_display: int = 12,
    value: Statistic = "mean_abs",
    ax: Axes | None = None,
) -> Axes:
    """Draw the largest terms as bars, with error bars where standard errors are known.

    Args:
        result: what to draw: one result; or a `captum_spex.Summary`, or the results of many rows, of which this is one.
        order: 1 for single players, 2 for pairs, ...; default: all orders.
        max_display: how many terms.
        value: of many rows the mean absolute values, ``"mean_abs"``, or the mean values, ``"mean"``. Colours say
            whether a term raises or lowers on average, grey where the 90 % interval of its mean holds 0.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes. Error bars reach 1.64 standard errors to each side: they hold the true value nine times out of ten.

    Raises:
        OrderError: if the result does not hold the order.
        ArgumentError: any other argument that cannot be used, or rows that do not fit each other.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
        >>> [label.get_text() for label in plots.bar(result, order=2).get_yticklabels()]
        ['never × fails']
    """
    terms = drawn_result(result, value)
    orders = checked_orders(terms, order)
    shown = largest_terms(terms, orders, max_display, errors=True)
    labels = term_labels(terms, shown.players)
    ax = axes_or_new(ax, width_for(labels), 1.1 + 0.32 * max(4, len(shown)))
    if len(shown):
        _draw(ax, shown, labels)
    else:
        say_empty(ax, order)
    said = about_sum(terms, orders, len(shown)), about_rows(terms, shown.sets)
    note(ax, value_names(terms, orders), *said, shown.caption)
    return ax


def _draw(ax: Axes, shown: Shown, labels: list[str]) -> None:
    rows = np.arange(len(shown))
    lengths, sign = shown.lengths, "" if shown.is_size else "+"
    ax.barh(rows, lengths, height=0.7, color=shown.colours)
    reach = np.zeros(len(shown)) if shown.intervals is None else shown.intervals
    if shown.intervals is not None:
        style = {"fmt": "none", "ecolor": "black", "elinewidth": 1.0, "capsize": 2.5}
        ax.errorbar(lengths, rows, xerr=shown.intervals, **style)  # type: ignore[arg-type]
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_yticks(rows, labels, fontsize=NORMAL, **lettering(*labels))
    ax.set_ylim(len(shown) - 0.4, -0.6)
    few_lines(ax)
    for row, (value, further, colour) in enumerate(zip(lengths.tolist(), reach.tolist(), shown.colours, strict=True)):
        label_bar(ax, value, value + (further if value >= 0 else -further), row, colour=colour, sign=sign)
    low, high = min(0.0, (lengths - reach).min()), max(0.0, (lengths + reach).max())
    room = 0.13 * (high - low)  # for the numbers beside the bars
    ax.set_xlim(low - (room if lengths.min() < 0 else 0), high + (room if lengths.max() > 0 else 0))
