"""Tables of any cells in SHAP's plots: drawn where the cells are, named by their texts, or refused with what works."""

from __future__ import annotations

import copy
import datetime
import pickle
import re
from decimal import Decimal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shap
from games import random_table
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose, assert_array_equal
from oracles import as_game

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, to_shap
from captum_spex.exports.shap.tables import TableExplanation

N_ROWS = 4
# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")
NAMES = ("x", "y", "z")
GREY = "#777777"
RESULTS = [
    captum_spex.explain(as_game(random_table(3, seed)), 3, budget=8, names=list(NAMES)) for seed in range(N_ROWS)
]
DAY = 18262  # 2020-01-01, in days since 1970
# The cells of a column, where SHAP's scatter plot must draw them, and the names at its axis; none: plain numbers.
COLUMNS = {
    "texts": (["b", "a", "c", "a"], [1, 0, 2, 0], {0: "a", 1: "b", 2: "c"}),
    "texts of digits": (["00", "0", "10", "9"], [1, 0, 2, 3], {0: "0", 1: "00", 2: "10", 3: "9"}),
    "texts and None": (["b", None, "a", "a"], [1, 2, 0, 0], {0: "a", 1: "b", 2: "missing"}),
    "flags": ([True, False, True, True], [1, 0, 1, 1], {0: "False", 1: "True"}),
    "flags and NA": (
        pd.array([True, None, False, True], "boolean"),
        [1, 2, 0, 1],
        {0: "False", 1: "True", 2: "missing"},
    ),
    "numbers and None": ([3.0, None, 1.0, 2.0], [3, np.nan, 1, 2], {}),
    "integers and NA": (pd.array([10, 9, pd.NA, 100], "Int64"), [10, 9, np.nan, 100], {}),
    "decimals": ([Decimal("1.5"), Decimal(2), Decimal(4), Decimal(0)], [1.5, 2, 4, 0], {}),
    "categories": (pd.Categorical(["b", "a", "a", "b"]), [1, 0, 0, 1], {0: "a", 1: "b"}),
    "ordered": (
        pd.Categorical(["hi", "lo", "hi", "lo"], ["lo", "mid", "hi"], ordered=True),
        [2, 0, 2, 0],
        {0: "lo", 2: "hi"},
    ),
    "numbers as categories": (pd.Categorical([30, 10, 30, 20]), [2, 0, 2, 1], {0: "10", 1: "20", 2: "30"}),
    "dates": (
        pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-31", "2020-01-10"]),
        [DAY, DAY + 1, DAY + 30, DAY + 9],
        {DAY: "2020-01-01", DAY + 1: "2020-01-02", DAY + 9: "2020-01-10", DAY + 30: "2020-01-31"},
    ),
    "days and None": (
        [datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 11), datetime.date(2020, 1, 11)],
        [DAY, DAY - 1, DAY + 10, DAY + 10],
        {DAY - 1: "missing", DAY: "2020-01-01", DAY + 10: "2020-01-11"},
    ),
    "durations": (
        pd.to_timedelta([1, 0, 3, 3], unit="D"),
        [86_400, 0, 3 * 86_400, 3 * 86_400],
        {0: "0 days", 86_400: "1 days", 3 * 86_400: "3 days"},
    ),
    "large integers": (
        [2**60 + 1, 2**60, 2**60 + 5, 2**60],
        [1, 0, 5, 0],
        {0: str(2**60), 1: str(2**60 + 1), 5: str(2**60 + 5)},
    ),
    "large integers and NA": (
        pd.array([2**60 + 10, 2**60, pd.NA, 2**60], "Int64"),
        [10, 0, -1, 0],
        {-1: "missing", 0: str(2**60), 10: str(2**60 + 10)},
    ),
    "large integers and decimals": (
        [2**60 + 1, Decimal(2**60), Decimal(2**60), 2**60 + 8],
        [1, 0, 0, 8],
        {0: str(2**60), 1: str(2**60 + 1), 8: str(2**60 + 8)},
    ),
    "lists": ([[1], [0], [1], [2]], [1, 0, 1, 2], {0: "[0]", 1: "[1]", 2: "[2]"}),
    "arrays": ([np.array([k]) for k in (1, 0, 1, 2)], [1, 0, 1, 2], {0: "[0]", 1: "[1]", 2: "[2]"}),
}
kinds = pytest.mark.parametrize("kind", COLUMNS)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def frame(kind, **others):
    cells = COLUMNS[kind][0] if isinstance(kind, str) else kind
    return pd.DataFrame({"x": pd.Series(cells), "y": [0.5, 0.25, 2.0, 1.0], "z": [3, 1, 2, 0], **others})


def of(kind, form="values", **others):
    return to_shap(RESULTS, form, data=frame(kind, **others))


def drawn_across(column, **settings):
    """Where the points of SHAP's scatter plot are, in the order of the rows, and the names at its axis."""
    plt.close("all")
    shap.plots.scatter(column, show=False, x_jitter=0, hist=False, **settings)
    ax = plt.gcf().axes[0]
    row_of = {round(float(value), 9): row for row, value in enumerate(column.values)}
    place = np.full(len(column.values), np.nan)
    for x, y in np.ma.getdata(ax.collections[0].get_offsets()):
        place[row_of[round(float(y), 9)]] = x
    names = dict(zip(ax.get_xticks().tolist(), [text.get_text() for text in ax.get_xticklabels()], strict=True))
    return place, names


@kinds
@pytest.mark.parametrize("form", ["values", "matrix"])
def test_scatter_draws_cells_where_they_are(kind, form):
    explanation = of(kind, form)
    place, names = drawn_across(explanation[:, 0] if form == "values" else explanation[:, 0, 0])
    _, expected, labels = COLUMNS[kind]
    assert_allclose(place, expected)
    if labels:
        assert names == labels


def test_scatter_of_many_dates_names_some():
    dates = pd.date_range("2020-01-01", periods=60)
    results = [captum_spex.explain(lambda m, k=k: k * m[:, 0] + m[:, 1], 2, budget=4) for k in range(60)]
    explanation = to_shap(results, data=pd.DataFrame({"when": dates, "y": np.arange(60.0)}))
    place, names = drawn_across(explanation[:, 0])
    assert_allclose(place, DAY + np.arange(60))
    named = {place: name for place, name in names.items() if name}
    assert len(named) == 8
    assert all(name == str(dates[int(place) - DAY].date()) for place, name in named.items())


def coloured(kind, n_copies=20):
    """A scatter plot of many rows, coloured by a column with which the drawn one interacts."""
    cells = pd.concat([frame(kind)["x"]] * n_copies, ignore_index=True)
    rng, codes = np.random.default_rng(0), np.tile([1.0, -2.0, 3.0, 0.5], n_copies)
    numbers = rng.normal(size=len(cells))
    results = [
        captum_spex.explain(lambda m, a=a, b=b: a * b * m[:, 0] * m[:, 1], 2, budget=4, names=["x", "z"])
        for a, b in zip(codes, numbers, strict=True)
    ]
    explanation = to_shap(results, data=pd.DataFrame({"x": cells, "z": numbers}))
    plt.close("all")
    shap.plots.scatter(explanation[:, "z"], color=explanation[:, "x"], show=False, hist=False)
    ax = plt.gcf().axes[0]
    order = [int(np.argmin(abs(numbers - x))) for x, _ in ax.collections[0].get_offsets()]
    shades = np.empty(len(cells))
    shades[order] = ax.collections[0].get_array()
    bar = ax.figure.axes[-1]
    return shades[:N_ROWS], [text.get_text() for text in bar.get_yticklabels()], bar


@pytest.mark.parametrize(
    ("kind", "places", "labels"),
    [
        ("texts", [1, 0, 2, 0], ["a", "b", "c"]),
        ("texts of digits", [1, 0, 2, 3], ["0", "00", "10", "9"]),
        ("texts and None", [1, 2, 0, 0], ["a", "b", "missing"]),
        ("flags", [1, 0, 1, 1], ["False", "True"]),
        ("ordered", [1, 0, 1, 0], ["lo", "hi"]),  # the colours of those that occur
        ("numbers as categories", [2, 0, 2, 1], ["10", "20", "30"]),
    ],
)
def test_scatter_in_the_colours_of_categories(kind, places, labels):
    shades, texts, bar = coloured(kind)
    assert_allclose(shades, places)
    assert sorted(texts) == sorted(labels)
    # Every label stands in the middle of its colour: SHAP gives n categories n equal parts of the bar.
    heights = dict(zip(texts, bar.get_yticks(), strict=True))
    n, (low, high) = len(labels), bar.get_ylim()
    assert_allclose([heights[label] for label in labels], low + (high - low) * (np.arange(n) + 0.5) / n)


def colours_of(explanation, plot=shap.plots.beeswarm):
    """Whether a beeswarm draws the first column in grey, else the colours of its rows from low (0) to high (1)."""
    plot(explanation, show=False)
    lines = [one for one in plt.gcf().axes[0].collections if len(one.get_offsets())]
    heights = {float(np.round(one.get_offsets()[:, 1].mean())) for one in lines}
    top = [one for one in lines if float(np.round(one.get_offsets()[:, 1].mean())) == max(heights)]
    found = np.full(N_ROWS, np.nan)
    values = explanation.values[:, np.abs(explanation.values).mean(0).argmax()]
    for one in top:
        if one.get_array() is None:
            assert to_hex(one.get_facecolors()[0]) == GREY
            continue
        for (x, _), shade in zip(one.get_offsets(), one.get_array(), strict=True):
            found[np.argmin(abs(values - x))] = shade
    return found


def widest(kind):
    """Explanations whose first column is drawn at the top."""
    explanation = of(kind)
    explanation.values[:, 0] = [-40.0, 10.0, 25.0, 60.0]
    return explanation


@pytest.mark.parametrize("plot", [shap.plots.beeswarm, shap.summary_plot])
@pytest.mark.parametrize(
    ("kind", "ranks"),
    [
        ("texts", None),
        ("texts of digits", None),
        ("categories", None),
        ("numbers as categories", None),
        ("lists", None),
        ("flags", [1, 0, 1, 1]),
        ("flags and NA", [1, np.nan, 0, 1]),
        ("integers and NA", [1, 0, np.nan, 2]),
        ("ordered", [1, 0, 1, 0]),
        ("dates", [0, 1, 3, 2]),
        ("large integers", [1, 0, 2, 0]),
        ("durations", [1, 0, 2, 2]),
    ],
)
def test_beeswarms_colour_what_has_an_order(plot, kind, ranks):
    found = colours_of(widest(kind), plot)
    if ranks is None:
        assert np.isnan(found).all()
        return
    assert_array_equal(np.isnan(found), np.isnan(ranks))
    known = ~np.isnan(found)
    assert_array_equal(np.unique(found[known], return_inverse=True)[1], np.array(ranks)[known])


WRITTEN = {
    "texts": "b",
    "texts of digits": "00",
    "flags": "True",
    "categories": "b",
    "ordered": "hi",
    "dates": "2020-01-01",
    "durations": "1 days",
    "lists": "[1]",
}


@pytest.mark.parametrize("plot", [shap.plots.bar, shap.plots.waterfall])
@pytest.mark.parametrize("kind", WRITTEN)
def test_one_row_shows_its_cells(plot, kind):
    plot(of(kind)[0], show=False)
    labels = [text.get_text() for text in plt.gcf().axes[0].get_yticklabels()]
    assert any(re.fullmatch(re.escape(WRITTEN[kind]) + " {1,2}= x", label) for label in labels)


@pytest.mark.parametrize("cell", ["100", "2020", "a0", 2**60 + 1])
def test_bars_keep_the_zeros_of_texts_and_the_digits_of_integers(cell):
    shap.plots.bar(of([cell, *[cell] * 3])[0], show=False)
    labels = [text.get_text().replace(" ", "") for text in plt.gca().get_yticklabels()]
    assert f"{cell}=x" in labels


def test_missing_cells_are_named():
    for kind, row in (("texts and None", 1), ("flags and NA", 1), ("integers and NA", 2), ("days and None", 1)):
        plt.close("all")
        shap.plots.waterfall(of(kind)[row], show=False)
        assert "missing = x" in [text.get_text() for text in plt.gcf().axes[0].get_yticklabels()]


@kinds
def test_force_plots_show_cells(kind):
    explanation = of(kind)
    explanation.base_values = np.zeros(N_ROWS)  # SHAP's plot of many rows has one
    shown = shap.plots.force(explanation).html()
    shap.plots.force(explanation[0], matplotlib=True, show=False)
    label = COLUMNS[kind][2].get(COLUMNS[kind][1][0])
    if label is not None:
        assert f'"value": "{label}"' in shown
        assert f"x = {label}" in [text.get_text() for text in plt.gca().texts]


REFUSED = {
    "violin of texts": (
        lambda: shap.plots.violin(of("texts"), show=False),
        r"got categories in column 'x', in SHAP's `violin\(plot_type=\"violin\"\)`\. "
        r"`shap\.plots\.beeswarm\(explanation\)` draws it\.",
    ),
    "violin with gaps": (
        lambda: shap.plots.violin(of("numbers and None"), show=False),
        r"`data`: expected values from low to high, none of them missing, got missing values in column 'x'",
    ),
    "layered violin": (
        lambda: shap.plots.violin(of("texts"), plot_type="layered_violin", show=False),
        "got categories in column 'x', in SHAP's `violin.plot_type=\"layered_violin\".`",
    ),
    "layered violin of one value": (
        lambda: shap.plots.violin(of([1.0] * 4), plot_type="layered_violin", show=False),
        "got a single value in column 'x'",
    ),
    "summary as violin": (
        lambda: shap.summary_plot(of("flags and NA"), plot_type="violin", show=False),
        "got missing values in column 'x', in SHAP's `summary_plot.plot_type=\"violin\".`",
    ),
    "coloured by dates": (
        lambda: shap.plots.scatter(of("texts")[:, "y"], color=of("dates")[:, "x"], show=False),
        r"`data`: expected numbers or categories, got the dates of column 'x', in SHAP's `scatter\(color=\)`\. "
        r"Choose the colour: `color=explanation\[:, i\]`, "
        r"or draw `captum_spex\.plots\.scatter\(results, \(i, j\), data=X\)`\.",
    ),
    "cohorts by texts": (
        lambda: of("texts").cohorts(2),
        r"got a category in column 'x', in SHAP's `cohorts`\. Name the cohort of every row",
    ),
    "coloured by large integers": (
        lambda: shap.plots.scatter(of("texts")[:, "y"], color=of("large integers")[:, "x"], show=False),
        "got the large integers of column 'x'",
    ),
    "cohorts by large integers": (lambda: of("large integers").cohorts(2), "got a large integer in column 'x'"),
    "cohorts by gaps": (lambda: of("numbers and None").cohorts(2), "got missing values in column 'x'"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_what_shap_cannot_draw_is_refused_with_the_call_that_works(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_cohorts_named_by_the_user_or_by_numbers():
    explanation = of("texts")
    found = explanation.cohorts(["one", "two", "one", "two"])
    assert_array_equal(found.cohorts["one"].values, explanation.values[[0, 2]])
    assert len(of("flags").cohorts(2).cohorts) == 2


@kinds
def test_users_read_what_they_gave(kind):
    explanation = of(kind)
    assert explanation.display_data is None
    assert list(map(str, explanation.data[:, 0])) == list(map(str, frame(kind)["x"]))
    assert explanation.data[:, 1].tolist() == frame(kind)["y"].tolist()


@pytest.mark.parametrize(
    "made",
    [
        copy.copy,
        copy.deepcopy,
        lambda e: pickle.loads(pickle.dumps(e)),
        lambda e: e[np.arange(N_ROWS) < N_ROWS],
        lambda e: e[:, [0, 1, 2]],
        lambda e: e.sample(N_ROWS)[np.argsort(np.random.RandomState(0).choice(N_ROWS, N_ROWS, replace=False))],
    ],
    ids=["copied", "deeply copied", "pickled", "rows", "columns", "sampled"],
)
def test_copies_and_slices_are_drawn_alike(made):
    explanation = made(of("ordered"))
    assert isinstance(explanation, TableExplanation)
    place, names = drawn_across(explanation[:, "x"])
    assert_allclose(place, [2, 0, 2, 0])
    assert names == {0: "lo", 2: "hi"}


def test_what_is_computed_of_explanations():
    explanation = of("texts")
    assert_allclose(explanation.abs.mean(0).values, np.abs(explanation.values).mean(axis=0))
    assert_allclose(of("flags").sum(1).values, explanation.values.sum(axis=1))
    assert_allclose((of("flags") * 2).values, 2 * explanation.values)
    shap.plots.bar(explanation, show=False)
    assert sorted(text.get_text() for text in plt.gca().get_yticklabels())[0] == "x"


def test_data_that_users_change():
    explanation = of("ordered")
    explanation.data[0, 0] = "lo"
    assert_allclose(drawn_across(explanation[:, "x"])[0], [0, 0, 2, 0])
    explanation.data[0, 0] = "new"  # unknown to the dtype of the column
    place, names = drawn_across(explanation[:, "x"])
    assert [names[x] for x in place] == ["new", "lo", "hi", "lo"]
    explanation.data = frame("numbers and None")
    assert_allclose(drawn_across(explanation[:, "x"])[0], [3, np.nan, 1, 2])


def test_texts_that_users_set_are_shown():
    explanation = of("texts")
    explanation.display_data = np.array([["one", "two", "three"]] * N_ROWS)
    shap.plots.waterfall(explanation[0], show=False)
    assert "one = x" in [text.get_text() for text in plt.gcf().axes[0].get_yticklabels()]
    assert explanation.display_data.tolist() == [["one", "two", "three"]] * N_ROWS


def test_plain_numbers_stay_explanations_of_shap():
    assert type(of([1.0, 2.0, 3.0, 4.0])) is shap.Explanation


def test_frames_of_the_explainers_are_drawn_by_their_dtypes():
    cells = frame("ordered", y=[True, False, True, False])
    model = lambda x: x["x"].cat.codes.to_numpy() * (1.0 + x["y"]) + x["z"]  # noqa: E731
    background = cells.iloc[[1]].assign(x=cells["x"].iloc[[1]].array, z=9)
    explanation = ProxySpexExplainer(model, background)(cells)
    assert_array_equal(explanation.data[:, 0], ["hi", "lo", "hi", "lo"])
    explanation.values[:, 0] = np.arange(N_ROWS)  # to tell the rows apart
    assert_allclose(drawn_across(explanation[:, "x"])[0], [2, 0, 2, 0])
    explanation.values[:, 1] = np.arange(N_ROWS)
    place, names = drawn_across(explanation[:, "y"])
    assert_allclose(place, [1, 0, 1, 0])
    assert names == {0: "False", 1: "True"}


def test_sums_over_pairs_keep_their_cells():
    place, names = drawn_across(of("ordered", "matrix").sum(2)[:, "x"])
    assert_allclose(place, [2, 0, 2, 0])
    assert names == {0: "lo", 2: "hi"}
