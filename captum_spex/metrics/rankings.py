"""Orders and sets of players suggested by an explanation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks
from captum_spex.metrics.explanations import ROUNDING, Explained, first_order_of, n_players_of, one_output
from captum_spex.player_sets import PlayerSets

Kind = Literal["insertion", "removal"]
_ENUMERATED = 20_000  # sets up to which the most influential one is found by trying all


def ranking(explained: Explained, n_players: int | None = None) -> tuple[int, ...]:
    """Return the players from the largest first-order value to the smallest, ties by number.

    For a recovered game, or a result in the index ``"Fourier"``, these are Shapley values.

    Raises:
        ArgumentError: if ``explained`` has no first-order values.

    Example:
        >>> ranking({(2,): 0.5, (0,): -1.0, (0, 1): 9.0}, n_players=3)
        (2, 1, 0)
    """
    values = first_order_of(explained, n_players_of(n_players, explained))
    return tuple(np.argsort(-values, kind="stable").tolist())


def greedy_ranking(
    explained: Explained, kind: Kind = "insertion", *, n_players: int | None = None, n_greedy: int | None = None
) -> tuple[int, ...]:
    """Return the greedy order of the recovered game, interactions included; the game itself is not evaluated.

    ``"insertion"`` starts with no player and adds the one that raises the prediction most; ``"removal"`` starts with
    all and removes the one that lowers it most. Ties are broken by number.

    Args:
        explained: what predicts, one output.
        kind: for which of the two curves.
        n_players: default: that of the explanation.
        n_greedy: after how many steps the remaining players follow as the last step ranked them; default: all
            (``n_players**2 / 2`` predictions).

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> game = {(0,): 1.0, (1, 2): 3.0, (2,): 0.5, (3,): 0.9}
        >>> greedy_ranking(game, n_players=4), greedy_ranking(game, "removal", n_players=4)
        ((0, 3, 2, 1), (2, 0, 3, 1))
    """
    checks.choice("kind", kind, ("insertion", "removal"))
    n = n_players_of(n_players, explained)
    n_steps = n if n_greedy is None else min(checks.integer("n_greedy", n_greedy), n)
    return _greedy(explained, n, n_steps, insert=kind == "insertion", sign=1.0 if kind == "insertion" else -1.0)


def most_influential(
    explained: Explained, sizes: Iterable[int], *, n_players: int | None = None
) -> tuple[tuple[int, ...], ...]:
    r"""Return for every size r the set whose removal changes the recovered game most; see `removal`.

    .. math:: R_r = \arg\max_{|R| = r} |\hat f(N) - \hat f(N \setminus R)|

    All sets of a size are tried if there are at most 20,000. Beyond, players are removed greedily, once to lower and
    once to raise the prediction, and the larger change is taken: exact for a sum of single players, else a good guess;
    `captum_spex.optimize` finds the proven optimum.

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> most_influential({(0,): 2.0, (1, 2): 3.0, (3,): -1.0}, [1, 2], n_players=4)
        ((1,), (0, 1))

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, equation 4.
    """
    n, wanted = n_players_of(n_players, explained), [checks.integer("sizes", size) for size in sizes]
    if max(wanted, default=0) > n:
        raise ArgumentError("sizes", str(max(wanted)), f"1 to {n}, the number of players")
    deepest = max((size for size in wanted if comb(n, size) > _ENUMERATED), default=0)
    paths = [_greedy(explained, n, deepest, insert=False, sign=sign) for sign in (-1.0, 1.0)] if deepest else []
    found = []
    for size in wanted:
        tries_all = comb(n, size) <= _ENUMERATED
        sets = list(combinations(range(n), size)) if tries_all else [tuple(sorted(path[:size])) for path in paths]
        predicted = one_output(explained, masks_without([(), *sets], n))
        found.append(sets[_first_largest(np.abs(predicted[1:] - predicted[0]))])
    return tuple(found)


def masks_without(sets: Sequence[tuple[int, ...]], n_players: int) -> Masks:
    """Return one mask for each set: all other players."""
    members = PlayerSets.from_sets(sets, n_players)
    masks = np.ones((len(sets), n_players), dtype=np.bool_)
    masks[members.owners, members.players] = False
    return masks


def _greedy(explained: Explained, n_players: int, n_steps: int, *, insert: bool, sign: float) -> tuple[int, ...]:
    """Insert or remove one player after the other, each time where ``sign`` times the prediction is largest."""
    mask, remaining, order = np.full(n_players, not insert), np.arange(n_players), []
    for _ in range(n_steps):
        trials = np.tile(mask, (len(remaining), 1))
        trials[np.arange(len(remaining)), remaining] = insert
        gains = sign * one_output(explained, trials)
        best = _first_largest(gains)
        order.append(int(remaining[best]))
        mask[remaining[best]] = insert
        remaining, gains = np.delete(remaining, best), np.delete(gains, best)
    return (*order, *remaining[np.argsort(-gains, kind="stable")].tolist())


def _first_largest(values: Floats) -> int:
    """Return the row of the first of the largest values; rounding errors do not count."""
    return int(np.argmax(values >= values.max() - ROUNDING * np.abs(values).max()))
