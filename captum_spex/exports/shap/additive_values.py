"""What is needed of a `captum_spex.Interactions`, and its values for single players and for pairs."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.player_sets import PlayerSets

SUMMING = ("SV", "k-SII", "STII", "FSII", "Moebius")
"""Indices whose terms add up to f(all) - f(none), all of them or so far."""

_TINY = 1e-9
_MOST_CELLS = 1 << 28  # of a dense matrix: 2 GiB


class Result(Protocol):
    """A `captum_spex.Interactions`."""

    index: str
    max_order: int
    sets: PlayerSets
    values: Floats
    names: tuple[str, ...] | None
    n_left_out: int
    model: Any

    @property
    def n_players(self) -> int:
        """Number of players."""

    def to(self, index: str, max_order: int | None = None, *, max_terms: int = ...) -> Result:
        """Return another index."""

    def first_order(self) -> Floats:
        """Return the values of the single players."""


def shapley_values(result: Result) -> Floats:
    """Return the Shapley values ``(n_players,)``."""
    return (result if result.index in ("SV", "SII") else result.to("SV", 1)).first_order()


def pair_matrix(result: Result) -> Floats:
    """Return SHAP's matrix of interactions ``(n_players, n_players)``.

    Raises:
        ArgumentError: if it would have more than 2**28 entries.
    """
    n = result.n_players
    values = shapley_values(result)
    if n * n > _MOST_CELLS:
        came = f"'matrix' of {n:,} players, {n * n * 8 / 2**30:.0f} GiB"
        raise ArgumentError("form", came, "'values' or 'terms'", "`result.coo(2)` is a sparse matrix of the pairs.")
    matrix = np.zeros((n, n))
    if n > 1:
        pairs = _pairs(result)
        rows = np.flatnonzero(pairs.sets.orders == 2)
        first, second = pairs.sets.players[pairs.sets.indptr[rows][:, None] + np.arange(2)].T
        matrix[first, second] = matrix[second, first] = pairs.values[rows] / 2
    matrix[np.diag_indices(n)] = values - matrix.sum(axis=1)
    return matrix


def summing(result: Result, argument: str) -> Any:
    """Return the result in an index whose terms add up to the prediction; of SII that is k-SII.

    Raises:
        ArgumentError: about the argument, for an index that does not add up.
    """
    if result.index == "SII":
        return result.to("k-SII", result.max_order)
    if result.index not in SUMMING:
        allowed = f"SII, or one whose terms add up to the prediction: {', '.join(SUMMING)}"
        hint = f'Use `.to("k-SII", max_order={result.max_order})` before, which costs no evaluation.'
        raise ArgumentError(argument, f"the index {result.index!r}", allowed, hint)
    return result


def _pairs(result: Result) -> Result:
    """Return all pairs of the Shapley-Taylor index if that is the result's, else of the Shapley interaction index."""
    index = "STII" if result.index == "STII" else "SII"
    has_pairs = result.max_order == 2 or (index == "SII" and result.max_order > 2)
    if result.index == index and has_pairs and not result.n_left_out:
        return result
    return result.to(index, 2, max_terms=result.n_players**2)


def base_values(rows: list[Result]) -> Floats:
    """Return the value of every row without any player; one number where rows differ by rounding only.

    SHAP's force plot compares them exactly.
    """
    values = np.array([row.model(np.zeros((1, row.n_players), dtype=np.bool_))[0] for row in rows])
    scale = np.abs(np.concatenate([values, totals(rows)])).max()
    return np.full_like(values, values[0]) if np.ptp(values) <= _TINY * scale else values


def totals(rows: list[Result]) -> Floats:
    """Return the value of every row with all players."""
    return np.array([row.model(np.ones((1, row.n_players), dtype=np.bool_))[0] for row in rows])
