"""Results to and from ``shapiq.InteractionValues``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.compat.shapiq import interaction_values
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.indices import NAMES, Index, IndexTerms, resolve_index
from captum_spex.model import GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

if TYPE_CHECKING:
    from shapiq import InteractionValues

_INTERCEPTS = ("FBII",)  # of which shapiq tells the intercept in place of the value without players
_SHARED = tuple(name for name in NAMES if name != "Fourier")


class Result(Protocol):
    """What is needed of a `captum_spex.Interactions`."""

    index: str
    max_order: int
    baseline: float
    sets: PlayerSets
    values: Floats
    n_evaluations: int
    faithfulness: float
    model: Any

    @property
    def n_players(self) -> int:
        """Number of players."""


def to_shapiq(result: Result) -> InteractionValues:
    """Return the terms of a result for shapiq; see `captum_spex.Interactions.to_shapiq`."""
    if result.index not in _SHARED:
        hint = 'Convert it first, for instance by `.to("k-SII", max_order=2)`.'
        raise UnknownNameError("index", repr(result.index), f"one that shapiq knows: {', '.join(_SHARED)}", hint)
    terms = dict(zip(result.sets.tuples(), result.values.tolist(), strict=True))
    nobody = float(result.model(np.zeros((1, result.n_players), dtype=np.bool_))[0])
    empty = result.baseline if result.index in _INTERCEPTS else nobody
    return interaction_values()(
        {(): empty, **terms},
        index=result.index,
        max_order=result.max_order,
        n_players=result.n_players,
        min_order=0,
        estimated=result.faithfulness != 1.0,
        estimation_budget=result.n_evaluations,
        baseline_value=empty,
    )


def from_shapiq(values: InteractionValues) -> tuple[IndexTerms, GameModel]:
    r"""Return the terms of shapiq's values, and the game of lowest degree that has them.

    With :math:`F(S) = (I(S) - \sum_{U \supsetneq S} F(U)\, w(s, u)) / w(s, s)` from the highest order down, where
    :math:`w` are the weights of the index (`captum_spex.indices`), the game's index is the given one.
    """
    if not all(hasattr(values, name) for name in ("interactions", "index", "max_order", "n_players")):
        raise ArgumentError("values", f"a {type(values).__name__}", "a `shapiq.InteractionValues`")
    n_players = int(values.n_players)
    index = resolve_index(values.index, min(int(values.max_order), n_players), n_players)
    given = {tuple(players): float(value) for players, value in values.interactions.items() if players}
    for player in range(n_players):
        given.setdefault((player,), 0.0)
    sets = PlayerSets.from_sets(given, n_players)
    own = np.array(list(given.values()))
    # In shapiq the empty set of most indices may hold anything; what is left without players is the baseline value.
    empty = values.interactions.get((), values.baseline_value) if index.name in _INTERCEPTS else values.baseline_value
    model = _lowest(index, sets, own, float(empty))
    return IndexTerms(index, sets, own, model.baseline(index)), GameModel((model,))


def _lowest(index: Index, sets: PlayerSets, values: Floats, empty: float) -> Spectrum:
    """The game of lowest degree whose index has these values, and whose value without players is ``empty``."""
    spectrum = Spectrum.from_terms({}, sets.n_players)
    for order in sorted(set(sets.orders.tolist()), reverse=True):
        rows = np.flatnonzero(sets.orders == order)
        chosen = sets.take(rows)
        left = values[rows] - spectrum.index_at(index, chosen)
        own = Spectrum(chosen, left / index.fourier_weights(order, order)[order])
        spectrum = Spectrum.sum([spectrum, own], sets.n_players)
    nobody = float(spectrum(np.zeros((1, sets.n_players), dtype=np.bool_))[0])
    shift = empty - (spectrum.baseline(index) if index.name in _INTERCEPTS else nobody)
    constant: dict[tuple[int, ...], float] = {(): shift}
    return Spectrum.sum([spectrum, Spectrum.from_terms(constant, sets.n_players)], sets.n_players)


def facts(values: Any) -> dict[str, Any]:
    """Return what else shapiq tells of a result."""
    budget = values.estimation_budget
    estimated = bool(values.estimated)
    return {
        "n_evaluations": 0 if budget is None else int(budget),
        "faithfulness": float("nan") if estimated else 1.0,
        "diagnostics": {"source": "shapiq"},
    }
