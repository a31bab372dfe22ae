"""Which files of tests are begun first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest


def begun_with(files: Sequence[str], items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return tests with those of some files, named without ending, first; the others stay in their order."""
    place = {file: number for number, file in enumerate(files)}
    return sorted(items, key=lambda item: place.get(item.path.stem, len(place)))
