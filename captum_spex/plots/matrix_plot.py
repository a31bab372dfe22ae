"""All pairs as a heat map."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from captum_spex.arrays import Floats, Ints
from captum_spex.exports.result import MINUS, as_text, value_name
from captum_spex.interactions import Interactions
from captum_spex.plots.arguments import checked_orders, checked_result
from captum_spex.plots.chosen_terms import about_sum, largest_terms, most_involved, of_players, single_values
from captum_spex.plots.labels import lettering, player_labels
from captum_spex.plots.style import (
    DIVERGING,
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

_MOST_NUMBERS = 12  # players up to which every cell has its number


def matrix(
    result: Interactions,
    *,
    max_display: int = 30,
    diagonal: bool = True,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the interactions of all pairs as a heat map, the values of single players on the diagonal.

    Of SII these are Shapley values. (The diagonal of SHAP's matrices, ``result.to_shap("matrix")``, is something else:
    the Shapley value less half of the player's pairs.)

    Args:
        result: what to draw; of order 2 or more.
        max_display: how many players, those of the largest involvement (absolute values of their own term and
            their pairs, added up).
        diagonal: whether single players are drawn; leave them out where they are much larger than the interactions.
        colorbar: whether there is a scale beside the map.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes of the map.

    Raises:
        OrderError: if the result holds no pairs.
        ArgumentError: any other argument that cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> plots.matrix(result).images[0].get_array().tolist()
        [[1.0, 2.0], [2.0, 1.0]]
    """
    result = checked_result(result)
    checked_orders(result, 2, 2)
    chosen = most_involved(result, (1, 2), max_display)
    values = _values(result, chosen, diagonal)
    limit = largest_of(values[~np.isnan(values)])
    side = float(np.clip(0.27 * len(chosen), 2.6, 9.0))
    ax = axes_or_new(ax, side + 2.4, side + 1.4)
    colours = DIVERGING.with_extremes(bad=PALE)
    drawn = ax.imshow(values, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
    if colorbar:
        colour_scale(ax, drawn, shrink=0.8, aspect=25)
    _label(ax, [player_labels(result, 18)[player] for player in chosen])
    if len(chosen) <= _MOST_NUMBERS:
        _write(ax, values, limit)
    note(ax, *_said(result, values, diagonal), of_players(len(chosen), result))
    return ax


def _said(result: Interactions, values: Floats, diagonal: bool) -> tuple[str, ...]:
    """Return what the cells are, whether there are pairs, and whether all terms add up."""
    single, pairs = (value_name(result, order, plural=True) for order in (1, 2))
    none = "" if len(largest_terms(result, (2,), 1)) else "no interactions"
    if not diagonal:
        return pairs, none
    names = pairs if pairs == single else f"{single} on the diagonal, {pairs} of pairs"
    return names, none, about_sum(result, (1, 2), np.count_nonzero(np.triu(values)))


def _values(result: Interactions, chosen: Ints, diagonal: bool) -> Floats:
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


def _write(ax: Axes, values: Floats, limit: float) -> None:
    size = 8.5 if len(values) <= 6 else 6.5
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        small = abs(value) < 0.005 * limit
        text = "0" if small else f"{value:.2f}".replace("-", MINUS) if 0.1 <= limit < 100 else as_text(value)
        colour = PALE if small else ink_on(tint(value, limit)[:3])
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
