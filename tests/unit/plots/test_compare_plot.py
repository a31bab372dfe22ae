"""Two results side by side."""

# ruff: noqa: RUF001 (the multiplication sign is wanted)

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from pictures import LONG_NAMES, ODD_NAMES, labels_of, made, of_spectrum, texts_of, words_of

import captum_spex
from captum_spex import plots
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.plots.style import BLUE, GREY, RED

NAMES = tuple("abcd")


@pytest.fixture(scope="module")
def pair():
    one = made({(0,): 1.0, (1, 2): 3.0}, max_order=2, names=NAMES)
    return one.compare(made({(0,): 1.0, (1, 2): -2.0, (3,): 1.0}, max_order=2, names=NAMES))


def test_pairs_of_bars_and_their_differences(pair):
    ax = plots.compare(pair, labels=("before", "after"))
    assert labels_of(ax.yaxis) == ["b × c", "d"]
    assert_allclose([bar.get_width() for bar in ax.patches], [3, 0, -2, 1])
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [RED, GREY, BLUE, RED]
    words = words_of(ax.figure)
    for part in ("before", "after", "Moebius", "difference", "+5", "−1"):
        assert part in words
    assert {text.get_weight() for text in ax.texts} == {"normal"}  # exact
    assert "difference: before − after" in words


def test_errors_of_both_and_of_the_difference(estimated):
    other = captum_spex.explain(lambda m: m[:, 0] * 1.0, 12, budget=4096, names=estimated.names)
    found = estimated.compare(other)
    ax = plots.compare(found, max_display=3)
    assert len(ax.containers) == 3  # the bars of both, and the errors of the one that has any
    segments = ax.containers[1].lines[2][0].get_segments()
    first = dict(zip(estimated, estimated.std_errors, strict=True))
    assert_allclose([np.ptp(one[:, 0]) / 2 for one in segments], [1.64 * first[term] for term in list(found)[:3]])
    assert [text.get_weight() for text in ax.texts] == [
        "normal",
        *["bold" if one else "normal" for one in found.differs[:3]],
    ]
    assert found.differs[0]
    words = words_of(ax.figure)
    assert f"± {found.std_errors[0]:.2g}" in words
    assert "error bars: 90 % intervals; bold: that of the difference does not hold 0" in words
    assert "smaller differences not shown" in words


def test_results_without_errors_are_not_bold():
    ax = plots.compare(of_spectrum({(0,): 1.0}, 3).compare(of_spectrum({(0,): 2.0}, 3)))
    assert {text.get_weight() for text in ax.texts} == {"normal"}


def test_one_order(pair):
    assert labels_of(plots.compare(pair, order=1).yaxis) == ["d"]


CASES = {
    "the same": lambda: made().compare(made()),
    "odd names": lambda: made(n_players=6, names=ODD_NAMES).compare(made({(0, 1): 1.0}, 6, names=ODD_NAMES)),
    "long names": lambda: made(n_players=6, names=LONG_NAMES).compare(made({(0, 1): 1.0}, 6, names=LONG_NAMES)),
    "Fourier": lambda: made(index="Fourier").compare(made({(0,): 5.0}, index="Fourier")),
}


@pytest.mark.parametrize("case", CASES)
def test_every_comparison_fits_its_figure(case):
    plots.compare(CASES[case](), labels=("a result with a very long name, such as a file", "$x$"))
    figure = plt.gcf()
    edge = figure.bbox.padded(1.5)
    for text in texts_of(figure):
        box = text.get_window_extent()
        assert edge.contains(box.x0, box.y0), text
        assert edge.contains(box.x1, box.y1), text


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"comparison": made()}, ArgumentError, "`comparison`: expected a `Comparison`, .* got an Interactions"),
        ({"labels": "ab"}, ArgumentError, "`labels`: expected two names, of the first and of the second result"),
        ({"labels": ["a"]}, ArgumentError, "`labels`: expected two names"),
        ({"order": 3}, OrderError, "`order`: expected an integer from 1 to 2"),
        ({"max_display": 0}, ArgumentError, "`max_display`: expected an integer of at least 1"),
    ],
)
def test_what_cannot_be_drawn(pair, arguments, kind, said):
    with pytest.raises(kind, match=said):
        plots.compare(**{"comparison": pair, **arguments})
    assert plt.get_fignums() == []
