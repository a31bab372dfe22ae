"""Which modules a function calls, whether their mode matters, and the rounding of their numbers."""

from __future__ import annotations

import functools
import types

import pytest
import torch
from captum.testing.helpers.basic_models import BasicModel_MultiLayer
from torch import nn

from captum_spex.errors import ArgumentError
from captum_spex.evaluation.torch_models import buffers_kept, check_mode, modules_in, rounding_of

NAMED = nn.Linear(2, 1)


def names_it(x):
    return NAMED(x)


def calls_it(x):
    return names_it(x)


def holders(net):
    class Wrapper:
        def __init__(self):
            self.model = net

        def __call__(self, x):
            return self.model(x)

        def scores(self, x):
            return self.model(x)

    def default(x, model=net):
        return model(x)

    def inner(x):
        return net(x)

    return {
        "itself": net,
        "a function around it": inner,
        "a function in a function": lambda x: 2 * inner(x),
        "a default": default,
        "a part of it": net.forward,
        "a partial": functools.partial(torch.nn.functional.linear, weight=net),
        "an object": Wrapper(),
        "a method": Wrapper().scores,
        "a list": [Wrapper()],
        "a namespace": types.SimpleNamespace(parts={"first": net}),
    }


@pytest.mark.parametrize("holder", holders(nn.Linear(2, 1)))
def test_modules_are_found(holder):
    net = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 1))
    function = holders(net)[holder]
    assert modules_in(function) == [net]
    with pytest.raises(ArgumentError, match=r"`model`: expected a model in evaluation mode, got '0', a Dropout, in"):
        check_mode("model", function, allow_training=False)
    check_mode("model", function, allow_training=True)
    net.eval()
    check_mode("model", function, allow_training=False)
    net[0].train()
    with pytest.raises(ArgumentError, match=r"got '0', a Dropout, in training mode\. Call `model\.eval\(\)`; `allow_"):
        check_mode("model", function, allow_training=False)


def test_global_modules_are_found():
    assert modules_in(names_it) == modules_in(calls_it) == [NAMED]
    assert modules_in(torch.tanh) == modules_in(len) == modules_in(None) == modules_in("text") == []


def test_modules_that_are_no_parts_are_found():
    """`eval` does not reach them."""
    hidden, called = nn.Dropout(), nn.BatchNorm1d(2)
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model[1].kept, model[1].function = [hidden], lambda x: 2 * called(x)
    assert modules_in(model) == [model, hidden, called]
    for name, part in (("Dropout", hidden), ("BatchNorm1d", called)):
        with pytest.raises(ArgumentError, match=f"got a {name} in training mode"):
            check_mode("model", model.eval())
        part.eval()
    check_mode("model", model)


class OfItsOwn(nn.Module):
    def forward(self, x):
        return x * torch.rand_like(x) if self.training else x


class Inherits(OfItsOwn):
    pass


class ByHelper(nn.Module):
    @property
    def is_noisy(self):
        return getattr(self, "training")  # noqa: B009

    def forward(self, x):
        return x + self.is_noisy


def normed():
    return nn.utils.spectral_norm(nn.Linear(2, 2))  # a hook that reads the mode of a module that does not


MATTERS = {
    "dropout": nn.Dropout,
    "batch norm": lambda: nn.BatchNorm1d(2),
    "instance norm": lambda: nn.InstanceNorm1d(2, track_running_stats=True),
    "rrelu": nn.RReLU,
    "lstm": lambda: nn.LSTM(2, 2, 2, dropout=0.5),
    "attention": lambda: nn.MultiheadAttention(2, 1, 0.5),
    "own": OfItsOwn,
    "inherited": Inherits,
    "helper": ByHelper,
    "hook": normed,
    "parametrization": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)),
    "script": lambda: torch.jit.script(nn.Sequential(nn.Dropout())),
}
DOES_NOT = {
    "linear": lambda: nn.Linear(2, 2),
    "convolution": lambda: nn.Conv1d(1, 1, 1),
    "embedding": lambda: nn.Embedding(2, 2),
    "layer norm": lambda: nn.LayerNorm(2),
    "activation": nn.GELU,
    "Captum's test model": BasicModel_MultiLayer,
}


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("make", MATTERS.values(), ids=MATTERS)
def test_modules_whose_mode_matters_are_refused(make):
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(make())).train()
    with pytest.raises(ArgumentError, match=r"got '1[.0a-z]*', an? .* in training mode"):
        check_mode("model", model)
    check_mode("model", model.eval())


@pytest.mark.parametrize("make", DOES_NOT.values(), ids=DOES_NOT)
def test_modules_whose_mode_does_not_matter_are_not(make):
    check_mode("model", nn.Sequential(make(), nn.Dropout().eval()))


def test_buffers_keep_their_values():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).train()
    before = [buffer.clone() for buffer in model.buffers()]
    with buffers_kept(lambda x: 2 * model(x)):
        model(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
        assert not torch.equal(model[1].running_mean, before[0])
    assert all(torch.equal(*pair) for pair in zip(model.buffers(), before, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_rounding_of_the_coarsest_numbers(dtype):
    coarse = nn.Linear(2, 1).to(dtype)
    wanted = torch.finfo(dtype).eps
    tensors = torch.ones(2), torch.ones(2, dtype=dtype)
    for things in ((coarse,), (lambda x: 2 * coarse(x),), tensors, (coarse.double,)):
        assert rounding_of(*things) == wanted
    assert rounding_of(torch.ones(2).double(), torch.arange(3), None) == torch.finfo(torch.float32).eps
