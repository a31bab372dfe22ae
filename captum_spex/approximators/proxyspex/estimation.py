"""From evaluations to estimated games: surrogates fitted, stacked and checked, and the values interpolated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import torch

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.proxy import (
    FittedProxy,
    Pilot,
    Proxy,
    ProxyData,
    SharingProxy,
    TogetherProxy,
    fewest_masks,
    guide_among,
    squared_errors,
)
from captum_spex.approximators.proxyspex.rounds import FEWEST_MASKS
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.approximators.proxyspex.stacking import Stack, stack
from captum_spex.approximators.proxyspex.validation import Quality, stacked_quality
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks, all_masks
from captum_spex.model import GameModel, Part, Posterior, Residuals, Spectrum
from captum_spex.statistics import Standardised

_Worth = dict[tuple[int, int], float]
"""Of proxies, by number and place: the logarithm by how much the squared error of an output grows without."""


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

    def of_outputs(self, columns: Sequence[int]) -> Evaluations:
        """Return the values of some outputs."""
        return replace(self, values=self.values[:, columns], noise=self.noise[:, columns])

    def standardised(self, rng: np.random.Generator, device: torch.device) -> tuple[ProxyData, Standardised]:
        """Return what proxies learn from, and what takes it back to the units of the game."""
        standard = Standardised.of(self.values)
        noise = (self.noise / standard.scale / standard.scale).mean(axis=1)
        return ProxyData(self.masks, standard.values, noise, rng, device), standard


@dataclass(frozen=True, eq=False)
class _Output:
    """One output of evaluations, standardised, and the center and scale that take it back."""

    evaluations: Evaluations
    column: int
    standardised: Floats
    center: float
    scale: float

    @property
    def values(self) -> Floats:
        return self.evaluations.values[:, self.column]

    @property
    def relative_noise(self) -> Floats:
        return self.evaluations.noise[:, self.column] / self.scale / self.scale


@dataclass(eq=False)
class Shared:
    """What outputs of one model share: the first estimate of several fills it, those that follow start from it.

    Attributes:
        proxies: those that are of use, with where they start; ``None``: nothing is known so far.
        n_players: of the outputs that told.
    """

    proxies: tuple[Proxy, ...] | None = None
    n_players: int | None = None


@dataclass(frozen=True, eq=False)
class _Told:
    """What pilots tell: their values and every proxy's surrogates, by group; what these are worth, by output."""

    pilots: list[tuple[Floats, list[list[FittedProxy]]]] = field(default_factory=list)
    worths: list[_Worth] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Estimator:
    """Estimates games from evaluations by the given proxies; the same seed gives the same result."""

    proxies: Sequence[Proxy]
    interpolate: bool
    device: torch.device
    seed: int
    shared: Shared | None = None

    def __call__(self, evaluations: Evaluations, report: Callable[[int, int], None] | None = None) -> list[Estimate]:
        """Estimate every output; outputs that go together share their kernel, and all of them where they start.

        Of many outputs, the first groups are fitted in full. They tell which surrogates are of use to the others.
        ``report`` hears how many outputs are done.
        """
        n_masks, n_players = evaluations.masks.shape
        if n_masks == 2**n_players and not evaluations.noise.any():
            facts = {"proxy": "none, every mask was evaluated", "lower": 1.0}
            parts = [Residuals(evaluations.masks, column) for column in evaluations.values.T]
            return [Estimate(GameModel((part,)), 1.0, facts) for part in parts]
        varies = np.ptp(evaluations.values, axis=0) > 0
        found = {column: self._unlearnt(evaluations, column) for column in np.flatnonzero(~varies).tolist()}
        columns = np.flatnonzero(varies).tolist()
        groups = _groups(evaluations.values, columns) if self.shared is None else [[column] for column in columns]
        estimator, told = self._started(), _Told()
        learns = estimator is self and len(groups) >= SETTINGS.sharing_groups
        if learns:
            estimator, groups = self._sharing(evaluations, groups)
        stages = [groups[: SETTINGS.pilots], groups[SETTINGS.pilots :]] if learns else [groups]
        for stage, some in enumerate(stages):
            estimator = estimator._following(told) if stage else estimator
            fitted, place = estimator._together(evaluations, list(chain(*some))), 0
            for columns in some:
                if report is not None:
                    report(len(found), len(varies))
                outputs, place = range(place, place + len(columns)), place + len(columns)
                telling = told if learns and not stage else None
                estimates = fitted._group(evaluations.of_outputs(columns), outputs, telling)
                found.update(zip(columns, estimates, strict=True))
        if learns and self.shared is not None:
            self.shared.proxies, self.shared.n_players = tuple(estimator.proxies), n_players
        return [found[column] for column in sorted(found)]

    def guide(self, evaluations: Evaluations) -> GameModel | None:
        """Return a quick fit of the first output that varies, to choose masks by; ``None`` if there is none."""
        varying = np.flatnonzero(np.ptp(evaluations.values, axis=0) > 0)
        proxy = guide_among(self.proxies)
        if not len(varying) or proxy is None:
            return None
        first = evaluations.of_outputs([int(varying[0])])
        return proxy.guide(first.standardised(np.random.default_rng(self.seed), self.device)[0])

    def surrogates(self, data: ProxyData) -> list[list[FittedProxy]]:
        """Fit every proxy; each may look at what those before it made of the data."""
        found: list[list[FittedProxy]] = []
        for proxy in self.proxies:
            enough = len(data.masks) >= fewest_masks(proxy)
            found.append(proxy.surrogates(data, tuple(chain(*found))) if enough else [])
            for one in found[-1]:
                if not one.left_out.shape == one.reused.shape == data.values.shape:
                    got = f"{one.left_out.shape} and {one.reused.shape} from {one.name!r}"
                    expected = f"predictions of shape {data.values.shape}, as the values have"
                    raise ArgumentError("proxy", got, expected)
        return found

    def _started(self) -> Estimator:
        """Return what starts from outputs that were estimated before, if any were."""
        known = None if self.shared is None else self.shared.proxies
        return self if known is None else replace(self, proxies=known)

    def _sharing(self, evaluations: Evaluations, groups: list[list[int]]) -> tuple[Estimator, list[list[int]]]:
        """Return what starts where the groups together lead; the groups are joined where that is as good."""
        firsts = [group[0] for group in groups[: SETTINGS.sharing_outputs]]
        data, _ = evaluations.of_outputs(firsts).standardised(np.random.default_rng(self.seed), self.device)
        proxies: list[Proxy] = []
        together: list[bool] = []
        for proxy in self.proxies:
            if isinstance(proxy, SharingProxy) and len(data.masks) >= fewest_masks(proxy):
                begun, is_together = proxy.among_outputs(data)
                proxies.append(begun)
                together.append(is_together)
            else:
                proxies.append(proxy)
        if together and all(together):
            pilots, others = groups[: SETTINGS.pilots], groups[SETTINGS.pilots :]
            groups = [*pilots, sorted(chain(*others))]
        return replace(self, proxies=tuple(proxies)), groups

    def _together(self, evaluations: Evaluations, columns: list[int]) -> Estimator:
        """Return what has fitted some outputs at once, as far as its proxies can."""
        if len(columns) < 2 or evaluations.values.shape[1] < SETTINGS.together_outputs:
            return self
        data, _ = evaluations.of_outputs(columns).standardised(np.random.default_rng(self.seed), self.device)
        proxies = [
            one.together(data) if isinstance(one, TogetherProxy) and len(data.masks) >= fewest_masks(one) else one
            for one in self.proxies
        ]
        return replace(self, proxies=tuple(proxies))

    def _following(self, told: _Told) -> Estimator:
        """Return an estimator for outputs that follow: without what is worth little to the pilots, in the mean."""
        if not told.worths:  # too few masks: no surrogate was fitted
            return self

        def is_useful(number: int, place: int) -> bool:
            return float(np.mean([worth.get((number, place), 0.0) for worth in told.worths])) > SETTINGS.worth_sharing

        proxies: list[Proxy] = []
        for number, proxy in enumerate(self.proxies):
            if isinstance(proxy, SharingProxy):
                pilots = [Pilot(values, found[number]) for values, found in told.pilots]
                n_places = max(len(pilot.fitted) for pilot in pilots)
                proxies.append(proxy.following(pilots, [is_useful(number, place) for place in range(n_places)]))
            elif is_useful(number, 0):
                proxies.append(proxy)
        return replace(self, proxies=tuple(proxies) or self.proxies)

    def _worth(self, found: list[list[FittedProxy]], output: _Output, chosen: Stack) -> _Worth:
        """Return by how much the squared error grows without a proxy, or a place of one that shares."""
        error = squared_errors(chosen.left_out, output.standardised)
        worth: _Worth = {}
        for number, (proxy, own) in enumerate(zip(self.proxies, found, strict=True)):
            others = list(chain(*found[:number], *found[number + 1 :]))
            shares = isinstance(proxy, SharingProxy)
            for place in range(1, len(own)) if shares else range(bool(own)):
                rest = [*others, *own[:place], *own[place + 1 :]] if shares else others
                if rest:
                    without = stack(rest, output.standardised, output.column, output.evaluations.masks)
                    worth[number, place] = float(np.log(squared_errors(without.left_out, output.standardised) / error))
                else:
                    worth[number, place] = float("inf")
        return worth

    def _group(self, evaluations: Evaluations, outputs: Sequence[int], told: _Told | None) -> list[Estimate]:
        """Estimate outputs that go together, and note what each proxy made of them and is worth to them."""
        columns = range(evaluations.values.shape[1])
        data, standard = evaluations.standardised(np.random.default_rng(self.seed), self.device)
        found = self.surrogates(replace(data, outputs=outputs))
        surrogates = list(chain(*found))
        if not surrogates:
            return [self._unlearnt(evaluations, column) for column in columns]
        if told is not None:
            told.pilots.append((data.values, found))
        units = zip(columns, data.values.T, standard.center.tolist(), standard.scale.tolist(), strict=True)
        estimates = []
        for unit in units:
            output = _Output(evaluations, *unit)
            chosen = stack(surrogates, output.standardised, output.column, evaluations.masks)
            if told is not None:
                told.worths.append(self._worth(found, output, chosen))
            estimates.append(self._stacked(output, surrogates, chosen))
        return estimates

    def _stacked(self, output: _Output, surrogates: Sequence[FittedProxy], chosen: Stack) -> Estimate:
        model = _sum_of(output, surrogates, chosen)
        quality = stacked_quality(
            output.standardised,
            chosen.left_out,
            chosen.reused,
            weights=output.evaluations.importance,
            noise=output.relative_noise,
            spread=_variance(model, output.scale),
            hardness=_hardness(output, surrogates),
        )
        model = GameModel(model.parts, _posterior(output, surrogates, chosen))
        if self.interpolate:
            model = _interpolated(output, model, chosen)
        names = [f"{weight:.2f} x {surrogates[number].name}" for number, weight in chosen.weights.items()]
        if len(output.evaluations.masks) < FEWEST_MASKS:
            quality = Quality(float("nan"), float("nan"))
        facts = {"proxy": " + ".join(names) or "nothing was found", "lower": quality.lower}
        return Estimate(model, quality.r_squared, facts)

    def _unlearnt(self, evaluations: Evaluations, column: int) -> Estimate:
        """Too little to learn from, or constant values: the middle of the values, interpolated."""
        values, n_masks = evaluations.values[:, column], len(evaluations.masks)
        is_constant = np.ptp(values) == 0
        middle = float(values[0] if is_constant else values.min() / 2 + values.max() / 2)
        parts: tuple[Part, ...] = (Spectrum.from_terms({(): middle}, evaluations.masks.shape[1]),)
        if self.interpolate:
            parts = (*parts, Residuals(evaluations.masks, values - middle))
        reason = "too few masks to learn from" if n_masks < FEWEST_MASKS else "no proxy was fitted"
        is_known = bool(is_constant) and n_masks >= FEWEST_MASKS
        faithfulness = 1.0 if is_known else float("nan")
        facts = {"proxy": "constant values" if is_constant else reason, "lower": faithfulness}
        return Estimate(GameModel(parts, is_constant=is_known), faithfulness, facts)


def _groups(values: Floats, columns: list[int]) -> list[list[int]]:
    """Gather the outputs that are correlated with the first of their group: they share players that matter."""
    standardised = Standardised.of(values).values
    remaining, groups = columns, []
    while remaining:
        first, *others = remaining
        correlations = np.abs(standardised[:, others].T @ standardised[:, first]) / len(values)
        alike = {column for column, size in zip(others, correlations, strict=True) if size >= SETTINGS.alike}
        groups.append([first, *(column for column in others if column in alike)])
        remaining = [column for column in others if column not in alike]
    return groups


def _sum_of(output: _Output, surrogates: Sequence[FittedProxy], chosen: Stack) -> GameModel:
    """Return the weighted sum of the surrogates, in the game's units."""
    n_players = output.evaluations.masks.shape[1]
    weighted = [
        part.scaled(weight * output.scale)
        for number, weight in chosen.weights.items()
        for part in surrogates[number].parts[output.column]
    ]
    spectra = [part for part in weighted if isinstance(part, Spectrum)]
    constant = Spectrum.from_terms({(): output.center}, n_players)
    others = [part for part in weighted if not isinstance(part, Spectrum)]
    return GameModel((Spectrum.sum([constant, *spectra], n_players), *others))


def _variance(model: GameModel, scale: float) -> float:
    """Return the variance of a model over uniformly random masks, all or many, in units of ``scale``."""
    n, count = model.n_players, SETTINGS.spread_masks
    masks = all_masks(n) if 2**n <= count else np.random.default_rng(0).random((count, n)) < 0.5
    return float((model(masks) / scale).var())  # divided first: squares of huge units overflow


def _hardness(output: _Output, surrogates: Sequence[FittedProxy]) -> float:
    """Return how much larger errors on random masks are than on masks left out, as a surrogate expects; if any does.

    It is believed as far as there are values for what it learnt.
    """
    one = next((one for one in surrogates if one.expected is not None), None)
    if one is None or one.expected is None:
        return 1.0
    left_out = float(output.evaluations.importance @ (one.expected.left_out - output.relative_noise))
    expected = np.clip(one.expected.unseen / max(left_out, SETTINGS.min_error), *SETTINGS.hardness)
    return float(expected ** (1 / (1 + one.n_learnt / len(output.values))))


def _interpolated(output: _Output, model: GameModel, chosen: Stack) -> GameModel:
    """Return the model with its residuals on the evaluated masks, as far as they are not noise."""
    residual = float(((output.standardised - chosen.left_out) ** 2).mean() - output.relative_noise.mean())
    own = max(residual, SETTINGS.min_error)  # how much of the game the surrogates cannot tell, noise apart
    if model.posterior is not None:
        own = model.posterior.nugget
    masks = output.evaluations.masks
    residuals = (output.values - model(masks)) * (own / (own + output.relative_noise))
    return GameModel((*model.parts, Residuals(masks, residuals)), model.posterior)


def _posterior(output: _Output, surrogates: Sequence[FittedProxy], chosen: Stack) -> Posterior | None:
    """Return the posterior of the surrogate with the largest weight among those that have one; of equals, the last."""
    found = [(chosen.weights.get(number, 0.0), number) for number, one in enumerate(surrogates) if one.posterior]
    if not found:
        return None
    best = surrogates[max(found)[1]]
    return None if best.posterior is None else _calibrated(output, best, best.posterior, chosen)


def _calibrated(output: _Output, surrogate: FittedProxy, posterior: Posterior, chosen: Stack) -> Posterior:
    """Return a posterior scaled to the errors that the chosen surrogates make out of sample.

    The posterior takes what was learnt as known: the more numbers that are for each value, the shorter its intervals.
    """
    own = float(((output.standardised - surrogate.left_out[:, output.column]) ** 2).mean())
    made = float(((output.standardised - chosen.left_out) ** 2).mean())
    longer = SETTINGS.calibration * (1 + surrogate.n_learnt / len(output.values))
    scale = longer * output.scale * (np.sqrt(made / own) if own > 0 else 1.0)
    return replace(posterior, noise=output.relative_noise[: len(posterior.masks)], scale=float(scale))
