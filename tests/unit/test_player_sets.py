"""Collections of sets against Python's own sets, and masks as rows that can be compared."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from games import codes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.errors import MaskError
from captum_spex.masks import PackedMasks, all_masks, as_masks, codes_to_masks, find_rows, first_rows, mask_keys
from captum_spex.player_sets import PlayerSets, sum_by_set

widths = st.sampled_from([1, 5, 63, 64, 65, 1000])


@st.composite
def collections(draw, n=None):
    n = draw(widths) if n is None else n
    players = st.frozensets(st.integers(0, n - 1), max_size=4).map(lambda chosen: tuple(sorted(chosen)))
    return draw(st.lists(players, max_size=15)), n


@st.composite
def pairs_of_collections(draw):
    sets, n = draw(collections())
    return sets, draw(collections(n))[0], n


@given(collections())
def test_sets_in_sets_out(case):
    sets, n = case
    supports = PlayerSets.from_sets(sets, n)
    assert supports.tuples() == sets
    assert len(supports) == len(sets)
    assert_array_equal(supports.orders, [len(players) for players in sets])
    dense = supports.to_coo().todense()
    assert dense.dtype == bool
    assert [tuple(np.flatnonzero(row).tolist()) for row in dense] == sets


@given(collections())
def test_distinct_sets_and_who_is_whose_twin(case):
    sets, n = case
    distinct, twin = PlayerSets.from_sets(sets, n).unique()
    found = distinct.tuples()
    assert len(found) == len(set(found))
    assert set(found) == set(sets)
    assert [found[row] for row in twin] == sets


@given(pairs_of_collections())
def test_finding_sets_among_others(case):
    sets, known, n = case
    known = list(dict.fromkeys(known))
    rows = PlayerSets.from_sets(sets, n).find(PlayerSets.from_sets(known, n))
    assert rows.tolist() == [known.index(players) if players in known else -1 for players in sets]


@given(collections(), st.randoms(use_true_random=False))
def test_taking_rows(case, random):
    sets, n = case
    rows = [random.randrange(len(sets)) for _ in range(10)] if sets else []
    taken = PlayerSets.from_sets(sets, n).take(np.array(rows, dtype=np.intp))
    assert taken.tuples() == [sets[row] for row in rows]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@given(case=collections())
def test_subsets_of_one_order(order, case):
    sets, n = case
    found, parents = PlayerSets.from_sets(sets, n).subsets(order)
    ours = sorted(zip(parents.tolist(), found.tuples(), strict=True))
    expected = [(row, part) for row, players in enumerate(sets) for part in combinations(players, order)]
    assert ours == sorted(expected)


@given(pairs_of_collections())
def test_joining_collections(case):
    sets, more, n = case
    joined = PlayerSets.concatenate([PlayerSets.from_sets(sets, n), PlayerSets.from_sets(more, n)])
    assert joined.tuples() == sets + more


@given(collections())
def test_going_through_the_orders(case):
    sets, n = case
    seen = {}
    for order, rows, block in PlayerSets.from_sets(sets, n).by_order():
        assert block.shape == (len(rows), order)
        seen |= dict(zip(rows.tolist(), map(tuple, block.tolist()), strict=True))
    assert seen == dict(enumerate(sets))


@given(collections(), st.integers(0, 100))
def test_adding_up_equal_sets(case, seed):
    sets, n = case
    values = np.random.default_rng(seed).normal(size=len(sets))
    expected = {}
    for players, value in zip(sets, values, strict=True):
        expected[players] = expected.get(players, 0.0) + value
    distinct, sums = sum_by_set(PlayerSets.from_sets(sets, n), values)
    assert_allclose([expected[players] for players in distinct.tuples()], sums, atol=1e-12)
    assert len(distinct) == len(expected)


@pytest.mark.parametrize(("n", "order"), [(5, 1), (5, 2), (5, 3), (5, 5), (6, 0), (1, 2), (70, 2)])
def test_all_sets_of_one_order(n, order):
    supports = PlayerSets.all_of_order(order, n)
    assert supports.tuples() == list(combinations(range(n), order))
    assert len(supports) == comb(n, order)


def test_players_out_of_range():
    with pytest.raises(MaskError, match="`players`: expected 0 to 4, as `n_players` is 5, got player 9"):
        PlayerSets.from_sets([(1,), (2, 9)], 5)


def test_ten_thousand_wide_sets_have_ten_thousand_keys(rng):
    sets = {tuple(sorted(rng.choice(5000, size=3, replace=False).tolist())) for _ in range(10_000)}
    assert len(np.unique(PlayerSets.from_sets(sets, 5000).keys())) == len(sets)


# --- masks ------------------------------------------------------------------------------------------------------------


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
