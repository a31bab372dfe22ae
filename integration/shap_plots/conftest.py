"""Explanations that every plot of SHAP draws."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import transformers
from shap_pictures import N_ROWS, TEXTS, Tables
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from captum_spex.explainers import ProxySpexExplainer, to_shap
from captum_spex.games.text import embedded_model

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed_figures():
    plt.close("all")
    yield
    plt.close("all")


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
