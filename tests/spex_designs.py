"""Mask designs of SPEX, drawn by hypothesis, and slow twins of what they compute."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from captum_spex.approximators.spex.code import Code
from captum_spex.approximators.spex.mask_design import MaskDesign
from captum_spex.player_sets import PlayerSets


def draw_design(n=20, degree=2, bits=3, n_groups=3, n_extra=20, seed=0):
    code = Code(n, degree)
    n_masks = n_groups * (code.n_parity + 1) * 2**bits - (n_groups - 1) * (code.n_parity + 1) + 1
    return MaskDesign.draw(code, bits, n_groups, n_masks + n_extra, np.random.default_rng(seed))


@st.composite
def designs(draw, largest=150):
    return draw_design(
        n=draw(st.integers(12, largest)),
        degree=draw(st.integers(1, 5)),
        bits=draw(st.integers(1, 5)),
        n_groups=draw(st.integers(2, 4)),
        n_extra=draw(st.integers(0, 40)),
        seed=draw(st.integers(0, 10**6)),
    )


def bits_of(number, width):
    return np.array([int(number) >> bit & 1 for bit in range(width)])


def delays_of(design):
    rows = np.unpackbits(design.code.parity_rows, axis=1, count=design.n_players, bitorder="little")
    return np.concatenate([np.zeros((1, design.n_players), dtype=int), rows.astype(int)])


def slow_masks(design):
    """Groups, then delays, then ``M l + d mod 2`` for all l; then the full mask; then the extra combinations."""
    masks = []
    for group in range(design.n_groups):
        matrix = np.array([bits_of(row, design.bits) for row in design.hashes[group]])
        for delay in delays_of(design):
            masks += [(matrix @ bits_of(place, design.bits) + delay) % 2 for place in range(2**design.bits)]
    masks.append(np.ones(design.n_players, dtype=int))
    matrix = np.array([bits_of(row, 30) for row in design.hashes[-1]])
    masks += [matrix @ bits_of(combination, 30) % 2 for combination in design.extra]
    return np.array(masks).astype(bool)


def every_mask(design):
    return design.block(np.arange(len(design))).unpack()


def some_terms(n, seed):
    rng = np.random.default_rng(seed)
    sets = [()] + [rng.choice(n, order, replace=False).tolist() for order in rng.integers(1, 6, size=15)]
    return PlayerSets.from_sets(sets, n)


def slow_signs(masks, terms):
    """``(n_terms, n_masks)``."""
    return np.array([[(-1.0) ** int(mask[list(players)].sum()) for mask in masks] for players in terms.tuples()])


def values_at(design, game):
    return game(design.block(np.arange(len(design))).unpack())


def structured_signs(design, terms):
    """Signs of every term at every mask of the groups, ``(n_terms, n_structured)``."""
    return slow_signs(design.block(np.arange(design.n_structured)).unpack(), terms)
