"""Plots that would misread matrices of pairs are refused."""

from __future__ import annotations

import numpy as np
import pytest
import shap
from shap_pictures import N_ROWS

from captum_spex.errors import ArgumentError
from captum_spex.explainers import to_shap

# Another test may have let SHAP seed NumPy's global state, which its older plots then warn about.
pytestmark = pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning")


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
