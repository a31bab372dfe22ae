"""Plots of one row, of texts and of images, compared with the numbers."""

# ruff: noqa: RUF001 (the multiplication and minus signs are wanted)

from __future__ import annotations

import re

import numpy as np
import pytest
import shap
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from shap_pictures import (
    MOST,
    ROUNDED,
    TEXTS,
    assert_same_names,
    effects,
    forces,
    names_in,
    names_of,
    number,
    ranked,
    texts_of,
)
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from captum_spex.explainers import ProxySpexExplainer

# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")


def test_bar_of_one_row(single):
    axes = shap.plots.bar(single, max_display=MOST, show=False)
    names, values = ranked(single.values, names_of(single))
    assert_allclose([bar.get_width() for bar in axes.patches], values, atol=1e-12)
    assert_same_names(names_in(texts_of(axes.get_yticklabels())[: len(names)]), names, values)
    assert_allclose([number(text.get_text()) for text in axes.texts], values, atol=ROUNDED)


def test_waterfall(single):
    shap.plots.waterfall(single, max_display=MOST, show=False)
    axes, below, above = plt.gcf().axes
    names, values = ranked(single.values, names_of(single))
    drawn = names_in(texts_of(axes.get_yticklabels())[: len(names)])[::-1]
    assert_same_names(drawn, [name.removeprefix("Sum of ") for name in names], values)
    by_line = {round(text.get_position()[1]): number(text.get_text()) for text in axes.texts}
    assert_allclose([by_line[len(names) - 1 - line] for line in range(len(names))], values, atol=ROUNDED)
    assert number(texts_of(below.get_xticklabels())[1]) == pytest.approx(float(single.base_values), abs=ROUNDED)
    total = float(single.base_values + single.values.sum())
    assert number(texts_of(above.get_xticklabels())[1]) == pytest.approx(total, abs=ROUNDED)


def test_force_as_html(single):
    drawn = forces(shap.plots.force(single).html(), "AdditiveForceVisualizer")
    assert [name.strip() for name in drawn["featureNames"]] == names_of(single)
    assert_allclose(effects(drawn["features"], names_of(single)), single.values, atol=1e-12)
    assert drawn["outValue"] == pytest.approx(float(single.base_values + single.values.sum()))
    assert drawn["baseValue"] == pytest.approx(float(single.base_values))


def test_force_by_matplotlib(single):
    shap.plots.force(single, matplotlib=True, show=False)
    drawn = texts_of(plt.gcf().axes[0].texts)
    largest = names_of(single)[int(np.abs(single.values).argmax())]
    assert any(text.split(" = ")[0].strip() == largest for text in drawn)
    total = float(single.base_values + single.values.sum())
    assert any(re.fullmatch(r"[-−]?[\d.]+", text) and abs(number(text) - total) < ROUNDED for text in drawn)


def test_the_values_of_a_terms_players_are_shown(cancer):
    row = cancer.results[0].to_shap("terms", data=cancer.rows.iloc[0])
    shown = "17.99, 1001 = mean radius × mean area"
    for plot in (shap.plots.waterfall, shap.plots.bar):
        plot(row, max_display=12, show=False)
        assert shown in texts_of(plt.gcf().axes[0].get_yticklabels())
        plt.close("all")
    shap.plots.force(row, matplotlib=True, show=False)
    assert "mean radius × mean area = 17.99, 1001" in texts_of(plt.gcf().axes[0].texts)


def test_decision_of_one_row(single):
    shap.plots.decision(float(single.base_values), single.values, feature_names=names_of(single), show=False)
    lines = [line for line in plt.gcf().axes[0].lines if len(line.get_xdata()) > 2]
    assert_allclose(lines[-1].get_xdata()[-1], float(single.base_values + single.values.sum()))


# A font that lacks a sign warns: `Glyph ... missing from font`; here that is an error.
def test_signs_in_names_are_drawn_in_full(cancer):
    names = ["radius<=20", "sex=male", "perimeter >= 5", "c != d", "plain"]
    results = [one.among(range(5), 5, names) for one in cancer.results[:3]]
    for explanation in (results[0].to_shap("terms"), results[0].to_shap("values")):
        shap.plots.waterfall(explanation, max_display=15, show=False)
        plt.gcf().canvas.draw()
        drawn = texts_of(plt.gcf().axes[0].get_yticklabels())
        assert sorted(drawn[len(drawn) // 2 :]) == sorted(names_of(explanation))
        assert {"radius≤20", "sex:male", "perimeter ≥ 5", "c ≠ d", "plain"} <= set(drawn)
        plt.close("all")


def test_text_of_every_row_and_output(review):
    explained = review[0]
    for explanation in (explained, explained[0], explained[:, :, 1], explained[0][:, 1]):
        html = shap.plots.text(explanation, display=False)
        for word in TEXTS[0].split():
            assert re.search(rf">\s*{word}\s*<", html), word
    for name in explained.output_names:
        assert name in shap.plots.text(explained, display=False)


def test_text_says_the_values(review):
    row = review[0][0][:, 1]
    html = shap.plots.text(row, display=False)
    k = int(np.abs(row.values).argmax())
    assert f"{row.values[k]:.3f}" in html
    assert f"{float(row.base_values + row.values.sum()):.3f}"[:5] in html


def test_text_of_terms_shows_their_names_as_words(review):
    explanation = review[1][0].to_shap("terms", max_terms=8)
    explanation.data = np.array(explanation.feature_names)
    assert "never × fails" in shap.plots.text(explanation, display=False)


def test_bar_of_rows_with_words_of_their_own(review):
    mean = review[0][..., 1].abs.mean(0)
    axes = shap.plots.bar(mean, max_display=MOST, show=False)
    total = {}
    for words, values in zip(review[0].feature_names, review[0][..., 1].values, strict=True):
        for word, value in zip(words, values, strict=True):
            total.setdefault(word, []).append(abs(value))
    names, values = ranked(np.array([np.mean(found) for found in total.values()]), [name.strip() for name in total])
    assert names_in(texts_of(axes.get_yticklabels())[: len(names)]) == names
    assert_allclose([bar.get_width() for bar in axes.patches], values, atol=1e-9)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    images = data.images[:, 1:7:2, 1:7:2, None]
    model = LogisticRegression(max_iter=2000).fit(images.reshape(len(images), -1), data.target)
    masker = shap.maskers.Image(np.zeros((3, 3, 1)), (3, 3, 1))
    explainer = ProxySpexExplainer(
        lambda batch: model.predict_proba(np.asarray(batch).reshape(len(batch), -1))[:, :3],
        masker,
        output_names=["zero", "one", "two"],
        seed=0,
    )
    return explainer, images[:2]


def test_image(digits):
    explainer, images = digits
    explanation = explainer(images)
    assert explanation.shape == (2, 3, 3, 1, 3)
    shap.plots.image(explanation, show=False)
    axes = plt.gcf().axes
    assert [one.get_title() for one in axes[:4]] == ["", "zero", "one", "two"]
    for row in range(2):
        for output in range(3):
            drawn = np.asarray(axes[4 * row + 1 + output].images[1].get_array())
            assert_allclose(drawn, explanation.values[row, :, :, 0, output], atol=1e-12)


def test_image_of_values_reshaped(cancer):
    values = cancer.values.values[:2, :4].reshape(2, 2, 2, 1)
    shap.plots.image(values, cancer.rows.to_numpy()[:2, :4].reshape(2, 2, 2, 1), show=False)
    assert_allclose(np.asarray(plt.gcf().axes[1].images[1].get_array()), values[0, ..., 0], atol=1e-12)
