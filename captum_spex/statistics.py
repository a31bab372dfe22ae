"""Statistics that several modules share: one R², one standardisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.arrays import Floats

ONE_SIDED_95 = 1.645
"""Standard deviations that a normal variable exceeds with a probability of 5 %."""

TWO_SIDED_95 = 1.96
"""Standard deviations within which a normal variable lies with a probability of 95 %."""

INTERVAL = 1.64
"""Standard errors to each side that hold the true value nine times out of ten."""


def r_squared(truth: Floats, predicted: Floats, weights: Floats | None = None) -> float:
    r"""Return the share of the variance of some values that predictions explain, ``(n,)`` each.

    .. math:: R^2 = 1 - \frac{\sum_t w_t (v_t - \hat v_t)^2}{\sum_t w_t (v_t - \bar v)^2}

    Of values that are all the same: 1 where they are predicted, else 0.

    Example:
        >>> r_squared(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0]))
        0.5
    """
    shares = np.ones(len(truth)) if weights is None else weights
    error = float(shares @ (truth - predicted) ** 2)
    spread = float(shares @ (truth - np.average(truth, weights=shares)) ** 2)
    size = float(shares @ truth**2)
    if spread <= np.finfo(np.float64).eps ** 2 * size or spread == 0:
        return 1.0 if error <= 1e-20 * max(1.0, size) else 0.0
    return 1.0 - error / spread


@dataclass(frozen=True, eq=False)
class Standardised:
    """Values of mean 0 and variance 1, and what takes them back: ``values * scale + center``.

    Attributes:
        values: float64 ``(n_values, n_outputs)`` or ``(n_values,)``; 0 in columns that are constant.
        center: the mean of every column.
        scale: the standard deviation of every column; 1 where it is constant.
    """

    values: Floats
    center: Floats
    scale: Floats

    @classmethod
    def of(cls, values: Floats) -> Standardised:
        """Standardise every column, in steps whose numbers are of size 1: neither huge nor tiny units overflow.

        Example:
            >>> Standardised.of(np.array([1.0, 3.0])).values
            array([-1.,  1.])
        """
        middle = values.min(axis=0) / 2 + values.max(axis=0) / 2
        width = np.abs(values - middle).max(axis=0)
        width = np.where(width > 0, width, 1.0)
        relative = (values - middle) / width
        mean, deviation = relative.mean(axis=0), relative.std(axis=0)
        is_constant = np.ptp(values, axis=0) == 0
        deviation = np.where(is_constant | (deviation == 0), 1.0, deviation)
        scale = np.where(is_constant, 1.0, width * deviation)
        standard = np.where(is_constant, 0.0, (relative - mean) / deviation)
        return cls(standard, np.asarray(middle + width * mean), scale)
