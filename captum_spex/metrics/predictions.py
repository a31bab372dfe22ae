"""What explanations predict for masks, and what the game says."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.game import Game
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks, first_rows, mask_keys
from captum_spex.metrics.explanations import Explained, check_players, is_list, numbers_of, terms_of, vector_of
from captum_spex.terms import Terms

_CELLS = 1 << 22  # of a block of masks and sets


def predictions_of(explained: Explained, masks: Masks) -> Floats:
    """What an explanation predicts, ``(n_masks, n_outputs)``."""
    model = explained.model if isinstance(explained, Interactions) else explained
    vector = vector_of(model)
    if callable(model):
        values = numbers_of("explained", model(masks))
    elif vector is not None:
        values = masks @ vector
    elif is_list(model) and len(model):
        return np.concatenate([predictions_of(one, masks) for one in model], axis=1)
    else:
        values = _summed(terms_of(model), masks)
    if values.ndim not in (1, 2) or len(values) != len(masks) or not np.isfinite(values).all():
        came = (
            f"predictions of shape {values.shape}" if np.isfinite(values).all() else "predictions that are not finite"
        )
        raise ArgumentError("explained", came, f"({len(masks)},) or ({len(masks)}, n_outputs), finite")
    return values.reshape(len(masks), -1)


def _summed(terms: Terms, masks: Masks) -> Floats:
    """The sum of the values of all sets that are present."""
    if getattr(terms, "index", "") in ("Fourier", "Co-Moebius"):
        raise ArgumentError(
            "explained", "the terms of such an index", "a result, whose model predicts", "See `explain`."
        )
    check_players("explained", terms.n_players - 1, masks.shape[1])
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
        raise ArgumentError("explained", f"{predicted.shape[1]} outputs", "one", "Choose one, such as `results[0]`.")
    return predicted[:, 0]


def evaluated_of(game: Game | ArrayLike, masks: Masks) -> tuple[Floats, int, bool]:
    """Values ``(n_masks, n_outputs)``, the number of evaluations, and whether the game has a single output."""
    if callable(game):
        budget = len(first_rows(mask_keys(masks))[0])
        with Evaluator(game, masks.shape[1], budget=budget) as evaluator:
            values = evaluator(masks)
        return values, evaluator.n_evaluations, not evaluator.has_outputs
    values = numbers_of("game", game)
    if values.ndim not in (1, 2) or len(values) != len(masks) or not np.isfinite(values).all():
        came = f"values of shape {values.shape}" if np.isfinite(values).all() else "values that are not finite"
        raise ArgumentError(
            "game", came, f"({len(masks)},) or ({len(masks)}, n_outputs), one row for each mask, finite"
        )
    return values.reshape(len(masks), -1), 0, values.ndim == 1
