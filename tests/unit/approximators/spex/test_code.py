"""The code behind SPEX's masks: its size, its distance, and what it decodes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from captum_spex.approximators.spex.code import LARGEST_CORRECTION, Code


def parity_matrix(code):
    """``(n_parity, n_players)``, unpacked."""
    return np.unpackbits(code.parity_rows, axis=1, count=code.n_players, bitorder="little")


def parity_bits(code, players):
    return parity_matrix(code)[:, list(players)].sum(axis=1) % 2


def reliabilities(bits, wrong=(), *, weak=()):
    """Sure values for every bit, turned where they are wrong, small where they are weak."""
    values = 1.0 - 2.0 * bits
    values[list(wrong)] *= -1.0
    values[list(weak)] *= 0.01
    return values * np.linspace(1.0, 1.1, len(values))


def decoded_sets(code, words):
    """For every word, the sets that it decodes to."""
    which, players = code.decode(words)
    found = [set() for _ in words]
    for word, row in zip(which, players, strict=True):
        found[word].add(tuple(sorted(row[row >= 0].tolist())))
    return found


@pytest.mark.parametrize(
    ("smallest", "largest", "n_delays"),
    [
        (2, 11, 21), (12, 36, 28), (37, 92, 36), (93, 215, 41), (216, 466, 46), (467, 973, 51), (974, 1992, 56),
        (1993, 4035, 61),
    ],
)  # fmt: skip
def test_the_published_numbers_of_delays(smallest, largest, n_delays):
    """The masks of a group per bin, at degree 5, as Kang et al. use them."""
    assert [Code(n, 5).n_parity + 1 for n in (smallest, largest)] == [n_delays] * 2


@pytest.mark.parametrize(("n_players", "t"), [(1, 1), (5, 2), (11, 1), (20, 3), (40, 5), (100, 4), (300, 10), (7, 10)])
def test_codewords_have_no_syndromes(n_players, t):
    """With positions ``alpha^0, alpha^1, ...`` for parity bits, then players, all odd power sums are zero."""
    code = Code(n_players, t)
    gf = code._field
    matrix = parity_matrix(code)
    for player in range(n_players):
        positions = np.append(np.flatnonzero(matrix[:, player]), code.n_parity + player)
        for power in range(1, 2 * t, 2):
            assert np.bitwise_xor.reduce(gf.exp[positions * power % gf.order]) == 0


@pytest.mark.parametrize(("n_players", "t"), [(4, 1), (7, 2), (5, 3), (11, 1), (10, 2)])
def test_codewords_differ_in_more_than_2t_places(n_players, t):
    """The code is linear: its distance is the smallest weight of a codeword but zero."""
    code = Code(n_players, t)
    matrix = parity_matrix(code).astype(int)
    messages = (np.arange(1, 1 << n_players)[:, None] >> np.arange(n_players)) & 1
    weights = messages.sum(axis=1) + (messages @ matrix.T % 2).sum(axis=1)
    assert weights.min() >= 2 * t + 1


@pytest.mark.parametrize("t", [1, 2, 3])
def test_every_set_of_few_players_decodes(t):
    code = Code(12, t)
    sets = [players for order in range(t + 1) for players in combinations(range(12), order)]
    words = np.array([reliabilities(parity_bits(code, players)) for players in sets])
    for players, found in zip(sets, decoded_sets(code, words), strict=True):
        assert players in found


@st.composite
def sent_words(draw, more_wrong=0):
    """A code, a set, and parity bits of which some are wrong: together t errors or fewer, then some more."""
    code = Code(draw(st.integers(12, 2000)), draw(st.integers(1, 7)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    order = draw(st.integers(0, code.t))
    n_wrong = (code.t - order if more_wrong else draw(st.integers(0, code.t - order))) + more_wrong
    players = tuple(sorted(rng.choice(code.n_players, order, replace=False).tolist()))
    return code, players, rng.choice(code.n_parity, min(n_wrong, code.n_parity), replace=False)


@given(case=sent_words())
def test_a_term_and_its_wrong_signs_are_up_to_t_errors(case):
    code, players, wrong = case
    assert players in decoded_sets(code, reliabilities(parity_bits(code, players), wrong)[None])[0]


@pytest.mark.parametrize("more", [1, 2])
def test_two_more_signs_may_be_wrong_where_they_are_weak(more):
    @given(case=sent_words(more_wrong=more))
    def check(case):
        code, players, wrong = case
        word = reliabilities(parity_bits(code, players), wrong, weak=wrong[:more])
        assert players in decoded_sets(code, word[None])[0]

    check()


def test_one_error_too_many_is_not_decoded_to_the_set():
    """Without weak signs among the wrong ones there is no way back: the flips do not try the sure bits."""
    code = Code(200, 3)
    wrong = np.arange(6)
    word = reliabilities(parity_bits(code, (5, 80, 190)), wrong, weak=np.arange(10, 20))
    assert (5, 80, 190) not in decoded_sets(code, word[None])[0]


@given(seed=st.integers(0, 10**6), n_players=st.integers(3, 500), t=st.integers(1, 6))
def test_whatever_is_decoded_explains_the_word(seed, n_players, t):
    """A set that is returned for noise is within t errors, plus two flips, of it; every row is a proper set."""
    code = Code(n_players, t)
    words = np.random.default_rng(seed).normal(size=(6, code.n_parity))
    which, players = code.decode(words)
    for word, row in zip(which, players, strict=True):
        chosen = row[row >= 0]
        assert_array_equal(np.sort(row)[::-1], row)
        assert len(set(chosen.tolist())) == len(chosen)
        assert chosen.max(initial=0) < n_players
        wrong = (parity_bits(code, chosen.tolist()) != (words[word] < 0)).sum()
        assert len(chosen) + wrong <= t + 2


def test_many_words_decode_as_they_do_one_by_one():
    code = Code(60, 4)
    words = np.random.default_rng(0).normal(size=(40, code.n_parity)) + 1.0
    together = decoded_sets(code, words)
    assert together == [decoded_sets(code, word[None])[0] for word in words]
    assert sum(len(found) for found in together) > 0


@pytest.mark.parametrize("t", range(1, LARGEST_CORRECTION + 1))
def test_there_is_a_code_for_any_number_of_players(t):
    for n_players in (1, 2, 30, 1000, 1_000_000):
        code = Code(n_players, t)
        assert code.n_parity + n_players <= 2**code.m - 1


def test_too_many_players():
    with pytest.raises(ValueError, match="no code for 10000000 players and 2 errors"):
        _ = Code(10_000_000, 2).m
