"""Data frames of pandas, and of polars, pyarrow and others through narwhals: column by column, in their own dtypes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Ints, Rows
from captum_spex.errors import ArgumentError

if TYPE_CHECKING:
    import narwhals
    import pandas

Cells = NDArray[np.object_]


class Frame(Protocol):
    """Rows and columns of a data frame.

    Attributes:
        native: the data frame itself.
        names: of the columns, as they are.
        library: its module, such as ``"pandas"``.
    """

    native: Any
    names: list[Any]
    library: str

    def __len__(self) -> int:
        """Return the number of rows."""

    def column(self, place: int) -> Any:
        """Return a column as the library has it."""

    def array(self, place: int) -> NDArray[Any]:
        """Return a column as an array, one of numbers only if that holds all of them exactly."""

    def rows(self, places: Rows) -> Any:
        """Return some rows, as a data frame of the library."""

    def like(self, values: NDArray[Any]) -> Frame:
        """Return rows of an array ``(n_rows, n_columns)`` as such a frame."""

    def pool(self, background: Frame, argument: str, *, keeps_dtypes: bool) -> Pool:
        """Return these rows and those of a background of the same columns in one pool.

        Args:
            background: of the same library.
            argument: its name, for refusals.
            keeps_dtypes: whether these rows' dtypes come first where the two differ, else the background's.
        """


class Pool(Protocol):
    """Rows of one frame and then of another, from which rows are put together cell by cell.

    Attributes:
        codes: for every column a number for each row, the same for the same value.
        has_index: whether rows have labels of their own.
    """

    codes: list[Ints]

    @property
    def has_index(self) -> bool:
        """See above."""

    def take(self, places: Sequence[Rows], own: int) -> Any:
        """Return a data frame whose column ``c`` holds the rows ``places[c]``, with the index of row ``own``."""


def frame_of(table: Any) -> Frame | None:
    """Return a data frame's rows and columns; ``None`` for anything else.

    Example:
        >>> import pandas
        >>> frame_of(pandas.DataFrame({"a": [1], "b": ["x"]})).names, frame_of([[1, 2]])
        (['a', 'b'], None)
    """
    if type(table).__module__.startswith(("numpy", "builtins", "torch", "scipy")):
        return None
    import narwhals
    import pandas

    if isinstance(table, pandas.DataFrame):
        return PandasFrame(table)
    found = narwhals.from_native(table, eager_only=True, pass_through=True)
    return NativeFrame(found) if isinstance(found, narwhals.DataFrame) else None


def values_of(frame: Frame) -> NDArray[Any]:
    """Return the cells ``(n_rows, n_columns)``: of the dtype in common if it holds all of them exactly, else objects.

    Example:
        >>> import pandas
        >>> values_of(frame_of(pandas.DataFrame({"id": [2**60 + 1], "x": [0.5]}))).tolist()
        [[1152921504606846977, 0.5]]
    """
    columns = [frame.array(place) for place in range(len(frame.names))]
    kinds = {column.dtype.kind for column in columns}
    if kinds and (kinds <= set("iuf") or kinds == {"b"}):
        common = np.result_type(*columns)
        if all(holds(common, column) for column in columns):
            return np.stack([column.astype(common) for column in columns], axis=1)
    cells = np.empty((len(frame), len(frame.names)), dtype=object)
    for place in range(len(frame.names)):
        cells[:, place] = cells_of(frame.column(place))
    return cells


def cells_of(column: Any) -> Cells:
    """Return the cells of a column of any library as Python objects."""
    if hasattr(column, "to_pylist"):  # pyarrow
        values = column.to_pylist()
    elif type(column).__module__.startswith("polars"):
        values = column.to_list()
    else:
        values = list(column)  # of pandas: timestamps stay timestamps, and categories what they name
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


def holds(dtype: np.dtype[Any], values: NDArray[Any]) -> bool:
    """Whether a dtype of NumPy holds numbers without changing them.

    Example:
        >>> holds(np.dtype(float), np.array([2**53])), holds(np.dtype(float), np.array([2**53 + 1]))
        (True, False)
    """
    if "b" in (dtype.kind, values.dtype.kind):
        return values.dtype.kind == "b"
    is_rounded = dtype.kind == "f" and values.dtype.kind in "iu"
    if np.can_cast(values.dtype, dtype, "safe") and not is_rounded:
        return True
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
    if dtype.kind == values.dtype.kind == "f":
        return np.array_equal(cast, values, equal_nan=True)
    largest = 2 ** (np.finfo(dtype).nmant + 1) if is_rounded else 0
    if is_rounded and bool((np.abs(values.astype(np.float64)) <= largest).all()):
        return True
    # Python compares whole numbers with floats exactly, NumPy in floats.
    return bool((cast.astype(object) == values.astype(object)).all())


def codes_of(cells: Iterable[Any]) -> Ints:
    """Return a number for every cell, the same for equal ones; cells may hold arrays, lists and dictionaries.

    Example:
        >>> codes_of([1, np.array([1, 2]), 1, np.array([1, 2]), float("nan"), None, float("nan")]).tolist()
        [0, 1, 0, 1, 2, 3, 2]
    """
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(_key(cell), len(numbers)) for cell in cells], dtype=np.int64)


def _key(cell: Any) -> Hashable:
    """Return something that is equal for equal cells, whatever they hold."""
    if isinstance(cell, float | np.floating) and np.isnan(cell):
        return "missing", "nan"
    if hasattr(cell, "detach"):
        cell = cell.detach().cpu().numpy()
    if isinstance(cell, np.ndarray):
        inner = cell.tobytes() if cell.dtype != object else tuple(map(_key, cell.flat))
        return "array", cell.shape, str(cell.dtype), inner
    if isinstance(cell, list | tuple):
        return type(cell), tuple(map(_key, cell))
    if isinstance(cell, dict):
        return dict, tuple((_key(key), _key(value)) for key, value in cell.items())
    try:
        hash(cell)
    except TypeError:
        return "identity", id(cell)
    return cell


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
        """Return a column as an array; of objects where a whole number is missing."""
        return np.asarray(self.column(place))

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
                raise _without_dtype(argument, name, *(part.dtype for part in parts))
            columns.append(pooled)
        return PandasPool(columns, (self if keeps_dtypes else background).native.columns, self.native.index)


class PandasPool:
    """Columns of pandas; see `Pool`.

    Args:
        columns: arrays of pandas.
        names: the axis of the columns.
        index: of the first frame's rows.
    """

    def __init__(self, columns: list[Any], names: pandas.Index, index: pandas.Index) -> None:
        import pandas

        self._columns, self._names = columns, names
        # A plain numbering of rows says nothing about them, and would repeat.
        self._index = None if type(index) is pandas.RangeIndex and index.name is None else index
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
        return np.asarray(pandas.factorize(column)[0], dtype=np.int64)
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
            cast = _cast_exactly(column, self._frame.schema[name])
            columns[name] = column if cast is None else cast
        return NativeFrame(narwhals.from_dict(columns))

    def pool(self, background: Frame, argument: str, *, keeps_dtypes: bool) -> NativePool:
        """Return these rows and a background in one pool."""
        import narwhals

        assert isinstance(background, NativeFrame)
        parts: tuple[list[Any], list[Any]] = ([], [])
        for name in self.names:
            own, other = self._frame[name], background._frame[name]
            found = _of_one_dtype(own, other) if keeps_dtypes else _of_one_dtype(other, own)
            if found is None:
                raise _without_dtype(argument, name, own.dtype, other.dtype)
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
    cast = _cast_exactly(second, first.dtype)
    if cast is not None:
        return first, cast
    cast = _cast_exactly(first, second.dtype)
    return None if cast is None else (cast, second)


def _cast_exactly(column: Any, dtype: Any) -> Any:
    try:
        cast = column.cast(dtype)
        codes = codes_of([*column.to_list(), *cast.to_list()]).reshape(2, -1)
        return cast if np.array_equal(*codes) else None
    except Exception:  # each library has errors of its own for values that do not fit
        return None


def _without_dtype(argument: str, name: Any, own: Any, other: Any) -> ArgumentError:
    got = f"a column {str(name)!r} of {own} where the background's is {other}, and no dtype that holds both exactly"
    return ArgumentError(argument, got, "the same dtype in the rows and in the background")
