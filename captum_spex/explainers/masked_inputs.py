"""One explained row under many masks: what the model receives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints, type_of
from captum_spex.compat.shap import maskers
from captum_spex.errors import ArgumentError, GameError, MaskError
from captum_spex.explainers.masked_tables import ArrayInputs, Table
from captum_spex.explainers.rows import n_rows
from captum_spex.explainers.shap_maskers import parts_of, without_answers
from captum_spex.masks import Masks, ends

_SUCH_ROWS = "a masker that can hide parts of such rows"


class MaskedInputs(Protocol):
    """A row's inputs under masks over its varying positions."""

    @property
    def n_positions(self) -> int:
        """How many positions can be hidden."""

    @property
    def varying(self) -> Ints:
        """The positions at which the row differs from what hides it; the players."""

    @property
    def n_rows(self) -> int:
        """Rows of the model per mask; 1 if not known before a call."""

    @property
    def background_kind(self) -> str | None:
        """Rows of one kind have the same inputs of the model with nothing present; ``None``: each has its own."""

    @property
    def is_table(self) -> bool:
        """Whether rows are masked as arrays or columns, not by calls of a masker for each mask."""

    @property
    def weights(self) -> Floats | None:
        """Weights of the rows of every mask, ``(n_rows,)``, which sum to 1; ``None``: all alike."""

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Return the model's inputs under masks ``(n_masks, len(varying))``, and how many rows each mask has."""


@dataclass(frozen=True, eq=False)
class MaskerInputs:
    """Arguments of a model under any masker of SHAP, which is called for one mask after the other."""

    masker: Callable[..., Any]
    arguments: tuple[Any, ...]
    n_positions: int
    varying: Ints
    n_rows: int
    background_kind: str | None = None
    is_table: bool = False
    weights: Floats | None = None

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


@dataclass(frozen=True, eq=False)
class JoinedInputs:
    """The arguments of a model with several, each under its own part of the masks.

    Arguments with one row for a mask are repeated beside those with many, as in ``shap.maskers.Composite``.
    """

    parts: tuple[MaskedInputs, ...]

    @cached_property
    def n_positions(self) -> int:
        """See `MaskedInputs`; so are the others."""
        return sum(part.n_positions for part in self.parts)

    @cached_property
    def varying(self) -> Ints:
        """Positions are numbered through all arguments."""
        starts = np.cumsum([0, *(part.n_positions for part in self.parts)])
        return np.concatenate([part.varying + start for part, start in zip(self.parts, starts, strict=False)])

    @property
    def n_rows(self) -> int:
        """The largest number of rows of an argument."""
        return max(part.n_rows for part in self.parts)

    @property
    def background_kind(self) -> str | None:
        """Of one kind if every argument is."""
        kinds = [part.background_kind for part in self.parts]
        return None if None in kinds else ", ".join(map(str, kinds))

    @property
    def is_table(self) -> bool:
        """Whether all arguments are."""
        return all(part.is_table for part in self.parts)

    @property
    def weights(self) -> Floats | None:
        """Those of the arguments with many rows, which are the same."""
        return next((part.weights for part in self.parts if part.weights is not None), None)

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Mask every argument, and give all the same number of rows."""
        stops = np.cumsum([len(part.varying) for part in self.parts])[:-1]
        found = [part(own) for part, own in zip(self.parts, np.split(masks, stops, axis=1), strict=True)]
        counts = np.max([own for _, own in found], axis=0)
        joined: list[Any] = []
        for inputs, own in found:
            if not ((own == counts) | (own == 1)).all():
                numbers = f"{own.max()} and {counts.max()}"
                raise GameError(f"`masker`: the arguments have {numbers} rows; expected the same number, or one.")
            joined += [_repeated(one, own, counts) for one in inputs]
        return tuple(joined), counts


def _repeated(rows: Any, own: Ints, counts: Ints) -> Any:
    """Repeat the single row of every mask that has one until there are as many as counted."""
    if np.array_equal(own, counts):
        return rows
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(np.cumsum(own) - own, counts) + np.where(np.repeat(own, counts) == 1, 0, within)
    if isinstance(rows, pd.DataFrame):
        return rows.iloc[places]
    return rows[places] if hasattr(rows, "dtype") else rows.take(places)


def masked_inputs(masker: Any, arguments: tuple[Any, ...], tables: Sequence[Table | None], number: int) -> MaskedInputs:
    """Return how a row is masked: with arrays for tables and images, else by calling the masker.

    Args:
        masker: a masker of SHAP, a `Background`, or a function ``masker(mask, *arguments)``.
        arguments: the arguments of the model for this row.
        tables: rows and background for every part of the masker that is a masker of tables; ``None`` for others.
        number: of the row.
    """
    parts = parts_of(masker, len(arguments))
    found = [
        _of_part(part, arguments[own]) if table is None else table.inputs(number)
        for (part, own), table in zip(parts, tables, strict=True)
    ]
    if len(found) == 1:
        return found[0]
    _check_backgrounds([inputs for inputs in found if inputs.n_rows > 1])
    return JoinedInputs(tuple(found))


def _check_backgrounds(many: Sequence[MaskedInputs]) -> None:
    """Raise for arguments whose background rows do not belong together."""
    lengths = sorted({inputs.n_rows for inputs in many})
    if len(lengths) > 1:
        got = f"backgrounds of {' and '.join(map(str, lengths))} rows"
        raise ArgumentError("masker", got, "the same number in each argument, or one, as they are shown together")
    if len({None if inputs.weights is None else inputs.weights.tobytes() for inputs in many}) > 1:
        raise ArgumentError("masker", "backgrounds of different weights", "the same weights for each argument")


def _of_part(masker: Any, arguments: tuple[Any, ...]) -> MaskedInputs:
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


def mask_shapes(masker: Any, arguments: tuple[Any, ...], tables: Sequence[Table | None]) -> list[tuple[int, ...]]:
    """Return the shape of the values of every argument."""
    found: list[tuple[int, ...]] = []
    for (part, own), table in zip(parts_of(masker, len(arguments)), tables, strict=True):
        if table is not None:
            found.append(table.shape)
        elif callable(getattr(part, "mask_shapes", None)):
            found += [tuple(map(int, shape)) for shape in part.mask_shapes(*arguments[own])]
        else:
            found += [tuple(np.shape(argument)) for argument in arguments[own]]
    return found


def _positions(masker: Any, arguments: tuple[Any, ...]) -> tuple[NDArray[np.bool_], int]:
    """Return which positions can vary, and the rows of the model per mask."""
    shape = getattr(masker, "shape", None)
    if shape is None:
        return np.ones(sum(prod(np.shape(argument)) for argument in arguments), dtype=np.bool_), 1
    n_rows, n_positions = shape(*arguments) if callable(shape) else shape
    if callable(getattr(masker, "invariants", None)):
        constant = np.asarray(masker.invariants(*arguments), dtype=np.bool_)
        return np.asarray(~constant.all(axis=0)), int(n_rows or 1)
    return np.ones(int(n_positions), dtype=np.bool_), int(n_rows or 1)


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
