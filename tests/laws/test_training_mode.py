"""Models in training mode: refused by every adapter, or explained as they are, with their buffers as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum_cases import tensor
from numpy.testing import assert_allclose
from oracles import every_mask, shapley_by_permutations
from torch import nn

import captum_spex
from captum_spex.attr import LayerProxySpex, ProxySpex, Spex
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer
from captum_spex.games.image import ImageGame

X = tensor(3, 4).double()
BACKGROUND = tensor(3, 4, seed=1).double()


class Net(nn.Module):
    """Batch statistics over all rows of a call; what is ablated is the input of ``entrance``."""

    def __init__(self):
        super().__init__()
        self.entrance = nn.Identity()
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.norm(self.entrance(x)))) ** 2


def a_net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net().double().train()


def slow_values(of_mask):
    """Shapley values ``(4,)``; the model is asked for one mask after the other."""
    return shapley_by_permutations(np.array([of_mask(torch.tensor(mask)) for mask in every_mask(4)]), 4)


def of_examples(net):
    """Of the first of three examples, which share their statistics."""
    return slow_values(lambda mask: a_copy(net)(X * mask)[0, 1].item())


def of_background(net):
    return slow_values(lambda mask: a_copy(net)(torch.where(mask, X[0], BACKGROUND))[:, 1].mean().item())


def of_pixels(net):
    image = X[0].reshape(1, 1, 4)
    return slow_values(lambda mask: a_copy(net)(pixels(image[None] * mask))[:, 1].sum().item())


def a_copy(net):
    copied = a_net()
    copied.load_state_dict(net.state_dict())
    return copied


def pixels(images):
    """Two rows for every image, so that one alone has statistics."""
    return torch.cat([images[:, 0, 0], 1 - 2 * images[:, 0, 0]])


class OfImages(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        found = self.net(pixels(images))
        return found[: len(images)] + found[len(images) :]


def explain_image(net, **settings):
    game = ImageGame(OfImages(net), X[0].reshape(1, 1, 4), (1, 4), target=1, fill="zero", batch_size=1, **settings)
    return captum_spex.explain(game, budget=16).first_order()


def explain_row(kind):
    def explain(net, **settings):
        explainer = kind(net, BACKGROUND.numpy(), **settings)
        return explainer(X[:1].numpy(), batch_size=1).values[0, :, 1]

    return explain


def explain_layer(net, **settings):
    return LayerProxySpex(net, net.entrance).attribute(X, target=1, **settings)[0].numpy()


DOORS = {
    "ProxySpex": (lambda net, **settings: ProxySpex(net).attribute(X, target=1, **settings)[0].numpy(), of_examples),
    "Spex": (lambda net, **settings: Spex(net).attribute(X, target=1, **settings)[0].numpy(), of_examples),
    "a function": (
        lambda net, **settings: ProxySpex(lambda x: net(x)[:, 1]).attribute(X, **settings)[0].numpy(),
        of_examples,
    ),
    "LayerProxySpex": (explain_layer, of_examples),
    "ProxySpexExplainer": (explain_row(ProxySpexExplainer), of_background),
    "SpexExplainer": (explain_row(SpexExplainer), of_background),
    "ImageGame": (explain_image, of_pixels),
}
doors = pytest.mark.parametrize(("door", "slow"), DOORS.values(), ids=DOORS)
NAMED = (
    r"expected a model in evaluation mode, got '(net\.)?norm', a BatchNorm1d, in training mode\. Call `model\.eval\(\)`"
)


def state_of(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def assert_unchanged(net, before):
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@doors
@pytest.mark.parametrize("only_a_part", [False, True])
def test_refused_by_name(door, slow, only_a_part):
    net = a_net()
    if only_a_part:
        net.eval()
        net.norm.train()
    before = state_of(net)
    with pytest.raises(ArgumentError, match=NAMED):
        door(net)
    assert_unchanged(net, before)


@doors
def test_explained_as_it_is_where_that_is_allowed(door, slow):
    net = a_net()
    before, wanted = state_of(net), slow(net)
    assert_allclose(door(net, allow_training=True), wanted, atol=1e-9)
    assert_unchanged(net, before)
    assert net.training
    assert net.norm.training
    evaluated = door(net.eval())
    assert abs(evaluated - wanted).max() > 1e-3
    assert_unchanged(net, before)


@doors
def test_a_model_whose_mode_does_not_matter_is_explained(door, slow):
    net = a_net()
    net.norm.eval()
    assert_allclose(door(net), door(net.eval()), atol=1e-12)


@pytest.mark.parametrize("kind", [ProxySpexExplainer, SpexExplainer])
def test_the_mode_may_change_after_construction(kind):
    net = a_net().eval()
    explainer = kind(net, BACKGROUND.numpy())
    net.train()
    with pytest.raises(ArgumentError, match=NAMED):
        explainer(X[:1].numpy())


@doors
def test_allowing_is_a_flag(door, slow):
    with pytest.raises(ArgumentError, match="`allow_training`: expected True or False, got 1"):
        door(a_net(), allow_training=1)
