"""Quality on masks that took no part in a fit: folds, R² and its confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.arrays import Floats, Rows
from captum_spex.masks import Masks, mask_keys
from captum_spex.statistics import ONE_SIDED_95, r_squared

_TINY = 1e-12  # variance, of values of variance 1, that stands in for none


@dataclass(frozen=True)
class Quality:
    """An estimate of R² on uniformly random masks, and a bound that it exceeds with 95 % confidence."""

    r_squared: float
    lower: float


def stacked_quality(
    truth: Floats, left_out: Floats, reused: Floats, *, weights: Floats, noise: Floats, spread: float
) -> Quality:
    r"""Return R² on uniformly random masks, from predictions out of sample; all arrays are ``(n_masks,)``.

    .. math:: R^2 = 1 - \frac{e}{\min(s + e, V)}, \qquad
              e = \sum_t w_t \left(\tfrac23 (v_t - \hat v_t)^2 + \tfrac13 (v_t - \tilde v_t)^2 - \sigma_t^2\right)

    ``left_out`` :math:`\hat v` is by fits that learnt from fewer values and is pessimistic, ``reused``
    :math:`\tilde v` by one that shared its hyper-parameters with the value and is optimistic; their mean with thirds
    was measured to be nearest to the truth. The variance of the game is that of the model, ``spread`` :math:`s`, plus
    the error, or that of the values, :math:`V`, whichever is smaller: a model that is far off adds its own variance to
    the game's. The bound is that of the weighted mean of the pessimistic errors alone.
    """
    errors = (2 * (truth - left_out) ** 2 + (truth - reused) ** 2) / 3 - noise
    error = max(float(weights @ errors), 0.0)
    pessimistic = (truth - left_out) ** 2 - noise
    mean = float(weights @ pessimistic)
    largest = mean + ONE_SIDED_95 * float(np.sqrt(weights**2 @ (pessimistic - mean) ** 2))
    variance = float(weights @ (truth - weights @ truth) ** 2 - weights @ noise)
    if spread + error == 0:
        return Quality(1.0, 1.0)
    total = min(max(variance, _TINY), spread + error)
    return Quality(1 - error / total, 1 - max(largest, error) / total)


def held_out_quality(truth: Floats, predicted: Floats) -> Quality:
    """Return R² on masks that took no part, ``(n_masks,)`` each; NaN where their values do not vary."""
    if not len(truth) or np.ptp(truth) == 0:
        return Quality(float("nan"), float("nan"))
    errors = (truth - predicted) ** 2
    doubt = ONE_SIDED_95 * float(errors.std()) / np.sqrt(len(errors))
    return Quality(r_squared(truth, predicted), float(1 - (errors.mean() + doubt) / truth.var()))


def folds(masks: Masks, n_folds: int, rng: np.random.Generator) -> list[Rows]:
    """Return ``n_folds`` disjoint arrays of rows, shuffled, of nearly equal size.

    A mask and its complement go to the same fold: between them, half of the spectrum only changes its sign, so one
    would give the other away.
    """
    keys = np.minimum(mask_keys(masks), mask_keys(~masks))
    _, pair = np.unique(keys, return_inverse=True)
    n_pairs = int(pair.max(initial=-1)) + 1
    fold = rng.permutation(n_pairs) % n_folds
    return [np.flatnonzero(fold[pair.ravel()] == one) for one in range(n_folds)]
