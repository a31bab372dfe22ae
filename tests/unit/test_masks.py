"""Masks as rows that can be compared, packed and checked."""

from __future__ import annotations

import numpy as np
import pytest
from games import codes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from captum_spex.errors import MaskError
from captum_spex.masks import PackedMasks, all_masks, as_masks, codes_to_masks, ends, find_rows, first_rows, mask_keys
from captum_spex.player_sets import PlayerSets


@st.composite
def mask_arrays(draw):
    n = draw(st.sampled_from([1, 2, 8, 9, 63, 64, 65, 130]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    few = rng.random((4, n)) < 0.5
    return few[rng.integers(0, 4, size=draw(st.integers(0, 12)))], few, n


@given(mask_arrays())
def test_equal_keys_mean_equal_masks(case):
    masks, _, _ = case
    keys = mask_keys(masks)
    assert len(keys) == len(masks)
    same = np.array([[bool((a == b).all()) for b in masks] for a in masks], dtype=bool)
    ours = np.array([[x == y for y in keys] for x in keys], dtype=bool)
    assert_array_equal(ours, same)


@given(mask_arrays())
def test_first_rows_in_order_of_appearance(case):
    masks, _, _ = case
    first, inverse = first_rows(mask_keys(masks))
    names = codes(masks)
    assert first.tolist() == sorted({names.index(name) for name in names})
    assert_array_equal(masks[first][inverse], masks)


@given(mask_arrays())
def test_finding_rows(case):
    masks, few, _ = case
    known = few[first_rows(mask_keys(few))[0]][1:]
    names, known_names = codes(masks), codes(known)
    expected = [known_names.index(name) if name in known_names else -1 for name in names]
    assert find_rows(mask_keys(masks), mask_keys(known)).tolist() == expected


@given(mask_arrays(), st.integers(0, 100))
def test_keys_of_masks_are_keys_of_their_players(case, seed):
    masks, _, n = case
    sets = PlayerSets.from_sets([np.flatnonzero(mask) for mask in masks], n)
    assert_array_equal(mask_keys(masks), sets.keys())


@given(mask_arrays())
def test_packed_masks(case):
    masks, _, n = case
    packed = PackedMasks(np.packbits(masks, axis=1, bitorder="little"), n)
    assert len(packed) == len(masks)
    assert_array_equal(packed.unpack(), masks)
    chosen = np.array([n - 1, 0, n // 2])
    assert_array_equal(packed.columns(chosen), masks[:, chosen])


@pytest.mark.parametrize("n", [0, 1, 3, 10])
def test_all_masks_are_the_bits_of_their_row(n):
    masks = all_masks(n)
    assert masks.shape == (2**n, n)
    assert masks.dtype == bool
    assert codes(masks) == list(range(2**n))


def test_codes_of_sixty_four_players():
    chosen = [0, 1, 2**63, 2**64 - 1, 2**40 + 5]
    assert codes(codes_to_masks(np.array(chosen, dtype=np.uint64), 64)) == chosen


def test_checked_masks():
    same = np.array([[True, False]])
    assert as_masks(same, 2) is same
    assert_array_equal(as_masks([[0, 1]], 2), [[False, True]])
    assert as_masks(np.zeros((0, 3)), 3).shape == (0, 3)


@pytest.mark.parametrize("masks", [[[True]], [True, False], np.zeros((1, 2, 1))])
def test_masks_of_a_wrong_shape(masks):
    with pytest.raises(MaskError, match=r"`masks`: expected \(n_masks, 2\): one column per player, got shape .*"):
        as_masks(masks, 2)


@pytest.mark.parametrize("masks", [[[0.5, 1.0]], [[-1, 1]], [["a", "b"]]])
def test_masks_of_wrong_entries(masks):
    with pytest.raises(MaskError, match=r"`masks`: expected bool, or 0 and 1, got dtype .* with other values"):
        as_masks(masks, 2)


@pytest.mark.parametrize("n", [1, 5])
def test_the_ends_of_the_lattice(n):
    full, empty = ends(n)
    assert full.dtype == empty.dtype == bool
    assert full.all()
    assert not empty.any()
    assert len(full) == len(empty) == n


@pytest.mark.parametrize("n_players", [3, 64, 65, 1001, 5003])
def test_keys_of_packed_masks_are_those_of_masks(n_players):
    masks = np.random.default_rng(1).random((50, n_players)) < 0.5
    assert_array_equal(PackedMasks.of(masks).keys(), mask_keys(masks))


def test_keys_of_wide_masks_in_steps(monkeypatch):
    monkeypatch.setattr("captum_spex.masks._BLOCK", 1 << 10)
    masks = np.random.default_rng(1).random((50, 777)) < 0.5
    assert_array_equal(PackedMasks.of(masks).keys(), mask_keys(masks))
