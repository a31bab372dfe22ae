"""Held-out quality: folds and R²."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captum_spex.masks import Masks, mask_keys
from captum_spex.supports import Floats


def r_squared(truth: Floats, predicted: Floats) -> float:
    """Return ``1 - sum((truth - predicted)**2) / sum((truth - mean)**2)``; 1 for a constant that is predicted."""
    error = float(((truth - predicted) ** 2).sum())
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread <= np.finfo(np.float64).eps ** 2 * float((truth**2).sum()) or spread == 0:
        return 1.0 if error <= 1e-20 * max(1.0, float((truth**2).sum())) else 0.0
    return 1.0 - error / spread


def folds(masks: Masks, n_folds: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return ``n_folds`` disjoint arrays of rows, shuffled, of nearly equal size.

    A mask and its complement go to the same fold: between them, half of the spectrum only changes its sign, so one
    would give the other away.
    """
    keys = np.minimum(mask_keys(masks), mask_keys(~masks))
    _, pair = np.unique(keys, return_inverse=True)
    n_pairs = int(pair.max(initial=-1)) + 1
    fold = rng.permutation(n_pairs) % n_folds
    return [np.flatnonzero(fold[pair.ravel()] == one) for one in range(n_folds)]
