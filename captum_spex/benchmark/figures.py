"""Pictures of a benchmark: wins and losses, and evaluations needed; blue is a win, red a loss."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from captum_spex.benchmark.comparison import METRICS, R2, SHAPLEY, Rows, frame_of
from captum_spex.benchmark.curve_figures import colours_of, curves_figure
from captum_spex.benchmark.needed import Needed, evaluations_needed
from captum_spex.benchmark.pooled import pooled
from captum_spex.benchmark.protocol import OURS
from captum_spex.benchmark.report import NEEDED, reference_name, tally
from captum_spex.benchmark.standings import Outcome, Standing, standings
from captum_spex.exports.result import BLUE, RED, as_text
from captum_spex.plots.labels import TIMES, lettering, short
from captum_spex.plots.style import GREY, NORMAL, SMALL

_COLOURS = {Outcome.LOST: RED, Outcome.UNANSWERED: RED, Outcome.TIED: GREY, Outcome.WON: BLUE}
_PATCH = {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.6}  # so that no line crosses a number
_STANDINGS = (
    f"{OURS} against the best other method of each case, at equal evaluations; the largest losses first. Bars: mean "
    "over budgets; dots: each budget. Red: lost, blue: won, grey: within noise over seeds. At the right, the best "
    "other method where most is lost."
)
_NEEDED = f"{OURS}. {NEEDED} In brackets the number of cases; grey: neither more nor fewer, or open."
_CURVES = (
    "Geometric means over games with about as many players, of means over seeds. {} Methods that are most often the "
    f"best other are coloured. The band of {OURS} is the 95 % bootstrap interval over games; those of others are of "
    f"their ratios to {OURS}, over the games that both answer."
)
CAPTIONS = {
    "standings": _STANDINGS,
    "needed": _NEEDED,
    "errors": _CURVES.format("The error of Shapley values, where exact ones are known; 1 is the error of zeros."),
    "unexplained": _CURVES.format("1 - R² for unseen masks, where no exact values are known."),
}
"""What each picture shows."""
CURVES = {"errors": SHAPLEY, "unexplained": R2}


def figures(rows: Rows, multiples: tuple[float, float] = (0.0, inf)) -> dict[str, tuple[Figure, str]]:
    """Draw the pictures that the results have numbers for; by name, with a caption.

    ``multiples`` of the number of players are the budgets for whose qualities the evaluations needed are shown.
    """
    table = frame_of(rows)
    every = standings(table)
    ours = [needed for needed in evaluations_needed(table, methods=[OURS], multiples=multiples) if needed.n_cases]
    found = {"standings": _standings_figure(every)} if every else {}
    found |= {"needed": _needed_figure(ours)} if ours else {}
    for name, metric in CURVES.items() if every else ():
        panels = pooled(table, metric)
        found |= {name: curves_figure(panels, colours_of(table))} if panels else {}
    return {name: (figure, CAPTIONS[name]) for name, figure in found.items()}


def _standings_figure(every: Sequence[Standing]) -> Figure:
    """Draw a bar for each case: the difference to the best other method, the largest losses on top."""
    metrics = dict.fromkeys(standing.metric for standing in every)
    panels = [[standing for standing in every if standing.metric == metric] for metric in metrics]
    n_bars = max(4, *map(len, panels))
    figure = Figure(figsize=(6.4 * len(panels), 1.5 + 0.27 * n_bars), layout="constrained")
    for ax, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_standings(ax, panel, n_bars)
    return figure


def _draw_standings(ax: Axes, panel: list[Standing], n_bars: int) -> None:
    metric, limit = panel[0].metric, _limit(panel)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    means = np.clip(np.nan_to_num([standing.difference for standing in panel]), -limit, limit)
    ax.barh(range(len(panel)), means, height=0.62, color=[_COLOURS[one.outcome] for one in panel], alpha=0.55)
    for place, standing in enumerate(panel):
        colours = [_COLOURS[verdict.outcome] for verdict in standing.verdicts]
        values = np.clip([verdict.difference for verdict in standing.verdicts], -limit, limit)
        ax.scatter(values, [place] * len(values), s=13, c=colours, linewidths=0, zorder=3)
        text = f"{metric.difference_text(standing.worst.difference)}  {short(standing.worst.rival, 26)}"
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL - 1,
                color=RED if standing.n_lost else GREY, parse_math=False)  # fmt: skip
    labels = [short(standing.case, 30) for standing in panel]
    ax.set_yticks(range(len(panel)), labels, fontsize=SMALL, **lettering(*labels))
    ax.set_ylim(n_bars - 0.4, -0.6)
    ax.set_xlim(-1.06 * limit, 1.06 * limit)
    ax.set_title(f"{metric.label}: {tally(panel)}", fontsize=NORMAL, loc="left", fontweight="bold")
    ax.annotate("at the worst budget", (1.02, 0), (0, -32), xycoords="axes fraction", textcoords="offset points",
                fontsize=SMALL - 1, color=GREY)  # fmt: skip
    unit = f"difference in {metric.label}" if metric == R2 else "factor of the error"
    ax.set_xlabel(f"← lost    {unit}    won →", fontsize=SMALL, color=GREY)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=metric != R2))
    if metric != R2:
        ax.xaxis.set_major_formatter(lambda value, _: f"{TIMES.strip()}{as_text(10 ** abs(value))}")
    _finish(ax)


def _limit(panel: list[Standing]) -> float:
    """Return the largest difference shown; larger ones end at the edge: R² may be arbitrarily bad."""
    gaps = [abs(verdict.difference) for one in panel for verdict in one.verdicts if np.isfinite(verdict.difference)]
    most = 1.0 if panel[0].metric == R2 else 4.0
    return float(min(max(gaps, default=most), most)) or most


def _needed_figure(ours: Sequence[Needed]) -> Figure:
    """Draw the evaluations needed by the default method with their intervals, of all cases and of each family."""
    groups = sorted(dict.fromkeys(needed.group for needed in ours), key=bool)
    references = list(dict.fromkeys(needed.reference for needed in ours))
    figure = Figure(figsize=(1.6 + 4.6 * len(references), 1.5 + 0.5 * len(groups)), layout="constrained")
    axes = figure.subplots(1, len(references), squeeze=False, sharex=True, sharey=True)[0]
    for ax, reference in zip(axes, references, strict=True):
        _draw_needed(ax, [needed for needed in ours if needed.reference == reference], groups)
        ax.set_title(f"relative to {reference_name(reference)}", fontsize=NORMAL, loc="left", fontweight="bold")
    names = ["all cases", *(short(group, 22) for group in groups[1:])]
    axes[0].set_yticks(range(len(groups)), names, fontsize=NORMAL, **lettering(*names))
    axes[0].set_ylim(len(groups) - 0.4, -0.6)
    known = [value for one in ours for value in (one.low, one.ratio, one.high) if np.isfinite(value)]
    low, high = min([*known, 0.5]), max([*known, 1.5])
    axes[0].set_xlim(low / 1.2, high * (high / low) ** 0.35)  # with room for numbers at the right
    entries = axes[0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside upper right", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def _draw_needed(ax: Axes, chosen: list[Needed], groups: list[str]) -> None:
    ax.axvline(1, color=GREY, linewidth=1.0, zorder=1)
    for metric, marker, shift in zip(METRICS, "oD", (-0.17, 0.17), strict=True):
        filled = BLUE if metric == R2 else "white"
        ax.plot([], [], marker, color=BLUE, markerfacecolor=filled, label=metric.label)
        for needed in (one for one in chosen if one.metric == metric.label):
            place, colour = groups.index(needed.group) + shift, _COLOURS[leaning(needed)]
            ends = [needed.low, needed.high] if np.isfinite(needed.low) else [needed.ratio] * 2
            ax.plot(ends, [place] * 2, color=colour, linewidth=1.6, solid_capstyle="butt")
            ax.plot(needed.ratio, place, marker, color=colour, markerfacecolor=colour if metric == R2 else filled)
            text = f"{needed.bound}{needed.ratio:.2f} ({needed.n_cases})"
            ax.annotate(text, (ends[1], place), (7, 0), textcoords="offset points", va="center", fontsize=SMALL - 1,
                        color=colour, bbox=_PATCH)  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("← fewer    evaluations needed    more →", fontsize=SMALL, color=GREY)
    _finish(ax)


def leaning(needed: Needed) -> Outcome:
    """Say whether a ratio is won, lost, or neither: 1, or a bound that leaves it open."""
    outcome, open_bound = (Outcome.WON, "≥ ") if needed.ratio < 1 else (Outcome.LOST, "≤ ")
    return Outcome.TIED if round(needed.ratio, 2) == 1 or needed.bound == open_bound else outcome


def _finish(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(color=GREY, labelsize=SMALL - 0.5)
