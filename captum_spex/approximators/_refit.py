"""Refitting the coefficients of a spectrum to the observed values, by ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.linear_model import RidgeCV

from captum_spex.masks import Masks
from captum_spex.model import Spectrum
from captum_spex.model.spectrum import parities
from captum_spex.supports import Floats, Supports

PENALTIES = (1e-6, 1e-3, 1e-2, 5e-2, 2e-1, 1.0)
"""Ridge penalties tried, from nearly none to the prior's own size."""

_MOST_TERMS = 4000  # terms refitted at most: their Gram matrix is factorised
_MOST_CELLS = 100_000_000  # cells of the matrix of terms and masks: 800 MB


@dataclass(frozen=True, eq=False)
class WeightedRidge:
    r"""Ridge regression on the ``n_terms`` largest terms of a spectrum, which serves as the prior.

    .. math:: \min_F \sum_t (v_t - \bar v - f_F(m_t))^2 + \lambda \sum_S F(S)^2 / G(S)^2

    where :math:`G` is the spectrum given: a term that it thinks small stays small unless the values insist. One
    Cholesky factorisation per penalty, of the smaller of the two Gram matrices; penalties are in units of the mean
    eigenvalue of the ``(n_masks, n_masks)`` one.
    """

    prior: Spectrum
    center: float
    design: Floats  # characters times prior standard deviation, (n_terms, n_masks)
    values: Floats

    @classmethod
    def prepare(cls, spectrum: Spectrum, n_terms: int, masks: Masks, values: Floats) -> WeightedRidge:
        """Set up the regression on the constant and the ``n_terms`` largest other terms."""
        most = min(n_terms, _MOST_TERMS, _MOST_CELLS // len(masks))
        terms = spectrum.select(np.flatnonzero(spectrum.orders > 0)[:most])
        # The sample's mean is not yet the constant term; what is between them may be as large as all terms together.
        constant = Spectrum.from_terms({(): float(np.abs(terms.values).sum())}, spectrum.n_players)
        prior = Spectrum.sum([terms, constant], spectrum.n_players)
        center = float(values.mean())
        return cls(prior, center, _weighted_characters(prior, masks), values - center)

    @classmethod
    def main_effects(cls, masks: Masks, values: Floats) -> WeightedRidge:
        """Set up the regression on the single players, all thought equally large."""
        n_players = masks.shape[1]
        prior = Spectrum(Supports.all_of_order(1, n_players), np.ones(n_players))
        return cls.prepare(prior, n_players, masks, values)

    def coefficients(self, penalties: Sequence[float]) -> Floats:
        """Return the solution of every penalty in units of the prior, ``(n_terms, n_penalties)``."""
        n_terms, n_masks = self.design.shape
        primal = n_terms <= n_masks
        gram = self.design @ self.design.T if primal else self.design.T @ self.design
        right = self.design @ self.values if primal else self.values
        unit = float(np.trace(gram)) / n_masks
        solutions = []
        for penalty in penalties:
            regularised = gram.copy()
            np.fill_diagonal(regularised, gram.diagonal() + penalty * unit)
            factor = cho_factor(regularised, lower=True, overwrite_a=True, check_finite=False)
            solutions.append(cho_solve(factor, right, check_finite=False))
        solved = np.stack(solutions, axis=1)
        return solved if primal else self.design @ solved

    def predict_path(self, masks: Masks, penalties: Sequence[float]) -> Floats:
        """Return the predictions for other masks under every penalty, ``(n_penalties, n_masks)``."""
        return self.center + self.coefficients(penalties).T @ _weighted_characters(self.prior, masks)

    def solve(self, penalty: float) -> Spectrum:
        """Return the spectrum refitted under one penalty."""
        scaled = self.coefficients([penalty])[:, 0] * np.abs(self.prior.values)
        constant = Spectrum.from_terms({(): self.center}, self.prior.n_players)
        return Spectrum.sum([Spectrum(self.prior.sets, scaled), constant], self.prior.n_players)


def refit_energy(spectrum: Spectrum, share: float, masks: Masks, values: Floats) -> Spectrum:
    """Keep the largest terms up to a share of the energy and refit them by ridge, as the published method does.

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, and its code (spectral-explain 0.0.4): terms larger than the
        magnitude at which 95 % of the non-constant energy is reached, `RidgeCV` with 100 penalties.
    """
    rows = np.flatnonzero(spectrum.orders > 0)
    energy = np.cumsum(spectrum.values[rows] ** 2)
    cut = np.abs(spectrum.values[rows])[np.searchsorted(energy, share * energy[-1])] if len(rows) else 0.0
    kept = rows[np.abs(spectrum.values[rows]) > cut]
    constant = Supports.from_sets([()], spectrum.n_players)
    supports = Supports.concatenate([constant, spectrum.sets.take(kept)])
    characters = 1.0 - 2.0 * parities(masks, supports).T
    ridge = RidgeCV(alphas=np.logspace(-6, 6, 100), fit_intercept=False).fit(characters, values)
    return Spectrum(supports, ridge.coef_)


def _weighted_characters(prior: Spectrum, masks: Masks) -> Floats:
    signs = 1.0 - 2.0 * parities(masks, prior.sets)
    return np.asarray(signs * np.abs(prior.values)[:, None], dtype=np.float64)
