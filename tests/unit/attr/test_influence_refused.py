"""Training data, test points and settings that are refused before anything is trained."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from influence_cases import (
    CLASSES,
    SAME,
    TESTS,
    TRUTH,
    Counted,
    CountedBayes,
    CountedClassifier,
    N,
    X,
    Y,
    by_hand,
    shapley,
    trainings,
)
from numpy.testing import assert_allclose
from sklearn.linear_model import Perceptron, Ridge
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

from captum_spex import approximators as algorithms
from captum_spex.attr import ProxySpexInfluence
from captum_spex.errors import ArgumentError, BudgetError, GameError, MaskError, OrderError, UnknownNameError


@pytest.fixture(autouse=True)
def no_trainings():
    Counted.trainings = CountedClassifier.trainings = 0


def never(*columns):
    raise AssertionError("trained")


class Jittered(Dataset):
    """Rows with augmentation: others at every reading."""

    def __len__(self):
        return 6

    def __getitem__(self, row):
        return torch.tensor(X[row]) + torch.randn(()), float(Y[row])


ROWS = TensorDataset(torch.tensor(X), torch.tensor(Y))
IN_ORDER = (
    "`train_dataset`: expected a loader of all rows in their order: `shuffle=False`, `drop_last=False`, got a loader "
)
LOADERS = {
    "shuffled": (DataLoader(ROWS, 2, shuffle=True), "with `shuffle=True`, a RandomSampler."),
    "shuffled, in one batch": (DataLoader(ROWS, 6, shuffle=True), "with `shuffle=True`, a RandomSampler."),
    "drawn": (DataLoader(ROWS, 2, sampler=WeightedRandomSampler([1.0] * 6, 6)), "with `shuffle=True`, a Weighted"),
    "random subset": (DataLoader(ROWS, 2, sampler=SubsetRandomSampler(range(6))), "with `shuffle=True`, a Subset"),
    "last batch dropped": (DataLoader(ROWS, 4, drop_last=True), "that leaves out 2 of 6 rows."),
    "subset": (DataLoader(ROWS, 2, sampler=[0, 2, 1]), "that leaves out 3 of 6 rows."),
    "another order": (DataLoader(ROWS, batch_sampler=[[5, 4, 3], [0, 1, 2]]), "with another order."),
    "changing": (DataLoader(Jittered(), 2), "whose rows change from one reading to the next."),
}


@pytest.mark.parametrize(("loader", "said"), LOADERS.values(), ids=LOADERS)
def test_loaders_whose_rows_are_not_those_of_their_numbers(loader, said):
    with pytest.raises(ArgumentError, match=re.escape(IN_ORDER + said)):
        ProxySpexInfluence(Counted(), loader)
    influence = ProxySpexInfluence(Counted(), (X, Y))
    with pytest.raises(ArgumentError, match=re.escape((IN_ORDER + said).replace("train_dataset", "inputs"))):
        influence.influence(loader)
    assert Counted.trainings == 0


def test_batches_of_different_columns():
    batches = DataLoader([{"x": 0.0, "y": 1.0}, {"y": 1.0, "x": 2.0}], batch_size=1)
    with pytest.raises(
        ArgumentError, match="`train_dataset`: expected batches of the same columns, got batches of diff"
    ):
        ProxySpexInfluence(Counted(), batches)


def test_a_loader_without_rows():
    with pytest.raises(ArgumentError, match="`train_dataset`: expected a loader with at least one row, got no rows"):
        ProxySpexInfluence(Counted(), DataLoader([]))


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
