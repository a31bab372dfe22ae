"""Collections of sets against Python's own sets."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.errors import MaskError
from captum_spex.player_sets import PlayerSets, extended_by_one, sum_by_set

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
    many = PlayerSets.from_sets(sets, n)
    assert many.tuples() == sets
    assert len(many) == len(sets)
    assert_array_equal(many.orders, [len(players) for players in sets])
    dense = many.to_coo().todense()
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
    found = {}
    for order, rows, block in PlayerSets.from_sets(sets, n).by_order():
        assert block.shape == (len(rows), order)
        found |= dict(zip(rows.tolist(), map(tuple, block.tolist()), strict=True))
    assert found == dict(enumerate(sets))


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
    many = PlayerSets.all_of_order(order, n)
    assert many.tuples() == list(combinations(range(n), order))
    assert len(many) == comb(n, order)


def test_players_out_of_range():
    with pytest.raises(MaskError, match="`players`: expected 0 to 4, as `n_players` is 5, got player 9"):
        PlayerSets.from_sets([(1,), (2, 9)], 5)


def test_ten_thousand_wide_sets_have_ten_thousand_keys(rng):
    sets = {tuple(sorted(rng.choice(5000, size=3, replace=False).tolist())) for _ in range(10_000)}
    assert len(np.unique(PlayerSets.from_sets(sets, 5000).keys())) == len(sets)


@given(collections(), st.randoms(use_true_random=False))
def test_padded_rows_in_any_order(case, random):
    sets, n = case
    rows = [random.sample([*players, *[-1] * (5 - len(players))], 5) for players in sets]
    assert PlayerSets.from_padded(np.array(rows, dtype=np.int64).reshape(-1, 5), n).tuples() == sets


@given(collections(n=5))
def test_one_player_more(case):
    sets, n = case
    expected = {tuple(sorted({*players, more})) for players in sets for more in range(n) if more not in players}
    extended = extended_by_one(PlayerSets.from_sets(sets, n)).tuples()
    assert len(extended) == len(set(extended))
    assert set(extended) == expected


@given(collections(n=5))
def test_players_of_another_number(case):
    sets, n = case
    numbers = np.array([2, 3, 7, 8, 20])
    renumbered = PlayerSets.from_sets(sets, n).renumbered(numbers, 30)
    assert renumbered.n_players == 30
    assert renumbered.tuples() == [tuple(numbers[list(players)].tolist()) for players in sets]


@given(collections(), st.randoms(use_true_random=False))
def test_players_in_another_order(case, random):
    sets, n = case
    numbers = list(range(n))
    random.shuffle(numbers)
    moved = PlayerSets.from_sets(sets, n).renumbered(np.array(numbers), n)
    assert moved.tuples() == [tuple(sorted(numbers[player] for player in players)) for players in sets]
