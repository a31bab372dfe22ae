"""One interaction over many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.columns import Column
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.exports.many_rows import check_alike, checked_rows, sizes_in_words
from captum_spex.exports.result import smallest, value_name
from captum_spex.exports.shap.given_data import columns_by_player
from captum_spex.interactions import Interactions
from captum_spex.player_sets import PlayerSets
from captum_spex.plots.arguments import checked_order
from captum_spex.plots.labels import TIMES, lettering, short
from captum_spex.plots.style import GRADUAL, GREY, NORMAL, SMALL, axes_or_new, colour_of, colour_scale, note, say
from captum_spex.statistics import INTERVAL
from captum_spex.summaries.aligned_rows import AlignedRows

_MOST_CATEGORIES = 12
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_GAP = "#aaaaaa"  # rows without a value
_INTERVALS = "#9a9a9a"


def scatter(
    results: Sequence[Interactions],
    players: Sequence[int | str] | int | str,
    *,
    data: Any,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the value of one interaction in every row against one feature, coloured by another.

    Bars are 90 % intervals, where the results know their standard errors.

    Args:
        results: one result for every row; their players are joined by name.
        players: the players of the term, by number or name: the value of the first is across, the second is the
            colour. A single one shows its own value, red above 0 and blue below.
        data: the players' values, ``(rows, n_players)``: an array, a list of rows, or a data frame, whose columns are
            sorted like the players by their names. Texts are categories; dates and durations keep their distances,
            ordered categories their order; rows without a value are drawn at the left margin, or grey.
        colorbar: whether there is a scale of the second feature.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes.

    Raises:
        OrderError: if the results hold no terms of as many players.
        MaskError: if there is no such player.
        ArgumentError: if rows and data do not fit, or another argument cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> rows = [captum_spex.explain(lambda m, x=x: x * (m[:, 0] & m[:, 1]), 2, budget=4) for x in (1.0, 2.0)]
        >>> plots.scatter(rows, (0, 1), data=[[1.0, 5.0], [2.0, 7.0]]).collections[0].get_offsets().tolist()
        [[1.0, 1.0], [2.0, 2.0]]
    """
    aligned = _checked_results(results)
    rows: Any = aligned.results
    term = _checked_players(players, rows[0])
    checked_order(rows[0], len(term))
    columns = columns_by_player(data, rows, aligned.numbers, aligned.names, aligned.n_players)
    values, errors = _values(aligned, term)
    across = columns[term[0]]
    ax = axes_or_new(ax, 6.4, 4.2)
    width = 30 if len(term) == 1 else 18
    names = [short(rows[0].names[player] if rows[0].names else f"player {player}", width) for player in term]
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    if len(term) == 1:
        ax.scatter(
            _with_margin(across), values, s=18, color=[colour_of(value) for value in values], alpha=0.8, linewidths=0
        )
    else:
        _draw_coloured(ax, across, values, columns[term[1]], names[1] if colorbar else "")
    said = _draw_errors(ax, _with_margin(across), values, errors)
    _finish(ax, names, [columns[player] for player in term], rows, values, said=said)
    return ax


def _with_margin(column: Column) -> Floats:
    """Return where rows are drawn: those without a value at the left margin, before all others."""
    numbers = column.numbers[~column.is_missing]
    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 0.0)
    step = 0.75 if column.labels else 0.08 * ((high - low) or 1.0)
    return np.where(column.is_missing, low - step, column.numbers)


def _draw_coloured(ax: Axes, across: Column, values: Floats, second: Column, name: str) -> None:
    colours = GRADUAL.with_extremes(bad=_GAP)
    numbers = np.ma.masked_invalid(second.numbers)
    style: dict[str, Any] = {"s": 18, "cmap": colours, "linewidths": 0, "alpha": 0.85, "plotnonfinite": True}
    if second.labels:  # colours of categories do not depend on which of them occur
        style |= {"vmin": 0, "vmax": max(1, len(second.labels) - 1)}
    drawn = ax.scatter(_with_margin(across), values, c=numbers, **style)
    if not name:
        return
    bar = colour_scale(ax, drawn, aspect=30)
    bar.ax.tick_params(length=0)
    bar.set_label(name, fontsize=NORMAL, **lettering(name))
    _mark(bar.ax.yaxis, second)


def _mark(axis: Axis, column: Column) -> None:
    """Write categories, dates and durations at an axis as what they are."""
    if column.kind == "date":
        locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
        axis.set_major_locator(locator)
        axis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    elif column.kind == "duration":
        places, labels = _durations(column.numbers[~column.is_missing])
        axis.set_ticks(places, labels=labels)
    elif column.labels and len(column.labels) <= _MOST_CATEGORIES:
        ticks = [short(label, 14) for label in column.labels]
        axis.set_ticks(range(len(ticks)), labels=ticks, **lettering(*ticks))


def _durations(seconds: Floats) -> tuple[Floats, list[str]]:
    """Return round ticks within durations, in the largest unit that they reach."""
    low, high = (float(seconds.min()), float(seconds.max())) if len(seconds) else (0.0, 0.0)
    size, unit = next((one for one in _UNITS if max(abs(low), abs(high)) >= one[0]), _UNITS[-1])
    ticks = np.asarray(MaxNLocator(5).tick_values(low / size, high / size))
    ticks = ticks[(ticks * size >= low) & (ticks * size <= high)]
    return ticks * size, [f"{tick:g} {unit}" for tick in ticks]


def _finish(
    ax: Axes, names: list[str], columns: list[Column], rows: list[Interactions], values: Floats, *, said: list[str]
) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    _mark(ax.xaxis, columns[0])
    if columns[0].labels and not columns[0].is_missing.any():
        ax.set_xlim(-0.5, len(columns[0].labels) - 0.5)
    label, kind = TIMES.join(names), value_name(rows[0], len(names))
    ax.set_ylabel(f"{kind} of\n{label}" if len(label) > 24 else f"{kind} of {label}",
                  fontsize=NORMAL, **lettering(label))  # fmt: skip
    missing = int(np.isnan(values).sum())
    said += [f"{missing} of {len(rows)} rows left this term out"] if missing else []
    for place, name, column in zip(("at the left margin", "grey"), names, columns, strict=False):
        n_gaps = int(column.is_missing.sum())
        said += [f"{place}: {n_gaps} of {len(rows)} rows without a value of {name}"] if n_gaps else []
    note(ax, names[0], *said)
    ax.xaxis.label.set(fontsize=NORMAL, color="black", **lettering(names[0]))
    if missing == len(rows):
        say(ax, "left out of every row")
    elif not np.nan_to_num(values).any():
        say(ax, "no interactions" if len(names) > 1 else "no effects: all values are 0")


def _checked_results(results: Any) -> AlignedRows:
    rows: list[Any] = checked_rows(results)
    if len({row.n_players for row in rows}) > 1:
        raise ArgumentError("results", f"rows of {sizes_in_words(rows)} players", "rows of the same players")
    check_alike(rows)
    aligned = AlignedRows.of(rows)
    if aligned.n_players > rows[0].n_players:
        other = (aligned.names or ())[rows[0].n_players]
        raise ArgumentError("results", f"rows with and without the player {other!r}", "rows of the same players")
    return aligned


def _checked_players(players: Any, result: Interactions) -> tuple[int, ...]:
    several = isinstance(players, Sequence | np.ndarray) and not isinstance(players, str) and np.ndim(players) > 0
    names = list(result.names or ())
    found: list[int] = []
    for player in players if several else [players]:
        number = names.index(player) if isinstance(player, str) and names.count(player) == 1 else player
        if not checks.is_integer(number) or not 0 <= number < result.n_players or number in found:
            expected = f"different players, 0 to {result.n_players - 1}" + (", or their names" if names else "")
            raise MaskError("players", repr(players), expected)
        found.append(int(number))
    if not found:
        raise MaskError("players", repr(players), "at least one player")
    return tuple(found)


def _values(aligned: AlignedRows, term: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the value of a term in every row, NaN where it was left out, and standard errors, NaN where unknown."""
    values, errors = np.zeros(len(aligned.results)), np.full(len(aligned.results), np.nan)
    sets = PlayerSets.from_sets([term], aligned.n_players)
    for number, row in enumerate(aligned.results):
        own = aligned.present(number, sets)[1].tuples()[0]
        values[number] = _value(row, own)
        known = aligned.errors_of(number, sets)[1]
        errors[number] = np.nan if known is None else known[0]
    return values, errors


def _draw_errors(ax: Axes, places: Floats, values: Floats, errors: Floats) -> list[str]:
    """Draw 90 % intervals behind the dots, and return what is to be said of them."""
    is_known = ~np.isnan(errors)
    if not errors[is_known].any():
        return []
    style: dict[str, Any] = {"fmt": "none", "ecolor": _INTERVALS, "elinewidth": 0.9, "zorder": 0.5}
    ax.errorbar(places, values, yerr=INTERVAL * np.nan_to_num(errors), **style)
    known = "" if is_known.all() else f", known for {np.count_nonzero(is_known)} of {len(errors)} rows"
    return [f"bars: 90 % intervals{known}"]


def _value(row: Any, term: tuple[int, ...]) -> float:
    """Return the value of a term, NaN where it was left out of the result."""
    try:
        value = row[term]
    except KeyError:
        return float("nan")
    return value if abs(value) > smallest(row) else 0.0
