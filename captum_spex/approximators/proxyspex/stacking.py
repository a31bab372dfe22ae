"""Stacking: surrogates weighted by their predictions out of sample; one that does not help leaves no trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import nnls
from scipy.special import comb

from captum_spex.approximators.proxyspex.proxy import FittedProxy
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.designs import affordable_level
from captum_spex.masks import Masks


@dataclass(frozen=True, eq=False)
class Stack:
    """For one output: which surrogates with which weights, and what they predict out of sample ``(n_masks,)``."""

    weights: dict[int, float]
    left_out: Floats
    reused: Floats


def stack(surrogates: Sequence[FittedProxy], truth: Floats, column: int, masks: Masks) -> Stack:
    """Return the non-negative least-squares combination, of as few surrogates as predict nearly as well as all.

    What counts is the prediction of masks that were not evaluated. If all masks of a size were, and are harder to
    predict than the others, as the smallest coalitions often are, they count less, so that they do not decide alone;
    nor do single masks that no surrogate predicts: they tell little about which of them is the best.
    Predictions out of sample are shrunk more than those of the surrogate itself, the more so the fewer masks there are:
    before single players can be enumerated no weights sum to more than 1.

    References:
        Wolpert, "Stacked generalization", 1992; Breiman, "Stacked regressions", 1996 (non-negative weights).
    """
    left_out, reused = (
        np.stack([getattr(one, name)[:, column] for one in surrogates], axis=1) for name in ("left_out", "reused")
    )
    squares = (truth[:, None] - left_out) ** 2
    trust = 1 / np.maximum(squares.mean(axis=0), SETTINGS.min_error) ** 2  # a bad surrogate has no say in what is hard
    importance = _importance(masks, squares @ (trust / trust.sum()))
    roots = np.sqrt(importance)
    largest = SETTINGS.largest_sum if affordable_level(masks.shape[1], len(masks)) > 0 else 1.0
    candidates: list[tuple[float, Stack]] = []
    for size in range(1, len(surrogates) + 1):
        for chosen in map(list, combinations(range(len(surrogates)), size)):
            weights, _ = nnls(left_out[:, chosen] * roots[:, None], truth * roots)
            weights *= min(1.0, largest / max(weights.sum(), largest))
            if size > 1 and weights.min() < SETTINGS.smallest_weight:
                continue
            positive = {number: weight for number, weight in zip(chosen, weights.tolist(), strict=True) if weight > 0}
            found = Stack(positive, left_out[:, chosen] @ weights, reused[:, chosen] @ weights)
            error = float(importance @ (truth - found.left_out) ** 2)
            candidates.append((error * (1 + SETTINGS.worth_a_surrogate) ** max(0, len(positive) - 1), found))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _importance(masks: Masks, errors: Floats) -> Floats:
    """Return how much every mask counts, at most 1, given the squared errors there."""
    usual = max(float(np.median(errors)), SETTINGS.min_error)
    return _of_sizes(masks, errors) / np.sqrt(1 + errors / usual)


def _of_sizes(masks: Masks, errors: Floats) -> Floats:
    """Return how much the masks of every size count: less where all were evaluated and are hard to predict."""
    n, sizes = masks.shape[1], masks.sum(axis=1)
    n_evaluated = np.bincount(sizes, minlength=n + 1)
    complete = n_evaluated == comb(n, np.arange(n + 1)).round()
    others = ~complete[sizes]
    if not others.any():
        return np.ones(len(masks))
    usual = float(errors[others].mean())
    of_size = np.bincount(sizes, errors, n + 1) / np.maximum(n_evaluated, 1)
    harder = complete & (of_size > usual)
    return np.sqrt(np.where(harder, usual / np.where(harder, of_size, 1.0), 1.0))[sizes]
