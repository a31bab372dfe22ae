"""Data frames of all libraries, and their values as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.frames.base import Frame
from captum_spex.frames.cells import cells_of, holds
from captum_spex.frames.native_frame import NativeFrame
from captum_spex.frames.pandas_frame import PandasFrame


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
