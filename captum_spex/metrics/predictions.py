"""Predictions of explanations, and values of the game, for masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from captum_spex import checks
from captum_spex.arrays import Floats, real_numbers
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.game import Game
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks, first_rows, mask_keys
from captum_spex.metrics.explanations import Explained, is_list, terms_of, vector_of
from captum_spex.terms import Terms

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
