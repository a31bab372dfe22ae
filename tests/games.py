"""Games that several test files play."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from oracles import code

from captum_spex.masks import PackedMasks, all_masks, mask_keys
from captum_spex.model import Spectrum

Game = Callable[[np.ndarray], np.ndarray]


def random_table(n: int, seed: int, *, sparse: bool = False) -> np.ndarray:
    """A full table of values: all random, or the sum of five Fourier terms."""
    rng = np.random.default_rng(seed)
    if not sparse:
        return rng.normal(size=1 << n)
    rows = np.arange(1 << n)
    table = np.zeros(1 << n)
    for term in rng.integers(0, 1 << n, size=5):
        table += rng.normal() * np.array([(-1.0) ** int(row & term).bit_count() for row in rows])
    return table


@st.composite
def tables(draw: st.DrawFn, largest: int = 8) -> tuple[np.ndarray, int]:
    n = draw(st.integers(2, largest))
    return random_table(n, draw(st.integers(0, 2**32 - 1)), sparse=draw(st.booleans())), n


def smooth_game(masks: np.ndarray) -> np.ndarray:
    """Main effects, a pair, a triple and some curvature, on any number of players from 8."""
    m = masks.astype(float)
    effects = m @ (1.0 / np.arange(1, m.shape[1] + 1))
    return effects + 2 * m[:, 0] * m[:, 3] - 1.5 * m[:, 1] * m[:, 4] * m[:, 6] + np.tanh(m[:, 2:8].sum(axis=1) - 2)


class Counting:
    """A game that keeps all masks it was asked for."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.batches: list[np.ndarray] = []

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        self.batches.append(masks.copy())
        return self.game(masks)

    @property
    def masks(self) -> np.ndarray:
        return np.concatenate(self.batches)

    @property
    def n_rows(self) -> int:
        return sum(len(batch) for batch in self.batches)

    @property
    def n_distinct(self) -> int:
        return len({mask.tobytes() for batch in self.batches for mask in batch})


def codes(masks: np.ndarray) -> list[int]:
    """One integer per mask, of any width."""
    return [code(np.flatnonzero(mask).tolist()) for mask in masks]


def planted_spectrum(n: int, n_terms: int, degree: int, seed: int) -> Spectrum:
    """A mean and ``n_terms`` random terms of order 1 to ``degree``, with coefficients of 0.5 to 2 of either sign."""
    rng = np.random.default_rng(seed)
    terms = {(): rng.normal()}
    while len(terms) <= n_terms:
        order = rng.integers(1, degree + 1)
        players = tuple(sorted(rng.choice(n, order, replace=False).tolist()))
        terms[players] = rng.choice([-1, 1]) * rng.uniform(0.5, 2)
    return Spectrum.from_terms(terms, n)


def random_spectrum(n: int, n_terms: int, degree: int, seed: int) -> Spectrum:
    """``n_terms`` random terms of order 1 to ``degree``, with normal coefficients."""
    rng = np.random.default_rng(seed)
    sets = [rng.choice(n, rng.integers(1, degree + 1), replace=False).tolist() for _ in range(n_terms)]
    return Spectrum.from_terms({tuple(sorted(players)): float(rng.normal()) for players in sets}, n)


def random_network(n: int, seed: int, width: int = 12) -> Game:
    """A random network with one layer: main effects, and interactions of all orders among all players."""
    rng = np.random.default_rng(seed)
    inner, shift, outer = rng.normal(size=(n, width)) * 3 / np.sqrt(n), rng.normal(size=width), rng.normal(size=width)
    return lambda masks: np.tanh((masks - 0.5) @ inner + shift) @ outer


class Blocks:
    """All masks of three players, laid out on demand."""

    n_players = 3

    def __len__(self):
        return 8

    def keys(self):
        return mask_keys(all_masks(3))

    def block(self, rows):
        return PackedMasks(rows.astype(np.uint8)[:, None], 3)
