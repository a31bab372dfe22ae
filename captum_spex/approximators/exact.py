"""Enumeration: all coalitions are evaluated and every index is exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.approximators.base import Estimate, Problem, Run, SingleRound
from captum_spex.arrays import Floats
from captum_spex.designs import exhaustive
from captum_spex.errors import BudgetError
from captum_spex.masks import Masks
from captum_spex.model import GameModel, Residuals


@dataclass(frozen=True)
class Exact:
    """Evaluate all ``2**n_players`` coalitions, as `captum_spex.explain` does by itself when the budget allows it.

    Example:
        >>> import captum_spex
        >>> result = captum_spex.explain(lambda m: m[:, 0] * m[:, 1], 2, budget=4, approximator=Exact())
        >>> result[(0,)], result[(0, 1)]
        (0.5, 1.0)
    """

    def start(self, problem: Problem, rng: np.random.Generator) -> Run:
        """Plan the enumeration.

        Raises:
            BudgetError: if the budget is below ``2**n_players``.
        """
        n = problem.n_players
        if problem.budget < 2**n:
            expected = f"at least 2**{n} = {2**n}, as `Exact` evaluates every coalition"
            hint = "Use `ProxySpex()` for an estimate from fewer evaluations."
            raise BudgetError("budget", str(problem.budget), expected, hint)
        return SingleRound(exhaustive(n).masks, _recover)


def _recover(masks: Masks, values: Floats) -> Estimate:
    # Every value is known, so they are the game, and there is nothing to measure a faithfulness on.
    model = GameModel((Residuals(masks, values),))
    return Estimate(model, faithfulness=1.0, diagnostics={"method": "exact: every mask was evaluated"})
