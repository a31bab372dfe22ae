"""Scores of circuits, subsets of a model's components of several sizes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.game import Game
from captum_spex.metrics.explanations import canonical, evaluated, n_players_of
from captum_spex.metrics.rankings import masks_without


@dataclass(frozen=True, eq=False)
class CircuitScore:
    r"""The faithfulness of circuits over their sizes, :math:`f(C) = (v(C) - v(\emptyset)) / (v(N) - v(\emptyset))`.

    Attributes:
        circuits: the players that stay, from no player to all.
        sizes: share of the players in each circuit, ascending, ``(n_circuits,)`` from 0 to 1.
        faithfulness: :math:`f`, ``(n_circuits,)`` or ``(n_circuits, n_outputs)``: 0 without players, 1 with all.
        n_evaluations: distinct masks evaluated.
    """

    circuits: tuple[tuple[int, ...], ...]
    sizes: Floats
    faithfulness: Floats
    n_evaluations: int

    @property
    def cpr(self) -> float | Floats:
        r"""Circuit performance ratio, :math:`\int_0^1 f(C_k)\,dk`: the larger, the more performance stays."""
        return self._area(self.faithfulness)

    @property
    def cmd(self) -> float | Floats:
        r"""Circuit-model distance, :math:`\int_0^1 |1 - f(C_k)|\,dk`: the smaller, the closer to the model."""
        return self._area(np.abs(1 - self.faithfulness))

    def _area(self, heights: Floats) -> float | Floats:
        areas = np.diff(self.sizes) @ (heights[1:] + heights[:-1]) / 2
        return areas if areas.ndim else float(areas)


def circuit_score(circuits: Iterable[Iterable[int]], game: Game, *, n_players: int | None = None) -> CircuitScore:
    r"""Return the faithfulness of circuits over their sizes, with CPR and CMD, the scores of the benchmark MIB.

    .. math:: f(C) = \frac{v(C) - v(\emptyset)}{v(N) - v(\emptyset)}, \quad
              \mathrm{CPR} = \int_0^1 f(C_k)\,dk, \quad \mathrm{CMD} = \int_0^1 |1 - f(C_k)|\,dk

    The integrals are taken by the trapezoidal rule between the sizes, as in MIB. No player and all players, of
    faithfulness 0 and 1, are always added; MIB begins at its smallest circuit, and weighs a component by its edges,
    where here every player counts the same.

    Args:
        circuits: the players that stay, one circuit for each size: of `optimize.best_subset`, or the first k of a
            `ranking`; for CMD, rank by absolute values.
        game: the game; it receives all masks at once.
        n_players: default: the game's attribute.

    Raises:
        ArgumentError: if an argument cannot be used, found before the first evaluation.
        GameError: if the game returns values that cannot be used, or the same for no player and for all.

    Example:
        >>> score = circuit_score([(1,), (1, 2)], lambda masks: 5 + masks @ [1.0, 2.0, 1.0], n_players=3)
        >>> score.faithfulness
        array([0.  , 0.5 , 0.75, 1.  ])
        >>> round(score.cpr, 4), round(score.cmd, 4)
        (0.5833, 0.4167)

    References:
        Mueller et al., "MIB: A Mechanistic Interpretability Benchmark", ICML 2025, section 3.
    """
    n = n_players_of(n_players, None, game)
    ordered = _ordered(circuits, n)
    everyone = set(range(n))
    values, n_evaluations, single = evaluated(game, masks_without([tuple(everyone - set(one)) for one in ordered], n))
    span = values[-1] - values[0]
    if not np.all(span):
        got = f"{values[0][span == 0][0]} for no player and for all"
        raise GameError(f"`game`: expected values that differ between no player and all players, got {got}.")
    faithfulness = (values - values[0]) / span
    sizes = np.array([len(one) for one in ordered]) / n
    return CircuitScore(ordered, sizes, faithfulness[:, 0] if single else faithfulness, n_evaluations)


def _ordered(circuits: Iterable[Iterable[int]], n_players: int) -> tuple[tuple[int, ...], ...]:
    """Return the circuits by their sizes, with the empty one and that of all players."""
    if isinstance(circuits, str) or not isinstance(circuits, Iterable):
        raise ArgumentError("circuits", type_of(circuits), "a list of sets of players")
    by_size: dict[int, tuple[int, ...]] = {0: (), n_players: tuple(range(n_players))}
    for one in circuits:
        if not isinstance(one, Iterable):
            raise ArgumentError(
                "circuits", f"{one!r} among them", "sets of players", "One circuit is a list of one set."
            )
        circuit = canonical(one, "circuits")
        checks.player("circuits", max(circuit, default=0), n_players)
        if by_size.setdefault(len(circuit), circuit) != circuit:
            raise ArgumentError("circuits", f"several of {len(circuit)} players", "one circuit for each size")
    return tuple(by_size[size] for size in sorted(by_size))
