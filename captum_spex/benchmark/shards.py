"""A part of a benchmark: parts run one by one, or at once in several processes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from captum_spex.errors import ArgumentError

_TEXT = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``total``: some seeds of some cases, whatever the number of seeds is.

    Example:
        >>> Shard.of("3/12")
        Shard(number=3, total=12)
        >>> sum(Shard(number, 4).has(case=5, seed=2) for number in (1, 2, 3, 4))
        1
    """

    number: int
    total: int

    @classmethod
    def of(cls, text: str) -> Shard:
        """Read ``"3/12"``."""
        found = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ArgumentError("shard", repr(text), "a part of all parts, such as '3/12', from '1/12' to '12/12'")
        return cls(int(found[1]), int(found[2]))

    def has(self, case: int, seed: int) -> bool:
        """Say whether a seed of the case at a position of the plan is in this part."""
        return (case + seed) % self.total == self.number - 1

    @property
    def folder(self) -> str:
        """The name of its folder in that of the benchmark."""
        return f"shard-{self.number}-of-{self.total}"
