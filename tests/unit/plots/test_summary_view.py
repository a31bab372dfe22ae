"""Pictures of many rows: sizes as lengths, colours by the mean, grey where its sign is not clear."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from pictures import LONG_NAMES, hue_of, labels_of, links_of, made, nodes_of, of_spectrum, texts_of, words_of

import captum_spex
from captum_spex import plots
from captum_spex.plots.style import BLUE, RED, UNCLEAR
from captum_spex.plots.summary_view import SummaryView

OF_MANY = ("bar", "matrix", "network")
XS = (-3.0, -2.0, -4.0, -3.5, -2.5)


def rows_of(**settings):
    """Rows in which a raises, b x c lowers, and d raises in some and lowers in others."""
    return [
        made({(0,): 1.0, (1, 2): x, (3,): 2.0 * (-1) ** k}, max_order=2, names=tuple("abcd"), **settings)
        for k, x in enumerate(XS)
    ]


def test_bars_are_mean_sizes_coloured_by_the_mean():
    ax = plots.bar(rows_of())
    assert labels_of(ax.yaxis) == ["b × c", "d", "a"]  # noqa: RUF001
    assert_allclose([bar.get_width() for bar in ax.patches], [3, 2, 1])
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [BLUE, UNCLEAR, RED]
    words = words_of(ax.figure)
    for part in (
        "mean |Moebius|",
        "over 5 rows",
        "over 5 rows; red raises on average, blue lowers\ngrey: the mean's 90 % interval holds 0",
        "3 | 2 | 1",
    ):
        assert part in words
    [bars] = ax.containers[1].lines[2]
    reach = np.ptp(np.array(bars.get_segments())[:, :, 0], axis=1) / 2
    assert_allclose(reach, [1.64 * np.std(XS, ddof=1) / sqrt(5), 0, 0], atol=1e-12)


def test_bars_of_means():
    ax = plots.bar(captum_spex.summary(rows_of()), value="mean")
    assert labels_of(ax.yaxis) == ["b × c", "a", "d"]  # noqa: RUF001
    assert_allclose([bar.get_width() for bar in ax.patches], [-3, 1, 0.4])
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [BLUE, RED, UNCLEAR]
    assert "mean Moebius" in words_of(ax.figure)


def test_the_matrix_has_sizes_or_means_with_errors():
    ax = plots.matrix(rows_of(), colorbar=True)
    assert_allclose(np.diag(ax.images[0].get_array()), [1, 0, 0, 2], atol=1e-12)
    assert ax.images[0].get_array()[1, 2] == -3
    assert ax.images[1].get_array().mask.sum() == 15
    words = words_of(ax.figure)
    assert f"3.00\n± {np.std(XS, ddof=1) / sqrt(5):.2g}" in words
    assert "−" not in words  # noqa: RUF001
    assert "mean |Moebius|" in words
    means = plots.matrix(rows_of(), value="mean")
    assert "−3.00" in words_of(means.figure)  # noqa: RUF001
    assert_allclose(means.images[0].get_array()[3, 3], 0.4)


def test_the_network_joins_what_interacts():
    ax = plots.network(rows_of())
    links, nodes = links_of(ax), nodes_of(ax)
    assert len(links.get_segments()) == 1
    assert hue_of(links.get_colors()[0][:3]) == "blue"
    assert hue_of(nodes.get_facecolors()[0][:3]) == "red"
    red, green, blue, _ = nodes.get_facecolors()[3]
    assert red == green == blue
    assert "nodes: mean |Moebius| up to 2; links: mean |Moebius| up to 3" in words_of(ax.figure)


@pytest.mark.parametrize("name", OF_MANY)
def test_one_row_is_drawn_without_errors(name):
    row = made(max_order=2)
    ax = getattr(plots, name)([row])
    assert "over 1 row" in ax.get_xlabel()
    assert "grey" not in ax.get_xlabel()
    assert "error bars" not in ax.get_xlabel()
    assert "no interval" not in ax.get_xlabel()


@pytest.mark.parametrize("name", OF_MANY)
def test_terms_of_a_single_row_of_many_have_no_interval_and_it_is_said(name):
    texts = [("never", "fails"), ("never", "fails"), ("not", "bad")]
    ax = getattr(plots, name)([made({(0, 1): 2.0 + k, (1,): 1.0}, 2, names=words) for k, words in enumerate(texts)])
    assert "2 terms of a single row: no interval" in ax.get_xlabel()


def test_what_is_not_drawn_is_not_spoken_of():
    assert "grey" in plots.matrix(rows_of()).get_xlabel()
    assert "grey" not in plots.matrix(rows_of(), diagonal=False).get_xlabel()
    assert "grey" not in plots.bar(rows_of(), order=2).get_xlabel()


CASES = {
    "long names": lambda: [
        made({(0,): 1.0, (2,): x, (1, 3): -x}, 6, names=LONG_NAMES, index="SII", max_order=2) for x in (1.0, -2.0)
    ],
    "two players": lambda: [made({(0, 1): x}, 2) for x in (1.0, -1.0)],
    "all values 0": lambda: [made({(): 5.0})] * 3,
    "texts": lambda: [made({(0, 1): 2.0}, 2, names=names) for names in (("never", "fails"), ("not", "bad"))],
    "60 features": lambda: [
        of_spectrum({(k, (7 * k + 1) % 60): x * (-1) ** k / (k + 1) for k in range(60)}, 60) for x in (1.0, 2.0, -0.5)
    ],
    "means of Fourier": lambda: [made(index="Fourier"), made({(0,): 3.0}, index="Fourier")],
}


@pytest.mark.parametrize("value", ["mean_abs", "mean"])
@pytest.mark.parametrize("name", OF_MANY)
@pytest.mark.parametrize("case", CASES)
def test_every_picture_of_many_rows_fits_its_figure(case, name, value):
    getattr(plots, name)(CASES[case](), value=value)
    figure = plt.gcf()
    edge = figure.bbox.padded(1.5)
    outside = [
        text.get_text()
        for text in texts_of(figure)
        for box in [text.get_window_extent()]
        if not (edge.contains(box.x0, box.y0) and edge.contains(box.x1, box.y1))
    ]
    assert outside == []


def test_the_view_of_a_summary():
    found = captum_spex.summary(rows_of())
    view = SummaryView(found, "mean_abs")
    assert dict(view) == pytest.approx(
        {players: found[players] * (-1 if found.mean[row] < 0 else 1) for row, players in enumerate(found)}
    )
    assert view.resolved_index.value_name(2) == "mean |Moebius|"
    assert view.unclear(found.sets.take(np.arange(3))).tolist() == [False, True, False]
    assert SummaryView(captum_spex.summary(rows_of()[:1]), "mean").errors_of(found.sets) is None
