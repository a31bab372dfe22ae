"""Results as data frames."""

from __future__ import annotations

from numpy.testing import assert_array_equal
from smooth_results import NAMES, estimate


def test_data_frame():
    result = estimate(names=NAMES)
    frame = result.to_dataframe()
    assert list(frame.columns) == ["players", "name", "order", "value", "std_error"]
    assert frame["players"].tolist() == list(result)
    assert_array_equal(frame["value"], result.values)
    assert_array_equal(frame["order"], result.orders)
    assert_array_equal(frame["std_error"], result.std_errors)
    assert frame["name"][0] == result.name_of(next(iter(result)))
