"""Plots of many rows: what is drawn is looked up in the picture and compared with the numbers."""

# ruff: noqa: RUF001 (the multiplication and minus signs are wanted)

from __future__ import annotations

import numpy as np
import pytest
import shap
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from numpy.testing import assert_allclose
from shap_pictures import (
    MOST,
    N_ROWS,
    RNG,
    ROUNDED,
    effects,
    forces,
    names_of,
    number,
    points_by_line,
    points_of,
    ranked,
    texts_of,
)

# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")


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
