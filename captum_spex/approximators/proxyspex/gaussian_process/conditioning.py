"""Conditioning a Gaussian process on masks, exactly or on inducing masks; expansion and error bars that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters, inverse_of
from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import characters, signs
from captum_spex.masks import Masks, find_rows, mask_keys
from captum_spex.model import KernelExpansion, Posterior, ProductKernel, Spectrum
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True, eq=False)
class TermPrior:
    """Fourier terms that have a variance of their own in the process: ``sets`` and ``variances`` ``(n_terms,)``."""

    sets: PlayerSets
    variances: Floats

    def characters(self, masks: Masks, like: Tensor) -> Tensor:
        """Return the terms' signs, ``(n_terms, n_masks)``."""
        return characters_of(self.sets, masks, like)

    def covariance(self, masks: Masks, others: Masks, like: Tensor) -> Tensor:
        """Return what the terms add to the covariance of masks with others."""
        weighted = self.characters(masks, like).T * torch.from_numpy(self.variances).to(like)
        return weighted @ self.characters(others, like)


@dataclass(frozen=True, eq=False)
class Process:
    """A Gaussian process on masks: the kernel, and the Fourier terms with variances of their own, if any."""

    hyper: Hyperparameters
    terms: TermPrior | None

    def covariance(self, masks: Masks, others: Masks, like: Tensor) -> Tensor:
        """Return the covariance of masks with others, without the nugget."""
        total = self.hyper.to(like).kernel(signs_of(masks, like), signs_of(others, like))
        return total if self.terms is None else total + self.terms.covariance(masks, others, like)


@dataclass(frozen=True, eq=False)
class Conditioned:
    r"""A process conditioned on targets: its mean is :math:`\sum_t \alpha_t k(\cdot, x_t)` over the ``centers``.

    Attributes:
        process: the process.
        centers: the masks around which the mean is expanded: all that were evaluated, or the inducing ones.
        weights: :math:`\alpha`, ``(n_centers, n_outputs)``.
        left_out: predictions of every target by the process without it (and without the complementary
            mask), ``(n_masks, n_outputs)``.
        variances: variances of these predictions about the targets, ``(n_masks,)``.
        unseen: mean variance of the values of uniformly random masks that were not evaluated, without noise; NaN
            unless asked for.
    """

    process: Process
    centers: Masks
    weights: Floats
    left_out: Floats
    variances: Floats
    unseen: float


@dataclass(frozen=True)
class Solver:
    """How to condition: exactly up to ``most_exact`` masks, by one Cholesky factorisation in double precision.

    Beyond, by the variational approximation with the first ``n_inducing`` masks as inducing inputs, at a cost that
    grows linearly with the masks.

    References:
        Rasmussen, Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25 and 5.12.
        Titsias, "Variational learning of inducing variables", AISTATS 2009.
    """

    most_exact: int
    n_inducing: int
    device: torch.device

    @property
    def like(self) -> Tensor:
        """A tensor whose precision and device the solution has."""
        return torch.zeros((), dtype=torch.float64, device=self.device)

    def __call__(
        self, process: Process, masks: Masks, targets: Floats, noise: Floats, *, n_unseen: int = 0
    ) -> Conditioned:
        """Condition on targets ``(n_masks, n_outputs)`` whose variances beyond the nugget are ``noise``.

        ``n_unseen`` random masks, if any, tell how uncertain the values of masks are that were not evaluated.
        """
        y = torch.from_numpy(targets).to(self.like)
        spread = torch.from_numpy(noise).to(self.like) + process.hyper.nugget + 1e-8
        if len(masks) <= self.most_exact:
            return _exact(process, masks, y, spread, n_unseen)
        return _inducing(process, masks, y, spread, self.n_inducing)


def characters_of(sets: PlayerSets, masks: Masks, like: Tensor) -> Tensor:
    """Return the characters of sets at masks, ``(n_sets, n_masks)``, in the precision and on the device of a tensor."""
    return torch.from_numpy(characters(masks, sets)).to(like)


def signs_of(masks: Masks, like: Tensor) -> Tensor:
    """Return masks as signs, in the precision and on the device of a tensor."""
    return torch.from_numpy(signs(masks)).to(like)


def _complements(masks: Masks) -> Ints:
    """For every mask the row of its complement, or its own row if that was not evaluated."""
    rows = find_rows(mask_keys(~masks), mask_keys(masks))
    return np.where(rows >= 0, rows, np.arange(len(masks)))


def _exact(process: Process, masks: Masks, y: Tensor, spread: Tensor, n_unseen: int) -> Conditioned:
    total = process.covariance(masks, masks, y)
    total.diagonal().add_(spread)
    inverse = inverse_of(total)
    weights = inverse @ y
    rows = torch.arange(len(masks), device=y.device)
    partner = torch.from_numpy(_complements(masks)).to(y.device)
    own, other = inverse.diagonal(), inverse.diagonal()[partner]
    between = torch.where(partner == rows, torch.zeros_like(own), inverse[rows, partner])
    # The residual of a left-out pair solves the pair's block of the inverse: Rasmussen, Williams 5.12 for two rows.
    variances = 1 / (own - between**2 / other)
    residuals = variances[:, None] * (weights - (between / other)[:, None] * weights[partner])
    unseen = _unseen_variance(process, masks, inverse, n_unseen) if n_unseen else np.nan
    return Conditioned(process, masks, as_array(weights), as_array(y - residuals), as_array(variances), unseen)


def _unseen_variance(process: Process, masks: Masks, inverse: Tensor, count: int) -> float:
    """Return the mean variance of the values of uniformly random masks that are none of ``masks``."""
    drawn = np.random.default_rng(0).random((count, masks.shape[1])) < 0.5
    drawn = drawn[find_rows(mask_keys(drawn), mask_keys(masks)) < 0]
    if not len(drawn):
        return process.hyper.nugget
    cross = process.covariance(drawn, masks, inverse)
    prior = process.covariance(drawn, drawn, inverse).diagonal()
    return process.hyper.nugget + float((prior - ((cross @ inverse) * cross).sum(dim=1)).clamp(min=0).mean())


def _inducing(process: Process, masks: Masks, y: Tensor, spread: Tensor, n_inducing: int) -> Conditioned:
    r"""Condition on the inducing masks u: weights :math:`(K_{uu} + K_{uf} D^{-1} K_{fu})^{-1} K_{uf} D^{-1} y`."""
    centers = masks[:n_inducing]
    own = process.covariance(centers, centers, y)
    own.diagonal().add_(1e-8 * own.diagonal().mean())
    # All covariances with the centers do not fit into memory: they are made, and made again below, block by block.
    precision, right = own.clone(), y.new_zeros((len(centers), y.shape[1]))
    blocks = np.array_split(np.arange(len(masks)), -(-len(masks) // n_inducing))
    for rows in blocks:
        cross = process.covariance(centers, masks[rows], y)
        scaled = cross / spread[rows]
        precision.addmm_(scaled, cross.T)
        right.addmm_(scaled, y[rows])
    inverse = inverse_of(precision)
    weights = inverse @ right
    partner = _complements(masks)
    residuals = y - torch.cat([process.covariance(masks[rows], centers, y) @ weights for rows in blocks])
    left_out, variances = torch.empty_like(y), torch.empty_like(spread)
    for rows in blocks:
        # The mean is a linear smoother H y with H = K_fu (...)^{-1} K_uf D^{-1}. Without a mask and its complement the
        # residuals e of the two solve (I - H) e = r, a system of two equations whose entries of H are computed here.
        others = partner[rows]
        cross, far = (process.covariance(centers, masks[which], y) for which in (rows, others))
        smoothed = inverse @ cross
        # A leverage of 1 would leave nothing to predict from: the clamps bound what is divided by.
        leverage = ((smoothed * cross).sum(dim=0) / spread[rows]).clamp_(max=1 - 1e-6)
        other = (((inverse @ far) * far).sum(dim=0) / spread[others]).clamp_(max=1 - 1e-6)
        alone = torch.from_numpy(others == rows).to(y.device)
        between = torch.where(alone, torch.zeros_like(leverage), (smoothed * far).sum(dim=0))
        determinant = (1 - leverage) * (1 - other) - between**2 / spread[rows] / spread[others]
        determinant.clamp_(min=1e-6)
        variances[rows] = spread[rows] * (1 - other) / determinant
        pull = (between / spread[others] / determinant)[:, None] * residuals[others]
        left_out[rows] = y[rows] - ((1 - other) / determinant)[:, None] * residuals[rows] - pull
    unseen = float(variances.mean())  # with so many masks, one that is left out is as hard as one that never was in
    return Conditioned(process, centers, as_array(weights), as_array(left_out), as_array(variances), unseen)


def as_array(tensor: Tensor) -> Floats:
    """Return a tensor from any device as a float64 array."""
    return tensor.detach().cpu().double().numpy()


def expansion(conditioned: Conditioned, column: int) -> tuple[Spectrum, KernelExpansion]:
    """Return the mean of the process for one output: linear kernel and terms as a spectrum, and the kernels."""
    masks, weights = conditioned.centers, conditioned.weights[:, column]
    hyper, n = conditioned.process.hyper, masks.shape[1]
    linear = np.exp(as_array(hyper.linear)) * (weights @ signs(masks))
    spectra = [Spectrum(PlayerSets.all_of_order(1, n), linear)]
    terms = conditioned.process.terms
    if terms is not None:
        characters = terms.characters(masks, torch.zeros((), dtype=torch.float64)).numpy()
        spectra.append(Spectrum(terms.sets, terms.variances * (characters @ weights)))
    return Spectrum.sum(spectra, n), KernelExpansion(masks, weights, kernels_of(hyper))


def posterior(conditioned: Conditioned, masks: Masks, noise: Floats) -> Posterior:
    """Return the process given the values of ``masks``, of which inducing masks are the first."""
    hyper, terms = conditioned.process.hyper, conditioned.process.terms
    n_used = len(conditioned.centers)  # the inducing masks, where there are too many: larger errors, never smaller
    return Posterior(
        masks=masks[:n_used],
        kernels=kernels_of(hyper),
        linear=np.exp(as_array(hyper.linear)),
        terms=Spectrum.from_terms({}, masks.shape[1]) if terms is None else Spectrum(terms.sets, terms.variances),
        nugget=hyper.nugget,
        noise=noise[:n_used],
    )


def kernels_of(hyper: Hyperparameters) -> tuple[ProductKernel, ...]:
    """Return the product kernels: two of the whole lattice, and one for each of its ends."""
    near, far, ratio, _, empty, full, h, from_empty, from_full = np.exp(as_array(hyper.shared)).tolist()
    decays = np.exp(as_array(hyper.decays))
    return (
        ProductKernel(near, decays),
        ProductKernel(far, ratio * decays),
        ProductKernel(empty, h * decays, from_empty=from_empty),
        ProductKernel(full, h * decays, from_full=from_full),
    )
