"""Captum's methods, on a tensor that holds 1 for every player, with baselines 0."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

from captum_spex.arrays import Floats
from captum_spex.benchmark.methods.adapter import Adapter, Additive, Explain, RowsGame, additive, needs, two_players
from captum_spex.benchmark.protocol import Answer, Request

_MOST_ROWS, _MOST_CELLS = 1024, 1 << 24  # of a call: 64 MiB of single precision


def _attributed(name: str, game: RowsGame, request: Request, *models: Any, **settings: Any) -> Floats:
    """Return the attributions of a class of Captum's."""
    method = getattr(import_module("captum.attr"), name)
    explainer = method(lambda rows: torch.from_numpy(game(rows.numpy())), *models)
    n_rows = max(1, min(_MOST_ROWS, _MOST_CELLS // request.n_players))
    found = explainer.attribute(torch.ones(1, request.n_players), perturbations_per_eval=n_rows, **settings)
    return found.detach().numpy().astype(np.float64).reshape(-1)


def _shapley(name: str, n_samples: Callable[[Request], int], **settings: Any) -> Explain:
    """Answer with Shapley values, from ``n_samples`` of a request."""
    return lambda game, request: additive(
        game, _attributed(name, game, request, n_samples=n_samples(request), **settings)
    )


def _n_permutations(request: Request) -> int:
    """Return how many are walked through: ``n_players - 1`` masks each, and those with no player and with all once."""
    return max(1, (request.budget - 2) // max(1, request.n_players - 1))


def _lime(game: RowsGame, request: Request) -> Answer:
    """Fit Captum's default, a lasso with weights by distance: a linear game; its values are not Shapley values.

    Besides its ``n_samples`` rows it evaluates the input once.
    """
    from captum._utils.models.linear_model import SkLearnLasso

    linear = SkLearnLasso(alpha=0.01)  # the default, held here as `attribute` does not return its intercept
    values = _attributed("Lime", game, request, linear, n_samples=request.budget - 1, return_input_shape=False)
    return Answer(Additive(float(linear.bias().detach().reshape(-1)[0]), values))


def _ablation(game: RowsGame, request: Request) -> Answer:
    """Leave out one player at a time: not Shapley values, and a game that starts from all players."""
    values = _attributed("FeatureAblation", game, request)
    return Answer(Additive(float(game(np.ones((1, request.n_players)))[0]) - float(values.sum()), values))


def _one_each(request: Request) -> str | None:
    return needs(request.n_players + 1, request)


METHODS = tuple(
    Adapter(f"Captum {name}", "captum", f"captum.attr.{name}", explain, refusal)
    for name, explain, refusal in (
        # of KernelShap the samples are rows, those with no player and with all among them
        ("KernelShap", _shapley("KernelShap", lambda request: request.budget, return_input_shape=False), two_players),
        ("Lime", _lime, two_players),
        ("ShapleyValueSampling", _shapley("ShapleyValueSampling", _n_permutations), _one_each),
        ("FeatureAblation", _ablation, _one_each),
    )
)
