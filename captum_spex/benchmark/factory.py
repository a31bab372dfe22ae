"""This package by the rules of shapiq's benchmarks: an object that approximates a game within a budget."""

from __future__ import annotations

from typing import Any, ClassVar

from captum_spex import checks
from captum_spex.approximators import Approximator, ProxySpex
from captum_spex.benchmark.methods.adapter import RowsGame
from captum_spex.checks import RandomState
from captum_spex.errors import ArgumentError
from captum_spex.explaining import explain
from captum_spex.game import Game
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions

__all__ = ["ProxySpexEstimator", "make"]

_VALUES = ("SV", "BV")  # indices of single players, of which shapiq asks for order 1


def make(
    n: int, *, index: str = "SV", max_order: int | None = None, random_state: RandomState = 0
) -> ProxySpexEstimator:
    """Return an estimator for a leaderboard, which names it by its file: ``captum_spex/benchmark/factory.py:make``.

    Args:
        n: number of players.
        index: what is estimated, see `ProxySpexEstimator`; default: Shapley values.
        max_order: largest order of an interaction; default: 1 for SV and BV, 2 for all others.
        random_state: seed.

    Returns:
        An object that answers ``approximate(budget, game)`` with ``shapiq.InteractionValues``.

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> make(30).index, make(30, index="k-SII").max_order
        ('SV', 2)
    """
    return ProxySpexEstimator(n, max_order=max_order, index=index, random_state=random_state)


class ProxySpexEstimator:
    """`ProxySpex` as an approximator of shapiq, 1.4 to 1.8: the same constructor, the same answer.

    ``shapiq_benchmark.run`` takes the class as one of its ``approximators``, a leaderboard the objects of `make`.

    Args:
        n: number of players.
        max_order: largest order of an interaction; default: 1 for SV and BV, 2 for all others.
        index: one of ``valid_indices``.
        random_state: seed; the same seed gives the same values.
        approximator: the algorithm; default `ProxySpex()`.

    Raises:
        ArgumentError: if an argument cannot be used; UnknownNameError and OrderError are such.

    Example:
        >>> estimator = ProxySpexEstimator(n=12, index="SII", random_state=0)
        >>> values = estimator.approximate(200, lambda masks: 3.0 * masks[:, 1] * masks[:, 4])  # doctest: +SKIP
        >>> round(values[(1, 4)], 2)  # doctest: +SKIP
        3.0
    """

    valid_indices: ClassVar[tuple[str, ...]] = ("SV", "BV", "SII", "BII", "k-SII", "STII", "FSII", "FBII", "CHII")

    def __init__(
        self,
        n: int,
        *,
        max_order: int | None = None,
        index: str = "k-SII",
        random_state: RandomState = None,
        approximator: Approximator | None = None,
    ) -> None:
        self.n = checks.integer("n", n)
        if index not in self.valid_indices:
            raise ArgumentError("index", repr(index), f"one of {', '.join(self.valid_indices)}")
        order = (1 if index in _VALUES else min(2, self.n)) if max_order is None else max_order
        self.index = index
        self.max_order = resolve_index(index, order, self.n).max_order
        self.min_order = 0
        self.random_state = random_state
        self.approximator = ProxySpex() if approximator is None else approximator

    def approximate(self, budget: int, game: Game, **_: Any) -> Any:
        """Estimate the index from at most ``budget`` evaluations; exact from ``2**n`` on.

        Args:
            budget: largest number of masks that are evaluated, at least 2.
            game: from coalitions ``(n_masks, n)``, boolean, to values ``(n_masks,)``; a ``shapiq.Game`` is one.

        Returns:
            The values, with those of no player, as ``shapiq.InteractionValues``.

        Raises:
            ArgumentError: if shapiq is not installed, or the budget is too small for the algorithm.
        """
        from captum_spex.compat.shapiq import interaction_values

        interaction_values()  # says that shapiq is missing before anything is evaluated
        result = explain(
            RowsGame(game, self.n),
            self.n,
            budget=budget,
            index=self.index,
            max_order=self.max_order,
            approximator=self.approximator,
            random_state=self.random_state,
        )
        if not isinstance(result, Interactions):
            raise ArgumentError("game", f"{len(result)} outputs", "a game with one output")
        return result.to_shapiq()
