"""GF(2^m) against polynomial arithmetic, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from captum_spex.approximators.spex.galois import LARGEST_DEGREE, PRIMITIVE, field


def slow_multiply(a, b, m):
    """Multiply polynomials over GF(2), then reduce by the field's polynomial."""
    product = 0
    for bit in range(m):
        product ^= (a << bit) * (b >> bit & 1)
    for bit in range(2 * m - 2, m - 1, -1):
        product ^= (PRIMITIVE[m] << (bit - m)) * (product >> bit & 1)
    return product


@st.composite
def elements(draw, count, *, smallest=0):
    m = draw(st.integers(2, 12))
    drawn = [draw(st.lists(st.integers(smallest, 2**m - 1), min_size=7, max_size=7)) for _ in range(count)]
    return field(m), *(np.array(one) for one in drawn)


@given(case=elements(3))
def test_multiplication_is_that_of_polynomials(case):
    gf, a, b, _ = case
    assert_array_equal(gf.multiply(a, b), [slow_multiply(int(x), int(y), gf.m) for x, y in zip(a, b, strict=True)])


@given(case=elements(3))
def test_laws_of_a_field(case):
    gf, a, b, c = case
    assert_array_equal(gf.multiply(a, b), gf.multiply(b, a))
    assert_array_equal(gf.multiply(gf.multiply(a, b), c), gf.multiply(a, gf.multiply(b, c)))
    assert_array_equal(gf.multiply(a, b ^ c), gf.multiply(a, b) ^ gf.multiply(a, c))
    assert_array_equal(gf.multiply(a, np.ones_like(a)), a)
    assert_array_equal(gf.multiply(a, np.zeros_like(a)), np.zeros_like(a))


@given(case=elements(2, smallest=1))
def test_division_undoes_multiplication(case):
    gf, a, b = case
    assert_array_equal(gf.multiply(gf.divide(a, b), b), a)
    assert_array_equal(gf.divide(gf.multiply(a, b), b), a)
    assert_array_equal(gf.divide(np.zeros_like(b), b), np.zeros_like(b))


@given(case=elements(1), exponent=st.integers(1, 200))
def test_powers_are_repeated_products(case, exponent):
    gf, a = case
    expected = np.ones_like(a)
    for _ in range(exponent):
        expected = gf.multiply(expected, a)
    assert_array_equal(gf.power(a, exponent), expected)


@given(case=elements(1))
def test_square_roots(case):
    gf, a = case
    assert_array_equal(gf.power(gf.square_root(a), 2), a)
    assert_array_equal(gf.square_root(gf.power(a, 2)), a)


@pytest.mark.parametrize("m", range(2, LARGEST_DEGREE + 1))
def test_every_element_is_a_power_of_the_primitive_one(m):
    gf = field(m)
    powers = gf.exp[: gf.order]
    assert_array_equal(np.sort(powers), np.arange(1, 2**m))
    assert_array_equal(gf.exp[gf.order :], powers)
    assert_array_equal(gf.log[powers], np.arange(gf.order))


@pytest.mark.parametrize("m", range(2, 13))
def test_powers_follow_each_other_by_doubling(m):
    gf = field(m)
    expected = [1]
    while len(expected) < gf.order:
        expected.append(slow_multiply(expected[-1], 2, m))
    assert_array_equal(gf.exp[: gf.order], expected)


@pytest.mark.parametrize("m", range(2, 10))
def test_halves_solve_the_quadratic(m):
    gf = field(m)
    images = {slow_multiply(z, z, m) ^ z for z in range(2**m)}
    solvable = np.array([k in images for k in range(2**m)])
    assert_array_equal(gf.halves >= 0, solvable)
    z = gf.halves[solvable]
    assert_array_equal(gf.multiply(z, z) ^ z, np.flatnonzero(solvable))


@pytest.mark.parametrize("m", range(2, 10))
def test_thirds_solve_the_cubic(m):
    gf = field(m)
    solutions = {k: [] for k in range(2**m)}
    for z in range(2**m):
        solutions[slow_multiply(slow_multiply(z, z, m), z, m) ^ z].append(z)
    expected = [found if len(found) == 3 else [-1] * 3 for found in solutions.values()]
    assert_array_equal(np.sort(gf.thirds, axis=1), expected)


def test_tables_are_made_once():
    assert field(7) is field(7)
