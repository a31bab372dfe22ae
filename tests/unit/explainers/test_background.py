"""Backgrounds: weights, many rows, arrays of any dimension, and what SHAP makes of tables."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import shap
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from shap.links import identity, logit
from shap_cases import Counted, plain, polynomial, slow_values, table

from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer
from captum_spex.explainers.background import Background


def share(x):
    """Probabilities in (0, 1)."""
    return 1 / (1 + np.exp(-np.tanh(x[:, 0]) - 0.5 * x[:, 1] * x[:, 2]))


ROWS, WEIGHTS = table(4, 3, 1), np.array([1.0, 2.0, 0.0, 5.0])


def repeated():
    """The same background without weights."""
    return np.repeat(ROWS, WEIGHTS.astype(int), axis=0)


@pytest.mark.parametrize("linearize", [True, False])
@pytest.mark.parametrize("link", [identity, logit])
@pytest.mark.parametrize("n_outputs", [0, 2])
def test_weights_are_repeated_rows(link, linearize, n_outputs):
    def model(x):
        return np.stack([share(x), 1 - share(x)], axis=1) if n_outputs else share(x)

    x = table(2, 3)
    settings = {"link": link, "linearize_link": linearize}
    found = ProxySpexExplainer(model, (ROWS, WEIGHTS), **settings)(x)
    wanted = ProxySpexExplainer(model, repeated(), **settings)(x)
    assert_allclose(found.values, wanted.values, atol=1e-12)
    assert_allclose(found.base_values, wanted.base_values, atol=1e-12)
    assert_allclose(found.base_values + found.values.sum(axis=1), plain(link)(model(x)), atol=1e-9)


def weighted_values(x):
    """Shapley values by the definition, with a weighted mean over the background."""

    def value(mask):
        return np.average(share(np.where(mask, x, ROWS)), weights=WEIGHTS)

    values = {tuple(mask): value(mask) for mask in every_mask(3).tolist()}
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    total = np.zeros(3)
    for order in orders:
        mask = [False] * 3
        for player in order:
            before = values[tuple(mask)]
            mask[player] = True
            total[player] += values[tuple(mask)] - before
    return total / 6, values[(False,) * 3]


@pytest.mark.parametrize(
    "made",
    [lambda rows: rows, lambda rows: pd.DataFrame(rows, columns=list("abc")), scipy.sparse.csr_matrix,
     lambda rows: pl.DataFrame({name: rows[:, k] for k, name in enumerate("abc")})],
    ids=["array", "pandas", "sparse", "polars"],
)  # fmt: skip
def test_weights_of_all_kinds_of_tables(made):
    def model(rows):
        return share(rows.toarray() if scipy.sparse.issparse(rows) else np.asarray(rows))

    x = table(1, 3)
    values, base = weighted_values(x[0])
    found = ProxySpexExplainer(model, (made(ROWS), WEIGHTS.tolist()))(made(x))
    assert_allclose(found.values[0], values, atol=1e-12)
    assert_allclose(found.base_values, [base], atol=1e-12)


@pytest.mark.parametrize("explainer", [ProxySpexExplainer, SpexExplainer])
def test_summaries_of_shap_give_what_kernel_shap_gives(explainer):
    data = np.random.default_rng(0).normal(size=(60, 3))
    summary = shap.kmeans(data, 4)
    x = data[:2]
    found = explainer(share, summary)(x)
    kernel = shap.KernelExplainer(share, summary)
    assert_allclose(found.values, kernel.shap_values(x, silent=True), atol=1e-9)
    assert_allclose(found.base_values, kernel.expected_value, atol=1e-12)


def test_the_summary_of_a_skewed_column():
    """Nine rows of 0 and one of 10: without weights the base would be 5."""
    summary = shap.kmeans(np.array([[0.0]] * 9 + [[10.0]]), 2)
    found = ProxySpexExplainer(lambda x: x[:, 0], summary)(np.array([[4.0]]))
    assert_allclose((found.values[0, 0], found.base_values[0]), (3.0, 1.0))


def test_groups_of_dense_data_are_players():
    summary = shap.utils._legacy.DenseData(ROWS, ["first", "pair"], [np.array([0]), np.array([1, 2])], WEIGHTS.copy())
    x = table(1, 3)
    found = ProxySpexExplainer(share, summary)(x)
    kernel = shap.KernelExplainer(share, summary)
    assert_allclose(found.values, kernel.shap_values(x, silent=True), atol=1e-9)
    assert found.feature_names == ["first", "pair"]
    named = shap.kmeans(pd.DataFrame(ROWS, columns=["u", "v", "w"]), 2)
    assert ProxySpexExplainer(share, named)(x).feature_names == ["u", "v", "w"]


def test_weights_beside_another_argument():
    def model(x, y):
        return share(x) * y[:, 0]

    x, y = table(1, 3), np.array([[2.0]])
    first, second = ProxySpexExplainer(model, [(ROWS, WEIGHTS), np.array([[0.5]])])(x, y)
    pairs = np.hstack([repeated(), np.full((len(repeated()), 1), 0.5)])
    wanted = slow_values(lambda rows: share(rows[:, :3]) * rows[:, 3], pairs, np.hstack([x, y]))
    assert_allclose(np.hstack([first.values, second.values]), wanted, atol=1e-12)


BAD_WEIGHTS = {
    "too few": [1.0, 2.0],
    "negative": [1, -1, 1, 1],
    "all zero": [0.0] * 4,
    "not finite": [1, np.inf, 1, 1],
    "missing": [1, np.nan, 1, 1],
    "of two dimensions": np.ones((4, 1)),
    "texts": list("abcd"),
}


@pytest.mark.parametrize("weights", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_weights(weights):
    with pytest.raises(ArgumentError, match="`masker`: expected"):
        ProxySpexExplainer(share, (ROWS, weights))


def test_all_rows_are_used_up_to_a_cost():
    rows = np.zeros((1000, 1))
    rows[::100] = 100
    found = ProxySpexExplainer(lambda x: x[:, 0], rows)(np.array([[1.0]]))
    assert found.base_values.tolist() == [1.0]
    assert ProxySpexExplainer(polynomial, table(1024, 10, 1)).masker.shape == (1024, 10)


MANY = {
    "array": lambda rows: rows,
    "sparse": scipy.sparse.csr_matrix,
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": lambda rows: pa.table({str(k): rows[:, k] for k in range(rows.shape[1])}),
}


@pytest.mark.parametrize("made", MANY.values(), ids=MANY)
def test_more_rows_are_drawn_and_a_warning_says_so(made):
    rows = table(2000, 10, 1)
    with pytest.warns(UserWarning, match=r"`masker`: 1,024 of the 2,000 background rows are used.*`max_samples=2000`"):
        explainer = ProxySpexExplainer(polynomial, made(rows), seed=3)
    used = explainer.masker.values
    assert len(np.unique(used, axis=0)) == 1024
    assert (np.isin(used[:, 0], rows[:, 0])).all()
    assert len(ProxySpexExplainer(polynomial, made(rows), max_samples=2000).masker) == 2000
    with pytest.warns(UserWarning, match="7 of the 2,000"):
        assert len(ProxySpexExplainer(polynomial, made(rows), max_samples=7).masker) == 7


def test_the_rows_that_are_drawn_depend_on_the_seed_alone():
    rows = table(300, 2, 1)
    drawn = []
    for seed in (0, 0, 1):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        with pytest.warns(UserWarning, match="20 of the 300"):
            drawn.append(ProxySpexExplainer(polynomial, rows, seed=seed, max_samples=20).masker.values)
        assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_weighted_rows_are_drawn_by_their_weights():
    rows, weights = np.arange(400.0)[:, None], np.r_[np.zeros(200), np.arange(200.0)]
    with pytest.warns(UserWarning, match="of the 400 background rows"):
        masker = ProxySpexExplainer(polynomial, (rows, weights), max_samples=5000 // 20).masker
    assert masker.values.min() >= 200
    assert masker.weights.sum() == pytest.approx(1)
    assert abs(masker.weights @ masker.values[:, 0] - np.average(rows[:, 0], weights=weights)) < 10


@pytest.mark.parametrize("number", [0, -1, 2.5, True, "all"])
def test_a_bad_number_of_rows(number):
    with pytest.raises(ArgumentError, match="`max_samples`: expected an integer of at least 1, got"):
        ProxySpexExplainer(polynomial, ROWS, max_samples=number)


@pytest.mark.parametrize("shape", [(3, 2), (1, 3, 2)])
@pytest.mark.parametrize("n_rows", [1, 3])
def test_rows_of_any_dimension(shape, n_rows):
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(n_rows, *shape)), rng.normal(size=(2, *shape))
    x[:, ..., 1] = background[0, ..., 1]
    background[..., 1] = background[0, ..., 1]

    def model(rows):
        assert rows.shape[1:] == shape
        return polynomial(rows.reshape(len(rows), -1))

    found = ProxySpexExplainer(model, background)(x)
    flat = slow_values(polynomial, background.reshape(n_rows, -1), x.reshape(2, -1))
    assert_allclose(found.values, flat.reshape(x.shape), atol=1e-9)
    assert_allclose(found.data, x)


def test_matrices_of_numpy():
    found = ProxySpexExplainer(polynomial, table(2, 4, 1))(table(2, 4))
    with pytest.warns(PendingDeprecationWarning):
        rows, background = np.matrix(table(2, 4)), np.matrix(table(2, 4, 1))
    again = ProxySpexExplainer(polynomial, background)(rows)
    assert_allclose(again.values, found.values)
    assert again.data.shape == (2, 4)


def test_a_background_masks_a_row_as_shap_asks_for_it():
    model = Counted(polynomial)
    for made in (lambda rows: rows, lambda rows: pd.DataFrame(rows, columns=list("abcd"))):
        background = ProxySpexExplainer(model, made(table(2, 4, 1))).masker
        assert isinstance(background, Background)
        mask = np.array([True, False, True, False])
        masked = background(mask, table(1, 4)[0])[0]
        assert_allclose(masked, np.where(mask, table(1, 4), table(2, 4, 1)))


@pytest.mark.parametrize("made", [np.asarray, pd.DataFrame], ids=["array", "pandas"])
def test_backgrounds_are_pickled(made):
    background = Background(made(ROWS), WEIGHTS / WEIGHTS.sum())
    again = pickle.loads(pickle.dumps(background))
    assert_array_equal(again.values, background.values)
    assert_array_equal(again.weights, background.weights)
