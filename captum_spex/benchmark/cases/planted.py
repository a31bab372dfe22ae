"""Sparse spectra with known terms, among few or very many players."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np

from captum_spex.benchmark.cases.source import CaseSource, Made
from captum_spex.model import GameModel, Spectrum

PLAYERS = (10, 30, 100, 1000, 10_000)
_BELOW = 0.7  # a term's coefficient to that of a term with a player less, roughly
Terms = dict[tuple[int, ...], float]


def with_hierarchy(n_players: int) -> Terms:
    """Draw sets of two to four players and all their subsets; larger sets have smaller coefficients."""
    rng = np.random.default_rng([n_players, 1])
    orders = (4, 3, 3, 2, 2) if n_players < 30 else (4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2)
    terms: Terms = {(): float(rng.normal())}
    for order in orders:
        largest = sorted(rng.choice(n_players, order, replace=False).tolist())
        for size in range(1, order + 1):
            for players in combinations(largest, size):
                terms.setdefault(players, _coefficient(rng) * _BELOW ** (size - 1))
    return terms


def without_hierarchy(n_players: int) -> Terms:
    """Draw sets of two to four players without any of their subsets; all coefficients are of one size."""
    rng = np.random.default_rng([n_players, 2])
    n_terms = 9 if n_players < 30 else 24
    terms: Terms = {(): float(rng.normal())}
    while len(terms) <= n_terms:
        players = tuple(sorted(rng.choice(n_players, 2 + len(terms) % 3, replace=False).tolist()))
        if not any(set(players) <= set(other) or set(other) <= set(players) for other in terms if other):
            terms[players] = _coefficient(rng)
    return terms


def _coefficient(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))


def made(n_players: int, has_hierarchy: bool) -> Made:
    """Make a planted game."""
    terms = (with_hierarchy if has_hierarchy else without_hierarchy)(n_players)
    model = GameModel((Spectrum.from_terms(terms, n_players),))
    return model, model


_ABOUT = "A sparse Fourier spectrum of order {}, among {:,} players."
SOURCES = tuple(
    CaseSource(f"{name}-{n}", "planted", n, _ABOUT.format(what, n), partial(made, n, has_hierarchy))
    for name, what, has_hierarchy in (
        ("planted", "1 to 4, with all subsets of every term", True),
        ("planted-alone", "2 to 4 without subsets", False),
    )
    for n in PLAYERS
)
