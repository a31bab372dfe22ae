"""Words in reading order, coloured, with arcs between those that interact."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.text import Text

from captum_spex import checks
from captum_spex.arrays import Floats, Ints
from captum_spex.exports.result import displayed
from captum_spex.interactions import Interactions
from captum_spex.plots.arguments import checked_orders, checked_result
from captum_spex.plots.chosen_terms import Shown, about_sum, colours_of, largest_terms, scale, single_values, widths_of
from captum_spex.plots.labels import lettering, short
from captum_spex.plots.style import bare, checked_axes, empty_axes, ink_on, joined, largest_of, new_axes, note, tint

_CURVE = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]


@dataclass(frozen=True)
class Sizes:
    """Sizes of words and arcs, found by looking at pictures; in font sizes unless a unit is named."""

    longest: int = 40  # letters of a word; longer ones are shortened
    usual: float = 13.0  # font size of short texts, in points
    of_long: float = 8.0  # of long ones
    smallest: float = 4.0  # in axes that are too small
    short: int = 150  # words up to which letters have the usual size
    between: float = 0.75  # words
    pad: float = 0.22  # of the frame of a word
    line: float = 1.6  # height
    gap: float = 0.4  # above a line
    baseline: float = 0.34  # of the letters, below their middle
    arc: float = 2.6  # height of the highest
    widest: float = 4.0  # arc, in points
    width: float = 8.0  # of a new figure, in inches; so are the next two
    margin: float = 0.12
    note: float = 0.6  # height of the note below


SIZES = Sizes()


@dataclass(frozen=True, eq=False)
class _Layout:
    """Positions of words, in points from the upper left corner, y downwards."""

    places: Floats  # x of the middles of words
    lines: Ints
    middles: Floats  # y of the lines
    height: float
    size: float  # of the letters

    @property
    def centres(self) -> Floats:
        """Where words are, ``(n_players, 2)``."""
        return np.stack([self.places, self.middles[self.lines]], axis=1)


def text(
    result: Interactions,
    *,
    order: int | None = None,
    index: str | None = None,
    max_display: int = 12,
    font_size: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the players as words in reading order, coloured by their value, with arcs between those that interact.

    Args:
        result: what to draw; its names are the words.
        order: of the interactions; groups of three and more are chains of arcs; default: all orders.
        index: which index to draw; default: the result's own, but k-SII instead of SII, so that the terms add up.
        max_display: how many interactions, the largest.
        font_size: in points; default: 13, down to 8 for long texts; smaller in axes that are given and too small.
        ax: where to draw, of its final size; default: the current axes if empty, else a new figure as high as needed.

    Returns:
        The axes; one unit is one point.

    Raises:
        OrderError: if the result does not hold the order.
        UnknownNameError: if the index is unknown.
        ArgumentError: any other argument that cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
        >>> ax = plots.text(result)
        >>> [word.get_text() for word in ax.texts], len(ax.patches)
        (['never', 'fails'], 1)
    """
    result = displayed(checked_result(result), index)
    orders = checked_orders(result, order, 2)
    links = largest_terms(result, orders, max_display)
    usual = float(np.clip(SIZES.usual * np.sqrt(SIZES.short / result.n_players), SIZES.of_long, SIZES.usual))
    size = usual if font_size is None else checks.positive("font_size", font_size)
    ax = empty_axes() if ax is None else checked_axes(ax)
    own = ax is None
    ax = new_axes(SIZES.width, 1.0) if ax is None else ax
    bare(ax)
    words = _words(ax, result, size)
    layout = _place(ax, words, links, own)
    _draw_arcs(ax, layout, links)
    singles = single_values(result)
    scales = scale(result, "words", singles, (1,)), scale(result, "arcs", links.values, orders) or "no interactions"
    drawn = about_sum(result, (1, *orders), np.count_nonzero(singles) + len(links))
    note(ax, joined(*scales), drawn, links.largest_of_all("arcs"))
    return ax


def _words(ax: Axes, result: Interactions, font_size: float) -> list[Text]:
    values = single_values(result)
    colours = tint(values, largest_of(values))
    colours[:, 3] = np.clip(0.6 + 4 * np.abs(values) / largest_of(values), 0, 1)  # arcs show through pale words
    names = map(str, range(result.n_players)) if result.names is None else result.names
    words = [short(name, SIZES.longest) for name in names]
    letters, drawn = lettering(*words), []
    for word, value, colour in zip(words, values, colours, strict=True):
        frame = {"boxstyle": f"round,pad={SIZES.pad}", "facecolor": colour, "edgecolor": "none"} if value else None
        style: dict[str, Any] = {"color": ink_on(colour[:3]), "ha": "center", "va": "baseline", "zorder": 3}
        drawn.append(ax.text(0, 0, word, fontsize=font_size, bbox=frame, **style, **letters))
    return drawn


def _place(ax: Axes, words: list[Text], links: Shown, own: bool) -> _Layout:
    """Break words into lines, smaller until they fit the axes, or make our own figure as high as they need."""
    figure, size = ax.figure, float(words[0].get_fontsize())
    points = 72.0 / figure.dpi
    widths = _widths(words, size) * points
    if own:
        width = (SIZES.width - 2 * SIZES.margin) * 72.0
        layout = _laid_out(widths, size, width, links)
        _resize(ax, layout.height)
        height = layout.height
    else:
        extent = ax.get_window_extent()
        width, height = extent.width * points, extent.height * points
        layout = _laid_out(widths, size, width, links)
        while layout.height > height and layout.size > SIZES.smallest:
            smaller = max(SIZES.smallest, 0.93 * layout.size)
            layout = _laid_out(widths * smaller / size, smaller, width, links)
        if layout.size < size:  # widths of letters are not exactly proportional to the font size
            layout = _laid_out(_widths(words, layout.size) * points, layout.size, width, links)
    spare = max(0.0, height - layout.height) / 2
    ax.set(xlim=(0, width), ylim=(layout.height + spare, -spare))
    for word, (x, y) in zip(words, layout.centres, strict=True):
        word.set(position=(x, y + SIZES.baseline * layout.size), fontsize=layout.size)
    return layout


def _widths(words: list[Text], size: float) -> Floats:
    """Return the widths of words in pixels."""
    for word in words:
        word.set_fontsize(size)
    return np.array([word.get_window_extent().width for word in words])


def _laid_out(widths: Floats, size: float, width: float, links: Shown) -> _Layout:
    left, lines = np.zeros(len(widths)), np.zeros(len(widths), dtype=np.int64)
    start = x = SIZES.pad * size
    line = 0
    for word, own in enumerate(widths):
        if x > start and x + own > width - start:
            line, x = line + 1, start
        left[word], lines[word] = x, line
        x += own + SIZES.between * size
    above = np.full(line + 1, SIZES.gap * size)
    centres = left + widths / 2
    for first, second in (pair for players in links.players for pair in pairwise(players)):
        if lines[first] == lines[second]:
            high = _arc_height(centres[first], centres[second], size) + 0.25 * size
            above[lines[first]] = max(above[lines[first]], high)
    middles = np.cumsum(above + SIZES.line * size) - SIZES.line * size / 2
    return _Layout(centres, lines, middles, float(middles[-1] + SIZES.line * size / 2), size)


def _arc_height(x: float, other: float, size: float) -> float:
    return min(SIZES.arc * size, 0.4 * size + 0.1 * abs(other - x))


def _resize(ax: Axes, height: float) -> None:
    """Make our own figure as high as its words, the note and the margins."""
    figure = ax.figure.figure
    total = height / 72.0 + SIZES.note + SIZES.margin
    figure.set_layout_engine("none")
    figure.set_size_inches(SIZES.width, total)
    ax.set_position(
        (SIZES.margin / SIZES.width, SIZES.note / total, 1 - 2 * SIZES.margin / SIZES.width, height / 72.0 / total)
    )


def _draw_arcs(ax: Axes, layout: _Layout, links: Shown) -> None:
    """Draw the arcs, the strongest on top, below the words."""
    widths, colours = widths_of(links, SIZES.widest), colours_of(links)
    for row in range(len(links) - 1, -1, -1):
        pieces = [_arc(layout, first, second) for first, second in pairwise(links.players[row])]
        path = Path.make_compound_path(*pieces)
        style = {"linewidth": widths[row], "edgecolor": colours[row], "capstyle": "round"}
        ax.add_patch(PathPatch(path, facecolor="none", zorder=2, **style))


def _arc(layout: _Layout, first: int, second: int) -> Path:
    """Return an arc above the words of one line, or from below the upper word to above the lower one."""
    (x, y), (other, below) = layout.centres[[first, second]]
    edge = SIZES.line * layout.size / 2 - 0.05 * layout.size
    if layout.lines[first] == layout.lines[second]:
        high = _arc_height(x, other, layout.size) * 4 / 3
        return Path([(x, y - edge), (x, y - edge - high), (other, y - edge - high), (other, y - edge)], _CURVE)
    y, below = y + edge, below - edge
    pull = max(0.5 * (below - y), 1.2 * layout.size)
    return Path([(x, y), (x, y + pull), (other, below - pull), (other, below)], _CURVE)
