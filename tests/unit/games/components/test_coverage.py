"""The law of layers: with all known parts off a layer is skipped, or an error names the part that is not known."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from component_games import a_game, message_of
from small_transformers import FAMILIES, a_batch, small
from torch import nn

from captum_spex.errors import ArgumentError
from captum_spex.games.components import Component, ComponentGame, Place, heads, layers, mlps


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.v_proj, self.o_proj = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, states):
        return self.o_proj(self.v_proj(states))


class Layer(nn.Module):
    def __init__(self, branch, norm):
        super().__init__()
        self.attention, self.mlp = Attention(), nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.norm = nn.LayerNorm(4) if norm else nn.Identity()
        if branch:
            self.adapter_in, self.adapter_out = nn.Linear(4, 2), nn.Linear(2, 4)

    def forward(self, states):
        states = states + self.attention(states)
        if hasattr(self, "adapter_in"):
            states = states + self.adapter_out(self.adapter_in(states).tanh())
        return self.norm(states + self.mlp(states))


class Network(nn.Module):
    """Two layers; the second may have a branch that no name tells, and norms behind the residual stream."""

    def __init__(self, *, branch=False, norm=False):
        super().__init__()
        self.config = SimpleNamespace(num_attention_heads=2)
        self.layers = nn.ModuleList([Layer(False, norm), Layer(branch, norm)])
        self.n_calls = 0

    def forward(self, states):
        self.n_calls += 1
        for layer in self.layers:
            states = layer(states)
        return states.sum(dim=1)


def a_network(**settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network(**settings).eval()


STATES = torch.arange(24.0).reshape(2, 3, 4) / 24


@pytest.mark.parametrize("find", [heads, mlps, layers])
@pytest.mark.parametrize("norm", [False, True])
def test_a_branch_that_is_not_known_is_named(find, norm):
    model = a_network(branch=True, norm=norm)
    message = message_of(ArgumentError, lambda: ComponentGame(model, STATES, find(model)))
    assert message == (
        "`components`: expected a model whose layers consist of known parts; 'layers.1.adapter_out' is not covered, "
        "got layer 'layers.1', which is not skipped when all its known parts are off. Add it to the places of "
        "hand-made `Component`s, `Component(part.name, (*part.places, Place(module)))`, which are taken as they are."
    )


@pytest.mark.parametrize("norm", [False, True])
def test_the_way_out_that_the_message_gives(norm):
    model = a_network(branch=True, norm=norm)
    first, second = layers(model)
    whole = Component(second.name, (*second.places, Place("layers.1.adapter_out")))
    game = ComponentGame(model, STATES, [Component(first.name, first.places), whole])
    expected = STATES if not norm else model.layers[1].norm(model.layers[0].norm(STATES))
    assert game([[False, False]])[0] == pytest.approx(expected.sum(dim=1).mean(dim=0).detach().numpy(), abs=1e-6)


@pytest.mark.parametrize(("norm", "n_more"), [(False, 1), (True, 2)])
def test_the_check_costs_one_call_or_two(norm, n_more):
    model = a_network(norm=norm)
    ComponentGame(model, STATES, [Component(part.name, part.places) for part in layers(model)])
    unchecked = model.n_calls
    ComponentGame(model, STATES, layers(model))
    assert model.n_calls == 2 * unchecked + n_more


def test_a_layer_of_which_nothing_is_known():
    model = a_network()
    model.layers.append(nn.Linear(4, 4).eval())
    message = message_of(ArgumentError, lambda: ComponentGame(model, STATES, layers(model)))
    assert re.search(r"'layers.2' is not covered, got layer 'layers.2'", message)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("find", [heads, mlps, layers])
def test_every_family_passes(family, find):
    model = small(family)
    a_game(model, a_batch(family, 2), find(model))


def test_hooks_are_gone_after_the_check():
    model = a_network(branch=True)
    message_of(ArgumentError, lambda: ComponentGame(model, STATES, layers(model)))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
