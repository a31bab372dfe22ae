"""Pictures of curves: what is left unexplained against evaluations, all methods, for few and for many players."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from sklearn.isotonic import isotonic_regression

from captum_spex.arrays import Floats
from captum_spex.benchmark.comparison import BEST_OTHER, METRICS, R2, Rows, beside, cells_of, curves_of
from captum_spex.benchmark.pooled import Line, Panel
from captum_spex.benchmark.protocol import OURS, PUBLISHED
from captum_spex.exports.result import BLUE
from captum_spex.plots.labels import lettering, short
from captum_spex.plots.style import GREY, NORMAL, PALE, SMALL

_COLOURS = ("#d55e00", "#009e73", "#b8860b", "#a0468c", "#8c510a")
_REST = "#a8a8a8"
_WIDTH, _HEIGHT = 7.6, 4.4  # of a panel, in inches
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.75, 2.2, 0.55, 0.6  # of these, around the axes
_HIGHEST = 3.0  # an error of 1 is that of zeros
_ASIDE = 1.05  # evaluations are moved by at most this factor, so that intervals stand side by side
_LINE = 1.18  # height of a line of letters
_LEADER = {"arrowstyle": "-", "linewidth": 0.5, "linestyle": ":", "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 2}


def curves_figure(panels: Sequence[Panel], colours: dict[str, str]) -> Figure:
    """Draw a panel for each number of players."""
    n_columns = min(2, len(panels))
    n_rows = -(-len(panels) // n_columns)
    width, height = _WIDTH * n_columns, _HEIGHT * n_rows
    figure = Figure(figsize=(width, height))
    for number, panel in enumerate(panels):
        left, top = _WIDTH * (number % n_columns), height - _HEIGHT * (number // n_columns)
        corner = (left + _LEFT) / width, (top - _HEIGHT + _BOTTOM) / height
        size = (_WIDTH - _LEFT - _RIGHT) / width, (_HEIGHT - _TOP - _BOTTOM) / height
        _draw(figure.add_axes((*corner, *size)), panel, colours)
    return figure


def colours_of(rows: Rows) -> dict[str, str]:
    """Choose colours: of ours, of the published ProxySPEX, and of the methods that are most often the best other."""
    counts: dict[str, int] = {}
    for metric in METRICS:
        curves = curves_of(rows, metric)
        for name, count in beside(cells_of(curves), BEST_OTHER, curves.packages)["rival"].value_counts().items():
            counts[str(name)] = counts.get(str(name), 0) + int(count)
    strongest = sorted(counts, key=lambda name: (-counts[name], name))
    return {OURS: BLUE, PUBLISHED: "black"} | dict(zip(strongest, _COLOURS, strict=False))


def _draw(ax: Axes, panel: Panel, colours: dict[str, str]) -> None:
    ax.set(xscale="log", yscale="log")
    shown = [line.left for line in panel.lines] + [line.low for line in panel.lines if line.method == OURS]
    lowest = float(np.nanmin([0.3, *np.concatenate(shown)]))
    ax.set_ylim(lowest / 1.6, _HIGHEST)
    ax.set_xlim(panel.budgets[0] / 1.25, panel.budgets[-1] * 1.25)
    ax.set_xticks(panel.budgets, [_multiple(value) for value in panel.budgets])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(axis="y", color=PALE, linewidth=0.5)
    asides = np.geomspace(1 / _ASIDE, _ASIDE, len(panel.lines))
    for line, aside in zip(panel.lines, asides, strict=True):
        _draw_line(ax, line, colours.get(line.method, ""), 1.0 if line.method == OURS else float(aside))
    _name_lines(ax, panel.lines, colours)
    low, high = panel.sizes
    games = f"{panel.n_games} game{'s' if panel.n_games > 1 else ''}"
    span = f"{games} of {low:,}{f' to {high:,}' if high > low else ''} players"
    ax.set_title(f"n = {panel.n_players:,}", fontsize=NORMAL + 1, loc="left", fontweight="bold")
    ax.set_title(span, fontsize=SMALL, loc="right", color=GREY)
    ax.set_xlabel("evaluations, in multiples of the number of players n", fontsize=SMALL, color=GREY)
    label = "1 \N{MINUS SIGN} R² on unseen masks" if panel.metric == R2 else "squared error of Shapley values"
    ax.set_ylabel(label, fontsize=SMALL, color=GREY)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(which="both", color=GREY, labelsize=SMALL - 0.5)


def _multiple(value: float) -> str:
    number = f"{value:.1g}" if value < 1 else f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return "n" if number == "1" else f"{number} n"


def _draw_line(ax: Axes, line: Line, colour: str, aside: float) -> None:
    order = np.argsort(line.multiples, kind="stable")
    x, left, low, high = (values[order] for values in (line.multiples * aside, line.left, line.low, line.high))
    is_ours, known = line.method == OURS, np.isfinite(low)
    width = 3.2 if is_ours else 1.7 if colour else 0.8
    ax.plot(x, left, color=colour or _REST, linewidth=width, marker="o", markersize=1.8 * width**0.5,
            zorder=5 if is_ours else 4 if colour else 3)  # fmt: skip
    if is_ours:
        ax.fill_between(x[known], low[known], high[known], color=colour, alpha=0.2, linewidth=0)
    else:
        ax.vlines(x[known], low[known], high[known], color=colour or _REST, linewidth=0.45 * width,
                  alpha=0.8 if colour else 0.35, zorder=3 if colour else 2)  # fmt: skip


def _name_lines(ax: Axes, lines: Sequence[Line], colours: dict[str, str]) -> None:
    """Write the names at the right, apart from each other, each joined with the end of its line."""
    ends = [(line.multiples[last := int(np.argmax(line.multiples))], line.left[last]) for line in lines]
    low, high = np.log(ax.get_ylim())
    wanted = np.clip((np.log([end[1] for end in ends]) - low) / (high - low), 0.0, 1.0)
    height = 72 * (_HEIGHT - _TOP - _BOTTOM)
    size = min(SMALL - 0.5, height / (_LINE * len(lines)))
    places = apart(wanted, _LINE * size / height)
    for line, end, shown, place in zip(lines, ends, wanted, places, strict=True):
        colour, name = colours.get(line.method, GREY), short(line.method, 30)
        start = (end[0], np.exp(low + shown * (high - low)))
        ax.annotate(
            name, start, (1.035, place), xycoords="data", textcoords="axes fraction", va="center", color=colour,
            fontsize=size, fontweight="bold" if line.method in colours else "normal", annotation_clip=False,
            arrowprops={**_LEADER, "color": colours.get(line.method, _REST)}, **lettering(name),
        )  # fmt: skip


def apart(wanted: Floats, gap: float) -> Floats:
    """Return places near those that are wanted, at least a gap apart, from 0 to 1 if they fit."""
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    most = max(0.0, 1.0 - gap * max(0, len(wanted) - 1))
    found = np.empty(len(wanted))
    found[order] = isotonic_regression(np.asarray(wanted)[order] - steps, y_min=0.0, y_max=most) + steps
    return found
