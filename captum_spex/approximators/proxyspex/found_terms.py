"""Fourier terms that trees found, fitted again: alone, or beside a process that was learnt from the same values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from captum_spex.approximators.proxyspex.ard_regression import ard_weights
from captum_spex.approximators.proxyspex.proxy import FittedProxy, best_of
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Rows
from captum_spex.fourier import characters, signs
from captum_spex.masks import Masks
from captum_spex.model import KernelExpansion, Part, Posterior, Spectrum
from captum_spex.player_sets import PlayerSets


def largest_terms(spectrum: Spectrum, n_masks: int) -> PlayerSets:
    """Return the largest terms, without the mean: as many as can be told apart, at most half of the masks."""
    rows = np.flatnonzero(spectrum.orders > 0)
    most = min(SETTINGS.refitted_terms, int(SETTINGS.refitted_share * n_masks))
    return spectrum.sets.take(rows[np.argsort(-np.abs(spectrum.values[rows]), kind="stable")[:most]])


def fitted_alone(sets: PlayerSets, masks: Masks, values: Floats) -> Spectrum:
    """Fit terms to values ``(n_masks,)``, each with a prior variance of its own, and a mean."""
    features, mean = characters(masks, sets).T, float(values.mean())
    centers = features.mean(axis=0)
    weights, _ = ard_weights(features - centers, values - mean)
    constant = Spectrum.from_terms({(): mean - float(centers @ weights)}, masks.shape[1])
    return Spectrum.sum([constant, Spectrum(sets, weights)], masks.shape[1])


@dataclass(frozen=True, eq=False)
class Beside:
    r"""A process, given as it was learnt, that found terms are added to.

    .. math:: y = \Phi w + f + \varepsilon, \qquad f \sim GP, \qquad w_j \sim N(0, 1 / \alpha_j)

    With the Cholesky factor of the process's covariance :math:`L L^T`, the weights are those of the regression of
    :math:`L^{-1} y` on :math:`L^{-1} \Phi`, and the process tells what they leave. Where the terms tell nothing new,
    their weights vanish and the process remains.
    """

    rival: FittedProxy
    posterior: Posterior
    masks: Masks
    covariance: Floats
    spread: Floats

    @classmethod
    def of(cls, rivals: Sequence[FittedProxy], masks: Masks, values: Floats, noise: Floats) -> Beside | None:
        """Take the best process among the rivals; ``None`` where there is none, or a factorisation takes too long."""
        rival = best_of([one for one in rivals if one.posterior is not None], values)
        posterior = None if rival is None else rival.posterior
        if rival is None or posterior is None or len(masks) > SETTINGS.beside_masks:
            return None
        covariance = posterior.covariance(masks, masks)
        return cls(rival, posterior, masks, covariance, posterior.nugget + noise + SETTINGS.beside_jitter)

    def parts(self, sets: Sequence[PlayerSets], values: Floats) -> list[tuple[Part, ...]]:
        """Fit terms and process to every output of values ``(n_masks, n_outputs)``; return the parts of their sums."""
        n, rows, known = self.masks.shape[1], np.arange(len(self.masks)), self.posterior.terms
        singles = PlayerSets.all_of_order(1, n)
        found: list[tuple[Part, ...]] = []
        for own, column in zip(sets, values.T, strict=True):
            weights, left = _fit(self._factor(rows), characters(self.masks, own).T, column)
            linear = Spectrum(singles, self.posterior.linear * (left @ signs(self.masks)))
            terms = Spectrum(known.sets, known.values * (characters(self.masks, known.sets) @ left))
            spectrum = Spectrum.sum([Spectrum(own, weights), linear, terms], n)
            found.append((spectrum, KernelExpansion(self.masks, left, self.posterior.kernels)))
        return found

    def predicted(self, rows: Rows, held_out: Rows, sets: Sequence[PlayerSets], values: Floats) -> Floats:
        """Predict values ``(n_held_out, n_outputs)`` that terms, fitted to some rows, did not use.

        What the rival predicts there, plus by how much the terms change it. The rival knows best how well it predicts.
        """
        factor, predicted = self._factor(rows), self.rival.left_out[held_out]
        between = self.covariance[np.ix_(held_out, rows)]
        for column, own in enumerate(sets):
            weights, left = _fit(factor, characters(self.masks[rows], own).T, values[rows, column])
            without = cho_solve((factor, True), values[rows, column])
            predicted[:, column] += characters(self.masks[held_out], own).T @ weights + between @ (left - without)
        return predicted

    def _factor(self, rows: Rows) -> Floats:
        own = self.covariance[np.ix_(rows, rows)] + np.diag(self.spread[rows])
        return np.asarray(cholesky(own, lower=True, overwrite_a=True, check_finite=False))


def _fit(factor: Floats, features: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return the weights of features, and those of the process's expansion about the masks."""
    there = [solve_triangular(factor, one, lower=True, check_finite=False) for one in (features, values)]
    weights, _ = ard_weights(*there)
    return weights, np.asarray(cho_solve((factor, True), values - features @ weights))
