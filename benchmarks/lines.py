"""What the benchmark scripts print: a line for each figure, with its target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar


def verdict(reached: bool | None) -> str:
    """Return whether a target was reached, in words; nothing where there is none."""
    return {None: "", True: "reached", False: "NOT reached"}[reached]


@dataclass(frozen=True)
class Line:
    """One line of a table; ``reached`` is None where there is no target."""

    widths: ClassVar[tuple[int, int, int]] = (62, 20, 12)
    what: str
    figure: str
    target: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        what, figure, target = self.widths
        return (
            f"{self.what:<{what}}  {self.figure:>{figure}}  {self.target:>{target}}  {verdict(self.reached)}".rstrip()
        )


def seconds(function: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
