"""Samples of products hold what they promise."""

from __future__ import annotations

from itertools import combinations, product
from math import prod

import pytest
from hypothesis import settings
from sampled import crossed, every_pair, every_value, is_thorough, some

SIZES = [(3,), (7, 2), (2, 7, 8), (9, 9), (1, 4, 1, 3), (18, 5, 3)]


@pytest.mark.parametrize("sizes", SIZES)
def test_every_value_of_every_axis_occurs(sizes):
    rows = every_value(sizes)
    assert len(rows) == max(sizes)
    assert [set(column) for column in zip(*rows, strict=True)] == [set(range(size)) for size in sizes]


@pytest.mark.parametrize("sizes", SIZES)
def test_every_pair_of_values_of_two_axes_occurs(sizes):
    rows = every_pair(sizes)
    for one, other in combinations(range(len(sizes)), 2):
        found = {(row[one], row[other]) for row in rows}
        assert found == set(product(range(sizes[one]), range(sizes[other])))
    assert len(set(rows)) == len(rows) <= 1.5 * prod(sorted(sizes)[-2:])


def test_the_profile_decides_how_much_is_tried():
    few, many = {"a": 1, "b": 2, "c": 3}, range(4)
    mark = crossed(letter=few, number=many)
    ids = [parameter.id for parameter in mark.args[1]]
    assert mark.args[0] == ("letter", "number")
    assert len(set(ids)) == len(ids) == (12 if is_thorough() else 4)
    assert {name.split("-")[0] for name in ids} == set(few)
    assert some(range(100), 3) == (list(range(100)) if is_thorough() else [0, 50, 99])
    assert settings().max_examples == (100 if is_thorough() else 8)
