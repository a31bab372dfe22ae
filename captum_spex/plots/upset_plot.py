"""Terms of any order: a bar for each, and below it dots for its players."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from captum_spex.exports.result import value_names
from captum_spex.interactions import Interactions
from captum_spex.plots.arguments import checked_orders, checked_result
from captum_spex.plots.chosen_terms import Shown, about_sum, largest_terms
from captum_spex.plots.labels import lettering, player_labels
from captum_spex.plots.style import GREY, NORMAL, PALE, SMALL, axes_or_new, bare, colour_of, inset, note, say_empty

_BARS, _ROW = 2.2, 0.24  # inches


def upset(
    result: Interactions, *, order: int | None = None, max_display: int = 16, ax: Axes | None = None
) -> NDArray[np.object_]:
    """Draw terms of any order: above a bar with the value, below dots, joined by a line, for the players.

    Args:
        result: what to draw.
        order: of the terms; default: all.
        max_display: how many terms, the largest.
        ax: where to draw; default: the current axes if empty, else a new figure. It is divided in two.

    Returns:
        Two axes: that of the bars, and that of the dots.

    Raises:
        OrderError: if the result does not hold the order.
        ArgumentError: any other argument that cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> game = lambda m: m[:, 0] + 2.0 * (m[:, 0] & m[:, 1] & m[:, 2])
        >>> bars, dots = plots.upset(captum_spex.explain(game, 3, budget=8, index="Moebius", max_order=3))
        >>> [float(bar.get_height()) for bar in bars.patches]
        [2.0, 1.0]
    """
    result = checked_result(result)
    orders = checked_orders(result, order)
    shown = largest_terms(result, orders, max_display, errors=True)
    players = sorted({player for term in shown.players for player in term})
    below = _ROW * max(2, len(players))
    width = 2.2 + 0.36 * max(6, len(shown))
    ax = axes_or_new(ax, width, _BARS + below + 0.7)
    part = below / (below + _BARS)
    bars = inset(ax, (0, part + 0.02, 1, 0.98 - part))
    dots = inset(ax, (0, 0, 1, part), sharex=bars)
    bare(dots)
    if len(shown):
        _draw_bars(bars, shown)
        _draw_dots(dots, shown, players)
        names = [player_labels(result, 22)[player] for player in players]
        dots.set_yticks(range(len(players)), names, fontsize=NORMAL - 0.5, **lettering(*names))
        dots.tick_params(length=0)
    else:
        say_empty(bars, order)
    note(dots, about_sum(result, orders, len(shown), width=48 if len(shown) < 10 else 64), shown.caption)
    bars.set_ylabel(value_names(result, orders).replace(", ", ",\n"), fontsize=NORMAL)
    return np.array([bars, dots], dtype=np.object_)


def _draw_bars(ax: Axes, shown: Shown) -> None:
    columns = np.arange(len(shown))
    ax.bar(columns, shown.values, width=0.62, color=[colour_of(value) for value in shown.values])
    if shown.intervals is not None:
        ax.errorbar(columns, shown.values, yerr=shown.intervals, fmt="none", ecolor="black", elinewidth=1, capsize=2)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(bottom=False, labelbottom=False, labelsize=SMALL)
    ax.set_xlim(-0.7, max(len(shown), 6) - 0.3)


def _draw_dots(ax: Axes, shown: Shown, players: list[int]) -> None:
    row_of = {player: row for row, player in enumerate(players)}
    grid = np.stack(np.meshgrid(range(len(shown)), range(len(players))), axis=-1).reshape(-1, 2)
    for row in range(0, len(players), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="#f5f5f5", zorder=0, linewidth=0)
    ax.scatter(grid[:, 0], grid[:, 1], s=30, color=PALE, zorder=1)
    for column, (term, value) in enumerate(shown):
        rows = [row_of[player] for player in term]
        ax.plot([column] * len(rows), rows, "o-", color=colour_of(value), markersize=6, linewidth=2, zorder=2)
    ax.set_ylim(len(players) - 0.5, -0.5)
