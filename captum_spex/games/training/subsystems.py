"""Solve many principal subsystems of one positive matrix: those of the present training points."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from joblib import cpu_count
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from captum_spex.arrays import Floats
from captum_spex.masks import Masks

LEAST_PIVOT = 1e-7
"""Smallest squared pivot, relative to the diagonal: below, a system is not solved to eight digits."""

_BLOCK = 32  # masks per task of a thread


@dataclass(frozen=True, eq=False)
class Subsystems:
    r"""Solves :math:`A_{SS} x_S = b_S` for many subsets S of the rows of one positive matrix A.

    If fewer rows are absent than present, by the absent rows R and the inverse M of A:
    :math:`x = M b - M_{:R} M_{RR}^{-1} (M b)_R`, with b set to 0 outside of S.

    Attributes:
        matrix: A, float64 ``(n, n)``.
        inverse: its inverse, ``None`` if A is not positive in double precision.
    """

    matrix: Floats
    inverse: Floats | None

    @classmethod
    def of(cls, matrix: Floats) -> Subsystems:
        """Prepare a matrix."""
        try:
            factor = cho_factor(matrix, lower=True)
        except LinAlgError:
            return cls(matrix, None)
        if not _is_sound(factor[0].diagonal(), matrix.diagonal()):
            return cls(matrix, None)
        return cls(matrix, cho_solve(factor, np.eye(len(matrix))))

    def solve(self, masks: Masks, right: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return solutions ``(n_masks, n_targets, n)``, 0 outside of the subsets, and which are precise.

        Args:
            masks: the subsets, ``(n_masks, n)``.
            right: b, ``(n_targets, n)``.
        """
        right = np.where(masks[:, None, :], right, 0.0)
        if self.inverse is None:
            return _solutions(self.matrix, masks, right)
        solutions, solved = np.zeros_like(right), np.zeros(len(masks), dtype=np.bool_)
        few = masks.sum(axis=1) * 2 <= masks.shape[1]
        solutions[few], solved[few] = _solutions(self.matrix, masks[few], right[few])
        of_all_rows = right[~few] @ self.inverse
        absent, solved[~few] = _solutions(self.inverse, ~masks[~few], of_all_rows)
        solutions[~few] = np.where(masks[~few][:, None, :], of_all_rows - absent @ self.inverse, 0.0)
        return solutions, solved


def _solutions(matrix: Floats, masks: Masks, right: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Solve the subsystem of every mask, with all processors, as LAPACK has no batches."""
    solutions, solved = np.zeros_like(right), np.ones(len(masks), dtype=np.bool_)

    def solve(start: int) -> None:
        for number in range(start, min(start + _BLOCK, len(masks))):
            rows = np.flatnonzero(masks[number])
            if len(rows):
                chosen = np.take(np.take(matrix, rows, axis=0), rows, axis=1)
                try:
                    factor = np.linalg.cholesky(chosen)
                except np.linalg.LinAlgError:
                    solved[number] = False
                    continue
                values = torch.cholesky_solve(torch.from_numpy(right[number][:, rows].T), torch.from_numpy(factor))
                solutions[number][:, rows] = values.numpy().T
                solved[number] = _is_sound(np.asarray(factor.diagonal(), dtype=np.float64), chosen.diagonal())

    with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:  # each matrix is small
        list(pool.map(solve, range(0, len(masks), _BLOCK)))
    return solutions, solved


def _is_sound(pivots: Floats, diagonal: Floats) -> bool:
    """Whether no pivot of a factorisation is mostly rounding error."""
    return bool((pivots**2 > LEAST_PIVOT * diagonal).all())
