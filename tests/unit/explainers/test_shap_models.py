"""Models of transformers and torch."""

from __future__ import annotations

import collections
import copy

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import shap
import text_models
import torch
import transformers
from numpy.testing import assert_allclose, assert_array_equal
from oracles import shapley_by_permutations
from shap.maskers import Image, Text
from shap_cases import (
    assert_pairs,
    assert_sums,
    both,
    every_link,
    exact,
    language_model,
    network,
    pipeline,
    plain,
    slow_matrix,
    slow_text_games,
    table,
    table_masker,
)
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from captum_spex.approximators import Exact, ProxySpex
from captum_spex.errors import GameError
from captum_spex.explainers import ProxySpexExplainer
from captum_spex.explainers.shap_models import placed, with_tensors


def test_a_network_as_torch_module_and_as_function():
    net = network(6, 3)
    background, x = table(3, 6, 1), table(2, 6)

    def function(rows):
        return net(torch.from_numpy(np.asarray(rows, dtype=np.float32))).detach().numpy()

    theirs = exact(function, background, x).values
    assert_allclose(ProxySpexExplainer(net, background)(x).values, theirs, atol=1e-5)
    assert_allclose(ProxySpexExplainer(function, background)(x).values, theirs, atol=1e-5)


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


class Output(dict):
    """A structured output as transformers has them: its parts by name and as attributes."""

    __getattr__ = dict.__getitem__


Named = collections.namedtuple("Named", "logits hidden")
FORMS = {
    "array": lambda x: x[:, :2] * 2,
    "transformers": lambda x: transformers.modeling_outputs.SequenceClassifierOutput(
        logits=torch.from_numpy(x[:, :2] * 2), hidden_states=(torch.zeros(len(x), 7),)
    ),
    "dictionary": lambda x: {"hidden": x, "logits": x[:, :2] * 2},
    "named tuple": lambda x: Named(x[:, :2] * 2, x),
    "bfloat16": lambda x: torch.from_numpy(x[:, :2] * 2).to(torch.bfloat16),
    "with a graph": lambda x: torch.from_numpy(x[:, :2] * 2).requires_grad_(),
    "data frame": lambda x: pd.DataFrame(x[:, :2] * 2, columns=["a", "b"]),
    "polars": lambda x: pl.DataFrame({"a": x[:, 0] * 2, "b": x[:, 1] * 2}),
    "sparse": lambda x: scipy.sparse.csr_array(x[:, :2] * 2),
    "a list for each row": lambda x: (x[:, :2] * 2).tolist(),
    "an array for each row": lambda x: list(x[:, :2] * 2),
    "a tuple for each row": lambda x: [tuple(row) for row in (x[:, :2] * 2).tolist()],
    "a model of SHAP": shap.models.Model(lambda x: x[:, :2] * 2),
}


@pytest.mark.parametrize("model", FORMS.values(), ids=FORMS)
def test_forms_of_outputs(model):
    x, background = np.array([[1.0, 2.0, 3.0]]), np.zeros((3, 3))
    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.values, [[[2, 0], [0, 4], [0, 0]]], atol=1e-12)


def forest_of_unequal_targets(x):
    return (
        RandomForestClassifier(2, random_state=0)
        .fit(
            np.random.default_rng(0).normal(size=(30, 3)),
            np.stack([np.arange(30) % 2, np.arange(30) % 3], axis=1),
        )
        .predict_proba(x)
    )


class Pair(torch.nn.Module):
    """A module that also returns what it computed on the way."""

    def forward(self, x):
        return x[:, :1], x


STRUCTURED = {
    "logits and hidden states": (lambda x: (x, x[:, :1]), r"a tuple of 2: shape \(2, 3\), shape \(2, 1\), for 2 rows"),
    "mean and deviation": (lambda x: (x[:, 0], x[:, 1]), r"a tuple of 2: shape \(2,\), shape \(2,\), for 2 rows"),
    "the same as a list": (lambda x: [x[:, 0], x[:, 1]], r"a list of 2: shape \(2,\), shape \(2,\), for 2 rows"),
    "classes of two targets": (forest_of_unequal_targets, r"a list of 2: shape \(2, 2\), shape \(2, 3\), for 2 rows"),
    "a dictionary": (lambda x: {"p": x}, r"a dictionary of \['p'\], for 2 rows.*such as `model\(x\)\['name'\]`"),
    "output without logits": (lambda x: Output(last=x), r"a Output of \['last'\]|a dictionary of \['last'\]"),
    "a cube": (lambda x: np.zeros((2, 2, 2)), r"shape \(2, 2, 2\), float64, for 2 rows"),
    "nothing": (lambda x: None, r"shape \(\), object, for 2 rows"),
    "texts": (lambda x: ["a", "b"], r"<U1, for 2 rows"),
    "ragged": (lambda x: [[1.0], [1.0, 2.0]], r"shape \(\), object, for 2 rows"),
    "fewer rows": (lambda x: x[:1], r"shape \(1, 3\), float64, for 2 rows"),
    "a tuple of a torch module": (Pair().eval(), r"a tuple of 2: shape \(2, 1\), shape \(2, 3\), for 2 rows"),
}


@pytest.mark.parametrize(("model", "message"), STRUCTURED.values(), ids=STRUCTURED)
def test_outputs_of_other_structures_are_named(model, message):
    """Two rows, so that two parts of an output look like an output for each row."""
    with pytest.raises(GameError, match=f"`model`: returned .*{message}"):
        ProxySpexExplainer(model, np.zeros((2, 3)))(np.ones((1, 3)))


def test_an_algorithm_learns_where_the_model_is():
    module = torch.nn.Linear(3, 1, device="meta")
    auto = ProxySpex(device="auto")
    assert placed(auto, with_tensors(module)).model_device == torch.device("meta")
    assert placed(auto, len) is auto
    assert placed(auto, torch.nn.Identity()) is auto
    assert placed(ProxySpex(), module) == ProxySpex(device=None)
    assert placed(Exact(), module) == Exact()


def test_the_processor_is_where_a_model_without_a_gpu_is():
    def values(**settings):
        background, fast = np.zeros((1, 12)), ProxySpex(effort="fast", **settings)
        explainer = ProxySpexExplainer(
            torch.nn.Sequential(torch.nn.Linear(12, 1)), background, seed=0, approximator=fast
        )
        return explainer(np.ones((1, 12)), max_evals=100, silent=True).values

    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = values(device="auto")
        torch.manual_seed(0)
        assert_array_equal(found, values())
