"""Mixed data frames against exact oracles: SHAP's explainers of trees and of all masks, and enumeration by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shap
from numpy.testing import assert_allclose
from shap_cases import slow_games, slow_matrix
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from captum_spex.explainers import ProxySpexExplainer, to_shap

COLOURS = ["red", "green", "blue"]
SIZES = pd.CategoricalDtype(["S", "M", "L"], ordered=True)
FIRST_DAY = pd.Timestamp("2024-01-01")
N_BACKGROUND, N_ROWS = 12, 4


def mixed(n_rows, seed):
    """Integers above 2**53 beside floats, flags, texts, two kinds of categories, dates, durations and nullables."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": 2**60 + rng.integers(0, 8, n_rows),
            "age": rng.normal(40, 10, n_rows),
            "member": rng.integers(0, 2, n_rows).astype(bool),
            "colour": pd.Categorical(rng.choice(COLOURS, n_rows), COLOURS),
            "size": pd.Series(rng.choice(["S", "M", "L"], n_rows)).astype(SIZES),
            "city": rng.choice(["Bonn", "Rome", "00"], n_rows),
            "since": FIRST_DAY + pd.to_timedelta(rng.integers(0, 500, n_rows), unit="D"),
            "wait": pd.to_timedelta(rng.integers(0, 9, n_rows), unit="h"),
            "visits": pd.array(rng.integers(0, 5, n_rows), "Int64"),
        },
    )


BACKGROUND, X = mixed(N_BACKGROUND, 1), mixed(N_ROWS, 2)


def numbers(frame):
    """What the models below learn from; every dtype must have arrived as it was."""
    assert list(frame.dtypes) == list(X.dtypes)
    return np.column_stack(
        [
            (frame["id"] - 2**60).to_numpy(float),
            frame["age"],
            frame["member"],
            frame["colour"].cat.codes,
            frame["size"].cat.codes,
            frame["city"].map({"Bonn": 0, "Rome": 1, "00": 2}),
            (frame["since"] - FIRST_DAY).dt.days,
            frame["wait"].dt.total_seconds() / 3600,
            frame["visits"].to_numpy(float),
        ]
    )


TRAINING = mixed(200, 3)
TARGET = numbers(TRAINING) @ np.linspace(0.1, 0.5, 9) + 3 * TRAINING["member"] * (TRAINING["city"] == "Rome")
FORESTS = {
    "regression": RandomForestRegressor(8, max_depth=5, random_state=0).fit(numbers(TRAINING), TARGET),
    "three classes": RandomForestClassifier(8, max_depth=5, random_state=0).fit(
        numbers(TRAINING), pd.qcut(TARGET, 3, labels=False)
    ),
}


def model_of(forest):
    predict = getattr(forest, "predict_proba", forest.predict)
    return lambda frame: predict(numbers(frame))


@pytest.mark.parametrize("forest", FORESTS.values(), ids=FORESTS)
def test_forests_against_the_explainer_of_trees(forest):
    found = ProxySpexExplainer(model_of(forest), BACKGROUND)(X)
    oracle = shap.TreeExplainer(forest, numbers(BACKGROUND), feature_perturbation="interventional")
    expected = oracle(numbers(X), check_additivity=False)
    single = 1e-7 * max(1.0, np.abs(expected.values).max())  # SHAP adds up in single precision
    assert_allclose(found.values, expected.values, atol=single)
    assert_allclose(found.base_values, np.reshape(expected.base_values, found.base_values.shape), rtol=1e-6)


@pytest.mark.parametrize("forest", FORESTS.values(), ids=FORESTS)
def test_forests_against_all_masks(forest):
    found = ProxySpexExplainer(model_of(forest), BACKGROUND)(X)
    predict = getattr(forest, "predict_proba", forest.predict)
    expected = shap.ExactExplainer(predict, shap.maskers.Independent(numbers(BACKGROUND)))(numbers(X))
    assert_allclose(found.values, expected.values, atol=1e-9)


def test_pairs_and_terms_against_enumeration():
    forest = FORESTS["regression"]
    explainer, rows = ProxySpexExplainer(model_of(forest), BACKGROUND), X.iloc[:2]
    pairs = explainer(rows, interactions=True)
    for row in range(2):
        game = slow_games(forest.predict, numbers(BACKGROUND), numbers(X)[row])[0]
        assert_allclose(pairs.values[row], slow_matrix(game, 9), atol=1e-9)
    terms = to_shap(explainer.interactions(rows), "terms", data=rows)
    assert_allclose(terms.base_values + terms.values.sum(axis=1), forest.predict(numbers(rows)), atol=1e-9)


def test_explanations_hold_the_cells_of_the_frame():
    found = ProxySpexExplainer(model_of(FORESTS["regression"]), BACKGROUND)(X)
    assert found.feature_names == list(X.columns)
    for place, name in enumerate(X.columns):
        assert list(found.data[:, place]) == list(X[name])
    assert found[:, "id"].data.tolist() == X["id"].tolist()
