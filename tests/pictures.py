"""What the tests of pictures share: results to draw, and how to read back what was drawn."""

from __future__ import annotations

import numpy as np
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import captum_spex
from captum_spex import plots
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum

TERMS = {(0,): 2.0, (1,): -1.0, (2,): 0.5, (0, 1): 3.0, (2, 3): -1.5, (0, 1, 2): 0.75}
"""Moebius terms of a small game."""

ODD_NAMES = (
    "$a_1$ and $b$",
    "<script>alert('x')</script>",
    "Привет мир",
    "under_score_",
    "100% \\frac{1}{2}",
    "tab\tand\nline",
)
LONG_NAMES = tuple(f"the column with the very long name number {k} of the table" for k in range(6))
ALL = ("bar", "image", "matrix", "network", "spectrum", "text", "upset", "waterfall")
PARTS = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
PICTURE = np.arange(48, dtype=np.float64).reshape(3, 4, 4)


def moebius_game(terms):
    return lambda masks: np.sum([value * masks[:, list(term)].all(axis=1) for term, value in terms.items()], axis=0)


def made(terms=None, n_players=4, index="Moebius", max_order=3, **settings):
    """An exact result of a game of few players."""
    game = moebius_game(TERMS if terms is None else terms)
    return captum_spex.explain(
        game, n_players, budget=2**n_players, index=index, max_order=min(max_order, n_players), **settings
    )


def of_spectrum(terms, n_players, index="SII", max_order=2, names=None, faithfulness=0.9):
    """A result without standard errors, of any size."""
    model = GameModel((Spectrum.from_terms(terms, n_players),))
    facts = {"n_evaluations": 100, "faithfulness": faithfulness, "names": names}
    return Interactions.from_model(model, resolve_index(index, max_order, n_players), **facts)


def of_300(names):
    terms = {(): 1.0, (3,): -1.0, (7, 50): 0.5, (299,): 0.3, (8, 9, 10): -0.25}
    return of_spectrum(terms, 300, names=names)


def thousand(names=None):
    terms = {(): 1.0, (3,): -1.0, (7, 500): 0.5, (999,): 0.3, (8, 9, 10): -0.25}
    return of_spectrum(terms, 1000, names=names)


def drawn(name, result, **settings):
    """Draw a picture with its default arguments."""
    if name == "image":
        side = int(np.ceil(np.sqrt(result.n_players)))
        parts = np.minimum(np.arange(side**2), result.n_players - 1).reshape(side, side)
        settings = {"image": np.linspace(0, 1, side**2).reshape(1, side, side), "segments": parts, **settings}
    return getattr(plots, name)(result, **settings)


def texts_of(figure):
    """All texts that are seen: not the labels of ticks beyond the ends of an axis."""
    figure.canvas.draw()
    beyond = [
        label
        for axis in figure.findobj(Axis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    seen = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in seen if text not in beyond]


def words_of(figure):
    return " | ".join(text.get_text() for text in texts_of(figure))


def labels_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def links_of(ax):
    """The links: the last collection of lines (those before are outlines)."""
    return [collection for collection in ax.collections if isinstance(collection, LineCollection)][-1]


def nodes_of(ax):
    return [collection for collection in ax.collections if isinstance(collection, PathCollection)][-1]


def hue_of(colour):
    red, _, blue = to_rgb(colour)
    return "red" if red > blue else "blue"
