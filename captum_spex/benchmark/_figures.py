"""Pictures of a benchmark; blue is this package or a win, red a loss, grey are the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from captum_spex.arrays import Floats
from captum_spex.benchmark._curves import METRICS, OURS, PUBLISHED, R2, Curves, Metric, curves_of, tried
from captum_spex.benchmark._needed import BEST_OTHER, Needed, summary
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._summary import NEEDED, bound_mark, gap_text, leaning, reference_name, tally
from captum_spex.benchmark._verdicts import LOST, TIED, UNANSWERED, WON, Standing, standings
from captum_spex.plots.labels import TIMES, lettering, short
from captum_spex.plots.style import BLUE, GREY, NORMAL, RED, SMALL, plain

_COLUMNS, _PER_PANEL = 4, 2
_PURPLE, _ORANGE, _LIGHT, _OTHER = "#8c3fb5", "#d55e00", "#7fc5fd", "#b4b4b4"
_OWN: dict[str, dict[str, Any]] = {
    OURS: {"color": BLUE, "linewidth": 2.4, "marker": "o", "markersize": 4.5, "zorder": 6},
    PUBLISHED: {"color": _PURPLE, "linewidth": 1.7, "linestyle": (0, (4, 1.5)), "marker": "s", "markersize": 3.5},
    "Spex": {"color": _ORANGE, "linewidth": 1.5, "linestyle": (0, (1, 1)), "marker": "^", "markersize": 3.5},
}
_VARIANT = {"color": _LIGHT, "linewidth": 1.3, "zorder": 4}
_RIVAL = {"color": GREY, "linewidth": 1.3, "zorder": 3}
_REST = {"color": _OTHER, "linewidth": 0.7, "zorder": 2, "alpha": 0.8}
_COLOURS = {LOST: RED, UNANSWERED: RED, TIED: GREY, WON: BLUE}


def figures(rows: Sequence[Row]) -> dict[str, tuple[Figure, str]]:
    """Draw all pictures that the results have numbers for.

    Args:
        rows: the results.

    Returns:
        By name: the figure, and what it shows in a sentence.

    Example:
        >>> rows = [Row("c", "f", 9, method, package, "1", 100, 0, "done", n_evaluations=100, r2=r2)
        ...         for method, package, r2 in (("ProxySpex", "captum-spex", 0.7), ("rival", "other", 0.8))]
        >>> list(figures(rows))
        ['standings', 'needed', 'r2']
    """
    found: dict[str, tuple[Figure, str]] = {}
    every, ratios = standings(rows), summary(rows)
    if every:
        found["standings"] = standings_figure(every)
    if any(needed.method == OURS and needed.n_cases for needed in ratios):
        found["needed"] = needed_figure(ratios)
    for metric in METRICS:
        curves = curves_of(rows, metric)
        if np.isfinite(curves.quality).any():
            found[metric.column] = curves_figure(curves)
    if any(row.own_seconds > 0 for row in rows):
        found["cost"] = cost_figure(rows)
    return found


# --- wins and losses --------------------------------------------------------------------------------------------------


def standings_figure(every: Sequence[Standing]) -> tuple[Figure, str]:
    """Draw a bar for each case: the difference to the best other method, the largest losses on top."""
    metrics = list(dict.fromkeys(standing.metric for standing in every))
    panels = [[standing for standing in every if standing.metric == metric] for metric in metrics]
    longest = max(map(len, panels))
    figure = Figure(figsize=(6.4 * len(panels), 1.5 + 0.27 * max(longest, 4)), layout="constrained")
    for ax, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_standings(ax, panel, longest)
    return figure, (
        f"{OURS} against the best other method of each case, at equal evaluations; the largest losses first. Bars: "
        "mean over budgets; dots: each budget. Red: lost, blue: won, grey: within noise over seeds. At the right, the "
        "best other method where most is lost."
    )


def _draw_standings(ax: Axes, panel: list[Standing], longest: int) -> None:
    metric, places = panel[0].metric, np.arange(len(panel))
    limit = _limit(panel)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    means = np.clip(np.nan_to_num([standing.difference for standing in panel]), -limit, limit)
    ax.barh(places, means, height=0.62, color=[_COLOURS[one.outcome] for one in panel], alpha=0.55, zorder=2)
    for place, standing in enumerate(panel):
        colours = [_COLOURS[verdict.outcome] for verdict in standing.verdicts]
        values = np.array([verdict.difference for verdict in standing.verdicts])
        ax.scatter(np.clip(values, -limit, limit), [place] * len(values), s=13, c=colours, linewidths=0, zorder=3)
        colour = RED if standing.n_lost else GREY
        beyond = ax.get_yaxis_transform()
        text = f"{gap_text(metric, standing.worst)}  {short(standing.worst.rival, 26)}"
        ax.text(1.02, place, text, transform=beyond, va="center", fontsize=SMALL - 1, color=colour, parse_math=False)
    labels = [short(standing.case, 30) for standing in panel]
    ax.set_yticks(places, labels, fontsize=SMALL, **lettering(*labels))
    ax.set_ylim(max(longest, 4) - 0.4, -0.6)
    ax.set_xlim(-1.06 * limit, 1.06 * limit)
    _plain(ax)
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_title(f"{metric.label}: {tally(panel)}", fontsize=NORMAL, loc="left", fontweight="bold")
    ax.annotate("at the worst budget", (1.02, 0), (0, -26), xycoords="axes fraction", textcoords="offset points",
                fontsize=SMALL - 1, color=GREY, va="center")  # fmt: skip
    ax.set_xlabel(_gap_label(metric), fontsize=SMALL, color=GREY)
    if metric != R2:
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.xaxis.set_major_formatter(lambda value, _: f"{TIMES.strip()}{plain(10 ** abs(value))}")


def _gap_label(metric: Metric) -> str:
    return f"← lost    difference in {metric.label}    won →" if metric == R2 else "← lost: larger error    won →"


def _limit(panel: list[Standing]) -> float:
    """Return the largest difference shown; larger ones end at the edge: R² may be arbitrarily bad."""
    gaps = [abs(verdict.difference) for one in panel for verdict in one.verdicts if np.isfinite(verdict.difference)]
    most = 1.0 if panel[0].metric == R2 else 4.0
    return float(min(max(gaps, default=most), most)) or most


# --- evaluations needed -----------------------------------------------------------------------------------------------


def needed_figure(every: Sequence[Needed]) -> tuple[Figure, str]:
    """Draw the evaluations needed by the default method with their intervals, of all cases and of each family."""
    ours = [needed for needed in every if needed.method == OURS and needed.n_cases]
    families = sorted(dict.fromkeys(needed.family for needed in ours), key=bool)
    references = [name for name in (PUBLISHED, BEST_OTHER) if any(needed.reference == name for needed in ours)]
    figure = Figure(figsize=(1.6 + 4.6 * len(references), 1.5 + 0.5 * len(families)), layout="constrained")
    axes = figure.subplots(1, len(references), squeeze=False, sharex=True, sharey=True)[0]
    for ax, reference in zip(axes, references, strict=True):
        _draw_needed(ax, [needed for needed in ours if needed.reference == reference], families)
        ax.set_title(f"relative to {reference_name(reference)}", fontsize=NORMAL, loc="left", fontweight="bold")
    names = ["all cases", *(short(family, 22) for family in families[1:])]
    axes[0].set_yticks(range(len(families)), names, fontsize=NORMAL, **lettering(*names))
    axes[0].set_ylim(len(families) - 0.4, -0.6)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=SMALL)
    return figure, f"{OURS}. {NEEDED} In brackets the number of cases; grey: neither more nor fewer, or open."


def _draw_needed(ax: Axes, chosen: list[Needed], families: list[str]) -> None:
    ax.axvline(1, color=GREY, linewidth=1.0, zorder=1)
    ax.axhline(0.5, color=_OTHER, linewidth=0.6)
    for metric, marker, shift in ((METRICS[0], "o", -0.17), (METRICS[1], "D", 0.17)):
        some = [needed for needed in chosen if needed.metric == metric.label]
        places = [families.index(needed.family) + shift for needed in some]
        filled = "white" if shift > 0 else None
        ax.plot([], [], marker, color=BLUE, markerfacecolor=filled or BLUE, label=metric.label)
        for needed, place in zip(some, places, strict=True):
            colour = _COLOURS[leaning(needed)]
            ends = [needed.low, needed.high] if np.isfinite(needed.low) else [needed.ratio] * 2
            ax.plot(ends, [place] * 2, color=colour, linewidth=1.6, solid_capstyle="butt")
            ax.plot(needed.ratio, place, marker, color=colour, markerfacecolor=filled or colour, markersize=6)
            ax.annotate(_ratio_label(needed), (ends[1], place), (6, 0), textcoords="offset points", va="center",
                        fontsize=SMALL - 1, color=colour)  # fmt: skip
    ax.set_xscale("log")
    low, high = _span([value for needed in chosen for value in (needed.low, needed.ratio, needed.high)])
    old = ax.get_xlim() if ax.get_autoscalex_on() is False else (low, high)
    ax.set_xlim(min(low, old[0]), max(high, old[1]))
    _round_ticks(ax.xaxis, *ax.get_xlim())
    _plain(ax)
    ax.set_xlabel("← fewer    evaluations needed    more →", fontsize=SMALL, color=GREY)


def _ratio_label(needed: Needed) -> str:
    return f"{bound_mark(needed)}{needed.ratio:.2f} ({needed.n_cases})"


def _span(ratios: Sequence[float]) -> tuple[float, float]:
    """Return limits around ratios and 1, with room at the right for numbers."""
    known = [ratio for ratio in ratios if np.isfinite(ratio) and ratio > 0]
    low, high = min([*known, 0.5]), max([*known, 1.5])
    return low / 1.2, high * (high / low) ** 0.35


def _round_ticks(axis: Axis, low: float, high: float) -> None:
    """Put ticks at 1, 2, 5, 10, ... of a logarithmic axis; at 1, 10, 100, ... of a long one."""
    steps = (1, 2, 5) if high < 200 * low else (1,)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axis.set_ticks(ticks, [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


# --- quality against evaluations --------------------------------------------------------------------------------------


def curves_figure(curves: Curves) -> tuple[Figure, str]:
    """Draw quality against evaluations, a panel for each case that has any."""
    cases = np.flatnonzero(np.isfinite(curves.quality).any(axis=(1, 2)))
    n_columns = min(_COLUMNS, len(cases))
    n_rows = -(-len(cases) // n_columns)
    figure = Figure(figsize=(max(6.4, 3.5 * n_columns), 0.7 + 2.5 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax, case in zip(panels, cases.tolist(), strict=False):
        _draw_case(ax, curves, case)
    for ax in panels[len(cases) :]:
        ax.set_axis_off()
    names = [*_OWN, "variants of ProxySpex", "best two others", "others"]
    styles = [*_OWN.values(), _VARIANT, _RIVAL, _REST]
    handles = [panels[0].plot([], [], **style)[0] for style in styles]
    figure.legend(handles, names, loc="outside upper left", ncols=3, frameon=False, fontsize=SMALL)
    direction = "up is better" if curves.metric == R2 else "down is better"
    return (
        figure,
        f"{curves.metric.label} against evaluations, means over seeds ({direction}); the best others are named.",
    )


def _draw_case(ax: Axes, curves: Curves, case: int) -> None:
    rivals = _best_others(curves, case)
    ends: list[tuple[float, str]] = []
    for number, method in enumerate(curves.methods):
        known = np.flatnonzero(np.isfinite(curves.quality[case, number]))
        known = known[np.argsort(curves.evaluations[case, number, known], kind="stable")]
        if not len(known):
            continue
        values = _shown(curves.metric, curves.quality[case, number, known])
        style = _style(method, bool(curves.others[number]), method in rivals)
        if len(set(curves.evaluations[case, number, known])) == 1:
            style = {**style, "marker": style.get("marker", "."), "markersize": 4}
        ax.plot(curves.evaluations[case, number, known], values, **style)
        if method in rivals:
            ends.append((float(values[-1]), method))
    ax.set_xscale("log")
    if curves.metric == R2:
        ax.set_ylim(-0.02, 1.03)
        ax.set_yticks([0, 0.5, 1])
    else:
        ax.set_yscale("log")
    _ticks_at(ax, curves, case)
    _plain(ax)
    ax.grid(axis="y", color="#eeeeee", linewidth=0.8, zorder=0)
    _name_ends(ax, ends, float(np.nanmax(curves.evaluations[case])))
    ax.set_title(short(curves.cases[case], 40), fontsize=SMALL + 0.5, loc="left", parse_math=False)


def _shown(metric: Metric, quality: Floats) -> Floats:
    return quality if metric == R2 else np.asarray(10.0**-quality)


def _style(method: str, other: bool, rival: bool) -> dict[str, Any]:
    if not other:
        return {"zorder": 5, **_OWN.get(method, _VARIANT)}
    return _RIVAL if rival else _REST


def _best_others(curves: Curves, case: int) -> list[str]:
    """Return the methods of other packages that are the best of them at the most budgets, then by mean quality.

    No answer, and one that means nothing however bad it is, count alike.
    """
    numbers = [number for number in np.flatnonzero(curves.others) if np.isfinite(curves.quality[case, number]).any()]
    worth = curves.metric.worth
    quality = np.maximum(np.nan_to_num(curves.quality[case, numbers], nan=worth), worth)
    is_best = (quality == quality.max(axis=0, initial=worth)) & (quality > worth)
    order = np.lexsort((-quality.mean(axis=1), -is_best.sum(axis=1)))
    return [curves.methods[numbers[place]] for place in order[:_PER_PANEL]]


def _ticks_at(ax: Axes, curves: Curves, case: int) -> None:
    known = curves.evaluations[case][np.isfinite(curves.quality[case])]
    budgets = curves.budgets[case][np.isfinite(curves.budgets[case])]
    shown = budgets if len(budgets) <= 5 else budgets[:: -(-len(budgets) // 4)]
    ax.set_xticks(shown, [_thousands(budget) for budget in shown], fontsize=SMALL - 1)
    ax.set_xticks([], minor=True)
    ax.tick_params(axis="y", which="both", labelsize=SMALL - 1)
    low, high = min(known.min(), budgets.min()), max(known.max(), budgets.max())
    ax.set_xlim(low / 1.08, high * max(high / low, 1.5) ** 0.62)


def _thousands(number: float) -> str:
    return f"{round(number / 1000, 1):g}k" if number >= 1000 else f"{number:g}"


def _name_ends(ax: Axes, ends: list[tuple[float, str]], right: float) -> None:
    """Write names right of where curves end, apart from each other."""
    to_share = ax.transData + ax.transAxes.inverted()
    heights = spread([float(to_share.transform((right, max(end, 1e-300)))[1]) for end, _ in ends], 0.1)
    for height, (_, name) in zip(heights, ends, strict=True):
        mixed = ax.get_xaxis_transform()
        ax.text(right * 1.06, height, short(name, 22), transform=mixed, fontsize=6.5, color=GREY, va="center",
                parse_math=False)  # fmt: skip


def spread(heights: Sequence[float], gap: float, top: float = 1.0) -> list[float]:
    """Return heights in the same order from below, at least ``gap`` apart, between 0 and ``top`` if there is room.

    Example:
        >>> [round(height, 2) for height in spread([0.5, 0.52, 0.99], 0.1)]
        [0.46, 0.56, 0.99]
    """
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    # Pool neighbours that are too close: an isotonic regression of what is left without the gaps.
    pools: list[tuple[float, int]] = []
    for free in np.clip(np.asarray(heights, dtype=np.float64)[order], 0, top) - steps:
        pools.append((float(free), 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (first, n_first), (second, n_second) = pools[-2:]
            pools[-2:] = [((first * n_first + second * n_second) / (n_first + n_second), n_first + n_second)]
    level = np.repeat([height for height, _ in pools], [count for _, count in pools])
    placed = np.empty(len(order))
    placed[order] = np.clip(level, 0, max(0.0, top - steps[-1] if len(steps) else top)) + steps
    return [float(height) for height in placed]


# --- time and memory --------------------------------------------------------------------------------------------------


def cost_figure(rows: Sequence[Row]) -> tuple[Figure, str]:
    """Draw each method's own time and memory against evaluations, medians over cases and seeds."""
    columns = {"own_seconds": "own time, seconds", "peak_mib": "peak memory, MiB"}
    figure = Figure(figsize=(12.5, 5.6), layout="constrained")
    for ax, (column, label) in zip(figure.subplots(1, 2), columns.items(), strict=True):
        _draw_cost(ax, rows, column)
        ax.set_title(label, fontsize=NORMAL, loc="left", fontweight="bold")
        ax.set_xlabel("evaluations", fontsize=SMALL, color=GREY)
    return figure, (
        "Time without the game's and memory beyond that before, of all runs: medians over runs whose numbers of "
        "evaluations are within a factor of two. Methods answer different cases, so compare with care."
    )


def _draw_cost(ax: Axes, rows: Sequence[Row], column: str) -> None:
    packages = {row.method: row.package for row in tried(rows)}
    ends: list[tuple[float, float, str, Any]] = []
    for method, package in packages.items():
        runs = [(row.n_evaluations, getattr(row, column)) for row in rows if row.method == method]
        across, medians = _medians(np.array(runs))
        if not len(across):
            continue
        style = _style(method, package != _package_of_ours(packages), True)
        style = (
            {**style, "linewidth": 0.8, "color": _OTHER, "marker": ".", "markersize": 3} if style is _RIVAL else style
        )
        ax.plot(across, medians, **style)
        ends.append((float(across[-1]), float(medians[-1]), method, style["color"]))
    ax.set_xscale("log")
    ax.set_yscale("log")
    _plain(ax)
    if not ends:
        return
    low, high = ax.get_xlim()
    _round_ticks(ax.yaxis, *ax.get_ylim())
    _round_ticks(ax.xaxis, low, high)
    ax.set_xlim(low, high * (high / low) ** 0.5)
    to_share = ax.transData + ax.transAxes.inverted()
    shares = [to_share.transform((across, value)) for across, value, _, _ in ends]
    edge = max(float(share[0]) for share in shares) + 0.04
    for height, share, (_, _, name, colour) in zip(spread([s[1] for s in shares], 0.042), shares, ends, strict=True):
        ax.plot([share[0], edge - 0.005], [share[1], height], color="#dddddd", linewidth=0.6, transform=ax.transAxes)
        ink = GREY if colour == _OTHER else colour
        ax.text(edge, height, short(name, 30), transform=ax.transAxes, fontsize=7, color=ink, va="center",
                parse_math=False)  # fmt: skip


def _package_of_ours(packages: dict[str, str]) -> str:
    return packages.get(OURS, "captum-spex")


def _medians(runs: Floats) -> tuple[Floats, Floats]:
    """Return the median of each octave of evaluations, both geometric enough for logarithmic axes."""
    runs = runs[np.isfinite(runs).all(axis=1) & (runs > 0).all(axis=1)]
    octaves = np.floor(np.log2(runs[:, 0]) + 1e-9)
    kinds = np.unique(octaves)
    medians = [np.median(runs[octaves == kind], axis=0) for kind in kinds]
    return np.array([pair[0] for pair in medians]), np.array([pair[1] for pair in medians])


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(_OTHER)
    ax.tick_params(color=_OTHER, labelsize=SMALL - 0.5)
