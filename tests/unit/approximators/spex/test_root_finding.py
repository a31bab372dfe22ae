"""Sets from their power sums: what is found is the set, and what is no set is not found."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from captum_spex.approximators.spex.galois import field
from captum_spex.approximators.spex.root_finding import berlekamp_massey, power_sums, roots


def odd_sums(gf, sets, t):
    """The power sums 1, 3, ..., 2t - 1 of every set, straight from the definition."""
    sums = np.zeros((len(sets), t), dtype=np.int64)
    for row, one in enumerate(sets):
        for column in range(t):
            for element in one:
                sums[row, column] ^= int(gf.power(np.array([element]), 2 * column + 1)[0])
    return sums


def product(gf, one):
    """The coefficients of the product of ``y - x`` over a set, highest first."""
    coefficients = np.array([1])
    for element in one:
        shifted = np.append(coefficients, 0)
        coefficients = shifted ^ np.append(0, gf.multiply(coefficients, np.full(len(coefficients), element)))
    return coefficients


def drawn_sets(m, degree, count, seed):
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(2**m - 1, degree, replace=False) + 1 for _ in range(count)])


@given(m=st.integers(4, 14), t=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_sets_of_up_to_t_elements_come_back(m, t, seed):
    gf = field(m)
    t = min(t, (2**m - 2) // 2)
    for degree in range(1, t + 1):
        sets = drawn_sets(m, degree, 20, seed)
        odd = odd_sums(gf, sets, t)
        locators, degrees = berlekamp_massey(gf, odd)
        assert_array_equal(degrees, degree)
        assert_array_equal(locators[:, : degree + 1], [product(gf, one) for one in sets])
        assert_array_equal(np.sort(roots(gf, locators[:, : degree + 1], odd), axis=1), np.sort(sets, axis=1))


@pytest.mark.parametrize(("m", "t"), [(2, 1), (3, 2), (3, 3), (4, 3), (5, 2), (5, 3)])
def test_every_set_of_a_small_field(m, t):
    gf = field(m)
    for degree in range(1, t + 1):
        sets = list(combinations(range(1, 2**m), degree))
        odd = odd_sums(gf, sets, t)
        locators, degrees = berlekamp_massey(gf, odd)
        assert_array_equal(degrees, degree)
        assert_array_equal(np.sort(roots(gf, locators[:, : degree + 1], odd), axis=1), sets)


@pytest.mark.parametrize("t", range(1, 8))
def test_the_empty_set(t):
    locators, degrees = berlekamp_massey(field(6), np.zeros((3, t), dtype=np.int64))
    assert_array_equal(degrees, 0)
    assert_array_equal(locators, np.eye(1, t + 1, dtype=np.int64).repeat(3, axis=0))


@given(m=st.integers(2, 14), t=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_roots_of_arbitrary_sums_have_these_sums(m, t, seed):
    gf = field(m)
    odd = np.random.default_rng(seed).integers(0, 2**m, size=(300, t))
    locators, degrees = berlekamp_massey(gf, odd)
    for degree in range(1, t + 1):
        rows = np.flatnonzero(degrees == degree)
        found = roots(gf, locators[rows, : degree + 1], odd[rows])
        solved = found[:, 0] >= 0
        assert_array_equal(found[~solved], -1)
        assert_array_equal(found[solved] > 0, True)
        assert_array_equal(np.diff(np.sort(found[solved], axis=1), axis=1) > 0, True)
        assert_array_equal(odd_sums(gf, found[solved], t), odd[rows[solved]])


def test_some_arbitrary_sums_are_those_of_a_set():
    """Among all sums of a small field, exactly as many have roots as there are sets."""
    gf, t = field(4), 2
    odd = np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, t)
    locators, degrees = berlekamp_massey(gf, odd)
    found = [roots(gf, locators[degrees == d, : d + 1], odd[degrees == d]) for d in (1, 2)]
    assert [(one[:, 0] >= 0).sum() for one in found] == [15, 15 * 14 // 2]


@pytest.mark.parametrize("m", [4, 6, 8, 10])
def test_three_roots_that_are_cube_roots(m):
    """``(y + a)^3 = q``, where the formula for cubics has nothing to scale by."""
    gf = field(m)
    third = gf.exp[[0, gf.order // 3, 2 * (gf.order // 3)]]
    rng = np.random.default_rng(m)
    shift, scale = rng.integers(1, 2**m, size=(2, 200))
    sets = gf.multiply(scale[:, None], third[None]) ^ shift[:, None]
    sets = sets[(sets != 0).all(axis=1)]
    locators = np.array([product(gf, one) for one in sets])
    assert_array_equal(gf.power(locators[:, 1], 2), locators[:, 2])  # the case in question
    assert_array_equal(np.sort(roots(gf, locators, odd_sums(gf, sets, 3)), axis=1), np.sort(sets, axis=1))


@pytest.mark.parametrize("m", [3, 4, 5, 6])
def test_cubes_without_three_roots(m):
    """``y^3 = q`` has three roots for a third of all q if 3 divides the order of the group, else never."""
    gf = field(m)
    locators = np.zeros((gf.order, 4), dtype=np.int64)
    locators[:, 0], locators[:, 3] = 1, np.arange(1, 2**m)
    found = roots(gf, locators, np.zeros((gf.order, 3), dtype=np.int64))
    assert (found[:, 0] > 0).sum() == (gf.order // 3 if gf.order % 3 == 0 else 0)
    solved = found[:, 0] > 0
    assert_array_equal(gf.power(found[solved], 3), np.flatnonzero(solved)[:, None].repeat(3, axis=1) + 1)


@pytest.mark.parametrize("degree", [2, 3, 4, 5, 6, 7])
def test_polynomials_that_do_not_split_have_no_roots(degree):
    """A product of distinct factors of degree 1 is solved, its neighbours that lack roots are refused."""
    gf, m = field(8), 8
    locators = np.random.default_rng(degree).integers(0, 2**m, size=(400, degree + 1))
    locators[:, 0] = 1
    values = np.zeros((400, 2**m), dtype=np.int64)
    for column in range(degree + 1):
        values = gf.multiply(values, np.arange(2**m)[None].repeat(400, axis=0)) ^ locators[:, [column]]
    n_roots = (values[:, 1:] == 0).sum(axis=1)
    sums = np.zeros((400, degree + 1), dtype=np.int64)  # Newton's identities; odd ones are what is given
    sums[:, 0] = degree % 2
    for k in range(1, 2 * degree + 1):
        terms = [gf.multiply(locators[:, i], sums[:, k - i]) for i in range(1, min(k - 1, degree) + 1)]
        own = locators[:, k] * (k % 2) if k <= degree else 0
        sums = np.column_stack([sums[:, :k], np.bitwise_xor.reduce([own + np.zeros(400, dtype=np.int64), *terms])])
    found = roots(gf, locators, sums[:, 1::2])
    assert_array_equal(found[:, 0] > 0, n_roots == degree)


@given(m=st.integers(2, 12), t=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_power_sums_of_even_order_are_squares(m, t, seed):
    gf = field(m)
    one = drawn_sets(m, min(3, 2**m - 1), 1, seed)[0]
    expected = [np.bitwise_xor.reduce(gf.power(one, k)) for k in range(1, 2 * t + 1)]
    assert_array_equal(power_sums(gf, odd_sums(gf, [one], t))[0], expected)
