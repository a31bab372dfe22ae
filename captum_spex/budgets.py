"""What is evaluated where nobody names a number: some masks, or all of them where that takes no longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, comb, log2
from typing import Any

import numpy as np

from captum_spex.approximators import Approximator, Exact, Problem, ProxySpex
from captum_spex.arrays import Floats
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.evaluation.store import Store


@dataclass(frozen=True)
class Limits:
    """Sizes that decide about masks when nobody names their number."""

    fewest_evaluations: int = 512  # smallest default budget, unless all masks are fewer
    enumerated_players: int = 26  # most players whose masks, all of them, fit into memory
    timed_players: int = 16  # most players whose masks are all evaluated where that takes no longer
    cells: int = 1 << 24  # values of all masks, all outputs counted, 128 MiB; with more the number is kept
    patient_players: int = 12  # up to which it may also take longer: an exact answer is worth a wait, by at most
    patience: float = 10.0  # seconds for all games of a call together, or for each game
    patient_fits: float = 2.0  # times the fit of an estimate


@dataclass(frozen=True)
class Law:
    """Seconds on one core of 2.5 GHz, as ``python -m benchmarks.waiting`` measures them, taken a little too low.

    Attributes:
        fit: of `ProxySpex` to 512 evaluations of 10 to 16 players, the fastest of several kinds of games; nearly the
            same for 256 to 1,024, as all it searches for does not depend on their number.
        further_output: of an output that goes together with the first.
        conversion: of all masks to an index, for a mask and a subset of a set of players.
    """

    fit: float = 0.6
    further_output: float = 0.1
    conversion: float = 1.5e-9

    def estimate_seconds(self, n_outputs: int) -> float:
        """Return how long the fit to the values of a game takes at least, its varying outputs counted."""
        return self.fit + self.further_output * (n_outputs - 1) if n_outputs else 0.0

    def exact_seconds(self, n_players: int, max_order: int, n_outputs: int) -> float:
        """Return how long all masks take, once they are evaluated."""
        n_subsets = sum(comb(n_players, order) * 2**order for order in range(max_order + 1))
        return self.conversion * 2**n_players * n_subsets * n_outputs


LIMITS, LAW = Limits(), Law()
_CHOICE = "all masks"  # in a store


def default_budget(n_players: int) -> int:
    """Return the number of evaluations that is used when none is given, unless all masks are (`DefaultBudget`).

    ``max(512, 4 n log2(n))``, the smallest multiple that the ProxySPEX paper studies, and never more than ``2**n``.
    """
    wanted = max(LIMITS.fewest_evaluations, ceil(4 * n_players * log2(max(n_players, 2))))
    return max(2, min(wanted, 2 ** min(n_players, 62)))


class DefaultBudget:
    """A number of evaluations that nobody asked for: where evaluating all masks takes no longer, that is done instead.

    After the first evaluations it is known what one takes. All ``2**n`` masks of up to 16 players are evaluated where
    that takes no longer than the rest of an estimate, the fit included; of up to 12 players also where it takes up to
    ten seconds longer. What was decided for the first game holds for all that are explained with the same object.

    Args:
        n_evaluations: the number.
        n_games: how many games are explained with it.

    Example:
        >>> import captum_spex
        >>> captum_spex.explain(lambda m: 2.0 * m[:, 0] * m[:, 9], 10, budget=DefaultBudget(512)).n_evaluations
        1024
    """

    def __init__(self, n_evaluations: int, n_games: int = 1) -> None:
        self.n_evaluations = n_evaluations
        self.n_games = n_games
        self.takes_all: bool | None = None

    @classmethod
    def of(cls, n_players: int, approximator: Approximator | None) -> DefaultBudget:
        """Return the default for an algorithm: all masks for `Exact`."""
        is_exact = isinstance(approximator, Exact) and n_players <= LIMITS.enumerated_players
        return cls(2**n_players if is_exact else default_budget(n_players))

    def is_open(self, problem: Problem, game: GameAdapter, approximator: Approximator | None, backend: Any) -> bool:
        """Whether all masks may be evaluated: of a game of this process, by an algorithm that nobody chose."""
        is_here = backend is None and game.answer_each is None and game.make_executor is None
        spared = game.noisy or game.keeps_budget
        # Beside the full and the empty mask there must be others, to see whether values repeat.
        is_small = 2 < self.n_evaluations < 2**problem.n_players and problem.n_players <= LIMITS.timed_players
        return is_small and is_here and not spared and _is_default(approximator)

    def remember(self, store: Store | None) -> bool | None:
        """Return what was decided: for a game before, or in an earlier run with the same store."""
        if self.takes_all is None and store is not None:
            self.takes_all = store.choice(_CHOICE)
        return self.takes_all

    def decide(
        self,
        problem: Problem,
        values: Floats,
        seconds: float | None,
        repeats: Callable[[], bool],
        store: Store | None = None,
    ) -> bool:
        """Decide whether all masks are evaluated, after the first values, of which each took so many seconds.

        Where nothing was evaluated, as a store had all values, the number is kept; also where values do not repeat: an
        estimate shows by its faithfulness what would be called exact.
        """
        if seconds is None:
            return False
        self.takes_all = self._is_worth_it(problem, values, seconds) and repeats()
        if store is not None:
            self.takes_all = store.choose(_CHOICE, self.takes_all)
        return self.takes_all

    def _is_worth_it(self, problem: Problem, values: Floats, seconds: float) -> bool:
        n, n_all = problem.n_players, 2**problem.n_players
        if n_all * values.shape[1] > LIMITS.cells:
            return False
        converting = LAW.exact_seconds(n, problem.index.max_order, values.shape[1])
        longer = seconds * (n_all - self.n_evaluations) + converting
        fit = LAW.estimate_seconds(int((np.ptp(values, axis=0) > 0).sum()))
        if n > LIMITS.patient_players:
            return longer <= fit
        return longer <= max(LIMITS.patience / self.n_games, LIMITS.patient_fits * fit)


def _is_default(approximator: Approximator | None) -> bool:
    """Whether an algorithm is the one that is taken when none is given, on whatever device and with whatever effort."""
    if not isinstance(approximator, ProxySpex):
        return approximator is None
    return replace(approximator, device=None, effort="default") == ProxySpex()
