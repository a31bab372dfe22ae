"""All pairs as a heat map."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.exports.result import MINUS, as_text, value_name
from captum_spex.player_sets import PlayerSets
from captum_spex.plots.arguments import checked_orders
from captum_spex.plots.chosen_terms import about_sum, largest_terms, most_involved, of_players, single_values
from captum_spex.plots.labels import lettering, player_labels
from captum_spex.plots.style import (
    DIVERGING,
    NEUTRAL,
    NORMAL,
    PALE,
    SMALL,
    axes_or_new,
    colour_scale,
    ink_on,
    largest_of,
    note,
    tint,
)
from captum_spex.plots.summary_view import Drawable, Drawn, SummaryView, about_rows, drawn_result, is_size
from captum_spex.summaries.data_set import Statistic

_MOST_NUMBERS = 12  # players up to which every cell has its number
_MOST_ERRORS = 6  # the same for standard errors


def matrix(
    result: Drawable,
    *,
    max_display: int = 30,
    diagonal: bool = True,
    colorbar: bool = True,
    value: Statistic = "mean_abs",
    ax: Axes | None = None,
) -> Axes:
    """Draw the interactions of all pairs as a heat map, the values of single players on the diagonal.

    Of SII these are Shapley values. (The diagonal of SHAP's matrices, ``result.to_shap("matrix")``, is something else:
    the Shapley value less half of the player's pairs.)

    Args:
        result: what to draw, of order 2 or more: one result; or a `captum_spex.Summary`, or the results of many rows,
            of which this is one.
        max_display: how many players, those of the largest involvement (absolute values of their own term and
            their pairs, added up).
        diagonal: whether single players are drawn; leave them out where they are much larger than the interactions.
        colorbar: whether there is a scale beside the map.
        value: of many rows the mean absolute values, ``"mean_abs"``, or the mean values, ``"mean"``. Colours say
            whether a term raises or lowers on average, grey where the 90 % interval of its mean holds 0. For up to 6
            players each number has its standard error.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes of the map.

    Raises:
        OrderError: if the result holds no pairs.
        ArgumentError: any other argument that cannot be used, or rows that do not fit each other.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> plots.matrix(result).images[0].get_array().tolist()
        [[1.0, 2.0], [2.0, 1.0]]
    """
    terms = drawn_result(result, value)
    checked_orders(terms, 2, 2)
    chosen = most_involved(terms, (1, 2), max_display)
    values = _values(terms, chosen, diagonal)
    either, errors = _doubts(terms, chosen)
    either &= ~np.isnan(values)
    limit = largest_of(values[~np.isnan(values)])
    side = float(np.clip(0.27 * len(chosen), 2.6, 9.0))
    ax = axes_or_new(ax, side + 2.4, side + 1.4)
    colours = DIVERGING.with_extremes(bad=PALE)
    drawn = ax.imshow(values, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
    if either.any():
        ax.imshow(
            np.ma.masked_where(~either, np.abs(values)), cmap=NEUTRAL, vmin=0, vmax=limit, interpolation="nearest"
        )
    if colorbar:
        bar = colour_scale(ax, drawn, shrink=0.8, aspect=25)
        if is_size(terms):  # the sign is for the colour
            bar.formatter = FuncFormatter(lambda size, _: f"{abs(size):g}")
    _label(ax, [player_labels(terms, 18)[player] for player in chosen])
    if len(chosen) <= _MOST_NUMBERS:
        _write(ax, values, limit, either, errors, sign=not is_size(terms))
    cells = _sets(terms, chosen).take(np.flatnonzero(np.nan_to_num(values[np.triu_indices(len(chosen))])))
    rows = about_rows(terms, cells, narrow=True)
    note(ax, *_said(terms, values, diagonal), rows, of_players(len(chosen), terms))
    return ax


def _said(result: Drawn, values: Floats, diagonal: bool) -> tuple[str, ...]:
    """Return what the cells are, whether there are pairs, and whether all terms add up."""
    single, pairs = (value_name(result, order, plural=True) for order in (1, 2))
    none = "" if len(largest_terms(result, (2,), 1)) else "no interactions"
    if not diagonal:
        return pairs, none
    line = ",\n" if isinstance(result, SummaryView) else ", "  # the names of means are long
    names = pairs if pairs == single else f"{single} on the diagonal{line}{pairs} of pairs"
    return names, none, about_sum(result, (1, 2), np.count_nonzero(np.triu(values)), width=48)


def _sets(result: Drawn, chosen: Ints) -> PlayerSets:
    """Return the sets of the cells on the diagonal and above, in NumPy's order."""
    first, second = np.triu_indices(len(chosen))
    pairs = np.stack([chosen[first], np.where(first == second, -1, chosen[second])], axis=1)
    return PlayerSets.from_padded(pairs, result.n_players)


def _doubts(result: Drawn, chosen: Ints) -> tuple[NDArray[np.bool_], Floats]:
    """Return of which cells it is unclear whether they raise or lower on average, and standard errors, else 0."""
    size = (len(chosen), len(chosen))
    either, errors = np.zeros(size, dtype=np.bool_), np.zeros(size)
    if isinstance(result, SummaryView):
        first, second = np.triu_indices(len(chosen))
        sets = _sets(result, chosen)
        known = result.errors_of(sets)
        either[first, second] = either[second, first] = result.unclear(sets)
        errors[first, second] = errors[second, first] = 0.0 if known is None else known
    return either, errors


def _values(result: Drawn, chosen: Ints, diagonal: bool) -> Floats:
    place = {int(player): row for row, player in enumerate(chosen)}
    values = np.zeros((len(chosen), len(chosen)))
    for (first, second), value in largest_terms(result, (2,), len(result) or 1, among=chosen):
        values[place[first], place[second]] = values[place[second], place[first]] = value
    values[np.diag_indices(len(chosen))] = single_values(result)[chosen] if diagonal else np.nan
    return values


def _label(ax: Axes, labels: list[str]) -> None:
    size = NORMAL if len(labels) <= 20 else SMALL - 0.5
    places = np.arange(len(labels))
    upright = len(labels) > 20 or max(map(len, labels)) > 2
    ax.set_xticks(places, labels, rotation=90 if upright else 0, fontsize=size, **lettering(*labels))
    ax.set_yticks(places, labels, fontsize=size, **lettering(*labels))
    ax.tick_params(length=0)
    ax.spines[:].set_color(PALE)
    ax.set_xticks(places[:-1] + 0.5, minor=True)
    ax.set_yticks(places[:-1] + 0.5, minor=True)
    ax.grid(which="minor", color=PALE, linewidth=0.5)
    ax.tick_params(which="minor", length=0)


def _write(ax: Axes, values: Floats, limit: float, either: NDArray[np.bool_], errors: Floats, *, sign: bool) -> None:
    size = 8.5 if len(values) <= _MOST_ERRORS else 6.5
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        small = abs(value) < 0.005 * limit
        number = value if sign else abs(value)
        text = "0" if small else f"{number:.2f}".replace("-", MINUS) if 0.1 <= limit < 100 else as_text(number)
        if len(values) <= _MOST_ERRORS and errors[row, column] > 0:
            text += f"\n± {as_text(float(errors[row, column]), 2)}"
        shade = NEUTRAL(abs(value) / limit) if either[row, column] else tint(value, limit)
        colour = PALE if small else ink_on(shade[:3])
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
