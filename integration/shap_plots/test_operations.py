"""What can be done to explanations before they are drawn."""

# ruff: noqa: RUF001 (the multiplication and minus signs are wanted)

from __future__ import annotations

import re

import numpy as np
import pytest
import shap
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from shap_pictures import MOST, N_ROWS, ranked, texts_of

# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")


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
