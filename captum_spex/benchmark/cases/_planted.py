"""Sparse spectra with known terms, among few or very many players."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np

from captum_spex.benchmark.cases._served import sparse
from captum_spex.benchmark.cases._source import CaseSource, Made
from captum_spex.model import Spectrum

PLAYERS = (10, 30, 100, 1000, 10_000)
_BELOW = 0.7  # a term's coefficient to that of a term with a player less, about
Terms = dict[tuple[int, ...], float]


def with_hierarchy(n_players: int) -> Spectrum:
    """Draw a spectrum of sets of two to four players and all their subsets; larger sets have smaller coefficients."""
    rng = np.random.default_rng([n_players, 1])
    orders = (4, 3, 3, 2, 2) if n_players < 30 else (4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2)
    terms: Terms = {(): float(rng.normal())}
    for order in orders:
        largest = sorted(rng.choice(n_players, order, replace=False).tolist())
        for size in range(1, order + 1):
            for players in combinations(largest, size):
                terms.setdefault(players, _coefficient(rng) * _BELOW ** (size - 1))
    return Spectrum.from_terms(terms, n_players)


def without_hierarchy(n_players: int) -> Spectrum:
    """Draw a spectrum of sets of two to four players, without any of their subsets; all coefficients are alike."""
    rng = np.random.default_rng([n_players, 2])
    n_terms = 9 if n_players < 30 else 24
    terms: Terms = {(): float(rng.normal())}
    while len(terms) <= n_terms:
        players = tuple(sorted(rng.choice(n_players, 2 + len(terms) % 3, replace=False).tolist()))
        if not any(set(players) <= set(other) or set(other) <= set(players) for other in terms if other):
            terms[players] = _coefficient(rng)
    return Spectrum.from_terms(terms, n_players)


def _coefficient(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))


def made(n_players: int, has_hierarchy: bool) -> Made:
    """Make a planted game."""
    return sparse((with_hierarchy if has_hierarchy else without_hierarchy)(n_players))


def _source(n_players: int, has_hierarchy: bool) -> CaseSource:
    if has_hierarchy:
        name, what = f"planted-{n_players}", "of order 1 to 4, with all subsets of every term"
    else:
        name, what = f"planted-alone-{n_players}", "of order 2 to 4 and none of their subsets"
    about = f"A sparse Fourier spectrum {what}, among {n_players:,} players."
    return CaseSource(name, "planted", n_players, about, partial(made, n_players, has_hierarchy))


SOURCES: tuple[CaseSource, ...] = tuple(
    _source(n_players, has_hierarchy) for has_hierarchy in (True, False) for n_players in PLAYERS
)
