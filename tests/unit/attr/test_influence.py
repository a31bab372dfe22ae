"""Training points that matter, against a slow twin: every subset trained on by hand."""

from __future__ import annotations

import inspect
import random
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from captum.influence import DataInfluence, TracInCP
from captum.influence._utils.common import KMostInfluentialResults
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, sii, stii
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn
from torch.testing import assert_close
from torch.utils.data import Dataset, TensorDataset

import captum_spex
from captum_spex import Interactions
from captum_spex import approximators as algorithms
from captum_spex.attr import ProxySpexInfluence
from captum_spex.errors import ArgumentError, BudgetError, GameError, MaskError, OrderError, UnknownNameError
from captum_spex.games.training import OnTest, TrainingGame

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=10, links=False))
SAME = {"rtol": 1e-7, "atol": 1e-8}
N, N_TEST = 6, 3


# --- made data, and the slow twin -------------------------------------------------------------------------------------


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


@pytest.fixture(autouse=True)
def no_trainings():
    Counted.trainings = CountedClassifier.trainings = 0


def trainings():
    count = Counted.trainings + CountedClassifier.trainings
    Counted.trainings = CountedClassifier.trainings = 0
    return count


# --- equal to the definition ------------------------------------------------------------------------------------------

REGRESSORS = {
    "ridge": Ridge(alpha=0.3),
    "kernel ridge": KernelRidge(kernel="rbf", gamma=0.5),
    "neighbors": KNeighborsRegressor(1),
    "tree": DecisionTreeRegressor(max_depth=2, random_state=0),
    "least squares": LinearRegression(fit_intercept=False),
}
CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "bayes": BernoulliNB(alpha=0.5),
    "neighbors": KNeighborsClassifier(3),
    "tree": DecisionTreeClassifier(random_state=0),
}


@pytest.mark.sampled
@pytest.mark.parametrize("value", [None, "prediction", "margin"])
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name, value):
    model, truth = REGRESSORS[name], np.array([1.0, -1.0, 1.0])
    inputs = (TESTS, truth) if value == "margin" else TESTS
    wanted = by_hand(model, (X, Y), TESTS, truth=truth, value=value or "prediction")
    found = ProxySpexInfluence(model, (X, Y), value=value).influence(inputs)
    assert (type(found), found.dtype, found.shape) == (torch.Tensor, torch.float64, (N_TEST, N))
    assert_allclose(found, shapley(wanted, N), **SAME)
    assert_allclose(found.sum(dim=1), wanted[:, -1] - wanted[:, 0], **SAME)


@pytest.mark.sampled
@pytest.mark.parametrize("value", [None, "margin", "probability", "correct"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name, value):
    model = CLASSIFIERS[name]
    wanted = by_hand(model, (X, CLASSES), TESTS, truth=TRUTH, value=value or "margin")
    found = ProxySpexInfluence(model, (X, CLASSES), value=value).influence((TESTS, TRUTH))
    assert_allclose(found, shapley(wanted, N), **SAME)


def test_eight_points_and_classes_with_names():
    x = made(8, seed=3)[0]
    words, truth = np.array(["ham", "spam"])[classes_of(x)], np.array(["spam", "ham", "spam"])
    wanted = by_hand(BernoulliNB(alpha=0.5), (x, words), TESTS, truth=truth, value="probability")
    influence = ProxySpexInfluence(BernoulliNB(alpha=0.5), (x, words), value="probability")
    assert_allclose(influence.influence((TESTS, truth)), shapley(wanted, 8), **SAME)


def trained_network(x, y):
    """A few steps of gradient descent on a small network, always from the same start."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.7, generator=generator)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def log_probability(model, x, y):
    return -nn.functional.cross_entropy(model(x), y, reduction="none")


@pytest.mark.parametrize("as_data_set", [False, True])
def test_a_network_that_is_trained_by_a_function(as_data_set):
    x, y = torch.from_numpy(X), torch.from_numpy(CLASSES)
    tests = torch.from_numpy(TESTS), torch.from_numpy(TRUTH)

    def train_and_ask(rows):
        if not len(rows):
            return np.full(N_TEST, np.log(0.5))
        return log_probability(trained_network(x[rows], y[rows]), *tests).detach().numpy()

    data = TensorDataset(x, y) if as_data_set else (x, y)
    influence = ProxySpexInfluence(
        trained_network, data, value=log_probability, settings={"untrainable": float(np.log(0.5))}
    )
    found = influence.influence(TensorDataset(*tests) if as_data_set else tests)
    assert_allclose(found, shapley(tables(train_and_ask, N), N), **SAME)
    assert torch.is_grad_enabled()


def test_a_function_of_an_estimator():
    """What is observed need not be the answer on the test points one by one."""
    wanted = tables(lambda rows: Ridge().fit(X[rows], Y[rows]).predict(TESTS) ** 2 if len(rows) else [0.0] * 3, N)

    def squared(model, tests):
        return model.predict(tests) ** 2

    influence = ProxySpexInfluence(Ridge(), (X, Y), value=squared, settings={"untrainable": 0.0})
    assert_allclose(influence.influence(TESTS), shapley(wanted, N), **SAME)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, list], ids=["array", "tensor", "list"])
def test_groups_are_players(kind):
    groups = [2, 0, 0, 1, 2, 2]
    wanted = by_hand(Ridge(), (X, Y), TESTS, groups=groups)
    influence = ProxySpexInfluence(Ridge(), (X, Y), groups=kind(groups))
    assert influence.names == ("0", "1", "2")
    assert_allclose(influence.influence(TESTS), shapley(wanted, 3), **SAME)
    assert influence.influence(TESTS, k=3).indices.max() == 2
    assert influence.interactions(TESTS)[0]["0", "2"] == influence.interactions(TESTS)[0][0, 2]


def test_names_of_points():
    influence = ProxySpexInfluence(Ridge(), (X, Y))
    assert influence.names == tuple(f"point {row}" for row in range(N))
    assert influence.interactions(TESTS)[0].names == influence.names


class Pairs(Dataset):
    """A data set of points and numbers, which need not be tensors."""

    def __len__(self):
        return N

    def __getitem__(self, row):
        return X[row], float(Y[row])


class Points(Dataset):
    """A data set of test points, without a tuple around them."""

    def __len__(self):
        return N_TEST

    def __getitem__(self, row):
        return torch.from_numpy(TESTS[row])


KINDS = {
    "arrays": ((X, Y), TESTS),
    "a tuple of one column to test on": ((X, Y), (TESTS,)),
    "tensors": ((torch.tensor(X), torch.tensor(Y)), torch.tensor(TESTS)),
    "tensors with gradients": ((torch.tensor(X, requires_grad=True), torch.tensor(Y)), torch.tensor(TESTS)),
    "tensor data set": (TensorDataset(torch.tensor(X), torch.tensor(Y)), TensorDataset(torch.tensor(TESTS))),
    "data set": (Pairs(), Points()),
    "data frames": ((pd.DataFrame(X), pd.Series(Y)), pd.DataFrame(TESTS)),
    "sparse": ((scipy.sparse.csr_matrix(X), Y), scipy.sparse.csr_matrix(TESTS)),
}


@pytest.mark.parametrize(("data", "tests"), KINDS.values(), ids=KINDS)
def test_data_of_all_kinds(data, tests):
    found = ProxySpexInfluence(Ridge(alpha=0.3, fit_intercept=False), data).influence(tests)
    wanted = by_hand(Ridge(alpha=0.3, fit_intercept=False), (X, Y), TESTS)
    assert_allclose(found, shapley(wanted, N), **SAME)


def test_texts():
    texts, labels = ["good film", "bad film", "good", "bad plot"], np.array([1, 0, 1, 0])
    model = make_pipeline(CountVectorizer(), MultinomialNB())
    tests, truth = ["good plot", "bad bad"], np.array([1, 0])

    def train_and_ask(rows):
        known = len(set(labels[rows]))
        if not known:
            return asked(DummyClassifier(strategy="prior").fit(texts, labels), tests, truth, "probability")
        return asked(clone(model).fit([texts[row] for row in rows], labels[rows]), tests, truth, "probability")

    influence = ProxySpexInfluence(model, (texts, labels), value="probability")
    assert_allclose(influence.influence((tests, truth)), shapley(tables(train_and_ask, 4), 4), **SAME)


def test_settings_reach_the_game():
    class Noisy(Counted):
        def __init__(self, random_state=None):
            self.random_state = random_state

        def predict(self, x):
            return super().predict(x) + self.random_state * self.sum_

    for seeds, mean in (([1, 3], 2.0), ([5], 5.0), (None, 0.0)):
        influence = ProxySpexInfluence(Noisy(), (X, Y), settings={"seeds": seeds, "untrainable": 0.0})
        values = tables(lambda rows, mean=mean: TESTS[:, 0] * Y[rows].sum() ** 2 + mean * Y[rows].sum(), N)
        assert_allclose(influence.influence(TESTS), shapley(values, N), **SAME)


@cache
def margins_by_hand():
    return by_hand(LogisticRegression(), (X, CLASSES), TESTS, truth=TRUTH, value="margin")


@pytest.mark.parametrize("settings", [{"untrainable": "prior"}, {"n_jobs": 1}, {"untrainable": None}, {}, None])
def test_settings_that_say_the_default(settings):
    influence = ProxySpexInfluence(LogisticRegression(), (X, CLASSES), settings=settings)
    assert_allclose(influence.influence((TESTS, TRUTH)), shapley(margins_by_hand(), N), **SAME)


def test_a_value_for_each_test_point_of_what_cannot_be_trained_on():
    prior = [1.0, 2.0, 3.0]
    influence = ProxySpexInfluence(Ridge(), (X, Y), settings={"untrainable": prior})
    wanted = by_hand(Ridge(), (X, Y), TESTS)
    wanted[:, 0] = prior
    assert_allclose(influence.influence(TESTS), shapley(wanted, N), **SAME)


def test_a_single_player_and_a_single_test_point():
    influence = ProxySpexInfluence(Ridge(), (X, Y), groups=[0] * N)
    found = influence.influence(TESTS[:1])
    assert_allclose(found, (Ridge().fit(X, Y).predict(TESTS[:1]) - Y.mean())[:, None])
    assert influence.influence(TESTS[:1], k=1).indices.tolist() == [[0]]
    assert [one.max_order for one in influence.interactions(TESTS[:1])] == [1]


# --- the most influential ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proponents", [True, False])
@pytest.mark.parametrize("k", [1, 3, N, np.int64(2)])
def test_the_k_most_influential(k, proponents):
    influence = ProxySpexInfluence(Ridge(), (X, Y))
    scores = influence.influence(TESTS)
    found = influence.influence(TESTS, k, proponents)
    assert isinstance(found, KMostInfluentialResults)
    assert found.indices.dtype == torch.long
    assert found.indices.shape == found.influence_scores.shape == (N_TEST, k)
    sign = -1.0 if proponents else 1.0
    order = np.argsort(sign * scores.numpy(), axis=1)[:, :k]
    assert_array_equal(found.indices, order)
    assert_allclose(found.influence_scores, np.take_along_axis(scores.numpy(), order, axis=1), rtol=0)
    assert (np.diff(sign * found.influence_scores.numpy(), axis=1) >= 0).all()
    top = torch.topk(scores, int(k), dim=1, largest=proponents)
    assert_close(found.influence_scores, top.values, atol=0, rtol=0)
    assert_close(found.indices, top.indices)


def test_it_is_a_data_influence_of_captum():
    influence = ProxySpexInfluence(Ridge(), (X, Y))
    assert isinstance(influence, DataInfluence)
    assert ProxySpexInfluence.get_name() == "ProxySpexInfluence"
    assert isinstance(influence.model, Ridge)
    assert influence.train_dataset[0] is X


def test_arguments_stand_where_tracin_has_them():
    theirs = list(inspect.signature(TracInCP.influence).parameters.values())
    ours = list(inspect.signature(ProxySpexInfluence.influence).parameters.values())
    assert [one.name for one in ours] == [one.name for one in theirs[: len(ours)]]
    assert [one.default for one in ours] == [one.default for one in theirs[: len(ours)]]


def test_progress_is_shown_on_standard_error(capsys):
    ProxySpexInfluence(Counted(), (X, Y)).influence(TESTS, show_progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "64/64" in shown.err


# --- interactions -----------------------------------------------------------------------------------------------------


def test_interactions_are_those_of_the_trainings():
    values = by_hand(KernelRidge(kernel="rbf"), (X, Y), TESTS)
    influence = ProxySpexInfluence(KernelRidge(kernel="rbf"), (X, Y))
    for index, oracle, top in (("SII", sii, 2), ("SII", sii, 3), ("STII", stii, 2), ("SII", sii, 1)):
        found = influence.interactions(TESTS, index=index, max_order=top)
        assert [(type(one), one.index, one.max_order) for one in found] == [(Interactions, index, top)] * N_TEST
        for one, table in zip(found, values, strict=True):
            wanted = oracle(table, N, top)
            assert_allclose([one[players] for players in wanted], list(wanted.values()), **SAME)
    assert_allclose([one.first_order() for one in influence.interactions(TESTS)], influence.influence(TESTS))


def test_interactions_need_no_further_training():
    influence = ProxySpexInfluence(Counted(), (X, Y))
    scores = influence.influence(TESTS)
    assert trainings() == 2**N - 1  # nothing is trained on no point
    influence.influence(TESTS.copy(), k=2)
    influence.influence((TESTS,), k=2, proponents=False)
    for index, top in (("SII", 2), ("FSII", 3), ("Moebius", N), ("SV", 1)):
        influence.interactions(TESTS, index=index, max_order=top)
    assert trainings() == 0
    assert_close(influence.influence(TESTS), scores, atol=0, rtol=0)


def test_interactions_come_first_if_asked_for_first():
    influence = ProxySpexInfluence(Counted(), (X, Y))
    found = influence.interactions(TESTS)
    assert trainings() == 2**N - 1
    assert_allclose(influence.influence(TESTS), [one.first_order() for one in found])
    assert trainings() == 0
    synergy = 2 * np.outer(Y, Y)  # of the square of a sum
    prior = Y.mean()  # of the empty set, where the square would be 0
    for one, x in zip(found, TESTS[:, 0], strict=True):
        moebius = one.to("Moebius", max_order=1)
        assert_allclose(moebius.first_order(), x * Y**2 - prior, **SAME)
        assert_allclose(one.to("Co-Moebius", max_order=2)[1, 4], x * synergy[1, 4], **SAME)


def test_duplicates_are_redundant():
    """Each makes up for the other, and for nothing else."""
    x = np.array([[0.0], [1.0], [1.0], [2.0], [4.0]])
    y = np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    model = KernelRidge(kernel="rbf", alpha=1e-3, gamma=3.0)
    influence = ProxySpexInfluence(model, (x, 1 - 2 * y), value="margin", settings={"untrainable": 0.0})
    (found,) = influence.interactions((np.array([[1.0]]), np.array([1.0])))
    assert found.top(1, order=2).keys() == {(1, 2)}
    assert found[1, 2] < -0.5
    assert min(found.first_order()[1:3]) > 0
    (alone,) = influence.interactions((np.array([[4.0]]), np.array([-1.0])))
    assert abs(alone[1, 2]) < 1e-2


def test_duplicates_of_the_nearest_neighbor():
    x, y = np.array([[0.0], [0.0], [1.0], [1.5]]), np.array([1, 1, 0, 0])
    influence = ProxySpexInfluence(KNeighborsClassifier(1), (x, y), value="probability")
    (found,) = influence.interactions((np.array([[0.1]]), np.array([1])))
    wanted = sii(by_hand(KNeighborsClassifier(1), (x, y), [[0.1]], truth=[1], value="probability")[0], 4, 2)
    assert_allclose([found[players] for players in wanted], list(wanted.values()), **SAME)
    assert found[0, 1] < -0.3


# --- what is remembered -----------------------------------------------------------------------------------------------


def test_test_points_that_are_changed_in_place_are_trained_for_again():
    influence, tests = ProxySpexInfluence(Counted(), (X, Y)), TESTS.copy()
    influence.influence(tests)
    trainings()
    tests[1, 0] += 1e-9
    found = influence.influence(tests)
    assert trainings() == 2**N - 1
    assert_allclose(found, ProxySpexInfluence(Counted(), (X, Y)).influence(tests), rtol=0)


def test_labels_that_are_changed_in_place_are_trained_for_again():
    influence, truth = ProxySpexInfluence(LogisticRegression(), (X, CLASSES)), TRUTH.copy()
    before = influence.influence((TESTS, truth))
    truth[:] = 1 - truth
    assert_allclose(influence.influence((TESTS, truth)), -before, **SAME)


def test_tensors_that_are_changed_in_place_are_trained_for_again():
    tests = torch.tensor(TESTS)
    influence = ProxySpexInfluence(
        lambda x, y: y.sum(),
        (torch.tensor(X), torch.tensor(Y)),
        value=lambda total, x: total**2 * x[:, 0],
        settings={"untrainable": 0.0},
    )
    before = influence.influence(tests)
    tests[:, 0] *= 2
    assert_allclose(influence.influence(tests), 2 * before, **SAME)
    assert influence.influence(tests[:1]).shape == (1, N)
    assert influence.influence(tests.reshape(N_TEST, 2, 1)[:, :, 0]).shape == (N_TEST, N)


def test_data_frames_with_other_numbers_are_trained_for_again():
    tests = pd.DataFrame(TESTS, columns=["a", "b"])
    influence = ProxySpexInfluence(Counted(), ((pd.DataFrame(X, columns=["a", "b"])), Y))
    influence.influence(tests)
    trainings()
    other = tests * 2.0
    found = influence.influence(other)
    assert trainings() == 2**N - 1
    assert_allclose(found, ProxySpexInfluence(Counted(), (X, Y)).influence(other.to_numpy()))


def test_every_number_of_a_large_test_point_counts():
    tests = np.zeros((1, 300_000), dtype=np.float32)
    influence = ProxySpexInfluence(
        lambda y: y.sum(), (Y,), value=lambda total, x: total * x.sum(axis=1), settings={"untrainable": 0.0}
    )
    for place in range(6):
        tests[:] = 0
        tests[0, place] = 1.0 + place
        assert_allclose(influence.influence(tests)[0], (1 + place) * Y, rtol=1e-6)


def test_texts_are_told_apart():
    texts, labels = ["good film", "bad film", "good", "bad plot"], np.array([1, 0, 1, 0])
    influence = ProxySpexInfluence(make_pipeline(CountVectorizer(), MultinomialNB()), (texts, labels))
    one = influence.influence((["good plot"], [1]))
    assert not torch.equal(influence.influence((["bad plot"], [1])), one)
    assert_close(influence.influence((["good plot"], [1])), one, atol=0, rtol=0)


def test_points_without_a_content_are_trained_for_every_time():
    class Held:
        points = TESTS

    held = Held()
    influence = ProxySpexInfluence(
        Counted(), (X, Y), value=lambda model, tests: model.predict(tests.points), settings={"untrainable": 0.0}
    )
    before = influence.influence(held)
    n_trained = trainings()
    held.points = 2 * TESTS
    assert_allclose(influence.influence(held), 2 * before, **SAME)
    assert trainings() == n_trained >= 2**N - 1


# --- seeds ------------------------------------------------------------------------------------------------------------


def estimated(random_state, seed=0):
    x, y, tests = made(14, seed)
    arguments = {"approximator": QUICK, "n_samples": 80, "random_state": random_state}
    return ProxySpexInfluence(DecisionTreeRegressor(random_state=0), (x, y), **arguments).influence(tests)


def test_the_same_seed_gives_the_same_scores():
    states = [torch.get_rng_state(), random.getstate()]
    once = estimated(3)
    assert_close(estimated(3), once, atol=0, rtol=0)
    assert_close(estimated(np.random.default_rng(3)), once, atol=0, rtol=0)
    assert not torch.equal(estimated(4), once)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]


def test_trainings_are_counted():
    x, y, tests = made(14)
    for n_samples in (80, 130):
        influence = ProxySpexInfluence(Counted(), (x, y), approximator=QUICK, n_samples=n_samples, random_state=0)
        found = influence.influence(tests)
        assert trainings() == n_samples - 1  # nothing is trained on no point
        assert [one.n_evaluations for one in influence.interactions(tests)] == [n_samples] * N_TEST
        wanted = tests[:, 0] * y.sum() ** 2 - y.mean()
        assert_allclose(found.sum(dim=1), wanted, rtol=1e-6)


def test_the_data_stay_as_they_were():
    x, y, tests = X.copy(), Y.copy(), TESTS.copy()
    model = Ridge()
    ProxySpexInfluence(model, (x, y)).influence(tests)
    assert_array_equal(np.column_stack([x, y]), np.column_stack([X, Y]))
    assert_array_equal(tests, TESTS)
    assert not hasattr(model, "coef_")


# --- bad input --------------------------------------------------------------------------------------------------------


def never(*columns):
    raise AssertionError("trained")


def observed(model, *columns):
    return np.zeros(len(columns[0]))


REFUSED = {
    "lengths": (
        Counted(),
        (X, Y[:4]),
        {},
        "`train_dataset`: expected columns of the same length, got columns of 6, 4 rows.",
    ),
    "no rows": (
        Counted(),
        (X[:0], Y[:0]),
        {},
        "`train_dataset`: expected a tuple of columns, such as (X, y), with at least one row, got no rows.",
    ),
    "no data": (
        Counted(),
        None,
        {},
        "`train_dataset`: expected arrays, tensors, data frames, sparse matrices or lists, got None.",
    ),
    "no data set": (
        Counted(),
        "data",
        {},
        "`train_dataset`: expected arrays, tensors, data frames, sparse matrices or lists, got a str.",
    ),
    "empty data set": (
        Counted(),
        TensorDataset(torch.zeros(0, 2), torch.zeros(0)),
        {},
        "`train_dataset`: expected a data set with at least one row, got no rows.",
    ),
    "groups": (
        Counted(),
        (X, Y),
        {"groups": [0, 1]},
        "`groups`: expected (6,): a label for each training point, got shape (2,).",
    ),
    "settings": (
        Counted(),
        (X, Y),
        {"settings": {"seed": 1}},
        "`settings`: expected 'seeds', 'untrainable', 'n_jobs', got 'seed'.",
    ),
    "seeds": (
        Counted(),
        (X, Y),
        {"settings": {"seeds": "1"}},
        "`seeds`: expected a sequence of integers, such as `range(5)`, got '1'.",
    ),
    "untrainable": (
        Counted(),
        (X, Y),
        {"settings": {"untrainable": "zero"}},
        "`untrainable`: expected 'prior', 'raise', a number, or one for each output, got 'zero'.",
    ),
    "samples": (Counted(), (X, Y), {"n_samples": 1}, "`n_samples`: expected an integer of at least 2, got 1."),
    "samples, a number": (
        Counted(),
        (X, Y),
        {"n_samples": 10.5},
        "`n_samples`: expected an integer of at least 2, got 10.5.",
    ),
    "value": (
        Counted(),
        (X, Y),
        {"value": 3},
        "`value`: expected a function of the trained model and the test inputs, or a name, got 3.",
    ),
    "name of a value": (Counted(), (X, Y), {"value": "loss"}, "`value`: expected 'prediction', 'margin', got 'loss'."),
    "score": (Counted(), (X, Y), {"value": "score"}, "`value`: expected 'prediction', 'margin', got 'score'."),
    "no value": (never, (X, Y), {}, "`value`: expected a function of the trained model and the test inputs, got None."),
    "name for a function": (
        never,
        (X, Y),
        {"value": "margin"},
        "`value`: expected a function of the trained model and the test inputs, got 'margin'.",
    ),
    "model": (
        3,
        (X, Y),
        {"value": observed},
        "`model`: expected a scikit-learn estimator, or a function of the data, got an int.",
    ),
    "class": (
        Ridge,
        (X, Y),
        {"value": observed},
        "`model`: expected a scikit-learn estimator, or a function of the data, got the class Ridge.",
    ),
    "probability of a regressor": (
        Counted(),
        (X, Y),
        {"value": "probability"},
        "`value`: expected 'prediction', 'margin', got 'probability'.",
    ),
    "prediction of a classifier": (
        CountedBayes(),
        (X, CLASSES),
        {"value": "prediction"},
        "`value`: expected 'margin', 'probability', 'correct', got 'prediction'.",
    ),
    "no probabilities": (
        CountedClassifier(),
        (X, CLASSES),
        {"value": "margin"},
        "`value`: expected 'correct', got 'margin'.",
    ),
    "algorithm": (
        Counted(),
        (X, Y),
        {"approximator": 3},
        "`approximator`: expected an approximator such as `ProxySpex()` or `Exact()`, got 3.",
    ),
    "seed": (
        Counted(),
        (X, Y),
        {"random_state": -1},
        "`random_state`: expected None, an integer of at least 0, or a NumPy `Generator` or `SeedSequence`, got -1.",
    ),
}


@pytest.mark.parametrize(("model", "data", "keywords", "said"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_before_anything_is_trained(model, data, keywords, said):
    tests = (TESTS, TRUTH)
    with pytest.raises(ArgumentError, match=re.escape(said)):
        ProxySpexInfluence(model, data, **keywords).influence(tests)
    assert trainings() == 0


AT_ONCE = ["lengths", "no rows", "groups", "settings", "seeds", "samples", "value", "score", "no value"]


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_the_test_points_do_not_matter_for_is_refused_at_once(name):
    model, data, keywords, _ = REFUSED[name]
    with pytest.raises(ArgumentError):
        ProxySpexInfluence(model, data, **keywords)


@pytest.mark.parametrize(
    ("k", "said"),
    [
        (0, "`k`: expected an integer from 1 to 6, got 0."),
        (-1, "`k`: expected an integer from 1 to 6, got -1."),
        (N + 1, f"`k`: expected an integer from 1 to {N}, got 7."),
        (1.5, "`k`: expected an integer from 1 to 6, got 1.5."),
        (True, "`k`: expected an integer from 1 to 6, got True."),
        ("all", "`k`: expected an integer from 1 to 6, got 'all'."),
    ],
)
def test_wrong_numbers_of_points(k, said):
    with pytest.raises(ArgumentError, match=re.escape(said)):
        ProxySpexInfluence(Counted(), (X, Y)).influence(TESTS, k=k)
    assert trainings() == 0


def test_groups_limit_how_many_are_returned():
    influence = ProxySpexInfluence(Counted(), (X, Y), groups=[0, 0, 0, 1, 1, 1])
    with pytest.raises(ArgumentError, match=r"`k`: expected an integer from 1 to 2, got 3\."):
        influence.influence(TESTS, k=3)


@pytest.mark.parametrize(
    ("value", "inputs", "said"),
    [
        ("margin", TESTS, "`inputs`: expected the true labels, for the value 'margin', got None."),
        ("margin", (TESTS, TRUTH[:2]), "`inputs`: expected (3,): one for each test point, got shape (2,)."),
        ("margin", (TESTS[:0], TRUTH[:0]), "`inputs`: expected at least one test point, got none."),
        ("correct", TESTS, "`inputs`: expected the true labels, for the value 'correct', got None."),
    ],
    ids=["missing labels", "too few labels", "no points", "missing labels for a share"],
)
def test_wrong_test_points(value, inputs, said):
    influence = ProxySpexInfluence(CountedBayes(), (X, CLASSES), value=value)
    for method in (influence.influence, influence.interactions):
        with pytest.raises(ArgumentError, match=re.escape(said)):
            method(inputs)
    assert trainings() == 0


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"index": "foo"}, UnknownNameError, "`index`: expected "),
        ({"max_order": 0}, OrderError, "`max_order`: expected an integer from 1 to the number of players, 6, got 0."),
        (
            {"max_order": N + 1},
            OrderError,
            "`max_order`: expected an integer from 1 to the number of players, 6, got 7.",
        ),
    ],
)
def test_wrong_interactions_are_refused_before_anything_is_trained(arguments, kind, said):
    with pytest.raises(kind, match=re.escape(said)):
        ProxySpexInfluence(Counted(), (X, Y)).interactions(TESTS, **arguments)
    assert trainings() == 0


def test_kinds_of_errors():
    with pytest.raises(MaskError):
        ProxySpexInfluence(Counted(), (X, Y), groups=[[0] * N])
    with pytest.raises(BudgetError):
        ProxySpexInfluence(Counted(), (X, Y), n_samples=True)
    with pytest.raises(BudgetError, match=r"`n_samples`: expected .*, got 10"):
        ProxySpexInfluence(Counted(), (X, Y), n_samples=10, approximator=algorithms.Exact()).influence(TESTS)
    assert trainings() == 0


def test_a_function_that_cannot_be_trained_on_nothing_says_what_to_do():
    influence = ProxySpexInfluence(lambda x, y: y.sum(), (X, Y), value=lambda total, x: total * x[:, 0])
    with pytest.raises(GameError, match=r"cannot train on 0 training points\. Give `untrainable`"):
        influence.influence(TESTS)


@pytest.mark.parametrize(
    "value", [lambda model, x: np.full(len(x), np.nan), lambda model, x: torch.full((len(x),), np.inf)]
)
def test_values_must_be_finite(value):
    influence = ProxySpexInfluence(Counted(), (X, Y), value=value, settings={"untrainable": 0.0})
    with pytest.raises(GameError, match="expected finite values"):
        influence.influence(TESTS)


@pytest.mark.parametrize("value", [lambda model, x: model.sum_, lambda model, x: np.append(x[:, 0], model.sum_)])
def test_values_must_be_one_for_each_test_point(value):
    influence = ProxySpexInfluence(Counted(), (X, Y), value=value, settings={"untrainable": 0.0})
    with pytest.raises(GameError, match="`value`: returned"):
        influence.influence(TESTS)


def test_a_training_that_failed_leaves_nothing_behind():
    influence = ProxySpexInfluence(Counted(), (X, Y))
    before = influence.influence(TESTS)
    with pytest.raises(IndexError):
        influence.influence(np.zeros(3))
    assert_close(influence.influence(TESTS), before, atol=0, rtol=0)


def test_a_perceptron_needs_a_value_that_it_has():
    wanted = by_hand(Perceptron(random_state=0), (X, CLASSES), TESTS, truth=TRUTH, value="correct")
    found = ProxySpexInfluence(Perceptron(random_state=0), (X, CLASSES), value="correct").influence((TESTS, TRUTH))
    assert_allclose(found, shapley(wanted, N), **SAME)


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="seeds"):
        ProxySpexInfluence(Counted(), (X, Y), seeds=[1])
    with pytest.raises(TypeError, match="top"):
        ProxySpexInfluence(Counted(), (X, Y)).influence(TESTS, top=1)


def test_banzhaf_values_are_those_of_uniform_subsets():
    x, y = np.random.default_rng(0).normal(size=(6, 2)), np.arange(6.0)
    tests = (x[:2] + 0.1,)
    found = ProxySpexInfluence(Ridge(), (x, y), index="BII").influence(tests)
    game = TrainingGame(Ridge(), OnTest(tests[0]), (x, y))
    wanted = [one.first_order() for one in captum_spex.explain(game, index="BV", max_order=1)]
    assert_allclose(found.numpy(), wanted, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"`index`: expected 'SII', 'BII', got 'STII'\."):
        ProxySpexInfluence(Ridge(), (x, y), index="STII")
