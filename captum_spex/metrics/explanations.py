"""Explanations that metrics compare: results, models, spectra, mappings, arrays; and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from operator import index as as_index
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, as_array, real_numbers, scalar
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.indices import IndexTerms, resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, RecoveredGame, Spectrum
from captum_spex.player_sets import PlayerSets
from captum_spex.terms import Terms

Explained = Any
"""`Interactions`, a callable on masks, ``{players: value}``, ``(n_players,)`` values, or a list of these."""
ROUNDING = 1e-12
"""Share of the largest value below which a value is a rounding error of 0."""


def n_players_of(n_players: int | None, explained: Explained, game: Any = None, masks: Any = None) -> int:
    """Return the number of players, if all arguments that have one agree."""
    if game is not None and not callable(game) and masks is None:
        raise ArgumentError("game", checks.a(game), "a callable, or the values of given `masks`")
    if masks is not None and np.ndim(masks) != 2:
        raise MaskError("masks", f"shape {np.shape(masks)}", "shape (n_masks, n_players)")
    given = {
        "n_players": n_players,
        "masks": None if masks is None else np.shape(masks)[1],
        "explained": _own_n_players(explained),
        "game": GameAdapter.of(game).n_players if callable(game) else None,
    }
    known = {name: checks.integer(name, value) for name, value in given.items() if value is not None}
    if not known:
        raise ArgumentError("n_players", "None", "the number of players, which no other argument gives")
    first, n = next(iter(known.items()))
    for name, width in known.items():
        if width != n:
            raise MaskError(name, f"{width} players", f"{n} players, as in `{first}`")
    return n


def _own_n_players(explained: Explained) -> int | None:
    own = getattr(explained, "n_players", None)
    vector = None if own is not None else vector_of(explained)
    if vector is not None:
        return len(vector)
    if own is None and is_list(explained):
        return next((width for width in map(_own_n_players, explained) if width is not None), None)
    return own


def is_list(explained: Explained) -> bool:
    """Whether these are explanations of several outputs, one for each."""
    return isinstance(explained, list | tuple) or (isinstance(explained, np.ndarray) and explained.ndim == 2)


def vector_of(explained: Explained) -> Floats | None:
    """Return first-order attributions as an array, ``None`` if the explanation is something else."""
    if isinstance(explained, Mapping | str) or callable(explained) or explained is None:
        return None
    if isinstance(explained, list | tuple) and not all(isinstance(scalar(value), Real) for value in explained):
        return None
    array = as_array(explained)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iuf":
        return None
    if not np.isfinite(array).all():
        raise ArgumentError("explained", str(array[~np.isfinite(array)][0]), "finite values")
    return real_numbers("explained", array)


def terms_of(explained: Explained) -> Terms:
    """Return the terms of a result, a spectrum, a mapping, or attributions."""
    if isinstance(explained, Terms):
        return explained
    vector = vector_of(explained)
    values = explained if vector is None else {(player,): value for player, value in enumerate(vector.tolist())}
    if not isinstance(values, Mapping):
        expected = "a result, a mapping {players: value}, or attributions (n_players,)"
        hint = "Use `model.spectrum(k)`." if isinstance(values, RecoveredGame) else ""
        raise ArgumentError("explained", checks.a(values), expected, hint)
    sets = [canonical(players, "explained") for players in values]
    numbers = real_numbers("explained", list(values.values()))
    if len(set(sets)) < len(sets) or not np.isfinite(numbers).all():
        got = "a set of players twice" if len(set(sets)) < len(sets) else "a value that is not finite"
        raise ArgumentError("explained", got, "one finite number for each set")
    width = 1 + max((player for players in sets for player in players), default=0)
    return Terms(PlayerSets.from_sets(sets, width), numbers)


def canonical(players: Any, argument: str) -> tuple[int, ...]:
    """Return players as an increasing tuple of integers."""
    try:
        found = tuple(
            sorted({as_index(player) for player in (players if isinstance(players, Iterable) else [players])})
        )
    except TypeError:
        raise ArgumentError(argument, repr(players), "players by their numbers") from None
    if found and found[0] < 0:
        raise MaskError(argument, f"player {found[0]}", "players from 0 on")
    return found


def top_of(explained: Explained, k: int, min_order: int) -> dict[tuple[int, ...], float]:
    """Return the ``k`` largest terms of at least ``min_order`` players, without those that are rounding errors."""
    k, min_order = checks.integer("k", k), checks.integer("min_order", min_order)
    terms = terms_of(explained)
    large = np.abs(terms.values) > ROUNDING * np.abs(terms.values).max(initial=0.0)
    rows = np.flatnonzero(large & (terms.orders >= min_order))[:k]
    return dict(zip(terms.sets.take(rows).tuples(), terms.values[rows].tolist(), strict=True))


def first_order_of(explained: Explained, n_players: int) -> Floats:
    """Return the values of the single players; Shapley values for a recovered game."""
    if isinstance(explained, Spectrum):
        explained = GameModel((explained,))
    if isinstance(explained, Interactions) and explained.index == "Fourier":
        explained = explained.model
    if isinstance(explained, RecoveredGame):
        explained = explained.index_terms(resolve_index("SV", 1, n_players))
    terms = terms_of(explained)
    if not isinstance(terms, IndexTerms) and not (terms.orders == 1).any():
        raise ArgumentError("explained", "no value of a single player", "first-order values")
    checks.player("explained", terms.n_players - 1, n_players)
    return np.append(terms.first_order(), np.zeros(n_players - terms.n_players))
