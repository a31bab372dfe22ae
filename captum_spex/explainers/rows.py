"""The rows to explain: the arguments of an explainer's call, checked against the masker before the first evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray

from captum_spex.arrays import type_of
from captum_spex.compat.shap import maskers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.explainers.background import Background, check_unmasked
from captum_spex.explainers.shap_maskers import n_arguments, parts_of, without_answers
from captum_spex.frames import Frame, frame_of, values_of


@dataclass(frozen=True, eq=False)
class Argument:
    """The rows of one argument of the model.

    Attributes:
        values: something that can be indexed by row: an array, a sparse matrix, a list of texts.
        frame: the same as a data frame, if the caller gave one.
        sparse: the constructor of sparse rows of the caller's class, if they are sparse.
    """

    values: Any
    frame: Frame | None
    sparse: Callable[[Any], Any] | None

    @classmethod
    def of(cls, given: Any) -> Argument:
        """Read an argument of an explainer's call."""
        frame = frame_of(given)
        return cls(_rows(given) if frame is None else values_of(frame), frame, _sparse_kind(given))

    def __len__(self) -> int:
        return n_rows(self.values)

    def __getitem__(self, number: int) -> Any:
        """Return a row, one of a sparse matrix as an array."""
        if scipy.sparse.issparse(self.values):
            return self.values[[number]].toarray().ravel()  # a single number fails for sparse arrays up to scipy 1.12
        return self.values[number]

    @property
    def names(self) -> list[str] | None:
        """The names of the columns of a data frame."""
        return None if self.frame is None else [str(name) for name in self.frame.names]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to explain: an `Argument` for each argument of the model."""

    arguments: tuple[Argument, ...]

    def __len__(self) -> int:
        return len(self.arguments[0])

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the arguments of the model for every row; rows of sparse matrices as arrays."""
        return (tuple(argument[number] for argument in self.arguments) for number in range(len(self)))


def rows_of(arguments: Sequence[Any], masker: Any) -> Rows:
    """Check the arguments of an explainer's call.

    Raises:
        ArgumentError: if their number is not what the masker takes, or their lengths differ.
        MaskError: if their columns are not those of the background, or the masker cannot take a row.
    """
    expected = n_arguments(masker)
    if not arguments or (expected is not None and len(arguments) != expected):
        wanted = "at least one argument" if expected is None else f"{expected}, as the masker takes"
        raise ArgumentError("X", f"{len(arguments)} arguments", wanted)
    rows = Rows(tuple(map(Argument.of, arguments)))
    lengths = list(map(len, rows.arguments))
    if len(set(lengths)) > 1:
        raise ArgumentError("X", " and ".join(map(str, lengths)), "the same number of rows in each argument")
    if not lengths[0]:
        raise ArgumentError("X", "no rows", "at least one row")
    for part, own in parts_of(masker, len(arguments)):
        _check_against(rows.arguments[own], without_answers(part))
    return rows


def n_rows(column: Any) -> int:
    """Return how many rows something holds."""
    return int(column.shape[0]) if hasattr(column, "shape") else len(column)


def as_rows(values: Any) -> NDArray[Any]:
    """Return the rows of a table as an array.

    Raises:
        MaskError: for lists that mix floats with whole numbers that floats do not hold.
    """
    array = np.asarray(values)
    if array is not values and array.dtype.kind == "f":
        cells = np.array(values, dtype=object)
        missing = np.array([cell is None for cell in cells.flat]).reshape(cells.shape) | np.isnan(array)
        if not np.all((array.astype(object) == cells) | missing):
            got = "whole numbers beside floats, which would round them"
            raise MaskError("X", got, "a data frame, whose columns keep their dtypes")
    return array


def _sparse_kind(argument: Any) -> Callable[[Any], Any] | None:
    if not scipy.sparse.issparse(argument):
        return None
    is_array = isinstance(argument, scipy.sparse.sparray)
    return scipy.sparse.csr_array if is_array else scipy.sparse.csr_matrix


def _rows(argument: Any) -> Any:
    """Return the rows of an argument that is no data frame as something that can be indexed by row."""
    check_unmasked("X", argument)
    if isinstance(argument, pd.Series):
        return argument.to_numpy()
    if isinstance(argument, torch.Tensor):
        return argument.detach().cpu().numpy()
    if isinstance(argument, np.matrix):
        return np.asarray(argument)
    if isinstance(argument, Mapping) and "text" in argument:
        return argument["text"]
    if scipy.sparse.issparse(argument):
        return argument.tocsr()
    if isinstance(argument, str) or not (hasattr(argument, "__len__") and hasattr(argument, "__getitem__")):
        got = repr(argument) if isinstance(argument, str) else type_of(argument)
        raise ArgumentError("X", got, "rows: an array, a data frame, a list", "Put a single row into a list.")
    return argument


def _check_against(arguments: Sequence[Argument], masker: Any) -> None:
    first = arguments[0]
    if isinstance(masker, maskers.Text):
        for number in range(len(first)):
            if isinstance(first[number], str) and not first[number].strip():
                raise MaskError("X", f"an empty text in row {number}", "texts of at least one word")
            if not isinstance(first[number], str):
                got = f"{type_of(first[number])} in row {number}"
                raise MaskError("X", got, "texts, as the masker is a `shap.maskers.Text`")
    background = Background.of(masker)
    if background is not None:
        _check_columns(first, background)


def _check_columns(argument: Argument, background: Background) -> None:
    shape = background.row_shape
    wanted = "(rows, " + ", ".join(map(str, shape)) + ")"
    try:
        given = tuple(argument.values.shape) if hasattr(argument.values, "shape") else np.shape(argument.values)
    except ValueError:
        expected = f"{shape[0]} values in each row, the columns of the background"
        raise MaskError("X", "rows of different lengths", expected) from None
    if given[1:] != shape or len(given) != len(shape) + 1:
        hint = "Pass a single row as a table: `X[:1]`, or `X.iloc[[0]]` of a data frame." if given == shape else ""
        what = "the columns of the background" if len(shape) == 1 else "as the background"
        raise MaskError("X", f"shape {given}", f"{wanted}, {what}", hint)
    if argument.frame is None or background.frame is None:
        return
    names, known = argument.frame.names, background.frame.names
    if names == known:
        return
    if set(names) == set(known):
        expected = "the columns of the background in the same order"
        raise MaskError("X", "another order", expected, "Use `X[background.columns]`.")
    missing, more = [name for name in known if name not in names], [name for name in names if name not in known]
    got = f"columns without {missing[:5]} and with {more[:5]}"
    raise MaskError("X", got, f"the columns of the background, {known[:10]}{' ...' if len(known) > 10 else ''}")
