"""How much the tests try: a little by default, all of it in the hypothesis profile ``thorough``.

A law that holds for every algorithm, index and budget is stated over their product, by several ``parametrize``. With
the mark ``sampled`` a part of the product is tested by default, the same in every run, in which each value of each
argument occurs; with ``sampled(pairs=True)``, each pair of values of two arguments. ``HYPOTHESIS_PROFILE=thorough``
tests it all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import combinations, product
from random import Random
from typing import Any

import pytest
from hypothesis import settings

MARK = "sampled(pairs=False): by default only a part of the product of the arguments' values is tested"
Part = tuple[Any, ...]


IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
"""Whether everything is tried, however long it takes."""


def either(usual: Any, thorough: Any) -> Any:
    """Return what is usual, or what the thorough profile wants instead."""
    return thorough if IS_THOROUGH else usual


def crossed(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the product of the axes, or by default as few of its rows as hold every value of every axis.

    A shorter axis is repeated along the longest one, each time moved on by one: two axes whose lengths divide each
    other do not always meet in the same pairs.
    """
    if IS_THOROUGH:
        return list(product(*axes))
    longest = max(map(len, axes))
    return [tuple(axis[(row + row // len(axis)) % len(axis)] for axis in axes) for row in range(longest)]


def examples(factor: float) -> settings:
    """As many examples of a property as usual, times a factor: for those that need more, or can do with fewer."""
    return settings(max_examples=max(1, round(factor * settings().max_examples)))


def some(values: Iterable[Any], most: int) -> list[Any]:
    """All values, or by default a sample of so many: the first, the last, and others evenly between them."""
    every = list(values)
    if IS_THOROUGH or len(every) <= most:
        return every
    return [every[round(k * (len(every) - 1) / max(1, most - 1))] for k in range(most)]


def thinned(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests that are run, in their order: of those with the mark ``sampled``, a sample of each function's."""
    functions: dict[Any, list[pytest.Function]] = {}
    for item in items if not IS_THOROUGH else ():
        if item.get_closest_marker("sampled") and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            functions.setdefault((item.parent, item.originalname), []).append(item)
    left_out = {item for ones in functions.values() for item in ones} - {
        item for ones in functions.values() for item in _sample(ones)
    }
    return [item for item in items if item not in left_out]


def _sample(tests: Sequence[pytest.Function]) -> list[pytest.Function]:
    """Of the tests of one function, enough for every value, or every pair of values."""
    mark = tests[0].get_closest_marker("sampled")
    size = 2 if mark is not None and mark.kwargs.get("pairs") else 1
    return [tests[row] for row in covering([_entries(test) for test in tests], size)]


def _entries(test: pytest.Function) -> Part:
    """What each ``parametrize`` gives to a test: the same objects to all tests of a function."""
    names = [mark.args[0] for mark in test.iter_markers("parametrize")]
    split = [tuple(one.replace(",", " ").split()) if isinstance(one, str) else tuple(one) for one in names]
    return tuple((one, *(id(test.callspec.params[name]) for name in one)) for one in split)


def covering(rows: Sequence[Part], size: int = 1) -> list[int]:
    """Numbers of rows that hold all parts of so many entries: greedily, always the row with most new ones."""
    parts = [set(combinations(row, min(size, len(row)))) for row in rows]
    order = list(range(len(rows)))
    Random(0).shuffle(order)
    left, chosen = set().union(*parts), []
    while left:
        chosen.append(max(order, key=lambda row: len(left & parts[row])))
        left -= parts[chosen[-1]]
    return sorted(chosen)
