"""Models, maskers, rows and slow twins for the tests of the SHAP explainers."""

from __future__ import annotations

import copy
from zlib import crc32

import numba
import numpy as np
import pandas as pd
import pytest
import shap
import text_models
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, sets_of, shapley_by_permutations, sii
from shap.links import identity, logit
from shap.maskers import Independent
from torch import nn
from transformers import TextClassificationPipeline

from captum_spex import approximators as algorithms
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=5, links=False))
SMALL_SPEX = algorithms.Spex(degree=2, bits=3)
ASKED_ALONE = 2  # masks of a run that are evaluated alone, beside its evaluations
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


def of_table(x):
    return squashed(polynomial(np.asarray(x, dtype=float)))


def of_image(x):
    return squashed(np.sin(np.asarray(x, dtype=float).reshape(len(x), -1) @ np.arange(1, 5) / 300))


def hidden_by_two(mask, x, y):
    return np.where(mask[:4], x, 0.5)[None], np.where(mask[4:], y, -1.0)[None]


def of_two(x, y):
    return squashed(polynomial(np.asarray(x)) * np.asarray(y).sum(axis=1))


TEXTS = ["Her acting never fails", "The film is good", "never again"]
IMAGES = np.random.default_rng(5).integers(1, 256, (2, 2, 2, 1), dtype=np.uint8)
every_link = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
linearized = pytest.mark.parametrize("linearize", [True, False], ids=["linearized", "not linearized"])


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


def exact(model, masker, x, interactions=1, **settings):
    return shap.ExactExplainer(model, masker, **settings)(x, interactions=interactions, silent=True)


NAMED = ["low", "middle", "high"]


def pipeline(**settings):
    settings = {"model": text_models.bert_classifier(), "tokenizer": text_models.word_tokenizer(), **settings}
    return TextClassificationPipeline(**copy.deepcopy(settings), top_k=None)


def language_model(kind="gpt2"):
    """A language model and a tokenizer, copied as SHAP gives the tokenizer a token for padding."""
    model = copy.deepcopy(text_models.causal_model(kind))
    model.generation_config.max_new_tokens = 3
    model.generation_config.max_length = None
    return model, copy.deepcopy(text_models.byte_tokenizer())


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


XS, BACKGROUND = table(2, 4), table(3, 4, 1)
