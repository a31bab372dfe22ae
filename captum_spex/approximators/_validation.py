"""Held-out quality: folds and R²."""

from __future__ import annotations

import numpy as np

from captum_spex.supports import Floats


def r_squared(truth: Floats, predicted: Floats) -> float:
    """Return ``1 - sum((truth - predicted)**2) / sum((truth - mean)**2)``; 1 for a constant that is predicted."""
    error = float(((truth - predicted) ** 2).sum())
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread <= np.finfo(np.float64).eps ** 2 * float((truth**2).sum()) or spread == 0:
        return 1.0 if error <= 1e-20 * max(1.0, float((truth**2).sum())) else 0.0
    return 1.0 - error / spread


def folds(n_rows: int, n_folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return ``n_folds`` disjoint arrays of rows, shuffled, of nearly equal size."""
    return np.array_split(rng.permutation(n_rows), n_folds)
