"""Values of trained models on test points."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from trainings import N_TEST, N, T, X, holds, labels_of, made, slow_answer

from captum_spex.errors import ArgumentError
from captum_spex.games.training import OnTest, TrainingGame


@pytest.mark.sampled
@pytest.mark.parametrize("value", ["probability", "margin", "correct", "score"])
@pytest.mark.parametrize("names", [np.arange(3), np.array(["low", "mid", "top"]), np.array([-4, 0, 9])], ids=str)
def test_values_of_a_classifier(value, names):
    x, _, tests = made()
    truth = names[[2, 0, 1]]
    for model in (LogisticRegression(), DecisionTreeClassifier(max_depth=1), KNeighborsClassifier(3)):
        model.fit(x, names[labels_of(x, 3)])
        for given_truth in (truth, truth.tolist(), pd.Series(truth)):
            assert_allclose(OnTest(tests, given_truth, value)(model), slow_answer(model, tests, truth, value))


def test_labels_that_are_objects():
    x, _, tests = made()
    model = LogisticRegression().fit(x, labels_of(x))
    wanted = OnTest(tests, [1, 0, 1], "probability")(model)
    assert_allclose(OnTest(tests, np.array([1, 0, 1], dtype=object), "probability")(model), wanted)
    assert_allclose(
        OnTest(tests, pd.Series([1, 0, 1], dtype=object), "correct")(model), OnTest(tests, [1, 0, 1], "correct")(model)
    )


@pytest.mark.parametrize("value", ["probability", "margin", "correct", "score"])
def test_classes_that_a_subset_lacks(value):
    x, _, tests = made()
    labels = labels_of(x, 3)
    model = LogisticRegression().fit(x[labels != 1], labels[labels != 1])
    truth = [0, 1, 2]
    assert_allclose(OnTest(tests, truth, value)(model), slow_answer(model, tests, truth, value))
    holds(KNeighborsClassifier(2), (x, labels), tests, (labels != 1)[None], truth=truth, value=value)


def test_margins_are_bounded_log_odds():
    tree = DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"])
    margins = OnTest([[0.0], [1.0], [0.0]], ["a", "a", "?"], "margin")(tree)
    assert_allclose(margins, np.log(1e9 - 1) * np.array([1, -1, -1]), rtol=1e-6)


@pytest.mark.parametrize("model", [RidgeClassifier(), make_pipeline(StandardScaler(), RidgeClassifier())], ids=str)
def test_classifiers_without_probabilities(model):
    x, _, tests = made()
    model.fit(x, np.array(["no", "yes"])[labels_of(x)])
    truth = ["yes", "no", "no"]
    assert_array_equal(OnTest(tests, truth, "correct")(model), model.predict(tests) == truth)
    assert OnTest(tests, truth, "score")(model) == model.score(tests, truth)
    for value in ("probability", "margin"):
        with pytest.raises(
            ArgumentError, match=r"`value`: expected 'correct' or 'score', got .* without probabilities.*`evaluate`"
        ):
            OnTest(tests, truth, value)(model)


def test_predictions_of_several_targets_are_outputs_one_after_the_other():
    x, y, tests = made(n_targets=2)
    model = LinearRegression().fit(x, y)
    assert_allclose(OnTest(tests)(model), model.predict(tests).ravel())


@pytest.mark.parametrize("n_targets", [0, 1, 3])
def test_scores_of_regressors(n_targets):
    x, y, tests = made(n_targets=n_targets)
    truth = made(9, N_TEST, n_targets)[1]
    model = LinearRegression().fit(x, y)
    assert_allclose(OnTest(tests, truth, "score")(model), model.score(tests, truth))


def test_scores_where_the_truth_does_not_vary():
    x, y, tests = made(n_targets=2)
    truth = np.array([[1.0, 1], [1, 2], [1, 3]])
    model = LinearRegression().fit(x, y)
    assert_allclose(OnTest(tests, truth, "score")(model), model.score(tests, truth))
    assert_allclose(OnTest(tests, [1.0] * 3, "score")(LinearRegression().fit(x, y[:, 0])), 0.0)


def test_margins_of_regressors():
    x, y, tests = made()
    signs = np.array([1, -1, -1])
    model = LinearRegression().fit(x, np.sign(y))
    assert_allclose(OnTest(tests, signs, "margin")(model), signs * model.predict(tests))
    one_hot = np.eye(3)[labels_of(x, 3)]
    model = LinearRegression().fit(x, one_hot)
    says, truth = model.predict(tests), [2, 0, 1]
    wanted = [says[row, own] - np.delete(says[row], own).max() for row, own in enumerate(truth)]
    assert_allclose(OnTest(tests, np.eye(3)[truth], "margin")(model), wanted)
    assert_allclose(OnTest(tests, np.eye(3, dtype=int)[truth], "margin")(model), wanted)


# --- refused ----------------------------------------------------------------------------------------------------------

BAD_TESTS = [
    ((T, None, "margin"), "`y`: expected the true labels, for the value 'margin', got None"),
    ((T, [1.0, 2.0], "score"), "`y`: expected (3,): one for each test point, got shape (2,)"),
    ((T[:0],), "`X`: expected at least one test point, got none"),
    (
        (T, [0, 1, 0], "accuracy"),
        "`value`: expected 'prediction', 'probability', 'margin', 'correct', 'score', got 'accuracy'",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_TESTS, ids=[str(number) for number in range(len(BAD_TESTS))])
def test_bad_test_points(arguments, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        OnTest(*arguments)


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("model", "value", "truth", "message"),
    [
        (
            LogisticRegression(),
            "prediction",
            None,
            "`value`: expected 'probability', 'margin', 'correct' or 'score', got 'prediction' for a classifier",
        ),
        (
            LinearRegression(),
            "probability",
            [0, 1, 0],
            "`value`: expected 'prediction', 'margin' or 'score', got 'probability' for a regressor",
        ),
        (
            LinearRegression(),
            "correct",
            [0, 1, 0],
            "`value`: expected 'prediction', 'margin' or 'score', got 'correct' for a regressor",
        ),
        (
            LinearRegression(),
            "score",
            np.zeros((3, 2)),
            "`y`: expected the true values, in the same shape, got shape (3, 2) for predictions of shape (3,)",
        ),
        (
            LogisticRegression(),
            "probability",
            np.zeros((3, 1)),
            "`y`: expected (3,): a class for each test point, got shape (3, 1)",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("untrainable", ["prior", "raise", 0.0])
def test_values_that_do_not_go_with_the_model(model, value, truth, message, untrainable):
    game = TrainingGame(model, OnTest(T, truth, value), (X, labels_of(X)), untrainable=untrainable)
    with pytest.raises(ArgumentError, match=re.escape(message)):
        game(np.ones((1, N), bool))


def test_values_that_do_not_go_with_a_closed_form():
    game = TrainingGame(KNeighborsClassifier(2), OnTest(T), (X, labels_of(X)))
    with pytest.raises(ArgumentError, match=r"`value`: expected 'probability', .*, got 'prediction' for a classifier"):
        game(np.ones((1, N), bool))
