"""Best and worst subsets of a spectrum under limits of size and cost, exact by mixed-integer programming."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

from captum_spex.arrays import Floats, Ints
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.interactions import Interactions
from captum_spex.masks import codes_to_masks
from captum_spex.model import GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

_MOST_TERMS = 500  # of a recovered game that is no spectrum yet
_HIGHEST_HULL = 8  # order up to which a term has the hull of its parity: 2**(order - 1) constraints
_MOST_STEPS = 10_000  # of the local search
_FULL = 1 + 1e-9  # of the costs' limit: costs that fit exactly may be above it by rounding
_COST_UNITS = 1e3  # of HiGHS, whose tolerance is absolute
_MOST_EXCHANGED = 1000  # players of either side that are tried in pairs
_LEAST_SECONDS = 0.1
_EXACT = 1e-6  # relative gap at which a subset counts as the best
_TINY = 1e-9

Matrix: TypeAlias = Any  # a sparse array of scipy


@dataclass(frozen=True, eq=False)
class Subset:
    """A subset of players that is best, or worst, for a spectrum.

    Attributes:
        mask: bool ``(n_players,)``.
        value: the spectrum's value there.
        bound: what no allowed subset exceeds (of a worst one: falls below).
    """

    mask: NDArray[np.bool_]
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """How far the value may be from the best, ``|bound - value| / |value|``.

        0: it is the best, within a millionth of the value or of the largest coefficient.
        """
        distance = abs(self.bound - self.value)
        return distance / max(abs(self.value), np.finfo(np.float64).tiny) if distance else 0.0

    @property
    def players(self) -> tuple[int, ...]:
        """The players of the subset."""
        return tuple(np.flatnonzero(self.mask).tolist())


def best_subset(
    spectrum: Spectrum | GameModel | Interactions,
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
        spectrum: a spectrum, or a recovered game, or its interactions: of these the 500 largest Fourier terms.
        size: how many players the subset has.
        max_size: how many it has at most.
        costs: the cost of every player, at least 0, ``(n_players,)``, with ``max_cost``.
        max_cost: what the subset costs at most.
        time_limit: seconds; what was found by then is returned with its gap.

    Raises:
        OrderError: if ``size`` or ``max_size`` is not between 0 and ``n_players``.
        ArgumentError: if the spectrum has no terms, costs are negative or not one for each player, or no subset fits;
            the message says which limit.

    Example:
        >>> spectrum = Spectrum.from_terms({(0,): -1.0, (1,): 0.2, (0, 1): 2.0, (2,): 0.5}, n_players=3)
        >>> best_subset(spectrum, size=2).players, best_subset(spectrum, max_size=3).value
        ((0, 1), 3.3)

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, appendix A.3 (the same task, over products of players); Huangfu, Hall,
        "Parallelizing the dual revised simplex method", 2018 (HiGHS).
    """
    problem = _Problem.of(spectrum, size, max_size, costs, max_cost)
    return problem.solved(_checked_seconds(time_limit))


def worst_subset(
    spectrum: Spectrum | GameModel | Interactions,
    size: int | None = None,
    *,
    max_size: int | None = None,
    costs: ArrayLike | None = None,
    max_cost: float | None = None,
    time_limit: float = 60.0,
) -> Subset:
    """Return the subset of players for which a spectrum is smallest; arguments and errors as of `best_subset`.

    Example:
        >>> spectrum = Spectrum.from_terms({(0,): -1.0, (1,): 0.2, (0, 1): 2.0, (2,): 0.5}, n_players=3)
        >>> worst_subset(spectrum, size=1).players
        (1,)
    """
    problem = _Problem.of(spectrum, size, max_size, costs, max_cost)
    found = replace(problem, spectrum=problem.spectrum.scaled(-1.0)).solved(_checked_seconds(time_limit))
    return replace(found, value=0.0 - found.value, bound=0.0 - found.bound)


def _checked_seconds(time_limit: Any) -> float:
    """Return a time limit if it is a positive number."""
    if (
        not isinstance(time_limit, int | float | np.integer | np.floating)
        or isinstance(time_limit, bool)
        or not time_limit > 0
    ):
        raise ArgumentError("time_limit", repr(time_limit), "a positive number of seconds")
    return float(time_limit)


@dataclass(frozen=True, eq=False)
class _Problem:
    """A spectrum to maximise, and the limits: sizes from ``fewest`` to ``most``, and costs as shares of their limit."""

    spectrum: Spectrum
    fewest: int
    most: int
    costs: Floats | None

    @classmethod
    def of(cls, spectrum: Any, size: Any, max_size: Any, costs: Any, max_cost: Any) -> _Problem:
        terms = _spectrum_of(spectrum)
        n = terms.n_players
        if size is not None and max_size is not None:
            raise ArgumentError("max_size", f"{max_size!r} beside `size`", "one of the two")
        fewest, most = 0, n
        for name, limit in (("size", size), ("max_size", max_size)):
            if limit is not None:
                if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or not 0 <= limit <= n:
                    raise OrderError(name, repr(limit), f"an integer from 0 to {n}, the number of players")
                fewest, most = (int(limit) if name == "size" else 0), int(limit)
        prices = _checked_costs(costs, max_cost, n)
        if prices is not None and np.sort(prices)[:fewest].sum() > _FULL:
            cheapest = float(np.sort(np.asarray(costs, dtype=np.float64))[:fewest].sum())
            came = f"{max_cost!r} for {fewest} players, of which the cheapest cost {cheapest:.12g}"
            raise ArgumentError("max_cost", came, f"at least {cheapest:.12g}", "Or a smaller `size`.")
        return cls(terms, fewest, most, prices)

    def solved(self, time_limit: float) -> Subset:
        """Search, then prove or improve, among the players that can make a difference."""
        deadline = time.monotonic() + time_limit
        small, players = self._among_relevant()
        found, bound = small._searched_and_proved(deadline)
        mask = np.zeros(self.spectrum.n_players, dtype=np.bool_)
        mask[players[found]] = True
        missing = self.fewest - int(mask.sum())
        if missing > 0:  # players that no term holds, of which only the number counts
            mask[np.setdiff1d(np.arange(len(mask)), players)[:missing]] = True
        value = float(self.spectrum(mask[None])[0])
        is_exact = bound - value <= _EXACT * max(abs(value), self.scale)
        return Subset(mask, value, value if is_exact else bound)

    def _among_relevant(self) -> tuple[_Problem, Ints]:
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
        renamed = PlayerSets(len(relevant), sets.indptr, np.searchsorted(relevant, sets.players))
        return _Problem(
            Spectrum(renamed, self.spectrum.values), fewest, min(self.most, len(relevant)), prices
        ), relevant

    def _searched_and_proved(self, deadline: float) -> tuple[NDArray[np.bool_], float]:
        """Return the best subset that was found, and what none exceeds."""
        mask = _searched(self, deadline)
        value = float(self.spectrum(mask[None])[0])
        program = _Program.of(self.spectrum)
        result = program.solve(self, max(deadline - time.monotonic(), _LEAST_SECONDS))
        if result.x is not None:
            found = result.x[: self.spectrum.n_players] > 0.5
            better = float(self.spectrum(found[None])[0])
            if better > value and self.allows(found):
                mask, value = found, better
        return mask, max(value, min(program.bound(result), self.largest))

    @property
    def scale(self) -> float:
        """The largest coefficient that can make a difference."""
        return float(np.abs(self.spectrum.values[self.spectrum.orders > 0]).max())

    @property
    def largest(self) -> float:
        """What no subset exceeds: every term at its best."""
        constant = self.spectrum.values[self.spectrum.orders == 0].sum()
        return float(constant + np.abs(self.spectrum.values[self.spectrum.orders > 0]).sum())

    def allows(self, mask: NDArray[np.bool_]) -> bool:
        """Whether a subset keeps the limits."""
        is_cheap = self.costs is None or float(self.costs[mask].sum()) <= _FULL
        return self.fewest <= int(mask.sum()) <= self.most and is_cheap


def _searched(problem: _Problem, deadline: float) -> NDArray[np.bool_]:
    """Return a good subset: the cheapest of the least size, then the best of all single changes and exchanges."""
    spectrum, n = problem.spectrum, problem.spectrum.n_players
    members = scipy.sparse.csr_array(spectrum.sets.to_coo().tocsr(), dtype=np.float64)  # a matrix in sparse 0.15
    mask = np.zeros(n, dtype=np.bool_)
    order = np.arange(n) if problem.costs is None else np.argsort(problem.costs, kind="stable")
    mask[order[: problem.fewest]] = True
    for _ in range(_MOST_STEPS):
        if time.monotonic() > deadline:
            break
        signed = spectrum.values * (1 - 2 * ((members @ mask) % 2))
        single = -2 * (members.T @ signed)
        absent, present = (_best(np.flatnonzero(side), single) for side in (~mask, mask))
        gains = _allowed_gains(problem, mask, (absent, present), single, (members, signed))
        best = int(gains.argmax())
        if gains.flat[best] <= _TINY * problem.scale:
            break
        added, removed = divmod(best, len(present) + 1)
        mask[absent[added : added + 1]] = True
        mask[present[removed : removed + 1]] = False
    return mask


def _best(players: Ints, single: Floats) -> Ints:
    """Return the players whose change gains most, as many as are worth trying in pairs."""
    return players[np.argsort(-single[players], kind="stable")[:_MOST_EXCHANGED]]


def _allowed_gains(
    problem: _Problem, mask: NDArray[np.bool_], players: tuple[Ints, Ints], single: Floats, terms: tuple[Matrix, Floats]
) -> Floats:
    """Return what adding a player (rows) and removing one (columns) gains; the last row and column: none."""
    (absent, present), (members, signed) = players, terms
    gains = np.full((len(absent) + 1, len(present) + 1), -np.inf)
    together = (members[:, absent].T @ (members[:, present] * signed[:, None])).toarray()
    gains[:-1, :-1] = single[absent][:, None] + single[present][None, :] + 4 * together
    size = int(mask.sum())
    if size < problem.most:
        gains[:-1, -1] = single[absent]
    if size > problem.fewest:
        gains[-1, :-1] = single[present]
    if problem.costs is not None:
        added, saved = np.append(problem.costs[absent], 0.0), np.append(problem.costs[present], 0.0)
        gains[float(problem.costs[mask].sum()) + added[:, None] - saved[None, :] > _FULL] = -np.inf
    return gains


@dataclass(frozen=True, eq=False)
class _Program:
    r"""A linear program over players and the parities of the sets of players of order 2 and more.

    Attributes:
        gains: coefficients of all variables in the value, ``(n_variables,)``: players, then parities, then what makes
            those of high terms even.
        constant: the value when all variables are 0.
        is_integer: which variables are integers.
        highest: their upper bounds.
        rows: constraints ``rows @ variables >= least``, those that are equations last.
        least: their right-hand sides.
        n_equations: how many are equations.
    """

    gains: Floats
    constant: float
    is_integer: NDArray[np.bool_]
    highest: Floats
    rows: Matrix
    least: Floats
    n_equations: int

    @classmethod
    def of(cls, spectrum: Spectrum) -> _Program:
        n, orders = spectrum.n_players, spectrum.orders
        linear = np.zeros(n)
        singles = np.flatnonzero(orders == 1)
        linear[spectrum.sets.players[spectrum.sets.indptr[singles]]] = -2 * spectrum.values[singles]
        parities = spectrum.select(np.flatnonzero(orders > 1))
        is_high = parities.orders > _HIGHEST_HULL
        n_parities, n_high = len(parities), int(is_high.sum())
        hulls = [_hull_rows(parities, order) for order in range(2, _HIGHEST_HULL + 1)]
        rows, least = scipy.sparse.vstack([block for block, _ in hulls]), np.concatenate([limit for _, limit in hulls])
        rows = scipy.sparse.hstack([rows, scipy.sparse.csr_array((rows.shape[0], n_high))])
        equations = _parity_rows(parities, np.flatnonzero(is_high))
        return cls(
            gains=np.concatenate([linear, -2 * parities.values, np.zeros(n_high)]),
            constant=float(spectrum.values.sum()),
            is_integer=np.concatenate([np.ones(n), is_high, np.ones(n_high)]).astype(np.bool_),
            highest=np.concatenate([np.ones(n + n_parities), parities.orders[is_high] // 2]).astype(np.float64),
            rows=scipy.sparse.vstack([rows, equations], format="csr"),
            least=np.concatenate([least, np.zeros(n_high)]),
            n_equations=n_high,
        )

    @property
    def scale(self) -> float:
        """What the gains are divided by for HiGHS."""
        return float(np.abs(self.gains).max()) or 1.0

    def solve(self, problem: _Problem, time_limit: float) -> OptimizeResult:
        """Run HiGHS on coefficients of size 1."""
        width = len(self.gains)
        most = np.full(len(self.least), np.inf)
        most[len(most) - self.n_equations :] = 0.0
        constraints = [
            LinearConstraint(_of_players(np.ones(problem.spectrum.n_players), width), problem.fewest, problem.most),
            *([LinearConstraint(self.rows, self.least, most)] if len(self.least) else []),
        ]
        highest = self.highest.copy()
        if problem.costs is not None:
            highest[: len(problem.costs)][problem.costs > _FULL] = 0.0
            prices = np.minimum(problem.costs, 2.0) * _COST_UNITS
            constraints.append(LinearConstraint(_of_players(prices, width), -np.inf, _COST_UNITS))
        return milp(
            -self.gains / self.scale,
            integrality=self.is_integer.astype(np.int64),
            bounds=Bounds(0, highest),
            constraints=constraints,
            options={"time_limit": time_limit, "mip_rel_gap": _EXACT / 10},
        )

    def bound(self, result: OptimizeResult) -> float:
        """Return what no subset exceeds, after a run of HiGHS."""
        dual = getattr(result, "mip_dual_bound", None)
        if dual is None:
            return float("inf")
        return self.constant - float(dual) * self.scale


def _of_players(weights: Floats, width: int) -> Matrix:
    return scipy.sparse.csr_array(np.append(weights, np.zeros(width - len(weights)))[None])


def _hull_rows(parities: Spectrum, order: int) -> tuple[Any, Floats]:
    r"""The convex hull of players and their parity z, from the side towards which a term's sign pushes.

    With :math:`d_T = \sum_{i \in T} (1 - x_i) + \sum_{i \in S \setminus T} x_i`, the distance from a subset T of S:
    :math:`z \ge 1 - d_T` for T of odd size, :math:`z \le d_T` for T of even size.

    References:
        Jeroslow, "On defining sets of vertices of the hypercube by linear inequalities", 1975.
    """
    n, width = parities.n_players, parities.n_players + len(parities)
    rows = np.flatnonzero(parities.orders == order)
    players = parities.sets.players[parities.sets.indptr[rows][:, None] + np.arange(order)]
    inside = codes_to_masks(np.arange(1 << order, dtype=np.uint64), order)
    matrices, limits = [], []
    for is_odd in (True, False):  # a positive coefficient pushes the parity down, a negative one up
        chosen = np.flatnonzero((parities.values[rows] > 0) == is_odd)
        subsets = inside[inside.sum(axis=1) % 2 == is_odd]
        signs = np.where(subsets, -1.0, 1.0)
        own = np.full((len(subsets), 1), 1.0 if is_odd else -1.0)
        values = np.tile(np.hstack([signs, own]), (len(chosen), 1))
        columns = np.hstack([players[chosen], n + rows[chosen][:, None]]).repeat(len(subsets), axis=0)
        indptr = np.arange(0, values.size + 1, order + 1)
        matrices.append(scipy.sparse.csr_array((values.ravel(), columns.ravel(), indptr), (len(values), width)))
        limits.append(np.tile((1.0 if is_odd else 0.0) - subsets.sum(axis=1), len(chosen)))
    return scipy.sparse.vstack(matrices), np.concatenate(limits)


def _parity_rows(parities: Spectrum, high: NDArray[np.intp]) -> Matrix:
    r"""Equations :math:`\sum_{i \in S} x_i - z_S - 2 w_S = 0` with an integer w, for terms of high order."""
    sets, n = parities.sets.take(high), parities.n_players
    owner, each = np.repeat(np.arange(len(high)), sets.orders), np.arange(len(high))
    values = np.concatenate([np.ones(len(owner)), -np.ones(len(high)), np.full(len(high), -2.0)])
    columns = np.concatenate([sets.players, n + high, n + len(parities) + each])
    shape = (len(high), n + len(parities) + len(high))
    return scipy.sparse.csr_array((values, (np.concatenate([owner, each, each]), columns)), shape)


def _spectrum_of(given: Any) -> Spectrum:
    if isinstance(given, Interactions):
        given = given.model
    spectrum = given.spectrum(_MOST_TERMS) if isinstance(given, GameModel) else given
    if not isinstance(spectrum, Spectrum):
        raise ArgumentError(
            "spectrum", f"a {type(given).__name__}", "a `Spectrum`, a recovered game, or `Interactions`"
        )
    if not (spectrum.orders > 0).any():
        raise ArgumentError(
            "spectrum", "one without terms", "one with a term of order 1 at least: all subsets are alike"
        )
    return spectrum


def _checked_costs(costs: Any, max_cost: Any, n_players: int) -> Floats | None:
    """Return costs as shares of the limit; where nothing may be spent, 2 for all that costs anything."""
    if (costs is None) != (max_cost is None):
        missing = "costs" if costs is None else "max_cost"
        raise ArgumentError(missing, "None", "`costs` and `max_cost` together, or neither")
    if costs is None:
        return None
    allowed = f"({n_players},): a cost of at least 0 for each player"
    try:
        prices = np.asarray(costs, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("costs", f"a {type(costs).__name__} that is no array of numbers", allowed) from None
    if prices.shape != (n_players,) or not np.isfinite(prices).all() or (prices < 0).any():
        came = f"shape {prices.shape}" if prices.shape != (n_players,) else "a cost that is negative or not finite"
        raise ArgumentError("costs", came, allowed)
    is_number = isinstance(max_cost, int | float | np.number) and not isinstance(max_cost, bool)
    if not is_number or not float(max_cost) >= 0:
        raise ArgumentError("max_cost", repr(max_cost), "a number of at least 0")
    if float(max_cost) == 0:
        return np.where(prices > 0, 2.0, 0.0)
    return np.asarray(prices / float(max_cost), dtype=np.float64)
