"""Two results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import MINUS, as_text, value_names
from captum_spex.player_sets import PlayerSets
from captum_spex.plots.arguments import checked_orders
from captum_spex.plots.chosen_terms import Shown, largest_terms
from captum_spex.plots.labels import lettering, short, term_labels
from captum_spex.plots.style import GREY, NORMAL, SMALL, axes_or_new, bare, colour_of, few_lines, note, say, width_for
from captum_spex.statistics import INTERVAL
from captum_spex.summaries import Comparison

_HEIGHT = 0.38  # of one of two bars
_FAINT = 0.4  # alpha of the second result


def compare(
    comparison: Comparison,
    *,
    labels: Sequence[str] = ("first", "second"),
    order: int | None = None,
    max_display: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the terms in which two results differ most, as pairs of bars, with the differences beside them.

    Error bars, where known, reach 1.64 standard errors to each side. Bold are the estimated differences whose 90 %
    interval does not hold 0.

    Args:
        comparison: what ``result.compare(other)`` returns.
        labels: what the two results are called.
        order: 1 for single players, 2 for pairs, ...; default: all orders.
        max_display: how many terms.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes.

    Raises:
        OrderError: if the results do not hold the order.
        ArgumentError: any other argument that cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> rows = [captum_spex.explain(lambda m, x=x: x * m[:, 0], 2, budget=4) for x in (1.0, 3.0)]
        >>> ax = plots.compare(rows[0].compare(rows[1]))
        >>> [float(bar.get_width()) for bar in ax.patches]
        [1.0, 3.0]
    """
    if not isinstance(comparison, Comparison):
        expected = "a `Comparison`, as `result.compare(other)` returns it"
        raise ArgumentError("comparison", type_of(comparison), expected)
    names = _checked_labels(labels)
    orders = checked_orders(comparison, order)
    shown = largest_terms(comparison, orders, max_display, errors=True)
    terms = term_labels(comparison, shown.players)
    ax = axes_or_new(ax, width_for(terms, 5.8), 1.3 + 0.5 * max(3, len(shown)))
    any_errors = bool(len(shown)) and _draw(ax, comparison, shown, names)
    if len(shown):
        ax.set_yticks(range(len(terms)), terms, fontsize=NORMAL, **lettering(*terms))
        _write_differences(ax, shown)
    else:
        bare(ax)
        say(ax, "no differences")
    bars = "error bars: 90 % intervals; bold: that of the difference does not hold 0" if any_errors else ""
    more = f"{shown.n_others:,} smaller differences not shown" if shown.n_others else ""
    difference = f"difference: {names[0]} {MINUS} {names[1]}" if len(shown) else ""
    note(ax, value_names(comparison, orders), difference, bars, more)
    return ax


def _checked_labels(labels: Any) -> list[str]:
    names = [] if isinstance(labels, str) or not isinstance(labels, Sequence) else [str(label) for label in labels]
    if len(names) != 2:
        raise ArgumentError("labels", repr(labels), "two names, of the first and of the second result")
    return [short(name, 30) for name in names]


def _draw(ax: Axes, comparison: Comparison, shown: Shown, names: list[str]) -> bool:
    """Draw both bars of every term; return whether there are error bars."""
    sets = PlayerSets.from_sets(shown.players, comparison.n_players)
    places = sets.find(comparison.sets)
    any_errors = False
    for row, (values, alpha) in enumerate(((comparison.first, 1.0), (comparison.second, _FAINT))):
        own = values[places]
        lines = np.arange(len(own)) + (row - 0.5) * _HEIGHT
        ax.barh(lines, own, height=_HEIGHT, color=[colour_of(value) for value in own], alpha=alpha, linewidth=0)
        errors = comparison.aligned.errors_of(row, sets)[1]
        if errors is not None and errors.any():
            any_errors = True
            style: dict[str, Any] = {"fmt": "none", "ecolor": "black", "elinewidth": 0.9, "capsize": 2}
            ax.errorbar(own, lines, xerr=INTERVAL * errors, **style)
    few_lines(ax)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    handles = [Patch(color=GREY, alpha=alpha) for alpha in (1.0, _FAINT)]
    ax.legend(handles, names, fontsize=SMALL, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return any_errors


def _write_differences(ax: Axes, shown: Shown) -> None:
    style: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": SMALL}
    ax.annotate("difference", (1.02, -0.6), **{**style, "va": "bottom"}, color=GREY)
    errors: Floats = np.zeros(len(shown)) if shown.errors is None else shown.errors
    for line, (value, error) in enumerate(zip(shown.values.tolist(), errors.tolist(), strict=True)):
        text = as_text(value, sign="+") + (f" ± {as_text(error, 2)}" if error > 0 else "")
        weight = "bold" if error > 0 and abs(value) > INTERVAL * error else "normal"
        ax.annotate(text, (1.02, line), **style, color=colour_of(value), weight=weight)
