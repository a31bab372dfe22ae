"""Captum's methods, on a tensor that holds 1 for every player, with baselines 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from captum_spex.arrays import Floats
from captum_spex.benchmark.methods.adapter import Adapter, Additive, Explain, Limit, RowsGame, needs
from captum_spex.benchmark.protocol import Answer, Request

_MOST_ROWS, _MOST_CELLS = 1024, 1 << 24  # of a call: 64 MiB of single precision


def _attributed(method: Any, game: RowsGame, request: Request, arguments: Any = None, **settings: Any) -> Floats:
    """Return the attributions of a method, a class of Captum's."""
    explainer = method(lambda rows: torch.from_numpy(game(rows.numpy())), **(arguments or {}))
    n_rows = max(1, min(_MOST_ROWS, _MOST_CELLS // request.n_players))
    found = explainer.attribute(torch.ones(1, request.n_players), perturbations_per_eval=n_rows, **settings)
    return found.detach().numpy().astype(np.float64).reshape(-1)


def _kernel_shap(game: RowsGame, request: Request) -> Answer:
    """Explain by regression: ``n_samples`` are rows, those with no player and with all among them."""
    from captum.attr import KernelShap

    values = _attributed(KernelShap, game, request, n_samples=request.budget, return_input_shape=False)
    return Answer(Additive(game.of_none(), values), values)


def _lime(game: RowsGame, request: Request) -> Answer:
    """Fit Captum's default, a lasso with weights by distance: a linear game; its values are not Shapley values.

    Besides its ``n_samples`` rows it evaluates the input once.
    """
    from captum._utils.models.linear_model import SkLearnLasso
    from captum.attr import Lime

    linear = SkLearnLasso(alpha=0.01)  # the default, held here as `attribute` does not return its intercept
    arguments = {"interpretable_model": linear}
    settings = {"n_samples": request.budget - 1, "return_input_shape": False}
    values = _attributed(Lime, game, request, arguments, **settings)
    return Answer(Additive(float(linear.bias().detach().reshape(-1)[0]), values))


def _sampling(game: RowsGame, request: Request) -> Answer:
    """Explain by permutations: ``n_players - 1`` masks each, and those with no player and with all once."""
    from captum.attr import ShapleyValueSampling

    n_permutations = (request.budget - 2) // max(1, request.n_players - 1)
    values = _attributed(ShapleyValueSampling, game, request, n_samples=max(1, n_permutations))
    return Answer(Additive(game.of_none(), values), values)


def _ablation(game: RowsGame, request: Request) -> Answer:
    """Leave out one player at a time: not Shapley values, and a game that starts from all players."""
    from captum.attr import FeatureAblation

    values = _attributed(FeatureAblation, game, request)
    return Answer(Additive(game.of_all() - float(values.sum()), values))


def _from_two_players(request: Request) -> str | None:
    return "needs two players" if request.n_players < 2 else None


def _one_each(request: Request) -> str | None:
    return needs(request.n_players + 1, request)


def _method(name: str, explain: Explain, limit: Limit) -> Adapter:
    return Adapter(f"Captum {name}", "captum", f"captum.attr.{name}", explain, limit)


METHODS = (
    _method("KernelShap", _kernel_shap, _from_two_players),
    _method("Lime", _lime, _from_two_players),
    _method("ShapleyValueSampling", _sampling, _one_each),
    _method("FeatureAblation", _ablation, _one_each),
)
