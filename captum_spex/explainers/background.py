"""Background rows, as the caller gave them: every dtype, any dimension, weights, and groups of columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray

from captum_spex.arrays import Floats, real_numbers, type_of
from captum_spex.compat.shap import maskers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.explainers.masked_tables import ArrayTable, FrameTable, Table, as_they_are, check_exact, framed
from captum_spex.frames import Frame, PandasFrame, frame_of, labels_of, values_of

_TABLES = (maskers.Independent, maskers.Partition)
_NUMBERS = "biuf"  # kinds of dtypes
_EXACT_IN_FLOATS = 2.0**53  # from here on float64 has gaps between whole numbers


@dataclass(eq=False)
class Background(maskers.Masker):  # type: ignore[misc]
    """Background rows that show through where a row is hidden, a masker for the explainers of this package.

    Attributes:
        data: the rows: an array ``(n_rows, ...)``, or a data frame of any library.
        weights: of the rows, ``(n_rows,)``; they sum to 1. ``None``: all alike.
        groups: players and their columns, where the caller's background brings some.
        names: of the columns, where the caller's background brings some and is not a data frame.
        is_rounded: whether all columns have become one dtype before they came here, as in SHAP's maskers.
    """

    data: Any
    weights: Floats | None = None
    groups: dict[str, list[int]] | None = None
    names: list[str] | None = None
    is_rounded: bool = False
    frame: Frame | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.frame = frame_of(self.data)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "frame"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.frame = frame_of(self.data)

    def __call__(self, mask: Any, x: Any) -> tuple[Any, ...]:
        """Return the masked rows for one mask, as SHAP calls its maskers."""
        like = x if self.frame is None else self.frame.like(np.asarray(x)[None])
        table = self.table(np.asarray(x)[None], None if self.frame is None else like, None)
        inputs = table.inputs(0)
        present = np.asarray(mask, dtype=np.bool_).ravel()[inputs.varying]
        return inputs(present[None])[0]

    @classmethod
    def of(cls, masker: Any) -> Background | None:
        """Return the background of a masker of tables; ``None`` for other maskers."""
        if isinstance(masker, cls):
            return masker
        if type(masker) not in _TABLES:
            return None
        rows = np.asarray(masker.data)
        if masker.output_dataframe:
            rows = pd.DataFrame(rows, columns=masker.feature_names)
        return cls(rows, is_rounded=True)

    def __len__(self) -> int:
        return int(self.data.shape[0]) if self.frame is None else len(self.frame)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows, and of values in each."""
        return len(self), int(np.prod(self.row_shape))

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return tuple(self.data.shape[1:]) if self.frame is None else (len(self.frame.names),)

    @property
    def values(self) -> NDArray[Any]:
        """The rows as an array."""
        return np.asarray(self.data) if self.frame is None else values_of(self.frame)

    @property
    def column_names(self) -> list[str] | None:
        """The names of the columns, if they have any."""
        return self.names if self.frame is None else [str(name) for name in self.frame.names]

    def table(self, rows: Any, frame: Frame | None, sparse: Callable[[Any], Any] | None) -> Table:
        """Return explained rows and background together, in the form in which the model receives them.

        Args:
            rows: the explained rows as an array or sparse matrix.
            frame: the same as a data frame, if the caller gave one.
            sparse: the constructor of sparse rows, if they are sparse.

        Raises:
            MaskError: if no dtype holds both exactly, or the data frames are of different libraries.
        """
        if self.frame is None or sparse is not None:
            array = self.values
            return ArrayTable(
                check_exact(rows, array), array, self.weights, as_they_are if sparse is None else _sparsely(sparse)
            )
        if frame is not None and frame.library != self.frame.library:
            got = f"a data frame of {frame.library} for a background of {self.frame.library}"
            raise MaskError("X", got, "both of one library", "Convert one of them.")
        # In SHAP's maskers a column has lost its dtype, which that of rows in a frame replaces.
        others = PandasFrame(self.data.infer_objects()) if self.is_rounded and frame is None else self.frame
        own = others.like(rows) if frame is None else frame
        self._check_rounding(own)
        dtypes = set(own.native.dtypes) | set(others.native.dtypes) if own.library == "pandas" else set()
        if len(dtypes) == 1 and isinstance(dtype := dtypes.pop(), np.dtype) and dtype.kind in _NUMBERS:
            return self._plain(own.native, others.native, own if frame is not None else others)
        pool = own.pool(others, "X", keeps_dtypes=frame is not None)
        return FrameTable(pool, len(own), len(self), self.weights)

    def _plain(self, rows: pd.DataFrame, background: pd.DataFrame, named: Frame) -> ArrayTable:
        """Return frames of one dtype of numbers as arrays, which are masked many times faster."""
        index = labels_of(rows.index)
        finish = partial(framed, names=named.native.columns, index=index)
        return ArrayTable(rows.to_numpy(), background.to_numpy(), self.weights, finish, has_index=index is not None)

    def _check_rounding(self, own: Frame) -> None:
        """Raise for whole numbers that SHAP's maskers, which make all columns of one dtype, have rounded."""
        if not self.is_rounded or own.library != "pandas":
            return
        for name, dtype, (_, column) in zip(own.names, own.native.dtypes, self.data.items(), strict=True):
            if (
                getattr(dtype, "kind", "") in "iu"
                and column.dtype.kind == "f"
                and (column.abs() > _EXACT_IN_FLOATS).any()
            ):
                got = f"a masker that has rounded the whole numbers of column {str(name)!r} to floats"
                raise MaskError("masker", got, "the data frame itself as `masker`, which keeps every dtype")


def _sparsely(constructor: Callable[[Any], Any]) -> Callable[[NDArray[Any], int], Any]:
    return lambda rows, number: constructor(rows)


@dataclass(frozen=True)
class Sampling:
    """How many background rows are used, and which.

    Attributes:
        most_rows: from the number of values in a row to the largest number of rows that are used.
        seed: of the choice among more rows.
    """

    most_rows: Callable[[int], int]
    seed: int

    def applied(self, background: Background) -> Background:
        """Return a background of no more rows than allowed, with a warning if there are fewer than before."""
        n_rows, n_values = background.shape
        most = self.most_rows(n_values)
        if n_rows <= most:
            return background
        rng = np.random.default_rng(self.seed)
        if background.weights is None:
            chosen, weights = np.sort(rng.choice(n_rows, most, replace=False)), None
        else:
            drawn = rng.multinomial(most, background.weights)
            chosen = np.flatnonzero(drawn)
            weights = drawn[chosen] / most
        message = (
            f"`masker`: {len(chosen):,} of the {n_rows:,} background rows are used, drawn at random, as each "
            f"evaluation runs the model on all of them. Set `max_samples={n_rows}` to use all, or fewer to save time."
        )
        warnings.warn(message, UserWarning, stacklevel=5)
        taken = background.data[chosen] if background.frame is None else background.frame.rows(chosen)
        return replace(background, data=taken, weights=weights)


def background_from(table: Any, sampling: Sampling) -> Background | None:
    """Return the background that a table is, with or without weights; ``None`` for anything else.

    Args:
        table: an array of two or more dimensions, a data frame, a sparse matrix, a tensor, what ``shap.kmeans``
            returns, or a pair ``(table, weights)``.
        sampling: how many rows are used.

    Raises:
        ArgumentError: if weights do not fit.
    """
    if isinstance(table, tuple) and len(table) == 2 and not isinstance(table[0], maskers.Masker):
        return _weighted(*table, sampling)
    if hasattr(table, "weights") and hasattr(table, "groups") and hasattr(table, "data"):
        return _summarised(table, sampling)
    if isinstance(table, torch.Tensor):
        table = table.detach().cpu().numpy()
    check_unmasked("masker", table)
    if isinstance(table, np.matrix):
        table = np.asarray(table)  # whose rows have one dimension
    if scipy.sparse.issparse(table) and table.shape[0]:
        drawn = sampling.applied(Background(table.tocsr()))
        return replace(drawn, data=drawn.data.toarray())
    if frame_of(table) is None and not (isinstance(table, np.ndarray) and table.ndim >= 2):
        return None
    background = Background(table)
    if not len(background):
        raise ArgumentError("masker", "a background of no rows", "at least one background row")
    return sampling.applied(background)


def check_unmasked(argument: str, values: Any) -> None:
    """Raise for a masked array of NumPy, whose mask other functions drop."""
    if isinstance(values, np.ma.MaskedArray):
        raise ArgumentError(argument, "a masked array", "one without a mask", "Fill it, such as by `.filled(np.nan)`.")


def _weighted(table: Any, weights: Any, sampling: Sampling) -> Background | None:
    background = background_from(table, Sampling(lambda n_values: 2**62, sampling.seed))
    if background is None:
        return None
    numbers = real_numbers("masker", weights)
    if numbers.shape != (len(background),) or not (numbers >= 0).all() or not 0 < numbers.sum() < np.inf:
        got = f"weights of shape {numbers.shape}" if numbers.shape != (len(background),) else "other weights"
        expected = f"`(background, weights)` with {len(background)} weights of at least 0, one for each row"
        raise ArgumentError("masker", got, expected)
    return sampling.applied(replace(background, weights=numbers / numbers.sum()))


def _summarised(data: Any, sampling: Sampling) -> Background | None:
    """Return what SHAP's ``kmeans`` and ``DenseData`` hold: rows or columns, weights, and groups of columns."""
    rows = data.convert_to_df() if hasattr(data, "convert_to_df") else data.data
    rows = rows.T if getattr(data, "transposed", False) else rows
    background = _weighted(rows, data.weights, sampling)
    names = [str(name) for name in data.group_names]
    groups = [np.asarray(group, dtype=np.int64).tolist() for group in data.groups or [[k] for k in range(len(names))]]
    if background is None or background.frame is not None:
        return background
    if all(len(group) == 1 for group in groups) and len(groups) == background.shape[1]:
        is_named = names != [str(number) for number in range(len(names))]
        return replace(background, names=names) if is_named else background
    return replace(background, groups=dict(zip(names, groups, strict=True)))


def described(thing: Any) -> str:
    """Return a thing that is no background in words, with its shape."""
    return type_of(thing) + (f" of shape {tuple(thing.shape)}" if hasattr(thing, "shape") else "")
