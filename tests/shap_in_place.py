"""A pytest plugin: SHAP's own tests with this package's explainers in the places of its sampling ones.

Additivity is checked to rounding; SHAP's tests compare it with a million. What they download is made here.
"""

from __future__ import annotations

import importlib
import sys
import types

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import shap
import sklearn.datasets
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingClassifier

from captum_spex.approximators import GaussianProcess, ProxySpex, Spex
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer

ADDITIVE = 1e-6  # share of the outputs
OWN_KERNEL = shap.KernelExplainer
_OLDER = {"nsamples", "l1_reg", "keep_index", "random_state"}
_QUICK = {"ProxySpexExplainer": ProxySpex(GaussianProcess(n_steps=5, links=False)), "SpexExplainer": Spex()}


def clipped_logit(x):
    """SHAP's older link: finite where a forest is certain."""
    x = np.clip(x, 1e-7, 1 - 1e-7)
    return np.log(x / (1 - x))


_LINKS = {"identity": shap.links.identity, "logit": clipped_logit}


class PermutationExplainer(ProxySpexExplainer):
    """In the place of ``shap.PermutationExplainer``."""


class ExactExplainer(ProxySpexExplainer):
    """In the place of ``shap.ExactExplainer``: every mask is evaluated."""

    def default_max_evals(self, n_players):
        """All masks."""
        return 2**n_players


class KernelExplainer(ProxySpexExplainer):
    """In the place of ``shap.KernelExplainer``, whose arguments it translates; the others have the same."""

    not_equal = staticmethod(OWN_KERNEL.not_equal)

    def __init__(self, model, data=None, feature_names=None, link="identity", masker=None, **others):
        others = {name: value for name, value in others.items() if name not in _OLDER} | {"linearize_link": False}
        link = _LINKS.get(link, link) if isinstance(link, str) else link
        super().__init__(model, data if masker is None else masker, link=link, feature_names=feature_names, **others)

    def __call__(self, rows, l1_reg=None, silent=True):
        if len(rows.shape) == 1:
            return self(rows.to_frame().T if isinstance(rows, pd.Series) else rows[None])[0]
        found = super().__call__(rows, silent=silent)
        self.expected_value = found.base_values[0]
        if l1_reg is not None:  # SHAP sets values to 0 that are rounding here
            found.values[np.abs(found.values) < 1e-12 * np.abs(found.values).max()] = 0.0
        return found

    def shap_values(self, rows, nsamples=None, l1_reg=None, silent=True):
        """The values alone."""
        return self(rows).values

    def explain(self, row):
        """The values of one row."""
        return self(row).values[0]


def strictly_additive(explainer_type, model, masker, data, **kwargs):
    """In the place of ``common.test_additivity``: values and base value sum to the output for the whole row."""
    explainer = explainer_type(model, masker, **kwargs)
    found = explainer(data)
    for number in range(len(found)):
        row, shape = found[number], explainer.masker.shape
        present = np.ones((shape(data[number]) if callable(shape) else shape)[1], dtype=bool)
        shown = explainer.masker(present, data[number])
        output = np.asarray(explainer.model(*(shown if isinstance(shown, tuple) else (shown,))))
        assert_allclose(row.base_values + row.values.sum(axis=0), output.mean(axis=0), rtol=ADDITIVE, atol=ADDITIVE)


def strictly_additive_pairs(explainer_type, model, masker, data, **kwargs):
    """In the place of ``common.test_interactions_additivity``."""
    found = explainer_type(model, masker, **kwargs)(data, interactions=True)
    assert_allclose(found.base_values + found.values.sum(axis=(1, 2)), model(data), rtol=ADDITIVE, atol=ADDITIVE)
    assert_allclose(found.values, found.values.swapaxes(1, 2), rtol=ADDITIVE, atol=ADDITIVE)


def adult(**_):
    """A table like that of incomes, which SHAP downloads: 12 columns, numbers and codes, and what depends on them."""
    rng = np.random.default_rng(0)
    names = ["Age", "Workclass", "Education-Num", "Marital Status", "Occupation", "Relationship", "Race", "Sex",
             "Capital Gain", "Capital Loss", "Hours per week", "Country"]  # fmt: skip
    table = pd.DataFrame({name: rng.integers(0, 5, 12).astype(np.float32) for name in names})
    return table, (table["Age"] * table["Sex"] + table["Race"] > 4).to_numpy()


def california(n_points=None, **_):
    """A table of eight numbers, and a target."""
    table, target = sklearn.datasets.make_regression(n_points or 500, 8, random_state=0)
    return pd.DataFrame(table, columns=[f"column {number}" for number in range(8)]), target


def a1a(**_):
    """Sparse flags of 119 columns, 14 to a row."""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(300), 14)
    columns = np.concatenate([rng.choice(119, 14, replace=False) for _ in range(300)])
    table = scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (300, 119))
    return table, np.where(rng.normal(size=300) > 0, 1.0, -1.0)


def newsgroups(**_):
    """Messages of a few words."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"word{number}" for number in rng.integers(0, 500, 12)) for _ in range(100)]
    return sklearn.utils.Bunch(data=texts, target=rng.integers(0, 4, 100))


class XGBClassifier(HistGradientBoostingClassifier):
    """Boosted trees, where XGBoost is not installed."""

    def __init__(self, tree_method=None, base_score=None):
        super().__init__(max_iter=10, min_samples_leaf=2)
        self.tree_method, self.base_score = tree_method, base_score


def pytest_addoption(parser):
    """Which explainer stands in the places."""
    parser.addoption("--in-place", choices=("ProxySpexExplainer", "SpexExplainer"), default="ProxySpexExplainer")


def pytest_configure(config):
    """Put everything into its place, before SHAP's tests are imported."""
    chosen = config.getoption("--in-place")
    for kind in (PermutationExplainer, ExactExplainer, KernelExplainer):
        if chosen == "SpexExplainer":
            kind.__bases__ = (SpexExplainer,)
        kind.default_approximator = staticmethod(lambda: _QUICK[chosen])
        setattr(shap, kind.__name__, kind)
        setattr(shap.explainers, kind.__name__, kind)
    for made in (adult, california, a1a):
        setattr(shap.datasets, made.__name__, made)
    sklearn.datasets.fetch_20newsgroups = newsgroups
    shap.initjs = lambda: None  # of notebooks
    if importlib.util.find_spec("xgboost") is None:
        sys.modules["xgboost"] = types.ModuleType("xgboost")
        sys.modules["xgboost"].XGBClassifier = XGBClassifier


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Make the checks that all modules share strict."""
    for item in items:
        common = getattr(item.module, "common", None)
        if common is not None:
            common.test_additivity = strictly_additive
            common.test_interactions_additivity = strictly_additive_pairs
