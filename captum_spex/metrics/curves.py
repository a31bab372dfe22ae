"""Insertion and removal curves, and the effect of removing sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.game import Game
from captum_spex.metrics.explanations import Explained, canonical, evaluated, n_players_of
from captum_spex.metrics.rankings import Kind, masks_without, ranking


@dataclass(frozen=True, eq=False)
class Curve:
    """Values of a game while players are inserted or removed in an order.

    Attributes:
        kind: ``"insertion"``: from no player to all; ``"removal"``: from all to none.
        order: the players, the first to be inserted or removed first.
        fractions: share of the players inserted or removed, ``(n_points,)`` from 0 to 1.
        values: the game's values, ``(n_points,)`` or ``(n_points, n_outputs)``.
        n_evaluations: distinct masks evaluated.
    """

    kind: Kind
    order: tuple[int, ...]
    fractions: Floats
    values: Floats
    n_evaluations: int

    @property
    def area(self) -> float | Floats:
        """Area under the values, by the trapezoidal rule; a number, or ``(n_outputs,)``."""
        areas = np.diff(self.fractions) @ (self.values[1:] + self.values[:-1]) / 2
        return areas if areas.ndim else float(areas)

    @property
    def normalised(self) -> Curve:
        """The curve of ``(f - f(none)) / (f(all) - f(none))``; NaN where all players change nothing."""
        with_none, with_all = self.values[[0, -1] if self.kind == "insertion" else [-1, 0]]
        span = np.where(with_all == with_none, np.nan, with_all - with_none)
        return replace(self, values=(self.values - with_none) / span)


@dataclass(frozen=True, eq=False)
class Removal:
    r"""The effect of removing sets of players: :math:`|f(N) - f(N \setminus R)| / |f(N)|` of every set.

    Attributes:
        removed: the sets :math:`R`.
        shares: the change, ``(n_sets,)`` or ``(n_sets, n_outputs)``, as a share of the value with all players; above 1
            where the sign changes; infinite, or NaN for no change, where that value is 0.
        values, full_value: the game without each set, and with all players.
        n_evaluations: distinct masks evaluated.
    """

    removed: tuple[tuple[int, ...], ...]
    shares: Floats
    values: Floats
    full_value: float | Floats
    n_evaluations: int


def insertion_curve(
    ranked: Explained | Sequence[int], game: Game, *, n_steps: int | None = None, n_players: int | None = None
) -> Curve:
    """Return the game's values while players are inserted in order: the larger the area, the better the order.

    Args:
        ranked: integers: all players in an order (`greedy_ranking`); anything else: an explanation, see `ranking`.
        game: the game; it receives all masks at once.
        n_steps: how many steps of nearly equal size; default: a step for each player, ``n_players + 1`` masks.
        n_players: default: that of the order, the explanation or the game.

    Raises:
        ArgumentError: if an argument cannot be used, found before the first evaluation.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> curve = insertion_curve([0.1, 0.7, 0.2], lambda masks: 5 + masks @ [0.0, 2.0, 1.0])
        >>> curve.order, curve.values, curve.normalised.area
        ((1, 2, 0), array([5., 7., 8., 8.]), 0.7222222222222222)

    References:
        Petsiuk et al., "RISE", BMVC 2018, section 4.3, where the removal curve is called deletion.
    """
    return _curve("insertion", ranked, game, n_steps, n_players)


def removal_curve(
    ranked: Explained | Sequence[int], game: Game, *, n_steps: int | None = None, n_players: int | None = None
) -> Curve:
    """Return the game's values while players are removed in order: the smaller the area, the better the order.

    Arguments and errors are those of `insertion_curve`.

    Example:
        >>> removal_curve((1, 2, 0), lambda masks: 5 + masks @ [0.0, 2.0, 1.0]).values
        array([8., 6., 5., 5.])
    """
    return _curve("removal", ranked, game, n_steps, n_players)


def removal(removed: Iterable[Iterable[int]], game: Game, *, n_players: int | None = None) -> Removal:
    r"""Return the effect of removing sets of players, :math:`Rem = |f(N) - f(N \setminus R)| / |f(N)|` for every set.

    Args:
        removed: the sets: those of `most_influential` make it the papers' Rem(r), or any others.
        game: the game; it receives all masks at once.
        n_players: default: the game's attribute.

    Raises:
        ArgumentError: if an argument cannot be used, found before the first evaluation.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> from captum_spex.metrics import most_influential
        >>> def game(masks):
        ...     return 1.0 + 3 * (masks[:, 0] & masks[:, 1])
        >>> found = most_influential({(0, 1): 3.0}, [1], n_players=4)
        >>> removal([*found, (2, 3)], game, n_players=4).shares
        array([0.75, 0.  ])

    References:
        Kang et al., "SPEX", ICML 2025; Butler et al., "ProxySPEX", NeurIPS 2025, section 4.2.
    """
    n, sets = n_players_of(n_players, None, game), [canonical(players, "removed") for players in removed]
    checks.player("removed", max((players[-1] for players in sets if players), default=0), n)
    values, n_evaluations, single = evaluated(game, masks_without([(), *sets], n))
    shaped = values[:, 0] if single else values
    with np.errstate(divide="ignore", invalid="ignore"):  # as `Removal` says
        shares = np.abs(shaped[1:] - shaped[0]) / np.abs(shaped[0])
    full_value = float(values[0, 0]) if single else values[0]
    return Removal(tuple(sets), shares, shaped[1:], full_value, n_evaluations)


def _curve(kind: Kind, ranked: Any, game: Game, n_steps: int | None, n_players: int | None) -> Curve:
    n = n_players_of(n_players, ranked, game)
    steps = n if n_steps is None else min(checks.integer("n_steps", n_steps), n)
    order = order_of(ranked, n)
    counts = np.round(np.linspace(0, n, steps + 1)).astype(np.int64)
    step_of = np.argsort(order)  # the inverse permutation: when each player is reached
    reached = step_of < counts[:, None]
    values, n_evaluations, single = evaluated(game, reached if kind == "insertion" else ~reached)
    return Curve(kind, order, counts / n, values[:, 0] if single else values, n_evaluations)


def order_of(ranked: Any, n_players: int) -> tuple[int, ...]:
    """Return integers as they are, all players in an order; rank anything else."""
    has_integers = isinstance(ranked, np.ndarray) and ranked.dtype.kind in "iu"
    if not has_integers and not (isinstance(ranked, list | tuple) and all(map(checks.is_integer, ranked))):
        return ranking(ranked, n_players)
    if sorted(ranked) != list(range(n_players)):
        hint = "Integers are an order; attributions, which are ranked, must be floats."
        raise ArgumentError("ranked", repr(ranked), f"all players, 0 to {n_players - 1}, once each", hint)
    return tuple(int(player) for player in ranked)
