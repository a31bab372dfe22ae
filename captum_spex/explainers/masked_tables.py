"""Rows of tables under masks, and the background that shows through: arrays and data frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from captum_spex.arrays import Ints
from captum_spex.compat.shap import maskers
from captum_spex.errors import MaskError
from captum_spex.masks import Masks


class ArrayInputs:
    """A row as an array, and the background that shows through where it is hidden.

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
    """A row of a data frame, and the background that shows through, every column in its own dtype.

    Args:
        row: a data frame of one row.
        background: a data frame of the same columns.
        kind: see `MaskedInputs`.
    """

    def __init__(self, row: pd.DataFrame, background: pd.DataFrame, kind: str | None) -> None:
        self.n_rows, self.n_positions = background.shape
        own, others = row.to_numpy(dtype=object), background.to_numpy(dtype=object)
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
        frame = pd.DataFrame(columns).set_axis(self._columns, axis=1)
        return (frame,), np.full(len(masks), self.n_rows, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Table:
    """The background of a masker of tables, in the form in which the model receives its rows.

    Attributes:
        background: ``(n_rows, n_features)``.
        frame: the same with the dtypes of the explained rows, for a model that gets data frames of several dtypes.
        dtypes: of the columns of the explained rows, if these are a data frame.
        finish: makes the model's input from rows of one dtype.
    """

    background: NDArray[Any]
    frame: pd.DataFrame | None
    dtypes: dict[int, Any]
    finish: Callable[[NDArray[Any]], Any]

    @classmethod
    def of(cls, masker: Any, rows: pd.DataFrame | None, sparse: Callable[[Any], Any] | None) -> Table | None:
        """Return the table of a masker; ``None`` for other maskers.

        Args:
            masker: the masker.
            rows: the explained rows, if they are a data frame.
            sparse: the constructor of sparse rows, if they are sparse.
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

    def inputs(self, row: Any) -> ArrayInputs | FrameInputs:
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
    """Return a data frame with the given dtypes of some columns, the others inferred from their values."""
    columns = {
        column: frame.iloc[:, column].astype(dtypes[column])
        if column in dtypes
        else frame.iloc[:, column].infer_objects()
        for column in range(frame.shape[1])
    }
    return pd.DataFrame(columns).set_axis(frame.columns, axis=1)


def _row(row: Any, background: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(row)
    if values.shape != background.shape[1:]:
        raise MaskError("X", f"a row of shape {values.shape}", f"{background.shape[1:]}, the columns of the background")
    if values.dtype == object and background.dtype != object:
        try:
            return values.astype(background.dtype)  # rows of a data frame of numbers and flags
        except (TypeError, ValueError):
            expected = f"{background.dtype}, as the background's"
            raise MaskError(
                "X", "rows that are not numbers", expected, "Give the background as a data frame too."
            ) from None
    return values


def _differs(row: NDArray[Any], background: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the background differs from the row; two missing values are the same."""
    if "O" in (row.dtype.kind, background.dtype.kind):  # some missing values of dtype object cannot be compared
        own, others = row.astype(object), background.astype(object)
        own[pd.isna(own)], others[pd.isna(others)] = None, None
        return np.asarray(own != others, dtype=np.bool_)
    return np.asarray(row != background) & ~(pd.isna(row) & pd.isna(background))


def _dtypes(rows: pd.DataFrame, background: NDArray[Any]) -> dict[int, Any]:
    """The dtypes of the rows' columns that can hold the background too; categories extended by the background's."""
    found: dict[int, Any] = {}
    for column, dtype in enumerate(rows.dtypes):
        values = background[:, column]
        if isinstance(dtype, pd.CategoricalDtype):
            own = dtype.categories.tolist()
            more = [value for value in pd.unique(pd.Series(values)) if not pd.isna(value) and value not in own]
            found[column] = pd.CategoricalDtype([*own, *more], dtype.ordered)
        elif _holds(dtype, values):
            found[column] = dtype
    return found


def _holds(dtype: Any, values: NDArray[Any]) -> bool:
    """Whether a dtype holds values without changing them."""
    missing = pd.isna(values)
    try:
        with np.errstate(all="ignore"):
            cast = pd.Series(values).astype(dtype)
        same = cast[~missing].to_numpy(dtype=object) == values[~missing].astype(object)
        return bool((pd.isna(cast).to_numpy() == missing).all() and np.all(same))
    except (TypeError, ValueError, OverflowError):
        return False
