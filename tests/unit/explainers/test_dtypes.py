"""Every column keeps its dtype and its values from the caller's frame to the model."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from shap.maskers import Independent

from captum_spex.errors import ArgumentError, MaskError
from captum_spex.explainers import ProxySpexExplainer
from captum_spex.frames import codes_of

BIG = 2**60
STAMPS = [pd.Timestamp("2026-01-01 00:00:00.000000001") + pd.Timedelta(days) for days in ("0D", "1D", "2D")]
SORTS = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
COLUMNS = {
    **{dtype: ([5, 1, 3], dtype) for dtype in ("int8", "int16", "int32", "uint8", "uint16", "uint32")},
    "int64": ([BIG + 5, BIG + 1, BIG + 3], "int64"),
    "uint64": ([2**63 + 5, 2**63 + 1, 2**63 + 3], "uint64"),
    **{dtype: ([0.5, 1.5, np.nan], dtype) for dtype in ("float16", "float32", "float64")},
    "bool": ([True, False, True], "bool"),
    "Int64": ([BIG + 5, BIG + 1, pd.NA], "Int64"),
    "UInt64": ([2**63 + 5, pd.NA, 2**63 + 3], "UInt64"),
    "Float64": ([0.5, pd.NA, 1.5], "Float64"),
    "boolean": ([True, pd.NA, False], "boolean"),
    "string": (["00", "0", pd.NA], "string"),
    "str": (["00", "0", None], "str"),
    "object": (["a", 1, None], "object"),
    "category": (["x", "y", None], "category"),
    "ordered": (["low", "high", "mid"], SORTS),
    "whole categories": ([BIG + 5, BIG + 1, BIG + 3], "category"),
    "date": (STAMPS, "datetime64[ns]"),
    "seconds": (["2026-01-01", "2026-01-02", None], "datetime64[s]"),
    "zoned": ([stamp.tz_localize("UTC") for stamp in STAMPS], "datetime64[ns, UTC]"),
    "duration": ([pd.Timedelta(1), pd.Timedelta(2), pd.NaT], "timedelta64[ns]"),
    "period": (pd.period_range("2026-01", periods=3, freq="M"), "period[M]"),
    "interval": (pd.interval_range(0, 3), "interval"),
    "sparse": ([0, 1, 2], pd.SparseDtype("int64", 0)),
    "arrow whole": ([BIG + 5, BIG + 1, None], "int64[pyarrow]"),
    "arrow text": (["a", "b", None], "string[pyarrow]"),
    "python whole": ([2**70, 2**70 + 1, 1], "object"),
    "arrays": ([np.arange(2), np.arange(3), np.arange(2.0)], "object"),
    "lists": ([[1], [2], [3]], "object"),
    "days": ([datetime.date(2026, 1, day) for day in (1, 2, 3)], "object"),
}


def table_of(values, dtype):
    """One column between whole and real numbers, as mixed frames have them: the first row is explained."""
    column = pd.Series(pd.Index(values, tupleize_cols=False) if dtype in ("period[M]", "interval") else values)
    column = column if dtype in ("period[M]", "interval") else pd.Series(values, dtype=dtype)
    return pd.DataFrame({"whole": [BIG + 7, BIG + 9, BIG + 9], "c": column, "real": [0.5, 1.5, 1.5]})


class Reading:
    """A model that knows every cell of a column, and the dtypes."""

    def __init__(self, table):
        self.dtypes, self.cells = dict(table.dtypes), list(table["c"])

    def __call__(self, masked):
        assert dict(masked.dtypes) == self.dtypes
        assert set(masked["whole"]) <= {BIG + 7, BIG + 9}
        codes = codes_of([*self.cells, *masked["c"]])
        assert set(codes[3:].tolist()) <= set(codes[:3].tolist())
        return 3.0 * (codes[3:] == codes[0]) + (codes[3:] == codes[1])


cases = pytest.mark.parametrize(("values", "dtype"), COLUMNS.values(), ids=COLUMNS)


def expected(model, table):
    """The value and the base, by definition."""
    base = model(table[1:]).mean()
    return [0.0, model(table[:1])[0] - base, 0.0], base


@cases
def test_frames(values, dtype):
    table = table_of(values, dtype)
    model = Reading(table)
    found = ProxySpexExplainer(model, table[1:])(table[:1])
    value, base = expected(model, table)
    assert_allclose((*found.values[0], *found.base_values), (*value, base), atol=1e-12)
    assert_array_equal(*codes_of([*(table[name][0] for name in table), *found.data[0]]).reshape(2, -1))


@cases
def test_frames_of_one_dtype(values, dtype):
    table = pd.DataFrame({name: table_of(values, dtype)["c"] for name in "ab"})
    cells = list(table["a"])

    def model(masked):
        assert dict(masked.dtypes) == dict(table.dtypes)
        codes = codes_of([*cells, *masked["b"]])
        return 3.0 * (codes[3:] == codes[0]) + (codes[3:] == codes[1])

    found = ProxySpexExplainer(model, table[1:])(table[:1])
    base = model(table[1:]).mean()
    assert_allclose((*found.values[0], *found.base_values), (0.0, model(table[:1])[0] - base, base), atol=1e-12)


@cases
def test_frames_beside_another_argument(values, dtype):
    table = table_of(values, dtype)
    model = Reading(table)
    other = np.array([[2.0], [1.0]])
    explainer = ProxySpexExplainer(lambda rows, x: model(rows) + x[:, 0], [table[1:], other[1:]])
    first, second = explainer(table[:1], other[:1])
    value, base = expected(model, table)
    assert_allclose((*first.values[0], *first.base_values), (*value, base + 1), atol=1e-12)
    assert_allclose(second.values, [[1.0]])


@cases
def test_groups_of_columns(values, dtype):
    table = table_of(values, dtype)
    model = Reading(table)
    found = ProxySpexExplainer(model, table[1:], groups={"pair": ["c", "real"]})(table[:1])
    value, base = expected(model, table)
    assert_allclose((*found.values[0], *found.base_values), (value[1], 0.0, base), atol=1e-12)
    assert found.feature_names == ["pair", "whole"]


@cases
def test_labels_of_rows(values, dtype):
    table = table_of(values, dtype).set_axis(pd.date_range("2026-01-01", periods=3), axis=0)
    model = Reading(table)

    def dated(masked):
        assert (masked.index == table.index[0]).all()
        return model(masked) + masked.index.year - 2026

    found = ProxySpexExplainer(dated, table[1:])(table[:1])
    value, base = expected(model, table)
    assert_allclose((*found.values[0], *found.base_values), (*value, base), atol=1e-12)


@cases
def test_rows_as_arrays(values, dtype):
    table = table_of(values, dtype)
    model = Reading(table)
    rows = np.empty((1, 3), dtype=object)
    rows[0, :] = [table[name][0] for name in table]
    found = ProxySpexExplainer(model, table)(rows)
    base = model(table).mean()
    assert_allclose((*found.values[0], *found.base_values), (0, model(table[:1])[0] - base, 0, base), atol=1e-12)


@cases
def test_maskers_of_shap(values, dtype):
    """They make all columns of one dtype; that of the rows comes back."""
    table = table_of(values, dtype)
    model = Reading(table)
    masker = Independent(table[1:])
    if masker.data.dtype != object:  # all columns have become floats
        with pytest.raises(MaskError, match="`masker`: expected the data frame itself as `masker`"):
            ProxySpexExplainer(model, masker)(table[:1])
        return
    found = ProxySpexExplainer(model, masker)(table[:1])
    value, base = expected(model, table)
    assert_allclose((*found.values[0], *found.base_values), (*value, base), atol=1e-12)


OTHERS = {
    "whole": [BIG + 5, BIG + 1, BIG + 3],
    "unsigned": np.array([2**63 + 5, 2**63 + 1, 2**63 + 3], dtype="uint64"),
    "whole with a gap": [BIG + 5, None, BIG + 1],
    "real": [0.5, 1.5, None],
    "texts": ["00", "0", None],
    "flags": [True, None, False],
    "lists": [[1, 2], [3], None],
    "dates": [datetime.date(2026, 1, 1), None, None],
    "durations": [datetime.timedelta(1), datetime.timedelta(2), None],
}


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
@pytest.mark.parametrize("values", OTHERS.values(), ids=OTHERS)
def test_frames_of_other_libraries(make, values):
    table = make({"whole": [BIG + 7, BIG + 9, BIG + 9], "c": values, "real": [0.5, 1.5, 1.5]})
    schema = table.schema
    cells = table["c"].to_list() if make is pl.DataFrame else table["c"].to_pylist()

    def model(masked):
        assert masked.schema == schema
        column = masked["c"].to_list() if make is pl.DataFrame else masked["c"].to_pylist()
        codes = codes_of([*cells, *column])
        return 3.0 * (codes[3:] == codes[0]) + (codes[3:] == codes[1])

    rows = table[:1] if make is pl.DataFrame else table.slice(0, 1)
    background = table[1:] if make is pl.DataFrame else table.slice(1)
    found = ProxySpexExplainer(model, background)(rows)
    base = model(background).mean()
    assert_allclose((*found.values[0], *found.base_values), (0, model(rows)[0] - base, 0, base), atol=1e-12)
    assert found.data[0, 0] == BIG + 7
    assert found.data[0].tolist()[1] == cells[0]
    assert found.feature_names == ["whole", "c", "real"]


def test_frames_of_two_libraries_are_refused():
    with pytest.raises(MaskError, match="`X`: expected both of one library, got a data frame of polars for a backgr"):
        ProxySpexExplainer(len, pd.DataFrame({"a": [1]}))(pl.DataFrame({"a": [2]}))


@pytest.mark.parametrize(
    "dtypes", [("int64", "float64"), ("uint64", "float64"), ("uint64", "int64"), ("int64", "float32")]
)
def test_arrays_that_would_be_rounded_are_refused(dtypes):
    rows, background = (
        np.array([[BIG + 5]], dtype=dtypes[0]),
        np.array([[0.5 if "f" in dtypes[1] else -1]], dtype=dtypes[1]),
    )
    for one, two in ((rows, background), (background, rows)):
        with pytest.raises(ArgumentError, match=r"`X`: expected numbers that one dtype holds, got .* would round them"):
            ProxySpexExplainer(len, two)(one)


def test_whole_numbers_of_lists_and_frames_for_an_array_of_floats():
    background = np.zeros((1, 2))
    for rows in ([[BIG + 5, 0.5]], pd.DataFrame({"a": [BIG + 5], "b": [0.5]})):
        with pytest.raises(MaskError, match=r"`X`: expected .*, got .*round"):
            ProxySpexExplainer(len, background)(rows)
    for rows in ([[5, 0.5]], pd.DataFrame({"a": [5], "b": [0.5]}), pd.DataFrame({"a": [5], "b": [True]})):
        found = ProxySpexExplainer(lambda x: x[:, 0], background)(rows)
        assert_allclose(found.values, [[5.0, 0.0]])


def test_columns_come_as_they_are():
    several = pd.MultiIndex.from_tuples([("p", "x"), ("q", "y")], names=["level", "name"])
    for columns in (several, pd.CategoricalIndex(["a", "b"], name="kind"), pd.Index([3, 1], name="number")):
        for cells in ([[1.0, 2.0], [3.0, 5.0]], [["a", 2], ["b", 5]]):
            table = pd.DataFrame(cells, columns=columns)

            def model(masked, columns=columns):
                assert type(masked.columns) is type(columns)
                assert masked.columns.equals(columns)
                assert masked.columns.names == columns.names
                return masked.iloc[:, 1].to_numpy(dtype=float)

            for background in (table[:1], Independent(table[:1])):
                found = ProxySpexExplainer(model, background)(table[1:])
                assert_allclose(found.values, [[0.0, 3.0]])
                assert found.feature_names == list(map(str, columns))
            assert_array_equal(ProxySpexExplainer(model, table[:1])(table[1:].to_numpy()).values, [[0.0, 3.0]])
