"""Every picture of every result: texts fit their figure, and names are shown as they are."""

from __future__ import annotations

import re
from functools import partial

import pytest
from matplotlib import pyplot as plt
from pictures import ALL, LONG_NAMES, ODD_NAMES, TERMS, drawn, made, of_300, of_spectrum, texts_of, thousand, words_of

from captum_spex import plots
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.indices import NAMES
from captum_spex.plots.labels import short

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
    "an order is missing": lambda: made(max_order=2),
    "terms are missing": lambda: made(index="k-SII", max_order=3, max_terms=2),
    "1,000 players": thousand,
    "300 long names": lambda: of_300(tuple(f"{LONG_NAMES[0]} {k}" for k in range(300))),
    "60 features": lambda: of_spectrum({(k, (7 * k + 1) % 60): (-1) ** k / (k + 1) for k in range(60)}, 60),
    **{name: (partial(made, index=name)) for name in NAMES},
}


def refuses(name, result):
    """Whether a picture needs pairs, or terms that add up, which the result does not have."""
    if name in ("matrix", "network"):
        return result.max_order == 1 < result.n_players
    return name == "waterfall" and result.index not in ("SV", "SII", "k-SII", "STII", "FSII", "Moebius")


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


def test_the_public_names():
    assert sorted([*ALL, "beeswarm", "compare", "scatter"]) == plots.__all__
    for name in plots.__all__:
        assert "Example:" in getattr(plots, name).__doc__
