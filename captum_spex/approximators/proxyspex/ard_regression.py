"""Regression in which every feature has a prior variance of its own, learnt with its weight: most shrink to zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack

from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats


def ard_weights(features: Floats, targets: Floats) -> tuple[Floats, Floats]:
    r"""Return the weights of features ``(n_rows, n_features)``, and the standard error of each.

    :math:`y = F w + \varepsilon`, :math:`w_j \sim N(0, 1 / \alpha_j)`, where :math:`\alpha` and the noise maximise the
    evidence, by MacKay's fixed point. With more features than half of the rows the errors are too small.

    References:
        MacKay, "Bayesian interpolation", Neural Computation 1992; Tipping, "Sparse Bayesian learning and the relevance
        vector machine", JMLR 2001.
    """
    n_rows, n_features = features.shape
    # Scaled by root mean squares, not standardised: the features are centered already where they have to be.
    scale = np.sqrt((features**2).mean(axis=0))
    scale = np.where(scale > 0, scale, np.inf)
    size = float(np.sqrt((targets**2).mean()))
    if not n_features or size == 0:
        return np.zeros(n_features), np.zeros(n_features)
    gram = features.T @ features / scale / scale[:, None]
    products, power = features.T @ targets / scale / size, float(n_rows)
    precision, noise, kept = np.full(n_features, 2.0 * n_features), 0.5, np.arange(n_features)
    weights, variances = np.zeros(0), np.zeros(0)
    for _ in range(SETTINGS.ard_steps):
        system = gram / noise
        system.flat[:: len(kept) + 1] += precision[kept]
        factor = cho_factor(system, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, products[kept], check_finite=False) / noise
        variances = np.diag(lapack.dpotri(factor[0], lower=factor[1], overwrite_c=True)[0])
        well_determined = 1 - precision[kept] * variances  # MacKay's gamma: 0 if the prior, 1 if the data decide
        found = well_determined / np.maximum(weights**2, np.finfo(float).tiny)
        precision[kept] = np.clip(found, *SETTINGS.ard_precisions)
        residual = power - 2 * weights @ products[kept] + weights @ gram @ weights
        before, noise = noise, max(residual / max(n_rows - well_determined.sum(), 1), SETTINGS.ard_min_noise)
        if abs(before - noise) <= SETTINGS.ard_tolerance * noise:
            break
        # What the prior holds this near to zero hardly ever comes back, and costs the cube of its number.
        rows = precision[kept] * noise < SETTINGS.ard_given_up * n_rows
        if not rows.all():
            kept, weights, variances, gram = kept[rows], weights[rows], variances[rows], gram[np.ix_(rows, rows)]
        if not len(kept):
            break
    full = np.zeros((2, n_features))
    full[:, kept] = weights, np.sqrt(variances)
    return full[0] / scale * size, full[1] / scale * size


def many_ard_weights(features: Floats, targets: Floats, taken: NDArray[np.bool_]) -> Floats:
    """Return the weights of features ``(n_problems, n_rows, n_features)`` in many regressions at once.

    Each as in `ard_weights`, of the features that are ``taken``; the others get 0.
    """
    (n_problems, n_rows, n_features), size = features.shape, np.sqrt((targets**2).mean(axis=1))
    scale = np.sqrt((features**2).mean(axis=1))
    kept = taken & (scale > 0)
    scale, size = np.where(kept, scale, np.inf), np.where(size > 0, size, 1.0)
    gram = features.transpose(0, 2, 1) @ features / scale[:, :, None] / scale[:, None]
    products = (targets[:, None] @ features)[:, 0] / scale / size[:, None]
    precision = np.where(kept, 2.0 * taken.sum(axis=1)[:, None], 1.0)
    noise, found, rows = np.full(n_problems, 0.5), np.zeros((n_problems, n_features)), np.arange(n_problems)
    diagonal = np.arange(n_features)
    for _ in range(SETTINGS.ard_steps):
        system = gram / noise[:, None, None]
        system[:, diagonal, diagonal] += precision
        inverse = np.linalg.inv(system)
        weights = (inverse @ products[:, :, None])[:, :, 0] / noise[:, None]
        well_determined = kept * (1 - precision * inverse[:, diagonal, diagonal])
        fresh = well_determined / np.maximum(weights**2, np.finfo(float).tiny)
        precision = np.where(kept, np.clip(fresh, *SETTINGS.ard_precisions), 1.0)
        own = (gram @ weights[:, :, None])[:, :, 0] - 2 * products
        residual = n_rows + (weights * own).sum(axis=1)
        before, noise = noise, residual / np.maximum(n_rows - well_determined.sum(axis=1), 1)
        noise = np.maximum(noise, SETTINGS.ard_min_noise)
        is_done = np.abs(before - noise) <= SETTINGS.ard_tolerance * noise
        kept = kept & (is_done[:, None] | (precision * noise[:, None] < SETTINGS.ard_given_up * n_rows))
        found[rows] = np.where(kept, weights, 0.0)
        on = np.flatnonzero(~is_done & kept.any(axis=1))
        if not len(on):
            break
        gram, products = gram * (kept[:, :, None] & kept[:, None]), products * kept
        rows, gram, products, kept = rows[on], gram[on], products[on], kept[on]
        precision, noise = np.where(kept, precision[on], 1.0), noise[on]
    return found / scale * size[:, None]
