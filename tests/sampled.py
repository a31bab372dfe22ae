"""How much the tests try: a little by default, all of it in the hypothesis profile ``thorough``.

A law that holds for every algorithm, index and budget is stated over their product. By default a sample of it is
tested, the same in every run, in which each value occurs; ``HYPOTHESIS_PROFILE=thorough`` tests the whole product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import settings

Row = tuple[int, ...]
Axis = Mapping[str, Any] | Iterable[Any]


def is_thorough() -> bool:
    """Whether everything is tried, however long it takes."""
    return settings.get_current_profile_name() == "thorough"


def examples(factor: float) -> settings:
    """As many examples of a property as usual, times a factor: for those that need more, or can do with fewer."""
    return settings(max_examples=max(1, round(factor * settings().max_examples)))


def crossed(*, pairs: bool = False, **axes: Axis) -> pytest.MarkDecorator:
    """Parametrise a test by the product of the axes, or by a sample of it in which every value of every axis occurs.

    An axis is the values of one argument, or a dict from their names to the values. With ``pairs``, every pair of
    values of two axes occurs in the sample too.
    """
    named = {argument: _named(axis) for argument, axis in axes.items()}
    rows = _rows([len(values) for values in named.values()], pairs=pairs)
    cases = [[values[place] for values, place in zip(named.values(), row, strict=True)] for row in rows]
    parameters = [pytest.param(*(value for _, value in case), id="-".join(name for name, _ in case)) for case in cases]
    return pytest.mark.parametrize(tuple(named), parameters)


def some(values: Iterable[Any], most: int) -> list[Any]:
    """All values, or a sample of at most so many by default: the first, the last, and others between them."""
    every = list(values)
    if is_thorough() or len(every) <= most:
        return every
    return [every[round(k * (len(every) - 1) / (most - 1))] for k in range(most)]


def _named(axis: Axis) -> list[tuple[str, Any]]:
    """The values of an axis with their names."""
    if isinstance(axis, Mapping):
        return list(axis.items())
    return [(str(getattr(value, "__name__", value)), value) for value in axis]


def _rows(sizes: Sequence[int], *, pairs: bool) -> list[Row]:
    """The places along the axes of the cases that are tested."""
    if is_thorough():
        return list(product(*map(range, sizes)))
    return sorted(every_pair(sizes) if pairs else every_value(sizes))


def every_value(sizes: Sequence[int]) -> list[Row]:
    """As few rows as possible in which each place along each axis occurs, those of a short axis equally often."""
    columns = [[row % size for row in range(max(sizes))] for size in sizes]
    for axis, column in enumerate(columns):
        Random(axis).shuffle(column)
    return list(zip(*columns, strict=True))


def every_pair(sizes: Sequence[int]) -> list[Row]:
    """Rows in which each pair of places along two axes occurs: greedily, those first that hold most pairs to come."""
    left = {pair for row in product(*map(range, sizes)) for pair in _pairs_of(row)}
    candidates = list(product(*map(range, sizes)))
    Random(0).shuffle(candidates)
    rows = []
    while left:
        row = max(candidates, key=lambda candidate: len(left & _pairs_of(candidate)))
        rows.append(row)
        left -= _pairs_of(row)
    return rows


def _pairs_of(row: Row) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """The pairs of (axis, place) that a row holds."""
    places = list(enumerate(row))
    return {(one, other) for one in places for other in places[one[0] + 1 :]}
