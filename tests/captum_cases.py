"""Models, inputs and Captum's exact answer for the tests of the Captum adapters; a layer in the place of the inputs."""

from __future__ import annotations

import warnings

import torch
from captum.attr import ShapleyValues
from torch import nn
from torch.testing import assert_close

from captum_spex import approximators as algorithms
from captum_spex.attr import LayerProxySpex, ProxySpex

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=10, links=False))


def network(n_inputs, n_outputs, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(n_inputs, 8), nn.Tanh(), nn.Linear(8, n_outputs)).eval()


def tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


MODEL = network(5, 3)
X = tensor(4, 5)


def two_inputs(x, y):
    return torch.tanh(x).sum(dim=1) * y[:, 0, 1] + y.prod(dim=2).sum(dim=1)


def scaled(x, scale, shift=0.0):
    return (MODEL(x) * scale).sum(dim=1) + shift


class Recorded:
    """A model that remembers the number of rows of its calls."""

    def __init__(self, model):
        self.model = model
        self.rows = []

    def __call__(self, x):
        self.rows.append(len(x))
        return self.model(x)


def exact_captum(forward, inputs, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its feature groups are many
        return ShapleyValues(forward).attribute(inputs, **arguments)


def assert_agrees(forward, inputs, method=ProxySpex, **arguments):
    ours = method(forward).attribute(inputs, perturbations_per_eval=16, **arguments)
    theirs = exact_captum(forward, inputs, perturbations_per_eval=16, **arguments)
    assert type(ours) is type(theirs)
    assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


class Entrance(nn.Module):
    """A layer that passes on what it is given."""

    def forward(self, *tensors):
        return tensors[0] if len(tensors) == 1 else tensors


class AtEntrance:
    """`LayerProxySpex` of a layer through which the inputs pass first: the same question as about the inputs."""

    def __init__(self, forward, approximator=None):
        self.forward, self.approximator = forward, approximator

    def attribute(self, inputs, *, baselines=None, feature_mask=None, **arguments):
        n_inputs, entrance = len(inputs) if isinstance(inputs, tuple) else 1, Entrance()

        def model(*given):
            passed = entrance(*given[:n_inputs])
            return self.forward(*(passed if n_inputs > 1 else (passed,)), *given[n_inputs:])

        method = LayerProxySpex(model, entrance, self.approximator)
        return method.attribute(inputs, layer_baselines=baselines, layer_mask=feature_mask, **arguments)
