"""What a proxy is: it learns from evaluations, and says how well it predicts values that it did not use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from captum_spex.approximators.proxyspex.rounds import FEWEST_MASKS
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.approximators.proxyspex.validation import folds
from captum_spex.arrays import Floats, Rows
from captum_spex.masks import Masks
from captum_spex.model import GameModel, Part, Posterior

N_FOLDS = 5
"""Folds of proxies that predict out of sample by fitting again; the published number."""


@dataclass(frozen=True, eq=False)
class ProxyData:
    """What proxies learn from.

    Attributes:
        masks: distinct masks, bool ``(n_masks, n_players)``.
        values: outputs of mean 0 and variance 1 that go together, float64 ``(n_masks, n_outputs)``.
        noise: variance of the values about the game's mean at a mask, in the same units, ``(n_masks,)``.
        rng: where all randomness comes from.
        device: where torch computes.
        outputs: the numbers of the columns among those that a `TogetherProxy` has fitted together.
    """

    masks: Masks
    values: Floats
    noise: Floats
    rng: np.random.Generator
    device: torch.device
    outputs: Sequence[int] = ()

    def folds(self, n_folds: int = N_FOLDS) -> list[Rows]:
        """Return disjoint random folds of rows, a mask and its complement in the same one."""
        return folds(self.masks, n_folds, self.rng)


@dataclass(frozen=True, eq=False)
class Expected:
    """Squared errors that a proxy expects of its predictions, in the units of the standardised values.

    Attributes:
        left_out: of every value, predicted without it, ``(n_masks,)``.
        unseen: of a uniformly random mask that was not evaluated, predicted from all values; without noise.
    """

    left_out: Floats
    unseen: float


@dataclass(frozen=True, eq=False)
class FittedProxy:
    """A fitted proxy, or surrogate: a game for every output, and how well it predicts what it did not use.

    Attributes:
        name: for people.
        parts: for every output, the parts whose sum is the surrogate.
        left_out: predictions of every value by fits that did not use it, ``(n_masks, n_outputs)``: a little worse than
            the surrogate's, as these had fewer values to learn from.
        reused: the same where only the last step left the value out, but hyper-parameters were learnt from all: a
            little better than the surrogate's. Without such a step: ``left_out`` again.
        posterior: where error bars come from, in the units of the standardised values; ``None``: it has none.
        expected: the errors that it expects to make; ``None``: it has no expectation.
        n_learnt: how many numbers it learnt that its posterior takes as known.
    """

    name: str
    parts: Sequence[tuple[Part, ...]]
    left_out: Floats
    reused: Floats
    posterior: Posterior | None = None
    expected: Expected | None = None
    n_learnt: int = 0


@dataclass(frozen=True, eq=False)
class Pilot:
    """One of the first outputs of a model, or a group of them: what a proxy made of its values.

    Attributes:
        values: standardised, ``(n_masks, n_outputs)``.
        fitted: the proxy's surrogates.
    """

    values: Floats
    fitted: Sequence[FittedProxy]


@runtime_checkable
class Proxy(Protocol):
    """An immutable description of something that stands in for a game.

    ``ProxySpex(proxy=...)`` takes any object with this method; a tuple of several is stacked. With fewer than 16 masks
    a proxy is not asked, unless it has an attribute ``fewest_masks``, the number that it needs.
    """

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        """Fit the data: none, one or several surrogates.

        Args:
            data: the evaluations, standardised.
            rivals: what earlier proxies made of the same data; a proxy that is hopeless beside them may give up.
        """


@runtime_checkable
class GuidingProxy(Proxy, Protocol):
    """A proxy that can also choose masks, in runs of several rounds."""

    def guide(self, data: ProxyData) -> GameModel:
        """Return a quick fit of the first output, with the posterior by which masks are chosen."""


@runtime_checkable
class SharingProxy(Proxy, Protocol):
    """A proxy that learns from many outputs of one model what each can start from."""

    def among_outputs(self, data: ProxyData) -> tuple[Proxy, bool]:
        """Return the proxy that starts where some outputs together lead, and whether all may share one fit."""

    def following(self, pilots: Sequence[Pilot], useful: Sequence[bool]) -> Proxy:
        """Return the proxy for outputs that follow; ``useful``: by place, whether the first ones used a surrogate."""


@runtime_checkable
class TogetherProxy(Proxy, Protocol):
    """A proxy that fits several outputs at once faster than one after the other."""

    def together(self, data: ProxyData) -> Proxy:
        """Return the proxy that knows these outputs, and is asked for some of them by their numbers."""


def squared_errors(predicted: Floats, values: Floats) -> Floats:
    """Return the mean squared error of every output, at least what rounding leaves of none."""
    return np.maximum(((predicted - values) ** 2).mean(axis=0), SETTINGS.min_error)


def best_of(fitted: Sequence[FittedProxy], values: Floats) -> FittedProxy | None:
    """Return the surrogate with the smallest squared error out of sample, or ``None`` if there is none."""
    return min(fitted, key=lambda one: float(((one.left_out - values) ** 2).sum()), default=None)


def guide_among(proxies: Sequence[Proxy]) -> GuidingProxy | None:
    """Return the first proxy that can choose masks, or ``None``."""
    return next((proxy for proxy in proxies if isinstance(proxy, GuidingProxy)), None)


def fewest_masks(proxy: Proxy) -> int:
    """Return how many masks a proxy needs."""
    return int(getattr(proxy, "fewest_masks", FEWEST_MASKS))
