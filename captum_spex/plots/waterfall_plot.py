"""From the value without any player to the prediction, term by term."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from captum_spex.arrays import Floats
from captum_spex.exports.result import as_text, counted, smallest, value_names
from captum_spex.exports.shap.additive_values import summing
from captum_spex.interactions import Interactions
from captum_spex.masks import ends
from captum_spex.plots.arguments import checked_result
from captum_spex.plots.chosen_terms import largest_terms
from captum_spex.plots.labels import lettering, term_labels
from captum_spex.plots.style import GREY, NORMAL, axes_or_new, colour_of, few_lines, label_bar, note, width_for


def waterfall(result: Interactions, *, max_display: int = 10, ax: Axes | None = None) -> Axes:
    """Draw how the terms lead from the value without any player, f(none), to the prediction, f(all).

    Args:
        result: what to draw, of an index whose terms add up (SV, k-SII, STII, FSII, Moebius); of SII, whose terms do
            not, its k-SII is drawn.
        max_display: how many terms, the largest; all others are one bar, so that the bars always add up exactly.
        ax: where to draw; default: the current axes if empty, else a new figure.

    Returns:
        The axes.

    Raises:
        ArgumentError: if the terms do not add up, or another argument cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 1.0 + m[:, 0] + 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> [float(bar.get_width()) for bar in plots.waterfall(result).patches]
        [2.0, 1.0]
    """
    result = summing(checked_result(result), "result")
    shown = largest_terms(result, range(1, result.max_order + 1), max_display)
    with_all, with_none = result.model(ends(result.n_players)).tolist()
    steps, labels = shown.values, term_labels(result, shown.players)
    rest = with_all - with_none - float(steps.sum())
    if shown.n_others or abs(rest) > _rounding(result, with_all - with_none):
        steps, labels = np.append(steps, rest), [*labels, _others(result, shown.n_others, with_all - with_none)]
    ax = axes_or_new(ax, width_for(labels), 1.6 + 0.34 * max(2, len(steps)))
    _draw(ax, with_none, steps, labels)
    _mark_ends(ax, with_none, with_all, len(steps))
    few_lines(ax)
    said = "the bars add up to the prediction" if len(steps) else "no effects: all values are 0"
    note(ax, f"value of the game; {value_names(result)}", said)
    return ax


def _rounding(result: Interactions, whole: float) -> float:
    return max(smallest(result), 1e-9 * abs(whole))


def _others(result: Interactions, n_others: int, whole: float) -> str:
    """Return what the last bar stands for: terms that are not drawn, or that the result lacks."""
    count = n_others + result.n_left_out
    parts = [counted(count, "other term")] if count else []
    if abs(whole - float(result.values.sum())) > _rounding(result, whole) and result.max_order < result.n_players:
        parts += ["higher orders"] if not result.resolved_index.adds_up(result.n_players) else []
    return " and ".join(parts) or "not in the terms"


def _draw(ax: Axes, start: float, steps: Floats, labels: list[str]) -> None:
    rows = np.arange(len(steps))
    after = start + np.cumsum(steps)
    before = after - steps
    ax.barh(rows, steps, left=before, height=0.66, color=[colour_of(step) for step in steps])
    ax.set_yticks(rows, labels, fontsize=NORMAL, **lettering(*labels))
    for row, (step, end) in enumerate(zip(steps.tolist(), after.tolist(), strict=True)):
        if row + 1 < len(steps):
            ax.plot([end, end], [row + 0.33, row + 0.67], color=GREY, linewidth=0.8)
        label_bar(ax, step, end, row)


def _mark_ends(ax: Axes, with_none: float, with_all: float, n_steps: int) -> None:
    ax.set_ylim(n_steps + 0.35, -1.35)
    low, high = ax.get_xlim() if n_steps else (with_none, with_none)
    room = 0.14 * (high - low) or 1.0
    ax.set_xlim(low - room, high + room)
    style = {"ha": "center", "va": "center", "fontsize": NORMAL, "parse_math": False}
    rounding = 1e-9 * max(abs(with_none), abs(with_all), high - low)
    for value, row, text in ((with_none, -0.95, "f(none)"), (with_all, n_steps - 0.05, "f(all)")):
        ax.axvline(value, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        ax.text(value, row, f"{text} = {as_text(value if abs(value) > rounding else 0.0)}", bbox=box, **style)  # type: ignore[arg-type]
