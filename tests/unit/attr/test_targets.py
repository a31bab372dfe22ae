"""Targets: which outputs they choose, of tensors and of what models of transformers return."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum_cases import AtEntrance, X, exact_captum, network, tensor
from torch.testing import assert_close
from transformers import BertConfig, BertForSequenceClassification
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from captum_spex.attr import ProxySpex
from captum_spex.errors import GameError

OF_MANY = network(5, 24)
PLACES = [
    0,
    2,
    -1,
    (1,),
    (0, 1),
    (-1, -2, 3),
    [0, 1, 2, 0],
    [(0, 1)] * 2 + [(2, 0), (1, 1)],
    torch.tensor([0, 2, 1, 1]),
]


def many(x):
    return OF_MANY(x).reshape(-1, 3, 2, 4)


@pytest.mark.parametrize("target", PLACES, ids=str)
@pytest.mark.parametrize("size", [1, 4])
def test_chosen_outputs(target, size):
    """Against the attributions of every output, of which each row's own are taken; negative ones are from the end."""
    every = ProxySpex(many).attribute(X, multi_output=True)
    assert every.shape == (4, 3, 2, 4, 5)
    each = target.tolist() if isinstance(target, torch.Tensor) else target
    each = each if isinstance(each, list) else [each] * 4
    wanted = torch.stack([row[place] for row, place in zip(every, each, strict=True)])
    found = ProxySpex(many).attribute(X, target=target, multi_output=True, perturbations_per_eval=size)
    assert_close(found, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", [int, np.int64, torch.tensor])
def test_integers_of_any_kind(kind):
    wanted = exact_captum(network(5, 3), X, target=2)
    for target in (kind(2), (kind(2),), [kind(2)] * 4):
        assert_close(ProxySpex(network(5, 3)).attribute(X, target=target), wanted, atol=1e-5, rtol=1e-5)


def test_slices_leave_several_outputs():
    found = ProxySpex(many).attribute(X, target=(slice(0, 2), 1, 3), multi_output=True)
    assert found.shape == (4, 2, 5)
    assert_close(found[:, 1], exact_captum(many, X, target=(1, 1, 3)), atol=1e-5, rtol=1e-5)


def test_a_model_that_returns_logits():
    net = network(5, 3)
    for forward in (
        lambda x: SequenceClassifierOutput(logits=net(x)),
        lambda x: {"logits": net(x)},
        lambda x: SequenceClassifierOutput(loss=net(x).sum(), logits=net(x)),
    ):
        for method in (ProxySpex, AtEntrance):
            found = method(forward).attribute(X, target=1, perturbations_per_eval=8)
            assert_close(found, exact_captum(net, X, target=1), atol=1e-5, rtol=1e-5)


def test_a_classifier_of_transformers():
    settings = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(BertConfig(**settings, intermediate_size=8, num_labels=3)).eval()
    ids = torch.tensor([[2, 5, 7, 3], [4, 4, 9, 1]])
    found = ProxySpex(model).attribute(ids, target=1, perturbations_per_eval=4)
    assert_close(found, exact_captum(lambda ids: model(ids).logits, ids, target=1), atol=1e-5, rtol=1e-4)


def test_other_outputs_are_refused():
    with pytest.raises(GameError, match="`forward_func`: returned a BaseModelOutput; it must return a tensor"):
        ProxySpex(lambda x: BaseModelOutput(last_hidden_state=x)).attribute(tensor(1, 3))
