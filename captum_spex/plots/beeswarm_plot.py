"""Every row of a data set as a dot, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from captum_spex.arrays import Floats
from captum_spex.columns import Column
from captum_spex.exports.result import counted, smallest, value_names
from captum_spex.exports.shap.given_data import columns_by_player
from captum_spex.interactions import Interactions
from captum_spex.player_sets import PlayerSets
from captum_spex.plots.arguments import checked_orders
from captum_spex.plots.chosen_terms import largest_terms
from captum_spex.plots.labels import lettering, term_labels
from captum_spex.plots.style import (
    GRADUAL,
    GREY,
    NORMAL,
    PALE,
    SMALL,
    axes_or_new,
    colour_of,
    colour_scale,
    few_lines,
    note,
    say_empty,
    width_for,
)
from captum_spex.plots.summary_view import SummaryView
from captum_spex.statistics import INTERVAL
from captum_spex.summaries import Summary, summary

_GAP = "#aaaaaa"  # rows without a number
_BINS = 70  # places across, at which dots are stacked
_ROOM = 0.4  # half the height that the dots of a term may take; lines are 1 apart
_STEP = 0.1  # between stacked dots, where there is room
_MANY = 300  # rows above which dots are small
_PERCENTILES = (5, 95)  # between which colours change, as one far value would leave one colour to all others


def beeswarm(
    results: Sequence[Interactions] | Summary,
    *,
    data: Any = None,
    order: int | None = None,
    max_display: int = 12,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a dot for every row of a data set and each of the largest terms, coloured by the player's value.

    Terms are sorted by mean absolute value; what a truncated result left out is drawn as its recovered game has it, and
    a row that lacks a player has no dot. Black: the mean over the rows and its 90 % interval.

    Args:
        results: one result for every row, or their `captum_spex.Summary`.
        data: the players' values, as for `scatter`. Groups are coloured by the product of their players' values. Grey
            are rows without a value, and terms of players whose values are not numbers (nor, of a single player, dates,
            durations, flags or ordered categories). Default, and if no term has a number: red above 0, blue below.
        order: 1 for single players, 2 for pairs, ...; default: all orders.
        max_display: how many terms.
        colorbar: whether there is a scale of the colours.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes.

    Raises:
        OrderError: if the results do not hold the order.
        ArgumentError: if rows do not fit each other or the data, or another argument cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> rows = [captum_spex.explain(lambda m, x=x: x * (m[:, 0] & m[:, 1]), 2, budget=4) for x in (1.0, 2.0)]
        >>> ax = plots.beeswarm(rows, data=[[1.0, 5.0], [2.0, 7.0]], order=2)
        >>> ax.collections[0].get_offsets()[:, 0].tolist()
        [1.0, 2.0]
    """
    found = results if isinstance(results, Summary) else summary(results)
    view = SummaryView(found, "mean_abs")
    orders = checked_orders(view, order)
    shown = largest_terms(view, orders, max_display)
    sets = shown.sets
    shades = None if data is None else _shades_of(_columns(data, found), shown.players, len(found.results))
    labels = term_labels(found, shown.players)
    ax = axes_or_new(ax, width_for(labels, 5.6), 1.3 + 0.42 * max(4, len(shown)))
    if not len(shown):
        say_empty(ax, order)
        note(ax, value_names(found, orders))
        return ax
    values = _values(found, sets)
    _draw(ax, values, shades)
    _draw_means(ax, found, sets)
    _finish(ax, values, labels)
    any_grey = shades is not None and bool(np.isnan(shades[~np.isnan(values)]).any())
    if shades is not None and colorbar:
        _draw_scale(ax, has_groups=bool((sets.orders > 1).any()))
    more = f"{shown.n_others:,} smaller terms not shown" if shown.n_others else ""
    rows = f"a dot for each of {counted(len(found.results), 'row')}; black: mean, 90 % interval"
    note(ax, value_names(found, orders), rows, "grey: missing, or no numbers" if any_grey else "", more)
    return ax


def _columns(data: Any, found: Summary) -> list[Column]:
    rows = found.aligned
    return columns_by_player(data, rows.results, rows.numbers, rows.names, rows.n_players)


def _shades_of(columns: list[Column], terms: Sequence[tuple[int, ...]], n_rows: int) -> Floats | None:
    """Return where on the scale of colours the dots are; ``None`` if no term has any number."""
    shades = np.array([_shades(columns, players) for players in terms]).reshape(len(terms), n_rows)
    return None if np.isnan(shades).all() else shades


def _values(found: Summary, sets: PlayerSets) -> Floats:
    """Return the value of every term in every row ``(n_terms, n_rows)``, NaN where the row lacks a player."""
    values = np.full((len(sets), len(found.results)), np.nan)
    for row, result in enumerate(found.results):
        present, own, _ = found.aligned.values_of(row, sets)
        values[present, row] = np.where(np.abs(own) > smallest(result), own, 0.0)
    return values


def _shades(columns: list[Column], players: tuple[int, ...]) -> Floats:
    """Return where on the scale of colours the rows are, 0 to 1 ``(n_rows,)``; NaN is grey."""
    own = [columns[player] for player in players]
    if len(own) == 1 and own[0].kind in ("date", "duration", "ordered"):
        numbers = own[0].numbers
    elif all(column.kind in ("number", "flag") for column in own):
        numbers = np.prod([column.numbers for column in own], axis=0)
    else:
        return np.full(len(own[0].numbers), np.nan)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return np.full(len(numbers), np.nan)
    low, high = np.percentile(finite, _PERCENTILES)
    low, high = (low, high) if high > low else (finite.min(), finite.max())
    shades = (numbers - low) / (high - low) if high > low else np.where(np.isnan(numbers), np.nan, 0.5)
    return np.asarray(np.clip(shades, 0.0, 1.0))


def _draw(ax: Axes, values: Floats, shades: Floats | None) -> None:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    places = np.round(_BINS * (values - low) / ((high - low) or 1.0))
    heights = _stacked(places)
    size = 20 if values.shape[1] <= _MANY else 8
    for line, (own, height) in enumerate(zip(values, heights, strict=True)):
        is_here = ~np.isnan(own)
        if shades is None:
            colours: Any = [colour_of(value) for value in own[is_here]]
        else:
            colours = GRADUAL.with_extremes(bad=_GAP)(np.ma.masked_invalid(shades[line, is_here]))
        ax.scatter(own[is_here], line + height[is_here], s=size, c=colours, linewidths=0, alpha=0.85, zorder=2)


def _stacked(places: Floats) -> Floats:
    """Return how far dots are moved up or down so that those at the same place stand beside each other."""
    ranks = np.zeros(places.shape)
    for line, own in enumerate(places):
        order = np.argsort(own, kind="stable")
        firsts = np.r_[True, np.diff(own[order]) != 0]
        starts = np.maximum.accumulate(np.where(firsts, np.arange(len(own)), 0))
        rank = np.arange(len(own)) - starts
        ranks[line, order] = (rank + 1) // 2 * np.where(rank % 2, 1, -1)
    highest = np.abs(ranks[~np.isnan(places)]).max(initial=0)
    return ranks * min(_STEP, _ROOM / max(highest, 1))


def _draw_means(ax: Axes, found: Summary, sets: PlayerSets) -> None:
    means, errors = found.mean[sets.find(found.sets)], np.nan_to_num(found.errors_of(sets, "mean"))
    style: dict[str, Any] = {"fmt": "|", "color": "black", "markersize": 13, "markeredgewidth": 1.6, "zorder": 4}
    ax.errorbar(means, np.arange(len(means)), xerr=INTERVAL * errors, elinewidth=1.2, capsize=2.5, **style)


def _finish(ax: Axes, values: Floats, labels: list[str]) -> None:
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    for line in range(len(labels)):
        ax.axhline(line, color=PALE, linewidth=0.6, zorder=0)
    ax.set_yticks(range(len(labels)), labels, fontsize=NORMAL, **lettering(*labels))
    ax.set_ylim(len(labels) - 0.45, -0.55)
    low, high = min(0.0, float(np.nanmin(values))), max(0.0, float(np.nanmax(values)))
    room = 0.05 * ((high - low) or 1.0)
    ax.set_xlim(low - room, high + room)
    few_lines(ax)


def _draw_scale(ax: Axes, *, has_groups: bool) -> None:
    scale = colour_scale(ax, ScalarMappable(cmap=GRADUAL), aspect=35, ticks=[0, 1])
    scale.ax.set_yticklabels(["low", "high"])
    scale.ax.tick_params(length=0)
    what = "value of the player,\nproduct of a group's values" if has_groups else "value of the player"
    scale.set_label(what, fontsize=SMALL, labelpad=-12)
