"""The front door: a search for a good subset first, then the proof that it is the best, or a better one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.arrays import scalar
from captum_spex.checks import is_number
from captum_spex.errors import ArgumentError
from captum_spex.optimize.integer_program import IntegerProgram
from captum_spex.optimize.local_search import improved_by_exchanges
from captum_spex.optimize.subset_problem import SETTINGS, Explained, SubsetProblem


@dataclass(frozen=True, eq=False)
class Subset:
    """A subset of players that is best, or worst, for a spectrum.

    Attributes:
        mask: bool ``(n_players,)``.
        value: the spectrum's value there.
        bound: what no allowed subset exceeds, or, of a worst subset, falls below.
    """

    mask: NDArray[np.bool_]
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """How far the value may be from the best, ``|bound - value| / |value|``.

        0 if it is the best, up to a millionth of the value or of the largest coefficient.
        """
        distance = abs(self.bound - self.value)
        return distance / max(abs(self.value), np.finfo(np.float64).tiny) if distance else 0.0

    @property
    def players(self) -> tuple[int, ...]:
        """The players of the subset."""
        return tuple(np.flatnonzero(self.mask).tolist())


def best_subset(
    spectrum: Explained,
    size: int | None = None,
    *,
    max_size: int | None = None,
    costs: ArrayLike | None = None,
    max_cost: float | None = None,
    time_limit: float = 60.0,
) -> Subset:
    r"""Return the subset of players for which a spectrum is largest.

    .. math:: \max_{m \in \{0, 1\}^n} \sum_S F(S) (-1)^{|S \cap m|} \quad
              \text{with } |m| = k,\ |m| \le k_{\max},\ \sum_{i \in m} c_i \le C

    A term of order d is one variable, the parity of its players, between the :math:`2^{d-1}` constraints that are tight
    in the direction which its sign pushes it to; beyond order 8 a binary and an integer variable, with one equation. A
    greedy subset improved by exchanges comes first: it is returned if nothing better is found in time.

    Args:
        spectrum: a spectrum; or a recovered game or its interactions, whose 500 largest Fourier terms are taken.
        size: how many players the subset has.
        max_size: how many it has at most.
        costs: the cost of every player, at least 0, ``(n_players,)``, with ``max_cost``.
        max_cost: what the subset costs at most.
        time_limit: seconds, after which the best subset so far is returned with its gap.

    Raises:
        OrderError: if ``size`` or ``max_size`` is not between 0 and ``n_players``.
        ArgumentError: if the spectrum has no terms, costs are negative or not one for each player, or no subset fits;
            the message says which limit.

    Example:
        >>> from captum_spex.model import Spectrum
        >>> spectrum = Spectrum.from_terms({(0,): -1.0, (1,): 0.2, (0, 1): 2.0, (2,): 0.5}, n_players=3)
        >>> best_subset(spectrum, size=2).players, best_subset(spectrum, max_size=3).value
        ((0, 1), 3.3)

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, appendix A.3 (the same task, over products of players); Huangfu, Hall,
        "Parallelizing the dual revised simplex method", 2018 (HiGHS).
    """
    problem = SubsetProblem.of(spectrum, size, max_size, costs, max_cost)
    return _solved(problem, _seconds(time_limit))


def worst_subset(
    spectrum: Explained,
    size: int | None = None,
    *,
    max_size: int | None = None,
    costs: ArrayLike | None = None,
    max_cost: float | None = None,
    time_limit: float = 60.0,
) -> Subset:
    """Return the subset of players for which a spectrum is smallest; arguments and errors as of `best_subset`.

    Example:
        >>> from captum_spex.model import Spectrum
        >>> spectrum = Spectrum.from_terms({(0,): -1.0, (1,): 0.2, (0, 1): 2.0, (2,): 0.5}, n_players=3)
        >>> worst_subset(spectrum, size=1).players
        (1,)
    """
    problem = SubsetProblem.of(spectrum, size, max_size, costs, max_cost)
    found = _solved(replace(problem, spectrum=problem.spectrum.scaled(-1.0)), _seconds(time_limit))
    return replace(found, value=0.0 - found.value, bound=0.0 - found.bound)


def _seconds(time_limit: Any) -> float:
    seconds = scalar(time_limit)
    if not is_number(seconds) or not seconds > 0:
        raise ArgumentError("time_limit", repr(seconds), "a positive number of seconds")
    return float(seconds)


def _solved(problem: SubsetProblem, time_limit: float) -> Subset:
    """Search, then prove or improve, among the players that can make a difference."""
    deadline = time.monotonic() + time_limit
    small, players = problem.among_relevant()
    found, bound = _searched_and_proved(small, deadline)
    mask = np.zeros(problem.spectrum.n_players, dtype=np.bool_)
    mask[players[found]] = True
    missing = problem.fewest - int(mask.sum())
    if missing > 0:  # players that no term holds, of which only the number counts
        mask[np.setdiff1d(np.arange(len(mask)), players)[:missing]] = True
    value = problem.value(mask)
    is_exact = bound - value <= SETTINGS.exact * max(abs(value), problem.scale)
    return Subset(mask, value, value if is_exact else bound)


def _searched_and_proved(problem: SubsetProblem, deadline: float) -> tuple[NDArray[np.bool_], float]:
    """Return the best subset that was found, and what none exceeds."""
    mask = improved_by_exchanges(problem, deadline)
    value = problem.value(mask)
    program = IntegerProgram.of(problem.spectrum)
    result = program.solve(problem, max(deadline - time.monotonic(), SETTINGS.least_seconds))
    if result.x is not None:
        found = result.x[: problem.spectrum.n_players] > 0.5
        better = problem.value(found)
        if better > value and problem.allows(found):
            mask, value = found, better
    return mask, max(value, min(program.bound(result), problem.largest))
