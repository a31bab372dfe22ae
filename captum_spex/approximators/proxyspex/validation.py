"""Quality on masks that took no part in a fit: folds, R² and its confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.approximators.proxyspex.settings import SETTINGS
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
    truth: Floats,
    left_out: Floats,
    reused: Floats,
    *,
    weights: Floats,
    noise: Floats,
    spread: float,
    hardness: float = 1.0,
) -> Quality:
    r"""Return R² on uniformly random masks, from predictions out of sample; all arrays are ``(n_masks,)``.

    .. math::
        R^2 = 1 - \frac{e}{\min(V^a (s + e)^{1 - a}, 2 s + e)}, \qquad a = \min(\max(e / V, \tfrac12), 1),

    .. math::
        e = h \left(\tfrac23 \max(l, r) + \tfrac13 r\right) + \tfrac14 d, \qquad d = 1.645\, h\, \operatorname{se}(l)

    :math:`l` and :math:`r` are the weighted mean squares of the errors of ``left_out`` and ``reused``, without the
    noise. The former are by fits that learnt from fewer values and pessimistic; the latter by one that shared its
    hyper-parameters with the value and optimistic, so that the larger of both counts where these are in the wrong
    order. ``hardness`` :math:`h` is how hard random masks are beside those left out: with few players, masks that are
    spread lie farther from each other than random ones from them.

    The variance of the game is a geometric mean of two estimates: that of the values, :math:`V`, which few masks make
    uncertain, and that of the model, ``spread`` :math:`s`, plus the error. A model that is far off adds its own
    variance to the latter, which therefore counts less and less; and one without variance explains nothing. A quarter
    of the doubt :math:`d` is taken off, as an optimistic figure does more harm.

    The bound takes off all of it, from the pessimistic errors and by the smaller variance, and besides what one further
    mask would add of which the model knew nothing, :math:`V \sum_t w_t^2`: what is rare may not be among few masks.
    """
    squares = (truth - left_out) ** 2 - noise
    pessimistic, optimistic = float(weights @ squares), float(weights @ ((truth - reused) ** 2 - noise))
    doubt = ONE_SIDED_95 * hardness * float(np.sqrt(weights**2 @ (squares - pessimistic) ** 2))
    worse = max(pessimistic, optimistic, 0.0)
    share = SETTINGS.reused_share
    error = hardness * max((1 - share) * worse + share * optimistic, 0.0)
    if spread + worse == 0:
        return Quality(1.0, 1.0)
    variance = max(float(weights @ (truth - weights @ truth) ** 2 - weights @ noise), _TINY)
    likely = error + SETTINGS.doubt_share * doubt
    largest = hardness * worse + doubt + (SETTINGS.unknown_masks * variance * float(weights @ weights) if worse else 0)
    of_values = float(np.clip(likely / variance, 0.5, 1.0))
    total = variance**of_values * (spread + likely) ** (1 - of_values)
    measured = 1 - likely / min(total, 2 * spread + likely)
    return Quality(measured, min(measured, 1 - largest / min(variance, spread + largest)))


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
