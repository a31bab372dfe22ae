"""Where a search for hyper-parameters starts: alone at the usual place, among many outputs where these together led."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import TermPrior
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters
from captum_spex.approximators.proxyspex.proxy import FittedProxy, Pilot, squared_errors
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True, eq=False)
class Told:
    """What the first outputs of a model, fitted in full, tell those that follow.

    Attributes:
        terms: those that any of them found, with their mean variances; ``None``: they found none.
        optimism: by how much squared errors are larger where hyper-parameters are learnt without the value too, of the
            process and of that behind a link.
        worst: the largest squared error of the best surrogate of an output.
        links: whether links were learnt.
    """

    terms: TermPrior | None
    optimism: tuple[float, ...]
    worst: float
    links: bool = True

    @classmethod
    def by(cls, pilots: Sequence[Pilot], *, links: bool = True) -> Told | None:
        """Return what pilots told; ``None`` if nothing was fitted to them."""
        fitted = [pilot for pilot in pilots if pilot.fitted]
        if not fitted:
            return None
        worst = max(float(_best(pilot.fitted, pilot.values).max()) for pilot in fitted)
        n_places = max(len(pilot.fitted) for pilot in fitted)
        optimism = tuple(_optimism(fitted, place) for place in range(n_places))
        return cls(_common_terms(fitted), optimism, worst, links)

    def is_followed(self, fitted: Sequence[FittedProxy], values: Floats) -> bool:
        """Whether outputs are not predicted much worse than those that were fitted in full."""
        return bool(_best(fitted, values).max() <= SETTINGS.follower_growth * self.worst)

    def left_out(self, reused: Floats, values: Floats, place: int) -> Floats:
        """Return predictions that are as much worse than ``reused`` ones as those of the pilots were."""
        return np.asarray(values + (reused - values) * np.sqrt(self.optimism[min(place, len(self.optimism) - 1)]))


def _best(fitted: Sequence[FittedProxy], values: Floats) -> Floats:
    """Return the mean squared error of the best surrogate of every output."""
    return np.asarray(np.min([squared_errors(one.left_out, values) for one in fitted], axis=0))


def _optimism(pilots: Sequence[Pilot], place: int) -> float:
    there = [(pilot.fitted[place], pilot.values) for pilot in pilots if len(pilot.fitted) > place]
    ratios = [
        np.log(squared_errors(one.left_out, values) / squared_errors(one.reused, values)) for one, values in there
    ]
    return float(max(1.0, np.exp(np.concatenate(ratios).mean())))


def _common_terms(pilots: Sequence[Pilot]) -> TermPrior | None:
    """Return the terms of all pilots with their mean variances; of many, the largest."""
    spectra = [pilot.fitted[0].posterior.terms for pilot in pilots if pilot.fitted[0].posterior is not None]
    found: dict[tuple[int, ...], float] = {}
    for spectrum in spectra:
        for players, variance in zip(spectrum.sets.tuples(), spectrum.values.tolist(), strict=True):
            found[players] = found.get(players, 0.0) + variance / len(spectra)
    if not found:
        return None
    largest = sorted(found, key=lambda players: -found[players])[: SETTINGS.follower_terms]
    sets = PlayerSets.from_sets(largest, spectra[0].n_players)
    return TermPrior(sets, np.array([found[players] for players in sets.tuples()]))


@dataclass(frozen=True, eq=False)
class Start:
    """The hyper-parameters that many outputs of one model share, from which each takes a few steps of its own.

    Attributes:
        plain: of the process of the values themselves.
        linked: of the process of latent scores; ``None``: no links were learnt.
        n_steps: how many steps an output takes; 0 where one kernel serves all.
        told: what outputs fitted in full told; ``None``: nothing, so that each is fitted in full.
    """

    plain: Hyperparameters
    linked: Hyperparameters | None
    n_steps: int
    told: Told | None = None

    def of(self, initial: Hyperparameters, *, linked: bool) -> Hyperparameters:
        """Return the start for outputs whose usual start is ``initial``: their correlations with the players stay."""
        shared = self.linked if linked and self.linked is not None else self.plain
        return replace(shared.to(initial.linear), linear=initial.linear)
