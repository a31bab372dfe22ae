"""Pictures of a benchmark."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import matplotlib
import matplotlib.pyplot as plt
import pytest
from benchmark_rows import curve, many_rows, needed, row
from numpy.testing import assert_allclose

from captum_spex.benchmark.figures import CAPTIONS, CURVES, figures, leaning
from captum_spex.benchmark.protocol import OURS, PUBLISHED


def test_a_bound_that_leaves_it_open_is_neither_won_nor_lost():
    reference = curve(PUBLISHED, (0.3, 0.4, 0.5, 0.6))
    stopped, late = [row(OURS, r2=0.1)], [row(OURS, budget=800, r2=0.9)]
    won, lost = curve(OURS, (0.7, 0.8, 0.9, 0.95)), curve(OURS, (0.1, 0.15, 0.2, 0.25))
    found = [needed(reference + ours) for ours in (stopped, late, won, lost)]
    assert [(one.bound, one.ratio < 1, leaning(one)) for one in found] == [
        ("≥ ", True, "tied"), ("≤ ", False, "tied"), ("≤ ", True, "won"), ("≥ ", False, "lost")
    ]  # fmt: skip


def test_pictures_leave_matplotlib_as_it_was():
    before, numbers = dict(matplotlib.rcParams), plt.get_fignums()
    assert list(figures(many_rows(1))) == ["standings", "needed", "errors"]
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == numbers


def test_games_without_exact_values_are_in_a_picture_of_their_own():
    rows = [replace(one, shapley_error=nan) if one.case == "case 0" else one for one in many_rows(2)]
    found = figures(rows)
    assert list(found) == ["standings", "needed", "errors", "unexplained"] == list(CAPTIONS)
    assert [found[name][0].axes[0].get_title(loc="right") for name in CURVES] == ["1 game of 9 players"] * 2


@pytest.mark.parametrize(
    "rows",
    [[], curve(OURS, (0.1, 0.2)), curve("rival", (0.1, 0.2)), [row(OURS, r2=nan), row("rival", r2=nan)]],
    ids=["nothing", "no rivals", "no ours", "all NaN"],
)
def test_nothing_to_compare_is_no_picture(rows):
    assert figures(rows) == {}


def test_the_bars_are_the_mean_differences():
    rows = curve(OURS, (0.5, 0.7)) + curve("rival", (0.6, 0.9))
    ax = figures(rows)["standings"][0].axes[0]
    assert_allclose(ax.patches[0].get_width(), -0.15)
