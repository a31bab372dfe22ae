"""Rows of tables under masks, and the background that shows through: arrays of any dimension, and data frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.errors import MaskError
from captum_spex.frames import Pool, codes_of, holds
from captum_spex.masks import Masks


class ArrayInputs:
    """A row as an array, and the background that shows through where it is hidden.

    Args:
        row: ``(n_positions,)``.
        background: ``(n_rows, n_positions)``.
        finish: makes an input of the model from rows ``(n_masks * n_rows, n_positions)``.
        varying: the positions at which they differ; default: found here.
        weights: of the background's rows, ``(n_rows,)``; default: all alike.
        kind: see `MaskedInputs`; default: the dtype in common.
    """

    is_table = True

    def __init__(
        self,
        row: NDArray[Any],
        background: NDArray[Any],
        finish: Callable[[NDArray[Any]], Any],
        *,
        varying: Ints | None = None,
        weights: Floats | None = None,
        has_kind: bool = True,
    ) -> None:
        self.n_rows, self.n_positions = background.shape
        self.varying = np.flatnonzero(_differs(row, background).any(axis=0)) if varying is None else varying
        self.background_kind = str(np.result_type(row, background)) if has_kind else None
        self.weights = weights
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


@dataclass(frozen=True, eq=False)
class FrameInputs:
    """A row of a data frame, and the background that shows through, every column in its own dtype.

    Attributes:
        pool: the explained rows, and after them the background.
        own: number of the row.
        n_explained: how many explained rows there are.
        n_rows: rows of the background.
        weights: of these, ``(n_rows,)``, or ``None``.
    """

    pool: Pool
    own: int
    n_explained: int
    n_rows: int
    weights: Floats | None

    is_table = True

    @property
    def n_positions(self) -> int:
        """How many columns there are."""
        return len(self.pool.codes)

    @cached_property
    def varying(self) -> Ints:
        """The columns in which the row differs from the background."""
        return np.flatnonzero([(codes[self.n_explained :] != codes[self.own]).any() for codes in self.pool.codes])

    @property
    def background_kind(self) -> str | None:
        """See `MaskedInputs`: rows with labels of their own are not the same with nothing present."""
        return None if self.pool.has_index else "frame"

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Take every feature from the row where it is present, else from the background."""
        hidden = self.n_explained + np.arange(self.n_rows)
        everywhere = np.full(len(masks) * self.n_rows, self.own)
        places = [everywhere] * self.n_positions
        for column, present in zip(self.varying.tolist(), masks.T, strict=True):
            places[column] = np.where(present[:, None], self.own, hidden).ravel()
        return (self.pool.take(places, self.own),), np.full(len(masks), self.n_rows, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Explained rows and background as data frames; see `FrameInputs`."""

    pool: Pool
    n_explained: int
    n_rows: int
    weights: Floats | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return (len(self.pool.codes),)

    def inputs(self, number: int) -> FrameInputs:
        """Return how a row is masked."""
        return FrameInputs(self.pool, number, self.n_explained, self.n_rows, self.weights)


@dataclass(frozen=True, eq=False)
class ArrayTable:
    """Explained rows and background as arrays of one dtype.

    Attributes:
        rows: ``(n_explained, *shape)``, or a sparse matrix.
        background: ``(n_rows, *shape)``.
        weights: of its rows, ``(n_rows,)``, or ``None``.
        finish: makes an input of the model from rows ``(n, *shape)`` that belong to a row of a number.
        has_index: whether rows have labels of their own.
    """

    rows: Any
    background: NDArray[Any]
    weights: Floats | None
    finish: Callable[[NDArray[Any], int], Any]
    has_index: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return self.background.shape[1:]

    def inputs(self, number: int) -> ArrayInputs:
        """Return how a row is masked."""
        is_sparse = scipy.sparse.issparse(self.rows)
        # A single number fails for sparse arrays up to scipy 1.12.
        row = self.rows[[number]].toarray() if is_sparse else self.rows[number]
        flat = self.background.reshape(len(self.background), -1)
        return ArrayInputs(
            row.ravel(),
            flat,
            partial(self._finished, number),
            varying=None if self._codes is None else np.flatnonzero(
                (self._codes[len(self.rows) :] != self._codes[number]).any(axis=0)
            ),
            weights=self.weights,
            has_kind=not self.has_index,
        )  # fmt: skip

    @cached_property
    def _codes(self) -> Ints | None:
        """For cells that are objects, which need not be comparable, numbers ``(n_explained + n_rows, n_positions)``."""
        if self.background.dtype != object and (scipy.sparse.issparse(self.rows) or self.rows.dtype != object):
            return None
        both = [part.reshape(len(part), -1).astype(object) for part in (self.rows, self.background)]
        return np.stack([codes_of(column) for column in np.concatenate(both).T], axis=1)

    def _finished(self, number: int, rows: NDArray[Any]) -> Any:
        return self.finish(rows.reshape(len(rows), *self.shape), number)


Table = ArrayTable | FrameTable


def as_they_are(rows: NDArray[Any], number: int) -> NDArray[Any]:
    """Return rows unchanged."""
    return rows


def framed(rows: NDArray[Any], number: int, *, names: pd.Index, index: pd.Index | None) -> pd.DataFrame:
    """Return rows as a data frame, each with the label of the explained row, if it has one."""
    labels = None if index is None else index.take(np.full(len(rows), number))
    return pd.DataFrame(rows, columns=names, index=labels)


def check_exact(rows: Any, background: NDArray[Any]) -> Any:
    """Return the rows in a dtype in which the background can stand beside them, without a change of either.

    Raises:
        MaskError: if there is none; numbers would be rounded before the model sees them.
    """
    values = rows.data if scipy.sparse.issparse(rows) else rows
    if values.dtype == object and background.dtype != object:
        return _converted(rows, background)
    if "O" in (values.dtype.kind, background.dtype.kind) or values.dtype.kind not in "iufb":
        return rows
    common = np.result_type(values, background)
    for part, numbers in (("rows", values), ("background", background)):
        if bool not in (common, numbers.dtype) and not holds(common, numbers.ravel()):
            hint = "Give rows and background as data frames, or in the same dtype."
            got = f"{part} of {numbers.dtype} beside {'a background' if part == 'rows' else 'rows'} of another dtype"
            raise MaskError("X", f"{got}: {common} would round them", "numbers that one dtype holds", hint)
    return rows


def _converted(rows: NDArray[Any], background: NDArray[Any]) -> NDArray[Any]:
    """Return rows of objects, such as those of a frame of numbers and flags, in the background's dtype."""
    hint = "Give the background as a data frame too."
    try:
        cast = rows.astype(background.dtype)
    except (TypeError, ValueError):
        expected = f"{background.dtype}, as the background's"
        raise MaskError("X", "rows that are not numbers", expected, hint) from None
    missing = np.asarray(pd.isna(rows), dtype=np.bool_)
    if not np.all(cast[~missing].astype(object) == rows[~missing]):
        expected = f"numbers that {background.dtype}, the background's dtype, holds exactly"
        raise MaskError("X", "numbers that would be rounded", expected, hint)
    return cast


def _differs(row: NDArray[Any], background: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the background differs from the row; two missing values are the same."""
    return np.asarray(row != background) & ~(pd.isna(row) & pd.isna(background))
