"""A model, a masker, a link and one row, in SHAP's conventions, as a game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.compat.shap import Explanation, OpChain
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.torch_models import rounding_of
from captum_spex.explainers.links import LinkedMean
from captum_spex.explainers.masked_inputs import MaskedInputs
from captum_spex.explainers.shap_models import as_outputs
from captum_spex.masks import Masks, ends, in_batches


@dataclass(frozen=True)
class BatchLimits:
    """How many masks a call of the model receives unless the user says otherwise."""

    rows: int = 1 << 14  # of tables or images; measured: the overhead of a call is small beside so many
    cells: int = 1 << 23  # numbers in these rows, 64 MiB of float64
    masks: int = 32  # of texts and of maskers whose number of rows is unknown; bounds memory

    def masks_per_call(self, inputs: MaskedInputs) -> int:
        """Return the number of masks of some inputs in a call."""
        if not inputs.is_table:
            return self.masks
        return max(1, min(self.rows, self.cells // max(1, inputs.n_positions)) // inputs.n_rows)


class MaskerGame:
    """Masks over a row's varying inputs in, the link of the model's mean output over the background rows out.

    Both ends are evaluated when the game is made, and never again.

    Args:
        model: callable from inputs to outputs ``(rows,)`` or ``(rows, n_outputs)``.
        inputs: the row under masks.
        link: a link of SHAP.
        linearize_link: as in ``shap.Explainer``, see `LinkedMean`.
        background: the model's outputs with no input present, if they are known.
        outputs: which outputs are returned, as for an explainer; default: all.
        batch_size: masks per call of the model; default: as many as fit.
        asks_alone: whether two masks are also evaluated alone, to see whether the rows of a call influence each other.

    Attributes:
        n_players: number of varying inputs.
        background: the model's outputs with no input present.
        numbers: which outputs are returned, ``None`` for a model with one that is not an array.
        without: the value, or values, with no input present.
        complete: the value, or values, with all inputs present.
        batch_argument, rounding: see `captum_spex.game.GameHooks`.

    Raises:
        ArgumentError: if the model does not have the outputs that were asked for.
        GameError: if the model's outputs cannot be used.
    """

    def __init__(
        self,
        model: Any,
        inputs: MaskedInputs,
        link: Any,
        linearize_link: bool,
        *,
        background: Floats | None = None,
        outputs: Any = None,
        batch_size: int | None = None,
        asks_alone: bool = True,
    ) -> None:
        self.n_players = len(inputs.varying)
        self.batch_argument = "batch_size" if asks_alone else None
        self.rounding = rounding_of(model)
        self._model, self._inputs = model, inputs
        self._n_outputs: tuple[int, ...] | None = None  # known after the first call
        self._batch_size = BatchLimits().masks_per_call(inputs) if batch_size is None else batch_size
        all_present, none_present = ends(self.n_players)[:1], ends(self.n_players)[1:]
        self.background = self._outputs(none_present)[0] if background is None else background
        self._n_outputs = self.background.shape[1:]
        self._mean = LinkedMean(link, linearize_link, self.background, inputs.weights)
        without = self._mean(self.background, np.array([len(self.background)]))[0]
        complete = self._mean(*self._outputs(all_present))[0]
        numbers = chosen_outputs(outputs, complete)
        self.numbers = numbers if without.ndim else None
        self.without, self.complete = (without[numbers], complete[numbers]) if without.ndim else (without, complete)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values ``(n_masks,)`` or ``(n_masks, n_chosen_outputs)``."""
        values = np.empty((len(masks), *self.without.shape))
        n_present = masks.sum(axis=1)
        values[n_present == 0], values[n_present == self.n_players] = self.without, self.complete
        inner = np.flatnonzero((n_present > 0) & (n_present < self.n_players))
        if len(inner):
            found = self._mean(*self._outputs(masks[inner]))
            values[inner] = found if self.numbers is None else found[:, self.numbers]
        return values

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call of the model."""
        return in_batches(len(masks), self._batch_size)

    def _outputs(self, masks: Masks) -> tuple[Floats, Ints]:
        """Return the model's outputs, and how many rows of them each mask has."""
        inputs, counts = self._inputs(masks)
        outputs = as_outputs(self._model(*inputs), int(counts.sum()))
        if self._n_outputs not in (None, outputs.shape[1:]):
            raise GameError(f"`model`: returned shape {outputs.shape} after outputs {self._n_outputs} in calls before.")
        return outputs, counts


def chosen_outputs(outputs: Any, complete: Any) -> Ints:
    """Return the numbers of the outputs asked for: given, or chosen by an operation on those of the complete row.

    Raises:
        ArgumentError: if the model does not have them.
    """
    n_outputs = np.size(complete)
    if outputs is None:
        return np.arange(n_outputs)
    if isinstance(outputs, OpChain):
        outputs = outputs.apply(Explanation(np.atleast_1d(complete))).values
    numbers = np.arange(n_outputs)[outputs] if isinstance(outputs, slice) else np.atleast_1d(np.asarray(outputs))
    are_numbers = numbers.dtype.kind in "iu" and numbers.ndim == 1 and numbers.size
    if not are_numbers or numbers.min() < -n_outputs or numbers.max() >= n_outputs:
        expected = f"numbers from 0 to {n_outputs - 1}, or an operation such as `shap.Explanation.argsort.flip[:2]`"
        raise ArgumentError("outputs", repr(outputs), expected)
    return np.asarray(numbers % n_outputs, dtype=np.int64)
