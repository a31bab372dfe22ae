"""Results that tests export to SHAP, and how their explanations are read."""

# ruff: noqa: RUF001 (the multiplication sign is wanted)

from __future__ import annotations

import numpy as np
from games import random_table, smooth_game
from oracles import as_game

import captum_spex
from captum_spex.approximators import GaussianProcess, ProxySpex

SUMMING = ("SII", "k-SII", "STII", "FSII", "SV", "Moebius")
FORMS = ("values", "matrix", "terms")
OTHER = "other terms"
TIMES = " × "
QUICK = ProxySpex(GaussianProcess(n_steps=10, links=False))
N_SMOOTH = 10


def exact(table, n, index="SII", order=2, **settings):
    return captum_spex.explain(as_game(table), n, budget=1 << n, index=index, max_order=order, **settings)


def random_result(n=4, seed=0, index="SII", order=2, **settings):
    return exact(random_table(n, seed), n, index, order, **settings)


def estimated(index="SII", order=2, **settings):
    settings = {"approximator": QUICK, "budget": 150, "random_state": 0} | settings
    return captum_spex.explain(smooth_game, N_SMOOTH, index=index, max_order=order, **settings)


def product(value, names):
    """A game of one term, worth a value where all players are there."""
    game = lambda masks: value * masks.all(axis=1)  # noqa: E731
    return captum_spex.explain(game, len(names), budget=1 << len(names), max_order=len(names), names=names)


def columns(explanation, row=0):
    """One row of an explanation, as a dictionary."""
    values = explanation.values if explanation.values.ndim == 1 else explanation.values[row]
    return dict(zip(explanation.feature_names, values.tolist(), strict=True))


def without_zeros(values, digits=9):
    return {name: round(value, digits) for name, value in values.items() if round(value, digits)}


def label(players, names=None):
    return TIMES.join(f"Feature {player}" if names is None else names[player] for player in players)


TABLE = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
ABCD = list("abcd")


def two_rows():
    return [random_result(seed=seed, names=ABCD) for seed in range(2)]
