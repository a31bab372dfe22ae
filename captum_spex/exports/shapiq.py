"""Results to and from ``shapiq.InteractionValues``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, type_of
from captum_spex.compat.shapiq import interaction_values
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.exports.result import Result, value_of_none
from captum_spex.indices import NAMES, Index, IndexTerms, resolve_index
from captum_spex.masks import ends
from captum_spex.model import GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

if TYPE_CHECKING:
    from shapiq import InteractionValues

_INTERCEPTS = ("FBII",)  # indices whose empty set holds the intercept in shapiq, not f(none)
_SHARED = tuple(name for name in NAMES if name != "Fourier")


def to_shapiq(result: Result) -> InteractionValues:
    """Return the terms of a result for shapiq; see `captum_spex.Interactions.to_shapiq`."""
    if result.index not in _SHARED:
        hint = 'Convert it first, for instance by `.to("k-SII", max_order=2)`.'
        raise UnknownNameError("index", repr(result.index), f"one that shapiq knows: {', '.join(_SHARED)}", hint)
    terms = dict(zip(result.sets.tuples(), result.values.tolist(), strict=True))
    empty = result.baseline if result.index in _INTERCEPTS else value_of_none(result)
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
        raise ArgumentError("values", type_of(values), "a `shapiq.InteractionValues`")
    n_players = int(values.n_players)
    index = resolve_index(values.index, min(int(values.max_order), n_players), n_players)
    given = {tuple(players): float(value) for players, value in values.interactions.items() if players}
    for player in range(n_players):
        given.setdefault((player,), 0.0)
    sets = PlayerSets.from_sets(given, n_players)
    own = np.array(list(given.values()))
    # shapiq sets no meaning for the empty set of most indices; f(none) is the baseline value.
    empty = values.interactions.get((), values.baseline_value) if index.name in _INTERCEPTS else values.baseline_value
    model = _lowest(index, sets, own, float(empty))
    return IndexTerms(index, sets, own, model.baseline(index)), GameModel((model,))


def _lowest(index: Index, sets: PlayerSets, values: Floats, empty: float) -> Spectrum:
    """The game of lowest degree whose index has these values, and whose value without players is ``empty``."""
    spectrum = Spectrum.from_terms({}, sets.n_players)
    # From the highest order down: the index of a set depends on its supersets, so later terms leave it as it is.
    for order in sorted(set(sets.orders.tolist()), reverse=True):
        rows, _ = sets.of_order(order)
        chosen = sets.take(rows)
        remaining = values[rows] - spectrum.index_at(index, chosen)
        own = Spectrum(chosen, remaining / index.fourier_weights(order, order)[order])
        spectrum = Spectrum.sum([spectrum, own], sets.n_players)
    at_none = spectrum.baseline(index) if index.name in _INTERCEPTS else float(spectrum(ends(sets.n_players)[1:])[0])
    constant: dict[tuple[int, ...], float] = {(): empty - at_none}
    return Spectrum.sum([spectrum, Spectrum.from_terms(constant, sets.n_players)], sets.n_players)


def arguments_from_shapiq(values: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """Return shapiq's values as the arguments of `captum_spex.Interactions`."""
    terms, model = from_shapiq(values)
    budget = values.estimation_budget
    return {
        "terms": terms,
        "model": model,
        "names": checks.player_names(names, terms.n_players),
        "n_evaluations": 0 if budget is None else int(budget),
        "faithfulness": float("nan") if values.estimated else 1.0,
        "diagnostics": {"source": "shapiq"},
    }
