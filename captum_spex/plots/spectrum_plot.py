"""How the Fourier energy is spread: over orders, and over terms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter, ScalarFormatter
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.interactions import Interactions
from captum_spex.model import Spectrum
from captum_spex.plots.arguments import checked_result
from captum_spex.plots.style import GREY, NORMAL, SMALL, axes_or_new, bare, inset, note, say

_DRAWN, _MENTIONED = 1e-3, 1e-4  # shares of the variance from which an order is drawn, or mentioned
_WORK = 2_000_000  # terms times players that are read off within about a second
_ROUNDING = 1e-12  # share of the largest term below which a term is 0


def spectrum(result: Interactions, *, max_terms: int = 1 << 14, ax: Axes | None = None) -> NDArray[np.object_]:
    r"""Draw the share of the variance that each order has, and the R² of the k largest Fourier terms.

    The variance of the recovered game over all masks is :math:`\sum_{S \ne \emptyset} F(S)^2`, so a truncation to some
    terms has the R² of their share in this sum.

    Args:
        result: what to draw.
        max_terms: how many Fourier terms are read off the recovered game, the largest; fewer beyond 122 players, to
            save time (2,000 with 1,000 players). All shares refer to these.
        ax: where to draw; default: the current axes if empty, else a new figure. It is divided in two.

    Returns:
        Two axes: energy by order, and R² by number of terms.

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> import captum_spex
        >>> from captum_spex import plots
        >>> result = captum_spex.explain(lambda m: 4.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> energy, faithfulness = plots.spectrum(result)
        >>> [round(float(bar.get_height()), 4) for bar in energy.patches]
        [0.6667, 0.3333]
    """
    result = checked_result(result)
    terms = _largest(result, checks.integer("max_terms", max_terms))
    ax = axes_or_new(ax, 8.0, 3.4)
    energy, faithfulness = inset(ax, (0, 0, 0.43, 1)), inset(ax, (0.57, 0, 0.43, 1))
    # By Parseval the variance over uniform masks is the sum of squared coefficients.
    shares = terms.values**2
    total = float(shares.sum())
    if len(terms):
        _draw_energy(energy, terms.energy_by_order()[1:] / total)
        _draw_faithfulness(faithfulness, np.cumsum(shares) / total)
    else:
        bare(energy)
        bare(faithfulness)
        say(ax, "no variance: the game is constant")
    unknown = math.isnan(result.faithfulness)
    known = "faithfulness of the recovered game: " + ("unknown" if unknown else f"R² {result.faithfulness:.3f}")
    note(faithfulness, "number of Fourier terms, the largest first", known)
    return np.array([energy, faithfulness], dtype=np.object_)


def _largest(result: Interactions, max_terms: int) -> Spectrum:
    """Return the largest terms, without the constant and without mere rounding."""
    parts = result.model.parts
    n_players = parts[0].n_players  # fewer than the result's if others have no influence
    wanted = max(1, min(max_terms, _WORK // n_players))
    terms = Spectrum.sum([part.largest_terms(wanted + 1) for part in parts], n_players)
    sizes = np.abs(terms.values)
    rows = np.flatnonzero((terms.orders > 0) & (sizes > _ROUNDING * sizes.max(initial=0.0)))
    return terms.select(rows[:wanted])


def _draw_energy(ax: Axes, by_order: Floats) -> None:
    last = int(np.flatnonzero(by_order >= _DRAWN).max()) + 1
    shares, others = by_order[:last], float(by_order[last:].sum())
    orders = f"order {last + 1}" if len(by_order) == last + 1 else f"orders {last + 1} to {len(by_order)} together"
    note(ax, "order", f"{orders}: {100 * others:.1g} %" if others >= _MENTIONED else "")
    numbers = np.arange(1, len(shares) + 1)
    ax.bar(numbers, shares, width=0.7, color=GREY)
    for order, share in zip(numbers.tolist(), shares.tolist(), strict=True):
        text = f"{share:.0%}" if share >= 0.01 else "<1%"
        ax.annotate(text, (order, share), (0, 3), textcoords="offset points", ha="center", fontsize=SMALL)
    ax.set_xlim(0.3, max(3, len(shares)) + 0.7)
    ax.set_ylim(0, 1.12 * shares.max())
    ax.set_xticks(numbers if len(numbers) <= 12 else numbers[:: len(numbers) // 8])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _finish(ax, "share of the variance")


def _draw_faithfulness(ax: Axes, reached: Floats) -> None:
    numbers = np.arange(1, len(reached) + 1)
    ax.plot(numbers, reached, color="black", linewidth=2, marker="o" if len(reached) < 40 else "", markersize=4)
    if len(reached) > 20:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(ScalarFormatter())
    else:
        ax.set_xticks(numbers if len(numbers) <= 8 else numbers[:: 2 + len(numbers) // 12])
    for level, side in ((0.9, "right"), (0.99, "left")):
        needed = int(np.searchsorted(reached, level - 1e-12)) + 1
        if needed < len(reached):
            ax.plot([numbers[0], needed, needed], [level, level, 0], color=GREY, linewidth=0.8, linestyle=":", zorder=0)
            place: dict[str, Any] = {"textcoords": "offset points", "ha": side, "fontsize": SMALL, "color": GREY}
            ax.annotate(f"{needed:,}", (needed, 0.02), (3 if side == "left" else -3, 2), **place)
    ax.set_ylim(0, 1.05)
    _finish(ax, "R² of the largest terms")


def _finish(ax: Axes, label: str) -> None:
    ax.set_ylabel(label, fontsize=NORMAL)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
