"""Retraining in closed form equals training again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from trainings import N_TEST, SAME, N, holds, labels_of, made, slow_values, some_masks

from captum_spex.games.training import OnTest, TrainingGame
from captum_spex.games.training.closed_form import Limits, closed_form_of

# --- data and slow twins ----------------------------------------------------------------------------------------------


class Mine(Ridge):
    """A subclass, of which nothing is known."""

    def fit(self, X, y):  # noqa: N803
        return super().fit(X, 2 * y)


def product_kernel(a, b, power=1.0):
    return (1.0 + a @ b) ** power


# --- closed forms -----------------------------------------------------------------------------------------------------

KERNELS = {
    "linear": {},
    "rbf": {"kernel": "rbf"},
    "rbf, gamma": {"kernel": "rbf", "gamma": 0.3},
    "poly": {"kernel": "poly", "degree": 2, "coef0": 0.5},
    "polynomial": {"kernel": "polynomial"},
    "laplacian": {"kernel": "laplacian", "gamma": 0.2},
    "cosine": {"kernel": "cosine"},
    "sigmoid": {"kernel": "sigmoid", "gamma": 0.2},
    "callable": {"kernel": product_kernel, "kernel_params": {"power": 2.0}},
}


@pytest.mark.sampled
@pytest.mark.parametrize("n_targets", [0, 1, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-2, 1.0, 50.0])
def test_ridge(alpha, fit_intercept, n_targets):
    x, y, tests = made(n_targets=n_targets)
    assert holds(Ridge(alpha=alpha, fit_intercept=fit_intercept), (x, y), tests).is_closed_form


@pytest.mark.parametrize("solver", ["auto", "cholesky", "svd"])
def test_direct_solvers_of_ridge(solver):
    x, y, tests = made()
    assert holds(Ridge(solver=solver), (x, y), tests).is_closed_form


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 8), st.floats(0.01, 100), st.booleans())
def test_ridge_of_any_shape(seed, n, n_features, alpha, fit_intercept):
    x, y, tests = made(seed, n, n_features=n_features)
    model = Ridge(alpha=alpha, fit_intercept=fit_intercept)
    assert holds(model, (x, y), tests, some_masks(n, seed)[: 8 + n] if n > 3 else every_mask(n)).is_closed_form


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:Singular matrix")  # a sigmoid is no positive kernel
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("alpha", [1e-2, 1.0])
def test_kernel_ridge(kernel, alpha):
    x, y, tests = made()
    assert holds(KernelRidge(alpha=alpha, **KERNELS[kernel]), (x, y), tests).is_closed_form


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.floats(0.01, 100), st.integers(0, 3))
def test_kernel_ridge_of_any_shape(seed, n, alpha, n_targets):
    x, y, tests = made(seed, n, n_targets)
    model = KernelRidge(kernel="rbf", gamma=0.5, alpha=alpha)
    assert holds(model, (x, y), tests, some_masks(n, seed)[: 8 + n] if n > 3 else every_mask(n)).is_closed_form


@pytest.mark.sampled
@pytest.mark.parametrize("metric", ["minkowski", "manhattan", "chebyshev", "cosine", "canberra", "correlation"])
@pytest.mark.parametrize("k", [1, 2, 5, N])
def test_neighbors(k, metric):
    x, y, tests = made()
    classes, truth = labels_of(x, 3), [0, 1, 2]
    assert holds(KNeighborsRegressor(k, metric=metric), (x, y), tests).is_closed_form
    classifier = KNeighborsClassifier(k, metric=metric)
    assert holds(classifier, (x, classes), tests, truth=truth, value="probability").is_closed_form
    holds(classifier, (x, classes), tests, truth=truth, value="score")


def test_neighbors_of_a_metric_that_is_a_function_or_has_settings():
    x, y, tests = made()
    holds(KNeighborsRegressor(2, metric=lambda a, b: np.abs(a - b).max()), (x, y), tests)
    holds(KNeighborsRegressor(2, p=1.5), (x, y), tests)
    holds(KNeighborsRegressor(2, metric="seuclidean", metric_params={"V": [1.0, 4.0, 9.0, 1.0]}), (x, y), tests)
    holds(KNeighborsRegressor(2, algorithm="kd_tree"), (x, y), tests)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 6))
def test_neighbors_of_any_shape(seed, n, k):
    x, y, tests = made(seed, n)
    masks = some_masks(n, seed)[: 8 + n] if n > 3 else every_mask(n)
    if k <= n:
        holds(KNeighborsRegressor(k), (x, y), tests, masks)
        holds(KNeighborsClassifier(k), (x, labels_of(x)), tests, masks, truth=[1, 0, 1], value="margin")


MODELS = [Ridge(), KernelRidge(kernel="rbf", gamma=0.3), KernelRidge(), KNeighborsRegressor(2)]
each_model = pytest.mark.parametrize("model", MODELS, ids=["ridge", "rbf", "linear", "neighbors"])


@pytest.mark.sampled
@each_model
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.uint8])
def test_data_of_other_kinds(model, dtype):
    x, y, tests = made()
    x, tests = (np.abs(20 * a).astype(dtype) for a in (x, tests))
    holds(model, (x, y), tests)


@pytest.mark.sampled
@each_model
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_targets_of_other_kinds(model, dtype):
    x, y, tests = made()
    holds(model, (x, np.abs(20 * y).astype(dtype)), tests)


@each_model
def test_data_far_from_the_origin(model):
    x, y, tests = made()
    if not isinstance(model, KernelRidge) or model.kernel == "rbf":
        holds(model, (x + 1e2, y - 1e3), tests + 1e2)


@each_model
def test_data_frames_and_tensors_and_lists(model):
    x, y, tests = made()
    masks, wanted = some_masks(), slow_values(model, (x, y), tests, some_masks())
    for kind in (pd.DataFrame, torch.tensor, np.ndarray.tolist):
        game = TrainingGame(model, OnTest(kind(tests)), (kind(x), pd.Series(y) if kind is pd.DataFrame else kind(y)))
        assert game.is_closed_form
        assert_allclose(game(masks), wanted, **SAME)


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore")  # scikit-learn's, about bad conditions
@pytest.mark.parametrize("alpha", [0.0, 1e-12, 1e-9])
@pytest.mark.parametrize(
    "kind", [Ridge, lambda alpha: Ridge(alpha, fit_intercept=False), KernelRidge], ids=["ridge", "origin", "kernel"]
)
def test_penalties_too_small_for_a_closed_form(kind, alpha):
    """Fewer points than features: without a penalty there are many solutions, of which scikit-learn takes one."""
    x, y, tests = made()
    game = TrainingGame(kind(alpha=alpha), OnTest(tests), (x, y))
    assert_allclose(game(some_masks()), slow_values(kind(alpha=alpha), (x, y), tests, some_masks()), rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("alpha", [1e-9, 1e-3])
@pytest.mark.parametrize("kind", [Ridge, lambda alpha: KernelRidge(kernel="rbf", alpha=alpha)], ids=["ridge", "rbf"])
def test_duplicated_points(kind, alpha):
    x, y, tests = made()
    x[6:] = x[:6]
    game = TrainingGame(kind(alpha=alpha), OnTest(tests), (x, y))
    assert_allclose(game(some_masks()), slow_values(kind(alpha=alpha), (x, y), tests, some_masks()), rtol=1e-6)


REFITTED = {
    "positive": Ridge(positive=True),
    "iterative": Ridge(solver="lsqr", tol=1e-3),
    "conjugate gradients": Ridge(solver="sparse_cg", tol=1e-3),
    "penalty for each target": Ridge(alpha=np.array([1.0])),
    "subclass": Mine(),
    "distances": KNeighborsRegressor(2, weights="distance"),
    "own weights": KNeighborsRegressor(2, weights=lambda distances: 1 / (1 + distances)),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
    "linear regression": LinearRegression(),
    "tree": DecisionTreeRegressor(random_state=0),
}


@pytest.mark.parametrize("name", REFITTED)
def test_without_a_closed_form_subsets_are_retrained(name):
    x, y, tests = made()
    assert not holds(REFITTED[name], (x, y), tests).is_closed_form


def test_precomputed_matrices_are_not_features():
    """Rows of them that are taken are no square matrix any more."""
    x, y, _ = made()
    distances = np.abs(x[:, None] - x).sum(axis=2)
    holds(KNeighborsRegressor(2, metric="precomputed"), (distances, y), distances[:N_TEST])
    kernel = KernelRidge(kernel="precomputed")
    assert not TrainingGame(kernel, OnTest(distances[:N_TEST]), (distances, y)).is_closed_form


def test_metrics_that_depend_on_the_data():
    x, y, tests = made()
    holds(KNeighborsRegressor(2, metric="nan_euclidean"), (x, y), tests)


def test_a_column_of_weights_counts():
    x, y, tests = made()
    weights = np.arange(1.0, N + 1)
    assert not holds(Ridge(), (x, y, weights), tests).is_closed_form
    unweighted = TrainingGame(Ridge(), OnTest(tests), (x, y))
    weighted = TrainingGame(Ridge(), OnTest(tests), (x, y, weights))
    assert np.abs(weighted(some_masks()) - unweighted(some_masks())).max() > 0.01


def test_other_evaluations_and_a_switch_retrain():
    x, y, tests = made()
    masks = some_masks()
    masks = masks[masks.any(axis=1)]
    by_function = TrainingGame(Ridge(), lambda model: model.predict(tests), (x, y))
    switched = TrainingGame(Ridge(), OnTest(tests), (x, y), closed_form=False)
    assert not by_function.is_closed_form
    assert not switched.is_closed_form
    closed = TrainingGame(Ridge(), OnTest(tests), (x, y))(masks)
    assert_allclose(by_function(masks), closed, **SAME)
    assert_allclose(switched(masks), closed, **SAME)


def test_targets_that_are_truth_values_or_texts():
    x, _, tests = made()
    names = np.array(["no", "yes"])[labels_of(x)]
    game = holds(KNeighborsClassifier(3), (x, names), tests, truth=["yes", "no", "yes"], value="probability")
    assert game.is_closed_form
    holds(KNeighborsClassifier(3), (x, labels_of(x) == 1), tests, truth=[True, False, True], value="probability")
    frame = pd.Series(names)
    holds(KNeighborsClassifier(3), (x, frame), tests, truth=["yes", "no", "yes"], value="margin")


@each_model
def test_more_masks_than_a_block(model):
    x, y, tests = made()
    masks = some_masks()
    whole, in_blocks = (
        closed_form_of(model, (x, y), OnTest(tests), limits)(masks) for limits in (Limits(), Limits(block=100))
    )
    assert_allclose(in_blocks[0].numbers, whole[0].numbers, **SAME)
    assert_array_equal(in_blocks[1], whole[1])


def test_targets_that_are_missing_are_an_error():
    x, y, tests = made()
    y[3] = np.nan
    for closed_form in (True, False):
        with pytest.raises(ValueError, match="NaN"):
            TrainingGame(Ridge(), OnTest(tests), (x, y), closed_form=closed_form)(np.ones((1, N), bool))


def test_penalties_that_scikit_learn_refuses():
    x, y, tests = made()
    with pytest.raises(ValueError, match="alpha"):
        TrainingGame(Ridge(alpha=-0.5), OnTest(tests), (x, y))(np.ones((1, N), bool))
