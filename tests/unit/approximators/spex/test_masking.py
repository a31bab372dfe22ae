"""The masks of SPEX: as defined, all different, counted out to the budget, and never all in memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from games import Counting, planted_spectrum
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import captum_spex
from captum_spex.approximators import Spex
from captum_spex.approximators.spex.code import Code
from captum_spex.approximators.spex.masking import Layout
from captum_spex.masks import MaskBlocks, PackedMasks, mask_keys
from captum_spex.player_sets import PlayerSets


def draw_layout(n=20, degree=2, bits=3, n_groups=3, n_extra=20, seed=0):
    code = Code(n, degree)
    n_masks = n_groups * (code.n_parity + 1) * 2**bits - (n_groups - 1) * (code.n_parity + 1) + 1
    return Layout.draw(code, bits, n_groups, n_masks + n_extra, np.random.default_rng(seed))


@st.composite
def layouts(draw, largest=150):
    return draw_layout(
        n=draw(st.integers(12, largest)),
        degree=draw(st.integers(1, 5)),
        bits=draw(st.integers(1, 5)),
        n_groups=draw(st.integers(2, 4)),
        n_extra=draw(st.integers(0, 40)),
        seed=draw(st.integers(0, 10**6)),
    )


def bits_of(number, width):
    return np.array([int(number) >> bit & 1 for bit in range(width)])


def delays_of(layout):
    rows = np.unpackbits(layout.code.parity_rows, axis=1, count=layout.n_players, bitorder="little")
    return np.concatenate([np.zeros((1, layout.n_players), dtype=int), rows.astype(int)])


def slow_masks(layout):
    """Groups, then delays, then ``M l + d mod 2`` for all l; then the full mask; then the extra combinations."""
    masks = []
    for group in range(layout.n_groups):
        matrix = np.array([bits_of(row, layout.bits) for row in layout.hashes[group]])
        for delay in delays_of(layout):
            masks += [(matrix @ bits_of(place, layout.bits) + delay) % 2 for place in range(2**layout.bits)]
    masks.append(np.ones(layout.n_players, dtype=int))
    matrix = np.array([bits_of(row, 30) for row in layout.hashes[-1]])
    masks += [matrix @ bits_of(combination, 30) % 2 for combination in layout.extra]
    return np.array(masks).astype(bool)


def every_mask(layout):
    return layout.block(np.arange(len(layout))).unpack()


def some_terms(n, seed):
    rng = np.random.default_rng(seed)
    sets = [()] + [rng.choice(n, order, replace=False).tolist() for order in rng.integers(1, 6, size=15)]
    return PlayerSets.from_sets(sets, n)


def slow_signs(masks, terms):
    """``(n_terms, n_masks)``."""
    return np.array([[(-1.0) ** int(mask[list(players)].sum()) for mask in masks] for players in terms.tuples()])


@given(layout=layouts())
def test_masks_are_those_of_the_definition(layout):
    masks = every_mask(layout)
    assert isinstance(layout, MaskBlocks)
    assert masks.dtype == bool
    assert_array_equal(masks, slow_masks(layout))
    assert_array_equal(masks[0], np.zeros(layout.n_players, dtype=bool))
    assert_array_equal(masks[layout.n_structured], np.ones(layout.n_players, dtype=bool))


@given(layout=layouts(), seed=st.integers(0, 1000))
def test_blocks_may_be_any_rows_in_any_order(layout, seed):
    rows = np.random.default_rng(seed).integers(0, len(layout), size=50)
    assert_array_equal(layout.block(rows).unpack(), every_mask(layout)[rows])
    assert len(layout.block(rows[:0])) == 0


@given(layout=layouts())
@pytest.mark.parametrize("seed", [0])
def test_columns_of_packed_blocks(layout, seed):
    players = np.random.default_rng(seed).integers(0, layout.n_players, size=7)
    block = layout.block(np.arange(0, len(layout), 3))
    assert_array_equal(block.columns(players), block.unpack()[:, players])


@pytest.mark.parametrize("n", [12, 63, 64, 65, 300])
def test_keys_are_those_of_the_masks(n):
    layout = draw_layout(n, degree=3, bits=4, n_extra=50)
    assert_array_equal(layout.keys(), mask_keys(every_mask(layout)))


@given(layout=layouts(), seed=st.integers(0, 1000))
def test_bins_of_terms(layout, seed):
    """Bit i of the bin of a term is the parity of the term's players in column i of M."""
    terms = some_terms(layout.n_players, seed)
    expected = [
        [
            sum(int(layout.hashes[group][list(players)].astype(int).__rshift__(bit).sum() % 2) << bit for bit in
                range(layout.bits))
            for group in range(layout.n_groups)
        ]
        for players in terms.tuples()
    ]  # fmt: skip
    assert_array_equal(layout.bins(terms), expected)


@given(layout=layouts(), seed=st.integers(0, 1000))
def test_signs_of_terms(layout, seed):
    terms = some_terms(layout.n_players, seed)
    assert_array_equal(layout.delay_signs(terms), slow_signs(delays_of(layout), terms))
    extra = every_mask(layout)[layout.n_structured + 1 :]
    assert_array_equal(layout.extra_signs(terms), slow_signs(extra, terms).reshape(len(terms), len(extra)))


def test_more_delays_than_bits_of_a_word():
    layout = draw_layout(500, degree=9, bits=2, n_groups=2, n_extra=3)
    terms = some_terms(500, seed=0)
    assert layout.n_delays > 65
    assert_array_equal(layout.delay_signs(terms), slow_signs(delays_of(layout), terms))


@given(
    n=st.integers(2, 400), degree=st.integers(1, 5), budget=st.integers(70, 3000), seed=st.integers(0, 1000)
)  # fmt: skip
def test_the_budget_is_an_upper_bound_and_is_used(n, degree, budget, seed):
    code = Code(n, degree)
    assume(3 * (code.n_parity + 1) * 8 <= budget)
    layout = Layout.draw(code, 3, 3, budget, np.random.default_rng(seed))
    n_distinct = len(np.unique(layout.keys()))
    assert n_distinct <= min(budget, 2**n)
    if n >= 20:
        assert n_distinct == budget


def test_extra_masks_are_new_and_uniform():
    layout = draw_layout(40, n_extra=4000)
    keys = layout.keys()
    assert len(np.unique(keys[layout.n_structured + 1 :])) == len(layout.extra) == 4000
    assert not np.isin(keys[layout.n_structured + 1 :], keys[: layout.n_structured + 1]).any()
    presence = every_mask(layout)[layout.n_structured + 1 :].astype(float)
    assert_allclose(presence.mean(axis=0), 0.5, atol=0.04)
    assert_allclose(np.corrcoef(presence.T), np.eye(40), atol=0.08)


def test_seeds():
    one, same, other = (draw_layout(seed=seed) for seed in (1, 1, 2))
    assert_array_equal(one.hashes, same.hashes)
    assert_array_equal(one.extra, same.extra)
    assert (one.hashes != other.hashes).any()


# --- packed games -----------------------------------------------------------------------------------------------------


class Packed:
    """A sparse game that reads the columns it needs, and nothing else."""

    def __init__(self, spectrum):
        self.terms = list(spectrum.items())
        self.n_rows = 0
        self.most_rows = 0

    def __call__(self, masks):
        raise TypeError("asked for unpacked masks")

    def evaluate_packed(self, block):
        assert isinstance(block, PackedMasks)
        self.n_rows += len(block)
        self.most_rows = max(self.most_rows, len(block))
        signs = [value * (-1.0) ** block.columns(np.array(players, dtype=int)).sum(axis=1) for players, value in
                 self.terms]  # fmt: skip
        return np.sum(signs, axis=0)


@pytest.mark.parametrize("n", [30, 200])
def test_a_packed_game_is_the_same_game(n):
    spectrum = planted_spectrum(n, 5, 3, seed=0)
    packed, plain = Packed(spectrum), Counting(spectrum)
    results = [
        captum_spex.explain(game, n, budget=1500, approximator=Spex(), random_state=3, batch_size=100)
        for game in (packed, plain)
    ]
    assert packed.n_rows == plain.n_rows == 1500
    assert packed.most_rows == 100
    assert_allclose(results[0].values, results[1].values, atol=1e-12)
    assert_allclose(results[0].model(plain.masks), spectrum(plain.masks), atol=1e-8)


def test_masks_are_never_all_in_memory():
    n, budget = 200_000, 12_000
    game = Packed(planted_spectrum(n, 3, 2, seed=0))
    tracemalloc.start()
    result = captum_spex.explain(game, n, budget=budget, approximator=Spex(degree=3), random_state=0, batch_size=256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < budget * n / 8 / 4
    assert game.n_rows == result.n_evaluations == budget
    assert_allclose(result.faithfulness, 1.0)
    for players, value in game.terms:
        assert_allclose(result.model.parts[0][players], value, atol=1e-8)
