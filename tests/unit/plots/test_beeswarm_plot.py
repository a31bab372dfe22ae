"""A dot for every row and term."""

# ruff: noqa: RUF001 (the multiplication sign is wanted)

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgba
from numpy.testing import assert_allclose
from pictures import LONG_NAMES, labels_of, made, of_spectrum, texts_of, words_of

import captum_spex
from captum_spex import plots
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.plots.beeswarm_plot import _shades, _stacked
from captum_spex.plots.style import BLUE, GRADUAL, RED

TABLE = np.array([[1.0, 5.0, 0.5], [2.0, -7.0, 0.0], [-3.0, 1.0, 0.25], [4.0, 0.0, -0.5]])
GREY = to_rgba("#aaaaaa", 0.85)


@pytest.fixture(scope="module")
def rows():
    return [made({(0, 1): x[0] * x[1], (2,): x[2]}, 3, max_order=2, names=("a", "b", "c")) for x in TABLE]


def test_values_of_the_largest_terms(rows):
    ax = plots.beeswarm(rows, data=TABLE)
    assert labels_of(ax.yaxis) == ["a × b", "c"]
    assert_allclose(ax.collections[0].get_offsets()[:, 0], [5, -14, -3, 0])
    assert_allclose(ax.collections[1].get_offsets()[:, 0], TABLE[:, 2])
    assert_allclose(ax.collections[1].get_offsets()[:, 1], 1, atol=0.4)
    words = words_of(ax.figure)
    for part in (
        "Moebius",
        "a dot for each of 4 rows; black: mean, 90 % interval",
        "low",
        "high",
        "product of a group's",
    ):
        assert part in words


def test_means_and_their_intervals(rows):
    ax = plots.beeswarm(captum_spex.summary(rows))
    [line, *_] = ax.containers[0].lines
    products = TABLE[:, 0] * TABLE[:, 1]
    assert_allclose(line.get_xdata(), [products.mean(), TABLE[:, 2].mean()])
    bars = ax.containers[0].lines[2][0].get_segments()
    assert_allclose(np.ptp(bars[0][:, 0]), 2 * 1.64 * products.std(ddof=1) / sqrt(4))


def test_colours_are_the_values_of_the_player_or_the_products_of_the_group(rows):
    products = TABLE[:, 0] * TABLE[:, 1]
    ax = plots.beeswarm(rows, data=TABLE)
    low, high = np.percentile(products, [5, 95])
    expected = GRADUAL(np.clip((products - low) / (high - low), 0, 1))
    assert_allclose(ax.collections[0].get_facecolors()[:, :3], expected[:, :3])
    assert len(ax.figure.axes) == 2
    assert len(plots.beeswarm(rows, data=TABLE, colorbar=False).figure.axes) == 1


def test_without_data_red_raises_and_blue_lowers(rows):
    colours = plots.beeswarm(rows, order=2).collections[0].get_facecolors()
    assert [to_hex(colour) for colour in colours] == [RED, BLUE, BLUE, "#666666"]


def test_what_has_no_number_is_grey(rows):
    frame = pd.DataFrame({"c": [0.5, np.nan, 0.25, -0.5], "a": ["x", "y", "x", "z"], "b": [1, 2, 3, 4]})
    ax = plots.beeswarm(rows, data=frame)
    assert_allclose(ax.collections[0].get_facecolors(), [GREY] * 4)
    assert [bool(np.allclose(colour, GREY)) for colour in ax.collections[1].get_facecolors()] == [
        False,
        True,
        False,
        False,
    ]
    assert "grey: missing, or no numbers" in words_of(ax.figure)


def test_kinds_of_columns():
    from captum_spex.columns import Column

    ordered = pd.Series(pd.Categorical(["low", "high", "low"], ["low", "middle", "high"], ordered=True))
    dates = pd.Series(pd.to_datetime(["2020-01-01", "2020-01-03", None]))
    columns = [Column.of(one) for one in (ordered, dates, [True, False, True], ["a", "b", "a"], [1, 2, 3], [7, 7, 7])]
    assert _shades(columns, (0,)).tolist() == [0, 1, 0]
    assert_allclose(_shades(columns, (1,)), [0, 1, np.nan])
    assert_allclose(_shades(columns, (2, 4)), [0.333333, 0, 1], atol=0.05)
    assert _shades(columns, (5,)).tolist() == [0.5] * 3
    assert np.isnan(_shades(columns, (3,))).all()
    assert np.isnan(_shades(columns, (0, 4))).all()


def test_data_without_any_number_are_as_no_data(rows):
    ax = plots.beeswarm(rows, data=[list("xyz")] * 4, order=2)
    assert [to_hex(colour) for colour in ax.collections[0].get_facecolors()] == [RED, BLUE, BLUE, "#666666"]
    assert len(ax.figure.axes) == 1


def test_dots_at_the_same_place_stand_beside_each_other():
    heights = _stacked(np.array([[0.0, 3, 0, 0, 0, np.nan]]))[0]
    assert_allclose(heights[:5], [0, 0, 0.1, -0.1, 0.2])
    assert np.abs(_stacked(np.zeros((1, 500)))).max() == pytest.approx(0.4)


def test_texts_have_dots_where_they_have_the_words():
    texts = [("never", "fails"), ("never", "bad"), ("bad",)]
    rows = [made({(len(words) - 1,): 1.0 + k}, len(words), max_order=2, names=words) for k, words in enumerate(texts)]
    ax = plots.beeswarm(rows, data=[list(words) for words in texts])
    assert labels_of(ax.yaxis) == ["bad", "fails"]
    assert [collection.get_offsets()[:, 0].tolist() for collection in ax.collections[:2]] == [[2, 3], [1]]


def test_a_term_that_was_left_out_is_drawn_where_the_recovered_game_has_it(estimated):
    few = estimated.to("SII", 2, max_terms=1)
    dots = plots.beeswarm([few, estimated.to("SII", 2)], order=2).collections[1].get_offsets()
    assert dots[0, 0] == pytest.approx(dots[1, 0])


CASES = {
    "long names": lambda: [made({(0,): 1.0, (2, 3): x}, 6, names=LONG_NAMES, max_order=2) for x in (1.0, -2.0)],
    "one row": lambda: [made()],
    "all values 0": lambda: [made({(): 5.0})] * 3,
    "60 features": lambda: [of_spectrum({(k, k + 1): x / (k + 1) for k in range(59)}, 60) for x in (1.0, 2.0)],
    "400 rows": lambda: [made({(0,): 1.0, (1,): -1.0})] * 400,
}


@pytest.mark.parametrize("with_data", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_every_swarm_fits_its_figure(case, with_data):
    rows = CASES[case]()
    data = np.random.default_rng(0).normal(size=(len(rows), rows[0].n_players)) if with_data else None
    plots.beeswarm(rows, data=data)
    figure = plt.gcf()
    edge = figure.bbox.padded(1.5)
    for text in texts_of(figure):
        box = text.get_window_extent()
        assert edge.contains(box.x0, box.y0), text
        assert edge.contains(box.x1, box.y1), text


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"results": []}, ArgumentError, "`results`: expected .*, got no results"),
        ({"results": made()}, ArgumentError, "`results`: expected .*, got one result"),
        ({"results": [made(), made(index="SII")]}, ArgumentError, "`results`: expected the same index and order"),
        ({"data": TABLE[:2]}, ArgumentError, "`data`: expected 4 rows, one for each result, got 2 rows"),
        ({"data": TABLE[:, :2]}, ArgumentError, r"`data`: expected shape \(3,\)"),
        ({"data": 3}, ArgumentError, "`data`: expected the players' values, a row for each result, got an int"),
        ({"order": 3}, OrderError, "`order`: expected an integer from 1 to 2"),
        ({"max_display": 0}, ArgumentError, "`max_display`: expected an integer of at least 1"),
        ({"ax": 3}, ArgumentError, "`ax`: expected one matplotlib `Axes` or None"),
    ],
)
def test_what_cannot_be_drawn(rows, arguments, kind, said):
    with pytest.raises(kind, match=said):
        plots.beeswarm(**{"results": rows, **arguments})
    assert plt.get_fignums() == []
