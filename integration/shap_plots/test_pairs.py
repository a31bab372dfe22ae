"""Plots of matrices of pairs, compared with the numbers."""

from __future__ import annotations

import numpy as np
import pytest
import shap
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from shap_pictures import RNG, names_of, points_by_line, points_of, texts_of

from captum_spex import explain
from captum_spex.explainers import to_shap

# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")


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
