"""The masks of SPEX: as defined, all different, counted out to the budget, and never all in memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from games import Counting, planted_spectrum
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spex_designs import delays_of, designs, draw_design, every_mask, slow_masks, slow_signs, some_terms

import captum_spex
from captum_spex.approximators import Spex
from captum_spex.approximators.spex.code import Code
from captum_spex.approximators.spex.mask_design import MaskDesign
from captum_spex.masks import MaskBlocks, PackedMasks, mask_keys


@given(design=designs())
def test_masks_are_those_of_the_definition(design):
    masks = every_mask(design)
    assert isinstance(design, MaskBlocks)
    assert masks.dtype == bool
    assert_array_equal(masks, slow_masks(design))
    assert_array_equal(masks[0], np.zeros(design.n_players, dtype=bool))
    assert_array_equal(masks[design.n_structured], np.ones(design.n_players, dtype=bool))


@given(design=designs(), seed=st.integers(0, 1000))
def test_blocks_may_be_any_rows_in_any_order(design, seed):
    rows = np.random.default_rng(seed).integers(0, len(design), size=50)
    assert_array_equal(design.block(rows).unpack(), every_mask(design)[rows])
    assert len(design.block(rows[:0])) == 0


@given(design=designs())
@pytest.mark.parametrize("seed", [0])
def test_columns_of_packed_blocks(design, seed):
    players = np.random.default_rng(seed).integers(0, design.n_players, size=7)
    block = design.block(np.arange(0, len(design), 3))
    assert_array_equal(block.columns(players), block.unpack()[:, players])


@pytest.mark.parametrize("n", [12, 63, 64, 65, 300])
def test_keys_are_those_of_the_masks(n):
    design = draw_design(n, degree=3, bits=4, n_extra=50)
    assert_array_equal(design.keys(), mask_keys(every_mask(design)))


@given(design=designs(), seed=st.integers(0, 1000))
def test_bins_of_terms(design, seed):
    """Bit i of the bin of a term is the parity of the term's players in column i of M."""
    terms = some_terms(design.n_players, seed)
    expected = [
        [
            sum(int(design.hashes[group][list(players)].astype(int).__rshift__(bit).sum() % 2) << bit for bit in
                range(design.bits))
            for group in range(design.n_groups)
        ]
        for players in terms.tuples()
    ]  # fmt: skip
    assert_array_equal(design.bins(terms), expected)


@given(design=designs(), seed=st.integers(0, 1000))
def test_signs_of_terms(design, seed):
    terms = some_terms(design.n_players, seed)
    assert_array_equal(design.delay_signs(terms), slow_signs(delays_of(design), terms))
    extra = every_mask(design)[design.n_structured + 1 :]
    assert_array_equal(design.extra_signs(terms), slow_signs(extra, terms).reshape(len(terms), len(extra)))


def test_more_delays_than_bits_of_a_word():
    design = draw_design(500, degree=9, bits=2, n_groups=2, n_extra=3)
    terms = some_terms(500, seed=0)
    assert design.n_delays > 65
    assert_array_equal(design.delay_signs(terms), slow_signs(delays_of(design), terms))


@given(
    n=st.integers(2, 400), degree=st.integers(1, 5), budget=st.integers(70, 3000), seed=st.integers(0, 1000)
)  # fmt: skip
def test_the_budget_is_an_upper_bound_and_is_used(n, degree, budget, seed):
    code = Code(n, degree)
    assume(3 * (code.n_parity + 1) * 8 <= budget)
    design = MaskDesign.draw(code, 3, 3, budget, np.random.default_rng(seed))
    n_distinct = len(np.unique(design.keys()))
    assert n_distinct <= min(budget, 2**n)
    if n >= 20:
        assert n_distinct == budget


def test_extra_masks_are_new_and_uniform():
    design = draw_design(40, n_extra=4000)
    keys = design.keys()
    assert len(np.unique(keys[design.n_structured + 1 :])) == len(design.extra) == 4000
    assert not np.isin(keys[design.n_structured + 1 :], keys[: design.n_structured + 1]).any()
    presence = every_mask(design)[design.n_structured + 1 :].astype(float)
    assert_allclose(presence.mean(axis=0), 0.5, atol=0.04)
    assert_allclose(np.corrcoef(presence.T), np.eye(40), atol=0.08)


def test_seeds():
    one, same, other = (draw_design(seed=seed) for seed in (1, 1, 2))
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
