"""Data frames of all libraries, column by column in their own dtypes."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from captum_spex.errors import ArgumentError
from captum_spex.frames import cells_of, codes_of, frame_of, holds, values_of

BIG = 2**60 + 1
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = (*INTEGERS, "float16", "float32", "float64")


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_frames_of_all_libraries(make):
    table = make({"id": [BIG, BIG + 2], "s": ["a", "b"]})
    frame = frame_of(table)
    assert (frame.names, len(frame), frame.native is table) == (["id", "s"], 2, True)
    assert values_of(frame).tolist() == [[BIG, "a"], [BIG + 2, "b"]]
    assert type(frame.rows(np.array([1]))) is type(table)
    assert values_of(frame_of(frame.rows(np.array([1, 1])))).tolist() == [[BIG + 2, "b"]] * 2


@pytest.mark.parametrize(
    "thing", [np.ones((1, 2)), [[1, 2]], None, "a", pd.Series([1]), pl.DataFrame({"a": [1]}).lazy()]
)
def test_what_is_no_frame(thing):
    assert frame_of(thing) is None


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_whole_numbers_beside_missing_ones_are_exact(make):
    assert values_of(frame_of(make({"id": [BIG, None]}))).tolist() == [[BIG], [None]]


def test_values_of_one_dtype_where_it_holds_all():
    assert values_of(frame_of(pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan]}))).dtype == np.float64
    assert values_of(frame_of(pd.DataFrame({"a": [1], "b": [2]}, dtype="int8"))).dtype == np.int8
    assert values_of(frame_of(pd.DataFrame({"a": [True], "b": [False]}))).dtype == bool
    assert values_of(frame_of(pd.DataFrame({"a": [True], "b": [1]}))).tolist() == [[True, 1]]
    assert values_of(frame_of(pd.DataFrame({"a": [BIG], "b": [0.5]}))).tolist() == [[BIG, 0.5]]
    assert values_of(frame_of(pd.DataFrame({"a": np.array([2**63], "uint64"), "b": [-1]}))).tolist() == [[2**63, -1]]


def exact(array):
    return [cell if isinstance(cell, int) else float(cell) for cell in array.tolist()]


@given(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.data())
def test_a_dtype_holds_numbers_if_python_says_that_they_are_equal(dtype, other, data):
    values = data.draw(arrays(dtype, st.integers(0, 4)))
    with np.errstate(all="ignore"):
        cast = values.astype(other)
    pairs = zip(exact(values), exact(cast), strict=True)
    assert holds(np.dtype(other), values) == all(one == two or (isnan(one) and isnan(two)) for one, two in pairs)


@given(st.lists(st.one_of(st.integers(), st.text(), st.none(), st.booleans(), st.lists(st.floats()))))
def test_codes_are_equal_for_equal_cells(cells):
    codes = codes_of([*cells, *cells])
    assert_array_equal(codes[: len(cells)], codes[len(cells) :])
    known = [cell for cell in cells if not isinstance(cell, list)]
    own = codes_of(known)
    for first, one in enumerate(known):
        for second, two in enumerate(known):
            assert (own[first] == own[second]) == (one == two)


def test_codes_of_cells_that_hold_arrays():
    cells = [np.arange(2), np.arange(3), np.arange(2.0), {"a": [1]}, {"a": [1]}, [np.nan], [np.nan], {1}]
    assert codes_of([*cells, np.arange(2), cells[-1]]).tolist() == [0, 1, 2, 3, 3, 4, 4, 5, 0, 5]


def test_missing_values_of_two_kinds_are_two():
    """A model may tell ``None`` from NaN."""
    assert len(set(codes_of([None, np.nan, pd.NaT, pd.NA]).tolist())) == 4


def pooled(own, other, **settings):
    rows, background = frame_of(own), frame_of(other)
    pool = rows.pool(background, "X", **{"keeps_dtypes": True, **settings})
    both = np.arange(len(rows) + len(background))
    return pool, pool.take([both] * len(rows.names), 0)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_pools(make):
    pool, both = pooled(make({"a": [1, 2], "b": ["x", "y"]}), make({"a": [2], "b": ["x"]}))
    assert [codes.tolist() for codes in pool.codes] == [[0, 1, 1], [0, 1, 0]]
    assert [cells_of(frame_of(both).column(k)).tolist() for k in range(2)] == [[1, 2, 2], ["x", "y", "x"]]
    assert type(both) is type(make({"a": [1]}))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("rows_first", [True, False])
def test_a_dtype_that_holds_both(make, rows_first):
    whole, real = make({"a": [1, 2]}), make({"a": [3.0]})
    first, second = pooled(whole, real, keeps_dtypes=rows_first)[1], pooled(make({"a": [0.5]}), whole)[1]
    assert (np.asarray(first["a"]).dtype == np.int64) == rows_first
    assert cells_of(second["a"]).tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_no_dtype_that_holds_both(make):
    with pytest.raises(ArgumentError, match=r"`X`: expected the same dtype.*, got a column 'a' of [Ii]nt64 where"):
        pooled(make({"a": [BIG]}), make({"a": [0.5]}))


def test_categories_are_those_of_both():
    own, other = pd.Categorical(["b"], ["b", "a"], ordered=True), ["c", "a", None]
    for values in (other, pd.Categorical(other)):
        both = pooled(pd.DataFrame({"a": own}), pd.DataFrame({"a": values}))[1]["a"]
        assert both.tolist()[:3] == ["b", "c", "a"]
        assert both.isna().tolist() == [False, False, False, True]
        assert (list(both.cat.categories), both.cat.ordered) == (["b", "a", "c"], True)


def test_rows_of_arrays_become_rows_of_a_frame():
    background = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame = frame_of(background).like(np.array([[3, "z"]], dtype=object))
    both = frame.pool(frame_of(background), "X", keeps_dtypes=False).take([np.arange(3)] * 2, 0)
    assert dict(both.dtypes) == dict(background.dtypes)
    assert both.to_numpy().tolist() == [[3, "z"], [1, "x"], [2, "y"]]


LABELS = (
    pd.Index(["u", "v"], name="k"),
    pd.date_range("2026-01-01", periods=2, tz="UTC"),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
    pd.RangeIndex(2, name="n"),
)


@pytest.mark.parametrize("index", LABELS, ids=lambda index: type(index).__name__)
def test_labels_of_rows(index):
    frame = pd.DataFrame({"a": [1, 2]}, index=index)
    pool = pooled(frame, frame)[0]
    taken = pool.take([np.array([0, 3, 1])], 1)
    assert taken.index.tolist() == [index[1]] * 3
    assert (taken.index.dtype, taken.index.names) == (index.dtype, index.names)


def test_plain_numbers_of_rows_are_no_labels():
    pool, both = pooled(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}, index=["x"]))
    assert not pool.has_index
    assert both.index.equals(pd.RangeIndex(2))
