"""The averaged process: for few masks, a Gaussian process to which all players are alike, and nothing is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from captum_spex.approximators.proxyspex.proxy import FittedProxy, ProxyData
from captum_spex.approximators.proxyspex.rounds import FEWEST_MASKS
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Rows
from captum_spex.designs import affordable_level
from captum_spex.fourier import signs
from captum_spex.masks import Masks, find_rows, mask_keys
from captum_spex.model import KernelExpansion, Part, Posterior, ProductKernel, Spectrum
from captum_spex.model.product_kernel import LARGEST_DECAY
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True)
class AveragedProcess:
    r"""A Gaussian process to which all players are alike, averaged over hyper-parameters by their evidence.

    .. math:: k(x, x') = c + v \left(e^{-(|x| + |x'|) / n} + e^{-(2n - |x| - |x'|) / n}\right)
              + \frac ln \sum_i x_i x'_i + a\,e^{-w d / n} + (s^2 + e\,[|x| \in \{0, n\}])\,[x = x']

    with d players in which two masks differ: a mean, a curve of the size (what the average player does), main effects,
    interactions, and what is different in every mask, most of all in the full and the empty one. Each of v, l, a, s²
    and e takes two values; all 32 kernels take part, weighted by their evidence, in which the scale is integrated out.

    With fewer masks than the enumeration of single players takes, a decay for every player cannot be learnt well; with
    more, and at least 16, this proxy takes no part. Where few players matter the learnt process is better, and gets the
    weight.

    References:
        Rasmussen, Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.30 and 5.12.
        Hoeting et al., "Bayesian model averaging: a tutorial", Statistical Science 1999.
    """

    fewest_masks: ClassVar[int] = 4

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        """Condition all kernels; none where masks are enough for the learnt process alone, or too many."""
        n_masks, n_players = data.masks.shape
        others_learn = n_masks >= FEWEST_MASKS and affordable_level(n_players, n_masks) > 0
        if others_learn or n_masks > SETTINGS.averaged_masks:
            return []
        components = _Components.of(data.masks)
        fits = [_Fit.of(components, amplitudes, data) for amplitudes in product(*SETTINGS.averaged_amplitudes)]
        predicted = np.stack([fit.left_out for fit in fits])
        shares = softmax([fit.evidence for fit in fits], axis=0)
        without = softmax([fit.evidence_without for fit in fits], axis=0)
        left_out, reused = (without * predicted).sum(axis=0), (shares[:, None] * predicted).sum(axis=0)
        parts = [components.expansion(fits, share, column) for column, share in enumerate(shares.T)]
        best = max(fits, key=lambda fit: float(fit.evidence.sum()))
        posterior = components.posterior(best, data.noise)
        return [FittedProxy("averaged process", parts, left_out, reused, posterior)]


@dataclass(frozen=True, eq=False)
class _Components:
    """What all kernels are made of, and its covariance between the masks: a mean, sizes, interactions, both ends."""

    masks: Masks
    kernels: tuple[tuple[ProductKernel, ...], ...]
    covariances: tuple[Floats, ...]
    main_effects: Floats  # their covariance

    @classmethod
    def of(cls, masks: Masks) -> _Components:
        n = masks.shape[1]
        nothing = np.zeros(n)
        kernels = (
            (ProductKernel(SETTINGS.averaged_mean, nothing),),
            (ProductKernel(1.0, nothing, from_empty=1 / n), ProductKernel(1.0, nothing, from_full=1 / n)),
            (ProductKernel(1.0, np.full(n, SETTINGS.averaged_decay / n)),),
            (
                ProductKernel(1.0, nothing, from_empty=LARGEST_DECAY),
                ProductKernel(1.0, nothing, from_full=LARGEST_DECAY),
            ),
        )
        covariances = tuple(np.sum([one.between(masks, masks) for one in some], axis=0) for some in kernels)
        return cls(masks, kernels, covariances, signs(masks) @ signs(masks).T / n)

    def expansion(self, fits: Sequence[_Fit], shares: Floats, column: int) -> tuple[Part, ...]:
        """Return the mean of the mixture; what is different at an end alone is left to the residuals there."""
        n = self.masks.shape[1]
        used = [(share, fit) for share, fit in zip(shares.tolist(), fits, strict=True) if share > 0]

        def weights(component: int) -> Floats:
            return np.sum([share * fit.amplitudes[component] * fit.weights[:, column] for share, fit in used], axis=0)

        main = np.sum([share * fit.main_effects * fit.weights[:, column] for share, fit in used], axis=0)
        sums = Spectrum(PlayerSets.all_of_order(1, n), main @ signs(self.masks) / n)
        expansions = [KernelExpansion(self.masks, weights(one), self.kernels[one]) for one in (1, 2)]
        mean = Spectrum.from_terms({(): float(SETTINGS.averaged_mean * weights(0).sum())}, n)
        return (Spectrum.sum([mean, sums], n), *expansions)

    def posterior(self, fit: _Fit, noise: Floats) -> Posterior:
        """Return one of the processes given the values."""
        n = self.masks.shape[1]
        kernels = [
            ProductKernel(one.amplitude * amplitude * fit.scale, one.decays, one.from_empty, one.from_full)
            for amplitude, some in zip(fit.amplitudes, self.kernels, strict=True)
            for one in some
            if amplitude > 0
        ]
        linear = np.full(n, fit.main_effects * fit.scale / n)
        no_terms = Spectrum.from_terms({}, n)
        return Posterior(self.masks, tuple(kernels), linear, no_terms, fit.nugget * fit.scale, noise)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A process given the values ``(n_masks, n_outputs)``: its weights, and predictions without a mask's own value.

    Attributes:
        amplitudes: of the mean, the sizes, interactions and the ends.
        main_effects, nugget: their variances.
        weights: of the masks.
        left_out: predictions without a mask and its complement, or without one of the full and the empty mask.
        evidence: logarithm for each output, up to a constant, ``(n_outputs,)``.
        evidence_without: of the values without those of a mask and its complement.
        scale: of the values: what all variances are multiplied by.
    """

    amplitudes: tuple[float, float, float, float]
    main_effects: float
    nugget: float
    weights: Floats
    left_out: Floats
    evidence: Floats
    evidence_without: Floats
    scale: float

    @classmethod
    def of(cls, components: _Components, amplitudes: tuple[float, ...], data: ProxyData) -> _Fit:
        r"""Condition; with the scale integrated out, :math:`\log p(y) = -\frac12 \log|K| - \frac T2 \log y^T K^{-1} y`.

        Without some rows b: :math:`|K_{-b}| = |K|\,|(K^{-1})_{bb}|`, and :math:`y^T K^{-1} y` falls by
        :math:`\alpha_b^T ((K^{-1})_{bb})^{-1} \alpha_b` with :math:`\alpha = K^{-1} y`.
        """
        sizes, main_effects, interactions, nugget, ends = amplitudes
        of_kernels = (1.0, sizes, interactions, ends)
        total = main_effects * components.main_effects
        for amplitude, covariance in zip(of_kernels, components.covariances, strict=True):
            total += amplitude * covariance
        total.flat[:: len(total) + 1] += nugget + data.noise
        factor = cho_factor(total, lower=True)
        inverse = cho_solve(factor, np.eye(len(total)))
        weights = inverse @ data.values
        power = (data.values * weights).sum(axis=0)
        determinant = 2 * np.log(np.diag(factor[0])).sum()
        residuals, explained, of_rows, n_rows = _without(inverse, weights, _complements(data.masks))
        left = np.maximum(power - explained, SETTINGS.min_variance)
        return cls(
            amplitudes=of_kernels,
            main_effects=main_effects,
            nugget=nugget,
            weights=weights,
            left_out=data.values - residuals,
            evidence=_evidence(determinant, power, len(total)),
            evidence_without=_evidence((determinant + np.log(of_rows))[:, None], left, len(total) - n_rows[:, None]),
            scale=float(power.mean()) / len(total),
        )


def _evidence(determinant: Floats, power: Floats, n_values: Floats | int) -> Floats:
    return np.asarray(-(determinant + n_values * np.log(power / np.maximum(n_values, 1))) / 2)


def _complements(masks: Masks) -> Rows:
    """For every mask the row of its complement, or -1 if that was not evaluated.

    The full and the empty mask stay apart: both are always evaluated, and without both few masks tell nothing of sizes.
    """
    is_end = masks.all(axis=1) | ~masks.any(axis=1)
    return np.where(is_end, -1, find_rows(mask_keys(~masks), mask_keys(masks)))


def _without(inverse: Floats, weights: Floats, partner: Rows) -> tuple[Floats, Floats, Floats, Floats]:
    """Residuals of left-out pairs, the power they explain, their block's determinant, and the rows of the block."""
    has_partner = partner >= 0
    n_rows = np.where(has_partner, 2, 1)
    own, other = np.diag(inverse), np.where(has_partner, np.diag(inverse)[partner], 1.0)
    between = np.where(has_partner, inverse[np.arange(len(inverse)), partner], 0.0)
    beside = np.where(has_partner[:, None], weights[partner], 0.0)
    determinant = own * other - between**2
    residuals = (other[:, None] * weights - between[:, None] * beside) / determinant[:, None]
    of_partner = (own[:, None] * beside - between[:, None] * weights) / determinant[:, None]
    return residuals, weights * residuals + beside * of_partner, determinant, np.asarray(n_rows, dtype=np.float64)
