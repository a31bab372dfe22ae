"""Explanations that metrics compare: how they are read, what they predict, and the values of the game beside that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from operator import index as as_index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex import checks
from captum_spex.arrays import Floats, as_array, real_numbers, scalar, type_of
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.game import Game
from captum_spex.indices import IndexTerms, resolve_index
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks, first_rows, mask_keys
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
        raise ArgumentError("game", type_of(game), "a callable, or the values of given `masks`")
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
        raise ArgumentError("explained", type_of(values), expected, hint)
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
        several = players if isinstance(players, Iterable) else [players]
        found = tuple(sorted({as_index(player) for player in several}))
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


_CELLS = 1 << 22  # masks times players of sets that are looked up at once: 4 MiB of flags


def predictions_of(explained: Explained, masks: Masks) -> Floats:
    """Return what an explanation predicts, ``(n_masks, n_outputs)``."""
    model = explained.model if isinstance(explained, Interactions) else explained
    vector = vector_of(model)
    if callable(model):
        values = real_numbers("explained", model(masks))
    elif vector is not None:
        values = masks @ vector
    elif is_list(model) and len(model):
        return np.concatenate([predictions_of(one, masks) for one in model], axis=1)
    else:
        values = _summed(terms_of(model), masks)
    return _as_columns("explained", "predictions", values, len(masks))


def _summed(terms: Terms, masks: Masks) -> Floats:
    """Return for every mask the sum of the values of all sets that are present."""
    index = getattr(terms, "index", "")
    if index in ("Fourier", "Co-Moebius"):
        hint = "Terms of this index do not add up."
        raise ArgumentError("explained", f"terms of the index {index!r}", "a result, whose model predicts", hint)
    checks.player("explained", terms.n_players - 1, masks.shape[1])
    values = np.full(len(masks), getattr(terms, "baseline", 0.0))
    for order, rows, players in terms.sets.by_order():
        block = max(1, _CELLS // max(1, order * len(masks)))
        for start in range(0, len(rows), block):
            present = masks[:, players[start : start + block]].all(axis=2)
            values += present @ terms.values[rows[start : start + block]]
    return values


def one_output(explained: Explained, masks: Masks) -> Floats:
    """Return the predictions of an explanation of one output, ``(n_masks,)``."""
    predicted = predictions_of(explained, masks)
    if predicted.shape[1] != 1:
        hint = "Choose one, such as `results[0]`."
        raise ArgumentError("explained", f"{predicted.shape[1]} outputs", "one output", hint)
    return predicted[:, 0]


def evaluated(game: Game | ArrayLike, masks: Masks) -> tuple[Floats, int, bool]:
    """Return values ``(n_masks, n_outputs)``, the number of evaluations, and whether there is a single output."""
    if callable(game):
        budget = len(first_rows(mask_keys(masks))[0])
        with Evaluator(game, masks.shape[1], budget=budget) as evaluator:
            values = evaluator(masks)
        return values, evaluator.n_evaluations, not evaluator.has_outputs
    values = real_numbers("game", game)
    return _as_columns("game", "values", values, len(masks)), 0, values.ndim == 1


def _as_columns(argument: str, things: str, values: Floats, n_masks: int) -> Floats:
    is_finite = bool(np.isfinite(values).all())
    if values.ndim not in (1, 2) or len(values) != n_masks or not is_finite:
        got = f"{things} of shape {values.shape}" if is_finite else f"{things} that are not finite"
        raise ArgumentError(argument, got, f"finite {things} ({n_masks},) or ({n_masks}, n_outputs)")
    return values.reshape(n_masks, -1)
