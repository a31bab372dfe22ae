"""From evaluated masks to recovered games: surrogates fitted, combined, checked, and what was seen put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees, boosted_surrogates
from captum_spex.approximators.proxyspex.fitted_proxy import FittedProxy
from captum_spex.approximators.proxyspex.gaussian_process.conditioning import Conditioned, as_array
from captum_spex.approximators.proxyspex.gaussian_process.proxy import GaussianProcess, Learner, expansion, kernels_of
from captum_spex.approximators.proxyspex.published_trees import PublishedTrees
from captum_spex.approximators.proxyspex.stacking import Combination, combine
from captum_spex.approximators.validation import Quality, folds, quality
from captum_spex.arrays import Floats
from captum_spex.masks import Masks, all_masks
from captum_spex.model import GameModel, Part, Posterior, Residuals, Spectrum

Proxy = GaussianProcess | BoostedTrees | PublishedTrees

FEWEST_MASKS = 16
"""Masks below which nothing can be learnt."""

_N_FOLDS = 5
_ALIKE = 0.7  # correlation from which outputs share a kernel
_SPREAD_MASKS = 2048  # on which the variance of a model is taken
_TINY = 1e-12
_CALIBRATION = 1.3  # hyper-parameters are taken as known: intervals are that much too short (measured)


@dataclass(frozen=True, eq=False)
class Evaluations:
    """What was evaluated: distinct masks, their values ``(n_masks, n_outputs)``, and how noisy these are.

    Attributes:
        importance: how much of all uniformly random masks each mask stands for, ``(n_masks,)``, sums to 1.
        noise: variance of each value about the game's mean there, ``(n_masks, n_outputs)``.
    """

    masks: Masks
    values: Floats
    importance: Floats
    noise: Floats


@dataclass(frozen=True, eq=False)
class _Output:
    """One output of what was seen, and the center and scale in which it was learnt."""

    seen: Evaluations
    column: int
    center: float
    scale: float

    @property
    def values(self) -> Floats:
        return self.seen.values[:, self.column]

    @property
    def relative_noise(self) -> Floats:
        return self.seen.noise[:, self.column] / self.scale / self.scale

    @property
    def standardised(self) -> Floats:
        return (self.values - self.center) / self.scale


@dataclass(frozen=True, eq=False)
class Estimator:
    """Recovers games from observations by the given proxies; the same seed gives the same result."""

    proxies: Sequence[Proxy]
    interpolate: bool
    device: torch.device
    seed: int

    def __call__(self, seen: Evaluations) -> list[Estimate]:
        """Recover every output; outputs that go together share their kernel."""
        if len(seen.masks) == 2 ** seen.masks.shape[1] and not seen.noise.any():
            return [_enumerated(seen, column) for column in range(seen.values.shape[1])]
        found: dict[int, Estimate] = {}
        for columns in _groups(seen.values):
            group = replace(seen, values=seen.values[:, columns], noise=seen.noise[:, columns])
            found.update(zip(columns, self._group(group), strict=True))
        return [found[column] for column in sorted(found)]

    def _group(self, seen: Evaluations) -> list[Estimate]:
        if len(seen.masks) < FEWEST_MASKS or (np.ptp(seen.values, axis=0) == 0).any():
            return [self._unlearnt(seen, column) for column in range(seen.values.shape[1])]
        centers, scales = _units(seen.values)
        values, noise = (seen.values - centers) / scales, (seen.noise / scales / scales).mean(axis=1)
        surrogates = self.surrogates(seen.masks, values, noise)
        return [
            self._one(_Output(seen, column, float(centers[column]), float(scales[column])), surrogates)
            for column in range(values.shape[1])
        ]

    def guide(self, seen: Evaluations) -> GameModel | None:
        """Return a quick fit of the first output that can vary, to choose masks by; ``None`` if all are constant."""
        varying = np.flatnonzero(np.ptp(seen.values, axis=0) > 0)
        settings = [proxy for proxy in self.proxies if isinstance(proxy, GaussianProcess)]
        if not len(varying) or not settings:
            return None
        column = int(varying[0])
        centers, scales = _units(seen.values[:, [column]])
        values, noise = (seen.values[:, [column]] - centers) / scales, seen.noise[:, column] / scales / scales
        rng = np.random.default_rng(self.seed)
        conditioned = Learner(settings[0], seen.masks, values, noise, rng, self.device).quick()
        return GameModel(expansion(conditioned, 0), _process(seen.masks, conditioned, noise, 1.0))

    def surrogates(self, masks: Masks, values: Floats, noise: Floats) -> list[FittedProxy]:
        """Fit every proxy to standardised values ``(n_masks, n_outputs)``."""
        rng = np.random.default_rng(self.seed)
        found: list[FittedProxy] = []
        for proxy in self.proxies:
            if isinstance(proxy, GaussianProcess):
                learner = Learner(proxy, masks, values, noise, rng, self.device)
                linked = learner.linked() if proxy.links else None
                found += [learner.plain(), *([linked] if linked else [])]
                continue
            split = folds(masks, _N_FOLDS, rng)
            if isinstance(proxy, PublishedTrees):
                fits = [proxy.fit(masks, column, split) for column in values.T]
                left_out = np.stack([fit[1] for fit in fits], axis=1)
                found.append(FittedProxy(f"published, {fits[0][2]}", [(fit[0],) for fit in fits], left_out, left_out))
                continue
            rival = min((one.left_out for one in found), key=lambda p: ((p - values) ** 2).sum(), default=None)
            found += boosted_surrogates(proxy, masks, values, split, rival)
        return found

    def _one(self, output: _Output, surrogates: Sequence[FittedProxy]) -> Estimate:
        chosen = combine(surrogates, output.standardised, output.column, output.seen.masks)
        fitted = _fitted(output, surrogates, chosen)
        n = output.seen.masks.shape[1]
        masks = all_masks(n) if 2**n <= _SPREAD_MASKS else np.random.default_rng(0).random((_SPREAD_MASKS, n)) < 0.5
        spread = float((fitted(masks) / output.scale).var())
        measured = quality(output.standardised, chosen, output.seen.importance, output.relative_noise, spread)
        posteriors = [_posterior(output, one, one.conditioned, chosen) for one in surrogates if one.conditioned]
        model = GameModel(fitted.parts, posteriors[-1] if posteriors else None)
        if self.interpolate:
            model = self._interpolate(output, model, chosen)
        return Estimate(model, measured.r_squared, _described(surrogates, chosen, measured))

    def _interpolate(self, output: _Output, model: GameModel, chosen: Combination) -> GameModel:
        left = float(((output.standardised - chosen.left_out) ** 2).mean() - output.relative_noise.mean())
        own = max(left, _TINY)  # how much of the game the surrogates cannot tell, noise apart
        if model.posterior is not None:
            own = model.posterior.nugget
        corrections = (output.values - model(output.seen.masks)) * (own / (own + output.relative_noise))
        return GameModel((*model.parts, Residuals(output.seen.masks, corrections)), model.posterior)

    def _unlearnt(self, seen: Evaluations, column: int) -> Estimate:
        """Too few masks to learn from, or constant values: the middle, and what was seen."""
        values = seen.values[:, column]
        constant = np.ptp(values) == 0
        middle = float(values[0] if constant else values.min() / 2 + values.max() / 2)
        parts: tuple[Part, ...] = (Spectrum.from_terms({(): middle}, seen.masks.shape[1]),)
        if self.interpolate:
            parts = (*parts, Residuals(seen.masks, values - middle))
        reason = "constant values" if constant else "too few masks to learn from"
        faithfulness = 1.0 if constant and len(values) >= FEWEST_MASKS else float("nan")
        return Estimate(GameModel(parts), faithfulness, {"proxy": reason, "lower": faithfulness})


def _enumerated(seen: Evaluations, column: int) -> Estimate:
    """Every value was seen: the game is its own observations."""
    model = GameModel((Residuals(seen.masks, seen.values[:, column]),))
    return Estimate(model, 1.0, {"proxy": "none, every mask was evaluated", "lower": 1.0})


def _units(values: Floats) -> tuple[Floats, Floats]:
    """Return center and scale of every output: every step between works on numbers of size 1, whatever the units."""
    middles = values.min(axis=0) / 2 + values.max(axis=0) / 2
    widths = np.abs(values - middles).max(axis=0)
    standardised = (values - middles) / widths
    return middles + widths * standardised.mean(axis=0), widths * standardised.std(axis=0)


def _groups(values: Floats) -> list[list[int]]:
    """Gather the outputs that are correlated with the first of their group: they share players that matter."""
    middles = values.min(axis=0) / 2 + values.max(axis=0) / 2
    widths = np.abs(values - middles).max(axis=0)
    relative = (values - middles) / np.where(widths > 0, widths, 1.0)
    spread = relative.std(axis=0)
    standardised = (relative - relative.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    left, groups = list(range(values.shape[1])), []
    while left:
        alike = np.abs(standardised[:, left].T @ standardised[:, left[0]]) / len(values) >= _ALIKE
        group = [left[0]] + [column for column, same in zip(left[1:], alike[1:], strict=True) if same]
        if spread[left[0]] == 0:
            group = [left[0]]
        groups.append(group)
        left = [column for column in left if column not in group]
    return groups


def _fitted(output: _Output, surrogates: Sequence[FittedProxy], chosen: Combination) -> GameModel:
    """The weighted sum of the surrogates, in the game's units."""
    n_players = output.seen.masks.shape[1]
    weighted = [
        part.scaled(weight * output.scale)
        for number, weight in chosen.weights.items()
        for part in surrogates[number].parts[output.column]
    ]
    spectra = [part for part in weighted if isinstance(part, Spectrum)]
    constant = Spectrum.from_terms({(): output.center}, n_players)
    others = [part for part in weighted if not isinstance(part, Spectrum)]
    return GameModel((Spectrum.sum([constant, *spectra], n_players), *others))


def _posterior(output: _Output, surrogate: FittedProxy, conditioned: Conditioned, chosen: Combination) -> Posterior:
    """The process as the source of error bars, scaled to the errors that the chosen combination makes out of sample."""
    own = float(((output.standardised - surrogate.left_out[:, output.column]) ** 2).mean())
    made = float(((output.standardised - chosen.left_out) ** 2).mean())
    scale = _CALIBRATION * output.scale * (np.sqrt(made / own) if own > 0 else 1.0)
    return _process(output.seen.masks, conditioned, output.relative_noise, float(scale))


def _process(masks: Masks, conditioned: Conditioned, noise: Floats, scale: float) -> Posterior:
    hyper, terms = conditioned.process.hyper, conditioned.process.terms
    n_used = len(conditioned.centers)  # the inducing masks, where there are too many: larger errors, never smaller
    return Posterior(
        masks=masks[:n_used],
        kernels=kernels_of(hyper),
        linear=np.exp(as_array(hyper.linear)),
        terms=Spectrum.from_terms({}, masks.shape[1]) if terms is None else Spectrum(terms.sets, terms.variances),
        nugget=hyper.nugget,
        noise=noise[:n_used],
        scale=scale,
    )


def _described(surrogates: Sequence[FittedProxy], chosen: Combination, measured: Quality) -> dict[str, Any]:
    names = [f"{weight:.2f} x {surrogates[number].name}" for number, weight in chosen.weights.items()]
    return {"proxy": " + ".join(names) or "nothing was found", "lower": measured.lower}
