"""A good subset by greedy additions, removals and exchanges of players."""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.optimize.subset_problem import SETTINGS, Matrix, SubsetProblem


def improved_by_exchanges(problem: SubsetProblem, deadline: float) -> NDArray[np.bool_]:
    """Return a good subset: the cheapest of the least size, then the best of all single changes and exchanges."""
    spectrum, n = problem.spectrum, problem.spectrum.n_players
    members = scipy.sparse.csr_array(spectrum.sets.to_coo().tocsr(), dtype=np.float64)  # a matrix in sparse 0.15
    mask = np.zeros(n, dtype=np.bool_)
    order = np.arange(n) if problem.costs is None else np.argsort(problem.costs, kind="stable")
    mask[order[: problem.fewest]] = True
    for _ in range(SETTINGS.most_steps):
        if time.monotonic() > deadline:
            break
        # Adding or removing a player turns the signs of its terms. Terms that hold both
        # players of a pair are turned twice and keep their sign: hence the 4 in the gains of pairs.
        signed = spectrum.values * np.where(members @ mask % 2, -1.0, 1.0)
        single = -2 * (members.T @ signed)
        absent, present = (_best(np.flatnonzero(side), single) for side in (~mask, mask))
        gains = _allowed_gains(problem, mask, (absent, present), single, (members, signed))
        best = int(gains.argmax())
        if gains.flat[best] <= SETTINGS.least_gain * problem.scale:
            break
        added, removed = divmod(best, len(present) + 1)
        mask[absent[added : added + 1]] = True
        mask[present[removed : removed + 1]] = False
    return mask


def _best(players: Ints, single: Floats) -> Ints:
    """Return the players whose change gains most, as many as are worth trying in pairs."""
    return players[np.argsort(-single[players], kind="stable")[: SETTINGS.most_exchanged]]


def _allowed_gains(
    problem: SubsetProblem,
    mask: NDArray[np.bool_],
    players: tuple[Ints, Ints],
    single: Floats,
    terms: tuple[Matrix, Floats],
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
        gains[float(problem.costs[mask].sum()) + added[:, None] - saved[None, :] > SETTINGS.full] = -np.inf
    return gains
