"""What removing the top players costs, and how many planted sets are found exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.game import Game
from captum_spex.metrics.curves import order_of
from captum_spex.metrics.explanations import Explained, canonical, evaluated, n_players_of, one_output, vector_of
from captum_spex.metrics.rankings import masks_without
from captum_spex.optimize.predicted import BestSubsets


@dataclass(frozen=True, eq=False)
class Drop:
    r"""What removing the top k players takes from the value, :math:`v(N) - v(N \setminus T_k)`.

    Attributes:
        removed: the sets :math:`T_k`.
        drops: the drop for each k, ``(n_sizes,)`` or ``(n_sizes, n_outputs)``: the larger, the better chosen.
        full_value: the value with all players.
        n_evaluations: distinct masks evaluated.
    """

    removed: tuple[tuple[int, ...], ...]
    drops: Floats
    full_value: float | Floats
    n_evaluations: int


def log_prob_drop(
    ranked: Explained | Sequence[int], game: Game, k: Iterable[int] = (1, 3, 5), *, n_players: int | None = None
) -> Drop:
    r"""Return how far a log-probability, or any value, drops when the top k players are removed.

    .. math:: \mathrm{drop}_k = v(N) - v(N \setminus T_k)

    Attributions, and players in an order, lose their first k, as ContextCite measures them. What predicts (a result, a
    recovered game, a mapping with interactions) loses the k players without which it predicts the lowest value: of
    two players that say the same, both or none.

    Args:
        ranked: integers: all players in an order; attributions ``(n_players,)``; or what predicts.
        game: the game; it receives all masks at once.
        k: how many players are removed.
        n_players: default: that of the explanation or the game.

    Raises:
        ArgumentError: if an argument cannot be used, found before the first evaluation.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> def game(masks):  # 0 and 1 say the same
        ...     return 3.0 * (masks[:, 0] | masks[:, 1]) + 1.0 * masks[:, 2]
        >>> whole = {(0,): 3.0, (1,): 3.0, (0, 1): -3.0, (2,): 1.0}
        >>> log_prob_drop(whole, game, k=[1, 2], n_players=4).drops
        array([1., 3.])
        >>> log_prob_drop([1.5, 1.5, 1.0, 0.0], game, k=[1, 2]).drops
        array([0., 3.])

    References:
        Cohen-Wang et al., "ContextCite: Attributing Model Generation to Context", NeurIPS 2024, section 4.2.
    """
    n = n_players_of(n_players, ranked, game)
    if not isinstance(k, Iterable):
        raise ArgumentError("k", repr(k), "numbers of players, such as [1, 3, 5]")
    sizes = [checks.integer("k", size, 1, n) for size in k]
    sets = _removed(ranked, sizes, n)
    values, n_evaluations, single = evaluated(game, masks_without([(), *sets], n))
    shaped = values[:, 0] if single else values
    full_value = float(values[0, 0]) if single else values[0]
    return Drop(sets, shaped[0] - shaped[1:], full_value, n_evaluations)


def _removed(ranked: Any, sizes: Sequence[int], n_players: int) -> tuple[tuple[int, ...], ...]:
    if vector_of(ranked) is not None:  # an order, or attributions
        order = order_of(ranked, n_players)
        return tuple(tuple(sorted(order[:size])) for size in sizes)
    search = BestSubsets(lambda sets: -one_output(ranked, ~sets), n_players)
    return tuple(tuple(np.flatnonzero(search.of_size(size).masks[0]).tolist()) for size in sizes)


@dataclass(frozen=True)
class SetRecovery:
    """Found sets beside the planted ones: the share that are ``exact``, mean ``precision`` and mean ``recall``."""

    exact: float
    precision: float
    recall: float


def set_recovery(found: Iterable[Iterable[int]], planted: Iterable[Iterable[int]]) -> SetRecovery:
    r"""Return how many found sets are exactly the planted ones, one for each, and how far the others overlap.

    .. math:: \mathrm{exact} = \frac1m \sum_j [F_j = P_j], \quad
              \mathrm{precision} = \frac1m \sum_j |F_j \cap P_j| / |F_j|, \quad
              \mathrm{recall} = \frac1m \sum_j |F_j \cap P_j| / |P_j|

    An empty found set has the precision 0.

    Args:
        found: a set of players for each planted one: the players of `captum_spex.context.sufficient_set`, the top ones
            of a ranking...
        planted: the sets to be found.

    Raises:
        ArgumentError: if there is no planted set, an empty one, or not one found set for each.

    Example:
        >>> set_recovery([(0, 1), (2,)], [{1, 0}, {2, 3}])
        SetRecovery(exact=0.5, precision=1.0, recall=0.75)
    """
    known = [canonical(players, "planted") for players in planted]
    sets = [canonical(players, "found") for players in found]
    if not known or not all(known):
        raise ArgumentError("planted", "an empty set" if known else "no set", "one or more sets of players")
    if len(sets) != len(known):
        raise ArgumentError("found", f"{len(sets)} sets", f"{len(known)} sets, one for each planted one")
    common = [len(set(one) & set(other)) for one, other in zip(sets, known, strict=True)]
    return SetRecovery(
        exact=float(np.mean([one == other for one, other in zip(sets, known, strict=True)])),
        precision=float(np.mean([shared / max(len(one), 1) for shared, one in zip(common, sets, strict=True)])),
        recall=float(np.mean([shared / len(other) for shared, other in zip(common, known, strict=True)])),
    )
