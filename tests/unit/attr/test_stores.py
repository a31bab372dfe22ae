"""Stores of attributions: what they identify, and runs that resume."""

from __future__ import annotations

import inspect

import pytest
import torch
from captum_cases import QUICK, X, network, tensor
from torch import nn
from torch.testing import assert_close

from captum_spex import approximators as algorithms
from captum_spex.attr import ProxySpex, Spex
from captum_spex.errors import StoreError
from captum_spex.evaluation.store import Store

ROWS: list[int] = []


class Asked(nn.Module):
    """A network that says how many rows it was asked for."""

    def __init__(self, n_outputs=3, seed=0, reduce=False, shape=(-1,)):
        super().__init__()
        self.layers = nn.Sequential(network(5, n_outputs, seed), nn.Unflatten(1, shape))
        self.reduce = reduce

    def forward(self, x, scale=1.0):
        ROWS.append(len(x))
        output = self.layers(x) * scale
        return output.sum() if self.reduce else output

    def doubled(self, x):
        return 2 * self(x)


class Failing(Asked):
    """The same network, until it is called once too often."""

    def forward(self, x, scale=1.0):
        if len(ROWS) == 5:
            raise ConnectionError
        return super().forward(x, scale)


@pytest.fixture(autouse=True)
def no_rows():
    ROWS.clear()


def rows_asked():
    n_rows = sum(ROWS)
    ROWS.clear()
    return n_rows


def texts_of(interactions):
    return [texts_of(one) for one in interactions] if isinstance(interactions, list) else interactions.to_json()


STORED = {
    "one example": (Asked(), X[:1], {"target": 1}),
    "four examples": (Asked(), X, {"target": 1}),
    "targets of their own": (Asked(), X, {"target": torch.tensor([0, 2, 1, 1])}),
    "groups": (Asked(), X, {"target": 1, "feature_mask": torch.tensor([[0, 0, 1, 2, 1]])}),
    "every output": (Asked(), X[:1], {"multi_output": True}),
    "every output of four examples": (Asked(), X, {"multi_output": True}),
    "every output, in two dimensions": (Asked(n_outputs=6, shape=(2, 3)), X, {"multi_output": True}),
    "one value per batch": (Asked(reduce=True), X, {}),
    "a column": (Asked(n_outputs=1), X, {}),
    "a method": (Asked().doubled, X, {"target": 2}),
    "further arguments": (Asked(), X, {"target": 0, "additional_forward_args": (torch.tensor(2.0),)}),
}


stored = pytest.mark.parametrize(("model", "inputs", "arguments"), STORED.values(), ids=STORED)


@pytest.mark.sampled
@stored
@pytest.mark.parametrize("attribution", [ProxySpex, Spex])
def test_what_is_in_the_store_is_not_asked_of_the_model(tmp_path, attribution, model, inputs, arguments):
    method, options = attribution(model), {"return_interactions": True, **arguments}
    plain, plain_interactions = method.attribute(inputs, **options)
    asked = rows_asked()
    first, _ = method.attribute(inputs, store=tmp_path / "masks.db", **options)
    assert rows_asked() == asked > 0
    found, interactions = method.attribute(inputs, store=str(tmp_path / "masks.db"), **options)
    assert rows_asked() == 0
    assert_close(first, plain, rtol=0, atol=0)
    assert_close(found, plain, rtol=0, atol=0)
    assert texts_of(interactions) == texts_of(plain_interactions)


@pytest.mark.parametrize(
    ("method", "n_samples"),
    [(ProxySpex(network(40, 2), QUICK), 60), (Spex(network(40, 2), algorithms.Spex(degree=2, bits=3)), 1000)],
    ids=["proxyspex", "spex"],
)
def test_estimates_are_the_same_with_a_store(tmp_path, method, n_samples):
    options = {"target": 0, "n_samples": n_samples, "perturbations_per_eval": 100, "random_state": 0}
    plain = method.attribute(tensor(2, 40), **options)
    for n_found, n_added in ((0, "all"), ("all", 0)):
        store = Store(tmp_path / "masks.db")
        assert_close(method.attribute(tensor(2, 40), store=store, **options), plain, rtol=0, atol=0)
        n_asked = store.n_found + store.n_added
        assert n_samples / 2 < n_asked <= n_samples
        assert (store.n_found, store.n_added) == tuple(n_asked if n == "all" else n for n in (n_found, n_added))


@pytest.mark.parametrize("arguments", [{"target": 1}, {"multi_output": True}], ids=["target", "every output"])
@pytest.mark.parametrize("size", [1, 3, 32])
def test_an_attribution_that_was_stopped_goes_on(tmp_path, arguments, size):
    plain = ProxySpex(Asked()).attribute(X, perturbations_per_eval=8, **arguments)
    store = Store(tmp_path / "masks.db", fingerprint="a network")
    rows_asked()
    with pytest.raises(ConnectionError):
        ProxySpex(Failing()).attribute(X, perturbations_per_eval=4, store=store, **arguments)
    assert rows_asked() == (3 * 4 + 2) * len(X)  # two masks are also asked alone
    resumed = ProxySpex(Asked()).attribute(X, perturbations_per_eval=size, store=store, **arguments)
    assert rows_asked() == (32 - 12 + 2 * (size > 1)) * len(X)
    assert_close(resumed, plain)


BASE = {"target": 1, "baselines": 0.5, "feature_mask": torch.tensor([[0, 0, 1, 2, 1]])}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"inputs": X + 1e-3}, "inputs"),
        ({"inputs": X.double(), "model": Asked().double()}, "baselines.*inputs.*model"),
        ({"model": Asked(seed=1)}, "model"),
        ({"model": Asked().doubled}, "model"),
        ({"model": network(5, 3)}, "model"),
        ({"baselines": 0.6}, "baselines"),
        ({"target": 2}, "target"),
        ({"target": torch.tensor([1, 1, 1, 2])}, "target"),
        ({"feature_mask": torch.tensor([[0, 1, 1, 2, 0]])}, "feature_mask"),
        ({"feature_mask": torch.tensor([[0, 0, 1, 1, 1]])}, "feature_mask.*players: '3' in the store, '2' here"),
        ({"additional_forward_args": 2.0}, "additional_forward_args"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_store_of_another_attribution_is_refused(tmp_path, change, differs):
    arguments = {"inputs": X, **BASE}
    ProxySpex(Asked()).attribute(store=tmp_path / "masks.db", **arguments)
    rows_asked()
    changed = {"model": Asked(), "inputs": X, **BASE, **change}
    method = ProxySpex(changed.pop("model"))
    with pytest.raises(StoreError, match=rf"which holds evaluations of game .* differ in {differs}"):
        method.attribute(store=tmp_path / "masks.db", **changed)
    assert rows_asked() == 0


@pytest.mark.parametrize(
    "same",
    [
        {"perturbations_per_eval": 3},
        {"feature_mask": torch.tensor([[7, 7, 8, 30, 8]])},
        {"interaction_index": "BII", "max_order": 1},
        {"random_state": 5},
        {"inputs": X.clone()},
    ],
    ids=" ".join,
)
def test_what_does_not_change_the_game_does_not_change_its_store(tmp_path, same):
    ProxySpex(Asked()).attribute(X, store=tmp_path / "masks.db", **BASE)
    rows_asked()
    ProxySpex(Asked()).attribute(store=tmp_path / "masks.db", **{"inputs": X, **BASE, **same})
    assert rows_asked() == 0


def language_attribution(text, target="good", **options):
    from captum.attr import LLMAttribution
    from text_models import byte_tokenizer, causal_model

    method = LLMAttribution(ProxySpex(causal_model("gpt2")), byte_tokenizer())
    takes = inspect.signature(method.attribute).parameters  # up to 0.8 Captum asks for one token after the other only
    options |= {"forward_in_tokens": False} if "forward_in_tokens" in takes else {"use_cached_outputs": False}
    result = method.attribute(text, target=target, **options)
    return torch.cat([result.seq_attr[None], result.token_attr])


def segments(mask=None, words=("The", "film", "is", "never"), template="{} {} {} {}", baselines=None):
    from captum.attr import TextTemplateInput

    return TextTemplateInput(template, list(words), baselines=baselines, mask=mask)


def test_an_attribution_of_a_language_model_goes_on(tmp_path):
    plain = language_attribution(segments())
    for _ in range(2):
        assert_close(language_attribution(segments(), store=tmp_path / "masks.db"), plain, rtol=0, atol=0)


@pytest.mark.parametrize(
    "other",
    [
        {"words": ("The", "film", "was", "never")},
        {"template": "{} {} {} {}."},
        {"baselines": ["A", "plot", "is", "never"]},
        {"mask": [0, 1, 0, 2]},
        {"mask": [0, 1, 1, 2]},
    ],
    ids=str,
)
def test_another_text_for_a_language_model_is_another_game(tmp_path, other):
    language_attribution(segments(mask=[0, 0, 1, 2]), store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="which holds evaluations of game"):
        language_attribution(segments(**{"mask": [0, 0, 1, 2], **other}), store=tmp_path / "masks.db")


def test_another_answer_of_a_language_model_is_another_game(tmp_path):
    language_attribution(segments(), store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="which holds evaluations of game"):
        language_attribution(segments(), target="bad", store=tmp_path / "masks.db")
