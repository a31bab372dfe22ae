"""The bucket transform of SPEX, and least squares in its domain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.approximators.spex.mask_design import MaskDesign
from captum_spex.approximators.spex.settings import SETTINGS
from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import walsh_hadamard
from captum_spex.player_sets import PlayerSets

NOISE_FLOOR = 1e-22
"""Variance that rounding errors and the jitter of a fit stay below, for values that are scaled to at most 1."""


@dataclass(frozen=True, eq=False)
class Signature:
    """How terms show in the bins: the bin in every group, ``(n_terms, n_groups)``, and the sign at every delay."""

    sets: PlayerSets
    bins: Ints
    signs: Floats

    @classmethod
    def of(cls, sets: PlayerSets, design: MaskDesign) -> Signature:
        """Compute the signature of terms."""
        return cls(sets, design.bins(sets), design.delay_signs(sets))

    def __len__(self) -> int:
        return len(self.sets)

    def take(self, rows: np.ndarray) -> Signature:
        """Return the terms at ``rows``."""
        return Signature(self.sets.take(rows), self.bins[rows], self.signs[rows])

    def at_delays(self, delays: np.ndarray) -> Signature:
        """Return the signature at some of the delays only."""
        return Signature(self.sets, self.bins, self.signs[:, delays])

    def with_more(self, other: Signature) -> Signature:
        """Return these terms and others."""
        sets = PlayerSets.concatenate([self.sets, other.sets])
        return Signature(sets, np.concatenate([self.bins, other.bins]), np.concatenate([self.signs, other.signs]))


@dataclass(frozen=True, eq=False)
class Bins:
    r"""The values of a mask design after a Walsh-Hadamard transform of every group and delay.

    .. math:: U_c[j, d] = 2^{-b} \sum_\ell f(M_c \ell + d) (-1)^{\langle j, \ell \rangle}
              = \sum_{k : M_c^T k = j} F(k) (-1)^{\langle d, k \rangle}

    The transform is orthogonal, so least squares, correlations and errors over all masks of the groups can be had
    here, where a term touches one bin of each group.

    Attributes:
        design: the masks.
        amplitudes: U, ``(n_groups, n_bins, n_delays)``.

    References:
        Kang et al., "SPEX", ICML 2025, section 4.
    """

    design: MaskDesign
    amplitudes: Floats

    @classmethod
    def transform(cls, design: MaskDesign, values: Floats) -> Bins:
        """Transform the values ``(len(design),)`` of all masks; only the groups are used."""
        size = 1 << design.bits
        grouped = values[: design.n_structured].reshape(design.n_groups, design.n_delays, size)
        spectra = walsh_hadamard(grouped.ravel(), size).reshape(grouped.shape) / size
        return cls(design, np.ascontiguousarray(spectra.transpose(0, 2, 1)))

    @property
    def n_delays(self) -> int:
        """Number of delays whose measurements are here."""
        return self.amplitudes.shape[2]

    @property
    def n_samples(self) -> int:
        """Number of masks behind the bins."""
        return self.amplitudes.size

    def at_delays(self, delays: np.ndarray) -> Bins:
        """Return the measurements at some of the delays only: some of the masks."""
        return Bins(self.design, self.amplitudes[:, :, delays])

    @property
    def noise(self) -> float:
        """Mean square of the values per mask (a bin entry is a mean over ``2**bits``), not below rounding errors."""
        return max(float(np.mean(self.amplitudes**2)) * (1 << self.design.bits), NOISE_FLOOR)

    def significance(self, coefficients: Floats) -> Floats:
        """Return squared coefficients in units of their sampling variance, were the bins all noise."""
        return coefficients**2 * self.n_samples / self.noise

    def correlations(self, terms: Signature) -> Floats:
        """Return the mean of value times character over all masks, for every term."""
        result = np.empty(len(terms))
        step = max(1, SETTINGS.cells // self.n_delays)
        for start in range(0, len(terms), step):
            rows = slice(start, start + step)
            summed = np.zeros((len(terms.bins[rows]), self.n_delays))
            for group in range(self.design.n_groups):
                summed += self.amplitudes[group][terms.bins[rows, group]]
            result[rows] = np.einsum("kd,kd->k", summed, terms.signs[rows])
        return result / (self.design.n_groups * self.n_delays)

    def shares(self, terms: Signature) -> Floats:
        """Return the share of its bin's energy that every term alone explains, ``(n_terms, n_groups)``."""
        shares = np.zeros(terms.bins.shape)
        for group in range(self.design.n_groups):
            measured = self.amplitudes[group][terms.bins[:, group]]
            energy = np.einsum("kd,kd->k", measured, measured)
            explained = np.einsum("kd,kd->k", measured, terms.signs) ** 2 / self.n_delays
            shares[:, group] = explained / np.where(energy > 0, energy, 1.0)
        return np.minimum(shares, 1.0)

    def gram(self, terms: Signature) -> Floats:
        """Return the mean product of any two characters over all masks, ``(n_terms, n_terms)``."""
        together = np.zeros((len(terms), len(terms)))
        for group in range(self.design.n_groups):
            together += terms.bins[:, None, group] == terms.bins[None, :, group]
        products = terms.signs @ terms.signs.T
        return together * products / (self.design.n_groups * self.n_delays)

    def without(self, terms: Signature, coefficients: Floats) -> Bins:
        """Return the bins of the residual after the terms."""
        residual = self.amplitudes.copy()
        for group in range(self.design.n_groups):
            np.subtract.at(residual[group], terms.bins[:, group], coefficients[:, None] * terms.signs)
        return Bins(self.design, residual)
