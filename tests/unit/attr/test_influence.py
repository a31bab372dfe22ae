"""Training points that matter, against a slow twin: every subset trained on by hand."""

from __future__ import annotations

import inspect
import random
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from captum.influence import DataInfluence, TracInCP
from captum.influence._utils.common import KMostInfluentialResults
from influence_cases import (
    CLASSES,
    N_TEST,
    QUICK,
    SAME,
    TESTS,
    TRUTH,
    Counted,
    CountedClassifier,
    N,
    X,
    Y,
    asked,
    by_hand,
    classes_of,
    made,
    shapley,
    tables,
    trainings,
)
from numpy.testing import assert_allclose, assert_array_equal
from oracles import sii, stii
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import captum_spex
from captum_spex import Interactions
from captum_spex.attr import ProxySpexInfluence
from captum_spex.errors import ArgumentError
from captum_spex.games.training import OnTest, TrainingGame


@pytest.fixture(autouse=True)
def no_trainings():
    Counted.trainings = CountedClassifier.trainings = 0


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


class Named(Dataset):
    """The same with names, as data sets of language models have."""

    def __len__(self):
        return N

    def __getitem__(self, row):
        return {"features": X[row], "labels": float(Y[row])}


class Stream(IterableDataset):
    """The same, one row after the other, once."""

    def __init__(self):
        self.rows = zip(X, Y.tolist(), strict=True)

    def __iter__(self):
        return self.rows


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
    "dictionary": ({"features": X, "labels": Y}, {"features": TESTS}),
    "data set of dictionaries": (Named(), Points()),
    "loader": (DataLoader(Pairs(), batch_size=4), DataLoader(Points(), batch_size=1)),
    "loader that drops nothing": (DataLoader(Pairs(), N // 2, drop_last=True), DataLoader(Points())),
    "loader of dictionaries": (DataLoader(Named(), batch_size=4), DataLoader(Points())),
    "loader of a stream": (DataLoader(Stream(), batch_size=4), TESTS),
    "loader of lists": (
        DataLoader(Pairs(), 4, collate_fn=lambda rows: tuple(map(list, zip(*rows, strict=True)))),
        DataLoader(Points(), 4, collate_fn=np.stack),
    ),
    "data frames": ((pd.DataFrame(X), pd.Series(Y)), pd.DataFrame(TESTS)),
    "sparse": ((scipy.sparse.csr_matrix(X), Y), scipy.sparse.csr_matrix(TESTS)),
}


@pytest.mark.parametrize(("data", "tests"), KINDS.values(), ids=KINDS)
def test_data_of_all_kinds(data, tests):
    found = ProxySpexInfluence(Ridge(alpha=0.3, fit_intercept=False), data).influence(tests)
    wanted = by_hand(Ridge(alpha=0.3, fit_intercept=False), (X, Y), TESTS)
    assert_allclose(found, shapley(wanted, N), **SAME)


def test_reading_a_loader_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    ProxySpexInfluence(Ridge(), DataLoader(Pairs(), batch_size=4))
    assert_array_equal(torch.random.get_rng_state(), before)


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


def test_banzhaf_values_are_those_of_uniform_subsets():
    x, y = np.random.default_rng(0).normal(size=(6, 2)), np.arange(6.0)
    tests = (x[:2] + 0.1,)
    found = ProxySpexInfluence(Ridge(), (x, y), index="BII").influence(tests)
    game = TrainingGame(Ridge(), OnTest(tests[0]), (x, y))
    wanted = [one.first_order() for one in captum_spex.explain(game, index="BV", max_order=1)]
    assert_allclose(found.numpy(), wanted, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"`index`: expected 'SII', 'BII', got 'STII'\."):
        ProxySpexInfluence(Ridge(), (x, y), index="STII")
