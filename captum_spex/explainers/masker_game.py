"""A model, a masker, a link and one row, in SHAP's conventions, as a game."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.compat.shap import is_identity
from captum_spex.errors import GameError
from captum_spex.explainers.masked_inputs import MaskedInputs
from captum_spex.masks import Masks, in_batches

_ROWS_PER_CALL = 1 << 14  # of a model that takes tables or images
_CELLS_PER_CALL = 1 << 23
_MASKS_PER_CALL = 32  # of one that takes texts or anything else
_EPSILON = 1e-4  # as in SHAP


class MaskerGame:
    r"""Masks over a row's varying inputs in, the link of the model's mean output over the background rows out.

    With ``linearize_link`` the mean :math:`\operatorname{link}(\overline{f})` becomes a weighted mean of
    :math:`\operatorname{link}(f)`, the weights from a linear approximation of the link about the mean output over the
    background, so that the link does not bring interactions of its own.

    Args:
        model: callable from inputs to outputs ``(rows,)`` or ``(rows, n_outputs)``.
        inputs: the row under masks.
        link: a link of SHAP.
        linearize_link: as in ``shap.Explainer``.
        batch_size: masks per call of the model; ``None``: as many as fit.

    Attributes:
        n_players: number of varying inputs.
        chosen: which outputs are returned, if not all.
        background: the model's outputs with no input present; set before the first call, they are not asked for.
        background_kind: rows of one kind have the same outputs with no input present; ``None`` if they are their own.
    """

    def __init__(
        self,
        model: Any,
        inputs: MaskedInputs,
        link: Any,
        linearize_link: bool,
        *,
        batch_size: int | None = None,
    ) -> None:
        self.n_players = len(inputs.varying)
        self.chosen: Ints | None = None
        self.background: Floats | None = None
        self.background_kind = inputs.background_kind
        self._model, self._inputs = model, inputs
        self._link = None if is_identity(link) else link
        self._linearize = linearize_link
        self._batch_size = _batch_size(inputs) if batch_size is None else batch_size
        self._ends: tuple[Floats, Floats] | None = None
        self._weights: Floats | None = None
        self._n_outputs: tuple[int, ...] | None = None

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The values with no input and with all inputs present, each ``()`` or ``(n_outputs,)``; evaluated once."""
        if self._ends is None:
            none, everything = np.zeros((1, self.n_players), dtype=bool), np.ones((1, self.n_players), dtype=bool)
            if self.background is None:
                self.background = self._outputs(none)[0]
            self._n_outputs = self.background.shape[1:]
            if self._link is not None and self._linearize:
                self._weights = _linear_weights(self.background, self._link)
            counts = np.array([len(self.background)])
            self._ends = self._averaged(self.background, counts)[0], self._averaged(*self._outputs(everything))[0]
        return self._ends

    @property
    def shown(self) -> tuple[Floats, Floats]:
        """The `ends` of the chosen outputs."""
        none, everything = self.ends
        return (none, everything) if self.chosen is None else (none[self.chosen], everything[self.chosen])

    def __call__(self, masks: Masks) -> Floats:
        """Return the values ``(n_masks,)`` or ``(n_masks, n_chosen_outputs)``."""
        none, everything = self.ends
        values = np.empty((len(masks), *none.shape))
        n_present = masks.sum(axis=1)
        values[n_present == 0], values[n_present == self.n_players] = none, everything
        inner = np.flatnonzero((n_present > 0) & (n_present < self.n_players))
        if len(inner):
            values[inner] = self._averaged(*self._outputs(masks[inner]))
        return values if self.chosen is None else values[:, self.chosen]

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call of the model."""
        return in_batches(len(masks), self._batch_size)

    def _outputs(self, masks: Masks) -> tuple[Floats, Ints]:
        """Return the model's outputs, and how many rows of them each mask has."""
        inputs, counts = self._inputs(masks)
        outputs = np.asarray(self._model(*inputs))
        if outputs.ndim not in (1, 2) or len(outputs) != counts.sum() or outputs.dtype.kind not in "bifu":
            raise GameError(
                f"`model`: returned shape {outputs.shape}, {outputs.dtype}, for {counts.sum()} rows; "
                f"allowed are numbers ({counts.sum()},) or ({counts.sum()}, n_outputs)."
            )
        n_outputs = outputs.shape[1:]
        if self._n_outputs not in (None, n_outputs):
            raise GameError(f"`model`: returned shape {outputs.shape} after outputs {self._n_outputs} in calls before.")
        self._n_outputs = n_outputs
        return outputs.astype(np.float64), counts

    def _averaged(self, outputs: Floats, counts: Ints) -> Floats:
        """Apply the link, and average over the background rows of each mask."""
        if self._link is None:
            return _checked(_means(outputs, counts), outputs)
        if self._weights is None:
            means = _means(outputs, counts)
            return _checked(self._linked(means), means)
        if (counts != len(self._weights)).any():
            message = "`masker`: returned another number of rows than before; a linearised link needs the same."
            raise GameError(f"{message} Set `linearize_link=False`.")
        weights = np.tile(self._weights, (len(counts), *[1] * (outputs.ndim - 1)))
        return _checked(_means(weights * self._linked(outputs), counts), outputs)

    def _linked(self, values: Floats) -> Floats:
        with np.errstate(all="ignore"):  # what is not finite is reported by its value
            return np.asarray(self._link(values), dtype=np.float64)  # type: ignore[misc]


def _batch_size(inputs: MaskedInputs) -> int:
    if inputs.background_kind is None:
        return _MASKS_PER_CALL
    rows = min(_ROWS_PER_CALL, _CELLS_PER_CALL // max(1, inputs.n_positions))
    return max(1, rows // inputs.n_rows)


def _means(outputs: Floats, counts: Ints) -> Floats:
    if len(counts) == 1 or (counts == counts[0]).all():
        return np.asarray(outputs.reshape(len(counts), -1, *outputs.shape[1:]).mean(axis=1))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(outputs, starts, axis=0)
    return np.asarray(sums / counts.reshape(-1, *[1] * (outputs.ndim - 1)))


def _linear_weights(background: Floats, link: Any) -> Floats:
    """Weights with ``mean(weights * link(p)) == link(mean(p))`` for the background's outputs ``p``.

    1 where p is the mean: SHAP's ``link_reweighting`` divides 0 by 0 there, for a single background row always.
    """
    mean = background.mean(axis=0)
    with np.errstate(all="ignore"):
        upward, downward = link(mean + _EPSILON) - link(mean), link(mean) - link(mean - _EPSILON)
        slope = np.where(np.isfinite(upward), upward, downward) / _EPSILON
        weights = slope * (background - mean) / (link(background) - link(mean))
    weights = np.where(np.abs(background - mean) <= 1e-12 * np.abs(mean), 1.0, weights)
    return np.asarray(weights * (len(weights) / weights.sum(axis=0)))


def _checked(values: Floats, outputs: Floats) -> Floats:
    """Raise a `GameError` that says which output made a value useless."""
    if np.isfinite(values).all():
        return values
    wrong = outputs[~np.isfinite(outputs)]
    if wrong.size:
        raise GameError(f"`model`: returned {wrong.flat[0]}; outputs must be finite.")
    message = f"`link`: is not finite for outputs between {outputs.min():.6g} and {outputs.max():.6g} of the model."
    raise GameError(f"{message} `shap.links.logit` needs probabilities strictly between 0 and 1.")
