"""How much the tests try: a part by default, everything in the profile ``thorough`` (``HYPOTHESIS_PROFILE``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from typing import Any

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


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
