"""The explainers on models that have learnt something, at the sizes that people have."""

from __future__ import annotations

import io

import numpy as np
import pytest
import shap
import torch
import transformers
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from captum_spex.explainers import ProxySpexExplainer, SpexExplainer, to_shap
from captum_spex.explainers.explainer import Limits
from captum_spex.games.text import embedded_model

ROWS = 3


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def forest(cancer):
    return RandomForestClassifier(50, random_state=0).fit(*cancer)


def assert_adds_up(explanation, outputs):
    summed = explanation.base_values + explanation.values.sum(axis=1)
    assert_allclose(summed, outputs, atol=1e-6 * max(1.0, float(np.abs(outputs).max())))


def test_a_forest_against_its_exact_values(cancer, forest):
    rows, background = cancer[0][:ROWS], cancer[0].sample(10, random_state=0)
    found = ProxySpexExplainer(forest.predict_proba, background, seed=0)(rows, error_bounds=True)
    assert_adds_up(found, forest.predict_proba(rows))
    exact = shap.TreeExplainer(forest, background, feature_perturbation="interventional")(rows).values
    assert np.linalg.norm(found.values - exact) < 0.1 * np.linalg.norm(exact)
    assert (np.abs(found.values - exact) < 3 * found.error_std).mean() > 0.9


def test_a_logistic_regression_in_log_odds_is_a_sum(cancer):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(*cancer)
    rows, background = cancer[0][:ROWS], cancer[0].sample(5, random_state=0)
    explainer = ProxySpexExplainer(model.predict_proba, background, link=shap.links.logit, linearize_link=False, seed=0)
    found = explainer(rows, outputs=[1])
    assert_adds_up(found, shap.links.logit(model.predict_proba(rows))[:, 1:])
    one = ProxySpexExplainer(model.predict_proba, background[:1], link=shap.links.logit, seed=0)(rows, outputs=[1])
    weights = model[1].coef_[0] / model[0].scale_
    assert_allclose(one.values[..., 0], weights * (rows.to_numpy() - background[:1].to_numpy()), atol=1e-4)


def test_a_torch_network(cancer):
    x = torch.tensor(StandardScaler().fit_transform(cancer[0]), dtype=torch.float32)
    y = torch.tensor(cancer[1].to_numpy())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    model.eval()
    found = ProxySpexExplainer(model, x[:1].numpy(), seed=0)(x[5 : 5 + ROWS])
    assert_adds_up(found, model(x[5 : 5 + ROWS]).detach().numpy())
    rival = shap.PermutationExplainer(lambda a: model(torch.tensor(a).float()).detach().numpy(), x[:1].numpy(), seed=0)
    truth = rival(x[5 : 5 + ROWS].numpy(), max_evals=61 * 300, silent=True).values
    assert np.linalg.norm(found.values - truth) < 0.1 * np.linalg.norm(truth)


def test_a_pipeline_of_texts():
    model, tokenizer = embedded_model()
    pipeline = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    texts = ["Her acting never fails to impress", "the plot was not bad at all"]
    explainer = ProxySpexExplainer(pipeline, seed=0)
    found = explainer(texts)
    outputs = explainer.model(texts)
    for row, base, values in zip(outputs, found.base_values, found.values, strict=True):
        assert_allclose(base + values.sum(axis=0), row, atol=1e-6)
    terms = to_shap([row[0] for row in explainer.interactions(texts, outputs=[1])], "terms")
    largest = [terms.feature_names[k] for k in np.argsort(-np.abs(terms.values), axis=1)[:, 0]]
    assert largest == ["never × fails", "not × bad"]  # noqa: RUF001


def test_images_behind_the_image_masker():
    data = load_digits()
    images = data.images[..., None] / 16
    model = LogisticRegression(max_iter=500).fit(images.reshape(-1, 64), data.target)
    score = lambda a: model.predict_proba(a.reshape(-1, 64))  # noqa: E731
    explainer = ProxySpexExplainer(score, shap.maskers.Image(0.0, (8, 8, 1)), seed=0)
    found = explainer(images[:2], outputs=shap.Explanation.argsort.flip[:1])
    assert found.shape == (2, 8, 8, 1, 1)
    assert_allclose(found.base_values + found.values.sum(axis=(1, 2, 3)), score(images[:2]).max(axis=1)[:, None])
    assert explainer(images[:1], interactions=True, outputs=[0]).shape == (1, 64, 64, 1)


@pytest.mark.parametrize("kind", [ProxySpexExplainer, SpexExplainer])
def test_a_thousand_features_in_one_call(kind):
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(1000) < 0.02, rng.normal(size=1000), 0.0)
    score = lambda x: x @ weights + 3 * x[:, 7] * x[:, 500] - 2 * x[:, 8] * x[:, 501] * x[:, 502]  # noqa: E731
    rows = np.ones((1, 1000))
    explainer = kind(score, np.zeros((1, 1000)), seed=0)
    max_evals = 3000 if kind is ProxySpexExplainer else "auto"
    found = explainer(rows, max_evals=max_evals)
    assert_adds_up(found, score(rows))
    exact = weights.copy()
    exact[[7, 500]] += 1.5
    exact[[8, 501, 502]] -= 2 / 3
    assert np.linalg.norm(found.values[0] - exact) < 0.1 * np.linalg.norm(exact)
    fewer = 500 if kind is ProxySpexExplainer else "auto"
    assert explainer(rows, max_evals=fewer, interactions=True).shape == (1, 1000, 1000)


class AtOnce(ProxySpexExplainer):
    """An explainer that shows its progress bar at once."""

    limits = Limits(progress_delay=0)


def test_a_thousand_rows_in_one_call_with_a_progress_bar(capsys):
    rows = np.random.default_rng(0).normal(size=(1000, 8))
    score = lambda x: np.tanh(x[:, 0] * x[:, 1]) + x.sum(axis=1) ** 2  # noqa: E731
    explainer = AtOnce(score, np.zeros((1, 8)))
    found = explainer(rows)
    assert "1000/1000" in capsys.readouterr().err
    assert_adds_up(found, score(rows))
    explainer(rows[:5], silent=True)
    assert capsys.readouterr().err == ""


def test_save_and_load_a_forest(cancer, forest):
    explainer = ProxySpexExplainer(forest.predict_proba, cancer[0][:2], seed=3)
    stream = io.BytesIO()
    explainer.save(stream)
    stream.seek(0)
    again = shap.Explainer.load(stream)
    assert_allclose(again(cancer[0][9:10], max_evals=100).values, explainer(cancer[0][9:10], max_evals=100).values)
