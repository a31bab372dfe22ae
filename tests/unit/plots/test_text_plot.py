"""Words in reading order, with arcs between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from pictures import hue_of, made, of_spectrum, thousand

from captum_spex import plots
from captum_spex.errors import ArgumentError
from captum_spex.plots.style import RED


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


def test_words_are_coloured_by_value():
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


@pytest.mark.parametrize("size", [0, -1, True, "large", float("nan"), float("inf")])
def test_a_font_without_size(size):
    with pytest.raises(ArgumentError, match="`font_size`"):
        plots.text(made(), font_size=size)
