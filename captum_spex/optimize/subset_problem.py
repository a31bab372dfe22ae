"""What is asked for: a spectrum to maximise, and the limits of a subset's size and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, real_numbers, scalar, type_of
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.interactions import Interactions
from captum_spex.model import RecoveredGame, Spectrum

Explained: TypeAlias = Spectrum | RecoveredGame | Interactions
Matrix: TypeAlias = Any  # a sparse array of scipy


@dataclass(frozen=True)
class Settings:
    """Tolerances and sizes of the search and of the integer program."""

    most_terms: int = 500  # of a recovered game that is not a spectrum: the program grows with them
    highest_hull: int = 8  # order up to which a term has the hull of its parity: 2**(order - 1) constraints
    most_steps: int = 10_000  # of the local search, which ends when nothing gains
    most_exchanged: int = 1000  # players of either side that are tried in pairs: a matrix of 8 MiB
    full: float = 1 + 1e-9  # of the costs' limit: costs that fit exactly may be above it by rounding
    cost_units: float = 1e3  # of HiGHS, whose tolerance is absolute
    least_seconds: float = 0.1  # left to HiGHS if the search has used up the time
    exact: float = 1e-6  # relative gap at which a subset counts as the best
    least_gain: float = 1e-9  # relative to the largest coefficient: a smaller gain is rounding


SETTINGS = Settings()


@dataclass(frozen=True, eq=False)
class SubsetProblem:
    """A spectrum to maximise, and the limits: sizes from ``fewest`` to ``most``, and costs as shares of their limit."""

    spectrum: Spectrum
    fewest: int
    most: int
    costs: Floats | None

    @classmethod
    def of(cls, spectrum: Any, size: Any, max_size: Any, costs: Any, max_cost: Any) -> SubsetProblem:
        """Check the arguments of `best_subset`."""
        terms = _spectrum_of(spectrum)
        n = terms.n_players
        if size is not None and max_size is not None:
            raise ArgumentError("max_size", f"{max_size!r}, and `size` too", "one of the two")
        fewest, most = 0, n
        for name, limit in (("size", size), ("max_size", max_size)):
            if limit is not None:
                hint = f"The spectrum has {n} players."
                most = checks.integer(name, limit, 0, n, error=OrderError, hint=hint)
                fewest = most if name == "size" else 0
        prices = _checked_costs(costs, max_cost, n)
        if prices is not None and np.sort(prices)[:fewest].sum() > SETTINGS.full:
            cheapest = float(np.sort(real_numbers("costs", costs))[:fewest].sum())
            expected = f"at least {cheapest:.12g}, what the cheapest {fewest} players cost"
            raise ArgumentError("max_cost", repr(scalar(max_cost)), expected, "A smaller `size` costs less.")
        return cls(terms, fewest, most, prices)

    def among_relevant(self) -> tuple[SubsetProblem, Ints]:
        """Leave out players that no term holds: they can only fill a size; with costs the cheapest may be needed."""
        sets, n = self.spectrum.sets, self.spectrum.n_players
        relevant = np.unique(sets.players)
        others = np.setdiff1d(np.arange(n), relevant)
        fewest, prices = max(0, self.fewest - len(others)), None
        if self.costs is not None:
            fewest = self.fewest
            fillers = others[np.argsort(self.costs[others], kind="stable")[:fewest]]
            relevant = np.union1d(relevant, fillers)
            prices = self.costs[relevant]
        renumbered = sets.renumbered(np.searchsorted(relevant, np.arange(n)), len(relevant))
        spectrum = Spectrum(renumbered, self.spectrum.values)
        return SubsetProblem(spectrum, fewest, min(self.most, len(relevant)), prices), relevant

    @property
    def scale(self) -> float:
        """The largest coefficient that can make a difference."""
        return float(np.abs(self.spectrum.values[self.spectrum.orders > 0]).max())

    @property
    def largest(self) -> float:
        """What no subset exceeds: every term at its best."""
        constant = self.spectrum.values[self.spectrum.orders == 0].sum()
        return float(constant + np.abs(self.spectrum.values[self.spectrum.orders > 0]).sum())

    def value(self, mask: NDArray[np.bool_]) -> float:
        """The spectrum's value at a subset."""
        return float(self.spectrum(mask[None])[0])

    def allows(self, mask: NDArray[np.bool_]) -> bool:
        """Whether a subset is within the limits."""
        is_cheap = self.costs is None or float(self.costs[mask].sum()) <= SETTINGS.full
        return self.fewest <= int(mask.sum()) <= self.most and is_cheap


def _spectrum_of(given: Any) -> Spectrum:
    if isinstance(given, Interactions):
        given = given.model
    spectrum = given.spectrum(SETTINGS.most_terms) if isinstance(given, RecoveredGame) else given
    if not isinstance(spectrum, Spectrum):
        raise ArgumentError("spectrum", type_of(given), "a `Spectrum`, a recovered game, or `Interactions`")
    if not (spectrum.orders > 0).any():
        raise ArgumentError("spectrum", "none", "a term of order 1 or more", "Without one all subsets are alike.")
    return spectrum


def _checked_costs(costs: Any, max_cost: Any, n_players: int) -> Floats | None:
    """Return costs as shares of the limit; where nothing may be spent, 2 for all that costs anything."""
    if (costs is None) != (max_cost is None):
        missing = "costs" if costs is None else "max_cost"
        raise ArgumentError(missing, "None", "`costs` and `max_cost` together, or neither")
    if costs is None:
        return None
    prices = real_numbers("costs", costs)
    if prices.shape != (n_players,) or not np.isfinite(prices).all() or (prices < 0).any():
        got = f"shape {prices.shape}" if prices.shape != (n_players,) else "a cost that is negative or not finite"
        raise ArgumentError("costs", got, f"({n_players},), a cost of at least 0 for each player")
    limit = scalar(max_cost)
    if not checks.is_number(limit) or not limit >= 0:
        raise ArgumentError("max_cost", repr(limit), "a number of at least 0")
    return np.where(prices > 0, 2.0, 0.0) if limit == 0 else np.asarray(prices / float(limit))
