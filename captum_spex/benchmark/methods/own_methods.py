"""The methods of this package."""

from __future__ import annotations

from typing import Any

from captum_spex.approximators import Approximator, ProxySpex, Spex
from captum_spex.benchmark.methods.adapter import Adapter, RowsGame, of_groups
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED, Answer, Request
from captum_spex.errors import ArgumentError
from captum_spex.explaining import check_plan, explain
from captum_spex.interactions import Interactions


def _method(name: str, approximator: Approximator) -> Adapter:
    """Run an approximator as `captum_spex.explain` does: with a budget of ``2**n_players`` every mask is evaluated."""

    def refusal(request: Request) -> str | None:
        try:
            check_plan(request.n_players, request.budget, "SII", request.order, approximator)
        except ArgumentError as error:
            return str(error)
        return None

    def explained(game: RowsGame, request: Request) -> Answer:
        settings: dict[str, Any] = {"index": "SII", "max_order": request.order, "approximator": approximator}
        result = explain(game, request.n_players, budget=request.budget, random_state=request.seed, **settings)
        if not isinstance(result, Interactions):
            raise ArgumentError("game", f"{len(result)} outputs", "a game with one output")
        return Answer(result.model, result.first_order(), of_groups(result))  # SII of single players: Shapley values

    return Adapter(
        name, PACKAGE, f"captum_spex.approximators.{type(approximator).__name__}", explained, refusal, sparse=True
    )


METHODS = (
    _method("Spex", Spex()),
    _method(OURS, ProxySpex()),
    _method(f"{OURS} gaussian-process", ProxySpex(proxy="gaussian-process")),
    _method(f"{OURS} boosted-trees", ProxySpex(proxy="boosted-trees")),
    _method(PUBLISHED, ProxySpex.as_published()),
)
