# ruff: noqa: RUF001  # signs as they are shown
"""Every place that shows a term: its number is that of the index it names, and its colour is that of its sign."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from pictures import ALL, drawn, labels_of, moebius_game, words_of
from rich.style import Style

import captum_spex
from captum_spex import plots
from captum_spex.cli import main
from captum_spex.exports.page.html import part
from captum_spex.exports.result import BLUE, RED

NAMES = ("never", "fails", "it")
TERMS = {(0,): 1.0, (1,): 2.0, (0, 1): 3.0, (0, 1, 2): 6.0}  # all positive, and so is every index of it but k-SII
SIGNED = ("SII", "BII", "Moebius")
SHAPLEY = (4.5, 5.5, 2.0)  # by hand: each pair and triple shared out equally
SII = {(0, 1): 6.0, (0, 2): 3.0, (1, 2): 3.0}  # the triple is 0 or 6 as the third is absent or present
K_SII = (0.0, 1.0, -1.0)  # Shapley values less half of the pairs


@pytest.fixture(autouse=True)
def no_figure_is_left():
    mpl.use("agg")
    yield
    plt.close("all")


def result(index="SII", max_order=2, sign=1.0, terms=None):
    game = moebius_game({players: sign * value for players, value in (TERMS if terms is None else terms).items()})
    return captum_spex.explain(game, 3, budget=8, index=index, max_order=max_order, names=NAMES)


# --- numbers and their names ------------------------------------------------------------------------------------------


def test_three_indices_give_a_player_three_numbers():
    """The example of this module is one by which displays can be told apart."""
    assert_allclose(result("SV").first_order(), SHAPLEY, atol=1e-12)
    assert dict(result("SII").top(9, order=2)) == pytest.approx(SII)
    assert_allclose(result("k-SII").first_order(), K_SII, atol=1e-12)
    assert_allclose(result("k-SII").values.sum(), 12.0)
    assert_allclose(result("SII").values.sum(), 24.0)


def test_bars_of_one_result_show_shapley_values_and_say_so():
    ax = plots.bar(result())
    widths = dict(zip(labels_of(ax.yaxis), [bar.get_width() for bar in ax.patches], strict=True))
    assert widths == pytest.approx(
        dict(zip(NAMES, SHAPLEY, strict=True)) | {"never × fails": 6.0, "never × it": 3.0, "fails × it": 3.0}
    )
    assert ax.get_xlabel().splitlines()[:2] == [
        "Shapley values of players, SII of groups",
        "SII values do not add up to f(all) − f(none) = 12; k-SII does",
    ]
    assert plots.bar(result(), order=1).get_xlabel() == "Shapley values"
    assert plots.bar(result(), order=2).get_xlabel() == "SII"


def test_a_waterfall_of_the_same_result_shows_k_sii_and_says_so():
    ax = plots.waterfall(result())
    widths = dict(zip(labels_of(ax.yaxis), [bar.get_width() for bar in ax.patches], strict=True))
    assert widths == pytest.approx(
        {"never × fails": 6.0, "never × it": 3.0, "fails × it": 3.0, "fails": 1.0, "it": -1.0}
    )
    assert ax.get_xlabel() == "value of the game; k-SII\nthe bars add up to the prediction"


def test_a_matrix_has_shapley_values_on_its_diagonal_and_says_so():
    ax = plots.matrix(result())
    assert_allclose(ax.images[0].get_array(), [[4.5, 6, 3], [6, 5.5, 3], [3, 3, 2]])
    assert ax.get_xlabel().splitlines()[0] == "Shapley values on the diagonal, SII of pairs"
    assert plots.matrix(result("k-SII")).get_xlabel().splitlines() == [
        "k-SII", "the terms add up to f(all) − f(none) = 12",
    ]  # fmt: skip
    assert plots.matrix(result(), diagonal=False).get_xlabel() == "SII"
    shaps = result().to_shap("matrix").values[0]
    assert_allclose(np.diag(shaps), np.array(SHAPLEY) - [4.5, 4.5, 3.0])
    assert_allclose(shaps.sum(axis=1), SHAPLEY)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("network", "nodes: Shapley values up to +5.5; links: SII up to +6"),
        ("image", "colours: Shapley values up to +5.5; links: SII up to +6"),
        ("text", "words: k-SII up to −1; arcs: k-SII up to +6"),
    ],
)
def test_nodes_words_and_links_are_called_by_their_index(name, words):
    drawn(name, result())
    assert words in words_of(plt.gcf())


def test_words_show_the_index_that_is_asked_for():
    ax = plots.text(result(), index="SII")
    assert ax.get_xlabel().splitlines() == [
        "words: Shapley values up to +5.5; arcs: SII up to +6",
        "SII values do not add up to f(all) − f(none) = 12; k-SII does",
    ]


def test_dots_and_points_are_called_by_their_index():
    assert plots.upset(result())[0].get_ylabel() == "Shapley values of players,\nSII of groups"
    rows = [result(), result()]
    assert plots.scatter(rows, "never", data=np.eye(3)[:2]).get_ylabel() == "Shapley value of never"
    assert plots.scatter(rows, ("never", "it"), data=np.eye(3)[:2]).get_ylabel() == "SII of never × it"


@pytest.mark.parametrize("index", ["SII", "k-SII", "BII", "Fourier", "STII", "Moebius"])
@pytest.mark.parametrize("name", [name for name in ALL if name not in ("spectrum", "waterfall")])
def test_every_picture_of_several_orders_says_whether_terms_add_up(name, index):
    """By hand: what is said agrees with the sum of the terms of the index that the picture names."""
    of = result(index, max_order=3)
    shown = of.to("k-SII") if (name, index) == ("text", "SII") else of
    drawn(name, of)
    words = words_of(plt.gcf()).replace("\n", " ")
    adds_up = abs(shown.values.sum() - 12) < 1e-9
    assert adds_up == (shown.index in ("k-SII", "STII", "Moebius"))
    assert ("terms add up to f(all) − f(none) = 12" in words) == adds_up
    assert ("do not add up to f(all) − f(none) = 12; k-SII does" in words) != adds_up
    assert "main effect" not in words


def test_text_shows_shapley_values_and_says_so():
    text = str(result())
    assert "single players: Shapley values\n  fails          +5.5" in text
    assert "interactions of order 2: SII\n  never x fails            +6" in text
    assert "SII values do not add up to f(all) − f(none) = 12; k-SII does" in text


# --- a waterfall of Moebius terms says what is missing ----------------------------------------------------------------


def test_higher_orders_are_not_called_other_terms():
    """Of 12 in all, orders 1 and 2 hold 6, and two of their three terms are drawn."""
    ax = plots.waterfall(result("Moebius", max_order=2), max_display=2)
    assert labels_of(ax.yaxis) == ["never × fails", "fails", "1 other term and higher orders"]
    assert [bar.get_width() for bar in ax.patches] == [3.0, 2.0, 7.0]
    assert labels_of(plots.waterfall(result("Moebius", max_order=2)).yaxis)[-1] == "higher orders"
    assert labels_of(plots.waterfall(result("Moebius", max_order=3), max_display=3).yaxis)[-1] == "1 other term"


# --- one sign, one colour ---------------------------------------------------------------------------------------------


def hues(figure):
    """The hues of all pixels that have a colour: which share of them is red, and which is blue."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba(), dtype=np.int64)[..., :3].reshape(-1, 3)
    coloured = pixels[np.ptp(pixels, axis=1) > 25]
    red, _, blue = coloured.T
    return set(np.where(red > blue, "red", "blue").tolist())


def pictures(sign):
    """Every picture of a game in which all terms of all indices drawn have one sign."""
    additive = {(0,): 1.0, (1,): 2.0, (0, 1): 3.0}  # the k-SII of two players is their Moebius transform
    of = result("Moebius", 2, sign, additive)
    for name in ("bar", "image", "network", "text", "upset", "waterfall"):
        yield name, lambda name=name: drawn(name, of)
    yield "matrix", lambda: plots.matrix(of, colorbar=False)
    yield "scatter", lambda: plots.scatter([of, of], "never", data=np.eye(3)[:2])
    yield "beeswarm", lambda: plots.beeswarm([of, of])
    twice = result("Moebius", 2, 2 * sign, additive)
    yield "compare", lambda: plots.compare(twice.compare(of))
    for name, settings in (("bar", {}), ("matrix", {"colorbar": False}), ("network", {})):
        yield f"{name} of rows", lambda name=name, settings=settings: getattr(plots, name)([of, of], **settings)


@pytest.mark.parametrize(("sign", "hue"), [(1.0, "red"), (-1.0, "blue")])
@pytest.mark.parametrize("name", [name for name, _ in pictures(1.0)])
def test_red_raises_and_blue_lowers_in_every_picture(name, sign, hue):
    dict(pictures(sign))[name]()
    assert hues(plt.gcf()) == {hue}


def test_no_picture_uses_the_colours_of_signs_for_anything_else():
    plots.spectrum(result())
    assert hues(plt.gcf()) == set()
    points = plots.scatter([result()] * 9, ("never", "it"), data=np.linspace(0, 1, 27).reshape(9, 3), colorbar=False)
    distance = np.abs(
        points.collections[0].get_facecolors()[:, None, :3] - np.array([mpl.colors.to_rgb(c) for c in (RED, BLUE)])
    )
    assert distance.sum(axis=2).min() > 0.3


def test_every_picture_is_held():
    assert {name.split()[0] for name, _ in pictures(1.0)} | {"spectrum"} == set(plots.__all__)


@pytest.mark.parametrize("depth", ["truecolor", "256", "16"])
def test_red_raises_and_blue_lowers_on_the_command_line(monkeypatch, capsys, depth):
    """In every depth of colours that terminals have."""
    reds, blues = {
        "truecolor": ({"38;2;255;0;81"}, {"38;2;0;139;251"}),
        "256": ({"38;5;197"}, {"38;5;33"}),
        "16": ({"91"}, {"94"}),
    }[depth]
    terminal = {"truecolor": ("xterm", "truecolor"), "256": ("xterm-256color", ""), "16": ("xterm-16color", "")}[depth]
    for name, value in zip(("TERM", "COLORTERM", "FORCE_COLOR"), (*terminal, "1"), strict=True):
        monkeypatch.setenv(name, value)
    for cached in (Style.parse, Style._add):
        cached.cache_clear()  # styles keep the codes of the terminal that they were first shown in
    assert main(["explain", "Her acting never fails to impress", "--no-progress"]) == 0
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "█" in line]
    for row in rows:
        [value] = re.findall(r"[+-]\d\.\d{4}", row)
        [code] = re.findall(r"\x1b\[([\d;]+)m█", row)
        assert code in (reds if float(value) > 0 else blues)
    signs = {re.findall(r"[+-]", row)[0] for row in rows}
    assert signs == {"+", "-"}
    fails = re.search(r"\x1b\[(?:1;)?([\d;]+)mfails", out)[1]
    assert fails in blues  # its k-SII is -1.33: what it raises, it raises with "never"


def test_red_raises_and_blue_lowers_on_the_page():
    """In the light and in the dark; which class a term gets is tested in a browser."""
    style = part("page.css")
    for kind, hue in (("pos", "red"), ("neg", "blue")):
        colours = re.findall(rf"--{kind}(?:-chip)?: (#\w+)", style)
        assert len(colours) == 4
        for colour in colours:
            red, _, blue = mpl.colors.to_rgb(colour)
            assert ("red" if red > blue else "blue") == hue
    assert re.findall(r"--(?:pos|neg): (#\w+)", style)[:2] == [RED, BLUE]
