"""Players as a network: nodes are single players, links are interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, Ints, real_numbers
from captum_spex.errors import ArgumentError
from captum_spex.player_sets import PlayerSets
from captum_spex.plots.arguments import checked_orders
from captum_spex.plots.chosen_terms import (
    about_sum,
    draw_links,
    largest_terms,
    most_involved,
    of_players,
    scale,
    single_values,
)
from captum_spex.plots.labels import lettering, player_labels
from captum_spex.plots.style import NEUTRAL, NORMAL, PALE, SMALL, axes_or_new, bare, joined, largest_of, note, say, tint
from captum_spex.plots.summary_view import Drawable, Drawn, about_rows, drawn_result, unclear
from captum_spex.summaries.data_set import Statistic


@dataclass(frozen=True)
class Sizes:
    """How much a network shows, and how large; found by looking at pictures."""

    links: int = 400  # drawn at most; more are a grey heap
    stars: int = 30  # the same for larger groups
    labels: int = 12  # players up to which names are written by default at given positions; on a circle all fit
    level_labels: int = 14  # players up to which names on the circle are horizontal
    letter: float = 6.4  # width in points, about
    circle: float = 760.0  # circumference in points, about
    smallest: float = 22.0  # area of nodes in square points
    largest: float = 900.0
    note: float = 0.4  # inches for the note below


SIZES = Sizes()


def network(
    result: Drawable,
    *,
    positions: ArrayLike | None = None,
    max_display: int = 40,
    order: int = 2,
    labels: bool | None = None,
    value: Statistic = "mean_abs",
    ax: Axes | None = None,
) -> Axes:
    """Draw players as nodes, sized and coloured by their own value, and interactions as links, by width and colour.

    Args:
        result: what to draw: one result; or a `captum_spex.Summary`, or the results of many rows, of which this is one.
        positions: where the players are, ``(n_players, 2)``; default: on a circle, clockwise from the top.
        max_display: how many players, those of the largest involvement (absolute values of their terms of order 1 and
            of the order drawn, added up), with the interactions among them: at most the 400 largest, or 30 stars.
        order: of the interactions: 2 for lines; above, stars that join all players of a group.
        labels: whether names are written; default: on a circle always, at given positions for at most 12 players.
        value: of many rows the mean absolute values, ``"mean_abs"``, or the mean values, ``"mean"``. Colours say
            whether a term raises or lowers on average, grey where the 90 % interval of its mean holds 0.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes.

    Raises:
        OrderError: if the result does not hold the order.
        ArgumentError: any other argument that cannot be used, or rows that do not fit each other.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: m[:, 0] + 2.0 * (m[:, 1] & m[:, 2]), 3, budget=8)
        >>> len(plots.network(result).collections[0].get_segments())
        1
    """
    terms = drawn_result(result, value)
    orders = checked_orders(terms, order, 2)
    given = _checked_positions(positions, terms.n_players)
    chosen = most_involved(terms, (1, *orders), max_display)
    links = largest_terms(terms, orders, SIZES.links if order == 2 else SIZES.stars, among=chosen)
    places = np.zeros((terms.n_players, 2)) if given is None else given
    if given is None:
        places[chosen] = _on_circle(len(chosen))
    width, height = (6.4, 5.8) if given is not None or len(chosen) <= SIZES.level_labels else (7.4, 7.4)
    ax = axes_or_new(ax, width, height)
    names = [player_labels(terms, 17)[player] for player in chosen]
    bare(ax)
    ax.set_aspect("equal", adjustable="datalim" if given is not None else "box")
    draw_links(ax, places, links)
    if given is not None:
        ax.scatter(places[:, 0], places[:, 1], s=4, color=PALE, zorder=1)
    sizes = _draw_nodes(ax, terms, chosen, places)
    if labels if labels is not None else given is None or len(chosen) <= SIZES.labels:
        _write(ax, names, places[chosen], np.sqrt(sizes) / 2, around=given is None)
    _frame(ax, given, names)
    if not len(links):
        say(ax, "no interactions", 0.5 if len(chosen) > 2 else 0.25)
    nodes = single_values(terms)[chosen]
    shown = PlayerSets.concatenate([_single(chosen[nodes != 0], terms), links.sets])
    scales = scale(terms, "nodes", nodes, (1,)), scale(terms, "links", links.values, orders)
    drawn = joined(of_players(len(chosen), terms), links.largest_of_all("links"))
    said = about_sum(terms, (1, *orders), np.count_nonzero(nodes) + len(links))
    note(ax, joined(*scales), said, about_rows(terms, shown), drawn)
    return ax


def _checked_positions(positions: Any, n_players: int) -> Floats | None:
    if positions is None:
        return None
    places = real_numbers("positions", positions)
    if places.shape != (n_players, 2) or not np.isfinite(places).all():
        got = f"shape {places.shape}" if places.shape != (n_players, 2) else "places that are not finite"
        raise ArgumentError("positions", got, f"finite numbers ({n_players}, 2), a place for each player")
    return places


def _on_circle(count: int) -> Floats:
    angles = np.pi / 2 - 2 * np.pi * np.arange(count) / max(count, 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * (count > 1)


def _single(chosen: Ints, result: Drawn) -> PlayerSets:
    return PlayerSets.from_blocks([chosen[:, None]], result.n_players)


def _draw_nodes(ax: Axes, result: Drawn, chosen: Ints, places: Floats) -> Floats:
    """Draw the nodes; their area is proportional to the value, down to a smallest visible size."""
    effects = single_values(result)[chosen]
    share = np.abs(effects) / largest_of(effects)
    largest = min(SIZES.largest, (0.85 * SIZES.circle / len(chosen)) ** 2)
    sizes = np.asarray(np.maximum(share * largest, SIZES.smallest))
    either = unclear(result, _single(chosen, result))
    colours = np.where(either[:, None], NEUTRAL(share), tint(effects, largest_of(effects)))
    x, y = places[chosen].T
    ax.scatter(x, y, s=sizes, c=colours, edgecolors="#555555", linewidths=0.7, zorder=3)
    return sizes


def _write(ax: Axes, names: Sequence[str], places: Floats, radii: Floats, *, around: bool) -> None:
    """Write names outside the circle, along its radii if there are many; above the nodes at given positions."""
    size = NORMAL if len(names) <= 24 else SMALL
    for name, place, radius in zip(names, places, radii, strict=True):
        outwards = place if around and place.any() else np.array([0.0, 1.0])
        style = _turned(outwards) if around and len(names) > SIZES.level_labels else _level(outwards)
        offset = (radius + 4) * outwards
        ax.annotate(
            name, place, (offset[0], offset[1]), textcoords="offset points", fontsize=size, zorder=4,
            **style, **lettering(name),
        )  # fmt: skip


def _level(outwards: Floats) -> dict[str, Any]:
    x, y = outwards
    sideways = "center" if abs(x) < 0.25 else "left" if x > 0 else "right"
    return {"ha": sideways, "va": "center" if abs(y) < 0.9 else "bottom" if y > 0 else "top"}


def _turned(outwards: Floats) -> dict[str, Any]:
    angle = float(np.degrees(np.arctan2(outwards[1], outwards[0])))
    right = -90 <= round(angle, 6) <= 90
    turned = angle if right else angle + 180
    return {"rotation": turned, "rotation_mode": "anchor", "ha": "left" if right else "right", "va": "center"}


def _frame(ax: Axes, given: Floats | None, names: Sequence[str]) -> None:
    """Leave room for the names around the circle, about half of the axes at most."""
    if given is not None:
        ax.margins(0.1)
        return
    width, height = _size(ax)
    half = 36.0 * min(width, 1.1 * height)
    sideways, upwards = SIZES.letter * max(map(len, names)) + 16, 30.0
    reach = 1.06 / (1 - min(0.56, sideways / half))
    height = reach if len(names) > SIZES.level_labels else min(reach, 1.06 + upwards * reach / half)
    ax.set(xlim=(-reach, reach), ylim=(-height, height))


def _size(ax: Axes) -> tuple[float, float]:
    """Return width and height in inches, after the layout if these axes are alone in their figure."""
    figure = ax.figure.figure
    if figure.axes == [ax] and figure.get_layout_engine() is not None:
        width, height = figure.get_size_inches()
        return 0.96 * width, 0.96 * height - SIZES.note
    extent = ax.get_window_extent()
    return extent.width / figure.dpi, extent.height / figure.dpi
