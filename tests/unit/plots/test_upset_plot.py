"""Bars of terms, and dots for their players."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from pictures import TERMS, labels_of, links_of, made, thousand

from captum_spex import plots
from captum_spex.plots.style import BLUE, RED


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
