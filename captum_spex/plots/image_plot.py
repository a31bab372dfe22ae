"""Segments of an image, tinted, and links between those that interact."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, as_array, real_numbers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.interactions import Interactions
from captum_spex.plots.arguments import checked_orders, checked_result
from captum_spex.plots.chosen_terms import about_sum, draw_links, largest_terms, scale, single_values
from captum_spex.plots.style import GREY, axes_or_new, bare, joined, largest_of, note, tint

_DARKEST = 0.5  # the image is drawn from this grey to white, so that colours are visible on it
_STRONGEST = 0.75  # opacity of the largest value
_GREY_OF_RGB = np.array([0.299, 0.587, 0.114])


def image(
    result: Interactions,
    image: Any,
    segments: ArrayLike,
    *,
    order: int | None = None,
    max_display: int = 12,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw an image in grey, its segments tinted by their value, and links between segments that interact.

    Args:
        result: what to draw.
        image: array or tensor ``(channels, height, width)``, ``(height, width)`` or ``(height, width, channels)``.
        segments: the player of each pixel, integers ``(height, width)``, such as ``ImageGame(...).segments``.
        order: of the interactions: 2 for lines; above, stars that join all segments of a group; default: all orders.
        max_display: how many interactions, the largest.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes.

    Raises:
        MaskError: if the segments do not fit the image or the players.
        OrderError: if the result does not hold the order.
        ArgumentError: any other argument that cannot be used.

    Example:
        >>> import captum_spex, numpy as np
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> ax = plots.image(result, np.zeros((1, 2, 4)), [[0, 0, 1, 1], [0, 0, 1, 1]])
        >>> ax.get_xlabel().split("\n")[0]
        'colours: Shapley values up to +1; links: SII up to +2'
    """
    result = checked_result(result)
    orders = checked_orders(result, order, 2)
    parts = _checked_segments(segments, result.n_players)
    grey = _grey(image, parts.shape)
    links = largest_terms(result, orders, max_display)
    height, width = parts.shape
    ax = axes_or_new(ax, 5.0, 0.45 + 5.0 * float(np.clip(height / width, 0.4, 2.0)))
    bare(ax)
    ax.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    values = single_values(result)
    ax.imshow(_tinted(values)[parts], interpolation="nearest")
    centres = _centres(parts, result.n_players)
    _draw_borders(ax, parts)
    draw_links(ax, centres, links, widest=5.0, outlined=True)
    ends = sorted({player for term in links.players for player in term})
    x, y = centres[ends].T
    ax.scatter(x, y, s=16, color="white", edgecolors="#333333", linewidths=0.8, zorder=3)
    scales = scale(result, "colours", values, (1,)), scale(result, "links", links.values, orders) or "no interactions"
    drawn = about_sum(result, (1, *orders), np.count_nonzero(values) + len(links))
    note(ax, joined(*scales), drawn, links.largest_of_all("links"))
    return ax


def _checked_segments(segments: Any, n_players: int) -> Ints:
    array = as_array(segments)
    expected = f"integers (height, width) {checks.span(0, n_players - 1)}, the player of each pixel"
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        hint = "Use `game.segments`, for example."
        raise MaskError("segments", f"shape {array.shape}, {array.dtype}", expected, hint)
    present = np.unique(array)
    if len(present) and (present[0] < 0 or present[-1] >= n_players):
        raise MaskError("segments", checks.span(present[0], present[-1], "numbers from"), expected)
    if len(present) < n_players:
        missing = int(np.setdiff1d(np.arange(n_players), present)[0])
        raise MaskError("segments", f"{len(present)} segments, none for player {missing}", expected)
    return array.astype(np.int64)


def _grey(image: Any, size: tuple[int, ...]) -> Floats:
    """Return the image as shades from grey to white, ``(height, width)``."""
    array = as_array(image)
    has_channels = array.ndim == 3 and size in (array.shape[1:], array.shape[:2]) and array.size > 0
    if array.dtype.kind not in "fiub" or not (has_channels or array.shape == size):
        hint = "Pass `image[0]`." if array.ndim == 4 and len(array) == 1 else ""
        expected = f"numbers (channels, height, width) or (height, width[, channels]) that fit segments of {size}"
        raise ArgumentError("image", f"shape {array.shape}, {array.dtype}", expected, hint)
    channels = real_numbers("image", array)
    if channels.ndim == 2:
        channels = channels[None]
    elif channels.shape[1:] != size:
        channels = np.moveaxis(channels, -1, 0)
    channels = channels[:3] if len(channels) == 4 else channels  # without the opacity
    weights = _GREY_OF_RGB if len(channels) == 3 else np.full(len(channels), 1 / len(channels))
    shades = np.nan_to_num(np.tensordot(weights, channels, axes=1))
    low, high = shades.min(), shades.max()
    return _DARKEST + (1 - _DARKEST) * ((shades - low) / (high - low) if high > low else np.ones(size))


def _tinted(values: Floats) -> Floats:
    """Return the colour of every player, clear where the value is 0."""
    limit = largest_of(values)
    colours = tint(np.where(values >= 0, limit, -limit), limit)
    colours[:, 3] = _STRONGEST * np.abs(values) / limit
    return colours


def _centres(parts: Ints, n_players: int) -> Floats:
    """Return for every segment its pixel (x, y) nearest to its middle."""
    rows, columns = np.indices(parts.shape)
    sizes = np.bincount(parts.ravel(), minlength=n_players)
    middles = np.stack(
        [np.bincount(parts.ravel(), weights=place.ravel(), minlength=n_players) / sizes for place in (columns, rows)],
        axis=1,
    )
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
    away = ((pixels - middles[parts.ravel()]) ** 2).sum(axis=1)
    order = np.lexsort((np.arange(parts.size), away, parts.ravel()))
    return pixels[order[np.concatenate([[0], np.cumsum(sizes)[:-1]])]]


def _draw_borders(ax: Axes, parts: Ints) -> None:
    height, width = parts.shape
    rows, columns = np.nonzero(parts[:, 1:] != parts[:, :-1])
    style = {"color": GREY, "linewidth": 0.4, "alpha": 0.6, "zorder": 1.5}
    ax.vlines(columns + 0.5, rows - 0.5, rows + 0.5, **style)  # type: ignore[arg-type]
    rows, columns = np.nonzero(parts[1:] != parts[:-1])
    ax.hlines(rows + 0.5, columns - 0.5, columns + 0.5, **style)  # type: ignore[arg-type]
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
