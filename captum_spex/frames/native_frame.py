"""Data frames of other libraries, through narwhals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Rows
from captum_spex.frames.base import Frame, without_dtype
from captum_spex.frames.cells import cells_of, codes_of

if TYPE_CHECKING:
    import narwhals


class NativeFrame:
    """A data frame of another library, through narwhals."""

    def __init__(self, frame: narwhals.DataFrame[Any]) -> None:
        self._frame = frame
        self.native = frame.to_native()
        self.names = list(frame.columns)
        self.library = type(self.native).__module__.split(".")[0]

    def __len__(self) -> int:
        return len(self._frame)

    def column(self, place: int) -> Any:
        """Return a column."""
        return self._frame[self.names[place]].to_native()

    def array(self, place: int) -> NDArray[Any]:
        """Return a column as an array; of objects where anything but a float is missing."""
        column = self._frame[self.names[place]]
        is_exact = column.null_count() == 0 or column.dtype.is_float()
        return np.asarray(column.to_numpy()) if is_exact else cells_of(column.to_native())

    def rows(self, places: Rows) -> Any:
        """Return some rows."""
        return self._frame[places].to_native()

    def like(self, values: NDArray[Any]) -> NativeFrame:
        """Return rows of an array as a frame of these columns, in these dtypes where they hold the values."""
        import narwhals

        backend = self._frame.implementation
        columns = {}
        for place, name in enumerate(self.names):
            column = narwhals.new_series(name, values[:, place].tolist(), backend=backend)
            exact = _cast_exactly(column, self._frame.schema[name])
            columns[name] = column if exact is None else exact
        return NativeFrame(narwhals.from_dict(columns))

    def pool(self, background: Frame, argument: str, *, keeps_dtypes: bool) -> NativePool:
        """Return these rows and a background in one pool."""
        import narwhals

        hidden = cast(NativeFrame, background)
        parts: tuple[list[Any], list[Any]] = ([], [])
        for name in self.names:
            own, other = self._frame[name], hidden._frame[name]
            found = _of_one_dtype(own, other) if keeps_dtypes else _of_one_dtype(other, own)
            if found is None:
                raise without_dtype(argument, name, own.dtype, other.dtype)
            for part, column in zip(parts, found if keeps_dtypes else found[::-1], strict=True):
                part.append(column)
        both = narwhals.concat([narwhals.from_dict({one.name: one for one in part}) for part in parts])
        return NativePool(both)


class NativePool:
    """Columns of another library; see `Pool`. These have no index."""

    has_index = False

    def __init__(self, frame: narwhals.DataFrame[Any]) -> None:
        self._columns = [frame[name] for name in frame.columns]
        self.codes = [codes_of(column.to_list()) for column in self._columns]

    def take(self, places: Sequence[Rows], own: int) -> Any:
        """Return the rows as a data frame of the library."""
        import narwhals

        columns = {column.name: column[rows] for column, rows in zip(self._columns, places, strict=True)}
        return narwhals.from_dict(columns).to_native()


def _of_one_dtype(first: Any, second: Any) -> tuple[Any, Any] | None:
    """Return two columns in the dtype of one of them, the first if it holds both exactly; ``None`` if neither does."""
    if first.dtype == second.dtype:
        return first, second
    exact = _cast_exactly(second, first.dtype)
    if exact is not None:
        return first, exact
    exact = _cast_exactly(first, second.dtype)
    return None if exact is None else (exact, second)


def _cast_exactly(column: Any, dtype: Any) -> Any:
    try:
        exact = column.cast(dtype)
        codes = codes_of([*column.to_list(), *exact.to_list()]).reshape(2, -1)
        return exact if np.array_equal(*codes) else None
    except Exception:  # each library has errors of its own for values that do not fit
        return None
