"""Training data: rows selected by masks, and the players that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from captum_spex.arrays import Ints, type_of
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.masks import Masks

_SHOWN = 3  # rows in a message


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The columns of a training set (features, labels, ...), of equal length.

    Attributes:
        columns: arrays, tensors, data frames, sparse matrices or lists.
        n_points: number of rows.
    """

    columns: tuple[Any, ...]
    n_points: int

    @classmethod
    def of(cls, data: Any) -> TrainingData:
        """Check a column, or a tuple of columns.

        Raises:
            ArgumentError: if there is none, or they differ in length.
        """
        columns = data if isinstance(data, tuple) else (data,)
        lengths = [_length(column) for column in columns]
        if not columns or min(lengths) == 0:
            raise ArgumentError("data", "no rows", "a tuple of columns, such as (X, y), with at least one row")
        if len(set(lengths)) > 1:
            raise ArgumentError("data", f"columns of {', '.join(map(str, lengths))} rows", "columns of the same length")
        ready = [column.tocsr() if scipy.sparse.issparse(column) else column for column in columns]
        return cls(tuple(ready), lengths[0])

    def take(self, rows: Ints) -> list[Any]:
        """Return the rows of every column."""
        return [_taken(column, rows) for column in self.columns]


@dataclass(frozen=True, eq=False)
class Players:
    """Which player every training point belongs to.

    Attributes:
        of_point: the player of every point, int64 ``(n_points,)``.
        names: the players' names.
    """

    of_point: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, groups: ArrayLike | None, n_points: int) -> Players:
        """Number the groups in the order of their labels; without groups, every point is a player.

        Raises:
            MaskError: if there is not a label for each point.
        """
        if groups is None:
            return cls(np.arange(n_points), tuple(f"point {row}" for row in range(n_points)))
        labels = np.asarray(groups.cpu() if isinstance(groups, Tensor) else groups)
        if labels.shape != (n_points,):
            raise MaskError("groups", f"shape {labels.shape}", f"({n_points},): a label for each training point")
        try:
            distinct, of_point = np.unique(labels, return_inverse=True)
        except TypeError as error:
            raise MaskError("groups", "labels of several types", "labels that can be sorted") from error
        return cls(of_point.reshape(-1).astype(np.int64), tuple(str(label) for label in distinct))

    def points(self, masks: Masks) -> Masks:
        """Return which points are present, bool ``(n_masks, n_points)``."""
        return masks if np.array_equal(self.of_point, np.arange(masks.shape[1])) else masks[:, self.of_point]


def dense_array(column: Any) -> NDArray[Any] | None:
    """Return a dense array of numbers or labels, or ``None`` for anything else (sparse, lists of texts, ...)."""
    if scipy.sparse.issparse(column):
        return None
    try:
        array = np.asarray(column.detach().cpu() if isinstance(column, Tensor) else column)
    except ValueError:  # ragged lists
        return None
    return None if array.dtype.hasobject else array


def content_of(column: Any) -> list[Any]:
    """Return a column row by row, to be digested: a large array would only be sampled.

    Raises:
        TypeError: for a column that is not an array of numbers or texts.
    """
    array = dense_array(column)
    if array is None:
        raise TypeError(f"{type_of(column)} has no identity")
    return list(array.tolist()) if array.ndim == 1 else list(array)


def described(rows: Ints) -> str:
    """Return a text that names some rows of the training data."""
    shown = ", ".join(map(str, rows[:_SHOWN].tolist()))
    return f"{len(rows)} training points" + (f" ({shown}{', ...' if len(rows) > _SHOWN else ''})" if len(rows) else "")


def _length(column: Any) -> int:
    if hasattr(column, "shape"):
        return int(column.shape[0]) if column.shape else 0
    if isinstance(column, Sequence) and not isinstance(column, str):
        return len(column)
    raise ArgumentError("data", type_of(column), "arrays, tensors, data frames, sparse matrices or lists")


def _taken(column: Any, rows: Ints) -> Any:
    if hasattr(column, "iloc"):
        return column.iloc[rows]
    if hasattr(column, "shape"):
        return column[rows]
    return [column[row] for row in rows]
