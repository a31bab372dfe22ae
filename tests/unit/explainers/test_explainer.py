"""SHAP explainers: SHAP's conventions, exact values, and sums that are checked strictly."""

from __future__ import annotations

import copy
import io
import math
import os
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import cloudpickle
import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import shap
import text_models
import torch
from games import random_table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES, every_mask, sets_of, shapley_by_permutations, sii
from shap.links import identity, logit
from shap.maskers import Composite, Fixed, Image, Independent, Partition, Text
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from torch import nn
from transformers import TextClassificationPipeline

from captum_spex import Interactions
from captum_spex import approximators as algorithms
from captum_spex.compat.shap import is_identity
from captum_spex.errors import ArgumentError, BudgetError, GameError, MaskError, OrderError, UnknownNameError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer
from captum_spex.explainers.explainer import Limits

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=5, links=False))
SMALL_SPEX = algorithms.Spex(degree=2, bits=3)
EXPLAINERS = (ProxySpexExplainer, SpexExplainer)
both = pytest.mark.parametrize("kind", EXPLAINERS)
ONE_HIDDEN = {"one background row": 1, "four background rows": 4}


def plain(link):
    """The function of a link, which numba may have compiled: SHAP's are up to 0.51."""
    return getattr(link, "py_func", link)


def complementary(x):
    """The complementary log-log link."""
    return np.log(-np.log(1 - x))


LINKS = {"identity": identity, "logit": logit, "custom": complementary}
COMPILED = {"compiled identity": numba.njit(plain(identity)), "compiled": numba.njit(complementary)}


# --- models and inputs ------------------------------------------------------------------------------------------------


class Counted:
    """A model that keeps the first argument of all its calls."""

    def __init__(self, model):
        self.model = model
        self.calls = []

    def __call__(self, *inputs):
        self.calls.append(copy.deepcopy(inputs[0]))
        return self.model(*inputs)

    @property
    def rows(self):
        return np.concatenate([np.asarray(call) for call in self.calls])


def table(n_rows, n_columns, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns))


def squashed(x):
    return 0.02 + 0.96 / (1 + np.exp(-x))


def polynomial(x):
    """Interactions of order 2 and 3, of at least four columns."""
    return 0.3 + x[:, 0] + 2 * x[:, 1] * x[:, 2] - x[:, 0] * x[:, 2] * x[:, 3] + 0.5 * x[:, -1] ** 2


def quadratic(x):
    return 1 + x @ np.arange(x.shape[1]) + x[:, 0] * x[:, 1] - 2 * x[:, 2] * x[:, -1] + x[:, 1] ** 2


def three(x):
    return np.column_stack([polynomial(x), quadratic(x), np.tanh(x).prod(axis=1)])


def hashed(texts):
    """A number between 0.1 and 0.9 that says nothing about any other text: interactions of all orders."""
    return np.array([0.1 + 0.8 * crc32(str(text).encode()) / 2**32 for text in texts])


def frame(n_rows, seed=0):
    """Numbers, whole numbers, booleans, categories and texts."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(size=n_rows),
            "count": rng.integers(0, 1000, n_rows),
            "member": rng.integers(0, 2, n_rows).astype(bool),
            "colour": pd.Categorical(rng.choice(["red", "green", "blue"], n_rows), ["red", "green", "blue"]),
            "city": [f"city {number}" for number in rng.integers(0, 1000, n_rows)],
        }
    )


def of_frame(x):
    """A model that relies on its columns' dtypes."""
    assert list(x.columns) == ["age", "count", "member", "colour", "city"]
    assert x["colour"].dtype == pd.CategoricalDtype(["red", "green", "blue"])
    assert x["age"].dtype.kind == "f"
    assert x["count"].dtype.kind == "i"
    assert x["member"].dtype == bool
    colour = x["colour"].cat.codes.to_numpy()
    city = hashed(x["city"])
    return squashed(x["age"] * (colour - 1) + city * x["count"] / 500 * np.where(x["member"], 1, -1)).to_numpy()


def table_masker(n):
    return Independent(np.zeros((1, n)))


def network(n_inputs, n_outputs, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(n_inputs, 8), nn.Tanh(), nn.Linear(8, n_outputs)).eval()


def with_outputs(score, n_outputs):
    """One output without an axis (0), one with an axis, or several."""

    def model(*inputs):
        p = np.asarray(score(*inputs))
        return p if not n_outputs else np.stack([p, p**2, 1 - p][:n_outputs], axis=1)

    return model


# --- strict additivity ------------------------------------------------------------------------------------------------


def assert_sums(explanations, linked, rtol=1e-6):
    """``base + values.sum()`` is the linked output, for every row and output, whatever the arguments' shapes."""
    several = explanations if isinstance(explanations, list) else [explanations]
    for row, expected in enumerate(linked):
        base = np.asarray(several[0].base_values[row], dtype=float)
        values = [np.asarray(one.values[row], dtype=float).reshape(-1, *base.shape) for one in several]
        total = base + sum(one.sum(axis=0) for one in values)
        scale = max(1e-300, np.abs(expected).max(), np.abs(base).max())
        assert total.shape == np.shape(expected)
        assert np.abs(total - expected).max() <= rtol * scale


def assert_pairs(pairs, values):
    """Symmetric, every line sums to the Shapley value, the total is the sum of them."""
    for row in range(len(values.values)):
        own = np.asarray(values.values[row], dtype=float)
        outputs = own.shape[own.ndim - np.ndim(values.base_values[row]) :]
        own, matrix = own.reshape(-1, *outputs), np.asarray(pairs.values[row], dtype=float)
        assert matrix.shape == (len(own), *own.shape)
        scale = max(1e-300, np.abs(matrix).max())
        assert_array_equal(matrix, matrix.swapaxes(0, 1))
        assert np.abs(matrix.sum(axis=0) - own).max() <= 1e-6 * scale
        assert np.abs(matrix.sum(axis=1) - own).max() <= 1e-6 * scale
        assert_allclose(np.asarray(pairs.base_values[row], dtype=float), values.base_values[row], rtol=1e-12)


@dataclass(frozen=True)
class Case:
    """A masker, a model with outputs between 0 and 1, and rows."""

    masker: Callable[[int], Any]
    score: Callable[..., Any]
    rows: tuple[Any, ...]
    has_pairs: bool = True


def of_table(x):
    return squashed(polynomial(np.asarray(x, dtype=float)))


def of_image(x):
    return squashed(np.sin(np.asarray(x, dtype=float).reshape(len(x), -1) @ np.arange(1, 5) / 300))


def hidden_by_reversal(mask, x):
    """Two rows: the hidden places hold what stands at the mirrored place, or zero."""
    return np.stack([np.where(mask, x, x[::-1] + 2), np.where(mask, x, 0.0)])


def hidden_by_two(mask, x, y):
    return np.where(mask[:4], x, 0.5)[None], np.where(mask[4:], y, -1.0)[None]


def of_two(x, y):
    return squashed(polynomial(np.asarray(x)) * np.asarray(y).sum(axis=1))


TEXTS = ["Her acting never fails", "The film is good", "never again"]
IMAGES = np.random.default_rng(5).integers(1, 256, (2, 2, 2, 1), dtype=np.uint8)
CASES = {
    "array": Case(lambda b: table(b, 5, 1), of_table, (table(4, 5),)),
    "independent": Case(lambda b: Independent(table(b, 5, 1)), of_table, (table(4, 5),)),
    "frame": Case(lambda b: frame(b, 1), of_frame, (frame(4),)),
    "partition": Case(
        lambda b: Partition(table(b, 5, 1), clustering=shap.utils.hclust(table(9, 5, 2))), of_table, (table(4, 5),)
    ),
    "text, regex": Case(lambda b: Text(r"\W+"), hashed, (TEXTS,)),
    "text, tokenizer": Case(lambda b: Text(copy.deepcopy(text_models.word_tokenizer())), hashed, (TEXTS,)),
    "image, array": Case(lambda b: Image(np.full((2, 2, 1), 7.0)), of_image, (IMAGES.astype(float),)),
    "image, number": Case(lambda b: Image(128, (2, 2, 1)), of_image, (IMAGES,)),
    "composite, fixed": Case(
        lambda b: Composite(Independent(table(b, 5, 1)), Fixed()),
        lambda x, y: squashed(polynomial(np.asarray(x)) * np.asarray(y)),
        (table(3, 5), np.array([1.0, -2.0, 0.5])),
    ),
    "list": Case(
        lambda b: [Independent(table(b, 4, 1)), Independent(table(b, 3, 2))],
        of_two,
        (table(3, 4), table(3, 3, 3)),
        False,
    ),
    "list with texts": Case(
        lambda b: [Independent(table(b, 4, 1)), Text(r"\W+")],
        lambda x, t: squashed(polynomial(np.asarray(x)) * hashed(t)),
        (table(3, 4), TEXTS),
        False,
    ),
    "function": Case(lambda b: hidden_by_reversal, of_table, (table(3, 5),)),
    "function of two": Case(lambda b: hidden_by_two, of_two, (table(3, 4), table(3, 3, 3)), False),
    "sparse": Case(
        lambda b: scipy.sparse.csr_matrix(np.round(table(b, 5, 1))),
        lambda x: of_table(x.toarray()),
        (scipy.sparse.csr_matrix(np.round(table(4, 5))),),
    ),
    "sparse rows": Case(
        lambda b: table(b, 5, 1), lambda x: of_table(x.toarray()), (scipy.sparse.csr_array(table(3, 5)),)
    ),
    "sparse background": Case(lambda b: scipy.sparse.csr_array(table(b, 5, 1)), of_table, (table(3, 5),)),
    "mean": Case(lambda b: {"mean": table(1, 5, 1)[0], "cov": np.eye(5)}, of_table, (table(3, 5),)),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_link = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
linearized = pytest.mark.parametrize("linearize", [True, False], ids=["linearized", "not linearized"])


@pytest.mark.sampled
@every_case
@every_link
@linearized
@pytest.mark.parametrize("n_hidden", ONE_HIDDEN.values(), ids=ONE_HIDDEN)
def test_sums_are_exact(case, link, linearize, n_hidden):
    for n_outputs in (0, 1, 3):
        model = with_outputs(case.score, n_outputs)
        explainer = ProxySpexExplainer(model, case.masker(n_hidden), link=link, linearize_link=linearize)
        values = explainer(*case.rows)
        assert_sums(values, plain(link)(model(*case.rows)))
        if case.has_pairs:
            pairs = explainer(*case.rows, interactions=True)
            first = (values, pairs) if not isinstance(values, list) else (values[0], pairs[0])
            assert_pairs(first[1], first[0])


@pytest.mark.sampled
@both
@every_link
@linearized
def test_sums_are_exact_where_values_are_estimated(kind, link, linearize):
    model = with_outputs(of_table, 3)
    chosen = QUICK if kind is ProxySpexExplainer else SMALL_SPEX
    explainer = kind(model, table(3, 20, 1), link=link, linearize_link=linearize, seed=0, approximator=chosen)
    x, budget = table(2, 20), 64 if kind is ProxySpexExplainer else 900
    values = explainer(x, max_evals=budget)
    assert_sums(values, plain(link)(model(x)))
    assert_pairs(explainer(x, max_evals=budget, interactions=True), values)


@pytest.mark.sampled
@every_case
@linearized
@pytest.mark.parametrize("n_hidden", ONE_HIDDEN.values(), ids=ONE_HIDDEN)
def test_the_base_value_is_the_linked_mean_over_the_background(case, linearize, n_hidden):
    """So it is with linearised links, too: that is what the weights are for."""
    model, masker = with_outputs(case.score, 3), case.masker(n_hidden)
    explainer = ProxySpexExplainer(model, masker, link=logit, linearize_link=linearize)
    found = explainer(*case.rows)
    found = found[0] if isinstance(found, list) else found
    for row, base in enumerate(found.base_values):
        hidden = hidden_row(case, masker, row)
        assert_allclose(base, plain(logit)(model(*hidden).mean(axis=0)), rtol=1e-9)


def hidden_row(case, masker, row):
    """What the model is asked when nothing is present, from the background itself where it is a table."""
    if isinstance(masker, pd.DataFrame | np.ndarray):
        as_rows = scipy.sparse.csr_matrix if scipy.sparse.issparse(case.rows[0]) else lambda rows: rows
        return (as_rows(masker),)
    if scipy.sparse.issparse(masker):
        return (masker if scipy.sparse.issparse(case.rows[0]) else masker.toarray(),)
    if isinstance(masker, dict):
        return (masker["mean"][None],)
    own = [column[row] for column in case.rows]
    if callable(masker) and not isinstance(masker, shap.maskers.Masker):
        masked = masker(np.zeros(sum(map(len, own)), dtype=bool), *own)
        return masked if isinstance(masked, tuple) else (masked,)
    joined = Composite(*masker) if isinstance(masker, list) else masker
    parts = zip(getattr(joined, "maskers", [joined]), own, strict=True)
    n_positions = sum((part.shape(one) if callable(part.shape) else part.shape)[1] for part, one in parts)
    return joined(np.zeros(n_positions, dtype=bool), *own)


# --- slow oracles -----------------------------------------------------------------------------------------------------


def slow_games(model, background, x, link=identity, linearize=False):
    """The value of every coalition of one row's columns, from the definition: tables of ``2**n``, one per output."""
    n = len(x)
    weights = None
    if linearize:
        p = np.asarray(model(background))
        mean, step = p.mean(axis=0), 1e-4
        slope = (plain(link)(mean + step) - plain(link)(mean)) / step
        weights = slope * (p - mean) / (plain(link)(p) - plain(link)(mean))
        weights = weights * len(p) / weights.sum(axis=0)
    values = []
    for mask in every_mask(n):
        p = np.asarray(
            model(
                np.array(
                    [
                        [own if on else row[i] for i, (own, on) in enumerate(zip(x, mask, strict=True))]
                        for row in background
                    ]
                )
            )
        )
        averaged = plain(link)(p.mean(axis=0)) if weights is None else (weights * plain(link)(p)).mean(axis=0)
        values.append(averaged)
    return np.asarray(values).reshape(2**n, -1).T


def slow_matrix(game, n):
    """Halves of the Shapley interaction index, and lines that sum to the Shapley value."""
    index, values = sii(game, n, 2), shapley_by_permutations(game, n)
    matrix = np.zeros((n, n))
    for i, j in sets_of(n, 2, 2):
        matrix[i, j] = matrix[j, i] = index[i, j] / 2
    return matrix + np.diag(values - matrix.sum(axis=1))


def slow_values(model, background, x):
    """Shapley values of a model with one output."""
    return np.array([shapley_by_permutations(slow_games(model, background, row)[0], len(row)) for row in x])


SLOW = {
    "identity": (identity, False, 3),
    "logit": (logit, False, 3),
    "logit, linearized": (logit, True, 3),
    "custom": (complementary, False, 2),
    "custom, linearized": (complementary, True, 2),
    "one background row": (logit, False, 1),
}


@pytest.mark.sampled
@both
@pytest.mark.parametrize(("link", "linearize", "n_hidden"), SLOW.values(), ids=SLOW)
def test_values_and_pairs_against_all_coalitions(kind, link, linearize, n_hidden):
    """With features that equal the background, where SHAP's exact explainer is wrong about pairs."""
    model, background = with_outputs(of_table, 3), table(n_hidden, 5, 1)
    x = table(2, 5)
    x[0, [1, 3]] = background[:, [1, 3]] = 0.25
    explainer = kind(model, background, link=link, linearize_link=linearize)
    values, pairs = explainer(x), explainer(x, interactions=2)
    assert values.shape == (2, 5, 3)
    assert pairs.shape == (2, 5, 5, 3)
    for row in range(2):
        for output, game in enumerate(slow_games(model, background, x[row], link, linearize)):
            assert_allclose(values.values[row, :, output], shapley_by_permutations(game, 5), atol=1e-9)
            assert_allclose(pairs.values[row, :, :, output], slow_matrix(game, 5), atol=1e-9)
            assert_allclose(values.base_values[row, output], game[0], rtol=1e-9)


def test_one_background_row_makes_a_linearized_link_an_ordinary_one():
    """There SHAP's weights are 0 / 0 and its values NaN."""
    x, background = table(3, 5), table(1, 5, 1)
    ours = [ProxySpexExplainer(of_table, background, logit, linearize_link=way)(x).values for way in (True, False)]
    assert_allclose(*ours, atol=1e-12)


def test_an_output_that_is_the_mean_is_weighted_like_its_neighbours():
    """One of three background rows has exactly the mean output."""
    for shift in (0.0, 1e-7):
        moved = np.array([[0.2], [0.4 + shift], [0.6]])
        found = ProxySpexExplainer(lambda x: x[:, 0], moved, logit)(np.array([[0.7]]))
        assert_allclose(found.values, [[np.log(7 / 3) - np.log(2 / 3)]], atol=1e-6)


def test_outputs_of_the_background_that_are_all_the_same():
    found = ProxySpexExplainer(lambda x: np.where(x[:, 0] > 5, 0.8, 0.3), table(4, 3), logit)(np.full((1, 3), 9.0))
    assert_allclose(found.values, [[np.log(4) - np.log(3 / 7), 0, 0]], atol=1e-9)


# --- SHAP's exact explainer -------------------------------------------------------------------------------------------

LABELS = (table(200, 6, 7) @ np.arange(6) > 0).astype(int) + (table(200, 6, 7)[:, 1] > 1)
LOGISTIC = LogisticRegression().fit(table(200, 6, 7), LABELS)
FOREST = RandomForestClassifier(10, random_state=0).fit(table(200, 6, 7), LABELS)
REGRESSOR = RandomForestRegressor(10, random_state=0).fit(table(200, 12, 7), table(200, 1, 8)[:, 0])


def exact(model, masker, x, interactions=1, **settings):
    return shap.ExactExplainer(model, masker, **settings)(x, interactions=interactions, silent=True)


@both
@pytest.mark.parametrize("n_hidden", [1, 5])
@pytest.mark.parametrize("model", [LOGISTIC.predict_proba, FOREST.predict_proba], ids=["logistic", "forest"])
def test_values_of_classifiers(kind, model, n_hidden):
    background, x = table(n_hidden, 6, 1), table(4, 6)
    assert_allclose(kind(model, background)(x).values, exact(model, background, x).values, atol=1e-9)


@pytest.mark.parametrize("n", [4, 8, 12])
@pytest.mark.parametrize("n_hidden", [1, 3])
def test_values_of_up_to_twelve_features(n, n_hidden):
    background, x = table(n_hidden, n, 1), table(2, n)
    ours = ProxySpexExplainer(polynomial, background)(x, max_evals=2**n)
    theirs = exact(polynomial, background, x)
    assert_allclose(ours.values, theirs.values, atol=1e-9)
    assert_allclose(ours.base_values, theirs.base_values, atol=1e-9)


def test_values_of_a_forest_of_twelve_features():
    background, x = table(4, 12, 1), table(2, 12)
    ours = ProxySpexExplainer(REGRESSOR.predict, background)(x, max_evals=5000)
    assert_allclose(ours.values, exact(REGRESSOR.predict, background, x).values, atol=1e-9)


@pytest.mark.parametrize(
    ("link", "linearize", "n_hidden"),
    [
        (logit, False, 1),
        (logit, False, 4),
        (logit, True, 4),
        (COMPILED["compiled"], True, 4),
    ],  # which SHAP needs up to 0.51
)
def test_values_with_links(link, linearize, n_hidden):
    background, x = table(n_hidden, 6, 1), table(3, 6)
    model = with_outputs(of_table, 3)
    settings = {"link": link, "linearize_link": linearize}
    ours = ProxySpexExplainer(model, background, **settings)(x)
    assert_allclose(ours.values, exact(model, background, x, **settings).values, atol=1e-6)


@both
@pytest.mark.parametrize("n", [4, 7, 10])
def test_pairs_where_there_are_no_higher_orders(kind, n):
    background, x = table(3, n, 1), table(2, n)
    ours = kind(quadratic, background)(x, interactions=True, max_evals=2**n)
    assert_allclose(ours.values, exact(quadratic, background, x, interactions=2).values, atol=1e-9)


def test_pairs_of_several_outputs_which_shap_flattens():
    def model(x):
        return np.column_stack([quadratic(x), x[:, 0] * x[:, 3]])

    background, x = table(3, 5, 1), table(2, 5)
    theirs = exact(model, background, x, interactions=2).values.reshape(2, 5, 5, 2)
    assert_allclose(ProxySpexExplainer(model, background)(x, interactions=True).values, theirs, atol=1e-9)


def test_pairs_of_a_term_of_order_three():
    """Half of the Shapley interaction index, as in SHAP's tree explainer; its exact one says 1."""
    found = ProxySpexExplainer(lambda x: 6 * x.prod(axis=1), np.zeros((1, 3)))(np.ones((1, 3)), interactions=True)
    assert_allclose(found.values[0], [[-1, 1.5, 1.5], [1.5, -1, 1.5], [1.5, 1.5, -1]])


def test_a_network_as_torch_module_and_as_function():
    net = network(6, 3)
    background, x = table(3, 6, 1), table(2, 6)

    def function(rows):
        return net(torch.from_numpy(np.asarray(rows, dtype=np.float32))).detach().numpy()

    theirs = exact(function, background, x).values
    assert_allclose(ProxySpexExplainer(net, background)(x).values, theirs, atol=1e-5)
    assert_allclose(ProxySpexExplainer(function, background)(x).values, theirs, atol=1e-5)


def test_images_of_several_dtypes_in_one_call():
    """What hides a row has the row's dtype, so it is not the same for all rows."""

    def model(images):
        return images.reshape(len(images), -1).sum(axis=1).astype(float)

    images = [np.full((2, 1, 1), 9, dtype=np.uint8), np.full((2, 1, 1), 9.0)]
    explainer = ProxySpexExplainer(model, Image(0.5, (2, 1, 1)))
    assert_allclose(explainer(images).base_values, [explainer([image]).base_values[0] for image in images])


# --- only what varies is a player -------------------------------------------------------------------------------------


def test_the_model_is_not_asked_about_what_does_not_vary():
    model = Counted(polynomial)
    x, background = table(1, 6), table(2, 6, 1)
    x[:, [0, 4]] = background[:, [0, 4]] = 3.0
    found = ProxySpexExplainer(model, background)(x)
    assert len(model.rows) == 2 * 2**4
    assert_array_equal(model.rows[:, [0, 4]], 3.0)
    assert_array_equal(found.values[:, [0, 4]], 0.0)
    assert (found.values[:, [1, 2, 3, 5]] != 0).all()
    assert_allclose(found.values, slow_values(polynomial, background, x), atol=1e-9)


def test_players_are_numbered_as_the_features():
    x, background = np.ones((1, 9)), np.zeros((1, 9))
    background[:, [0, 1, 4]] = 1
    explainer = ProxySpexExplainer(
        lambda x: 3 * x[:, 5] * x[:, 8] + x[:, 2], background, feature_names=list("abcdefghi")
    )
    found = explainer.interactions(x)[0]
    assert found.n_players == 9
    assert found.names == tuple("abcdefghi")
    assert (found[(5, 8)], found[("f", "i")], found[(2,)], found[(0,)], found[(0, 5)]) == pytest.approx((3, 3, 1, 0, 0))
    assert found.n_evaluations == 2**6
    assert_allclose(found.first_order(), [0, 0, 1, 0, 0, 1.5, 0, 0, 1.5], atol=1e-12)


def test_a_feature_that_one_of_the_background_rows_shares_is_a_player():
    background = np.array([[1.0, 0.0], [0.0, 0.0]])
    found = ProxySpexExplainer(lambda x: x[:, 0] + x[:, 1], background)(np.ones((1, 2)))
    assert_allclose(found.values, [[0.5, 1.0]])


@both
@pytest.mark.parametrize("n_outputs", [0, 1, 3])
def test_rows_identical_to_the_background(kind, n_outputs):
    model = with_outputs(of_table, n_outputs)
    x = table(1, 5)[[0, 0]]
    x[1, 2] += 1
    explainer = kind(model, x[:1], link=logit)
    values, pairs = explainer(x), explainer(x, interactions=True)
    assert_array_equal(values.values[0], 0.0)
    assert_array_equal(pairs.values[0], 0.0)
    assert_sums(values, plain(logit)(model(x)))
    alone = explainer(x[:1], max_evals=2)
    assert_allclose(alone.base_values, plain(logit)(model(x[:1])), rtol=1e-12)
    for index, order in (("SII", 2), ("FSII", 3), ("SV", 1), ("Moebius", 5)):
        results = explainer.interactions(x[:1], index=index, max_order=order)[0]
        for result in results if n_outputs else [results]:
            assert not result.values.any()
            assert result[(0,)] == 0.0


def test_the_errors_of_a_row_identical_to_the_background_are_zero():
    found = ProxySpexExplainer(polynomial, np.ones((1, 4)))(np.ones((1, 4)), error_bounds=True)
    assert_array_equal(found.error_std, np.zeros((1, 4)))


@both
def test_one_varying_feature_of_several(kind):
    x, background = table(1, 5), table(1, 5)
    x[0, 3] += 1
    explainer = kind(polynomial, background)
    expected = np.zeros(5)
    expected[3] = (polynomial(x) - polynomial(background))[0]
    assert_allclose(explainer(x, max_evals=2).values[0], expected, atol=1e-12)
    assert_allclose(explainer(x, interactions=True).values[0], np.diag(expected), atol=1e-12)
    assert explainer.interactions(x, max_order=3)[0][(3,)] == pytest.approx(expected[3])


@both
def test_tables_of_one_column(kind):
    explainer = kind(lambda x: 2 * x[:, 0], np.zeros((1, 1)))
    assert_allclose(explainer(np.ones((2, 1))).values, [[2.0], [2.0]])
    assert_allclose(explainer(np.ones((2, 1)), interactions=True).values, [[[2.0]], [[2.0]]])
    assert explainer.interactions(np.ones((1, 1)), max_order=1)[0][(0,)] == 2.0


def test_texts_of_one_word():
    """A corpus may hold some."""
    found = ProxySpexExplainer(hashed, Text(r"\W+"))(["never", "never again"], interactions=True)
    assert [values.shape for values in found.values] == [(1, 1), (2, 2)]


def test_interactions_of_one_column_need_no_arguments():
    assert ProxySpexExplainer(lambda x: 2 * x[:, 0], np.zeros((1, 1))).interactions(np.ones((1, 1)))[0][(0,)] == 2.0


def test_values_missing_in_the_same_place_do_not_vary():
    model = Counted(lambda x: np.nan_to_num(x, nan=7.0).sum(axis=1))
    x, background = np.array([[np.nan, 1.0, np.nan, 2.0]]), np.array([[np.nan, 0.0, 0.0, np.nan]])
    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.values, [[0.0, 1.0, 7.0, -5.0]])
    assert len(model.rows) == 2**3


def test_values_that_differ_by_little_vary():
    """SHAP takes them for the same."""
    background = np.ones((1, 3))
    found = ProxySpexExplainer(lambda x: 1e9 * (x.sum(axis=1) - 3), background)(np.array([[1 + 1e-9, 1, 1 + 2e-9]]))
    assert_allclose(found.values, [[1.0, 0.0, 2.0]], rtol=1e-6)


def test_infinite_values_in_the_same_place_do_not_vary():
    found = ProxySpexExplainer(lambda x: x[:, 0], np.array([[0.0, np.inf]]))(np.array([[2.0, np.inf]]))
    assert_allclose(found.values, [[2.0, 0.0]])


@pytest.mark.parametrize("as_frame", [True, False])
def test_columns_of_texts(as_frame):
    rows = np.array([["red", "large", 3, None], ["red", "small", 2, "x"]], dtype=object)
    background = np.array([["red", "tiny", 1, None], ["red", "huge", 2, None]], dtype=object)
    names = ["colour", "size", "number", "note"]
    model = Counted(lambda x: hashed(map(str, np.asarray(x, dtype=object).tolist())))
    if as_frame:
        rows, background = pd.DataFrame(rows, columns=names), pd.DataFrame(background, columns=names)
    found = ProxySpexExplainer(model, background)(rows)
    assert_array_equal(found.values[:, 0], 0.0)
    assert found.values[0, 3] == 0.0
    assert (found.values[1, 1:] != 0).all()
    assert len(model.rows) == 2 * (1 + 3 + 7)
    assert_sums(found, model(rows))


def test_sparse_rows_come_as_sparse_rows():
    model = Counted(lambda x: x.toarray().sum(axis=1))
    x = scipy.sparse.csr_matrix(np.eye(3))
    found = ProxySpexExplainer(model, scipy.sparse.csr_matrix(np.zeros((1, 3))))(x)
    assert all(scipy.sparse.issparse(call) for call in model.calls)
    assert_allclose(found.values, np.eye(3))
    assert_allclose(found.data, np.eye(3))


# --- data frames ------------------------------------------------------------------------------------------------------


def test_data_frames_against_all_coalitions():
    """Every coalition's rows are put together by hand, with the dtypes of the frame."""
    background, x = frame(2, 1), frame(1)
    names = list(x.columns)

    def value(mask):
        mixed = background.copy()
        for name, on in zip(names, mask, strict=True):
            if on:
                mixed[name] = pd.Series([x[name].iloc[0]] * len(mixed)).astype(x[name].dtype)
        return of_frame(mixed).mean()

    found = ProxySpexExplainer(of_frame, background)(x, interactions=True)
    expected = slow_matrix(np.array([value(mask) for mask in every_mask(5)]), 5)
    assert_allclose(found.values[0], expected, atol=1e-9)
    assert found.feature_names == names


def test_categories_that_only_the_background_has():
    """Rows from another file have categories of their own: the background's values must not get lost."""
    background = pd.DataFrame({"size": [1.0, 2.0], "colour": pd.Categorical(["red", "green"])})
    x = pd.DataFrame({"size": [3.0], "colour": pd.Categorical(["blue"])})

    def model(rows):
        return rows["size"].to_numpy() + 10.0 * (rows["colour"] == "red").to_numpy()

    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.base_values, [6.5])
    assert_allclose(found.values, [[1.5, -5.0]])


def test_missing_whole_numbers():
    """Columns of whole numbers that know missing values have one of their own, which is neither true nor false."""
    background = pd.DataFrame({"count": pd.array([1, None], dtype="Int64"), "city": ["x", "y"]})
    x = pd.DataFrame({"count": pd.array([None, 4], dtype="Int64"), "city": ["x", "x"]})

    def model(rows):
        return rows["count"].fillna(9).to_numpy(dtype=float)

    assert_allclose(ProxySpexExplainer(model, background)(x).values, [[4.0, 0.0], [-1.0, 0.0]])


@pytest.mark.parametrize("table_of", [lambda rows: rows, lambda rows: pd.DataFrame(rows, columns=list("abcd"))])
def test_maskers_of_ones_own_give_the_same_as_those_of_shap(table_of):
    """Those are asked for every mask; of SHAP's own it is known what they do."""

    class Own(Independent):
        pass

    background, x = table_of(table(3, 4, 1)), table_of(table(2, 4))
    model = Counted(lambda rows: of_table(rows.to_numpy() if hasattr(rows, "columns") else rows))
    ours, fast = (ProxySpexExplainer(model, kind(background), logit)(x) for kind in (Own, Independent))
    assert_allclose(ours.values, fast.values, atol=1e-9)
    assert_allclose(ours.base_values, fast.base_values, rtol=1e-9)
    assert {type(call) for call in model.calls} == {type(background)}


def test_rows_as_arrays_with_a_background_as_data_frame():
    background = pd.DataFrame(table(2, 4, 1), columns=list("abcd"))
    model = Counted(lambda x: polynomial(x[list("abcd")].to_numpy()))
    found = ProxySpexExplainer(model, background)(table(2, 4))
    assert all(list(call.columns) == list("abcd") for call in model.calls)
    assert_allclose(found.values, slow_values(polynomial, background.to_numpy(), table(2, 4)), atol=1e-9)


def test_rows_as_data_frame_with_a_background_as_array():
    found = ProxySpexExplainer(polynomial, table(2, 4, 1))(pd.DataFrame(table(2, 4), columns=list("abcd")))
    assert found.feature_names == list("abcd")
    assert_allclose(found.values, slow_values(polynomial, table(2, 4, 1), table(2, 4)), atol=1e-9)


@pytest.mark.parametrize("wrapped", [list, torch.from_numpy, np.asfortranarray], ids=["list", "tensor", "fortran"])
def test_kinds_of_rows(wrapped):
    expected = ProxySpexExplainer(polynomial, table(2, 4, 1))(table(3, 4)).values
    assert_allclose(ProxySpexExplainer(polynomial, table(2, 4, 1))(wrapped(table(3, 4))).values, expected, atol=1e-12)


@pytest.mark.parametrize(
    "texts", [TEXTS, np.array(TEXTS), pd.Series(TEXTS), {"text": TEXTS}, tuple(TEXTS)], ids=lambda x: type(x).__name__
)
def test_kinds_of_texts(texts):
    found = ProxySpexExplainer(hashed, Text(r"\W+"))(texts)
    assert_sums(found, hashed(TEXTS))
    assert [len(values) for values in found.values] == [4, 4, 2]


# --- budgets ----------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@both
@pytest.mark.parametrize("n_hidden", [1, 3])
@pytest.mark.parametrize("n_outputs", [0, 2])
def test_no_more_masks_than_allowed(kind, n_hidden, n_outputs):
    model = Counted(with_outputs(of_table, n_outputs))
    background, x, chosen = table(n_hidden, 16, 1), table(3, 16), QUICK if kind is ProxySpexExplainer else SMALL_SPEX
    budget = 40 if kind is ProxySpexExplainer else 700
    kind(model, background, seed=0, approximator=chosen)(x, max_evals=budget)
    n_masks = len(model.rows) / n_hidden
    assert n_masks <= 1 + 3 * (budget - 1)
    assert n_masks > budget
    for row in background:
        assert (model.rows == row).all(axis=1).sum() == 1


@pytest.mark.parametrize("budget", [2, 3, 17, 31, 32, 33, 10**6])
def test_no_mask_is_evaluated_twice(budget):
    model = Counted(polynomial)
    found = ProxySpexExplainer(model, np.zeros((1, 5)), approximator=QUICK)(table(1, 5), max_evals=budget)
    assert len(model.rows) == min(budget, 32) == len(np.unique(model.rows, axis=0))
    assert_sums(found, polynomial(table(1, 5)))


@pytest.mark.parametrize(("n", "expected"), [(1, 2), (3, 8), (9, 512), (10, 1024), (11, 512), (12, 512), (30, 589)])
def test_the_default_number_of_evaluations(n, expected):
    model = Counted(lambda x: x.sum(axis=1))
    explainer = ProxySpexExplainer(model, np.zeros((1, n)), approximator=QUICK)
    explainer(table(1, n))
    assert len(model.rows) == explainer.default_max_evals(n) == expected
    assert SpexExplainer(model, np.zeros((1, n))).default_max_evals(n) == algorithms.Spex.default_budget(n)


@pytest.mark.parametrize("n_hidden", [1, 3])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_batches_of_tables(n_hidden, size):
    model = Counted(polynomial)
    explainer = ProxySpexExplainer(model, table(n_hidden, 6, 1))
    found = explainer(table(2, 6), batch_size=size)
    sizes = [len(call) for call in model.calls]
    assert max(sizes) == min(size, 62) * n_hidden
    assert sum(sizes) == (1 + 2 * 63) * n_hidden
    assert_allclose(found.values, explainer(table(2, 6)).values, atol=1e-9)


@pytest.mark.parametrize("size", [1, 3])
def test_batches_of_texts(size):
    model = Counted(hashed)
    found = ProxySpexExplainer(model, Text(r"\W+"))(TEXTS, batch_size=size)
    assert max(len(call) for call in model.calls) == size
    assert len(model.rows) == 16 + 16 + 4
    assert_sums(found, hashed(TEXTS))


def test_few_calls_by_default():
    model = Counted(polynomial)
    ProxySpexExplainer(model, table(100, 10, 1))(table(1, 10), max_evals=1024)
    assert max(len(call) for call in model.calls) <= 2**14
    assert len(model.calls) <= 2 + 1 + 1022 * 100 // 2**14


def test_a_background_is_cut_to_a_hundred_rows():
    for background in (table(300, 3), scipy.sparse.csr_matrix(table(300, 3))):
        model = Counted(lambda x: x.sum(axis=1))
        ProxySpexExplainer(model, background)(table(1, 3, 1))
        assert len(model.rows) == 100 * 8


@both
def test_a_thousand_features(kind):
    x, background = np.ones((1, 1000)), np.zeros((1, 1000))

    def model(rows):
        return rows[:, 3] + 2 * rows[:, 10] * rows[:, 900]

    chosen = QUICK if kind is ProxySpexExplainer else algorithms.Spex(degree=2, bits=5)
    budget = 300 if kind is ProxySpexExplainer else 3000
    counted = Counted(model)
    found = kind(counted, background, seed=0, approximator=chosen)(x, max_evals=budget)
    assert_sums(found, model(x))
    assert sum(map(len, counted.calls)) <= budget
    if kind is SpexExplainer:
        expected = np.zeros(1000)
        expected[[3, 10, 900]] = 1
        assert_allclose(found.values[0], expected, atol=1e-6)


class AtOnce(ProxySpexExplainer):
    """An explainer that shows its progress bar at once."""

    limits = Limits(progress_delay=0)


def test_a_thousand_rows_with_a_progress_bar(capsys):
    x, background = table(1000, 4), table(2, 4, 1)
    explainer = AtOnce(polynomial, background)
    found = explainer(x)
    assert re.search(r"AtOnce explainer: 100%.*1000/1000 ", capsys.readouterr().err)
    explainer(x[:20], silent=True)
    assert capsys.readouterr().err == ""
    assert_sums(found, polynomial(x))
    assert_allclose(found.values[:5], slow_values(polynomial, background, x[:5]), atol=1e-9)


# --- outputs and names ------------------------------------------------------------------------------------------------

NAMED = ["low", "middle", "high"]
CHOICES = {
    "number": (1, [1]),
    "numbers": ([2, 0], [2, 0]),
    "array": (np.array([1]), [1]),
    "negative": ([-1], [2]),
    "slice": (slice(1, None), [1, 2]),
    "range": (range(2), [0, 1]),
    "repeated": ([1, 1], [1, 1]),
    "none": (None, [0, 1, 2]),
}


def sorted_outputs(x):
    """The outputs are 1, 3 and 2 times the same."""
    p = polynomial(np.asarray(x))
    return np.column_stack([p, 3 * p, 2 * p])


@pytest.mark.sampled
@both
@pytest.mark.parametrize(("outputs", "numbers"), CHOICES.values(), ids=CHOICES)
def test_outputs(kind, outputs, numbers):
    explainer = kind(three, table(2, 4, 1), output_names=NAMED)
    x = table(2, 4)
    everything, found = explainer(x), explainer(x, outputs=outputs)
    assert_allclose(found.values, everything.values[:, :, numbers], atol=1e-12)
    assert_allclose(found.base_values, everything.base_values[:, numbers], atol=1e-12)
    assert found.output_names == [NAMED[number] for number in numbers]
    pairs = explainer(x, outputs=outputs, interactions=True)
    assert pairs.shape == (2, 4, 4, len(numbers))
    assert_pairs(pairs, found)
    results = explainer.interactions(x, outputs=outputs)
    assert [len(row) for row in results] == [len(numbers)] * 2


def test_outputs_chosen_by_an_operation():
    model, chosen = with_outputs(of_table, 3), shap.Explanation.argsort.flip[:2]
    x = table(6, 4) * 2
    order = np.argsort(model(x), axis=1)[:, ::-1][:, :2]
    assert len(np.unique(order, axis=0)) > 1
    explainer = ProxySpexExplainer(model, table(1, 4, 1), output_names=NAMED)
    found, everything = explainer(x, outputs=chosen), explainer(x)
    assert_allclose(found.values, np.take_along_axis(everything.values, order[:, None, :], axis=2), atol=1e-12)
    assert_array_equal(found.output_names, np.array(NAMED)[order])
    assert_sums(found, np.take_along_axis(model(x), order, axis=1))


@pytest.mark.parametrize(
    "outputs", [3, -4, [0, 3], True, [True, False, True], 1.0, "low", [], slice(5, 9), [[0]], {}], ids=str
)
def test_outputs_that_are_not_there(outputs):
    model = Counted(three)
    with pytest.raises(ArgumentError, match=r"`outputs`: expected numbers from 0 to 2, or an operation.*, got .*"):
        ProxySpexExplainer(model, np.zeros((1, 4)))(table(1, 4), outputs=outputs)
    assert len(model.rows) <= 2  # how many there are is not known before


def test_outputs_of_a_model_with_one():
    """It has output 0 only."""
    with pytest.raises(ArgumentError, match=r"`outputs`: expected .*, got "):
        ProxySpexExplainer(polynomial, np.zeros((1, 4)))(table(1, 4), outputs=[5])


def test_names_of_outputs():
    x, background = table(1, 4), table(1, 4, 1)
    assert ProxySpexExplainer(three, background)(x).output_names == ["Output 0", "Output 1", "Output 2"]
    assert ProxySpexExplainer(polynomial, background)(x).output_names is None
    model = shap.models.Model(three)
    model.output_names = ["a", "b", "c"]
    assert ProxySpexExplainer(model, background)(x, outputs=[2]).output_names == ["c"]
    assert ProxySpexExplainer(model, background, output_names=NAMED)(x).output_names == NAMED
    with pytest.raises(
        ArgumentError,
        match=r"`output_names`: expected a name for every output, "
        r"got 2 names for a model whose output 2 is explained\.",
    ):
        ProxySpexExplainer(three, background, output_names=["a", "b"])(x)


def test_names_of_features():
    x, background = table(2, 4), table(1, 4, 1)
    assert ProxySpexExplainer(polynomial, background)(x).feature_names == [f"Feature {i}" for i in range(4)]
    named = ProxySpexExplainer(polynomial, background, feature_names=list("wxyz"))
    assert named(x).feature_names == named(x, interactions=True).feature_names == list("wxyz")
    assert named(pd.DataFrame(x, columns=list("abcd"))).feature_names == list("abcd")
    texts = ProxySpexExplainer(hashed, Text(r"\W+"))(TEXTS[:2])
    assert texts.feature_names == [text.split() for text in TEXTS[:2]]
    nested = ProxySpexExplainer(of_two, hidden_by_two, feature_names=[list("abcd"), list("xyz")])
    assert [one.feature_names for one in nested(table(2, 4), table(2, 3))] == [list("abcd"), list("xyz")]


def test_names_of_fewer_features():
    model = Counted(polynomial)
    with pytest.raises(ArgumentError, match=r"`feature_names`: expected .*, got "):
        ProxySpexExplainer(model, table(1, 4, 1), feature_names=["a", "b"])(table(2, 4))
    assert model.calls == []


def test_names_that_shap_would_cut():
    plain = ["sex:male", "age ≤ 30", "income ≥ 9", "colour: red", "job ≠ none"]
    names = ["sex=male", "age <= 30", "income >= 9", "colour== red", "job != none"]
    x, background = table(2, 5), table(1, 5, 1)
    for explainer, rows in (
        (ProxySpexExplainer(polynomial, background, feature_names=names), x),
        (ProxySpexExplainer(polynomial, background), pd.DataFrame(x, columns=names)),
    ):
        assert explainer(rows).feature_names == explainer(rows, interactions=True).feature_names == plain
        assert explainer.interactions(rows)[0].names == tuple(names)
    texts = ProxySpexExplainer(hashed, Text(r"\s+"))(["a=b is c"], max_evals=8)
    assert texts.feature_names == [["a:b", "is", "c"]]


def test_what_a_picture_shows_beside_the_values():
    x = table(2, 4)
    for form in (False, True):
        found = ProxySpexExplainer(polynomial, table(1, 4, 1))(x, interactions=form)
        assert_array_equal(found.data, x)
        assert isinstance(found, shap.Explanation)
        assert found.compute_time > 0
    texts = ProxySpexExplainer(hashed, Text(r"\W+"))(TEXTS[:2])
    assert ["".join(tokens) for tokens in texts.data] == TEXTS[:2]
    images = ProxySpexExplainer(of_image, Image(128, (2, 2, 1)))(IMAGES)
    assert images.values.shape == images.data.shape == (2, 2, 2, 1)
    pairs = ProxySpexExplainer(of_image, Image(128, (2, 2, 1)))(IMAGES, interactions=True)
    assert (pairs.values.shape, pairs.data.shape) == ((2, 4, 4), (2, 4))


# --- errors and main effects ------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("n_outputs", [0, 1, 3])
def test_errors_are_zero_where_values_are_exact(kind, n_outputs):
    explainer = kind(with_outputs(of_table, n_outputs), table(2, 5, 1))
    x = table(3, 5)
    x[1, 2] = 5.0
    found = explainer(x, error_bounds=True)
    assert_array_equal(found.error_std, np.zeros(found.values.shape))
    assert explainer(x).error_std is None


@pytest.mark.parametrize("n_outputs", [0, 3])
def test_errors_are_positive_where_values_are_estimated(n_outputs):
    background, x = table(1, 16, 1), table(2, 16)
    background[0, 4] = x[0, 4]
    found = ProxySpexExplainer(with_outputs(of_table, n_outputs), background, seed=0, approximator=QUICK)(
        x, max_evals=64, error_bounds=True
    )
    assert found.error_std.shape == found.values.shape
    assert_array_equal(found.error_std[0, 4], 0.0)
    others = np.ones((2, 16), dtype=bool)
    others[0, 4] = False
    assert (found.error_std[others] > 0).all()


def test_spex_knows_no_errors():
    explainer = SpexExplainer(of_table, table(1, 16, 1), seed=0, approximator=SMALL_SPEX)
    found = explainer(table(1, 16), max_evals=700, error_bounds=True)
    assert np.isnan(found.error_std).all()
    assert found.error_std.shape == (1, 16)


@both
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_main_effects(kind, n_outputs):
    model, background, x = with_outputs(of_table, n_outputs), table(3, 5, 1), table(3, 5)
    x[0] = background[:] = background[0]
    x[0, 2] += 1
    explainer = kind(model, background)
    found = explainer(x, main_effects=True)
    assert explainer(x).main_effects is None
    assert found.main_effects.shape == found.values.shape
    for row in range(3):
        games = slow_games(model, background, x[row])
        expected = np.stack([[game[1 << player] - game[0] for player in range(5)] for game in games], axis=1)
        assert_allclose(found.main_effects[row].reshape(5, -1), expected, atol=1e-9)


# --- seeds ------------------------------------------------------------------------------------------------------------


def estimates(kind, seed, x=None, **settings):
    """Values for which most masks are guessed."""
    chosen, budget = (QUICK, 50) if kind is ProxySpexExplainer else (SMALL_SPEX, 700)
    explainer = kind(of_table, table(2, 20, 1), seed=seed, approximator=chosen)
    return explainer(table(3, 20) if x is None else x, max_evals=budget, **settings).values


def states():
    return random.getstate(), [str(part) for part in np.random.get_state()], torch.get_rng_state().tolist()  # noqa: NPY002


@both
@pytest.mark.parametrize("pairs", [False, True])
def test_the_same_seed_gives_the_same(kind, pairs):
    first = estimates(kind, 3, interactions=pairs)
    assert_array_equal(first, estimates(kind, 3, interactions=pairs))
    assert (first != estimates(kind, 4, interactions=pairs)).any()


@both
def test_a_row_alone_gives_what_it_gives_among_others(kind):
    x = table(3, 20)
    x[1, :3] = table(2, 20, 1)[:, :3].mean()
    together = estimates(kind, 0, x)
    for row in range(3):
        assert_allclose(estimates(kind, 0, x[row : row + 1])[0], together[row], rtol=1e-12, atol=1e-14)
    assert_allclose(estimates(kind, 0, x[::-1])[::-1], together, rtol=1e-12, atol=1e-14)


@both
def test_the_global_random_state_is_not_touched(kind):
    """Neither written, nor read: other global seeds change nothing, and without a seed two runs differ."""
    found = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        before = states()
        found.append(estimates(kind, 7))
        assert states() == before
    assert_array_equal(*found)
    unseeded = []
    for _ in range(2):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        before = states()
        unseeded.append(estimates(kind, None))
        assert states() == before
    assert (unseeded[0] != unseeded[1]).any()


@both
@pytest.mark.parametrize("masker", [table(3, 5, 1), frame(3, 1), Text(r"\W+")], ids=["array", "frame", "text"])
def test_a_call_changes_nothing(kind, masker):
    score, rows = (hashed, TEXTS) if isinstance(masker, Text) else (of_table, table(3, 5))
    if isinstance(masker, pd.DataFrame):
        score, rows = of_frame, frame(3)
    explainer = kind(score, masker, link=logit, seed=3)
    explainer(rows)  # texts: SHAP's masker keeps the last one
    explainer_before, rows_before = cloudpickle.dumps(vars(explainer)), copy.deepcopy(rows)
    values = explainer(rows).values
    explainer.interactions(rows)
    explainer(rows, max_evals=1000, error_bounds=True, main_effects=True, batch_size=3)
    explainer(rows, interactions=True)
    assert cloudpickle.dumps(vars(explainer)) == explainer_before
    assert all(map(np.array_equal, np.asarray(rows, dtype=object), np.asarray(rows_before, dtype=object)))
    assert all(map(np.array_equal, explainer(rows).values, values))


@pytest.mark.parametrize("name", ["error_bounds", "main_effects"])
def test_what_pairs_do_not_come_with(name):
    with pytest.raises(ArgumentError, match=f"`{name}`: expected False with `interactions`, got True"):
        ProxySpexExplainer(polynomial, np.zeros((1, 4)))(table(1, 4), interactions=True, **{name: True})


def test_a_model_that_writes_into_its_input():
    def model(rows):
        total = polynomial(rows)
        rows[:] = np.nan
        return total

    background, x = table(3, 5, 1), table(2, 5)
    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.values, slow_values(polynomial, table(3, 5, 1), table(2, 5)), atol=1e-9)
    assert_array_equal(x, table(2, 5))


# --- saving and loading -----------------------------------------------------------------------------------------------


def saved(explainer, **savers):
    stream = io.BytesIO()
    explainer.save(stream, **savers)
    stream.seek(0)
    return stream


def pipeline(**settings):
    settings = {"model": text_models.bert_classifier(), "tokenizer": text_models.word_tokenizer(), **settings}
    return TextClassificationPipeline(**copy.deepcopy(settings), top_k=None)


def language_model(kind="gpt2"):
    """A language model and a tokenizer, copied as SHAP gives the tokenizer a token for padding."""
    model = copy.deepcopy(text_models.causal_model(kind))
    model.generation_config.max_new_tokens = 3
    model.generation_config.max_length = None
    return model, copy.deepcopy(text_models.byte_tokenizer())


def local_model():
    """A function that only its bytes can bring to another process."""
    return lambda x: np.stack([np.asarray(x)[:, 0] * np.asarray(x)[:, 1], np.asarray(x)[:, -1]], axis=-1).reshape(
        len(x), -1
    )


def local_product():
    return lambda x, y: x[:, 0] * np.array([len(str(one)) for one in y])


def local_masker():
    return lambda mask, x: np.where(mask, x, -0.5)[None]


X, HIDDEN = table(2, 4), table(2, 4, 1)
SAVED = {
    "table": lambda: (ProxySpexExplainer(local_model(), HIDDEN, seed=1), X),
    "frame": lambda: (SpexExplainer(local_model(), pd.DataFrame(HIDDEN, columns=list("abcd")), seed=1), X),
    "function": lambda: (ProxySpexExplainer(local_model(), local_masker(), feature_names=list("abcd")), X),
    "partition": lambda: (ProxySpexExplainer(local_model(), Partition(table(3, 4, 1))), X),
    "composite": lambda: (ProxySpexExplainer(local_product(), Composite(Independent(HIDDEN), Fixed())), X, X[:, 0]),
    "list": lambda: (ProxySpexExplainer(local_product(), [table_masker(4), Text(r"\W+")], seed=1), X, TEXTS[:2]),
    "torch": lambda: (ProxySpexExplainer(network(4, 2), HIDDEN), X),
    "image": lambda: (ProxySpexExplainer(local_model(), Image(128, (2, 2, 1))), IMAGES),
    "pipeline": lambda: (ProxySpexExplainer(pipeline(), seed=1), TEXTS[:1]),
    "language model": lambda: (ProxySpexExplainer(*language_model(), seed=1), TEXTS[1:2]),
    "fixed answer": lambda: (ProxySpexExplainer(*language_model(), seed=1), TEXTS[1:2], [" Paris"]),
}


def values_of(explainer, rows):
    found = explainer(*rows, max_evals=16)
    return [np.stack(one.values) for one in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_saved_and_loaded(make):
    explainer, *rows = make()
    before = values_of(explainer, rows)
    loaded = type(explainer).load(saved(explainer))
    assert type(loaded) is type(explainer)
    assert type(loaded.model) is type(explainer.model)
    assert type(loaded.masker) is type(explainer.masker)
    again = type(explainer).load(saved(loaded))
    for one in (loaded, again):
        for found, expected in zip(values_of(one, rows), before, strict=True):
            assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@both
def test_every_argument_is_saved(kind):
    chosen = QUICK if kind is ProxySpexExplainer else SMALL_SPEX
    explainer = kind(
        with_outputs(of_table, 3), table(2, 16, 1), logit, "auto", NAMED, [f"f{i}" for i in range(16)], False, 9, chosen
    )
    loaded = shap.Explainer.load(saved(explainer))
    assert type(loaded) is kind
    assert plain(loaded.link)(0.25) == plain(explainer.link)(0.25) == plain(logit)(0.25)
    for name in ("linearize_link", "feature_names", "output_names", "seed", "approximator"):
        assert getattr(loaded, name) == getattr(explainer, name), name
    budget = 40 if kind is ProxySpexExplainer else 700
    before, after = (one(table(2, 16), max_evals=budget) for one in (explainer, loaded))
    assert_array_equal(after.values, before.values)
    assert_array_equal(after.base_values, before.base_values)
    assert (after.feature_names, after.output_names) == (before.feature_names, before.output_names)
    assert_sums(after, plain(logit)(with_outputs(of_table, 3)(table(2, 16))))


@pytest.mark.parametrize("link", [*LINKS.values(), *COMPILED.values()], ids=[*LINKS, *COMPILED])
def test_links_are_saved(link):
    """Compiled or not; a compiled identity is known by its name, as SHAP's own is a copy after loading up to 0.51."""
    explainer = ProxySpexExplainer(of_table, table(2, 5, 1), link=link)
    loaded = ProxySpexExplainer.load(saved(explainer))
    assert is_identity(loaded.link) == (plain(link) is plain(identity))
    assert_array_equal(loaded(table(2, 5)).values, explainer(table(2, 5)).values)


OTHER_PROCESS = """
import gc; gc.disable()  # faster imports
import sys, cloudpickle, shap, numpy as np
with open(sys.argv[1], "rb") as stream, open(sys.argv[2], "wb") as values:
    for _ in range(int(sys.argv[3])):
        explainer = shap.Explainer.load(stream)
        found = explainer(*cloudpickle.load(stream), max_evals=16)
        cloudpickle.dump([np.stack(one.values) for one in (found if isinstance(found, list) else [found])], values)
"""


def test_loaded_in_another_process(tmp_path):
    """Several explainers, one after the other in one file."""
    cases = [(name, *make()) for name, make in SAVED.items()]
    with (tmp_path / "explainers").open("wb") as stream:
        for _, explainer, *rows in cases:
            explainer.save(stream)
            cloudpickle.dump(rows, stream)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [str(tmp_path / "explainers"), str(tmp_path / "values"), str(len(cases))]
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, *arguments], check=True, env=environment, timeout=600)
    with (tmp_path / "values").open("rb") as stream:
        found = [cloudpickle.load(stream) for _ in cases]
    for (name, explainer, *rows), theirs in zip(cases, found, strict=True):
        for one, other in zip(values_of(explainer, rows), theirs, strict=True):
            assert_allclose(other, one, rtol=1e-5, atol=1e-7, err_msg=name)


def test_savers_and_loaders_of_ones_own():
    background = table(2, 4, 1)
    explainer = ProxySpexExplainer(polynomial, background, seed=4)
    expected = explainer(table(2, 4)).values

    def save_words(thing, stream):
        stream.write(f"{type(thing).__name__}\n".encode())

    def load_model(stream):
        assert stream.readline() == b"Model\n"
        return polynomial

    def load_masker(stream):
        assert stream.readline() == b"Independent\n"
        return Independent(background)

    both_own = saved(explainer, model_saver=save_words, masker_saver=save_words)
    loaded = ProxySpexExplainer.load(both_own, model_loader=load_model, masker_loader=load_masker)
    assert_array_equal(loaded(table(2, 4)).values, expected)
    assert loaded.seed == 4
    one_own = saved(explainer, model_saver=save_words)
    assert_array_equal(ProxySpexExplainer.load(one_own, model_loader=load_model)(table(2, 4)).values, expected)


def test_a_model_that_is_not_saved_comes_from_the_loader():
    explainer = ProxySpexExplainer(polynomial, table(2, 4, 1), seed=4)
    small = saved(explainer, model_saver=False, masker_saver=False)
    loaded = ProxySpexExplainer.load(
        small, model_loader=lambda stream: polynomial, masker_loader=lambda stream: table(2, 4, 1)
    )
    assert_array_equal(loaded(table(2, 4)).values, explainer(table(2, 4)).values)
    small.seek(0)
    assert small.getbuffer().nbytes < saved(explainer).getbuffer().nbytes


def test_arguments_without_an_explainer():
    stream = saved(ProxySpexExplainer(polynomial, table(2, 4, 1), seed=4))
    arguments = pickle.load(stream).load(stream, instantiate=False)
    assert arguments["seed"] == 4
    assert_array_equal(arguments["masker"].data, table(2, 4, 1))


def test_a_saver_that_shap_does_not_know_either():
    """SHAP: "Unknown encoder type"; a file without the model would be noticed too late."""
    with pytest.raises(ValueError, match=r"`model_saver`: expected .*, got '\.write'"):
        saved(ProxySpexExplainer(polynomial, table(2, 4, 1)), model_saver=".write")


def test_another_kind_of_explainer_is_not_loaded():
    stream = saved(ProxySpexExplainer(polynomial, table(2, 4, 1)))
    with pytest.raises(ArgumentError, match=r"`in_file`: expected an.*, got a saved <class .*ProxySpexExplainer'>"):
        SpexExplainer.load(stream)


# --- transformers and torch -------------------------------------------------------------------------------------------


def slow_text_games(explainer, *arguments):
    """The game of one text, every coalition alone in its batch; and which tokens can vary."""
    masker = explainer.masker
    varying = np.flatnonzero(~np.asarray(masker.invariants(arguments[0])).reshape(-1))
    n_positions = masker.shape(arguments[0])[1]
    values = []
    for mask in every_mask(len(varying)):
        present = np.ones(n_positions, dtype=bool)
        present[varying] = mask
        values.append(explainer.model(*masker(present, *arguments))[0])
    return np.asarray(values).T, varying


@both
def test_a_pipeline_against_all_coalitions(kind):
    explainer = kind(pipeline())
    texts = ["never fails", "The film is good."]
    values, pairs = explainer(texts), explainer(texts, interactions=True)
    assert values.output_names == ["bad", "fair", "Good"]
    assert values.feature_names == [["", "never", "fails", ""], ["", "The", "film", "is", "good", ".", ""]]
    for row, text in enumerate(texts):
        games, varying = slow_text_games(explainer, text)
        for output, game in enumerate(games):
            expected = np.zeros((len(values.values[row]),) * 2)
            expected[np.ix_(varying, varying)] = slow_matrix(game, len(varying))
            assert_allclose(pairs.values[row][:, :, output], expected, atol=1e-5)
            assert_allclose(values.values[row][:, output], expected.sum(axis=1), atol=1e-5)


@every_link
def test_sums_of_a_pipeline(link):
    explainer = ProxySpexExplainer(pipeline(), link=link)
    texts = ["Her acting never fails", "The film is good.", "never"]
    found = explainer(texts)
    assert_sums(found, plain(link)(explainer.model(texts)))
    assert_pairs(explainer(texts[:2], interactions=True), found[:2])


@pytest.mark.parametrize("wrapped", [False, True])
def test_pipelines_that_are_wrapped_already_and_other_maskers(wrapped):
    model = shap.models.TransformersPipeline(pipeline(), rescale_to_logits=True) if wrapped else pipeline()
    for masker in (None, copy.deepcopy(text_models.word_tokenizer()), Text(r"\W+")):
        explainer = ProxySpexExplainer(model, masker)
        assert_sums(explainer(["The film is good"]), explainer.model(["The film is good"]))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_language_model_against_all_coalitions(kind):
    """Outputs are the tokens of the answer that the model gives to the whole text."""
    model, tokenizer = language_model(kind)
    explainer = ProxySpexExplainer(model, tokenizer)
    text = "The film is"
    values, pairs = explainer([text]), explainer([text], interactions=True)
    games, varying = slow_text_games(explainer, text)
    assert len(varying) == values.shape[1]
    assert values.shape[2] == len(games) == len(values.output_names)
    for output, game in enumerate(games):
        assert_allclose(values.values[0, :, output], shapley_by_permutations(game, len(varying)), atol=1e-4)
        assert_allclose(pairs.values[0, :, :, output], slow_matrix(game, len(varying)), atol=1e-4)
    assert_sums(values, [games[:, -1]], rtol=1e-5)


def test_fixed_answers_of_a_language_model():
    """As the second argument: each text with its own answer, the same text with several, other numbers of tokens."""
    model, tokenizer = language_model()
    explainer = ProxySpexExplainer(model, tokenizer, seed=0)
    text, other = "The film is", "Her acting never"
    expected = []
    for one, answer in ((text, " good."), (other, " Paris"), (text, " Paris")):
        games, varying = slow_text_games(ProxySpexExplainer(explainer.model, Answered(explainer.masker, answer)), one)
        expected.append(np.stack([shapley_by_permutations(game, len(varying)) for game in games], axis=1))
        alone = explainer([one], [answer])
        assert_allclose(alone.values[0], expected[-1], atol=1e-4)
        assert alone.output_names == [tokenizer.decode([token]).strip() for token in tokenizer(answer)["input_ids"]]
    for texts, answers, rows in (
        ([text, other], [" good.", " Paris"], [0, 1]),
        ([text, text], [" good.", " Paris"], [0, 2]),
        ([text, text], [" Paris", " good."], [2, 0]),
        ([other, text, other], [" Paris", " Paris", " Paris"], [1, 2, 1]),
    ):
        found = explainer(texts, answers)
        for row, number in enumerate(rows):
            assert_allclose(found.values[row], expected[number], atol=1e-4)


class Answered(shap.maskers.OutputComposite):
    """A masker of texts with one answer."""

    def __init__(self, masker, answer):
        super().__init__(masker.masker, lambda text: np.array([answer]))


def test_the_most_likely_tokens():
    model, tokenizer = language_model()
    explainer = ProxySpexExplainer(shap.models.TopKLM(model, tokenizer, k=3), Text(tokenizer, mask_token="..."))
    texts = ["The film is", "Her acting never"]
    found = explainer(texts)
    for row, text in enumerate(texts):
        games, varying = slow_text_games(explainer, text)
        expected = np.stack([shapley_by_permutations(game, len(varying)) for game in games], axis=1)
        assert_allclose(found.values[row], expected, atol=1e-4)
        assert_sums(found[row : row + 1], [games[:, -1]], rtol=1e-5)


def test_torch_modules_in_their_precision():
    x, background = table(2, 6), table(3, 6, 1)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        net = network(6, 3).to(dtype)
        outputs = net(torch.from_numpy(x).to(dtype)).detach().double().numpy()
        assert_sums(ProxySpexExplainer(net, background)(x), outputs, rtol=1e-5 if dtype != torch.bfloat16 else 0.02)


def test_torch_modules_of_one_output_and_whole_numbers():
    embedding = nn.Sequential(nn.EmbeddingBag(10, 4, mode="sum"), nn.Tanh(), nn.Linear(4, 1)).eval()
    x, background = np.array([[1, 2, 3], [4, 4, 9]]), np.zeros((1, 3), dtype=int)
    found = ProxySpexExplainer(embedding, background)(x)
    assert found.shape == (2, 3, 1)
    assert_sums(found, embedding(torch.from_numpy(x)).detach().numpy(), rtol=1e-5)
    assert all(parameter.grad is None for parameter in embedding.parameters())


def test_torch_modules_of_images():
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).eval()
    images = np.random.default_rng(0).normal(size=(2, 1, 3, 3)).astype(np.float32)
    explainer = ProxySpexExplainer(net, Image(np.zeros((1, 3, 3), dtype=np.float32)))
    found = explainer(images)
    assert found.shape == (2, 1, 3, 3, 2)
    assert_sums(found, net(torch.from_numpy(images)).detach().numpy(), rtol=1e-5)
    assert_allclose(explainer(torch.from_numpy(images)).values, found.values, atol=1e-6)


class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = network(3, 4), network(2, 4, 1)

    def forward(self, x, y):
        return (self.left(x) * self.right(y)).sum(dim=1)


def test_torch_modules_of_several_arguments():
    net, (x, y) = TwoTowers().eval(), (table(2, 3), table(2, 2))
    explainer = ProxySpexExplainer(net, [table_masker(3), table_masker(2)])
    found = explainer(x, y)
    assert [one.shape for one in found] == [(2, 3), (2, 2)]
    tensors = [torch.from_numpy(one).float() for one in (x, y)]
    assert_sums(found, net(*tensors).detach().numpy(), rtol=1e-5)
    joined = ProxySpexExplainer(lambda rows: explainer.model(rows[:, :3], rows[:, 3:]), np.zeros((1, 5)))
    assert_allclose(np.hstack([one.values for one in found]), joined(np.hstack([x, y])).values, atol=1e-6)


def test_arguments_with_backgrounds_of_other_lengths():
    """One row hides the second argument, three the first: as three rows that hide both."""
    maskers = [Independent(table(3, 3, 1)), Independent(table(1, 2, 2))]
    found = ProxySpexExplainer(lambda x, y: np.tanh(np.asarray(x).sum(axis=1)) * np.asarray(y).prod(axis=1), maskers)(
        table(2, 3), table(2, 2)
    )
    background = np.hstack([table(3, 3, 1), np.repeat(table(1, 2, 2), 3, axis=0)])
    expected = slow_values(
        lambda x: np.tanh(x[:, :3].sum(axis=1)) * x[:, 3:].prod(axis=1),
        background,
        np.hstack([table(2, 3), table(2, 2)]),
    )
    assert_allclose(np.hstack([one.values for one in found]), expected, atol=1e-9)


# --- interactions of any order ----------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("index", [name for name in INDICES if name != "Fourier"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_index_among_inputs_that_do_not_vary(index, order):
    """Two of five inputs equal the background, so orders 4 and 5 are more than the inputs that vary."""
    model, x, background = with_outputs(of_table, 2), table(1, 5), table(2, 5, 1)
    x[0, [1, 4]] = background[:, [1, 4]] = 0.5
    explainer = ProxySpexExplainer(model, background)
    results = explainer.interactions(x, index=index, max_order=order)[0]
    assert [type(result) for result in results] == [Interactions] * 2
    games = slow_games(model, background, x[0])
    for result, game in zip(results, games, strict=True):
        assert (result.n_players, result.max_order) == (5, 1 if index in ("SV", "BV") else order)
        expected = INDICES[index](game, 5, order)
        assert set(result) <= set(expected)
        assert_allclose([result[players] for players in expected], list(expected.values()), atol=1e-8)


def test_interactions_sum_to_the_output():
    x, background = table(3, 6), table(2, 6, 1)
    explainer = ProxySpexExplainer(polynomial, background)
    for index in ("k-SII", "STII", "FSII"):
        for row, result in enumerate(explainer.interactions(x, index=index, max_order=3)):
            assert_allclose(result.baseline + result.values.sum(), polynomial(x)[row], rtol=1e-9)


@both
def test_the_largest_interactions_are_kept(kind):
    x, background = table(1, 8), np.zeros((1, 8))
    explainer = kind(quadratic, background)
    everything = explainer.interactions(x, max_order=3)[0]
    found = explainer.interactions(x, max_order=3, max_terms=2)[0]
    assert (len(everything), len(found)) == (8 + 28 + 56, 10)
    assert found.n_left_out == 28 + 56 - 2
    assert set(found.top(2, order=2)) == {(0, 1), (2, 7)}
    assert_allclose(found[(0, 1)], x[0, 0] * x[0, 1])
    with pytest.raises(KeyError, match="smaller ones were left out"):
        found[(3, 4)]


def test_matrices_hold_all_pairs_however_many_terms_are_kept():
    n = 60
    background, x = np.zeros((1, n)), np.ones((1, n))
    found = ProxySpexExplainer(lambda x: x.sum(axis=1) ** 2, background, seed=0, approximator=QUICK)(
        x, max_evals=100, interactions=True
    )
    assert (found.values[0] != 0).all()
    assert_allclose(found.base_values + found.values.sum(axis=(1, 2)), [n**2], rtol=1e-6)


def test_interactions_have_names_and_errors():
    x, background = table(2, 16), table(1, 16, 1)
    explainer = ProxySpexExplainer(of_table, background, feature_names=[f"f{i}" for i in range(16)], approximator=QUICK)
    for result in explainer.interactions(x, max_evals=60):
        assert result.n_evaluations <= 60
        assert (result.std_errors > 0).all()
        assert result[("f0", "f3")] == result[(0, 3)]
    texts = ProxySpexExplainer(hashed, Text(r"\W+")).interactions(TEXTS, max_order=3)
    assert [result.n_players for result in texts] == [4, 4, 2]
    assert [result.max_order for result in texts] == [3, 3, 2]
    assert texts[0].names == ("Her", "acting", "never", "fails")


def test_interactions_of_several_arguments_are_numbered_through():
    explainer = ProxySpexExplainer(lambda x, y: 3 * x[:, 1] * y[:, 0], [table_masker(2), table_masker(2)])
    found = explainer.interactions(np.ones((1, 2)), np.ones((1, 2)))[0]
    assert found.n_players == 4
    assert found[(1, 2)] == pytest.approx(3)


# --- bad input --------------------------------------------------------------------------------------------------------

XS, BACKGROUND = table(2, 4), table(3, 4, 1)
FRAME = pd.DataFrame(BACKGROUND, columns=list("abcd"))


def share(x):
    return x / np.sum(x)


class Estimator:
    def predict(self, x):
        return x[:, 0]


def asked(masker=BACKGROUND, rows=(XS,), method="__call__", new=None, **settings):
    """Make an explainer and call it."""
    return lambda model: getattr(ProxySpexExplainer(model, masker, **(new or {})), method)(*rows, **settings)


def terms(**settings):
    return asked(method="interactions", **settings)


def made(**arguments):
    return lambda model: ProxySpexExplainer(**{"model": model, "masker": BACKGROUND, **arguments})


POSITIVE = "expected an integer of at least 1"
BAD = {
    "pairs of order 3": (
        asked(interactions=3),
        ArgumentError,
        r"`interactions`: expected False, True or 2, got 3\.",
    ),
    "pairs by name": (
        asked(interactions="SII"),
        ArgumentError,
        "`interactions`: expected False, True or 2.*, got 'SII'",
    ),
    "pairs as float": (asked(interactions=2.0), ArgumentError, "`interactions`: expected .*, got 2.0"),
    "pairs negative": (asked(interactions=-1), ArgumentError, "`interactions`: expected .*, got -1"),
    "pairs of arguments": (
        asked([Independent(BACKGROUND), Independent(BACKGROUND)], (XS, XS), interactions=True),
        ArgumentError,
        r"`interactions`: expected False for a model with several inputs, got True\.",
    ),
    "pairs of too many": (
        asked(np.zeros((1, 20_000)), (np.ones((1, 20_000)),), interactions=True),
        ArgumentError,
        r"`interactions`: expected False for matrices of more than 268,435,456 numbers, "
        r"got True for 1 rows of 20000 features\.",
    ),
    "one evaluation": (asked(max_evals=1), BudgetError, "`max_evals`: expected an integer of at least 2.*, got 1"),
    "evaluations as float": (asked(max_evals=100.0), BudgetError, "`max_evals`: expected .*, got 100.0"),
    "evaluations as text": (asked(max_evals="many"), BudgetError, "`max_evals`: expected .*, got 'many'"),
    "evaluations as bool": (asked(max_evals=True), BudgetError, "`max_evals`: expected .*, got True"),
    "evaluations in terms": (terms(max_evals=0), BudgetError, "`max_evals`: expected .*, got 0"),
    "too few for rounds": (
        asked(max_evals=10, new={"approximator": algorithms.ProxySpex(rounds=3)}),
        BudgetError,
        "`max_evals`: expected at least.*, got 10",
    ),
    "too few for exactness": (
        asked(max_evals=15, new={"approximator": algorithms.Exact()}),
        BudgetError,
        "`max_evals`: expected at least .* = 16.*, got 15",
    ),
    "too few for SPEX": (
        asked(np.zeros((1, 64)), (np.ones((1, 64)),), max_evals=100, new={"approximator": algorithms.Spex()}),
        BudgetError,
        "`max_evals`: expected at least .* for 64 players.*, got 100",
    ),
    "no batch": (asked(batch_size=0), ArgumentError, f"`batch_size`: {POSITIVE}, got 0"),
    "batch as text": (asked(batch_size="all"), ArgumentError, f"`batch_size`: {POSITIVE}, got 'all'"),
    "no terms": (terms(max_terms=0), ArgumentError, f"`max_terms`: {POSITIVE}, got 0"),
    "index": (terms(index="Shapley"), UnknownNameError, "`index`: expected .*, got 'Shapley'"),
    "order 0": (terms(max_order=0), OrderError, "`max_order`: expected an integer from 1.*, got 0"),
    "order as float": (terms(max_order=1.5), OrderError, "`max_order`: expected an integer from 1.*, got 1.5"),
    "order as text": (terms(max_order="2"), OrderError, "`max_order`: expected an integer from 1.*, got '2'"),
    "approximator": (asked(new={"approximator": "exact"}), ArgumentError, "`approximator`: expected .*, got 'exact'"),
    "link of single numbers": (
        made(link=math.log),
        ArgumentError,
        r"`link`: expected `shap.links.identity`.*, got 'log', which fails for an array of numbers \(TypeError: .*\)",
    ),
    "link that adds up": (
        made(link=np.sum),
        ArgumentError,
        r"`link`: expected `shap\.links\.identity`, `shap\.links\.logit`, or another function that acts on each number "
        r"by itself, "
        r"got 'sum', which returns shape \(\) for shape \(2, 3\)\.",
    ),
    "link over rows": (
        made(link=share),
        ArgumentError,
        "`link`: expected .*, got 'share', whose value for a number depends on the others in an array",
    ),
    "link by name": (
        made(link="logit"),
        ArgumentError,
        "`link`: expected `shap.links.identity`, `shap.links.logit`.*, got 'logit'",
    ),
    "no link": (made(link=None), ArgumentError, "`link`: expected .*, got None"),
    "seed": (made(seed=-1), ArgumentError, r"`seed`: expected an integer of at least 0, got -1\."),
    "seed as float": (made(seed=1.0), ArgumentError, "`seed`: expected .*, got 1.0"),
    "seed as bool": (made(seed=True), ArgumentError, "`seed`: expected .*, got True"),
    "estimator": (
        made(model=Estimator()),
        ArgumentError,
        r"`model`: expected a function of the masked rows, got an Estimator\.",
    ),
    "no model": (made(model=None), ArgumentError, r"`model`: expected a function of the masked rows, got None\."),
    "training mode": (
        made(model=network(4, 1).train()),
        ArgumentError,
        r"`model`: expected a model in evaluation mode, got one in training mode\. Call `model\.eval\(\)`\.",
    ),
    "no masker": (made(masker=None), ArgumentError, "`masker`: expected a masker of `shap.maskers`.*, got None"),
    "masker as number": (
        made(masker=3),
        ArgumentError,
        r"`masker`: expected a masker of `shap\.maskers`, a table of background rows, a tokenizer, or a function "
        r"`masker\(mask, \*row\)`, "
        r"got an int\.",
    ),
    "masker as list": (made(masker=[[0.0] * 4]), ArgumentError, "`masker`: expected .*, got a list"),
    "masker without mean": (made(masker={"cov": np.eye(4)}), ArgumentError, "`masker`: expected .*, got a dict"),
    "one row as masker": (asked(BACKGROUND[0]), ArgumentError, "`masker`: expected .*, got .*"),
    "a cube as masker": (asked(np.zeros((1, 4, 2))), ArgumentError, "`masker`: expected .*, got .*"),
    "a column as masker": (asked(FRAME["a"]), ArgumentError, "`masker`: expected .*, got .*"),
    "no background rows": (asked(BACKGROUND[:0]), ArgumentError, "`masker`: expected .*, got .*"),
    "table for a pipeline": (
        lambda model: ProxySpexExplainer(pipeline(), BACKGROUND),
        ArgumentError,
        r"`masker`: expected a tokenizer, or a `shap\.maskers\.Text`, for a model of texts, "
        r"got a masker of tables, `Independent`\.",
    ),
    "imputing masker": (
        asked(shap.maskers.Impute(BACKGROUND)),
        ArgumentError,
        r"`masker`: expected a masker that can hide parts of such rows, "
        r"got an Impute that failed on a row \(TypeError: object of type 'NoneType' has no len\(\)\)\.",
    ),
    "failing masker": (
        asked(lambda mask, x: 1 / 0),
        ArgumentError,
        r"`masker`: expected a masker that can hide parts of such rows, "
        r"got a function that failed on a row \(ZeroDivisionError: division by zero\)\.",
    ),
    "masker without rows": (
        asked(lambda mask, x: x[None][:0]),
        ArgumentError,
        r"`masker`: expected a masker that can hide parts of such rows, got a function that returned no rows\.",
    ),
    "texts in a composite table": (
        asked(
            [Independent(np.array([["a", "b"]], dtype=object)), Fixed()],
            (np.array([["c", "d"]], dtype=object), XS[:1, 0]),
        ),
        ArgumentError,
        "`masker`: expected .*, got .*",
    ),
    "fewer columns": (
        asked(rows=(XS[:, :3],)),
        MaskError,
        r"`X`: expected \(rows, 4\), the columns of the background.*, got shape \(2, 3\)",
    ),
    "one row": (
        asked(rows=(XS[0],)),
        MaskError,
        r"`X`: expected \(rows, 4\), the columns of the background, got shape \(4,\)\.",
    ),
    "a cube": (asked(rows=(XS[None],)), MaskError, r"`X`: expected \(rows, 4\).*, got shape \(1, 2, 4\)"),
    "sparse of fewer": (
        asked(rows=(scipy.sparse.csr_matrix(XS[:, :3]),)),
        MaskError,
        r"`X`: expected .*, got shape \(2, 3\)",
    ),
    "ragged rows": (asked(rows=([XS[0], XS[0, :3]],)), ArgumentError, "`X`: expected .*, got "),
    "other columns": (
        asked(FRAME, (pd.DataFrame(XS, columns=list("abce")),)),
        MaskError,
        r"`X`: expected the columns of the background.*, got columns without \['d'\] and with \['e'\]",
    ),
    "columns in another order": (
        asked(FRAME, (pd.DataFrame(XS, columns=list("abdc")),)),
        MaskError,
        r"`X`: expected the columns of the background in the same order, got another order\.",
    ),
    "nothing": (asked(rows=()), ArgumentError, "`X`: expected 1, as the masker takes.*, got 0 arguments"),
    "nothing for a function": (
        asked(lambda mask, x: x[None], rows=()),
        ArgumentError,
        "`X`: expected at least one.*, got 0 arguments",
    ),
    "two for one": (asked(rows=(XS, XS)), ArgumentError, "`X`: expected 1, as the masker takes.*, got 2 arguments"),
    "one for two": (
        asked([Independent(BACKGROUND), Fixed()]),
        ArgumentError,
        "`X`: expected 2, as the masker takes.*, got 1 arguments",
    ),
    "other lengths": (
        asked([Independent(BACKGROUND), Fixed()], (XS, [1.0])),
        ArgumentError,
        r"`X`: expected the same number of rows in each argument, got 2 and 1\.",
    ),
    "no rows": (asked(rows=(XS[:0],)), ArgumentError, "`X`: expected at least one.*, got no rows"),
    "a number": (
        asked(rows=(3.0,)),
        ArgumentError,
        "`X`: expected rows: an array, a data frame, a list.*, got a float",
    ),
    "none": (
        asked(rows=(None,)),
        ArgumentError,
        r"`X`: expected rows: an array, a data frame, a list, " r"got None\. Put a single row into a list\.",
    ),
    "a text": (
        asked(Text(r"\W+"), ("never fails",)),
        ArgumentError,
        r"`X`: expected rows: an array, a data frame, a list, got 'never fails'\.",
    ),
    "an empty text": (asked(Text(r"\W+"), (["never", ""],)), ArgumentError, "`(X|masker)`: expected .*, got .*"),
    "numbers for texts": (
        asked(Text(r"\W+"), (["never", 3],)),
        MaskError,
        r"`X`: expected texts, as the masker is a `shap\.maskers\.Text`, " r"got an int in row 1\.",
    ),
    "tables for texts": (asked(Text(r"\W+"), (XS,)), MaskError, "`X`: expected texts.*, got a ndarray in row 0"),
    "other images": (
        asked(Image(0, (2, 2, 1)), (np.zeros((1, 3, 2, 1)),)),
        MaskError,
        r"`X`: expected images of shape \(2, 2, 1\), as the masker's, got shape \(3, 2, 1\)\.",
    ),
    "more answers than texts": (
        lambda model: ProxySpexExplainer(*language_model())(TEXTS[:1], ["good", "bad"]),
        ArgumentError,
        "`X`: expected an answer for each text.*, got 1 texts and 2 answers",
    ),
    "names of others": (
        asked(new={"feature_names": list("abcde")}),
        ArgumentError,
        "`feature_names`: expected .*, got ",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_told_before_the_model_is_called(call, kind, message):
    model = Counted(polynomial)
    with pytest.raises(kind, match=message):
        call(model)
    assert model.calls == []


def test_rows_are_not_explained_one_by_one():
    with pytest.raises(NotImplementedError, match=r"call the explainer with `\[row\]` instead"):
        ProxySpexExplainer(polynomial, BACKGROUND).explain_row(XS[0])


def test_unknown_arguments_are_refused():
    """SHAP's explainers swallow some."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'interaction'"):
        ProxySpexExplainer(polynomial, BACKGROUND)(XS, interaction=True)


# --- models that fail -------------------------------------------------------------------------------------------------


def failing_after(n_calls, wrong):
    """The polynomial, until it is called once too often."""
    calls = []

    def model(x):
        calls.append(len(x))
        return polynomial(np.asarray(x)) if len(calls) <= n_calls else wrong(polynomial(np.asarray(x)))

    return model


FAILURES = {
    "fewer rows": (lambda p: p[:-1], r"`model`: returned shape \(\d+,\), float64, for \d+ rows; expected numbers"),
    "more rows": (
        lambda p: np.append(p, 0),
        r"`model`: returned shape \(\d+,\), float64, for \d+ rows; expected numbers",
    ),
    "one number": (lambda p: 3.0, r"`model`: returned shape \(\), float64, for \d+ rows"),
    "a cube": (lambda p: np.zeros((len(p), 2, 2)), r"`model`: returned shape \(\d+, 2, 2\), float64, for \d+ rows"),
    "nothing": (lambda p: None, r"`model`: returned shape \(\), object, for \d+ rows"),
    "texts": (lambda p: ["good"] * len(p), r"`model`: returned shape \(\d+,\), <U4, for \d+ rows"),
    "complex": (lambda p: p * 1j, r"`model`: returned shape \(\d+,\), complex128, for \d+ rows"),
    "not a number": (
        lambda p: np.where(np.arange(len(p)) == 0, np.nan, p),
        "`model`: returned nan; outputs must be finite",
    ),
    "infinite": (lambda p: p / 0.0, "`model`: returned -?inf; outputs must be finite"),
}


@pytest.mark.sampled
@pytest.mark.parametrize("n_calls", [0, 1, 2])
@pytest.mark.parametrize(("wrong", "message"), FAILURES.values(), ids=FAILURES)
def test_models_that_return_something_else(wrong, message, n_calls):
    """For the background, for the row, or for the first of the other masks."""
    explainer = ProxySpexExplainer(failing_after(n_calls, wrong), BACKGROUND)
    with np.errstate(divide="ignore"), pytest.raises(GameError, match=message):
        explainer(XS, batch_size=4)


@pytest.mark.parametrize("n_calls", [1, 2])
def test_models_that_change_their_number_of_outputs(n_calls):
    explainer = ProxySpexExplainer(failing_after(n_calls, lambda p: np.column_stack([p, p])), BACKGROUND)
    with pytest.raises(GameError, match=r"returned (shape \(\d+, 2\)|2 outputs)"):
        explainer(XS, batch_size=4)


@linearized
@pytest.mark.parametrize("outputs", [1, 3])
def test_links_of_outputs_that_they_do_not_know(linearize, outputs):
    def model(x):
        return np.repeat(np.where(x[:, 0] > 0.5, 1.0, 0.5)[:, None], outputs, axis=1)

    explainer = ProxySpexExplainer(model, np.zeros((2, 4)), logit, linearize_link=linearize)
    message = r"`link`: is not finite for outputs between 1 and 1 of the model. `shap.links.logit` needs probabilities"
    with pytest.raises(GameError, match=message):
        explainer(np.ones((1, 4)))
    with pytest.raises(GameError, match="`link`: is not finite for outputs between"):
        ProxySpexExplainer(quadratic, BACKGROUND * 9, logit, linearize_link=linearize)(XS)


def test_maskers_that_change_their_number_of_rows():
    """Fine without a linearised link: every mask has its own mean."""

    def masker(mask, x):
        return np.repeat(np.where(mask, x, 0.0)[None], 1 + mask.sum(), axis=0)

    explainer = ProxySpexExplainer(of_table, masker, logit, linearize_link=False)
    assert_allclose(explainer(XS).values, ProxySpexExplainer(of_table, np.zeros((1, 4)), logit)(XS).values, atol=1e-9)
    with pytest.raises(GameError, match=r"`masker`: returned another number of rows than before.*=False`"):
        ProxySpexExplainer(of_table, masker, logit)(XS)


def test_errors_of_the_model_come_through():
    class OwnError(Exception):
        pass

    def fail(p):
        raise OwnError("the model has no memory left")

    for n_calls in (0, 1, 2):
        with pytest.raises(OwnError, match="no memory left"):
            ProxySpexExplainer(failing_after(n_calls, fail), BACKGROUND)(XS)


# --- laws -------------------------------------------------------------------------------------------------------------


def game_of(values):
    """A model whose columns say which players are there."""
    return lambda x: values[np.asarray(x).astype(int) @ (1 << np.arange(x.shape[1]))]


@st.composite
def games(draw, largest=6):
    n = draw(st.integers(2, largest))
    return random_table(n, draw(st.integers(0, 2**32 - 1)), sparse=draw(st.booleans())), n


def explained(game, n, **settings):
    """Explain a table of values, or a model of columns of ones."""
    model = game if callable(game) else game_of(game)
    return ProxySpexExplainer(model, np.zeros((1, n)))(np.ones((1, n)), **settings)


@given(games())
def test_law_additivity_and_oracles(game):
    values, n = game
    found, pairs = explained(values, n), explained(values, n, interactions=True)
    assert_sums(found, values[-1:])
    assert_pairs(pairs, found)
    assert_allclose(found.values[0], shapley_by_permutations(values, n), atol=1e-9)
    assert_allclose(pairs.values[0], slow_matrix(values, n), atol=1e-9)
    assert_allclose(found.base_values, values[:1], atol=1e-12)


@given(games(), st.data())
def test_law_null_player(game, data):
    """A column that the model does not read: 0, in every pair, and nothing changes for the others."""
    values, n = game
    null = data.draw(st.integers(0, n))
    others = [player for player in range(n + 1) if player != null]
    base = game_of(values)
    for form in (False, True):
        found = explained(lambda x: base(x[:, others]), n + 1, interactions=form).values[0]
        assert_allclose(found[null], 0.0, atol=1e-9)
        expected = explained(values, n, interactions=form).values[0]
        assert_allclose(found[np.ix_(others, others)] if form else found[others], expected, atol=1e-9)


@given(games(), st.data())
def test_law_permutation_of_columns(game, data):
    values, n = game
    order = data.draw(st.permutations(range(n)))
    back = np.argsort(order)
    base = game_of(values)
    for form in (False, True):
        moved = explained(lambda x: base(x[:, back]), n, interactions=form).values[0]
        plain = explained(values, n, interactions=form).values[0]
        assert_allclose(moved, plain[np.ix_(order, order)] if form else plain[order], atol=1e-9)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.floats(-10, 10), st.floats(-10, 10))
def test_law_linearity(n, seed, a, b):
    """Of outputs, too: both are explained from the same evaluations."""
    one, other = random_table(n, seed), random_table(n, seed ^ 1, sparse=True)
    for form in (False, True):
        first, second = (explained(game, n, interactions=form).values for game in (one, other))
        together = explained(np.column_stack([one, other, a * one + b * other]), n, interactions=form).values
        assert_allclose(together, np.stack([first, second, a * first + b * second], axis=-1), atol=1e-7)


@given(games(5), st.integers(2, 4))
def test_law_duplicates(game, n_rows):
    """Rows that come again get the same, and a background given several times is the same as once."""
    values, n = game
    model, once = game_of(values), explained(values, n).values[0]
    x = np.ones((n_rows, n))
    assert_array_equal(ProxySpexExplainer(model, np.zeros((1, n)))(x).values, np.tile(once, (n_rows, 1)))
    assert_allclose(ProxySpexExplainer(model, np.zeros((n_rows, n)))(x[:1]).values[0], once, atol=1e-9)


@given(games(5))
def test_law_symmetry(game):
    """Two columns of which the model reads only how many are there get the same."""
    values, n = game
    base = game_of(values)

    def model(x):
        either = (x[:, :1] + x[:, -1:]) > 1
        return base(np.hstack([either, x[:, 1:n]])) + x[:, 0] + x[:, -1]

    found = explained(model, n + 1).values[0]
    assert_allclose(found[0], found[-1], atol=1e-9)
    pairs = explained(model, n + 1, interactions=True).values[0]
    assert_allclose(np.delete(pairs[0], [0, -1]), np.delete(pairs[-1], [0, -1]), atol=1e-9)


# --- data frames and sparse rows reach the model as they are -------------------------------------------------------


def typed(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"whole": rng.integers(0, 5, n_rows), "real": rng.normal(size=n_rows)})
    frame["short"] = rng.integers(0, 5, n_rows).astype("int8")
    frame["text"] = rng.choice(["a", "b"], n_rows)
    frame["date"] = pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 9, n_rows), unit="D")
    frame["maybe"] = pd.array(rng.integers(0, 5, n_rows), dtype="Int64")
    frame.loc[frame.index % 3 == 0, "maybe"] = pd.NA
    frame.loc[frame.index % 4 == 0, "text"] = None
    return frame


def test_every_column_keeps_its_dtype():
    seen = set()

    def model(frame):
        seen.add(tuple(map(str, frame.dtypes)))
        texts = frame["whole"].astype(str).str.len() + frame["text"].fillna("").str.len()
        return texts + frame["real"] * frame["maybe"].fillna(0).astype(float) + frame["date"].dt.day

    frame = typed(20)
    found = ProxySpexExplainer(model, frame[10:14])(frame[:5])
    assert seen == {tuple(map(str, frame.dtypes))}
    assert_allclose(found.base_values + found.values.sum(axis=1), model(frame[:5]).to_numpy())


def test_a_pipeline_of_texts_that_may_be_missing():
    frame = pd.DataFrame({"s": ["Ab", "b", None, "c"] * 5, "x": np.arange(20.0)})
    columns = [("s", OneHotEncoder(handle_unknown="ignore"), ["s"]), ("x", "passthrough", ["x"])]
    model = make_pipeline(ColumnTransformer(columns), LinearRegression()).fit(frame, np.arange(20.0))
    found = ProxySpexExplainer(model.predict, frame[:2])(frame[2:4])
    assert_allclose(found.base_values + found.values.sum(axis=1), model.predict(frame[2:4]))


def test_whole_numbers_that_the_background_has_not():
    background = pd.DataFrame({"a": [0.5], "b": [1.5]})
    rows = pd.DataFrame({"a": [3], "b": [2.0]})
    found = ProxySpexExplainer(lambda frame: frame["a"] * frame["b"], background)(rows)
    assert_allclose(found.base_values + found.values.sum(axis=1), [6.0])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_rows_stay_what_they_are(kind):
    rows = kind(table(3, 6))
    is_array = isinstance(rows, scipy.sparse.sparray)
    seen = set()

    def model(masked):
        seen.add(isinstance(masked, scipy.sparse.sparray))
        return np.asarray(masked.sum(axis=1)).ravel()

    found = ProxySpexExplainer(model, kind((1, 6)))(rows)
    assert seen == {is_array}
    assert_allclose(found.values, table(3, 6))


def test_a_tensor_as_background():
    found = ProxySpexExplainer(polynomial, torch.zeros(1, 4, dtype=torch.float64))(table(2, 4))
    assert_allclose(found.values, ProxySpexExplainer(polynomial, np.zeros((1, 4)))(table(2, 4)).values)


def test_the_values_alone():
    explainer = ProxySpexExplainer(polynomial, np.zeros((1, 4)))
    assert_allclose(explainer.shap_values(table(2, 4)), explainer(table(2, 4)).values)


def test_texts_need_a_masker_that_knows_them():
    with pytest.raises(
        ArgumentError,
        match=r"`masker`: expected a masker that has a `shape`, such as `shap\.maskers\.Text`, for texts, "
        r"got a function\.",
    ):
        ProxySpexExplainer(lambda texts: np.ones(len(texts)), lambda mask, text: (np.array([text]),))(["a text"])
    with pytest.raises(
        ArgumentError,
        match="`model`: expected a pipeline, or a function of texts, for a text masker, got a torch module",
    ):
        ProxySpexExplainer(torch.nn.Linear(2, 2).eval(), Text(r"\W+"))


def test_rows_of_numbers_for_a_function():
    explainer = ProxySpexExplainer(lambda x: 2 * x, lambda mask, x: (np.array([x * mask.reshape(())]),))
    assert_allclose(explainer([1.0, 2.0]).values, [2.0, 4.0])
