"""Combining surrogates by their predictions out of sample; a surrogate that does not help leaves no trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import nnls

from captum_spex.approximators._surrogate import Surrogate
from captum_spex.supports import Floats

_WORTH_A_PART = 0.02  # share by which the squared error must fall for one more surrogate
_WORTH_A_WEIGHT = 0.02
_ENDS = 2  # the full and the empty mask come first: under heavy tails they would decide alone
_LARGEST_SUM = 1.2  # of the weights: a surrogate predicts values of about the right size


@dataclass(frozen=True, eq=False)
class Combination:
    """For one output: which surrogates with which weights, and what they predict out of sample ``(n_masks,)``."""

    weights: dict[int, float]
    left_out: Floats
    reused: Floats


def combine(surrogates: Sequence[Surrogate], truth: Floats, column: int) -> Combination:
    """Return the non-negative least-squares combination, of as few surrogates as predict nearly as well as all.

    References:
        Wolpert, "Stacked generalization", 1992; Breiman, "Stacked regressions", 1996 (non-negative weights).
    """
    predictions = np.stack([surrogate.left_out[:, column] for surrogate in surrogates], axis=1)
    tried: list[tuple[float, Combination]] = []
    for size in range(1, len(surrogates) + 1):
        for chosen in combinations(range(len(surrogates)), size):
            weights, _ = nnls(predictions[_ENDS:, chosen], truth[_ENDS:])
            weights *= min(1.0, _LARGEST_SUM / max(weights.sum(), _LARGEST_SUM))
            if size > 1 and weights.min() < _WORTH_A_WEIGHT:
                continue
            left_out = predictions[:, chosen] @ weights
            reused = np.stack([surrogates[number].reused[:, column] for number in chosen], axis=1) @ weights
            kept = {number: weight for number, weight in zip(chosen, weights.tolist(), strict=True) if weight > 0}
            combination = Combination(kept, left_out, reused)
            tried.append((float(((truth - left_out)[_ENDS:] ** 2).mean()), combination))
    costs = [error * (1 + _WORTH_A_PART) ** max(0, len(one.weights) - 1) for error, one in tried]
    return tried[int(np.argmin(costs))][1]
