"""Links between players at places: lines for pairs, stars for larger groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from captum_spex.arrays import Floats
from captum_spex.plots.chosen_terms import Shown
from captum_spex.plots.style import colour_of, largest_of

WIDEST = 6.0  # points
_FAINTEST = 0.25


def widths_of(links: Shown, widest: float = WIDEST) -> Floats:
    """Return widths in proportion to the absolute values."""
    return widest * np.abs(links.values) / largest_of(links.values)


def colours_of(links: Shown) -> list[tuple[float, float, float, float]]:
    """Return the colour of every link: red raises, blue lowers, and weak ones are faint."""
    strength = np.abs(links.values) / largest_of(links.values)
    alphas = _FAINTEST + (1 - _FAINTEST) * strength
    return [to_rgba(colour_of(value), alpha) for value, alpha in zip(links.values, alphas, strict=True)]


def draw_links(ax: Axes, places: Floats, links: Shown, *, widest: float = WIDEST, outlined: bool = False) -> None:
    """Draw a line for every pair, and for larger groups one from each player to their middle, the strongest on top."""
    segments: list[Floats] = []
    owners: list[int] = []
    middles: list[Floats] = []
    for row, players in enumerate(links.players):
        ends = places[list(players)]
        middle = ends.mean(axis=0)
        lines = [ends] if len(players) == 2 else [np.stack([end, middle]) for end in ends]
        segments += lines
        owners += [row] * len(lines)
        middles += [middle] if len(players) > 2 else []
    known = colours_of(links)
    widths, colours = widths_of(links, widest)[np.array(owners, dtype=np.intp)], [known[owner] for owner in owners]
    style: dict[str, Any] = {"capstyle": "round", "zorder": 2}
    if outlined and segments:
        ax.add_collection(LineCollection(segments, linewidths=widths + 2, colors="white", alpha=0.8, **style))
    ax.add_collection(LineCollection(segments[::-1], linewidths=widths[::-1], colors=colours[::-1], **style))
    if middles:
        own = [known[row] for row, players in enumerate(links.players) if len(players) > 2]
        x, y = np.transpose(middles)
        ax.scatter(x, y, s=14, c=own, zorder=2)
