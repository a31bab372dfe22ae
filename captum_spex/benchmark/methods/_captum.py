"""Captum's methods, on a tensor that holds 1 for every player, with baselines 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from captum_spex.arrays import Floats
from captum_spex.benchmark._protocol import Answer, Request
from captum_spex.benchmark.methods._adapter import Adapter, Additive, AskedGame, Explain, Limit

_ROWS_PER_CALL = 1024


def _forward(game: AskedGame) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda rows: torch.from_numpy(game(rows.numpy()))


def _attributed(method: Any, request: Request, **settings: Any) -> Floats:
    found = method.attribute(
        torch.ones(1, request.n_players), perturbations_per_eval=_rows_per_call(request), **settings
    )
    return found.detach().numpy().astype(np.float64).reshape(-1)


def _rows_per_call(request: Request) -> int:
    """Rows of a call: as many as fit into 64 MiB of single precision."""
    return max(1, min(_ROWS_PER_CALL, (1 << 24) // request.n_players))


def _kernel_shap(game: AskedGame, request: Request) -> Answer:
    """Explain by regression: ``n_samples`` are rows, those with no player and with all among them."""
    from captum.attr import KernelShap

    settings = {"n_samples": request.budget, "return_input_shape": False}
    values = _attributed(KernelShap(_forward(game)), request, **settings)
    return Answer(Additive(game.of_none, values), values)


def _lime(game: AskedGame, request: Request) -> Answer:
    """Fit Captum's default, a lasso with weights by distance: a linear game, whose values are no Shapley values.

    Besides its ``n_samples`` rows it looks at the input once.
    """
    from captum._utils.models.linear_model import SkLearnLasso
    from captum.attr import Lime

    linear = SkLearnLasso(alpha=0.01)  # the default, held here as `attribute` does not return its intercept
    settings = {"n_samples": request.budget - 1, "return_input_shape": False}
    values = _attributed(Lime(_forward(game), interpretable_model=linear), request, **settings)
    return Answer(Additive(float(linear.bias().detach().reshape(-1)[0]), values))


def _sampling(game: AskedGame, request: Request) -> Answer:
    """Explain by permutations: ``n_players - 1`` masks each, and those with no player and with all once."""
    from captum.attr import ShapleyValueSampling

    n_permutations = (request.budget - 2) // max(1, request.n_players - 1)
    values = _attributed(ShapleyValueSampling(_forward(game)), request, n_samples=max(1, n_permutations))
    return Answer(Additive(game.of_none, values), values)


def _ablation(game: AskedGame, request: Request) -> Answer:
    """Leave out one player at a time: no Shapley values, and a game that starts from all players."""
    from captum.attr import FeatureAblation

    values = _attributed(FeatureAblation(_forward(game)), request)
    return Answer(Additive(game.of_all - float(values.sum()), values))


def _from_two_players(request: Request) -> str | None:
    return "needs two players" if request.n_players < 2 else None


def _one_each(request: Request) -> str | None:
    needed = request.n_players + 1
    return f"needs {needed:,} evaluations" if request.budget < needed else None


def _method(name: str, explain: Explain, limit: Limit) -> Adapter:
    return Adapter(f"Captum {name}", "captum", f"captum.attr.{name}", explain, limit)


METHODS = (
    _method("KernelShap", _kernel_shap, _from_two_players),
    _method("Lime", _lime, _from_two_players),
    _method("ShapleyValueSampling", _sampling, _one_each),
    _method("FeatureAblation", _ablation, _one_each),
)
