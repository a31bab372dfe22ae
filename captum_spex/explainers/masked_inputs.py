"""One explained row under many masks: what the model receives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray

from captum_spex.arrays import Ints, type_of
from captum_spex.compat.shap import maskers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.explainers.masked_tables import ArrayInputs, FrameInputs, Table
from captum_spex.explainers.rows import n_rows
from captum_spex.explainers.shap_maskers import without_answers
from captum_spex.masks import Masks, ends

_SUCH_ROWS = "a masker that can hide parts of such rows"


@dataclass(frozen=True, eq=False)
class MaskerInputs:
    """Arguments of a model under any masker of SHAP, which is called for one mask after the other."""

    masker: Callable[..., Any]
    arguments: tuple[Any, ...]
    n_positions: int
    varying: Ints
    n_rows: int
    background_kind: str | None = None

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Call the masker for every mask and join what it returns."""
        present = np.ones((len(masks), self.n_positions), dtype=np.bool_)
        present[:, self.varying] = masks
        masked = [self._under(mask) for mask in present]
        counts = np.array([n_rows(inputs[0]) for inputs in masked], dtype=np.int64)
        return tuple(_joined(pieces) for pieces in zip(*masked, strict=True)), counts

    def _under(self, mask: NDArray[np.bool_]) -> tuple[Any, ...]:
        masked = self.masker(mask, *self.arguments)
        if not getattr(self.masker, "immutable_outputs", False):
            masked = deepcopy(masked)  # many maskers return a buffer which the next call writes to
        return masked if isinstance(masked, tuple) else (masked,)


MaskedInputs: TypeAlias = MaskerInputs | ArrayInputs | FrameInputs
"""A row's inputs under masks over its varying positions.

Each is called with masks ``(n_masks, len(varying))`` and returns the model's inputs, and how many rows each mask has.

Attributes:
    n_positions: how many positions the masker can hide.
    varying: the positions at which the row differs from what hides it; the players.
    n_rows: rows of the model per mask; 1 if not known before a call.
    background_kind: rows of one kind have the same inputs of the model with nothing present; ``None``: each has its
        own.
"""


def masked_inputs(masker: Any, arguments: tuple[Any, ...], table: Table | None) -> MaskedInputs:
    """Return how a row is masked: with arrays for SHAP's maskers of tables and images, else by calling the masker.

    Args:
        masker: a masker of SHAP, or a function ``masker(mask, *arguments)``.
        arguments: the arguments of the model for this row.
        table: the background of a masker of tables; ``None`` for other maskers.
    """
    if table is not None:
        return table.inputs(arguments[0])
    if type(masker) is maskers.Image and not isinstance(masker.mask_value, str):
        image = np.asarray(arguments[0].cpu() if isinstance(arguments[0], torch.Tensor) else arguments[0])
        if image.size != prod(masker.input_shape):
            expected = f"images of shape {tuple(masker.input_shape)}, as the masker's"
            raise MaskError("X", f"shape {image.shape}", expected)
        hidden = np.asarray(masker.mask_value)[None].astype(image.dtype)
        return ArrayInputs(image.ravel(), hidden, lambda rows: rows.reshape(-1, *image.shape))
    with _failures_explained(masker):
        positions, n_rows = _positions(masker, arguments)
    inputs = MaskerInputs(masker, arguments, len(positions), np.flatnonzero(positions), n_rows)
    _check_masker(inputs)
    return inputs


def mask_shapes(masker: Any, arguments: tuple[Any, ...]) -> list[tuple[int, ...]]:
    """Return the shape of the values of every argument."""
    if isinstance(masker, maskers.Composite):
        parts = _parts(masker, arguments)
        return [shape for part, own in parts for shape in mask_shapes(part, own)]
    if callable(getattr(masker, "mask_shapes", None)):
        return [tuple(map(int, shape)) for shape in masker.mask_shapes(*arguments)]
    return [tuple(np.shape(argument)) for argument in arguments]


def _positions(masker: Any, arguments: tuple[Any, ...]) -> tuple[NDArray[np.bool_], int]:
    """Return which positions can vary, and the rows of the model per mask."""
    if isinstance(masker, maskers.Composite):
        parts = [_positions(part, own) for part, own in _parts(masker, arguments)]
        return np.concatenate([varying for varying, _ in parts]), max(n_rows for _, n_rows in parts)
    shape = getattr(masker, "shape", None)
    if shape is None:
        return np.ones(sum(prod(np.shape(argument)) for argument in arguments), dtype=np.bool_), 1
    n_rows, n_positions = shape(*arguments) if callable(shape) else shape
    if callable(getattr(masker, "invariants", None)):
        constant = np.asarray(masker.invariants(*arguments), dtype=np.bool_)
        return np.asarray(~constant.all(axis=0)), int(n_rows or 1)
    return np.ones(int(n_positions), dtype=np.bool_), int(n_rows or 1)


def _parts(masker: Any, arguments: tuple[Any, ...]) -> list[tuple[Any, tuple[Any, ...]]]:
    """The maskers of a composite one with their arguments."""
    ends = np.cumsum(masker.arg_counts).tolist()
    starts = [0, *ends[:-1]]
    return [(part, arguments[a:b]) for part, a, b in zip(masker.maskers, starts, ends, strict=True)]


def _check_masker(inputs: MaskerInputs) -> None:
    """Call the masker once, so that what it cannot do is known before the model is called, even to generate a text."""
    inputs = replace(inputs, masker=without_answers(inputs.masker))
    with _failures_explained(inputs.masker):
        _, counts = inputs(ends(len(inputs.varying))[:1])
    if counts[0] < 1:
        raise ArgumentError("masker", f"{type_of(inputs.masker)} that returned no rows", _SUCH_ROWS)


@contextmanager
def _failures_explained(masker: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        got = f"{type_of(masker)} that failed on a row ({type(error).__name__}: {error})"
        raise ArgumentError("masker", got, _SUCH_ROWS) from error


def _joined(pieces: Sequence[Any]) -> Any:
    """Join what the masker returned for several masks."""
    first = pieces[0]
    if isinstance(first, pd.DataFrame):
        return pd.concat(pieces, ignore_index=True)
    if isinstance(first, torch.Tensor):
        return torch.cat(list(pieces))
    if scipy.sparse.issparse(first):
        return scipy.sparse.vstack(pieces, format="csr")
    return np.concatenate(pieces)
