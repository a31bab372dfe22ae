"""The rows to explain: the arguments of an explainer's call, checked against the masker before the first evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch

from captum_spex.arrays import type_of
from captum_spex.compat.shap import maskers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.explainers.shap_maskers import n_arguments, without_answers


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to explain.

    Attributes:
        arguments: for every argument of the model its rows.
        names: for every argument the names of its columns, if it is a data frame.
        frame: the first argument, if it is a data frame.
        sparse: the constructor of sparse rows of the first argument's class, if it is a sparse matrix or array.
    """

    arguments: tuple[Any, ...]
    names: tuple[list[str] | None, ...]
    frame: pd.DataFrame | None
    sparse: Callable[[Any], Any] | None

    def __len__(self) -> int:
        return n_rows(self.arguments[0])

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the arguments of the model for every row; rows of sparse matrices as arrays."""
        return (tuple(_at(argument, number) for argument in self.arguments) for number in range(len(self)))


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
    columns = tuple(_column(argument) for argument in arguments)
    frame = arguments[0] if isinstance(arguments[0], pd.DataFrame) else None
    names = tuple(
        [str(name) for name in argument.columns] if isinstance(argument, pd.DataFrame) else None
        for argument in arguments
    )
    rows = Rows(columns, names, frame, _sparse_kind(arguments[0]))
    lengths = list(map(n_rows, columns))
    if len(set(lengths)) > 1:
        raise ArgumentError("X", " and ".join(map(str, lengths)), "the same number of rows in each argument")
    if not lengths[0]:
        raise ArgumentError("X", "no rows", "at least one row")
    _check_against(rows, masker)
    return rows


def n_rows(column: Any) -> int:
    """Return how many rows something holds."""
    return int(column.shape[0]) if hasattr(column, "shape") else len(column)


def _sparse_kind(argument: Any) -> Callable[[Any], Any] | None:
    if not scipy.sparse.issparse(argument):
        return None
    is_array = isinstance(argument, scipy.sparse.sparray)
    return scipy.sparse.csr_array if is_array else scipy.sparse.csr_matrix


def _at(column: Any, number: int) -> Any:
    if scipy.sparse.issparse(column):
        return column[[number]].toarray().ravel()  # a single number fails for sparse arrays up to scipy 1.12
    return column[number]


def _column(argument: Any) -> Any:
    """Return the rows of an argument as something that can be indexed by row."""
    if isinstance(argument, pd.DataFrame | pd.Series):
        return argument.to_numpy()
    if isinstance(argument, torch.Tensor):
        return argument.detach().cpu().numpy()
    if isinstance(argument, Mapping) and "text" in argument:
        return argument["text"]
    if scipy.sparse.issparse(argument):
        return argument.tocsr()
    if isinstance(argument, str) or not (hasattr(argument, "__len__") and hasattr(argument, "__getitem__")):
        got = repr(argument) if isinstance(argument, str) else type_of(argument)
        raise ArgumentError("X", got, "rows: an array, a data frame, a list", "Put a single row into a list.")
    return argument


def _check_against(rows: Rows, masker: Any) -> None:
    inner = without_answers(masker)
    first = rows.arguments[0]
    if isinstance(inner, maskers.Text):
        for number in range(len(rows)):
            if isinstance(first[number], str) and not first[number].strip():
                raise MaskError("X", f"an empty text in row {number}", "texts of at least one word")
            if not isinstance(first[number], str):
                got = f"{type_of(first[number])} in row {number}"
                raise MaskError("X", got, "texts, as the masker is a `shap.maskers.Text`")
    if isinstance(inner, maskers.Independent | maskers.Partition):
        _check_columns(rows, inner)


def _check_columns(rows: Rows, masker: Any) -> None:
    n_columns = masker.data.shape[1]
    try:
        shape = np.shape(rows.arguments[0])
    except ValueError:
        expected = f"{n_columns} values in each row, the columns of the background"
        raise MaskError("X", "rows of different lengths", expected) from None
    if scipy.sparse.issparse(rows.arguments[0]):
        shape = rows.arguments[0].shape
    if len(shape) != 2 or shape[1] != n_columns:
        hint = (
            "Pass a single row as a table: `X[:1]`, or `X.iloc[[0]]` of a data frame." if shape == (n_columns,) else ""
        )
        raise MaskError("X", f"shape {shape}", f"(rows, {n_columns}), the columns of the background", hint)
    if rows.frame is None or not masker.output_dataframe:
        return
    given, known = list(rows.frame.columns), list(masker.feature_names)
    if given == known:
        return
    if set(given) == set(known):
        expected = "the columns of the background in the same order"
        raise MaskError("X", "another order", expected, "Use `X[background.columns]`.")
    missing, more = [name for name in known if name not in given], [name for name in given if name not in known]
    got = f"columns without {missing[:5]} and with {more[:5]}"
    raise MaskError("X", got, f"the columns of the background, {known[:10]}{' ...' if len(known) > 10 else ''}")
