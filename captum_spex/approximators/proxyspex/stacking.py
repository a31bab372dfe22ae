"""Combining surrogates by their predictions out of sample; a surrogate that does not help leaves no trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import nnls
from scipy.special import comb

from captum_spex.approximators.proxyspex.fitted_proxy import FittedProxy
from captum_spex.arrays import Floats
from captum_spex.masks import Masks

_WORTH_A_PART = 0.02  # share by which the squared error must fall for one more surrogate
_WORTH_A_WEIGHT = 0.02
_LARGEST_SUM = 1.2  # of the weights: a surrogate predicts values of about the right size


@dataclass(frozen=True, eq=False)
class Combination:
    """For one output: which surrogates with which weights, and what they predict out of sample ``(n_masks,)``."""

    weights: dict[int, float]
    left_out: Floats
    reused: Floats


def combine(surrogates: Sequence[FittedProxy], truth: Floats, column: int, masks: Masks) -> Combination:
    """Return the non-negative least-squares combination, of as few surrogates as predict nearly as well as all.

    It is about masks that were not evaluated. There are none of a size all of whose masks were: where those are harder
    to predict than the others, as the smallest coalitions often are, they count less, so that they do not decide alone.

    References:
        Wolpert, "Stacked generalization", 1992; Breiman, "Stacked regressions", 1996 (non-negative weights).
    """
    predictions = np.stack([surrogate.left_out[:, column] for surrogate in surrogates], axis=1)
    counts = _counts(masks, ((truth[:, None] - predictions) ** 2).mean(axis=1))
    roots = np.sqrt(counts)
    tried: list[tuple[float, Combination]] = []
    for size in range(1, len(surrogates) + 1):
        for chosen in combinations(range(len(surrogates)), size):
            weights, _ = nnls(predictions[:, chosen] * roots[:, None], truth * roots)
            weights *= min(1.0, _LARGEST_SUM / max(weights.sum(), _LARGEST_SUM))
            if size > 1 and weights.min() < _WORTH_A_WEIGHT:
                continue
            left_out = predictions[:, chosen] @ weights
            reused = np.stack([surrogates[number].reused[:, column] for number in chosen], axis=1) @ weights
            kept = {number: weight for number, weight in zip(chosen, weights.tolist(), strict=True) if weight > 0}
            combination = Combination(kept, left_out, reused)
            tried.append((float(counts @ (truth - left_out) ** 2), combination))
    costs = [error * (1 + _WORTH_A_PART) ** max(0, len(one.weights) - 1) for error, one in tried]
    return tried[int(np.argmin(costs))][1]


def _counts(masks: Masks, errors: Floats) -> Floats:
    """Return how much every mask counts, at most 1, given the squared errors there."""
    n, sizes = masks.shape[1], masks.sum(axis=1)
    n_seen = np.bincount(sizes, minlength=n + 1)
    complete = n_seen == comb(n, np.arange(n + 1)).round()
    others = ~complete[sizes]
    if not others.any():
        return np.ones(len(masks))
    usual = float(errors[others].mean())
    of_size = np.bincount(sizes, errors, n + 1) / np.maximum(n_seen, 1)
    harder = complete & (of_size > usual)
    return np.sqrt(np.where(harder, usual / np.where(harder, of_size, 1.0), 1.0))[sizes]
