"""What an approximator is: asks for masks, receives their values, recovers the game."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.game import ValueTable
from captum_spex.indices import Index
from captum_spex.masks import MaskBlocks, Masks
from captum_spex.model import RecoveredGame


@dataclass(frozen=True)
class Problem:
    """What is known before the first evaluation."""

    n_players: int
    budget: int
    index: Index
    target: float | None = None
    """Faithfulness at which to stop before the budget is spent."""
    report: Callable[[int, int], None] | None = field(default=None, compare=False, repr=False)
    """Called with how many outputs are fitted, and how many there are; ``None``: nobody watches."""


@dataclass(frozen=True)
class Estimate:
    """What was recovered of one output of a game.

    Attributes:
        model: the recovered game.
        faithfulness: R² of predictions for uniformly random masks by fits that did not see them; NaN if too few masks
            were evaluated to hold any out.
        diagnostics: what the algorithm chose, for people.
    """

    model: RecoveredGame
    faithfulness: float
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Again:
    """Masks to evaluate once more, to see how far the values repeat; they count as evaluations."""

    masks: Masks


class Run(Protocol):
    """The state of one run: ``ask``, evaluate, ``tell``, until ``ask`` returns ``None``; then ``result``."""

    def ask(self) -> Masks | MaskBlocks | Again | None:
        """Return the next masks to evaluate, or ``None`` when nothing more is wanted."""

    def tell(self, values: Floats) -> None:
        """Receive the values ``(n_masks, n_outputs)`` of the masks asked for last."""

    def result(self) -> list[Estimate]:
        """Return what was recovered, one for each output."""


class Approximator(Protocol):
    """An immutable description of an algorithm."""

    def start(self, problem: Problem, rng: np.random.Generator) -> Run:
        """Check everything that can be checked without the game, and return the state of a new run.

        Raises:
            BudgetError: if the budget is too small for the algorithm.
        """


@runtime_checkable
class TableApproximator(Protocol):
    """An algorithm that can learn from masks that it did not choose."""

    def fit(self, table: ValueTable, rng: np.random.Generator) -> list[Estimate]:
        """Return what was recovered of a table of masks and values, one for each output."""


@dataclass
class SingleRound:
    """A run that asks once: a fixed set of masks, then a function that recovers the game from all values."""

    masks: Masks | MaskBlocks
    recover: Any  # (masks, values of one output) -> Estimate
    values: Floats | None = None
    _asked: bool = False

    def ask(self) -> Masks | MaskBlocks | None:
        """Return the masks the first time, ``None`` after that."""
        if self._asked:
            return None
        self._asked = True
        return self.masks

    def tell(self, values: Floats) -> None:
        """Receive the values of all masks."""
        self.values = values

    def result(self) -> list[Estimate]:
        """Recover every output."""
        if self.values is None:
            raise RuntimeError("`result` was called before `tell`")
        return [self.recover(self.masks, column) for column in self.values.T]
