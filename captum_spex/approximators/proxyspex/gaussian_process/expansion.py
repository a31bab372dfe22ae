"""A conditioned process as parts of a recovered game, and as the source of its error bars."""

from __future__ import annotations

import numpy as np
import torch

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import Conditioned, as_array
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters
from captum_spex.arrays import Floats
from captum_spex.fourier import signs
from captum_spex.masks import Masks
from captum_spex.model import KernelExpansion, Posterior, ProductKernel, Spectrum
from captum_spex.player_sets import PlayerSets


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


def kernels_of(hyper: Hyperparameters) -> tuple[ProductKernel, ProductKernel]:
    """Return the two product kernels."""
    near, far, ratio, _ = np.exp(as_array(hyper.shared))
    decays = np.exp(as_array(hyper.decays))
    return ProductKernel(float(near), decays), ProductKernel(float(far), float(ratio) * decays)
