"""Training data, models that count their trainings, and a slow twin that trains on every subset."""

from __future__ import annotations

import numpy as np
from oracles import every_mask, sii
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.naive_bayes import BernoulliNB

from captum_spex import approximators as algorithms

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=10, links=False))
SAME = {"rtol": 1e-7, "atol": 1e-8}


N, N_TEST = 6, 3


def made(n=N, seed=0):
    rng = np.random.default_rng(seed)
    x, tests = rng.normal(size=(n, 2)), rng.normal(size=(N_TEST, 2))
    return x, np.round(x @ [1.0, -2.0] + rng.normal(size=n), 3), tests


def classes_of(x):
    return (x[:, 0] > np.median(x[:, 0])).astype(int)


X, Y, TESTS = made()


CLASSES, TRUTH = classes_of(X), np.array([1, 0, 1])


def tables(train_and_ask, n_players, groups=None):
    """Values of all coalitions ``(n_test, 2**n)``; the function gets the rows to train on."""
    of_point = np.arange(n_players) if groups is None else np.asarray(groups)
    return np.stack([train_and_ask(np.flatnonzero(mask[of_point])) for mask in every_mask(n_players)], axis=1)


def shapley(values, n_players):
    return np.array([[sii(table, n_players, 1)[(player,)] for player in range(n_players)] for table in values])


def asked(model, tests, truth, value):
    if value == "prediction":
        return model.predict(tests)
    if value == "correct":
        return (model.predict(tests) == truth).astype(float)
    if value == "margin" and not is_classifier(model):
        return truth * model.predict(tests)
    known, table = list(model.classes_), model.predict_proba(tests)
    own = np.array(
        [row[known.index(label)] if label in known else 0.0 for row, label in zip(table, truth, strict=True)]
    )
    if value == "probability":
        return own
    own = np.clip(own, 1e-9, 1 - 1e-9)
    return np.log(own / (1 - own))


def by_hand(estimator, columns, tests, *, truth=None, value="prediction", groups=None):
    """Values of all coalitions; where an estimator cannot be trained, a dummy that saw all answers stands in."""
    prior = (DummyClassifier(strategy="prior") if is_classifier(estimator) else DummyRegressor()).fit(*columns)

    def train_and_ask(rows):
        try:
            model = clone(estimator).fit(*(column[rows] for column in columns)) if len(rows) else prior
            return asked(model, tests, truth, value)
        except ValueError:
            return asked(prior, tests, truth, value)

    return tables(train_and_ask, len(columns[0]) if groups is None else max(groups) + 1, groups)


class Counted(RegressorMixin, BaseEstimator):
    """Predicts the square of the sum of the targets; counts the trainings of all its clones."""

    trainings = 0

    def fit(self, x, y):
        type(self).trainings += 1
        self.sum_ = np.sum(y)
        return self

    def predict(self, x):
        return np.asarray(x)[:, 0] * self.sum_**2


class CountedClassifier(ClassifierMixin, Counted):
    """A classifier that gives no probabilities."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return super().fit(x, y)

    def predict(self, x):
        return np.full(len(x), self.classes_[0])


class CountedBayes(BernoulliNB):
    """A classifier that counts."""

    def fit(self, x, y):
        Counted.trainings += 1
        return super().fit(x, y)


def trainings():
    count = Counted.trainings + CountedClassifier.trainings
    Counted.trainings = CountedClassifier.trainings = 0
    return count
