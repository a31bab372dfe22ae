"""Made data, and slow twins that train for every mask."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor

from captum_spex.games.training import OnTest, TrainingGame

SAME = {"rtol": 1e-8, "atol": 1e-8}
N, N_TEST = 12, 3


def made(seed=0, n=N, n_targets=0, n_features=4):
    """Points, targets and test points without ties."""
    rng = np.random.default_rng(seed)
    x, tests = rng.normal(size=(n, n_features)), rng.normal(size=(N_TEST, n_features))
    y = rng.normal(size=(n, n_targets) if n_targets else n)
    return x, y, tests


def labels_of(x, n_classes=2):
    """Classes of about the same size, that follow the first feature."""
    return np.argsort(np.argsort(x[:, 0])) * n_classes // len(x)


def some_masks(n=N, seed=0, count=30):
    """None, all, single points, all but one, random ones of all sizes, and some of them twice."""
    rng = np.random.default_rng(seed)
    random = rng.random((count, n)) < rng.random((count, 1))
    fixed = [np.zeros((1, n), bool), np.ones((1, n), bool), np.eye(n, dtype=bool)[:3], ~np.eye(n, dtype=bool)[:2]]
    return np.concatenate([*fixed, random, random[:4]])


def slow_answer(model, tests, truth, value):
    """One trained model's value on the test points, by scikit-learn's own methods."""
    if value == "score":
        return np.asarray(model.score(tests, truth))
    if value == "prediction":
        return np.asarray(model.predict(tests), dtype=float).ravel()
    if value == "correct":
        return (model.predict(tests) == np.asarray(truth)).astype(float)
    classes, table = list(model.classes_), model.predict_proba(tests)
    own = [table[row, classes.index(label)] if label in classes else 0.0 for row, label in enumerate(truth)]
    if value == "probability":
        return np.asarray(own)
    own = np.clip(own, 1e-9, 1 - 1e-9)
    return np.log(own / (1 - own))


def slow_values(estimator, columns, tests, masks, truth=None, value="prediction"):
    """Fit a clone on every subset; where that cannot be, a dummy of all the data."""
    dummy = DummyClassifier(strategy="prior") if is_classifier(estimator) else DummyRegressor()
    prior = dummy.fit(*columns[:2])
    values = []
    for mask in masks:
        rows = np.flatnonzero(mask)
        try:
            parts = [column.iloc[rows] if hasattr(column, "iloc") else column[rows] for column in columns]
            model = clone(estimator).fit(*parts) if len(rows) else prior
            values.append(slow_answer(model, tests, truth, value))
        except ValueError:
            values.append(slow_answer(prior, tests, truth, value))
    return np.asarray(values)


def holds(estimator, columns, tests, masks=None, *, truth=None, value="prediction", tolerance=SAME):
    """The game has the slow twin's values; returns the game."""
    masks = some_masks(len(columns[1])) if masks is None else masks
    game = TrainingGame(estimator, OnTest(tests, truth, value), columns)
    assert_allclose(game(masks), slow_values(estimator, columns, tests, masks, truth, value), **tolerance)
    return game


X, Y, T = made()
