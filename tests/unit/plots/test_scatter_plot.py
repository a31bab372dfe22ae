"""One interaction over many rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from pictures import labels_of, made, of_spectrum, words_of

import captum_spex
from captum_spex import plots
from captum_spex.errors import ArgumentError, MaskError

TABLE = np.array([[1.0, 5.0, 0.0], [2.0, -7.0, 0.5], [-3.0, 1.0, 1.0]])


@pytest.fixture(scope="module")
def rows():
    return [made({(0, 1): x[0] * x[1], (2,): x[2]}, 3, max_order=2, names=("a", "b", "$c$")) for x in TABLE]


def test_the_interaction_of_every_row(rows):
    ax = plots.scatter(rows, ("a", "b"), data=TABLE)
    points = ax.collections[0]
    assert_allclose(points.get_offsets(), [[1, 5], [2, -14], [-3, -3]], atol=1e-12)
    assert_allclose(points.get_array(), [5, -7, 1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "Moebius of a × b")  # noqa: RUF001
    assert ax.figure.axes[1].get_ylabel() == "b"


def test_the_first_player_is_across(rows):
    points = plots.scatter(rows, (1, 0), data=pd.DataFrame(TABLE)).collections[0]
    assert_allclose(points.get_offsets(), [[5, 5], [-7, -14], [1, -3]], atol=1e-12)
    assert_allclose(points.get_array(), [1, 2, -3])


def test_the_value_of_a_player_in_every_row(rows):
    ax = plots.scatter(rows, 2, data=TABLE.tolist())
    assert_allclose(ax.collections[0].get_offsets(), [[0, 0], [0.5, 0.5], [1, 1]], atol=1e-12)
    assert len(ax.figure.axes) == 1
    assert ax.get_xlabel() == "$c$"
    assert not ax.xaxis.label.get_parse_math()


def test_texts_are_categories(rows):
    data = pd.DataFrame({"a": ["red", "blue", "red"], "b": ["x", "y", "$z$"], "c": [0, 1, 2]})
    ax = plots.scatter(rows, (0, 1), data=data)
    assert_allclose(np.asarray(ax.collections[0].get_offsets())[:, 0], [1, 0, 1])
    assert labels_of(ax.xaxis) == ["blue", "red"]
    assert labels_of(ax.figure.axes[1].yaxis) == ["$z$", "x", "y"]
    ax.figure.canvas.draw()


FOUR = [made({(0,): x, (1,): 1.0}, 2, max_order=1, names=("a", "b")) for x in (1.0, 2.0, 3.0, 4.0)]


def places_of(column, columns=("a", "b")):
    """Where the four rows are drawn whose first player has the values of a column."""
    data = pd.DataFrame({"a": column, "b": [0.1, 0.2, 0.3, 0.4]})[list(columns)]
    ax = plots.scatter(FOUR, "a", data=data)
    ax.figure.canvas.draw()
    return ax, np.asarray(ax.collections[0].get_offsets())[:, 0].tolist()


def test_columns_of_a_frame_in_another_order():
    assert places_of([1.0, 2.0, 3.0, 4.0], ("b", "a"))[1] == [1, 2, 3, 4]


def test_texts_that_look_like_numbers_are_categories():
    ax, places = places_of(["00", "0", "000", "nan"])
    assert places == [1, 0, 2, 3]
    assert labels_of(ax.xaxis) == ["0", "00", "000", "nan"]


@pytest.mark.parametrize(
    "column",
    [pd.array([10, 9, pd.NA, 100], dtype="Int64"), [10.0, 9.0, np.nan, 100.0], [10, 9, None, 100], [10, 9, "n/a", 100]],
    ids=["nullable", "float", "objects", "text for missing"],
)
def test_rows_without_a_value_are_drawn_at_the_left_margin_and_counted(column):
    ax, places = places_of(column)
    assert places == [10, 9, 9 - 0.08 * 91, 100]
    assert "at the left margin: 1 of 4 rows without a value of a" in ax.get_xlabel()


def test_dates_keep_their_distances():
    ax, places = places_of(pd.to_datetime(["2020-01-01", "2020-01-02", "2020-03-01", "2021-01-01"]))
    assert np.diff(places).tolist() == [1, 59, 306]
    assert any("2020" in label for label in labels_of(ax.xaxis))


def test_dates_in_an_array():
    data = np.array([["2020-01-01", "2020-01-01"], ["2020-01-03", "2020-01-01"]] * 2, dtype="datetime64[ns]")
    places = np.asarray(plots.scatter(FOUR, "a", data=data).collections[0].get_offsets())[:, 0]
    assert places.tolist() == [18262, 18264, 18262, 18264]


def test_durations_are_sorted_by_their_length():
    ax, places = places_of(pd.to_timedelta(["2 days", "10 days", "9 days", "1 days"]))
    assert places == [86400.0 * days for days in (2, 10, 9, 1)]
    assert labels_of(ax.xaxis) == ["2 days", "4 days", "6 days", "8 days", "10 days"]


def test_ordered_categories_keep_their_order():
    sizes = pd.Categorical(["low", "high", "low", "high"], categories=["low", "middle", "high"], ordered=True)
    ax, places = places_of(sizes)
    assert places == [0, 2, 0, 2]
    assert labels_of(ax.xaxis) == ["low", "middle", "high"]


def test_flags_and_gaps_as_colours(rows):
    data = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": pd.array([True, None, False], dtype="boolean"), "$c$": [0, 0, 0]})
    ax = plots.scatter(rows, (0, 1), data=data)
    points = ax.collections[0]
    assert points.get_array().mask.tolist() == [False, True, False]
    assert labels_of(ax.figure.axes[1].yaxis) == ["False", "True"]
    assert "grey: 1 of 3 rows without a value of b" in ax.get_xlabel()


def test_rows_that_left_the_term_out_are_counted():
    few = [
        captum_spex.explain(lambda m: m[:, 0] * m[:, 1] + 2.0 * m[:, 1] * m[:, 2], 3, budget=8, max_terms=most)
        for most in (1, 3)
    ]
    ax = plots.scatter(few, (0, 1), data=TABLE[:2])
    assert "1 of 2 rows left this term out" in ax.get_xlabel()


def test_rows_without_the_interaction_say_so(rows):
    plots.scatter(rows, (0, 2), data=TABLE)
    assert "no interactions" in words_of(plt.gcf())


@pytest.mark.parametrize(
    ("players", "data", "said"),
    [
        ((0, 3), TABLE, r"`players`: expected different players, 0 to 2, .*, got \(0, 3\)"),
        ((0, -1), TABLE, "`players`"),
        ((0, 0), TABLE, "different players"),
        (("a", "nobody"), TABLE, "or their names"),
        ((), TABLE, "at least one player"),
        ((0, 1), TABLE[:2], "`data`: expected 3 rows, one for each result, got 2 rows"),
        ((0, 1), TABLE[:, :2], r"shape \(2,\) for row 0"),
        ((0, 1), 3, "`data`: expected the players' values, a row for each result, got an int"),
        ((0, 1, 2), TABLE, r"`order`: expected an integer from 1 to 2, .*, got 3. .*max_order=3"),
    ],
)
def test_players_and_data_that_do_not_fit(rows, players, data, said):
    with pytest.raises(ArgumentError, match=said):
        plots.scatter(rows, players, data=data)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (lambda rows: rows[0], "got one result"),
        (lambda rows: [], "got no results"),
        (lambda rows: [rows, rows], r"Choose one: `\[row\[0\]"),
        (lambda rows: ["a"], "got a str"),
        (lambda rows: [rows[0], made()], "rows of 3 and 4 players"),
        (lambda rows: [rows[0], rows[1].to("SII")], "rows in Moebius of order 2 and SII of order 2"),
    ],
)
def test_results_that_are_no_rows(rows, results, said):
    with pytest.raises(ArgumentError, match=said):
        plots.scatter(results(rows), (0, 1), data=TABLE)


def test_players_are_refused_by_their_own_error(rows):
    with pytest.raises(MaskError):
        plots.scatter(rows, (0, 9), data=TABLE)


def test_rows_are_joined_by_the_names_of_their_players():
    one = made({(0,): 1.0, (1,): 10.0, (0, 1): 5.0}, 2, names=("a", "b"), max_order=2)
    other = made({(0,): 20.0, (1,): 2.0, (0, 1): 6.0}, 2, names=("b", "a"), max_order=2)
    frame = pd.DataFrame({"b": ["x", "y"], "a": [7.0, 8.0]})
    for data in (frame, [[7.0, "x"], ["y", 8.0]]):  # a row of a list is in the order of its own players
        points = plots.scatter([one, other], "a", data=data).collections[0]
        assert_allclose(points.get_offsets(), [[7, 1], [8, 2]], atol=1e-12)
        points = plots.scatter([one, other], ("a", "b"), data=data).collections[0]
        assert_allclose(points.get_offsets(), [[7, 5], [8, 6]], atol=1e-12)
        assert points.get_array().tolist() == [0, 1]
    with pytest.raises(ArgumentError, match="rows of the same players, got rows with and without the player 'c'"):
        plots.scatter([one, made({(0,): 1.0}, 2, names=("a", "c"), max_order=2)], "a", data=frame)
    with pytest.raises(ArgumentError, match="names of the players in every row, or in none"):
        plots.scatter([one, made({(0,): 1.0}, 2, max_order=2)], "a", data=frame)


def test_bars_are_intervals_of_estimated_rows(estimated):
    rows = [estimated, estimated, captum_spex.explain(lambda m: m[:, 0] * 1.0, 12, budget=4096, names=estimated.names)]
    data = np.arange(36.0).reshape(3, 12)
    ax = plots.scatter(rows, ("never", "fails"), data=data)
    error = dict(zip(estimated, estimated.std_errors, strict=True))[7, 8]
    heights = [np.ptp(segment[:, 1]) / 2 for segment in ax.collections[1].get_segments()]
    assert_allclose(heights, [1.64 * error, 1.64 * error, 0], rtol=1e-9)
    assert "bars: 90 % intervals" in words_of(ax.figure)
    assert "known for" not in words_of(ax.figure)
    without = of_spectrum({(7, 8): 1.0}, 12, names=estimated.names)
    assert "known for 2 of 3 rows" in words_of(plots.scatter([*rows[:2], without], 7, data=data).figure)
    exact = plots.scatter([rows[2]] * 3, 0, data=data)
    assert len(exact.collections) == 1
    assert "intervals" not in words_of(exact.figure)
