"""Quality on masks that were not used: folds, R² and its confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captum_spex.approximators.proxyspex.stacking import Combination
from captum_spex.arrays import Floats
from captum_spex.masks import Masks, mask_keys

_ONE_SIDED_95 = 1.645
_TINY = 1e-12


@dataclass(frozen=True)
class Quality:
    """An estimate of R² on uniformly random masks, and a bound that it exceeds with 95 % confidence."""

    r_squared: float
    lower: float


def r_squared(truth: Floats, predicted: Floats) -> float:
    """Return ``1 - sum((truth - predicted)**2) / sum((truth - mean)**2)``; 1 for a constant that is predicted."""
    error = float(((truth - predicted) ** 2).sum())
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread <= np.finfo(np.float64).eps ** 2 * float((truth**2).sum()) or spread == 0:
        return 1.0 if error <= 1e-20 * max(1.0, float((truth**2).sum())) else 0.0
    return 1.0 - error / spread


def quality(truth: Floats, chosen: Combination, weights: Floats, noise: Floats, spread: float) -> Quality:
    r"""Return R² on uniformly random masks, from predictions out of sample.

    .. math:: R^2 = 1 - \frac{e}{\min(s + e, V)}, \qquad
              e = \sum_t w_t \left(\tfrac23 (v_t - \hat v_t)^2 + \tfrac13 (v_t - \tilde v_t)^2 - \sigma_t^2\right)

    ``left_out`` :math:`\hat v` is by fits that learnt from fewer values and errs on the dark side, ``reused``
    :math:`\tilde v` by one that shared its hyper-parameters with the value and errs on the bright one; the mean with
    thirds was measured to be nearest the truth. The variance of the game is the model's own, ``spread`` :math:`s`,
    and the error together, which a few values tell less exactly (:math:`V`); the smaller of the two is taken, as a
    model that is far off adds its own variance to the game's. The bound is that of the
    weighted mean of the darker errors alone.
    """
    errors = (2 * (truth - chosen.left_out) ** 2 + (truth - chosen.reused) ** 2) / 3 - noise
    error = max(float(weights @ errors), 0.0)
    dark = (truth - chosen.left_out) ** 2 - noise
    worst = float(weights @ dark) + _ONE_SIDED_95 * float(np.sqrt(weights**2 @ (dark - weights @ dark) ** 2))
    variance = float(weights @ (truth - weights @ truth) ** 2 - weights @ noise)
    if spread + error == 0:
        return Quality(1.0, 1.0)
    whole = min(max(variance, _TINY), spread + error)
    return Quality(1 - error / whole, 1 - max(worst, error) / whole)


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
