"""Data frames of pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Ints, Rows
from captum_spex.frames.base import Frame, without_dtype
from captum_spex.frames.cells import cells_of, codes_of, holds

if TYPE_CHECKING:
    import pandas


class PandasFrame:
    """A data frame of pandas."""

    library = "pandas"

    def __init__(self, native: pandas.DataFrame) -> None:
        self.native = native
        self.names = list(native.columns)

    def __len__(self) -> int:
        return len(self.native)

    def column(self, place: int) -> pandas.Series:
        """Return a column."""
        return self.native.iloc[:, place]

    def array(self, place: int) -> NDArray[Any]:
        """Return a column as an array; of objects where a whole number is missing, or numbers name categories."""
        column = self.column(place)
        kind = getattr(column.dtype, "kind", "O")
        is_whole = kind in "iu" and not isinstance(column.dtype, np.dtype) and bool(column.isna().any())
        return cells_of(column) if is_whole or hasattr(column.dtype, "categories") else np.asarray(column)

    def rows(self, places: Rows) -> pandas.DataFrame:
        """Return some rows."""
        return self.native.iloc[places]

    def like(self, values: NDArray[Any]) -> PandasFrame:
        """Return rows of an array as a frame of these columns, each of the dtype of its cells."""
        import pandas

        columns = {place: pandas.Series(values[:, place]).infer_objects() for place in range(len(self.names))}
        return PandasFrame(pandas.DataFrame(columns).set_axis(self.native.columns, axis=1))

    def pool(self, background: Frame, argument: str, *, keeps_dtypes: bool) -> PandasPool:
        """Return these rows and a background in one pool."""
        columns = []
        for place, name in enumerate(self.names):
            parts = (self.column(place), background.column(place))
            pooled = _pooled(*parts, self_first=keeps_dtypes)
            if pooled is None:
                raise without_dtype(argument, name, *(part.dtype for part in parts))
            columns.append(pooled)
        return PandasPool(columns, (self if keeps_dtypes else background).native.columns, self.native.index)


def labels_of(index: pandas.Index) -> pandas.Index | None:
    """Return the labels of rows; a plain numbering says nothing about them, and would repeat."""
    import pandas

    return None if type(index) is pandas.RangeIndex and index.name is None else index


class PandasPool:
    """Columns of pandas; see `Pool`.

    Args:
        columns: arrays of pandas.
        names: the axis of the columns.
        index: of the first frame's rows.
    """

    def __init__(self, columns: list[Any], names: pandas.Index, index: pandas.Index) -> None:
        self._columns, self._names = columns, names
        self._index = labels_of(index)
        self.codes = [_pandas_codes(column) for column in columns]

    @property
    def has_index(self) -> bool:
        """Whether rows keep labels of their own."""
        return self._index is not None

    def take(self, places: Sequence[Rows], own: int) -> pandas.DataFrame:
        """Return the rows as a data frame."""
        import pandas

        # As series, since a data frame would infer dtypes of arrays of objects.
        columns = {
            number: pandas.Series(column.take(rows), dtype=column.dtype, copy=False)
            for number, (column, rows) in enumerate(zip(self._columns, places, strict=True))
        }
        frame = pandas.DataFrame(columns, copy=False).set_axis(self._names, axis=1)
        return frame if self._index is None else frame.set_axis(self._index.take(np.full(len(frame), own)), axis=0)


def _pandas_codes(column: Any) -> Ints:
    import pandas

    if getattr(column.dtype, "kind", "O") in "biufmM" or isinstance(column.dtype, pandas.CategoricalDtype):
        return np.asarray(pandas.factorize(pandas.Series(column, copy=False))[0], dtype=np.int64)
    return codes_of(cells_of(column))


def _pooled(own: pandas.Series, other: pandas.Series, *, self_first: bool) -> Any:
    """Return two columns in one array of the first dtype that holds both exactly; ``None`` if there is none."""
    import pandas

    dtypes = [own.dtype, other.dtype] if self_first else [other.dtype, own.dtype]
    categorical = next((dtype for dtype in dtypes if isinstance(dtype, pandas.CategoricalDtype)), None)
    if categorical is not None:
        dtypes = [_extended(categorical, own, other)]
    with np.errstate(all="ignore"):
        common = pandas.concat([own.iloc[:1], other.iloc[:1]]).dtype
    for dtype in (*dtypes, common):
        if _holds(dtype, own) and _holds(dtype, other):
            return pandas.concat([own.astype(dtype), other.astype(dtype)], ignore_index=True).array
    return None


def _extended(dtype: pandas.CategoricalDtype, *columns: pandas.Series) -> pandas.CategoricalDtype:
    """Return a dtype of categories that has those of some columns too, or the values of columns that are none."""
    import pandas

    known = dtype.categories
    for column in columns:
        values = (
            column.dtype.categories if isinstance(column.dtype, pandas.CategoricalDtype) else column.dropna().unique()
        )
        more = [value for value in values if value not in known]
        known = known.append(pandas.Index(more)) if more else known
    return pandas.CategoricalDtype(known, dtype.ordered)


def _holds(dtype: Any, column: pandas.Series) -> bool:
    """Whether a dtype holds a column without changing it."""
    if dtype in (column.dtype, np.dtype(object)):
        return True
    if (
        isinstance(dtype, np.dtype)
        and isinstance(column.dtype, np.dtype)
        and {dtype.kind, column.dtype.kind} <= set("biuf")
    ):
        return dtype.kind != "b" and holds(dtype, column.to_numpy())
    try:
        with np.errstate(all="ignore"):
            cast = column.astype(dtype)
        missing = column.isna().to_numpy()
        same = cells_of(cast)[~missing] == cells_of(column)[~missing]
        return bool((cast.isna().to_numpy() == missing).all() and np.all(same))
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return False
