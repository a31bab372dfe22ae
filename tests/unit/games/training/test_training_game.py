"""Games over training data: any training, groups, seeds, refusals."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, shapley_by_permutations, sii
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from trainings import N_TEST, SAME, N, T, X, Y, holds, labels_of, made, slow_answer, slow_values, some_masks

import captum_spex
from captum_spex.errors import ArgumentError, GameError, MaskError, StoreError, UnknownNameError
from captum_spex.games.training import OnTest, TrainingGame

# --- data and slow twins ----------------------------------------------------------------------------------------------


class Seeded(RegressorMixin, BaseEstimator):
    """Predicts its own seed."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, x, y):
        self.fitted_ = True
        return self

    def predict(self, x):
        return np.full(len(x), float(self.random_state))


class Picky(RegressorMixin, BaseEstimator):
    """The mean of the targets; raises an error of some kind where there are fewer points than it wants."""

    def __init__(self, wants=3, kind=ValueError):
        self.wants, self.kind = wants, kind

    def fit(self, x, y):
        if len(x) < self.wants:
            raise self.kind(f"wants {self.wants} points")
        self.mean_ = np.mean(y, axis=0)
        return self

    def predict(self, x):
        return np.stack([np.asarray(self.mean_)] * len(x))


class Counted(RegressorMixin, BaseEstimator):
    """The sum of the targets; counts all trainings, and raises at one of them if told to."""

    trainings = 0
    stop_at = None

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, x, y):
        type(self).trainings += 1
        if type(self).trainings == type(self).stop_at:
            raise KeyboardInterrupt
        self.sum_ = self.scale * np.sum(y) ** 2
        return self

    def predict(self, x):
        return np.full(len(x), self.sum_)


@pytest.fixture
def counted():
    Counted.trainings, Counted.stop_at = 0, None
    yield Counted
    Counted.trainings, Counted.stop_at = 0, None


# --- any training -----------------------------------------------------------------------------------------------------

CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression(C=3.0)),
    "tree": DecisionTreeClassifier(max_depth=2, random_state=0),
    "neighbors": KNeighborsClassifier(2),
    "forest": RandomForestClassifier(3, random_state=5),
}


@pytest.mark.sampled
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("value", ["probability", "margin", "correct", "score"])
def test_classifiers(name, value):
    x, _, tests = made(1)
    holds(CLASSIFIERS[name], (x, labels_of(x)), tests, some_masks()[:20], truth=np.array([0, 1, 1]), value=value)


@pytest.mark.parametrize("value", ["prediction", "score"])
def test_regressors(value):
    x, y, tests = made(2)
    for model in (LinearRegression(), DecisionTreeRegressor(random_state=0), Ridge()):
        holds(model, (x, y), tests, truth=np.array([0.5, -1.0, 2.0]), value=value)


def test_a_training_function_of_torch():
    x, y, tests = (torch.tensor(a) for a in made())

    def fit(points, targets, seed=0):
        net = torch.nn.Linear(4, 1).double()
        torch.manual_seed(seed)
        with torch.no_grad():
            net.weight.copy_(torch.randn(1, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
            net.bias.zero_()
        descent = torch.optim.SGD(net.parameters(), lr=0.05)
        for _ in range(5):
            descent.zero_grad()
            ((net(points)[:, 0] - targets) ** 2).mean().backward()
            descent.step()
        return net

    def says(net):
        return net(tests)[:, 0].detach()

    masks = some_masks()[1:12]
    wanted = [says(fit(x[torch.tensor(mask)], y[torch.tensor(mask)])).numpy() for mask in masks]
    assert_allclose(TrainingGame(fit, says, (x, y))(masks), wanted)
    twice = [
        np.mean([says(fit(x[torch.tensor(m)], y[torch.tensor(m)], s)).numpy() for s in (3, 4)], axis=0) for m in masks
    ]
    assert_allclose(TrainingGame(fit, says, (x, y), seeds=(3, 4))(masks), twice)


def test_any_function_of_any_columns():
    texts = ["never fails", "fails", "never", "a b c d"]
    weights = pd.Series([1.0, 2.0, 3.0, 4.0], index=[9, 9, 1, 0])
    matrix = scipy.sparse.coo_matrix(np.arange(12.0).reshape(4, 3))

    def fit(words, counts, rows):
        assert isinstance(words, list)
        assert isinstance(counts, pd.Series)
        assert scipy.sparse.issparse(rows)
        return len("".join(words)), counts.sum(), rows.sum()

    game = TrainingGame(fit, np.asarray, (texts, weights, matrix))
    masks = every_mask(4)[1:]
    dense = matrix.toarray()
    wanted = [[len("".join(np.array(texts)[m])), weights.to_numpy()[m].sum(), dense[m].sum()] for m in masks]
    assert_allclose(game(masks), wanted)


def test_a_single_column_and_a_single_value():
    game = TrainingGame(np.sum, float, np.arange(5.0))
    assert_allclose(game(every_mask(5)[1:]), every_mask(5)[1:] @ np.arange(5.0))


def test_clustering_needs_no_targets():
    x, _, tests = made()
    game = TrainingGame(KMeans(1, n_init=1), lambda model: model.transform(tests)[:, 0], (x,))
    masks = some_masks()[1:8]
    wanted = [np.linalg.norm(tests - x[mask].mean(axis=0), axis=1) for mask in masks]
    assert_allclose(game(masks), wanted)


def test_texts():
    texts = ["good film", "bad film", "good good", "bad bad", "good plot", "bad plot"]
    labels = ["pos", "neg", "pos", "neg", "pos", "neg"]
    model, tests, truth = make_pipeline(CountVectorizer(), MultinomialNB()), ["good", "bad plot"], ["pos", "neg"]
    game = TrainingGame(model, OnTest(tests, truth, "probability"), (texts, labels))
    columns = (np.array(texts), np.array(labels))
    masks = every_mask(6)[::5]
    assert_allclose(game(masks), slow_values(model, columns, tests, masks, truth, "probability"))


def test_sparse_matrices():
    x, y, tests = made()
    masks, sparse = some_masks(), scipy.sparse.csr_matrix
    game = TrainingGame(Ridge(solver="sparse_cg", tol=1e-12), OnTest(sparse(tests)), (sparse(x), y))
    assert not game.is_closed_form
    assert_allclose(game(masks), TrainingGame(Ridge(), OnTest(tests), (x, y))(masks), rtol=1e-5, atol=1e-6)


def test_values_of_numbered_points():
    x, y, tests = made()
    game = TrainingGame(LinearRegression(), OnTest(tests), (x, y))
    assert_allclose(
        game.value([0, 4, 7, 8, 9]), LinearRegression().fit(x[[0, 4, 7, 8, 9]], y[[0, 4, 7, 8, 9]]).predict(tests)
    )


# --- groups -----------------------------------------------------------------------------------------------------------

GROUPS = ["b", "a", "b", "c", "a", "a", "b", "c", "c", "b", "a", "c"]


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical], ids=str)
def test_groups_by_text(kind):
    x, y, tests = made()
    game = TrainingGame(Ridge(), OnTest(tests), (x, y), groups=kind(GROUPS))
    assert (game.n_players, game.names) == (3, ("a", "b", "c"))
    masks = every_mask(3)
    of_points = np.array([[mask["abc".index(group)] for group in GROUPS] for mask in masks])
    assert_allclose(game(masks), slow_values(Ridge(), (x, y), tests, of_points), **SAME)


@pytest.mark.parametrize("kind", [torch.tensor, np.array, list], ids=["torch", "numpy", "list"])
def test_groups_by_label(kind):
    x, _, tests = made()
    labels = labels_of(x, 3)
    game = TrainingGame(
        DecisionTreeClassifier(), OnTest(tests, [0, 1, 2], "probability"), (x, labels), groups=kind(labels)
    )
    assert game.names == ("0", "1", "2")
    only_second = game(np.array([[False, True, False]]))
    assert_array_equal(only_second, [[0.0, 1.0, 0.0]])


def test_groups_of_one_point_each_in_another_order():
    x, y, tests = made()
    order = np.random.default_rng(0).permutation(N)
    game = TrainingGame(Ridge(), OnTest(tests), (x, y), groups=order)
    masks = some_masks()
    assert_allclose(game(masks), TrainingGame(Ridge(), OnTest(tests), (x, y))(masks[:, order]))


def test_points_are_named_by_number():
    x, y, tests = made()
    game = TrainingGame(Ridge(), OnTest(tests), (x, y))
    assert (game.n_players, game.names[:2]) == (N, ("point 0", "point 1"))


# --- seeds and unchanged states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Seeded(), make_pipeline(StandardScaler(), Seeded())], ids=["alone", "pipeline"])
def test_seeds_are_averaged(model):
    x, y, tests = made()
    masks = some_masks()[1:3]
    for seeds, wanted in ((None, 0.0), ((3, 5), 4.0), (range(4), 1.5), (np.array([7]), 7.0)):
        game = TrainingGame(model, OnTest(tests), (x, y), seeds=seeds)
        assert_array_equal(game(masks), np.full((2, N_TEST), wanted))


def test_a_given_random_state_stays_unless_there_are_seeds():
    x, y, tests = made()
    masks = np.ones((1, N), bool)
    assert_array_equal(TrainingGame(Seeded(7), OnTest(tests), (x, y))(masks), [[7.0] * N_TEST])
    assert_array_equal(TrainingGame(Seeded(7), OnTest(tests), (x, y), seeds=[2])(masks), [[2.0] * N_TEST])


def test_all_nested_random_states_are_set():
    x, _, tests = made()
    labels = labels_of(x)
    model = make_pipeline(PCA(2, svd_solver="randomized"), RandomForestClassifier(3))
    game = TrainingGame(model, OnTest(tests, [0, 1, 0], "probability"), (x, labels), seeds=(1, 2))
    both = []
    for seed in (1, 2):
        fixed = make_pipeline(
            PCA(2, svd_solver="randomized", random_state=seed), RandomForestClassifier(3, random_state=seed)
        )
        both.append(slow_answer(fixed.fit(x, labels), tests, [0, 1, 0], "probability"))
    assert_allclose(game(np.ones((1, N), bool))[0], np.mean(both, axis=0))


def test_the_global_random_state_is_neither_read_nor_written():
    x, _, tests = made()
    values = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002  # this is what is tested
        torch.manual_seed(seed)
        before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        game = TrainingGame(RandomForestClassifier(3), OnTest(tests, [0, 1, 0], "probability"), (x, labels_of(x)))
        values.append(game(some_masks()[:8]))
        assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        assert_array_equal(torch.get_rng_state(), torch_before)
    assert_array_equal(*values)


@pytest.mark.parametrize(
    "model", [Ridge(), KernelRidge(), KNeighborsRegressor(2), Seeded(), DecisionTreeRegressor()], ids=str
)
def test_the_estimator_and_the_data_stay_as_they_were(model):
    x, y, tests = made()
    params, attributes, copies = model.get_params(), dict(vars(model)), (x.copy(), y.copy(), tests.copy())
    TrainingGame(model, OnTest(tests), (x, y), seeds=[3])(some_masks())
    assert model.get_params() == params
    assert vars(model) == attributes
    for now, before in zip((x, y, tests), copies, strict=True):
        assert_array_equal(now, before)


def test_several_processes():
    x, _, tests = made()
    settings = {"fit": LogisticRegression(), "evaluate": OnTest(tests, [0, 1, 0], "margin"), "data": (x, labels_of(x))}
    masks = some_masks()[:10]
    assert_array_equal(TrainingGame(**settings, n_jobs=2)(masks), TrainingGame(**settings)(masks))


# --- untrainable subsets ----------------------------------------------------------------------------------------------


def test_the_prior_is_that_of_dummies():
    x, y, tests = made(n_targets=2)
    one_left = np.stack([labels_of(x) == 0, labels_of(x) == 1, np.zeros(N, bool)])
    for value in ("probability", "margin", "correct", "score"):
        labels, truth = labels_of(x, 3) // 2, [0, 1, 1]
        game = TrainingGame(LogisticRegression(), OnTest(tests, truth, value), (x, labels))
        prior = slow_answer(DummyClassifier(strategy="prior").fit(x, labels), tests, truth, value)
        assert_allclose(game(np.stack([labels == 0, labels == 1, np.zeros(N, bool)])), [prior] * 3)
    game = TrainingGame(Picky(wants=8), OnTest(tests), (x, y))
    assert_allclose(game(one_left), [np.tile(y.mean(axis=0), N_TEST)] * 3)


@pytest.mark.parametrize("closed_form", [True, False])
@pytest.mark.parametrize("untrainable", [0.25, [0.1, 0.2, 0.3]])
@pytest.mark.parametrize("model", [KNeighborsRegressor(4), Ridge()], ids=["neighbors", "ridge"])
def test_given_values(model, untrainable, closed_form):
    """Also if there are several such subsets, or nothing else."""
    x, y, tests = made()
    game = TrainingGame(model, OnTest(tests), (x, y), untrainable=untrainable, closed_form=closed_form)
    masks = some_masks()
    least = model.n_neighbors if isinstance(model, KNeighborsRegressor) else 1
    wanted = slow_values(model, (x, y), tests, masks)
    wanted[masks.sum(axis=1) < least] = untrainable
    assert_allclose(game(masks), wanted, **SAME)


@pytest.mark.parametrize("closed_form", [True, False])
def test_a_number_stands_for_all_outputs_in_every_batch(closed_form):
    x, y, tests = made(n=5)
    game = TrainingGame(
        KNeighborsRegressor(2), OnTest(tests), (x, y), untrainable=0.5, closed_form=closed_form, batch_size=1
    )
    results = captum_spex.explain(game, budget=32)
    assert len(results) == N_TEST
    assert_allclose([result.baseline for result in results], 0.5)


@pytest.mark.parametrize("closed_form", [True, False])
def test_too_many_or_too_few_given_values(closed_form):
    x, y, tests = made()
    game = TrainingGame(KNeighborsRegressor(3), OnTest(tests), (x, y), untrainable=[1.0, 2.0], closed_form=closed_form)
    with pytest.raises(ValueError, match=r"`(untrainable|evaluate)`"):
        game(some_masks())


def test_an_error_names_the_subset():
    x, _, tests = made()
    labels = labels_of(x)
    game = TrainingGame(LogisticRegression(), OnTest(tests, [0, 1, 0], "margin"), (x, labels), untrainable="raise")
    rows = np.flatnonzero(labels == 1)
    named = re.escape(f"6 training points ({', '.join(map(str, rows[:3]))}, ...)")
    with pytest.raises(GameError, match=f"`fit`: cannot train on {named}.*class.*`untrainable`"):
        game((labels == 1)[None])
    with pytest.raises(GameError, match=r"cannot train on 0 training points\. Give `untrainable`"):
        game(np.zeros((1, N), bool))
    with pytest.raises(GameError, match=r"1 training points \(4\)"):
        game(np.eye(N, dtype=bool)[4:5])


def test_functions_raise_by_default():
    x, y, _ = made()
    game = TrainingGame(lambda a, b: Picky().fit(a, b), lambda model: model.mean_, (x, y))
    with pytest.raises(GameError, match="wants 3 points"):
        game(np.eye(N, dtype=bool)[:1])
    given_value = TrainingGame(lambda a, b: Picky().fit(a, b), lambda model: model.mean_, (x, y), untrainable=-1)
    assert_allclose(given_value(np.eye(N, dtype=bool)[:2]), [-1, -1])


def test_errors_of_the_evaluation_count_as_untrainable():
    def strict(model):
        if model.mean_ < 5:
            raise ValueError("too small")
        return model.mean_

    game = TrainingGame(Picky(1), strict, (np.zeros((4, 1)), np.arange(4.0) * 4), untrainable=0.0)
    assert_allclose(game(every_mask(4)[[1, 2, 4, 15]]), [0, 0, 8, 6])


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, TypeError, FloatingPointError, KeyboardInterrupt])
@pytest.mark.parametrize("untrainable", ["prior", 0.0])
def test_other_errors_pass_through(kind, untrainable):
    x, y, tests = made()
    game = TrainingGame(Picky(kind=kind), OnTest(tests), (x, y), untrainable=untrainable)
    with pytest.raises(kind, match="wants 3 points"):
        game(np.eye(N, dtype=bool)[:1])


@pytest.mark.parametrize("untrainable", ["prior", "raise", 0.0])
@pytest.mark.parametrize("rows", [1, N])
def test_what_cannot_be_trained_even_on_all_data_raises_its_own_error(untrainable, rows):
    x, y, tests = made()
    game = TrainingGame(Picky(wants=99), OnTest(tests), (x, y), untrainable=untrainable)
    with pytest.raises(ValueError, match="wants 99 points") as caught:
        game((np.arange(N) < rows)[None])
    assert not isinstance(caught.value, GameError)


def test_neighbors_that_never_suffice():
    x, y, tests = made()
    with pytest.raises(ValueError, match="n_neighbors"):
        TrainingGame(KNeighborsRegressor(N + 1), OnTest(tests), (x, y))(np.ones((1, N), bool))


# --- bad input --------------------------------------------------------------------------------------------------------

BAD_DATA = [
    ((X, Y[:5]), "`data`: expected columns of the same length, got columns of 12, 5 rows"),
    ((), "`data`: expected a tuple of columns, such as (X, y), with at least one row, got no rows"),
    (([], []), "`data`: expected a tuple of columns, such as (X, y), with at least one row, got no rows"),
    ((X, 3.0), "`data`: expected arrays, tensors, data frames, sparse matrices or lists, got a float"),
    ("a text", "`data`: expected arrays, tensors, data frames, sparse matrices or lists, got a str"),
    ({"x": X}, "`data`: expected arrays, tensors, data frames, sparse matrices or lists, got a dict"),
    (np.array(3.0), "`data`: expected a tuple of columns, such as (X, y), with at least one row, got no rows"),
]


@pytest.mark.parametrize(("data", "message"), BAD_DATA, ids=[str(number) for number in range(len(BAD_DATA))])
def test_bad_data(data, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        TrainingGame(Ridge(), OnTest(T), data)


BAD = [
    ({"fit": Ridge}, "`fit`: expected a scikit-learn estimator, or a function of the data, got the class Ridge"),
    ({"fit": 3}, "`fit`: expected a scikit-learn estimator, or a function of the data, got an int"),
    ({"evaluate": 3}, "`evaluate`: expected `OnTest`, or a function of the model, got an int"),
    ({"seeds": 3}, "`seeds`: expected a sequence of integers, such as `range(5)`, got 3"),
    ({"seeds": []}, "`seeds`: expected a sequence of integers, such as `range(5)`, got []"),
    ({"seeds": "12"}, "`seeds`: expected a sequence of integers, such as `range(5)`, got '12'"),
    ({"seeds": [0.5]}, "`seeds`: expected a sequence of integers, such as `range(5)`, got [0.5]"),
    ({"seeds": [True]}, "`seeds`: expected a sequence of integers, such as `range(5)`, got [True]"),
    (
        {"untrainable": "mean"},
        "`untrainable`: expected 'prior', 'raise', a number, or one for each output, got 'mean'",
    ),
    ({"untrainable": float("nan")}, "`untrainable`: expected a finite number, or one for each output, got nan"),
    ({"untrainable": [[1.0]]}, "`untrainable`: expected a finite number, or one for each output, got [[1.0]]"),
    ({"untrainable": {"a": 1}}, "`untrainable`: expected real numbers, got a dict"),
    ({"untrainable": ["a"]}, "`untrainable`: expected real numbers, got a list"),
    (
        {"untrainable": "prior", "evaluate": lambda model: 0.0},
        "`untrainable`: expected 'raise', a number, or one for each output, got 'prior'",
    ),
    (
        {"untrainable": "prior", "data": (X,)},
        "`untrainable`: expected 'raise', a number, or one for each output, got 'prior'",
    ),
    ({"batch_size": 0}, "`batch_size`: expected an integer of at least 1, got 0"),
    ({"groups": [1, 2]}, "`groups`: expected (12,): a label for each training point, got shape (2,)"),
    ({"groups": np.ones((12, 1))}, "`groups`: expected (12,): a label for each training point, got shape (12, 1)"),
    ({"groups": [None, *"abcdefghijk"]}, "`groups`: expected labels that can be sorted, got labels of several types"),
]


@pytest.mark.parametrize(("settings", "message"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_bad_arguments(settings, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        TrainingGame(**({"fit": Ridge(), "evaluate": OnTest(T), "data": (X, Y)} | settings))


def test_evaluations_of_changing_or_wrong_shape():
    counts = TrainingGame(np.sum, lambda total: np.zeros(int(total) % 3 + 1), np.arange(4))
    with pytest.raises(
        GameError, match=r"`evaluate`: expected it to return always a number, .*, got shapes \(1,\), \(2,\)"
    ):
        counts(np.eye(4, dtype=bool))
    squares = TrainingGame(np.sum, lambda total: np.zeros((2, 2)), np.arange(4))
    with pytest.raises(GameError, match=r"`evaluate`: expected it to return always a number, .*, got shapes \(2, 2\)"):
        squares(np.eye(4, dtype=bool))


def test_masks_that_do_not_fit():
    game = TrainingGame(Ridge(), OnTest(T), (X, Y))
    with pytest.raises(MaskError, match=rf"`masks`: expected \(n_masks, {N}\).*, got shape \(1, 3\)"):
        game(np.ones((1, 3), bool))


# --- explanations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [Ridge(0.5), KernelRidge(kernel="rbf"), KNeighborsRegressor(2), LinearRegression()], ids=str
)
def test_exact_shapley_values(model):
    x, y, tests = made(n=6)
    game = TrainingGame(model, OnTest(tests), (x, y))
    results = captum_spex.explain(game, budget=64, index="SII", max_order=2)
    tables = slow_values(model, (x, y), tests, every_mask(6)).T
    assert len(results) == N_TEST
    for result, table in zip(results, tables, strict=True):
        assert result.names == game.names
        assert result.n_evaluations == 64
        assert_allclose(result.first_order(), shapley_by_permutations(table, 6), **SAME)
        assert_allclose([result[players] for players in sii(table, 6, 2)], list(sii(table, 6, 2).values()), **SAME)


def test_one_score_is_one_result():
    x, _, tests = made(n=6)
    game = TrainingGame(KNeighborsClassifier(1), OnTest(tests, [0, 1, 0], "score"), (x, labels_of(x)))
    result = captum_spex.explain(game, budget=64)
    everyone = KNeighborsClassifier(1).fit(x, labels_of(x)).score(tests, [0, 1, 0])
    assert_allclose(result.first_order().sum(), everyone - result.baseline)


def test_duplicates_are_redundant():
    """Either of two equal points suffices: their interaction is that of a logical or."""
    x, _, _ = made(n=8)
    x[5], y = x[2], np.isin(np.arange(8), (2, 5)).astype(int)
    neighbors = TrainingGame(
        KNeighborsClassifier(1), OnTest(x[[2, 5]], [1, 1], "probability"), (x, y), untrainable=[0, 0]
    )
    for result in captum_spex.explain(neighbors, budget=256):
        assert_allclose(result[(2, 5)], -1.0)
    ridge = TrainingGame(Ridge(0.1, fit_intercept=False), OnTest(x[[2, 5]]), (x, 1.0 * y), untrainable=[0, 0])
    for result in captum_spex.explain(ridge, budget=256):
        assert result[(2, 5)] == min(result.values[result.orders == 2]) < -0.1


def test_a_killed_run_resumes_where_it_stopped(tmp_path, counted):
    x, y, tests = made(n=6)
    game = TrainingGame(counted(), OnTest(tests[:1]), (x, y), batch_size=10)
    counted.stop_at = 35
    with pytest.raises(KeyboardInterrupt):
        captum_spex.explain(game, budget=64, store=tmp_path / "kept.db")
    counted.stop_at, counted.trainings = None, 0
    result = captum_spex.explain(game, budget=64, store=tmp_path / "kept.db")
    assert 64 - 35 <= counted.trainings <= 64 - 30 + 1  # the batch that was lost; the empty set takes none
    counted.trainings = 0
    again = captum_spex.explain(game, budget=64, store=tmp_path / "kept.db")
    assert counted.trainings == 0
    assert_array_equal(*(one[0].values if isinstance(one, list) else one.values for one in (result, again)))
    other = TrainingGame(counted(2.0), OnTest(tests[:1]), (x, y))
    with pytest.raises(StoreError):
        captum_spex.explain(other, budget=64, store=tmp_path / "kept.db")


def changed(array, *place):
    other = array.copy()
    other[place] += 1
    return other


def long_pipeline(power):
    """Of so many steps that it does not show them all."""
    steps = [Normalizer("max") for _ in range(12)]
    return make_pipeline(*steps, FunctionTransformer(kw_args={"power": power}), *steps, Ridge(alpha=2.5))


def fingerprint(fit=None, tests=T, truth=None, value="prediction", data=(X, Y), **settings):
    return TrainingGame(Ridge() if fit is None else fit, OnTest(tests, truth, value), data, **settings).fingerprint


WIDE = np.random.default_rng(0).normal(size=(600, 500))
WORDS = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
MATTERS = {
    "estimator": ({}, {"fit": KernelRidge()}),
    "setting": ({}, {"fit": Ridge(alpha=2.0)}),
    "penalties": ({"fit": Ridge(alpha=np.ones(2000))}, {"fit": Ridge(alpha=changed(np.ones(2000), 1000))}),
    "step": ({"fit": long_pipeline(1)}, {"fit": long_pipeline(2)}),
    "points": ({}, {"data": (changed(X, 3, 2), Y)}),
    "targets": ({}, {"data": (X, changed(Y, 4))}),
    "weights": ({}, {"data": (X, Y, np.ones(N))}),
    "other weights": ({"data": (X, Y, np.ones(N))}, {"data": (X, Y, changed(np.ones(N), 3))}),
    "many points": ({"data": (WIDE, WIDE[:, 0])}, {"data": (changed(WIDE, 300, 250), WIDE[:, 0])}),
    "test points": ({}, {"tests": changed(T, 1, 1)}),
    "sparse test points": ({"tests": scipy.sparse.csr_matrix(T)}, {"tests": scipy.sparse.csr_matrix(changed(T, 1, 1))}),
    "test points of words": ({"tests": WORDS}, {"tests": WORDS[::-1]}),
    "truth": ({"truth": [1.0, 2, 3], "value": "score"}, {"truth": [1.0, 2, 4], "value": "score"}),
    "value": ({"truth": [1.0, -1, 1], "value": "score"}, {"truth": [1.0, -1, 1], "value": "margin"}),
    "groups": ({}, {"groups": np.arange(N) % 4}),
    "other groups": ({"groups": np.arange(N) % 4}, {"groups": np.arange(N) // 3}),
    "seeds": ({}, {"seeds": [0]}),
    "other seeds": ({"seeds": [0]}, {"seeds": [1]}),
    "untrainable": ({}, {"untrainable": 0.0}),
    "other untrainable": ({"untrainable": 1.0}, {"untrainable": 0.0}),
}


@pytest.mark.parametrize("name", MATTERS)
def test_the_fingerprint_changes_with_everything_that_matters(name):
    """Or there is none, and a store must be given one."""
    one, other = (fingerprint(**settings) for settings in MATTERS[name])
    assert one is None or one != other


def test_the_fingerprint_stays_the_same():
    assert fingerprint() == fingerprint(clone(Ridge()), T.copy(), data=(X.copy(), Y.copy()), n_jobs=2, batch_size=3)
    assert all(isinstance(text, str) for text in fingerprint().values())


def test_functions_and_strange_data_have_no_fingerprint():
    assert TrainingGame(np.sum, float, np.arange(3.0)).fingerprint is None
    assert TrainingGame(Ridge(), lambda model: 0.0, (X, Y)).fingerprint is None
    assert fingerprint(data=(scipy.sparse.csr_matrix(X), Y)) is None
    tokens = [[1, 2], [3], [4, 5, 6]]
    assert TrainingGame(Seeded(), OnTest(T), (tokens, [1.0, 2.0, 3.0])).fingerprint is None


@pytest.mark.parametrize(
    ("model", "settings", "largest"),
    [
        (LinearRegression(), {}, 64),
        (Ridge(), {}, 1024),
        (Ridge(), {"batch_size": 7}, 7),
        (LinearRegression(), {"batch_size": 5}, 5),
    ],
    ids=str,
)
def test_batches(model, settings, largest):
    game = TrainingGame(model, OnTest(T), (X, Y), **settings)
    plan = game.plan_batches(np.zeros((3000, N), bool))
    assert [len(rows) for rows in plan[:-1]] == [largest] * (len(plan) - 1)
    assert_array_equal(np.concatenate(plan), np.arange(3000))


class NoProbabilities(ClassifierMixin, BaseEstimator):
    """A classifier that only knows the most frequent class."""

    def fit(self, x, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        return self

    def predict(self, x):
        return np.full(len(x), self.most_)


def test_own_classifiers():
    holds(NoProbabilities(), (X, labels_of(X, 3)), T, truth=[0, 1, 2], value="score")
    with pytest.raises(UnknownNameError):
        OnTest(T, [0, 1, 2], "proba")
