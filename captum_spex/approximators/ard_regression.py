"""Regression in which every feature has a prior variance of its own, learnt with its weight: most go to nought."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from captum_spex.arrays import Floats

_MOST_STEPS = 30
_PRECISE = 1e-3  # change of the noise, as a share, at which the search ends
_LEAST_NOISE = 1e-8  # share of the variance
_RANGE = 1e-6, 1e12  # of the inverse prior variances, for features and targets of variance 1


def relevant_weights(features: Floats, targets: Floats) -> tuple[Floats, Floats]:
    r"""Return the weights of features ``(n_rows, n_features)``, and the standard error of each.

    :math:`y = F w + \varepsilon`, :math:`w_j \sim N(0, 1 / \alpha_j)`, where :math:`\alpha` and the noise maximise the
    evidence, by MacKay's fixed point. With more features than half of the rows the errors are too small.

    References:
        MacKay, "Bayesian interpolation", Neural Computation 1992; Tipping, "Sparse Bayesian learning and the relevance
        vector machine", JMLR 2001.
    """
    n_rows, n_features = features.shape
    scale = np.sqrt((features**2).mean(axis=0))
    scale = np.where(scale > 0, scale, np.inf)
    size = float(np.sqrt((targets**2).mean()))
    if not n_features or size == 0:
        return np.zeros(n_features), np.zeros(n_features)
    gram = features.T @ features / scale / scale[:, None]
    together, power = features.T @ targets / scale / size, float(n_rows)
    precision, noise = np.full(n_features, 2.0 * n_features), 0.5
    for _ in range(_MOST_STEPS):
        factor = cho_factor(gram / noise + np.diag(precision))
        weights = cho_solve(factor, together) / noise
        variances = np.diag(cho_solve(factor, np.eye(n_features)))
        certain = 1 - precision * variances
        precision = np.clip(certain / np.maximum(weights**2, np.finfo(float).tiny), *_RANGE)
        left = power - 2 * weights @ together + weights @ gram @ weights
        before, noise = noise, max(left / max(n_rows - certain.sum(), 1), _LEAST_NOISE)
        if abs(before - noise) <= _PRECISE * noise:
            break
    return weights / scale * size, np.sqrt(variances) / scale * size
