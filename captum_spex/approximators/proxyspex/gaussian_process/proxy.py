"""The Gaussian process on masks as a proxy: what is learnt, and its out-of-sample predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from captum_spex import checks
from captum_spex.approximators.proxyspex.fitted_proxy import FittedProxy
from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Conditioned,
    Process,
    Solver,
    TermPrior,
    as_array,
    signs_of,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters, maximise_evidence
from captum_spex.approximators.proxyspex.gaussian_process.link_learning import FEWEST_VALUES, LearnedLink
from captum_spex.approximators.proxyspex.gaussian_process.sparse_terms import find_terms
from captum_spex.approximators.validation import folds
from captum_spex.arrays import Floats, Ints
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks
from captum_spex.model import KernelExpansion, Link, LinkedExpansion, Part, ProductKernel, Spectrum
from captum_spex.player_sets import PlayerSets

_RETUNED_STEPS, _RETUNED_RATE = 10, 0.15
_FEWEST_RETUNED = 256  # masks below which found terms leave the kernel as it is


@dataclass(frozen=True)
class GaussianProcess:
    """Settings of the Gaussian process on masks.

    Two product kernels that share one learnt weight for each player, a linear kernel, a nugget; Fourier terms with
    variances of their own where the evidence insists; and, beside it, a second process behind a learnt monotone link,
    for values that are a squashed score. Which of the two is used, or both, is decided by predictions out of sample.

    Attributes:
        n_steps: steps up the evidence; few on purpose.
        learning_rate: of these steps.
        max_rows: masks that the hyper-parameters are learnt on, drawn at random.
        terms: whether Fourier terms are sought.
        links: whether a link is learnt.
        most_exact: masks up to which the process is conditioned exactly; beyond, on ``n_inducing`` inducing masks.
        n_inducing: number of inducing masks.
    """

    n_steps: int = 20
    learning_rate: float = 0.25
    max_rows: int = 768
    terms: bool = True
    links: bool = True
    most_exact: int = 10_000
    n_inducing: int = 4_096

    def __post_init__(self) -> None:
        for name in ("n_steps", "max_rows", "most_exact", "n_inducing"):
            checks.integer(name, getattr(self, name))
        if not self.learning_rate > 0:
            raise ArgumentError("learning_rate", repr(self.learning_rate), "a positive number")


@dataclass(frozen=True, eq=False)
class Learner:
    """Learns from standardised values ``(n_masks, n_outputs)``, and predicts them out of sample.

    A mask's own value takes part in learning the hyper-parameters, so leaving it out of the conditioning alone is
    optimistic. Masks that had no part in learning are predicted as they are; where all had, each half is predicted
    with what the other half taught.
    """

    settings: GaussianProcess
    masks: Masks
    values: Floats
    noise: Floats  # variances of the values beyond the nugget, (n_masks,)
    rng: np.random.Generator
    device: torch.device

    def quick(self) -> Conditioned:
        """Fit the process to the values themselves, without terms, to choose masks by."""
        order = self.rng.permutation(len(self.masks))
        return self._conditioned(self._hyper(order[: self.settings.max_rows], self.values), None, self.values)

    def plain(self) -> FittedProxy:
        """Fit the process to the values themselves."""
        order = self.rng.permutation(len(self.masks))
        rows = order[: self.settings.max_rows]
        hyper = self._hyper(rows, self.values)
        terms = None
        if self.settings.terms:
            retune = (lambda h, t: self._retuned(h, t, rows)) if len(self.masks) >= _FEWEST_RETUNED else None
            hyper, terms = find_terms(
                hyper, self.masks[order], self.values[order], retune=retune, like=self._solver.like
            )
        whole = self._conditioned(hyper, terms, self.values)
        left_out = whole.left_out.copy()
        for held_out, learnt_on in self._halves(order):
            # Learnt afresh without the terms, the kernel would have to tell what they tell: it is only retuned.
            there = self._retuned(hyper, terms, learnt_on) if terms else self._hyper(learnt_on, self.values)
            other = self._conditioned(there, terms, self.values)
            left_out[held_out] = other.left_out[held_out]
        parts = [expansion(whole, column) for column in range(self.values.shape[1])]
        name = "Gaussian process" + (f" with {len(terms.sets)} terms" if terms else "")
        return FittedProxy(name, parts, left_out, whole.left_out, whole)

    def linked(self) -> FittedProxy | None:
        """Fit the process to latent scores of the values; ``None`` where there is no curve to learn."""
        if min(len(np.unique(column)) for column in self.values.T) < FEWEST_VALUES:
            return None
        order = self.rng.permutation(len(self.masks))
        hyper, warps = self._warped(order[: self.settings.max_rows])
        whole = self._conditioned(hyper, None, _latents(warps, self.values))
        links = _links(warps, whole)
        reused = _through(links, whole.left_out)
        left_out = reused.copy()
        for held_out, learnt_on in self._halves(order):
            if min(len(np.unique(column)) for column in self.values[learnt_on].T) < FEWEST_VALUES // 2:
                continue
            hyper_there, warps_there = self._warped(learnt_on)
            other = self._conditioned(hyper_there, None, _latents(warps_there, self.values))
            left_out[held_out] = _through(_links(warps_there, other), other.left_out)[held_out]
        parts: list[tuple[Part, ...]] = []
        for column, link in enumerate(links):
            linear, kernel = expansion(whole, column)
            parts.append((LinkedExpansion(linear, kernel, link),))
        return FittedProxy("Gaussian process behind a link", parts, left_out, reused)

    def _halves(self, order: Ints) -> list[tuple[Ints, Ints]]:
        """Return rows to predict anew, and the rows to learn from for them."""
        most = self.settings.max_rows
        if len(order) >= 2 * most:
            return []  # enough masks had no part in learning; those that had are left as they are
        first, second = folds(self.masks, 2, self.rng)
        return [(first, self.rng.permutation(second)[:most]), (second, self.rng.permutation(first)[:most])]

    def _hyper(self, rows: Ints, targets: Floats) -> Hyperparameters:
        signs, chosen = self._tensors(rows, targets)
        start = Hyperparameters.initial(signs, chosen)
        return maximise_evidence(
            start, signs, chosen, n_steps=self.settings.n_steps, learning_rate=self.settings.learning_rate
        )

    def _retuned(self, hyper: Hyperparameters, terms: TermPrior | None, rows: Ints) -> Hyperparameters:
        signs, chosen = self._tensors(rows, self.values)
        extra = None if terms is None else terms.covariance(self.masks[rows], self.masks[rows], signs)
        return maximise_evidence(
            hyper.to(signs), signs, chosen, n_steps=_RETUNED_STEPS, learning_rate=_RETUNED_RATE, extra=extra
        )

    def _warped(self, rows: Ints) -> tuple[Hyperparameters, list[LearnedLink]]:
        """Learn kernel and link in turns: the link is what latent scores predicted out of sample make of the values."""
        warps = [LearnedLink.initial(column) for column in self.values[rows].T]
        hyper = self._hyper(rows, _latents(warps, self.values))
        latents = _latents(warps, self.values[rows])
        there = self._solver(Process(hyper, None), self.masks[rows], latents, self.noise[rows])
        warps = [
            warp.relearned(column, predicted)
            for warp, column, predicted in zip(warps, self.values[rows].T, there.left_out.T, strict=True)
        ]
        relinked = replace(self, values=_latents(warps, self.values))
        return relinked._retuned(hyper, None, rows), warps

    def _conditioned(self, hyper: Hyperparameters, terms: TermPrior | None, targets: Floats) -> Conditioned:
        return self._solver(Process(hyper, terms), self.masks, targets, self.noise)

    @property
    def _solver(self) -> Solver:
        return Solver(self.settings.most_exact, self.settings.n_inducing, self.device)

    def _tensors(self, rows: Ints, targets: Floats) -> tuple[Tensor, Tensor]:
        like = torch.zeros((), dtype=torch.float32, device=self.device)
        return signs_of(self.masks[rows], like), torch.from_numpy(targets[rows]).to(like)


def _latents(warps: Sequence[LearnedLink], values: Floats) -> Floats:
    return np.stack([warp(column) for warp, column in zip(warps, values.T, strict=True)], axis=1)


def _links(warps: Sequence[LearnedLink], conditioned: Conditioned) -> list[Link]:
    noise = float(np.sqrt(conditioned.variances.mean()))
    return [warp.link(noise) for warp in warps]


def _through(links: Sequence[Link], latents: Floats) -> Floats:
    return np.stack([link(column) for link, column in zip(links, latents.T, strict=True)], axis=1)


def expansion(conditioned: Conditioned, column: int) -> tuple[Spectrum, KernelExpansion]:
    """Return the mean of the process for one output: linear kernel and terms as a spectrum, and the kernels."""
    masks, weights = conditioned.centers, conditioned.weights[:, column]
    hyper, n = conditioned.process.hyper, masks.shape[1]
    signs = np.where(masks, -1.0, 1.0)
    linear = Spectrum(PlayerSets.all_of_order(1, n), np.exp(as_array(hyper.linear)) * (weights @ signs))
    spectra = [linear]
    terms = conditioned.process.terms
    if terms is not None:
        characters = terms.characters(masks, torch.zeros((), dtype=torch.float64)).numpy()
        spectra.append(Spectrum(terms.sets, terms.variances * (characters @ weights)))
    return Spectrum.sum(spectra, n), KernelExpansion(masks, weights, kernels_of(hyper))


def kernels_of(hyper: Hyperparameters) -> tuple[ProductKernel, ProductKernel]:
    """Return the two product kernels."""
    near, far, ratio, _ = np.exp(as_array(hyper.shared))
    decays = np.exp(as_array(hyper.decays))
    return ProductKernel(float(near), decays), ProductKernel(float(far), float(ratio) * decays)
