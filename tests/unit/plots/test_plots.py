"""Pictures say what the result says: labels, lengths, widths and colours are read back from what was drawn."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.testing import assert_allclose
from oracles import every_mask

import captum_spex
from captum_spex import plots
from captum_spex.approximators import ProxySpex
from captum_spex.errors import ArgumentError, MaskError, OrderError
from captum_spex.indices import NAMES, resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum
from captum_spex.plots.labels import player_labels, short
from captum_spex.plots.style import BLUE, RED

TERMS = {(0,): 2.0, (1,): -1.0, (2,): 0.5, (0, 1): 3.0, (2, 3): -1.5, (0, 1, 2): 0.75}
"""Moebius terms of a small game."""

ODD_NAMES = (
    "$a_1$ and $b$",
    "<script>alert('x')</script>",
    "Привет мир",
    "under_score_",
    "100% \\frac{1}{2}",
    "tab\tand\nline",
)
LONG_NAMES = tuple(f"the column with the very long name number {k} of the table" for k in range(6))
ALL = ("bar", "image", "matrix", "network", "spectrum", "text", "upset", "waterfall")


# --- made things ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_figure_is_left():
    mpl.use("agg")
    yield
    plt.close("all")


def moebius_game(terms):
    return lambda masks: np.sum([value * masks[:, list(term)].all(axis=1) for term, value in terms.items()], axis=0)


def made(terms=None, n_players=4, index="Moebius", max_order=3, **settings):
    """An exact result of a game of few players."""
    game = moebius_game(TERMS if terms is None else terms)
    return captum_spex.explain(
        game, n_players, budget=2**n_players, index=index, max_order=min(max_order, n_players), **settings
    )


def of_spectrum(terms, n_players, index="SII", max_order=2, names=None, faithfulness=0.9):
    """A result without standard errors, of any size."""
    model = GameModel((Spectrum.from_terms(terms, n_players),))
    facts = {"n_evaluations": 100, "faithfulness": faithfulness, "names": names}
    return Interactions.from_model(model, resolve_index(index, max_order, n_players), **facts)


def of_300(names):
    terms = {(): 1.0, (3,): -1.0, (7, 50): 0.5, (299,): 0.3, (8, 9, 10): -0.25}
    return of_spectrum(terms, 300, names=names)


def thousand(names=None):
    terms = {(): 1.0, (3,): -1.0, (7, 500): 0.5, (999,): 0.3, (8, 9, 10): -0.25}
    return of_spectrum(terms, 1000, names=names)


@pytest.fixture(scope="module")
def estimated():
    """Twelve words, with standard errors."""
    words = ("The", "plot", "is", "slow", "but", "her", "acting", "never", "fails", "to", "move", "me")
    game = moebius_game({(7, 8): 2.0, (7,): 0.5, (8,): 0.4, (3, 4): -0.7, (6,): 0.2, (2, 9): 0.1})
    smooth = ProxySpex(proxy="gaussian-process")  # gives every pair a value, if a small one
    return captum_spex.explain(game, 12, budget=300, random_state=0, names=words, approximator=smooth)


CASES = {
    "exact": made,
    "odd names": lambda: made(n_players=6, names=ODD_NAMES),
    "long names": lambda: made(n_players=6, names=LONG_NAMES),
    "same names": lambda: made(names=("the", "the", "the", "end")),
    "one player": lambda: made({(0,): 2.0}, 1),
    "two players": lambda: made({(0, 1): 1.0}, 2),
    "no interactions": lambda: made({(0,): 1.0, (2,): -3.0}),
    "all values 0": lambda: made({(): 5.0}),
    "no evaluations held out": lambda: of_spectrum({(0, 1): 1.0}, 5, faithfulness=float("nan")),
    "order 4": lambda: made({**TERMS, (0, 1, 2, 3): 1.0}, 5, max_order=4),
    "1,000 players": thousand,
    "300 long names": lambda: of_300(tuple(f"{LONG_NAMES[0]} {k}" for k in range(300))),
    "60 features": lambda: of_spectrum({(k, (7 * k + 1) % 60): (-1) ** k / (k + 1) for k in range(60)}, 60),
    **{name: (partial(made, index=name)) for name in NAMES},
}


def drawn(name, result, **settings):
    """Draw a picture with its default arguments."""
    if name == "image":
        side = int(np.ceil(np.sqrt(result.n_players)))
        parts = np.minimum(np.arange(side**2), result.n_players - 1).reshape(side, side)
        settings = {"image": np.linspace(0, 1, side**2).reshape(1, side, side), "segments": parts, **settings}
    return getattr(plots, name)(result, **settings)


def refuses(name, result):
    """Whether a picture needs pairs, or terms that add up, which the result does not have."""
    if name in ("matrix", "network"):
        return result.max_order == 1 < result.n_players
    return name == "waterfall" and result.index not in ("SV", "SII", "k-SII", "STII", "FSII", "Moebius")


def texts_of(figure):
    """All texts that are seen: not the labels of ticks beyond the ends of an axis."""
    figure.canvas.draw()
    beyond = [
        label
        for axis in figure.findobj(Axis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    seen = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in seen if text not in beyond]


def words_of(figure):
    return " | ".join(text.get_text() for text in texts_of(figure))


def labels_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def links_of(ax):
    """The links: the last collection of lines (those before are outlines)."""
    return [collection for collection in ax.collections if isinstance(collection, LineCollection)][-1]


def nodes_of(ax):
    return [collection for collection in ax.collections if isinstance(collection, PathCollection)][-1]


def hue_of(colour):
    red, _, blue = to_rgb(colour)
    return "red" if red > blue else "blue"


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("case", CASES)
def test_every_picture_of_every_result_fits_its_figure(case, name):
    result = CASES[case]()
    if refuses(name, result):
        with pytest.raises((ArgumentError, OrderError)):
            drawn(name, result)
        return
    drawn(name, result)
    figure = plt.gcf()
    texts = texts_of(figure)
    assert texts
    edge = figure.bbox.padded(1.5)
    outside = [
        text.get_text()
        for text in texts
        for box in [text.get_window_extent()]
        if not (edge.contains(box.x0, box.y0) and edge.contains(box.x1, box.y1))
    ]
    assert outside == []


@pytest.mark.parametrize("name", ALL)
def test_given_axes_are_drawn_into_without_pyplot(name):
    result, ax = made(), Figure(figsize=(6, 5)).add_subplot()
    found = drawn(name, result, ax=ax)
    if isinstance(found, np.ndarray):
        assert [one in ax.child_axes for one in found] == [True, True]
    else:
        assert found is ax
    ax.figure.canvas.draw()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ALL)
def test_no_setting_is_changed_and_nothing_is_shown(name):
    before = dict(mpl.rcParams)
    drawn(name, made())
    assert dict(mpl.rcParams) == before
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", ALL)
def test_empty_axes_are_used_and_drawn_ones_are_not(name):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5))
    plt.sca(left)
    first = np.atleast_1d(drawn(name, made()))[0]
    plt.sca(right)
    second = np.atleast_1d(drawn(name, made()))[0]
    assert first in (left, *left.child_axes)
    assert second in (right, *right.child_axes)
    third = np.atleast_1d(drawn(name, made()))[0]
    assert third.figure is not figure


def test_an_empty_figure_is_used():
    figure = plt.figure(figsize=(3, 3))
    assert plots.bar(made()).figure is figure
    figure = plt.figure(figsize=(3, 3))
    assert plots.text(made()).figure is figure
    assert figure.get_size_inches().tolist() == [3, 3]


@pytest.mark.parametrize("name", ["bar", "matrix", "network", "text", "upset", "waterfall"])
def test_names_are_shown_letter_by_letter(name):
    drawn(name, made({(k,): 1.0 for k in range(6)} | {(0, 5): 2.0}, 6, max_order=2, names=ODD_NAMES))
    texts = texts_of(plt.gcf())
    shown = " | ".join(text.get_text() for text in texts)
    for part in ("$a_1$ and $b$", "<script>", "Привет мир", "under_score_", "100% \\frac{1}{2}", "tab and line"):
        assert part in shown or short(part, 18) in shown
    assert [text.get_text() for text in texts if "$" in text.get_text() and text.get_parse_math()] == []


@pytest.mark.parametrize("name", ["bar", "matrix", "network", "upset", "waterfall"])
def test_names_that_occur_again_are_numbered(name):
    drawn(name, made(names=("the", "the", "the", "end")))
    assert re.search(r"the#2", words_of(plt.gcf()))


@pytest.mark.parametrize("name", ["bar", "matrix", "network", "text", "upset", "waterfall"])
def test_players_without_names_are_numbers(name):
    drawn(name, made({(0,): 1.0, (1, 3): 2.0}, max_order=2))
    assert "3" in re.findall(r"\w+", words_of(plt.gcf()))


def test_long_names_stay_different():
    labels = player_labels(made(n_players=6, names=LONG_NAMES), 20)
    assert len(set(labels)) == 6
    assert {len(label) <= 20 and "…" in label for label in labels} == {True}


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [("age", 20, "age"), ("", 9, "''"), (" \t ", 9, r"' \t '"), ("电影电影电影", 8, "电影…影"), ("a  b", 5, "a b"),
     ("abcdefghij", 10, "abcdefghij"), ("abcdefghijk", 10, "abcdef…ijk")],
)  # fmt: skip
def test_short(name, width, shown):
    assert short(name, width) == shown


@pytest.mark.parametrize("name", ["network", "matrix", "text", "image"])
@pytest.mark.parametrize("terms", [{(0,): 1.0}, {(): 5.0}, {(0,): 1e6, (1,): 0.1}])
def test_a_result_without_interactions_says_so(name, terms):
    drawn(name, made(terms, max_order=2))
    assert "no interactions" in words_of(plt.gcf())


@pytest.mark.parametrize("name", ["bar", "upset"])
def test_an_order_without_terms_says_so(name):
    drawn(name, made({(0,): 1.0}), order=2)
    assert "no interactions" in words_of(plt.gcf())
    drawn(name, made({(): 5.0}))
    assert "no effects: all values are 0" in words_of(plt.gcf())


def test_rounding_is_no_interaction():
    result = made({(0,): 0.1, (1,): 0.7, (2,): 1 / 3}, index="SII", max_order=2)
    noise = np.abs(result.values[result.orders == 2])
    assert 0 < noise.max() < 1e-12
    plots.network(result)
    assert "no interactions" in words_of(plt.gcf())
    assert len(plots.bar(result).patches) == 3


# --- bar --------------------------------------------------------------------------------------------------------------


def test_bars_are_the_largest_terms():
    ax = plots.bar(made(names=("a", "b", "c", "d")), max_display=4)
    assert labels_of(ax.yaxis) == ["a × b", "a", "c × d", "b"]  # noqa: RUF001
    assert_allclose([bar.get_width() for bar in ax.patches], [3, 2, -1.5, -1], atol=1e-12)
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [RED, RED, BLUE, BLUE]
    assert [text.get_text() for text in ax.texts] == ["+3", "+2", "−1.5", "−1"]  # noqa: RUF001
    assert "2 smaller terms not shown" in ax.get_xlabel()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the largest is above


@pytest.mark.parametrize("order", [1, 2, 3])
def test_bars_of_one_order(order):
    ax = plots.bar(made(), order=order)
    expected = sorted((value for term, value in TERMS.items() if len(term) == order), key=lambda value: -abs(value))
    assert_allclose([bar.get_width() for bar in ax.patches], expected, atol=1e-12)


def test_error_bars_hold_the_true_value_nine_times_out_of_ten(estimated):
    ax = plots.bar(estimated, max_display=5)
    lines = np.array(links_of(ax).get_segments())
    terms = list(estimated.top(5))
    errors = estimated.std_errors[:5]
    assert_allclose(lines[:, 1, 0] - lines[:, 0, 0], 2 * 1.64 * errors)
    assert_allclose(lines[:, :, 0].mean(axis=1), [estimated[term] for term in terms])
    assert "90 % intervals" in ax.get_xlabel()


def test_exact_values_have_no_error_bars():
    ax = plots.bar(made())
    assert len(ax.collections) == 0
    assert "intervals" not in ax.get_xlabel()


def test_numbers_beside_bars_do_not_touch_the_labels(estimated):
    ax = plots.bar(estimated)
    ax.figure.canvas.draw()
    right = max(label.get_window_extent().x1 for label in ax.get_yticklabels())
    assert right < min(text.get_window_extent().x0 for text in ax.texts)
    assert max(text.get_window_extent().x1 for text in ax.texts) <= ax.get_window_extent().x1 + 3


# --- upset ------------------------------------------------------------------------------------------------------------


def test_upset_has_a_bar_and_joined_dots_for_each_term():
    bars, dots = plots.upset(made(names=("a", "b", "c", "d")))
    expected = sorted(TERMS.items(), key=lambda item: -abs(item[1]))
    assert_allclose([bar.get_height() for bar in bars.patches], [value for _, value in expected], atol=1e-12)
    assert labels_of(dots.yaxis) == ["a", "b", "c", "d"]
    found = [(line.get_xdata()[0], tuple(int(y) for y in line.get_ydata())) for line in dots.lines]
    assert found == [(column, term) for column, (term, _) in enumerate(expected)]
    assert [line.get_color() for line in dots.lines] == [RED if value > 0 else BLUE for _, value in expected]
    dots.figure.canvas.draw()
    assert bars.get_xlim() == dots.get_xlim()
    assert bars.get_window_extent().y0 > dots.get_window_extent().y0


def test_upset_shows_only_players_of_its_terms():
    _, dots = plots.upset(thousand(), max_display=3)
    assert labels_of(dots.yaxis) == ["3", "7", "500"] or labels_of(dots.yaxis) == ["3", "7", "500", "999"]
    assert len(dots.lines) == 3


def test_upset_has_error_bars(estimated):
    bars, dots = plots.upset(estimated, max_display=4)
    lines = np.array(links_of(bars).get_segments())
    assert_allclose(lines[:, 1, 1] - lines[:, 0, 1], 2 * 1.64 * estimated.std_errors[:4])
    assert "90 % intervals" in dots.get_xlabel()


# --- waterfall --------------------------------------------------------------------------------------------------------


def steps_of(ax):
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]


@pytest.mark.sampled
@pytest.mark.parametrize("index", ["SV", "SII", "k-SII", "STII", "FSII", "Moebius"])
@pytest.mark.parametrize("max_display", [1, 3, 50])
def test_the_steps_lead_from_nothing_to_the_prediction(index, max_display, estimated):
    for result in (made({**TERMS, (): 0.7}, index=index, max_order=2), estimated.to(index, 2)):
        ax = plots.waterfall(result, max_display=max_display)
        steps = steps_of(ax)
        none, everything = result.model(np.array([[False], [True]]).repeat(result.n_players, axis=1))
        assert_allclose([steps[0][0], steps[-1][1]], [none, everything], atol=1e-12)
        assert_allclose([end for _, end in steps[:-1]], [start for start, _ in steps[1:]], atol=1e-12)
        said = [text.get_text().replace("−", "-").split(" = ") for text in texts_of(ax.figure)]  # noqa: RUF001
        said = [parts for parts in said if len(parts) == 2]
        assert [name for name, _ in said] == ["f(none)", "f(all)"]
        assert_allclose([float(value) for _, value in said], [none, everything], rtol=0.005, atol=1e-9)


def test_what_is_not_shown_is_one_step():
    ax = plots.waterfall(made(max_order=3, names=("a", "b", "c", "d")), max_display=4)
    assert labels_of(ax.yaxis) == ["a × b", "a", "c × d", "b", "2 other terms"]  # noqa: RUF001
    assert_allclose([end - start for start, end in steps_of(ax)], [3, 2, -1.5, -1, 1.25])


def test_without_others_there_is_no_such_step():
    ax = plots.waterfall(made(max_order=3))
    assert len(ax.patches) == len(TERMS)
    assert "other" not in " ".join(labels_of(ax.yaxis))


def test_orders_beyond_the_result_are_named():
    ax = plots.waterfall(made(max_order=2))
    assert labels_of(ax.yaxis)[-1] == "higher orders"
    start, end = steps_of(ax)[-1]
    assert_allclose(end - start, TERMS[(0, 1, 2)])


def test_shapley_interactions_are_converted():
    result = made(index="SII", max_order=2)
    converted = result.to("k-SII", 2)
    steps = [end - start for start, end in steps_of(plots.waterfall(result))]
    assert_allclose(steps[: len(converted)], converted.values[: len(steps)], atol=1e-12)


@pytest.mark.parametrize("index", ["BV", "BII", "CHII", "FBII", "kADD-SHAP", "Co-Moebius", "Fourier", "BII(p=0.3)"])
def test_terms_that_do_not_add_up_are_refused(index):
    with pytest.raises(ArgumentError, match=re.escape(f"the index '{index}'") + ".*k-SII") as raised:
        plots.waterfall(made(index=index))
    assert ".to(" in str(raised.value)
    assert plt.get_fignums() == []


# --- matrix -----------------------------------------------------------------------------------------------------------


def test_the_matrix_has_pairs_and_main_effects():
    ax = plots.matrix(made(names=("a", "b", "c", "d")))
    expected = np.diag([2, -1, 0.5, 0])
    expected[0, 1] = expected[1, 0] = 3
    expected[2, 3] = expected[3, 2] = -1.5
    drawn_values = ax.images[0]
    assert_allclose(drawn_values.get_array(), expected, atol=1e-12)
    assert drawn_values.get_clim() == (-3, 3)
    assert hue_of(drawn_values.cmap(1.0)) == "red"
    assert hue_of(drawn_values.cmap(0.0)) == "blue"
    assert_allclose(drawn_values.cmap(0.5)[:3], 1, atol=0.01)
    assert labels_of(ax.xaxis) == labels_of(ax.yaxis) == ["a", "b", "c", "d"]
    assert [text.get_text() for text in ax.texts][:4] == ["2.00", "3.00", "0", "0"]


def test_the_matrix_without_its_diagonal():
    values = plots.matrix(made(), diagonal=False).images[0].get_array()
    assert np.ma.getmaskarray(values).diagonal().all() or np.isnan(np.asarray(values).diagonal()).all()
    assert values[0, 1] == pytest.approx(3)


def test_the_matrix_of_many_players_shows_those_most_involved():
    ax = plots.matrix(thousand(tuple(f"w{k}" for k in range(1000))))
    assert labels_of(ax.xaxis) == ["w3", "w7", "w8", "w9", "w10", "w500", "w999"]
    assert "the 7 most involved of 1,000 players" in ax.get_xlabel()
    result = of_spectrum({(k,): 1.0 + k for k in range(60)}, 60)
    assert labels_of(plots.matrix(result, max_display=5).xaxis) == ["55", "56", "57", "58", "59"]


def test_the_scale_can_be_left_out():
    assert len(plots.matrix(made()).figure.axes) == 2
    assert len(plots.matrix(made(), colorbar=False).figure.axes) == 1


# --- network ----------------------------------------------------------------------------------------------------------


def test_links_are_as_wide_as_interactions_are_large():
    ax = plots.network(made())
    links = links_of(ax)  # the strongest is drawn last, above the others
    widths = np.array(links.get_linewidths())
    assert_allclose(widths / widths.max(), [0.5, 1.0])
    assert [hue_of(colour) for colour in links.get_colors()] == ["blue", "red"]
    nodes = nodes_of(ax).get_offsets()
    assert_allclose(links.get_segments()[1], nodes[[0, 1]])
    assert_allclose(links.get_segments()[0], nodes[[2, 3]])


def test_nodes_are_as_large_as_main_effects():
    nodes = nodes_of(plots.network(made()))
    assert_allclose(nodes.get_sizes()[:3] / nodes.get_sizes()[0], [1.0, 0.5, 0.25])
    assert 0 < nodes.get_sizes()[3] < 0.1 * nodes.get_sizes()[0]
    assert [hue_of(colour) for colour in nodes.get_facecolors()[:2]] == ["red", "blue"]
    assert_allclose(nodes.get_facecolors()[3][:3], 1, atol=0.01)


def test_players_stand_on_a_circle_from_the_top():
    nodes = np.asarray(nodes_of(plots.network(made())).get_offsets())
    assert_allclose(nodes, [[0, 1], [1, 0], [0, -1], [-1, 0]], atol=1e-12)


def test_given_positions():
    places = [[0, 0], [5, 1], [2, 2], [-3, 4]]
    ax = plots.network(made(), positions=places)
    assert_allclose(nodes_of(ax).get_offsets(), places)
    assert_allclose(links_of(ax).get_segments()[1], [places[0], places[1]])


def test_larger_groups_are_stars():
    ax = plots.network(made(), order=3)
    middle = np.asarray(nodes_of(ax).get_offsets())[:3].mean(axis=0)
    segments = links_of(ax).get_segments()
    assert len(segments) == 3
    assert_allclose([segment[1] for segment in segments], [middle] * 3)


def test_a_network_of_many_players_says_what_it_leaves_out():
    result = of_spectrum({(k, (k + 1) % 100): 1.0 + k for k in range(100)}, 100)
    ax = plots.network(result, max_display=10)
    assert len(nodes_of(ax).get_offsets()) == 10
    assert "the 10 most involved of 100 players" in ax.get_xlabel()
    assert {text.get_text() for text in ax.texts} == {str(k) for k in range(90, 100)}


def test_labels_on_the_circle_do_not_overlap():
    names = tuple(f"the word number {k}" for k in range(40))
    ax = plots.network(of_spectrum({(k,): 1.0 for k in range(40)}, 40, names=names))
    ax.figure.canvas.draw()
    labels = [text for text in ax.texts if text.get_text() != "no interactions"]
    bases = ax.transData.transform([label.xy for label in labels])
    steps = np.linalg.norm(np.diff(bases, axis=0), axis=1) * 72 / ax.figure.dpi
    assert steps.min() > labels[0].get_fontsize()
    assert len(labels) == 40


def test_labels_at_positions_are_left_out_where_they_would_cover_each_other():
    places = np.stack(np.divmod(np.arange(36), 6), axis=1)
    result = of_spectrum({(k,): 1.0 for k in range(36)}, 36)
    assert len(plots.network(result, positions=places).texts) == 1  # "no interactions"
    assert len(plots.network(result, positions=places, labels=True).texts) == 37


# --- text -------------------------------------------------------------------------------------------------------------


def boxes_of(ax):
    ax.figure.canvas.draw()
    return [text.get_window_extent() for text in ax.texts]


def test_words_stand_in_reading_order(estimated):
    ax = plots.text(estimated)
    assert [text.get_text() for text in ax.texts] == list(estimated.names)
    boxes = boxes_of(ax)
    for one, other in pairwise(boxes):
        assert other.x0 > one.x1 or other.y1 < one.y0 + 1


def test_arcs_are_as_wide_as_interactions_are_large(estimated):
    ax = plots.text(estimated, max_display=3)
    strongest = estimated.top(3, order=2)
    widths = [patch.get_linewidth() for patch in reversed(ax.patches)]
    values = np.abs(list(strongest.values()))
    assert_allclose(np.array(widths) / widths[0], values / values[0])
    places = [text.get_position()[0] for text in ax.texts]
    for patch, players in zip(reversed(ax.patches), strongest, strict=True):
        vertices = patch.get_path().vertices
        assert_allclose([vertices[0, 0], vertices[-1, 0]], [places[player] for player in players])
    assert [hue_of(patch.get_edgecolor()) for patch in reversed(ax.patches)][:2] == ["red", "blue"]
    assert "the 3 largest of" in ax.get_xlabel()


def test_words_are_coloured_by_main_effect():
    ax = plots.text(made(names=("up", "down", "bit", "none")))
    colours = [text.get_bbox_patch().get_facecolor() for text in ax.texts[:3]]
    assert to_hex(colours[0]) == RED
    assert hue_of(colours[1]) == "blue"
    assert hue_of(colours[2]) == "red"
    assert ax.texts[3].get_bbox_patch() is None
    assert ax.texts[0].get_color() == "white"
    assert ax.texts[3].get_color() == "black"


@pytest.mark.parametrize("size", [None, (4, 3), (10, 1.5)])
def test_many_words_are_broken_into_lines_and_do_not_overlap(size):
    names = tuple(f"{'word' * (1 + k % 3)}{k}" for k in range(150))
    result = of_spectrum({(3, 5): 1.0, (10, 90): 2.0, (149,): -1.0}, 150, names=names)
    ax = plots.text(result, ax=None if size is None else plt.figure(figsize=size).add_subplot())
    boxes = boxes_of(ax)
    lines = {round(text.get_position()[1], 3) for text in ax.texts}
    assert len(lines) > 3
    frame = ax.get_window_extent().padded(2)
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    for one, other in pairwise(boxes):
        assert other.x0 > one.x1 or other.x1 < one.x0
    if size is None:
        assert all(frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)


def test_arcs_of_one_line_stay_below_the_line_above():
    ax = plots.text(of_spectrum({(14, 20): 1.0}, 40, names=("word",) * 40))
    places = [text.get_position() for text in ax.texts]
    (start, control, *_), y = ax.patches[0].get_path().vertices, places[14][1]
    assert places[20][1] == y
    peak = start[1] - 0.75 * (start[1] - control[1])
    above = max(other for _, other in places if other < y)  # where the letters of the line above stand
    assert above + 3 < peak < start[1] < y


def test_the_size_of_letters(estimated):
    assert plots.text(estimated).texts[0].get_fontsize() == 13
    assert plots.text(thousand()).texts[0].get_fontsize() == 8
    assert plots.text(estimated, font_size=20).texts[0].get_fontsize() == 20


def test_larger_groups_are_chains_of_arcs():
    ax = plots.text(made(), order=3)
    assert len(ax.patches) == 1
    assert len(ax.patches[0].get_path().vertices) == 8  # two curves


# --- image ------------------------------------------------------------------------------------------------------------

PARTS = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
PICTURE = np.arange(48, dtype=np.float64).reshape(3, 4, 4)


def test_segments_are_tinted_by_main_effect():
    ax = plots.image(made(), PICTURE, PARTS)
    tints = ax.images[1].get_array()
    assert_allclose(tints[PARTS == 0, 3] / tints[0, 2, 3], 2.0)
    assert hue_of(tints[0, 0, :3]) == "red"
    assert hue_of(tints[0, 3, :3]) == "blue"
    assert_allclose(tints[PARTS == 3, 3], 0)


def test_links_join_segments_that_interact():
    ax = plots.image(made(), PICTURE, PARTS, order=2)
    links = links_of(ax)
    assert_allclose(np.array(links.get_linewidths()) / links.get_linewidths()[1], [0.5, 1.0])
    ends = [[PARTS[int(y), int(x)] for x, y in segment] for segment in links.get_segments()]
    assert ends == [[2, 3], [0, 1]]


def test_a_segment_in_pieces_is_linked_at_one_of_its_pixels():
    ring = np.zeros((5, 5), dtype=int)
    ring[1:4, 1:4] = 1
    ax = plots.image(made({(0, 1): 1.0}, 2), np.zeros((5, 5)), ring)
    (first, second) = links_of(ax).get_segments()[0]
    assert ring[int(first[1]), int(first[0])] == 0
    assert second.tolist() == [2, 2]


@pytest.mark.parametrize(
    "image",
    [PICTURE, np.moveaxis(PICTURE, 0, -1), torch.tensor(PICTURE), PICTURE.astype(np.uint8), PICTURE[1],
     torch.tensor(PICTURE, requires_grad=True), np.concatenate([PICTURE, np.ones((1, 4, 4))]), 7 * PICTURE - 100],
    ids=["channels first", "channels last", "tensor", "bytes", "grey", "gradient", "opacity", "any scale"],
)  # fmt: skip
def test_images_of_every_form_are_the_same_grey(image):
    shades = plots.image(made(), image, PARTS).images[0].get_array()
    assert_allclose((shades - shades.min()) / np.ptp(shades), PICTURE[0] / 15, atol=1e-12)
    assert shades.max() == pytest.approx(1)


def test_colours_become_grey_as_eyes_see_them_and_opacity_is_left_out():
    red, green, blue, opacity = np.random.default_rng(0).random((4, 4, 4))
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    shades = plots.image(made(), np.stack([red, green, blue, opacity]), PARTS).images[0].get_array()
    assert_allclose((shades - shades.min()) / np.ptp(shades), (expected - expected.min()) / np.ptp(expected))


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        (PARTS[:3, :3], "fit segments"),
        (PARTS.astype(float), "float64"),
        (PARTS[None], r"\(1, 4, 4\)"),
        (PARTS + 1, "from 1 to 4"),
        (PARTS - 1, "from -1 to 2"),
        (np.minimum(PARTS, 2), "none for player 3"),
    ],
)
def test_segments_that_do_not_fit(segments, said):
    with pytest.raises(ArgumentError, match=said):
        plots.image(made(), PICTURE, segments)


def test_an_image_of_a_batch_says_what_to_pass():
    with pytest.raises(ArgumentError, match=r"Pass `image\[0\]`"):
        plots.image(made(), PICTURE[None], PARTS)


# --- spectrum ---------------------------------------------------------------------------------------------------------


def test_the_energy_of_every_order():
    result = made()
    energy, _ = plots.spectrum(result)
    expected = result.model.spectrum(1 << 14).energy_by_order()[1:]
    assert expected[3] < 1e-20
    assert_allclose([bar.get_height() for bar in energy.patches], expected[:3] / expected.sum())


def test_the_faithfulness_of_truncations_is_that_of_their_predictions():
    result = made()
    _, faithfulness = plots.spectrum(result)
    (curve, *_) = faithfulness.lines
    masks = every_mask(4)
    truth = result.model(masks)
    terms = result.model.spectrum(1 << 14)
    constant = [row for row, order in enumerate(terms.orders) if order == 0]
    others = [row for row, order in enumerate(terms.orders) if order]
    for kept, reached in zip(*curve.get_data(), strict=True):
        predicted = terms.select(np.array(constant + others[: int(kept)]))(masks)
        assert_allclose(reached, 1 - ((truth - predicted) ** 2).mean() / truth.var(), atol=1e-9)
    assert curve.get_ydata()[-1] == pytest.approx(1)


@pytest.mark.parametrize(("faithfulness", "said"), [(float("nan"), "unknown"), (0.875, "R² 0.875")])
def test_the_faithfulness_of_the_game_is_said(faithfulness, said):
    plots.spectrum(of_spectrum({(0, 1): 1.0}, 5, faithfulness=faithfulness))
    assert f"faithfulness of the recovered game: {said}" in words_of(plt.gcf())


def test_a_constant_game_has_no_spectrum():
    plots.spectrum(made({(): 5.0}))
    assert "no variance: the game is constant" in words_of(plt.gcf())


def test_fewer_fourier_terms():
    _, faithfulness = plots.spectrum(made(), max_terms=3)
    assert faithfulness.lines[0].get_xdata().tolist() == [1, 2, 3]


# --- scatter ----------------------------------------------------------------------------------------------------------

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


def test_the_main_effect_of_every_row(rows):
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
        ((0, 3), TABLE, "`players`: expected .*, got .*0 to 2"),
        ((0, -1), TABLE, "`players`"),
        ((0, 0), TABLE, "different players"),
        (("a", "nobody"), TABLE, "or their names"),
        ((), TABLE, "at least one player"),
        ((0, 1), TABLE[:2], "`data`: expected 3.*, got 2 rows"),
        ((0, 1), TABLE[:, :2], r"shape \(2,\) for row 0"),
        ((0, 1), 3, "`data`: expected .*, got a int"),
        ((0, 1, 2), TABLE, r"`order`: expected .*, got 3; .*max_order=3"),
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
        (lambda rows: [rows[0], made()], "rows of 3 to 4 players"),
        (lambda rows: [rows[0], rows[1].to("SII")], "different indices"),
    ],
)
def test_results_that_are_no_rows(rows, results, said):
    with pytest.raises(ArgumentError, match=said):
        plots.scatter(results(rows), (0, 1), data=TABLE)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["bar", "image", "network", "text", "upset"])
@pytest.mark.parametrize("order", [4, 0, -1, 2.0, True, "2"])
def test_an_order_that_the_result_does_not_hold(name, order):
    with pytest.raises(OrderError, match=r"`order`: expected .*, got .*holds orders 1 to 3") as raised:
        drawn(name, made(), order=order)
    assert order != 4 or '`result.to("Moebius", max_order=4)`' in str(raised.value)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("index", "to"), [("SV", "SII"), ("BV", "BII"), ("SII", "SII")])
@pytest.mark.parametrize("name", ["matrix", "network"])
def test_pairs_of_a_result_without_any(name, index, to):
    result = made(index=index, max_order=1)
    with pytest.raises(OrderError, match=re.escape(f'`result.to("{to}", max_order=2)`')):
        drawn(name, result)
    drawn(name, result.to(to, 2))


@pytest.mark.parametrize("name", ["text", "image", "bar", "upset"])
def test_main_effects_alone_are_drawn(name):
    drawn(name, made(index="SV"))
    assert len(plt.get_fignums()) == 1


@pytest.mark.sampled
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("result", "said"),
    [([1, 2], r"a list of 2; .*choose one, such as `result\[0\]`"), ("text", "got a str"), (None, "got a NoneType")],
)
def test_what_is_no_result(name, result, said):
    settings = {"image": PICTURE, "segments": PARTS} if name == "image" else {}
    with pytest.raises(ArgumentError, match=said):
        getattr(plots, name)(result, **settings)
    assert plt.get_fignums() == []


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["bar", "image", "matrix", "network", "text", "upset", "waterfall"])
@pytest.mark.parametrize("wrong", [0, -3, 1.5, True])
def test_too_few_to_display(name, wrong):
    with pytest.raises(ArgumentError, match=r"`max_display`: expected .*, got .* at least 1"):
        drawn(name, made(), max_display=wrong)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        ([[0, 0]] * 3, r"shape \(3, 2\); allowed is finite numbers \(4, 2\)"),
        ([[0, 0, 0]] * 4, r"shape \(4, 3\)"),
        ([[0, np.nan]] * 4, "not finite"),
        ([[0, 0], [1]], "no array of numbers"),
        ("circle", "no array of numbers"),
    ],
)
def test_positions_that_do_not_fit(positions, said):
    with pytest.raises(ArgumentError, match=said):
        plots.network(made(), positions=positions)


@pytest.mark.parametrize("name", ALL)
def test_several_axes_are_refused(name):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ArgumentError, match=r"`ax`: expected one matplotlib `Axes`.*, got a ndarray"):
        drawn(name, made(), ax=axes)


@pytest.mark.parametrize("size", [0, -1, True, "large", float("nan"), float("inf")])
def test_a_font_without_size(size):
    with pytest.raises(ArgumentError, match="`font_size`"):
        plots.text(made(), font_size=size)


def test_players_are_refused_by_their_own_error(rows):
    with pytest.raises(MaskError):
        plots.scatter(rows, (0, 9), data=TABLE)


def test_the_public_names():
    assert sorted([*ALL, "scatter"]) == plots.__all__
    for name in plots.__all__:
        assert "Example:" in getattr(plots, name).__doc__


def test_long_names_show_what_differs():
    names = [f"mean concentration of substance number {number} in the blood" for number in (7, 3, 9)]
    result = captum_spex.explain(lambda masks: masks @ np.array([1.0, 2.0, 4.0]), 3, budget=8, names=names)
    labels = player_labels(result)
    assert [label.strip("…").split()[1] for label in labels] == ["7", "3", "9"]
    assert max(map(len, labels)) <= 20


@pytest.mark.parametrize("names", [["the", "the#2", "the"], ["x" * 60, "x" * 61, "x" * 62], ["a", "a", "a"]])
def test_labels_are_all_different(names):
    result = captum_spex.explain(lambda masks: masks @ np.array([1.0, 2.0, 4.0]), 3, budget=8, names=names)
    assert len(set(player_labels(result))) == 3
