"""The mixed-integer linear program of a spectrum, for HiGHS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

from captum_spex.arrays import Floats
from captum_spex.fourier import signs
from captum_spex.masks import all_masks
from captum_spex.model import Spectrum
from captum_spex.optimize.subset_problem import SETTINGS, Matrix, SubsetProblem


@dataclass(frozen=True, eq=False)
class IntegerProgram:
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
    def of(cls, spectrum: Spectrum) -> IntegerProgram:
        """Build the program of a spectrum."""
        n, orders = spectrum.n_players, spectrum.orders
        parities = spectrum.select(np.flatnonzero(orders > 1))
        is_high = parities.orders > SETTINGS.highest_hull
        n_parities, n_high = len(parities), int(is_high.sum())
        hulls = [_hull_rows(parities, order) for order in range(2, SETTINGS.highest_hull + 1)]
        rows, least = scipy.sparse.vstack([block for block, _ in hulls]), np.concatenate([limit for _, limit in hulls])
        rows = scipy.sparse.hstack([rows, scipy.sparse.csr_array((rows.shape[0], n_high))])
        equations = _parity_rows(parities, np.flatnonzero(is_high))
        return cls(
            gains=np.concatenate([-2 * spectrum.first_order(), -2 * parities.values, np.zeros(n_high)]),
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

    def solve(self, problem: SubsetProblem, time_limit: float) -> OptimizeResult:
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
            highest[: len(problem.costs)][problem.costs > SETTINGS.full] = 0.0
            prices = np.minimum(problem.costs, 2.0) * SETTINGS.cost_units
            constraints.append(LinearConstraint(_of_players(prices, width), -np.inf, SETTINGS.cost_units))
        return milp(
            -self.gains / self.scale,
            integrality=self.is_integer.astype(np.int64),
            bounds=Bounds(0, highest),
            constraints=constraints,
            options={"time_limit": time_limit, "mip_rel_gap": SETTINGS.exact / 10},
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
    rows, players = parities.sets.of_order(order)
    inside = all_masks(order)
    matrices, limits = [], []
    for is_odd in (True, False):  # a positive coefficient pushes the parity down, a negative one up
        chosen = np.flatnonzero((parities.values[rows] > 0) == is_odd)
        subsets = inside[inside.sum(axis=1) % 2 == is_odd]
        own = np.full((len(subsets), 1), 1.0 if is_odd else -1.0)
        values = np.tile(np.hstack([signs(subsets), own]), (len(chosen), 1))
        columns = np.hstack([players[chosen], n + rows[chosen][:, None]]).repeat(len(subsets), axis=0)
        indptr = np.arange(0, values.size + 1, order + 1)
        matrices.append(scipy.sparse.csr_array((values.ravel(), columns.ravel(), indptr), (len(values), width)))
        limits.append(np.tile((1.0 if is_odd else 0.0) - subsets.sum(axis=1), len(chosen)))
    return scipy.sparse.vstack(matrices), np.concatenate(limits)


def _parity_rows(parities: Spectrum, high: NDArray[np.intp]) -> Matrix:
    r"""Equations :math:`\sum_{i \in S} x_i - z_S - 2 w_S = 0` with an integer w, for terms of high order."""
    sets, n = parities.sets.take(high), parities.n_players
    each = np.arange(len(high))
    values = np.concatenate([np.ones(len(sets.players)), -np.ones(len(high)), np.full(len(high), -2.0)])
    columns = np.concatenate([sets.players, n + high, n + len(parities) + each])
    shape = (len(high), n + len(parities) + len(high))
    return scipy.sparse.csr_array((values, (np.concatenate([sets.owners, each, each]), columns)), shape)
