"""Rounds of masks: how many there are after each, and when the faithfulness is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.settings import SETTINGS

FEWEST_MASKS = 16
"""Masks below which most proxies learn nothing, and none of them can be checked: the faithfulness is unknown."""


def first_round(n_players: int) -> int:
    """Return how many masks are evaluated before a faithfulness is looked at, with an automatic budget."""
    return min(max(SETTINGS.first_round, SETTINGS.first_per_player * n_players), 2 ** min(n_players, 62))


def n_replicates(budget: int) -> int:
    """Return how many evaluations of a noisy game are second ones."""
    return min(int(np.clip(SETTINGS.replicated * budget, *SETTINGS.replicates)), budget // 3)


def growing_sizes(first: int, budget: int) -> list[int]:
    """Return how many masks there are after each round of an automatic budget."""
    sizes = [min(first, budget)]
    while sizes[-1] < budget:
        sizes.append(min(ceil(SETTINGS.growth * sizes[-1]), budget))
    return sizes


def fixed_sizes(n_rounds: int, budget: int) -> list[int]:
    """Return how many masks there are after each of ``n_rounds``: even numbers, as masks come in pairs."""
    if n_rounds == 1:
        return [budget]
    first = int(SETTINGS.first_share * budget) & ~1
    steps = np.linspace(first, budget, n_rounds).round().astype(int).tolist()
    return [*(size & ~1 for size in steps[:-1]), budget]


@dataclass
class Rounds:
    """The progress of a run through its rounds.

    Attributes:
        sizes: how many distinct masks there are after every round.
        target: faithfulness above which no further round is wanted.
        estimate: estimates every output from all values so far.
        n_done: rounds that were begun.
        curve: masks, faithfulness and its lower bound after each round, of the worst output.
    """

    sizes: Sequence[int]
    target: float | None
    estimate: Callable[[], list[Estimate]]
    n_done: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    _estimates: list[Estimate] | None = None

    @property
    def size(self) -> int:
        """Number of masks after the rounds so far."""
        return self.sizes[self.n_done - 1] if self.n_done else 0

    def next_size(self) -> int | None:
        """Begin the next round; return how many masks there are after it, ``None`` if no more are wanted."""
        if self.n_done == len(self.sizes) or (self.n_done and self._is_enough()):
            return None
        self.n_done += 1
        self.forget()
        return self.size

    def forget(self) -> None:
        """Drop the estimates: there are new values."""
        self._estimates = None

    def result(self) -> list[Estimate]:
        """Return an estimate of every output, with the curve among its diagnostics if there is a target."""
        estimates = self._estimated()
        if self.target is None:
            return estimates
        if not self.curve or self.curve[-1][0] < self.size:
            self._is_enough()
        return [replace(one, diagnostics={**one.diagnostics, "curve": self.curve}) for one in estimates]

    def _estimated(self) -> list[Estimate]:
        if self._estimates is None:
            self._estimates = self.estimate()
        return self._estimates

    def _is_enough(self) -> bool:
        """Whether every output's faithfulness is above the target with confidence, after the masks so far."""
        if self.target is None:
            return False
        worst = min(self._estimated(), key=lambda one: one.diagnostics.get("lower", float("-inf")))
        self.curve.append((self.size, worst.faithfulness, worst.diagnostics["lower"]))
        return bool(worst.diagnostics["lower"] >= self.target)
