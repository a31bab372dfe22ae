"""Columns: what a dtype says, not what cells look like."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from captum_spex.columns import Column

NAN = np.nan
DAY = 86400.0
NUMBERS = {
    "integers": (pd.Series([3, 1, 2]), [3, 1, 2]),
    "unsigned": (pd.Series([3, 255], dtype="uint8"), [3, 255]),
    "floats": (pd.Series([1.5, NAN, np.inf]), [1.5, NAN, np.inf]),
    "nullable integers": (pd.Series([10, 9, pd.NA, 100], dtype="Int64"), [10, 9, NAN, 100]),
    "nullable floats": (pd.Series([0.5, pd.NA], dtype="Float32"), [0.5, NAN]),
    "sparse": (pd.Series(pd.arrays.SparseArray([0.0, 1.0])), [0, 1]),
    "objects": (
        pd.Series([1, 2.5, None, np.float32(3), Decimal("0.5"), Fraction(1, 4)], dtype=object),
        [1, 2.5, NAN, 3, 0.5, 0.25],
    ),
    "a list": ([3, None, 1], [3, NAN, 1]),
    "an array": (np.array([[1], [2]]), [1, 2]),
    "nothing but gaps": ([None, pd.NA, NAN, pd.NaT], [NAN] * 4),
    "empty": ([], []),
}
CATEGORIES = {
    "texts that look like numbers": (["00", "0", "nan", None], [1, 0, 2, NAN], ("0", "00", "nan")),
    "strings": (pd.Series(["b", "a", pd.NA], dtype="string"), [1, 0, NAN], ("a", "b")),
    "a text array": (np.array(["b", "a"]), [1, 0], ("a", "b")),
    "mixed": (pd.Series(["a", 1, True]), [2, 0, 1], ("1", "True", "a")),
    "flags and numbers": ([True, 2], [1, 0], ("2", "True")),
    "categories in their order": (
        pd.Series(pd.Categorical(["b", "a", None], ["c", "b", "a"])),
        [0, 1, NAN],
        ("b", "a"),
    ),
    "numbers as categories": (pd.Categorical([30, 4, 30]), [1, 0, 1], ("4", "30")),
    "intervals": (pd.Series(pd.interval_range(0, 2)), [0, 1], ("(0, 1]", "(1, 2]")),
}
UTC_NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
DATES = {
    "timestamps": (pd.Series(pd.to_datetime(["2020-01-01 00:00", None, "2020-01-03 12:00"])), [18262, NAN, 18264.5]),
    "time zones": (pd.Series(pd.to_datetime(["2020-01-01 07:00"]).tz_localize("US/Eastern")), [18262.5]),
    "periods": (pd.Series(pd.period_range("2020-01", periods=2, freq="M")), [18262, 18293]),
    "numpy": (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), [18262, NAN]),
    "objects": ([dt.date(2020, 1, 1), UTC_NOON, dt.datetime(2020, 1, 1, 12), None], [18262, 18262.5, 18262.5, NAN]),
}
DURATIONS = {
    "timedeltas": (pd.Series(pd.to_timedelta(["2 days", None, "10 days"])), [2 * DAY, NAN, 10 * DAY]),
    "objects": ([dt.timedelta(days=1), np.timedelta64(2, "s"), None], [DAY, 2, NAN]),
}
DATES["cells of a numpy column"] = (list(np.array(["2020-01-01", "NaT"], dtype="datetime64[ns]")), [18262, NAN])
DURATIONS["cells of a numpy column"] = (list(np.array([1, 2], dtype="timedelta64[ns]")), [1e-9, 2e-9])
FLAGS = {
    "numpy": (np.array([True, False]), [1, 0]),
    "nullable": (pd.Series([True, pd.NA], dtype="boolean"), [1, NAN]),
    "objects": ([np.bool_(True), False, None], [1, 0, NAN]),
}


@pytest.mark.parametrize(
    ("kind", "values", "numbers"),
    [
        pytest.param(kind, *case, id=f"{kind}: {name}")
        for kind, cases in {"number": NUMBERS, "date": DATES, "duration": DURATIONS, "flag": FLAGS}.items()
        for name, case in cases.items()
    ],
)
def test_numbers_dates_durations_and_flags(kind, values, numbers):
    column = Column.of(values)
    assert column.kind == kind
    assert column.labels == (("False", "True") if kind == "flag" else ())
    assert_allclose(column.numbers, np.array(numbers, dtype=float))


@pytest.mark.parametrize(("values", "places", "labels"), CATEGORIES.values(), ids=CATEGORIES)
def test_categories(values, places, labels):
    column = Column.of(values)
    assert (column.kind, column.labels) == ("category", labels)
    assert_allclose(column.numbers, places)


def test_ordered_categories_keep_their_order_and_their_empty_places():
    sizes = pd.Categorical(["low", "high", None], categories=["low", "middle", "high"], ordered=True)
    column = Column.of(pd.Series(sizes))
    assert (column.kind, column.labels) == ("ordered", ("low", "middle", "high"))
    assert_allclose(column.numbers, [0, 2, NAN])


def test_which_cells_are_missing():
    missing = [None, NAN, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "s"), Decimal("nan")]
    assert Column.of(missing).is_missing.tolist() == [True] * len(missing)
    assert not Column.of([0, "", "nan", False, np.inf, [], np.array([NAN, 1])]).is_missing.any()
    assert Column.of([1, None]).is_missing.tolist() == [False, True]
