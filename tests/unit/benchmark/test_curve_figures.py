"""The picture of curves: names that do not overlap, ours in front."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_rows import many_rows, row
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from numpy.testing import assert_allclose
from sampled import examples

from captum_spex.benchmark.comparison import SHAPLEY
from captum_spex.benchmark.curve_figures import apart, colours_of, curves_figure
from captum_spex.benchmark.pooled import pooled
from captum_spex.benchmark.protocol import OURS, PUBLISHED
from captum_spex.exports.result import BLUE


@examples(2)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.03))
def test_places_are_apart_in_order_and_within(wanted, gap):
    found = apart(np.array(wanted), gap)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(found[order]) >= gap - 1e-9).all()
    assert found.min() >= -1e-9
    assert found.max() <= 1 + 1e-9


def test_places_far_enough_apart_are_kept():
    assert_allclose(apart(np.array([0.9, 0.1, 0.5]), 0.1), [0.9, 0.1, 0.5])
    assert_allclose(apart(np.array([0.5, 0.5]), 0.1), [0.45, 0.55])


def figure_of(rows):
    return curves_figure(pooled(rows, SHAPLEY), colours_of(rows))


def crowd(n_methods):
    rows = many_rows(2)
    for number in range(n_methods):
        rows += [row(f"another explainer {number}", case, budget, shapley_error=0.3 / budget**0.5, r2=0.1)
                 for case in ("case 0", "case 1") for budget in (100, 200, 400, 800)]  # fmt: skip
    return rows


@pytest.mark.parametrize("n_methods", [0, 27])
def test_names_do_not_overlap_and_are_within_the_picture(n_methods):
    figure = figure_of(crowd(n_methods))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [Text.get_window_extent(text, renderer) for text in figure.axes[0].texts]
    assert len(boxes) == n_methods + 5
    boxes.sort(key=lambda box: box.y0)
    middles = np.array([(box.y0 + box.y1) / 2 for box in boxes])
    heights = np.array([0.75 * (box.y1 - box.y0) for box in boxes])  # of letters, without the room around them
    assert (np.diff(middles) >= (heights[1:] + heights[:-1]) / 2).all()
    assert max(box.x1 for box in boxes) <= figure.bbox.x1
    assert min(box.y0 for box in boxes) >= figure.bbox.y0


def test_ours_is_bold_and_blue_and_in_front():
    ax = figure_of(crowd(9)).axes[0]
    [bold] = [text for text in ax.texts if text.get_text() == OURS]
    assert (bold.get_color(), bold.get_fontweight()) == (BLUE, "bold")
    [ours] = [line for line in ax.lines if line.get_color() == BLUE]
    assert ours.get_zorder() == max(line.get_zorder() for line in ax.lines)
    assert ours.get_linewidth() == max(line.get_linewidth() for line in ax.lines)


def test_a_single_game_is_drawn_to_its_smallest_error():
    ax = figure_of(many_rows(1)).axes[0]
    [ours] = [line for line in ax.lines if line.get_color() == BLUE]
    assert ax.get_ylim()[0] < min(ours.get_ydata())
    assert ax.get_xlim()[0] < min(ours.get_xdata()) < max(ours.get_xdata()) < ax.get_xlim()[1]


def test_the_strongest_are_coloured():
    colours = colours_of(crowd(9))
    assert list(colours)[:3] == [OURS, PUBLISHED, "rival one"]
    assert len(set(colours.values())) == len(colours) <= 7
    assert colours_of([]) == {OURS: BLUE, PUBLISHED: "black"}
