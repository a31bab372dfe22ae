"""Values of single players and of pairs that add up to the prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import SUMMING, Result, displayed, value_of_all, value_of_none

_MOST_CELLS = 1 << 28  # of a dense matrix: 2 GiB
_ROUNDING = 1e-9  # share of the outputs below which differences of base values are rounding


def shapley_values(result: Result) -> Floats:
    """Return the Shapley values ``(n_players,)``."""
    return (result if result.index in ("SV", "SII") else result.to("SV", 1)).first_order()


def pair_matrix(result: Result) -> Floats:
    """Return SHAP's matrix of interactions ``(n_players, n_players)``.

    Off the diagonal is half of a pair's index, on it the Shapley value less these halves (in SHAP's words the "main
    effect"; `captum_spex.plots.matrix` has the Shapley value itself there).

    Raises:
        ArgumentError: if it would have more than 2**28 entries.
    """
    n = result.n_players
    values = shapley_values(result)
    if n * n > _MOST_CELLS:
        got = f"'matrix' of {n:,} players, {n * n * 8 / 2**30:.0f} GiB"
        raise ArgumentError("form", got, "'values' or 'terms'", "`result.coo(2)` is a sparse matrix of the pairs.")
    matrix = np.zeros((n, n))
    if n > 1:
        pairs = _pairs(result)
        rows, players = pairs.sets.of_order(2)
        first, second = players.T
        matrix[first, second] = matrix[second, first] = pairs.values[rows] / 2
    # SHAP splits every pair between (i, j) and (j, i); the diagonal completes every line to the Shapley value.
    matrix[np.diag_indices(n)] = values - matrix.sum(axis=1)
    return matrix


def summing(result: Result, argument: str) -> Any:
    """Return the result in an index whose terms add up to the prediction: SII as k-SII.

    Raises:
        ArgumentError: about the argument, for an index that does not add up.
    """
    shown = displayed(result, None)
    if shown.index not in SUMMING:
        expected = f"SII, or an index whose terms add up to the prediction: {', '.join(SUMMING)}"
        hint = f'Convert it first by `.to("k-SII", max_order={result.max_order})`, without further evaluations.'
        raise ArgumentError(argument, repr(result.index), expected, hint)
    return shown


def _pairs(result: Result) -> Result:
    """Return all pairs of the Shapley-Taylor index if the result has it, else of the Shapley interaction index."""
    index = "STII" if result.index == "STII" else "SII"
    has_pairs = result.max_order == 2 or (index == "SII" and result.max_order > 2)
    if result.index == index and has_pairs and not result.n_left_out:
        return result
    return result.to(index, 2, max_terms=result.n_players**2)


def base_values(rows: list[Result]) -> Floats:
    """Return the value of every row without any player; the same number where rows differ by rounding only.

    SHAP's force plot compares them exactly.
    """
    values = np.array([value_of_none(row) for row in rows])
    scale = np.abs(np.concatenate([values, totals(rows)])).max()
    return np.full_like(values, values[0]) if np.ptp(values) <= _ROUNDING * scale else values


def totals(rows: list[Result]) -> Floats:
    """Return the value of every row with all players."""
    return np.array([value_of_all(row) for row in rows])
