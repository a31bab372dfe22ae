"""SHAP's explainers, on a row of ones before a background row of zeros."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.methods.adapter import Adapter, Additive, Explain, Limit, RowsGame, needs, needs_memory
from captum_spex.benchmark.protocol import Answer, Request

_KERNEL_PLAYERS = 2000  # beyond, the regressions take minutes


def _rows(n_players: int) -> tuple[Floats, Floats]:
    return np.zeros((1, n_players)), np.ones((1, n_players))


def _additive(game: RowsGame, values: Any) -> Answer:
    shapley = np.asarray(values, dtype=np.float64).reshape(-1)
    return Answer(Additive(game.of_none(), shapley), shapley)


def _permutation(game: RowsGame, request: Request) -> Answer:
    """Walk through permutations and back: ``2 n - 2`` masks each, and those with no player and with all once."""
    import shap

    background, row = _rows(request.n_players)
    n_permutations = max(1, (request.budget - 2) // max(1, 2 * request.n_players - 2))
    explainer = shap.PermutationExplainer(game, shap.maskers.Independent(background), seed=request.seed % (1 << 32))
    return _additive(game, explainer(row, max_evals=n_permutations * (2 * request.n_players + 1), silent=True).values)


def _kernel(game: RowsGame, request: Request, **settings: Any) -> Answer:
    """Explain by regression; SHAP asks for no player and for all beyond its ``nsamples``."""
    import shap

    background, row = _rows(request.n_players)
    explainer = shap.KernelExplainer(game, background)
    return _additive(game, explainer.shap_values(row, nsamples=request.budget - 2, silent=True, **settings))


def _partition(game: RowsGame, request: Request) -> Answer:
    """Compute Owen values of halves of the players in their order, which SHAP gives as its values."""
    import shap

    background, row = _rows(request.n_players)
    masker = shap.maskers.Partition(background, clustering=halves(request.n_players))
    most = request.budget & ~1  # it asks for two masks at a time
    return _additive(game, shap.PartitionExplainer(game, masker)(row, max_evals=most, silent=True).values)


def _exact(game: RowsGame, request: Request) -> Answer:
    """Enumerate all masks; the interactions of SHAP are Shapley-Taylor's."""
    import shap

    n = request.n_players
    background, row = _rows(n)
    explainer = shap.ExactExplainer(game, shap.maskers.Independent(background))
    settings = {"max_evals": 2**n, "silent": True}
    additive = _additive(game, explainer(row, **settings).values)
    if request.order == 1:
        return additive
    matrix = explainer(row, interactions=2, **settings).values[0]
    pairs: dict[tuple[int, ...], float]
    pairs = {(i, j): float(matrix[i, j] + matrix[j, i]) for i in range(n) for j in range(i + 1, n)}
    return Answer(additive.predict, additive.shapley, pairs, "STII")


def halves(n_players: int) -> Floats:
    """Return a tree of players in the form of SciPy's linkages, each node of which splits its players in two halves."""
    rows: list[tuple[int, int, int, int]] = []

    def joined(first: int, stop: int) -> int:
        if stop - first == 1:
            return first
        middle = (first + stop) // 2
        rows.append((joined(first, middle), joined(middle, stop), stop - first, stop - first))
        return n_players + len(rows) - 1

    joined(0, n_players)
    return np.array(rows, dtype=np.float64)


def _of_rows(n_rows: int, request: Request) -> str | None:
    """Rows are double precision and held three times."""
    return needs(n_rows, request) or needs_memory(3 * 8 * (n_rows + 1) * request.n_players)


def _kernel_limit(request: Request) -> str | None:
    if request.n_players > _KERNEL_PLAYERS:
        return f"takes minutes with more than {_KERNEL_PLAYERS:,} players"
    return needs(4, request)


def _partition_limit(request: Request) -> str | None:
    return "needs two players" if request.n_players < 2 else needs(4, request)


def _method(name: str, explain: Explain, limit: Limit, explainer: str | None = None) -> Adapter:
    return Adapter(f"SHAP {name}", "shap", f"shap.{explainer or name}", explain, limit)


METHODS = (
    _method("PermutationExplainer", _permutation, lambda request: _of_rows(2 * request.n_players, request)),
    _method("KernelExplainer", _kernel, _kernel_limit),
    _method("KernelExplainer without l1", partial(_kernel, l1_reg=False), _kernel_limit, "KernelExplainer"),
    _method("PartitionExplainer", _partition, _partition_limit),
    _method("ExactExplainer", _exact, lambda request: _of_rows(2**request.n_players, request)),
)
