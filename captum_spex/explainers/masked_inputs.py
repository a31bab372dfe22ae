"""One explained row under many masks: what the model receives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray

from captum_spex.arrays import Ints
from captum_spex.compat.shap import maskers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.explainers.row_arguments import n_rows
from captum_spex.explainers.shap_models import without_answers
from captum_spex.masks import Masks

_SUCH_ROWS = "a masker for such rows"


class MaskedInputs(Protocol):
    """A row's inputs under masks over its varying positions.

    Attributes:
        n_positions: how many positions the masker can hide.
        varying: those at which the row differs from what hides it; the players.
        n_rows: rows of the model per mask, or 1 if only a call would tell.
        background_kind: what the model's input with nothing present depends on; ``None``: on the row.
    """

    @property
    def n_positions(self) -> int:
        """Number of positions of the row."""

    @property
    def varying(self) -> Ints:
        """Positions that differ from the background: the players."""

    @property
    def n_rows(self) -> int:
        """Rows of the model for each mask."""

    @property
    def background_kind(self) -> str | None:
        """What the background is called in messages."""

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Return the model's inputs under masks ``(n_masks, len(varying))``, and how many rows each mask has."""


class ArrayInputs:
    """A row of numbers, and rows that show through where it is hidden: for maskers of which no more is to know.

    Args:
        row: ``(n_positions,)``.
        background: ``(n_rows, n_positions)``.
        finish: makes an input of the model from rows ``(n_masks * n_rows, n_positions)``.
    """

    def __init__(self, row: NDArray[Any], background: NDArray[Any], finish: Callable[[NDArray[Any]], Any]) -> None:
        self.n_rows, self.n_positions = background.shape
        self.varying = np.flatnonzero(_differs(row, background).any(axis=0))
        self.background_kind = str(np.result_type(row, background))
        self._row, self._background, self._finish = row, background, finish

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Take every feature from the row where it is present, else from the background."""
        rows = np.where(masks[:, None, :], self._row[self.varying], self._background[:, self.varying])
        if len(self.varying) < self.n_positions:
            shown, rows = rows, np.empty((*rows.shape[:2], self.n_positions), dtype=rows.dtype)
            rows[:] = self._row
            rows[:, :, self.varying] = shown
        counts = np.full(len(masks), self.n_rows, dtype=np.int64)
        return (self._finish(rows.reshape(-1, self.n_positions)),), counts


class FrameInputs:
    """A row of a data frame, and rows that show through where it is hidden, every column in its own dtype.

    Args:
        row: a data frame of one row.
        background: a data frame of the same columns.
        kind: see `MaskedInputs`.
    """

    def __init__(self, row: pd.DataFrame, background: pd.DataFrame, kind: str | None) -> None:
        self.n_rows, self.n_positions = background.shape
        values = (frame.to_numpy(dtype=object) for frame in (row, background))
        own, others = values
        self.varying = np.flatnonzero(_differs(own[0], others).any(axis=0))
        self.background_kind = kind
        self._columns = row.columns
        self._pools = [
            pd.concat([row.iloc[:, column], background.iloc[:, column]], ignore_index=True).array
            for column in range(self.n_positions)
        ]

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Take every feature from the row where it is present, else from the background."""
        hidden = np.arange(1, self.n_rows + 1)
        places = dict(zip(self.varying.tolist(), masks.T, strict=True))
        everywhere = np.ones(len(masks), dtype=np.bool_)
        columns = {
            column: pool.take(np.where(places.get(column, everywhere)[:, None], 0, hidden).ravel())
            for column, pool in enumerate(self._pools)
        }
        frame = pd.DataFrame(columns)
        frame.columns = self._columns
        return (frame,), np.full(len(masks), self.n_rows, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class MaskerInputs:
    """Arguments of a model, and any masker of SHAP, asked for one mask after the other."""

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


def masked_inputs(masker: Any, arguments: tuple[Any, ...], table: Table | None) -> MaskedInputs:
    """Return how a row is masked: by arrays where the masker is a plain one of tables or images, else by calling it.

    Args:
        masker: a masker of SHAP, or a function ``masker(mask, *arguments)``.
        arguments: the arguments of the model for this row.
        table: what a masker of tables shows through; ``None`` for any other.
    """
    if table is not None:
        return table.inputs(arguments[0])
    if type(masker) is maskers.Image and not isinstance(masker.mask_value, str):
        image = np.asarray(arguments[0].cpu() if isinstance(arguments[0], torch.Tensor) else arguments[0])
        if image.size != prod(masker.input_shape):
            raise MaskError("X", f"an image of shape {image.shape}", f"{tuple(masker.input_shape)}, as the masker's")
        hidden = np.asarray(masker.mask_value)[None].astype(image.dtype)
        return ArrayInputs(image.ravel(), hidden, lambda rows: rows.reshape(-1, *image.shape))
    with _failures_explained(masker):
        positions, n_rows = _positions(masker, arguments)
    inputs = MaskerInputs(masker, arguments, len(positions), np.flatnonzero(positions), n_rows)
    _check_masker(inputs)
    return inputs


@dataclass(frozen=True, eq=False)
class Table:
    """The background of a masker of tables, in the form in which the model gets its rows.

    Attributes:
        background: ``(n_rows, n_features)``.
        frame: the same with the dtypes of the explained rows, for a model that gets data frames of several dtypes.
        dtypes: of the columns of the explained rows, if these came as a data frame.
        finish: makes the model's input from rows of one dtype.
    """

    background: NDArray[Any]
    frame: pd.DataFrame | None
    dtypes: dict[int, Any]
    finish: Callable[[NDArray[Any]], Any]

    @classmethod
    def of(cls, masker: Any, rows: pd.DataFrame | None, sparse: Callable[[Any], Any] | None) -> Table | None:
        """Return the table of a masker, ``None`` if it is none of tables.

        Args:
            masker: the masker.
            rows: the explained rows, if they came as a data frame.
            sparse: what makes sparse rows, if they came as such.
        """
        if type(masker) not in (maskers.Independent, maskers.Partition):
            return None
        background = np.asarray(masker.data)
        if sparse is not None or not masker.output_dataframe:
            return cls(background, None, {}, _as_they_are if sparse is None else sparse)
        names = list(masker.feature_names)
        if background.dtype != object and (rows is None or (rows.dtypes == background.dtype).all()):
            return cls(background, None, {}, lambda values: pd.DataFrame(values, columns=names))
        dtypes = {} if rows is None else _dtypes(rows, background)
        frame = _typed(pd.DataFrame(background, columns=names), dtypes)
        return cls(background, frame, dtypes, _as_they_are)

    def inputs(self, row: Any) -> MaskedInputs:
        """Return how a row is masked.

        Raises:
            MaskError: if the row has other columns, or texts where the background has numbers.
        """
        values = _row(row, self.background)
        if self.frame is None:
            return ArrayInputs(values, self.background, self.finish)
        own = pd.DataFrame([values], columns=self.frame.columns, dtype=object)
        return FrameInputs(_typed(own, self.dtypes), self.frame, "frame" if self.dtypes else None)


def _as_they_are(rows: NDArray[Any]) -> NDArray[Any]:
    return rows


def _typed(frame: pd.DataFrame, dtypes: dict[int, Any]) -> pd.DataFrame:
    """Return a data frame with the dtypes of some columns, the others what their values say."""
    columns = {
        column: frame.iloc[:, column].astype(dtypes[column])
        if column in dtypes
        else frame.iloc[:, column].infer_objects()
        for column in range(frame.shape[1])
    }
    typed = pd.DataFrame(columns)
    typed.columns = frame.columns
    return typed


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
    """Ask the masker once: what it cannot do is to be known before the model is called, to generate a text too."""
    inputs = replace(inputs, masker=without_answers(inputs.masker))
    with _failures_explained(inputs.masker):
        _, counts = inputs(np.ones((1, len(inputs.varying)), dtype=np.bool_))
    if counts[0] < 1:
        raise ArgumentError("masker", f"{type(inputs.masker).__name__}, which returned no rows", _SUCH_ROWS)


@contextmanager
def _failures_explained(masker: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        came = f"{type(masker).__name__}, which failed on a row ({type(error).__name__}: {error})"
        raise ArgumentError("masker", came, _SUCH_ROWS) from error


def _row(row: Any, background: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(row)
    if values.shape != background.shape[1:]:
        raise MaskError("X", f"a row of shape {values.shape}", f"{background.shape[1:]}, the columns of the background")
    if values.dtype == object and background.dtype != object:
        try:
            return values.astype(background.dtype)  # of a data frame of numbers and truth values
        except (TypeError, ValueError):
            came, allowed = "rows that are no numbers", f"{background.dtype}, as the background's"
            raise MaskError("X", came, allowed, "Give the background as a data frame too.") from None
    return values


def _differs(row: NDArray[Any], background: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the background is not the row, two missing values counting as the same."""
    if "O" in (row.dtype.kind, background.dtype.kind):  # there, some missing values cannot be compared
        own, others = row.astype(object), background.astype(object)
        own[pd.isna(own)], others[pd.isna(others)] = None, None
        return np.asarray(own != others, dtype=np.bool_)
    return np.asarray(row != background) & ~(pd.isna(row) & pd.isna(background))


def _dtypes(rows: pd.DataFrame, background: NDArray[Any]) -> dict[int, Any]:
    """The dtypes of the rows' columns that hold the background too; categories with those that only it has."""
    found: dict[int, Any] = {}
    for column, dtype in enumerate(rows.dtypes):
        values = background[:, column]
        if isinstance(dtype, pd.CategoricalDtype):
            own = dtype.categories.tolist()
            more = [one for one in pd.unique(pd.Series(values)) if not pd.isna(one) and one not in own]
            found[column] = pd.CategoricalDtype([*own, *more], dtype.ordered)
        elif _holds(dtype, values):
            found[column] = dtype
    return found


def _holds(dtype: Any, values: NDArray[Any]) -> bool:
    """Whether values are the same in a dtype."""
    missing = pd.isna(values)
    try:
        with np.errstate(all="ignore"):
            kept = pd.Series(values).astype(dtype)
        same = kept[~missing].to_numpy(dtype=object) == values[~missing].astype(object)
        return bool((pd.isna(kept).to_numpy() == missing).all() and np.all(same))
    except (TypeError, ValueError, OverflowError):
        return False


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
