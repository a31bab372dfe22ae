"""The methods of this package."""

from __future__ import annotations

from dataclasses import dataclass

from captum_spex.approximators import Approximator, ProxySpex, Spex
from captum_spex.benchmark._protocol import Answer, Request
from captum_spex.benchmark.methods._adapter import of_groups
from captum_spex.errors import ArgumentError
from captum_spex.explaining import check_plan, explain
from captum_spex.game import Game
from captum_spex.interactions import Interactions


@dataclass(frozen=True)
class Ours:
    """An approximator, as `captum_spex.explain` runs it: with a budget of ``2**n_players`` every mask is evaluated.

    Attributes:
        name: what it is called in results.
        approximator: the algorithm.
        package: the distribution it comes from.
    """

    name: str
    approximator: Approximator
    package: str = "captum-spex"

    def missing(self) -> str | None:
        """Say why it cannot be used here: it always can."""
        return None

    def refusal(self, request: Request) -> str | None:
        """Say why it cannot answer this request; None if it can."""
        try:
            check_plan(request.n_players, request.budget, "SII", _order(request), self.approximator)
        except ArgumentError as error:
            return str(error)
        return None

    def __call__(self, game: Game, request: Request) -> Answer:
        """Explain a game; the Shapley values are the SII of the single players."""
        result = explain(
            game,
            request.n_players,
            budget=request.budget,
            index="SII",
            max_order=_order(request),
            approximator=self.approximator,
            random_state=request.seed,
        )
        if not isinstance(result, Interactions):
            raise ArgumentError("game", f"{len(result)} outputs", "a game with one output")
        return Answer(result.model, result.first_order(), of_groups(result))


def _order(request: Request) -> int:
    return min(request.max_order, request.n_players)


METHODS = (
    Ours("Spex", Spex()),
    Ours("ProxySpex", ProxySpex()),
    Ours("ProxySpex gaussian-process", ProxySpex(proxy="gaussian-process")),
    Ours("ProxySpex boosted-trees", ProxySpex(proxy="boosted-trees")),
    Ours("ProxySpex as published", ProxySpex.as_published()),
)
