"""Which terms of a result a picture shows, and their links: lines for pairs, stars for larger groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats, Ints
from captum_spex.exports.result import as_text, smallest, sum_in_words, value_name
from captum_spex.interactions import Interactions
from captum_spex.player_sets import PlayerSets, within
from captum_spex.plots.style import UNCLEAR, colour_of, joined, largest_of
from captum_spex.plots.summary_view import Drawn, is_size, unclear
from captum_spex.statistics import INTERVAL


@dataclass(frozen=True, eq=False)
class Shown:
    """The terms that a picture shows, from the largest, and how many others are not 0.

    Of many rows, values may be sizes, whose sign is for the colour only, and it may be unclear whether a term raises or
    lowers on average.
    """

    sets: PlayerSets
    values: Floats
    errors: Floats | None
    n_others: int
    is_size: bool = False
    unclear: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.sets)

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], float]]:
        return zip(self.players, self.values.tolist(), strict=True)

    @cached_property
    def players(self) -> list[tuple[int, ...]]:
        """The players of every term."""
        return self.sets.tuples()

    @property
    def lengths(self) -> Floats:
        """How far the values reach from 0."""
        return np.abs(self.values) if self.is_size else self.values

    @property
    def colours(self) -> list[str]:
        """Red for terms that raise, blue for those that lower, grey where that is not clear."""
        unclear = np.zeros(len(self), dtype=np.bool_) if self.unclear is None else self.unclear
        return [UNCLEAR if either else colour_of(value) for value, either in zip(self.values, unclear, strict=True)]

    @property
    def intervals(self) -> Floats | None:
        """Half the length of the error bars."""
        return None if self.errors is None else INTERVAL * self.errors

    @property
    def caption(self) -> str:
        """What is said below bars: how many terms are missing, and what error bars mean."""
        more = f"{self.n_others:,} smaller terms not shown" if self.n_others else ""
        return joined(more, "error bars: 90 % intervals" if self.errors is not None else "")

    def largest_of_all(self, things: str) -> str:
        """Return how many links or arcs of how many are shown, nothing if all are."""
        return f"the {len(self):,} largest of {len(self) + self.n_others:,} {things}" if self.n_others else ""


def largest_terms(
    result: Drawn, orders: Collection[int], max_display: int, *, among: Ints | None = None, errors: bool = False
) -> Shown:
    """Return the largest terms of some orders that are not 0, among some players, with standard errors if asked for."""
    most = checks.integer("max_display", max_display)
    rows = np.flatnonzero(np.isin(result.orders, list(orders)) & (np.abs(result.values) > smallest(result)))
    if among is not None:
        rows = rows[within(result.sets.take(rows), among)]
    sets = result.sets.take(rows[:most])
    known = result.errors_of(sets) if errors and len(sets) else None
    facts = known, max(0, len(rows) - most), is_size(result), unclear(result, sets)
    return Shown(sets, result.values[rows[:most]], *facts)


def involvement(result: Drawn, orders: Collection[int]) -> Floats:
    """Return for every player the sum of the absolute values of its terms of some orders, ``(n_players,)``."""
    total = np.zeros(result.n_players)
    for order, rows, block in result.sets.by_order():
        if order in orders:
            np.add.at(total, block.ravel(), np.repeat(np.abs(result.values[rows]), order))
    return total


def most_involved(result: Drawn, orders: Collection[int], max_display: int) -> Ints:
    """Return the players of the largest involvement, in increasing order; some of many only if they have any."""
    most = checks.integer("max_display", max_display)
    if result.n_players <= most:
        return np.arange(result.n_players)
    involved = involvement(result, orders)
    chosen = np.argsort(-involved, kind="stable")[:most]
    return np.sort(chosen[: max(1, np.count_nonzero(involved[chosen] > smallest(result)))])


def single_values(result: Drawn) -> Floats:
    """Return the values of the single players, exactly 0 where they are mere rounding."""
    values = result.first_order()
    return np.where(np.abs(values) > smallest(result), values, 0.0)


def of_players(drawn: int, result: Drawn) -> str:
    """Return how many players are drawn, nothing if all are."""
    all_players = result.n_players
    return "" if drawn == all_players else f"the {drawn:,} most involved of {all_players:,} players"


def scale(result: Drawn, what: str, values: Floats, orders: Collection[int]) -> str:
    """Return a scale of a picture in words: what its values are called and the largest, nothing if all are 0."""
    if not values.any():
        return ""
    largest = values[np.argmax(np.abs(values))]
    shown = as_text(abs(largest)) if is_size(result) else as_text(largest, sign="+")
    names = dict.fromkeys(value_name(result, order, plural=True) for order in orders)
    return f"{what}: {', '.join(names)} up to {shown}"


def about_sum(result: Drawn, orders: Collection[int], n_drawn: int | np.integer[Any], *, width: int = 64) -> str:
    """Return whether the terms, so many of which are drawn, add up; nothing of means, or of one order of several.

    In two lines if it has more letters than ``width``, what fits below the picture.
    """
    if not isinstance(result, Interactions) or len(orders) < min(2, result.max_order):
        return ""
    n_terms = int(np.count_nonzero(np.abs(result.values) > smallest(result)))
    said = sum_in_words(result, all_shown=n_drawn == n_terms)
    return said if len(said) <= width else said.replace(" to f(all)", " to\nf(all)")


WIDEST = 6.0  # points
_FAINTEST = 0.25


def widths_of(links: Shown, widest: float = WIDEST) -> Floats:
    """Return widths in proportion to the absolute values."""
    return widest * np.abs(links.values) / largest_of(links.values)


def colours_of(links: Shown) -> list[tuple[float, float, float, float]]:
    """Return the colour of every link: red raises, blue lowers, and weak ones are faint."""
    strength = np.abs(links.values) / largest_of(links.values)
    alphas = _FAINTEST + (1 - _FAINTEST) * strength
    return [to_rgba(colour, alpha) for colour, alpha in zip(links.colours, alphas, strict=True)]


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
