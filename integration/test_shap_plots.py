"""Every plot of SHAP with our explanations: what is drawn is looked up in the picture and compared with the numbers."""

# ruff: noqa: RUF001 (the multiplication and minus signs are wanted)

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import shap
import transformers
from matplotlib.collections import PathCollection, PolyCollection
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

from captum_spex import explain
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, to_shap
from captum_spex.games.text import embedded_model

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

N_ROWS = 110  # the monitoring plot needs more than 100
TEXTS = ["her acting never fails to impress", "the plot was not good", "the cast never fails and the film is good"]
MOST = 6  # features shown
ROUNDED = 0.0051  # numbers in pictures have two digits
RNG = np.random.default_rng(0)  # by which points are scattered


# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")


@pytest.fixture(autouse=True)
def closed_figures():
    plt.close("all")
    yield
    plt.close("all")


# --- explanations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tables:
    """A forest of two classes on five columns: every answer is exact."""

    rows: pd.DataFrame
    predicted: np.ndarray
    both: shap.Explanation  # both outputs
    both_pairs: shap.Explanation
    results: list

    @property
    def values(self):
        return self.both[..., 1]

    @property
    def pairs(self):
        return self.both_pairs[..., 1]

    def terms(self, **settings):
        return to_shap(self.results, "terms", **{"data": self.rows} | settings)


@pytest.fixture(scope="module")
def cancer():
    data = load_breast_cancer(as_frame=True)
    inputs = data.data.iloc[:, :5]
    model = RandomForestClassifier(10, max_depth=4, random_state=0).fit(inputs.to_numpy(), data.target)
    explainer = ProxySpexExplainer(model.predict_proba, inputs.iloc[200:205].to_numpy(), seed=0)
    rows = inputs.iloc[:N_ROWS]
    return Tables(
        rows,
        model.predict_proba(rows.to_numpy())[:, 1],
        explainer(rows),
        explainer(rows, interactions=True),
        [row[0] for row in explainer.interactions(rows, outputs=[1])],
    )


@pytest.fixture(scope="module")
def diabetes():
    """Eight rows of ten columns, estimated; and what the model predicts."""
    inputs, target = load_diabetes(return_X_y=True, as_frame=True)
    model = RandomForestRegressor(10, max_depth=5, random_state=0).fit(inputs.to_numpy(), target)
    rows = inputs.iloc[:8]
    explainer = ProxySpexExplainer(model.predict, inputs.iloc[100:103].to_numpy(), seed=0)
    results = explainer.interactions(rows, index="FSII", max_evals=200)
    return rows, model.predict(rows.to_numpy()), results


@pytest.fixture(scope="module")
def review():
    """A pipeline's explanation of three texts, its interactions for one output, and its pairs for both."""
    model, tokenizer = embedded_model()
    pipeline = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    explainer = ProxySpexExplainer(pipeline, seed=0)
    results = explainer.interactions(TEXTS, outputs=[1], max_evals=300)
    pairs = explainer(TEXTS[:2], max_evals=300, interactions=True)
    return explainer(TEXTS, max_evals=300), [row[0] for row in results], pairs


MANY = [
    "values", "terms", "few terms", "terms without data", "estimated terms", "terms of texts", "column of pairs",
    "sums of pairs",
]  # fmt: skip
SINGLE = [
    "values", "value of few", "terms", "few terms", "one of many terms", "without data", "estimated", "text",
    "terms of a text", "one of many texts", "line of pairs",
]  # fmt: skip


@pytest.fixture(params=MANY)
def many(request, cancer, diabetes, review):
    made = {
        "values": lambda: cancer.values,
        "terms": cancer.terms,
        "few terms": lambda: cancer.terms(max_terms=4),
        "terms without data": lambda: cancer.terms(data=None),
        "estimated terms": lambda: to_shap(diabetes[2], "terms", data=diabetes[0], max_terms=12),
        "terms of texts": lambda: to_shap(review[1], "terms", max_terms=12),
        "column of pairs": lambda: cancer.pairs[:, :, 2],
        "sums of pairs": lambda: cancer.pairs.sum(2),
    }
    return made[request.param]()


@pytest.fixture(params=SINGLE)
def single(request, cancer, diabetes, review):
    made = {
        "values": lambda: cancer.values[0],
        "value of few": lambda: cancer.both[3, :, 0],
        "terms": lambda: cancer.results[0].to_shap("terms", data=cancer.rows.iloc[0]),
        "few terms": lambda: cancer.results[0].to_shap("terms", data=cancer.rows.iloc[0], max_terms=4),
        "one of many terms": lambda: cancer.terms()[1],
        "without data": lambda: cancer.results[2].to_shap("terms"),
        "estimated": lambda: diabetes[2][0].to_shap("terms", data=diabetes[0].iloc[0], max_terms=20),
        "text": lambda: review[0][0][:, 1],
        "terms of a text": lambda: review[1][0].to_shap("terms", max_terms=8),
        "one of many texts": lambda: to_shap(review[1], "terms", max_terms=12)[1],
        "line of pairs": lambda: cancer.pairs[0, :, 2],
    }
    return made[request.param]()


# --- what a picture says ------------------------------------------------------------------------------------------


def texts_of(labels):
    return [text.get_text() for text in labels]


def number(text):
    """The number in a text of a picture: "$ = 0.125$", "−0.38"."""
    return float(re.search(r"-?[\d.]+(e-?\d+)?", text.replace("−", "-")).group())


def ranked(values, names, most=MOST):
    """The largest values and their names, and the rest together, as most plots show them."""
    order = np.argsort(-np.abs(values), kind="stable")
    if len(order) <= most:
        return [names[k] for k in order], np.array(values)[order]
    rest = f"Sum of {len(order) - most + 1} other features"
    top, other = order[: most - 1], order[most - 1 :]
    return [*(names[k] for k in top), rest], np.append(values[top], values[other].sum())


def names_in(labels):
    """Names without the data in front of them."""
    return [label.split(" = ")[-1].strip() for label in labels]


def names_of(explanation):
    return [str(name).strip() for name in explanation.feature_names]


def assert_same_names(drawn, names, values):
    """The same, in any order where values are 0."""
    assert len(drawn) == len(names)
    there = np.flatnonzero(values)
    assert [drawn[k] for k in there] == [names[k] for k in there]


def points_of(axes):
    """All points of a picture."""
    return np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)])


def points_by_line(axes):
    """For every horizontal line of a picture, from below, the sorted places of its points."""
    points = points_of(axes)
    lines = np.round(points[:, 1]).astype(int)
    return [np.sort(points[lines == line, 0]) for line in range(lines.max() + 1)]


def forces(html, kind):
    """The numbers that the force plot's script draws."""
    return json.loads(re.search(rf"SHAP\.{kind}, (\{{.*\}})\),\n", html).group(1))


def effects(drawn, names):
    """All effects by name, where the script has none for those of 0."""
    return [drawn.get(str(number), {"effect": 0.0})["effect"] for number in range(len(names))]


# --- many rows --------------------------------------------------------------------------------------------------------


def test_bar_of_many_rows(many):
    axes = shap.plots.bar(many, max_display=MOST, show=False)
    names, values = ranked(np.abs(many.values).mean(axis=0), names_of(many))
    assert_allclose([bar.get_width() for bar in axes.patches], values, atol=1e-12)
    assert texts_of(axes.get_yticklabels())[: len(names)] == names
    assert_allclose([number(text.get_text()) for text in axes.texts], values, atol=ROUNDED)


def test_beeswarm(many):
    axes = shap.plots.beeswarm(many, max_display=MOST, show=False)
    order = np.argsort(-np.abs(many.values).mean(axis=0), kind="stable")
    shown = many.values[:, order]
    names = [names_of(many)[k] for k in order]
    if len(order) > MOST:
        rest = shown[:, MOST - 1 :].sum(axis=1, keepdims=True)
        shown = np.hstack([shown[:, : MOST - 1], rest])
        names = [*names[: MOST - 1], f"Sum of {len(order) - MOST + 1} other features"]
    assert texts_of(axes.get_yticklabels()) == names[::-1]
    for line, expected in zip(points_by_line(axes)[::-1], shown.T, strict=True):
        assert_allclose(line, np.sort(expected), atol=1e-12)


def test_heatmap(many):
    axes = shap.plots.heatmap(many, max_display=MOST, show=False)
    importance = np.abs(many.values).mean(axis=0)
    order = np.argsort(-importance, kind="stable")
    shown = many.values[:, order]
    if len(order) > MOST:
        shown = np.hstack([shown[:, : MOST - 1], shown[:, MOST - 1 :].sum(axis=1, keepdims=True)])
    names, _ = ranked(importance, names_of(many))
    assert texts_of(axes.get_yticklabels()) == ["$f(x)$", *names]
    drawn = np.asarray(axes.images[0].get_array())
    assert drawn.shape == shown.T.shape
    for line, expected in zip(drawn, shown.T, strict=True):
        assert_allclose(np.sort(line), np.sort(expected), atol=1e-12)


def test_violin(many):
    shap.plots.violin(many, max_display=MOST, show=False)
    axes = plt.gcf().axes[0]
    order = np.argsort(-np.abs(many.values).sum(axis=0), kind="stable")[:MOST]
    assert texts_of(axes.get_yticklabels()) == [names_of(many)[k] for k in order][::-1]
    low, high = axes.get_xlim()
    assert low <= many.values[:, order].min()
    assert many.values[:, order].max() <= high
    shapes = [collection for collection in axes.collections if isinstance(collection, PolyCollection)]
    assert len({round(np.mean(shape.get_paths()[0].get_extents().intervaly)) for shape in shapes}) == len(order)
    if many.data is not None:  # then the points are drawn too
        for line, k in zip(points_by_line(axes)[::-1], order, strict=True):
            assert_allclose(line, np.sort(many.values[:, k]), atol=1e-12)


def test_summary_plot(many):
    shap.summary_plot(many, max_display=MOST, show=False, rng=RNG)
    axes = plt.gcf().axes[0]
    order = np.argsort(np.abs(many.values).sum(axis=0), kind="stable")[-MOST:]
    assert texts_of(axes.get_yticklabels()) == [names_of(many)[k] for k in order]
    for line, k in zip(points_by_line(axes), order, strict=True):
        assert_allclose(line, np.sort(many.values[:, k]), atol=1e-12)


def test_summary_plot_as_bars(many):
    shap.summary_plot(many, max_display=MOST, plot_type="bar", show=False, rng=RNG)
    axes = plt.gcf().axes[0]
    order = np.argsort(np.abs(many.values).sum(axis=0), kind="stable")[-MOST:]
    assert texts_of(axes.get_yticklabels()) == [names_of(many)[k] for k in order]
    assert_allclose([bar.get_width() for bar in axes.patches], np.abs(many.values).mean(axis=0)[order], atol=1e-12)


# SHAP says of this plot that another one will take its name.
@pytest.mark.filterwarnings("ignore:The behaviour of this function will change:DeprecationWarning")
def test_old_bar_plot(many):
    mean = np.abs(many.values).mean(axis=0)
    shap.bar_plot(mean, feature_names=names_of(many), max_display=MOST, show=False)
    order = np.argsort(-mean, kind="stable")[:MOST]
    assert_allclose([bar.get_width() for bar in plt.gca().patches], mean[order], atol=1e-12)
    assert texts_of(plt.gca().get_yticklabels()) == [names_of(many)[k] for k in order]


def test_decision(many):
    base = 0.5 if many.base_values is None else float(np.ravel(many.base_values)[0])
    shap.plots.decision(base, many.values[:4], feature_names=names_of(many), show=False)
    axes = plt.gcf().axes[0]
    ends = [line.get_xdata()[-1] for line in axes.lines if len(line.get_xdata()) == len(names_of(many)) + 1]
    assert_allclose(np.sort(ends), np.sort(base + many.values[:4].sum(axis=1)), atol=1e-9)
    order = np.argsort(np.abs(many.values[:4]).sum(axis=0))[-20:]
    assert texts_of(axes.get_yticklabels()) == [names_of(many)[k] for k in order]


def test_multioutput_decision(cancer):
    outputs = [0, 1]
    explained = [cancer.both[..., output] for output in outputs]
    shap.multioutput_decision_plot(
        [float(one.base_values[0]) for one in explained],
        [one.values.copy() for one in explained],
        row_index=7,
        feature_names=list(cancer.rows.columns),
        show=False,
    )
    lines = [line for line in plt.gcf().axes[0].lines if len(line.get_xdata()) == 6]
    assert_allclose(
        sorted(line.get_xdata()[-1] for line in lines), sorted([1 - cancer.predicted[7], cancer.predicted[7]])
    )


def test_force_of_many_rows(many):
    base = 0.5 if many.base_values is None else many.base_values
    if np.ptp(base) > 0:
        pytest.skip("SHAP's picture of many rows has one base value; every text has its own")
    html = shap.plots.force(base, many.values, feature_names=names_of(many)).html()
    drawn = forces(html, "AdditiveForceArrayVisualizer")
    assert drawn["featureNames"] == names_of(many)
    assert len(drawn["explanations"]) == len(many.values)
    by_row = [effects(one["features"], names_of(many)) for one in drawn["explanations"]]
    assert_allclose(by_row, many.values, atol=1e-12)


def test_scatter(many):
    if many.data is None:
        pytest.skip("a scatter plot needs data")
    name = many.feature_names[int(np.abs(many.values).mean(axis=0).argmax())]
    column = many[:, name]
    axes = shap.plots.scatter(column, show=False)
    assert axes.get_xlabel() == name
    assert name in axes.get_ylabel()
    points = points_of(axes)
    assert_allclose(np.sort(points[:, 1]), np.sort(column.values), atol=1e-12)
    spread = np.ptp(column.data)
    assert_allclose(np.sort(points[:, 0]), np.sort(np.asarray(column.data, dtype=float)), atol=max(1e-9, 0.2 * spread))


def test_embedding(many):
    name = names_of(many)[int(np.abs(many.values).mean(axis=0).argmax())]
    shap.plots.embedding(name, many.values, feature_names=names_of(many), show=False)
    drawn = plt.gcf().axes[0].collections[0]
    assert_allclose(drawn.get_array(), many.values[:, names_of(many).index(name)], atol=1e-12)
    assert plt.gcf().axes[1].get_ylabel() == f"SHAP value for\n{name}"


# SHAP draws pairs of groups at random, of which one can be empty where rows are few.
@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_group_difference(many):
    first = np.arange(len(many.values)) % 2 == 0
    shap.plots.group_difference(many.values, first, feature_names=names_of(many), max_display=MOST, show=False)
    axes = plt.gcf().axes[0]
    difference = many.values[first].mean(axis=0) - many.values[~first].mean(axis=0)
    order = np.argsort(-np.abs(difference))[:MOST]
    assert texts_of(axes.get_yticklabels()) == [names_of(many)[k] for k in order]
    assert_allclose([bar.get_width() for bar in axes.patches], difference[order], atol=1e-12)


@pytest.mark.parametrize("kind", ["values", "terms"])
def test_monitoring(cancer, kind):
    explanation = cancer.values if kind == "values" else cancer.terms()
    k = explanation.feature_names.index("mean area" if kind == "values" else "mean radius × mean area")
    shap.plots.monitoring(k, explanation.values, explanation.data, feature_names=explanation.feature_names, show=False)
    axes = plt.gcf().axes[0]
    drawn = np.asarray(axes.collections[0].get_offsets())
    assert_allclose(drawn, np.column_stack([np.arange(N_ROWS), explanation.values[:, k]]), atol=1e-12)
    assert axes.get_ylabel() == f"{explanation.feature_names[k]}\nSHAP value"


@pytest.mark.parametrize("kind", ["values", "terms"])
def test_old_dependence_plot(cancer, kind):
    explanation = cancer.values if kind == "values" else cancer.terms()
    name, colour = ("mean area", "mean radius") if kind == "values" else ("mean radius × mean area", "mean texture")
    shap.dependence_plot(
        name,
        explanation.values,
        explanation.data,
        feature_names=explanation.feature_names,
        interaction_index=colour,
        show=False,
    )
    axes = plt.gcf().axes[0]
    k = explanation.feature_names.index(name)
    points = points_of(axes)
    assert_allclose(np.sort(points[:, 1]), np.sort(explanation.values[:, k]), atol=1e-12)
    assert axes.get_xlabel() == name
    assert plt.gcf().axes[1].get_ylabel() == colour


# --- one row ----------------------------------------------------------------------------------------------------------


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


# --- signs in names ---------------------------------------------------------------------------------------------------


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


# --- texts ------------------------------------------------------------------------------------------------------------


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


# --- images -----------------------------------------------------------------------------------------------------------


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


# --- pairs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["explainer", "results", "one output"])
def pairs(request, cancer):
    made = {
        "explainer": lambda: cancer.pairs,
        "results": lambda: to_shap(cancer.results, "matrix", data=cancer.rows),
        "one output": lambda: cancer.both_pairs[:, :, :, "Output 1"],
    }
    return made[request.param]()


def test_summary_plot_of_pairs(pairs):
    shap.summary_plot(pairs, show=False, rng=RNG)
    axes = plt.gcf().axes
    order = np.argsort(-np.abs(pairs.values.sum(axis=1)).sum(axis=0))
    assert len(axes) == 5
    assert texts_of(axes[0].get_yticklabels())[::-1] == [names_of(pairs)[k] for k in order]
    for column, one in zip(order, axes, strict=True):
        for line, expected in zip(order, points_by_line(one)[::-1], strict=True):
            doubled = pairs.values[:, column, line] * (1 if column == line else 2)
            assert_allclose(expected, np.sort(doubled), atol=1e-12)


def test_compact_summary_plot_of_pairs(pairs):
    shap.summary_plot(pairs, plot_type="compact_dot", max_display=25, show=False, rng=RNG)
    axes = plt.gcf().axes[0]
    names = names_of(pairs)
    expected = {
        first if first == second else f"{first}* - {second}": np.sort(pairs.values[:, i, j])
        for i, first in enumerate(names)
        for j, second in enumerate(names)
    }
    drawn = dict(zip(texts_of(axes.get_yticklabels()), points_by_line(axes), strict=True))
    assert drawn.keys() == expected.keys()
    for name, points in drawn.items():
        assert_allclose(points, expected[name], atol=1e-12)


def test_decision_of_pairs(pairs, cancer):
    base = pairs.base_values[0]
    shap.plots.decision(base, pairs.values[:4], feature_names=names_of(pairs), show=False)
    axes = plt.gcf().axes[0]
    ends = [line.get_xdata()[-1] for line in axes.lines if len(line.get_xdata()) > 4]
    assert_allclose(np.sort(ends), np.sort(cancer.predicted[:4]), atol=1e-9)
    assert "mean radius *\nmean area" in texts_of(axes.get_yticklabels())


def test_decision_of_the_pairs_of_one_row(cancer):
    one = cancer.results[3].to_shap("matrix")
    assert one.shape == (1, 5, 5)
    shap.plots.decision(one.base_values[0], one.values, show=False)
    lines = [line for line in plt.gcf().axes[0].lines if len(line.get_xdata()) > 4]
    assert_allclose([line.get_xdata()[-1] for line in lines], [cancer.predicted[3]], atol=1e-9)


def test_summary_plot_of_the_pairs_of_one_row(cancer):
    one = to_shap(cancer.results[:1], "matrix", data=cancer.rows.iloc[:1])
    shap.summary_plot(one, show=False, rng=RNG)
    order = np.argsort(-np.abs(one.values.sum(axis=1)).sum(axis=0))
    first = np.concatenate(points_by_line(plt.gcf().axes[0])[::-1])
    doubled = one.values[0, order[0], order] * np.where(order == order[0], 1, 2)
    assert_allclose(first, doubled, atol=1e-12)


def test_multioutput_decision_of_pairs(cancer):
    outputs = [cancer.both_pairs[..., 0], cancer.both_pairs[..., 1]]
    shap.multioutput_decision_plot(
        [float(one.base_values[0]) for one in outputs], [one.values.copy() for one in outputs], row_index=7, show=False
    )
    lines = [line for line in plt.gcf().axes[0].lines if len(line.get_xdata()) > 4]
    expected = sorted([1 - cancer.predicted[7], cancer.predicted[7]])
    assert_allclose(sorted(line.get_xdata()[-1] for line in lines), expected, atol=1e-9)


def test_old_dependence_plot_of_a_pair(pairs, cancer):
    shap.dependence_plot(("mean radius", "mean area"), pairs.values, cancer.rows, show=False)
    axes = plt.gcf().axes[0]
    points = points_of(axes)
    assert_allclose(np.sort(points[:, 1]), np.sort(2 * pairs.values[:, 0, 3]), atol=1e-12)
    assert axes.get_xlabel() == "mean radius"


def test_scatter_of_a_pair(pairs, cancer):
    axes = shap.plots.scatter(pairs[:, 0, 3], color=cancer.values[:, "mean area"], show=False)
    points = points_of(axes)
    assert_allclose(np.sort(points[:, 1]), np.sort(pairs.values[:, 0, 3]), atol=1e-12)
    assert plt.gcf().axes[1].get_ylabel() == "mean area"


def test_sums_of_pairs_are_the_values(pairs, cancer):
    assert_allclose(pairs.sum(2).values, cancer.values.values, atol=1e-9)
    axes = shap.plots.bar(pairs.sum(2), show=False)
    expected = np.sort(np.abs(cancer.values.values).mean(axis=0))[::-1]
    assert_allclose([bar.get_width() for bar in axes.patches], expected, atol=1e-9)


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_sums_of_the_pairs_of_few_rows(cancer, n_rows):
    summed = to_shap(cancer.results[:n_rows], "matrix").sum(2)
    assert_allclose(summed.values, cancer.values.values[:n_rows], atol=1e-9)


def test_a_column_of_pairs_of_as_many_rows_as_players(cancer):
    square = to_shap(cancer.results[:5], "matrix", data=cancer.rows.iloc[:5])
    for cut, values in (
        (square[:, :, 1], square.values[:, :, 1]),
        (square[..., 3], square.values[..., 3]),
        (square[[4, 0, 1, 2, 3]][:, :, 1], square.values[:, :, 1]),
        (square.abs[:, :, 1], square.values[:, :, 1]),
        (square.sum(2), cancer.values.values[:5]),
    ):
        axes = shap.plots.bar(cut, show=False)
        expected = np.sort(np.abs(values).mean(axis=0))[::-1]
        assert_allclose([bar.get_width() for bar in axes.patches], expected, atol=1e-9)
        plt.close("all")


# SHAP's own explainer compiles for some seconds, so that this is not among the quick tests.
def polynomial(inputs):
    return inputs[:, 0] * inputs[:, 1] * inputs[:, 2] + inputs[:, 0] * inputs[:, 3] - 2 * inputs[:, 2]


def test_pairs_of_shapley_taylor_are_those_of_the_exact_explainer():
    inputs = np.array([[1.0, 2.0, -1.0, 3.0], [2.0, 1.0, 1.0, -1.0]])
    expected = shap.ExactExplainer(polynomial, np.zeros((1, 4)))(inputs, interactions=True)
    results = [explain(lambda masks, x=x: polynomial(masks * x), 4, budget=16, index="STII") for x in inputs]
    assert_allclose(to_shap(results, "matrix").values, expected.values, atol=1e-9)
    ordinary = to_shap([result.to("SII", 2) for result in results], "matrix").values
    assert np.abs(ordinary - expected.values).max() > 0.1
    assert_allclose(ordinary.sum(axis=2), expected.values.sum(axis=2), atol=1e-9)


# --- what would be drawn wrongly ----------------------------------------------------------------------------------

TERMS = r'to_shap\("terms"\)'


def legacy(explanation, **settings):
    shap.summary_plot(explanation, **settings)


REFUSED = {
    "bar": (shap.plots.bar, TERMS),
    "beeswarm": (shap.plots.beeswarm, TERMS),
    "waterfall": (shap.plots.waterfall, TERMS),
    "force": (lambda explanation, show: shap.plots.force(explanation), TERMS),
    "force by matplotlib": (lambda explanation, show: shap.plots.force(explanation, matplotlib=True, show=show), TERMS),
    "heatmap": (shap.plots.heatmap, TERMS),
    "violin": (shap.plots.violin, TERMS),
    "text": (lambda explanation, show: shap.plots.text(explanation, display=False), r"to_shap"),
    "image": (shap.plots.image, r'to_shap\("values"\)'),
    "scatter": (shap.plots.scatter, r"explanation\[:, i, j\]"),
    "summary as bars": (lambda explanation, show: legacy(explanation, plot_type="bar", show=show), TERMS),
    "dependence": (lambda explanation, show: shap.dependence_plot((0, 1), explanation, None, show=show), r"i, j"),
    "embedding": (lambda explanation, show: shap.plots.embedding(0, explanation, show=show), TERMS),
    "group difference": (
        lambda explanation, show: shap.plots.group_difference(explanation, np.arange(5) < 2, show=show),
        TERMS,
    ),
    "monitoring": (lambda explanation, show: shap.plots.monitoring(0, explanation, None, show=show), TERMS),
}
WHOLE = {"embedding", "group difference", "monitoring", "dependence"}  # of arrays: refused however they are cut
CUTS = {
    "all": lambda explanation: explanation,
    "one row": lambda explanation: explanation[0],
    "row by a NumPy number": lambda explanation: explanation[np.int64(1)],
    "last row": lambda explanation: explanation[-1],
    "one row, scaled": lambda explanation: explanation[0] * 2,
    "difference": lambda explanation: explanation[0] - explanation[1],
    "mean": lambda explanation: explanation.abs.mean(0),
    "largest": lambda explanation: explanation.max(0),
    "median": lambda explanation: explanation.percentile(50, 0),
    "some rows": lambda explanation: explanation[:2],
    "sample": lambda explanation: explanation.sample(3)[0],
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("plot", REFUSED)
def test_pairs_that_would_be_drawn_wrongly_are_refused(cancer, plot, cut):
    draw, hint = REFUSED[plot]
    for explanation in (to_shap(cancer.results[:5], "matrix", data=cancer.rows.iloc[:5]), cancer.pairs[:5]):
        with pytest.raises(ArgumentError, match=hint):
            draw(CUTS[cut](explanation), show=False)


@pytest.mark.parametrize("plot", sorted(REFUSED.keys() - WHOLE))
def test_pairs_of_several_outputs_are_refused(cancer, plot):
    draw, hint = REFUSED[plot]
    for explanation in (cancer.both_pairs, cancer.both_pairs[0], cancer.both_pairs[0, ..., 1]):
        with pytest.raises(ArgumentError, match=hint):
            draw(explanation, show=False)


@pytest.mark.parametrize("cut", [name for name in CUTS if name not in ("all", "some rows")])
def test_summary_plot_of_one_matrix_is_refused(cancer, cut):
    with pytest.raises(ArgumentError, match=TERMS):
        shap.summary_plot(CUTS[cut](cancer.pairs), show=False)


def test_decision_takes_arrays(cancer):
    with pytest.raises(TypeError, match="shap_values"):  # SHAP's own words: it asks for nothing but the type
        shap.plots.decision(cancer.pairs.base_values[0], cancer.pairs, show=False)


def test_pairs_among_cohorts_are_refused(cancer):
    with pytest.raises(ArgumentError, match=TERMS):
        shap.plots.bar({"first": cancer.pairs[:50], "second": cancer.pairs[50:]}, show=False)


def test_pairs_as_colours_and_orders_are_refused(cancer):
    with pytest.raises(ArgumentError, match=r"explanation\[:, i, j\]"):
        shap.plots.scatter(cancer.values[:, 0], color=cancer.pairs, show=False)
    with pytest.raises(ArgumentError, match="pairs of players"):
        shap.plots.beeswarm(cancer.values, order=cancer.pairs.abs.mean(0), show=False)


def test_pairs_of_texts(review):
    """Rows of different lengths are arrays of objects."""
    pairs = review[2]
    for explanation in (pairs, pairs[0], pairs[0][..., 1]):
        for draw in (shap.plots.bar, shap.plots.waterfall, shap.plots.heatmap):
            with pytest.raises(ArgumentError, match=TERMS):
                draw(explanation, show=False)
    axes = shap.plots.bar(pairs[0][:, 3, 1], show=False)
    assert np.max([bar.get_width() for bar in axes.patches]) == pytest.approx(pairs[0][..., 1].values[:, 3].max())


def test_pairs_are_shown_and_counted_outside_of_plots(cancer):
    assert len(cancer.pairs) == N_ROWS
    assert repr(cancer.pairs[0]).startswith(".values")
    assert cancer.pairs[0].values.shape == (5, 5)


# --- operations of explanations -----------------------------------------------------------------------------------


def test_largest_terms_chosen_by_an_operation(cancer):
    terms = cancer.terms()
    largest = terms[:, terms.abs.mean(0).argsort.flip[:2]]
    order = np.argsort(-np.abs(terms.values).mean(axis=0))[:2]
    assert largest.feature_names == [terms.feature_names[k] for k in order]
    assert_allclose(largest.values, terms.values[:, order])
    axes = shap.plots.bar(largest, show=False)
    assert texts_of(axes.get_yticklabels())[:2] == largest.feature_names


def test_one_term_by_its_name(cancer):
    terms = cancer.terms()
    one = terms[:, "mean radius × mean area"]
    k = terms.feature_names.index("mean radius × mean area")
    assert_allclose(one.values, terms.values[:, k])
    assert_allclose(one.data, cancer.rows["mean radius"] * cancer.rows["mean area"])


def test_bar_of_means(cancer):
    terms = cancer.terms()
    for mean, expected in (
        (terms.abs.mean(0), np.abs(terms.values).mean(axis=0)),
        (terms.mean(0), terms.values.mean(axis=0)),
        (terms.abs.max(0), np.abs(terms.values).max(axis=0)),
    ):
        axes = shap.plots.bar(mean, max_display=MOST, show=False)
        names, values = ranked(expected, terms.feature_names)
        assert_allclose([bar.get_width() for bar in axes.patches], values, atol=1e-12)
        assert texts_of(axes.get_yticklabels())[: len(names)] == names
        plt.close("all")


def test_cohorts(cancer):
    terms = cancer.terms()
    cohorts = terms.cohorts(2)
    assert sum(len(one.values) for one in cohorts.cohorts.values()) == N_ROWS
    axes = shap.plots.bar(cohorts.abs.mean(0), max_display=MOST, show=False)
    widths = [bar.get_width() for bar in axes.patches]
    assert len(widths) == 2 * MOST
    legend = texts_of(axes.get_legend().get_texts())
    assert all(re.search(r" (<|>=) |\[\d+\]", text) for text in legend)


def test_named_cohorts(cancer):
    terms = cancer.terms()
    sides = np.where(cancer.rows["mean radius"] > 14, "large", "small")
    axes = shap.plots.bar(terms.cohorts(sides).abs.mean(0), max_display=30, show=False)
    widths = np.array([bar.get_width() for bar in axes.patches]).reshape(2, -1)
    for found, side in zip(widths, ("large", "small"), strict=True):
        assert_allclose(np.sort(found), np.sort(np.abs(terms.values[sides == side]).mean(axis=0)), atol=1e-12)


def test_clustered_order(cancer):
    terms = cancer.terms()
    order = terms.hclust()
    assert sorted(order) == list(range(N_ROWS))
    axes = shap.plots.heatmap(terms, instance_order=order, max_display=30, show=False)
    columns = np.argsort(-np.abs(terms.values).mean(axis=0))
    assert_allclose(np.asarray(axes.images[0].get_array()), terms.values[order][:, columns].T)
    assert sorted(terms.hclust(axis=1)) == list(range(len(terms.feature_names)))


def test_terms_summed_by_group(cancer):
    terms = cancer.terms()
    grouping = {name: "size" for name in terms.feature_names if "area" in name}
    grouped = terms.sum(axis=1, grouping=grouping)
    inside = np.array([name in grouping for name in terms.feature_names])
    assert len(grouped.feature_names) == 1 + (~inside).sum()
    assert_allclose(grouped[:, "size"].values, terms.values[:, inside].sum(axis=1))
    assert_allclose(grouped.values.sum(axis=1), terms.values.sum(axis=1))
    assert "size" in texts_of(shap.plots.beeswarm(grouped, show=False).get_yticklabels())


def test_terms_of_one_row_summed_by_group(cancer):
    row = cancer.terms()[0]
    grouped = row.sum(grouping={"mean radius × mean area": "size", "mean area": "size"})
    expected = row.values[[row.feature_names.index(name) for name in ("mean radius × mean area", "mean area")]].sum()
    assert_allclose(grouped.values[grouped.feature_names.index("size")], expected)


def test_terms_of_chosen_rows(cancer):
    terms = cancer.terms()
    chosen = terms[terms[:, "mean area"].data > 800]
    assert_allclose(chosen.values, terms.values[(cancer.rows["mean area"] > 800).to_numpy()])
    some = terms[[3, 1]]
    assert_allclose(some.values.sum(axis=1) + some.base_values, cancer.predicted[[3, 1]], atol=1e-9)


def test_added_and_scaled_terms(cancer):
    terms = cancer.terms(data=None)
    assert_allclose((terms * 2).values, 2 * terms.values)
    assert_allclose((terms - terms).values, 0)


def test_no_javascript_has_to_be_loaded(cancer):
    html = shap.plots.force(cancer.terms()[0]).html()
    assert "mean radius \\u00d7 mean area" in html
