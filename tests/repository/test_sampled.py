"""Samples of products hold what they promise."""

from __future__ import annotations

from itertools import combinations, product
from math import prod

import pytest
from hypothesis import settings
from sampled import IS_THOROUGH, covering, some

SIZES = [(3,), (7, 2), (2, 7, 8), (9, 9), (1, 4, 1, 3), (18, 5, 3)]
SEEN = set()


def entries(sizes):
    """All rows of a product, with the number of the axis in each entry."""
    return list(product(*([(axis, place) for place in range(size)] for axis, size in enumerate(sizes))))


@pytest.mark.parametrize("sizes", SIZES)
def test_every_value_of_every_axis_occurs(sizes):
    rows = entries(sizes)
    chosen = [rows[number] for number in covering(rows)]
    assert len(chosen) == max(sizes)
    assert {entry for row in chosen for entry in row} == {entry for row in rows for entry in row}


@pytest.mark.parametrize("sizes", SIZES)
def test_every_pair_of_values_of_two_axes_occurs(sizes):
    rows = entries(sizes)
    chosen = [rows[number] for number in covering(rows, 2)]
    for one, other in combinations(range(len(sizes)), 2):
        assert {(row[one], row[other]) for row in chosen} == {(row[one], row[other]) for row in rows}
    assert len(set(chosen)) == len(chosen) <= 1.5 * prod(sorted(sizes)[-2:])


def test_rows_that_are_no_whole_product():
    assert covering([("a", "x"), ("b", "y"), ("b", "x")]) == [0, 1]
    assert covering([]) == []


@pytest.mark.sampled
@pytest.mark.parametrize("letter", "abc")
@pytest.mark.parametrize("number", range(4))
def test_a_mark_makes_a_sample(letter, number):
    SEEN.add((letter, number))


def test_the_profile_decides_how_much_is_tried():
    if SEEN:  # the test before ran, too
        assert len(SEEN) == (12 if IS_THOROUGH else 4)
    assert some(range(100), 3) == (list(range(100)) if IS_THOROUGH else [0, 50, 99])
    assert settings().max_examples == (100 if IS_THOROUGH else 8)
