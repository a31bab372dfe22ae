"""Retraining in closed form, many subsets at once: ridge, kernel ridge, nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import cpu_count
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from captum_spex.arrays import Floats
from captum_spex.games.training.on_test import OnTest, Predictions
from captum_spex.games.training.training_data import dense_array
from captum_spex.masks import Masks
from captum_spex.threads import one_thread

Array = NDArray[Any]
Block = Callable[[Masks], tuple[Floats, NDArray[np.bool_]]]
ClosedForm = Callable[[Masks], tuple[Predictions, NDArray[np.bool_]]]
"""From points ``(n_masks, n_points)`` to predictions, and for which masks they are known."""


@dataclass(frozen=True)
class Limits:
    """Memory bounds, in numbers of 8 bytes."""

    precomputed: int = 1 << 26  # products, kernels and neighbours of all points: half a gigabyte
    block: int = 1 << 22  # matrices of a block of masks


LIMITS = Limits()
_DIRECT_SOLVERS = ("auto", "cholesky", "svd")  # of ridge; the others stop at a tolerance
_LEAST_PIVOT = 1e-7  # smallest squared pivot, relative to the diagonal: below, a system is not solved to eight digits
_MASKS_PER_TASK = 32  # of a thread


def closed_form_of(
    estimator: Any, columns: tuple[Any, ...], on_test: OnTest, limits: Limits = LIMITS
) -> ClosedForm | None:
    """Return how to retrain an estimator in closed form, or ``None`` if that may not give the same predictions."""
    makers: dict[type, Callable[[Any, Array, Array, Array, Limits], ClosedForm | None]] = {
        Ridge: _ridge,
        KernelRidge: _kernel_ridge,
        KNeighborsClassifier: _neighbors,
        KNeighborsRegressor: _neighbors,
    }
    if type(estimator) not in makers or len(columns) != 2:
        return None
    X, y, points = dense_array(columns[0]), dense_array(columns[1]), dense_array(on_test.X)
    if X is None or y is None or points is None or X.ndim != 2 or points.ndim != 2 or X.shape[1] != points.shape[1]:
        return None
    is_numeric = all(np.issubdtype(array.dtype, np.number) and np.isfinite(array).all() for array in (X, points))
    # Other floats, and labels that are not finite, are left to scikit-learn's own precision and errors.
    is_numeric &= all(array.dtype.kind != "f" or array.dtype == np.float64 for array in (X, y, points))
    is_numeric &= y.dtype.kind != "f" or bool(np.isfinite(y).all())
    return makers[type(estimator)](estimator, X, y, points, limits) if is_numeric else None


def _ridge(estimator: Ridge, X: Array, y: Array, points: Array, limits: Limits) -> ClosedForm | None:
    r"""Ridge from sums over the present points: :math:`(\sum x x^T - s s^T / |S| + \alpha) w = \sum x y - ...`."""
    size = (X.shape[1] + 1 + (1 if y.ndim == 1 else y.shape[1])) ** 2
    if (
        np.ndim(estimator.alpha)
        or not estimator.alpha >= 0
        or estimator.positive
        or estimator.solver not in _DIRECT_SOLVERS
    ):
        return None
    if len(X) * size > limits.precomputed or not np.issubdtype(y.dtype, np.number):
        return None
    targets = y.reshape(len(y), -1).astype(np.float64)
    # Sums are taken about the means of all points, so that the subtraction of s s^T / |S| does not cancel digits.
    middle = X.mean(axis=0) if estimator.fit_intercept else np.zeros(X.shape[1])
    shift = targets.mean(axis=0) if estimator.fit_intercept else np.zeros(targets.shape[1])
    rows = np.column_stack([np.ones(len(X)), X - middle, targets - shift])
    products = (rows[:, :, None] * rows[:, None, :]).reshape(len(X), -1)
    n_features, penalty = X.shape[1], float(estimator.alpha)
    step = max(1, limits.block // size)

    def block(masks: Masks) -> tuple[Floats, NDArray[np.bool_]]:
        sums = torch.from_numpy((masks.astype(np.float64) @ products).reshape(len(masks), rows.shape[1], -1))
        counts = sums[:, 0, 0].clamp_min(1)[:, None, None]
        inner, first = sums[:, 1:, 1:], sums[:, 1:, :1]
        if estimator.fit_intercept:
            inner = inner - first @ first.mT / counts
        gram = inner[:, :n_features, :n_features].clone()
        gram.diagonal(dim1=1, dim2=2).add_(penalty)
        weights, solved = _solved(gram, inner[:, :n_features, n_features:])
        predicted = torch.from_numpy(points - middle) @ weights + torch.from_numpy(shift)
        if estimator.fit_intercept:
            means = first[:, :, 0] / counts[:, :, 0]
            predicted = predicted + (means[:, n_features:] - (means[:, None, :n_features] @ weights)[:, 0])[:, None]
        return predicted.numpy(), solved & masks.any(axis=1)

    return _in_blocks(block, step, y.ndim == 1)


def _kernel_ridge(estimator: KernelRidge, X: Array, y: Array, points: Array, limits: Limits) -> ClosedForm | None:
    r"""Kernel ridge: :math:`(K_{SS} + \alpha) a = y_S`, the kernel computed once for all subsets."""
    if (
        np.ndim(estimator.alpha)
        or not estimator.alpha >= 0
        or estimator.kernel == "precomputed"
        or not np.issubdtype(y.dtype, np.number)
    ):
        return None
    if (len(X) + len(points)) * len(X) > limits.precomputed:
        return None
    settings = dict(estimator.kernel_params or {})
    if not callable(estimator.kernel):
        settings = {"gamma": estimator.gamma, "degree": estimator.degree, "coef0": estimator.coef0}
    kernel = pairwise_kernels(X, metric=estimator.kernel, filter_params=True, **settings).astype(np.float64)
    with_test = pairwise_kernels(points, X, metric=estimator.kernel, filter_params=True, **settings)
    kernel.flat[:: len(X) + 1] += float(estimator.alpha)
    systems, targets = Subsystems.of(kernel), y.reshape(len(y), -1).T.astype(np.float64)

    def block(masks: Masks) -> tuple[Floats, NDArray[np.bool_]]:
        weights, solved = systems.solve(masks, targets)
        predicted = (weights @ with_test.T).transpose(0, 2, 1)
        return predicted, solved & masks.any(axis=1)

    return _in_blocks(block, max(1, limits.block // targets.size), y.ndim == 1)


def _neighbors(estimator: Any, X: Array, y: Array, points: Array, limits: Limits) -> ClosedForm | None:
    """Nearest neighbours: the first k present points in the order of distance from each test point."""
    is_classifier = isinstance(estimator, KNeighborsClassifier)
    if (
        estimator.weights != "uniform"
        or estimator.metric == "precomputed"
        or y.ndim != 1
        or len(X) * len(points) > limits.precomputed
    ):
        return None
    if estimator.n_neighbors > len(X) or not (is_classifier or np.issubdtype(y.dtype, np.number)):
        return None
    order = clone(estimator).fit(X, y).kneighbors(points, n_neighbors=len(X), return_distance=False)
    classes, codes = np.unique(y, return_inverse=True) if is_classifier else (None, y)
    votes = np.eye(len(classes))[codes.reshape(-1)] if classes is not None else y.astype(np.float64)[:, None]
    if order.size * votes.shape[1] > limits.precomputed:
        return None
    around = votes[order]  # (n_test, n_points, n_classes)
    k = estimator.n_neighbors
    step = max(1, limits.block // around.size)

    def block(masks: Masks) -> tuple[Floats, NDArray[np.bool_]]:
        present = masks[:, order]
        chosen = present & (present.cumsum(axis=2, dtype=np.int32) <= k)
        means = np.matmul(chosen.transpose(1, 0, 2).astype(np.float64), around) / k
        return means.transpose(1, 0, 2), masks.sum(axis=1) >= k

    return _in_blocks(block, step, not is_classifier, classes)


def _in_blocks(block: Block, step: int, is_flat: bool, classes: Array | None = None) -> ClosedForm:
    def retrained(masks: Masks) -> tuple[Predictions, NDArray[np.bool_]]:
        parts = [block(masks[start : start + step]) for start in range(0, len(masks), step)]
        numbers, known = map(np.concatenate, zip(*parts, strict=True))
        return Predictions(numbers[..., 0] if is_flat else numbers, classes), known

    return retrained


def _solved(grams: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Return the solutions of positive systems, and which are precise."""
    factors, failed = torch.linalg.cholesky_ex(grams)
    is_sound = factors.diagonal(dim1=1, dim2=2) ** 2 > _LEAST_PIVOT * grams.diagonal(dim1=1, dim2=2)
    return torch.cholesky_solve(right, factors), ((failed == 0) & is_sound.all(dim=1)).numpy()


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
        for number in range(start, min(start + _MASKS_PER_TASK, len(masks))):
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

    with one_thread(), ThreadPoolExecutor(cpu_count()) as pool:  # each matrix is small
        list(pool.map(solve, range(0, len(masks), _MASKS_PER_TASK)))
    return solutions, solved


def _is_sound(pivots: Floats, diagonal: Floats) -> bool:
    """Whether no pivot of a factorisation is mostly rounding error."""
    return bool((pivots**2 > _LEAST_PIVOT * diagonal).all())
