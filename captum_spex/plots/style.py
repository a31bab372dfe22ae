"""Style of all pictures: colours, numbers as text, axes, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import BLUE, RED, as_text

GREY, PALE = "#666666", "#dddddd"
UNCLEAR = "#8c8c8c"  # may raise or lower
DIVERGING = LinearSegmentedColormap.from_list("captum_spex", [BLUE, "#ffffff", RED])
NEUTRAL = LinearSegmentedColormap.from_list("captum_spex_neutral", ["#ffffff", "#6f6f6f"])
GRADUAL = LinearSegmentedColormap.from_list("captum_spex_gradual", ["#440154", "#31688e", "#35b779", "#e0c715"])
"""Of features, from low to high: neither red nor blue, which are signs of values."""
SMALL, NORMAL = 8.5, 10.0  # font sizes
_DARKEST = 0.62  # luminance below which letters are white


def colour_of(value: float) -> str:
    """Return red for a value that raises, blue for one that lowers, grey for 0."""
    return RED if value > 0 else BLUE if value < 0 else GREY


def tint(values: ArrayLike, limit: float) -> Floats:
    """Return RGBA colours ``(..., 4)``: white at 0, red at ``limit``, blue at ``-limit``."""
    return np.asarray(DIVERGING(np.asarray(values) / (2 * limit) + 0.5))


def largest_of(values: ArrayLike) -> float:
    """Return the largest absolute value, by which others are divided; 1 if there is none or it is 0."""
    return float(np.abs(np.asarray(values, dtype=np.float64)).max(initial=0.0)) or 1.0


def ink_on(colour: Any) -> str:
    """Return the colour of letters that can be read on a colour."""
    red, green, blue = to_rgb(colour)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < _DARKEST else "black"


def colour_scale(ax: Axes, drawn: Any, **settings: Any) -> Any:
    """Draw the scale of colours beside axes, and return it."""
    scale = ax.figure.colorbar(drawn, ax=ax, pad=0.02, **settings)
    scale.outline.set_visible(False)
    scale.ax.tick_params(labelsize=SMALL)
    return scale


def label_bar(ax: Axes, value: float, end: float, row: int, *, colour: str | None = None, sign: str = "+") -> None:
    """Write a number beyond the end of a horizontal bar."""
    side = 1 if value >= 0 else -1
    ax.annotate(
        as_text(value, sign=sign), (end, row), (4 * side, 0), textcoords="offset points",
        ha="left" if value >= 0 else "right", va="center", fontsize=SMALL, color=colour or colour_of(value),
    )  # fmt: skip


def checked_axes(ax: Any) -> Axes:
    """Return the axes if they are."""
    if not isinstance(ax, Axes):
        raise ArgumentError("ax", type_of(ax), "one matplotlib `Axes` or None")
    return ax


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw into: those given, the current ones if empty, else new ones, sized in inches."""
    if ax is not None:
        return checked_axes(ax)
    current = empty_axes()
    return new_axes(width, height) if current is None else current


def empty_axes() -> Axes | None:
    """Return the current axes if there are any and nothing is drawn in them."""
    import matplotlib.pyplot as plt

    if not plt.get_fignums():
        return None
    figure = plt.gcf()
    if not figure.axes:
        return figure.add_subplot()
    current = plt.gca()
    return None if current.has_data() or current.texts or current.child_axes else current


def new_axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure, sized in inches, with room for labels of any length."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained").add_subplot()


def inset(ax: Axes, bounds: tuple[float, float, float, float], **settings: Any) -> Axes:
    """Return axes in a part of others, whose own frame is no longer drawn."""
    ax.set_axis_off()
    return ax.inset_axes(bounds, **settings)


def bare(ax: Axes) -> None:
    """Remove all lines and ticks; the note below stays."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def width_for(labels: Sequence[str], rest: float = 4.8) -> float:
    """Return the width of a picture in inches, with labels at the left."""
    return rest + 0.078 * max(map(len, labels), default=0)


def few_lines(ax: Axes) -> None:
    """Keep the line below only."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(left=False, labelsize=NORMAL - 1)


def note(ax: Axes, *parts: str) -> None:
    """Write below a picture what sizes and colours mean and what was left out: one line for each part."""
    ax.set_xlabel("\n".join(part for part in parts if part), fontsize=SMALL, color=GREY, parse_math=False)


def joined(*parts: str) -> str:
    """Return the parts that are not empty in one line."""
    return "; ".join(part for part in parts if part)


def say(ax: Axes, sentence: str, height: float = 0.5) -> None:
    """Write a sentence where a picture would be empty."""
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": PALE}
    place: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center", "zorder": 10}
    ax.text(0.5, height, sentence, fontsize=NORMAL + 1, color=GREY, bbox=box, **place)


def say_empty(ax: Axes, order: int | None) -> None:
    """Say that there are no terms of an order, or none at all."""
    bare(ax)
    say(ax, "no interactions" if order is not None and order > 1 else "no effects: all values are 0")
