"""The methods of this package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from captum_spex.approximators import Approximator, ProxySpex, Spex
from captum_spex.benchmark.methods.adapter import of_groups
from captum_spex.benchmark.protocol import Answer, Request
from captum_spex.errors import ArgumentError
from captum_spex.explaining import check_plan, explain
from captum_spex.game import Game
from captum_spex.interactions import Interactions


@dataclass(frozen=True)
class Own:
    """An approximator, as `captum_spex.explain` runs it: with a budget of ``2**n_players`` every mask is evaluated."""

    name: str
    approximator: Approximator
    package: str = "captum-spex"

    def missing(self) -> str | None:
        """It can always be used."""
        return None

    def refusal(self, request: Request) -> str | None:
        """Say why it cannot answer this request; None if it can."""
        try:
            check_plan(request.n_players, request.budget, "SII", request.order, self.approximator)
        except ArgumentError as error:
            return str(error)
        return None

    def __call__(self, game: Game, request: Request) -> Answer:
        """Explain a game; the Shapley values are the SII of the single players."""
        settings: dict[str, Any] = {"max_order": request.order, "approximator": self.approximator}
        result = explain(
            game, request.n_players, budget=request.budget, index="SII", random_state=request.seed, **settings
        )
        if not isinstance(result, Interactions):
            raise ArgumentError("game", f"{len(result)} outputs", "a game with one output")
        return Answer(result.model, result.first_order(), of_groups(result))


METHODS = (
    Own("Spex", Spex()),
    Own("ProxySpex", ProxySpex()),
    Own("ProxySpex gaussian-process", ProxySpex(proxy="gaussian-process")),
    Own("ProxySpex boosted-trees", ProxySpex(proxy="boosted-trees")),
    Own("ProxySpex as published", ProxySpex.as_published()),
)
