"""Terms are a mapping, ordered and frozen, with sparse views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.errors import OrderError
from captum_spex.indices import IndexTerms, resolve_index
from captum_spex.player_sets import PlayerSets
from captum_spex.terms import Terms

players_of_twelve = st.frozensets(st.integers(0, 11), max_size=4).map(lambda chosen: tuple(sorted(chosen)))
contents = st.dictionaries(players_of_twelve, st.floats(-5, 5), max_size=20)


def terms_of(content, n=12):
    return Terms(PlayerSets.from_sets(content, n), np.array(list(content.values()), dtype=float))


@given(contents)
def test_a_mapping_like_any_other(content):
    terms = terms_of(content)
    assert dict(terms.items()) == content
    assert len(terms) == len(content)
    assert terms == content
    for players, value in content.items():
        assert players in terms
        assert terms[players] == value
        assert terms[players[::-1]] == value
        assert terms[list(players)] == terms[frozenset(players)] == value


@given(contents)
def test_iteration_from_the_largest_and_aligned_with_the_arrays(content):
    terms = terms_of(content)
    sizes = np.abs(terms.values)
    assert_array_equal(sizes, np.sort(sizes)[::-1])
    assert_array_equal(terms.values, [content[players] for players in terms])
    assert_array_equal(terms.orders, [len(players) for players in terms])
    dense = terms.supports.todense()
    assert dense.shape == (len(content), 12)
    assert [tuple(np.flatnonzero(row).tolist()) for row in dense] == list(terms)


@given(contents, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_that_of_the_input(content, random):
    shuffled = list(content)
    random.shuffle(shuffled)
    assert list(terms_of({players: content[players] for players in shuffled})) == list(terms_of(content))


def test_equal_sizes_are_ordered_by_order():
    assert list(terms_of({(1, 2): 1.0, (3,): -1.0, (): 1.0})) == [(), (3,), (1, 2)]


def test_terms_that_are_missing():
    terms = terms_of({(0, 1): 1.0})
    assert (0,) not in terms
    assert terms.get((0,), 7.0) == 7.0
    for missing in [(0,), (0, 1, 2), 5]:
        with pytest.raises(KeyError):
            terms[missing]
    for foreign in ["a", (0, "a"), (0.5,), None]:
        assert foreign not in terms
        with pytest.raises(KeyError):
            terms[foreign]


def test_single_players_need_no_tuple():
    terms = terms_of({(4,): 2.5})
    assert terms[4] == terms[np.int64(4)] == 2.5


@given(contents, st.integers(0, 10))
def test_top_is_the_head_of_the_iteration(content, k):
    terms = terms_of(content)
    assert list(terms.top(k)) == list(terms)[:k]
    assert terms.top(k).items() <= content.items()
    for order in range(5):
        assert list(terms.top(k, order=order)) == [players for players in terms if len(players) == order][:k]


@pytest.mark.parametrize("order", [1, 2, 3])
@given(content=contents)
def test_sparse_arrays_agree_with_the_mapping(order, content):
    terms = terms_of(content)
    array, mirrored = terms.coo(order), terms.coo(order, symmetric=True)
    assert array.shape == mirrored.shape == (12,) * order
    expected = np.zeros((12,) * order)
    for players, value in content.items():
        if len(players) == order:
            expected[players] = value
    assert_array_equal(array.todense(), expected)
    axes = {1: [(0,)], 2: [(0, 1), (1, 0)], 3: [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]}
    assert_array_equal(mirrored.todense(), sum(expected.transpose(axis) for axis in axes[order]))


def test_a_million_players():
    n = 1_000_000
    terms = terms_of({(7,): 1.0, (5, 999_999): -3.0, (1, 2, 3): 2.0, (0, 1, 2, 999_998): 0.5}, n)
    assert terms.supports.shape == (4, n)
    assert terms.supports.nnz == 10
    assert terms[(999_999, 5)] == -3.0
    assert terms.coo(2)[5, 999_999] == -3.0
    assert terms.coo(3, symmetric=True)[3, 1, 2] == 2.0
    with pytest.raises(OrderError, match=r"`order`: expected an integer from 1 to 3: .*, got 4\. Use `supports`"):
        terms.coo(4)


@pytest.mark.parametrize("order", [0, -1])
def test_orders_below_one_have_no_array(order):
    with pytest.raises(OrderError, match=rf"`order`: expected an integer of at least 1, got {order}"):
        terms_of({(): 1.0}).coo(order)


def test_frozen():
    terms = terms_of({(0,): 1.0})
    with pytest.raises(AttributeError, match="`values` cannot be set: Terms is frozen"):
        terms.values = np.zeros(1)
    with pytest.raises(ValueError, match="read-only"):
        terms.values[0] = 2.0
    with pytest.raises(TypeError):
        terms[(0,)] = 2.0


def test_the_array_of_the_caller_stays_writeable():
    values = np.array([1.0, 2.0])
    Terms(PlayerSets.from_sets([(0,), (1,)], 2), values)
    values[0] = 5.0
    assert_allclose(values, [5.0, 2.0])


def test_index_terms_carry_their_index():
    terms = IndexTerms(resolve_index("STII", 2, 3), PlayerSets.from_sets([(0, 1)], 3), np.array([1.0]), 0.25)
    assert (terms.index, terms.max_order, terms.baseline, terms.n_players) == ("STII", 2, 0.25, 3)
    with pytest.raises(AttributeError, match="IndexTerms is frozen"):
        terms.baseline = 1.0
