"""Bars are as long as the values, with error bars."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from pictures import TERMS, labels_of, links_of, made

from captum_spex import plots
from captum_spex.plots.style import BLUE, RED


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
