"""SHAP's explainers, on a row of ones before a background row of zeros."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.methods.adapter import Adapter, RowsGame, additive, needs, needs_memory, two_players
from captum_spex.benchmark.protocol import Answer, Request

_KERNEL_PLAYERS = 2000  # beyond, the regressions take minutes


def _values(explainer: Any, request: Request, max_evals: int, **settings: Any) -> Floats:
    values = explainer(np.ones((1, request.n_players)), max_evals=max_evals, silent=True, **settings).values
    return np.asarray(values, dtype=np.float64)[0]


def _absent(request: Request) -> Floats:
    return np.zeros((1, request.n_players))


def _permutation(game: RowsGame, request: Request) -> Answer:
    """Walk through permutations and back: ``2 n - 2`` masks each, and those with no player and with all once."""
    import shap

    n_permutations = max(1, (request.budget - 2) // max(1, 2 * request.n_players - 2))
    masker = shap.maskers.Independent(_absent(request))
    explainer = shap.PermutationExplainer(game, masker, seed=request.seed % (1 << 32))
    return additive(game, _values(explainer, request, n_permutations * (2 * request.n_players + 1)))


def _kernel(game: RowsGame, request: Request, **settings: Any) -> Answer:
    """Explain by regression; SHAP asks for no player and for all beyond its ``nsamples``."""
    import shap

    explainer, row = shap.KernelExplainer(game, _absent(request)), np.ones((1, request.n_players))
    return additive(game, explainer.shap_values(row, nsamples=request.budget - 2, silent=True, **settings))


def _partition(game: RowsGame, request: Request) -> Answer:
    """Compute Owen values of halves of the players in their order, which SHAP gives as its values."""
    import shap

    masker = shap.maskers.Partition(_absent(request), clustering=halves(request.n_players))
    most = request.budget & ~1  # it asks for two masks at a time
    return additive(game, _values(shap.PartitionExplainer(game, masker), request, most))


def _exact(game: RowsGame, request: Request) -> Answer:
    """Enumerate all masks; the interactions of SHAP are Shapley-Taylor's."""
    import shap

    n = request.n_players
    explainer = shap.ExactExplainer(game, shap.maskers.Independent(_absent(request)))
    answer = additive(game, _values(explainer, request, 2**n))
    if request.order == 1:
        return answer
    matrix = _values(explainer, request, 2**n, interactions=2)
    matrix += matrix.T
    pairs: dict[tuple[int, ...], float] = {(i, j): float(matrix[i, j]) for i in range(n) for j in range(i + 1, n)}
    return Answer(answer.predict, answer.shapley, pairs, "STII")


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


METHODS = tuple(
    Adapter(f"SHAP {name}", "shap", f"shap.{name.split()[0]}", explain, refusal)
    for name, explain, refusal in (
        ("PermutationExplainer", _permutation, lambda request: _of_rows(2 * request.n_players, request)),
        ("KernelExplainer", _kernel, _kernel_limit),
        ("KernelExplainer without l1", partial(_kernel, l1_reg=False), _kernel_limit),
        ("PartitionExplainer", _partition, lambda request: two_players(request) or needs(4, request)),
        ("ExactExplainer", _exact, lambda request: _of_rows(2**request.n_players, request)),
    )
)
