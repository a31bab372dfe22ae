"""The bucket transform of SPEX, and least squares in its domain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.approximators.spex.masking import Layout
from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import walsh_hadamard
from captum_spex.player_sets import PlayerSets

NOISE_FLOOR = 1e-22
"""What rounding errors and the jitter of a fit stay below in variance, for values that are scaled to at most 1."""

_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Signature:
    """How terms show in the bins: the bin in every group, ``(n_terms, n_groups)``, and the sign at every delay."""

    supports: PlayerSets
    bins: Ints
    signs: Floats

    @classmethod
    def of(cls, supports: PlayerSets, layout: Layout) -> Signature:
        """Compute the signature of terms."""
        return cls(supports, layout.bins(supports), layout.delay_signs(supports))

    def __len__(self) -> int:
        return len(self.supports)

    def take(self, rows: np.ndarray) -> Signature:
        """Return the terms at ``rows``."""
        return Signature(self.supports.take(rows), self.bins[rows], self.signs[rows])

    def at_delays(self, delays: np.ndarray) -> Signature:
        """Return the signature at some of the delays only."""
        return Signature(self.supports, self.bins, self.signs[:, delays])

    def with_more(self, other: Signature) -> Signature:
        """Return these terms and others."""
        supports = PlayerSets.concatenate([self.supports, other.supports])
        return Signature(supports, np.concatenate([self.bins, other.bins]), np.concatenate([self.signs, other.signs]))


@dataclass(frozen=True, eq=False)
class Bins:
    r"""The values of a SPEX layout after a Walsh-Hadamard transform of every group and delay.

    .. math:: U_c[j, d] = 2^{-b} \sum_\ell f(M_c \ell + d) (-1)^{\langle j, \ell \rangle}
              = \sum_{k : M_c^T k = j} F(k) (-1)^{\langle d, k \rangle}

    The transform is orthogonal, so least squares, correlations and errors over all masks of the groups can be had
    here, where a term touches one bin of each group.

    Attributes:
        layout: the masks.
        amplitudes: U, ``(n_groups, n_bins, n_delays)``.

    References:
        Kang et al., "SPEX", ICML 2025, section 4.
    """

    layout: Layout
    amplitudes: Floats

    @classmethod
    def transform(cls, layout: Layout, values: Floats) -> Bins:
        """Transform the values ``(len(layout),)`` of all masks; only the groups are used."""
        size = 1 << layout.bits
        grouped = values[: layout.n_structured].reshape(layout.n_groups, layout.n_delays, size)
        spectra = walsh_hadamard(grouped.ravel(), size).reshape(grouped.shape) / size
        return cls(layout, np.ascontiguousarray(spectra.transpose(0, 2, 1)))

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
        return Bins(self.layout, self.amplitudes[:, :, delays])

    @property
    def noise(self) -> float:
        """Mean square of the values per mask (a bin entry is a mean over ``2**bits``), not below rounding errors."""
        return max(float(np.mean(self.amplitudes**2)) * (1 << self.layout.bits), NOISE_FLOOR)

    def significance(self, coefficients: Floats) -> Floats:
        """Return squared coefficients in units of their sampling variance, were the bins all noise."""
        return coefficients**2 * self.n_samples / self.noise

    def correlations(self, terms: Signature) -> Floats:
        """Return the mean of value times character over all masks, for every term."""
        result = np.empty(len(terms))
        step = max(1, _BLOCK // self.n_delays)
        for start in range(0, len(terms), step):
            rows = slice(start, start + step)
            summed = np.zeros((len(terms.bins[rows]), self.n_delays))
            for group in range(self.layout.n_groups):
                summed += self.amplitudes[group][terms.bins[rows, group]]
            result[rows] = np.einsum("kd,kd->k", summed, terms.signs[rows])
        return result / (self.layout.n_groups * self.n_delays)

    def shares(self, terms: Signature) -> Floats:
        """Return the share of its bin's energy that every term alone explains, ``(n_terms, n_groups)``."""
        shares = np.zeros(terms.bins.shape)
        for group in range(self.layout.n_groups):
            seen = self.amplitudes[group][terms.bins[:, group]]
            energy = np.einsum("kd,kd->k", seen, seen)
            explained = np.einsum("kd,kd->k", seen, terms.signs) ** 2 / self.n_delays
            shares[:, group] = explained / np.where(energy > 0, energy, 1.0)
        return np.minimum(shares, 1.0)

    def gram(self, terms: Signature) -> Floats:
        """Return the mean product of any two characters over all masks, ``(n_terms, n_terms)``."""
        together = np.zeros((len(terms), len(terms)))
        for group in range(self.layout.n_groups):
            together += terms.bins[:, None, group] == terms.bins[None, :, group]
        products = terms.signs @ terms.signs.T
        return together * products / (self.layout.n_groups * self.n_delays)

    def without(self, terms: Signature, coefficients: Floats) -> Bins:
        """Return the bins of the residual after the terms."""
        left = self.amplitudes.copy()
        for group in range(self.layout.n_groups):
            np.subtract.at(left[group], terms.bins[:, group], coefficients[:, None] * terms.signs)
        return Bins(self.layout, left)
