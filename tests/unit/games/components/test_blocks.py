"""Layers with more than an attention and an MLP: experts, state-space branches, linear attention, inputs per layer."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from component_games import CLOSE, a_game, called, some_masks
from numpy.testing import assert_allclose
from oracles import every_mask
from small_transformers import BRANCHED, a_batch, small
from torch import Tensor, nn

from captum_spex.games.components import heads, layers, mlps
from captum_spex.games.components.blocks import attentions, layer_of, layer_parts

SKIPPED = [family for family in BRANCHED if family != "gemma3n"]  # whose layers mix several streams


def a_branched_batch(family):
    return a_batch(family) if family == "modernbert" else {**a_batch(family), "use_cache": False}


def without_layers(model, names):
    """A copy of a model in which layers give their input."""
    copy = deepcopy(model)
    for name in names:
        layer = copy.get_submodule(name)
        plain = layer.forward

        def skipped(*given, plain=plain, **named):
            states = given[0] if given else named["hidden_states"]
            before = states.clone()  # a layer may change its input
            output = plain(*given, **named)
            return before if isinstance(output, Tensor) else (before, *output[1:])

        layer.forward = skipped
    return copy


@pytest.mark.parametrize("family", SKIPPED)
def test_all_parts_off_is_the_layer_skipped(family):
    model, batch = small(family), a_branched_batch(family)
    parts = layers(model)
    names = list(layer_parts(model))
    assert [part.name for part in parts] == [f"L{number}" for number in range(model.config.num_hidden_layers)]
    masks = every_mask(len(parts))
    wanted = [
        called(without_layers(model, [name for name, on in zip(names, mask, strict=True) if not on]), batch).ravel()
        for mask in masks
    ]
    values = a_game(model, batch, parts)(masks)
    assert_allclose(values, np.array(wanted), **CLOSE)
    assert min(abs(values[one] - values[-1]).max() for one in range(len(masks) - 1)) > 1e-3


def test_a_layer_of_several_streams_without_its_parts_depends_on_none_of_their_weights():
    model, batch = small("gemma3n"), a_branched_batch("gemma3n")
    parts = layers(model)
    assert [len(part.places) for part in parts] == [4, 4]
    other = deepcopy(model)
    for layer in other.model.layers:
        for kind in (layer.self_attn, layer.mlp, layer.laurel.linear_left, layer.per_layer_input_gate):
            for parameter in kind.parameters():
                parameter.data.mul_(0.5)
    none = np.zeros((1, 2), dtype=bool)
    assert_allclose(a_game(model, batch, parts)(none), a_game(other, batch, parts)(none), **CLOSE)


@pytest.mark.parametrize("family", ["qwen3_5", "qwen3_next", "modernbert", "falcon_h1", "bamba"])
def test_heads_are_columns_of_their_projection(family):
    """Linear attention has as many heads as it has values: 8 here, where the other attention has 4."""
    model, batch = small(family), a_branched_batch(family)
    parts = heads(model)
    counts = {"qwen3_5": [8, 4], "qwen3_next": [8, 4], "bamba": [0, 4]}.get(family, [4, 4])
    assert [part.name for part in parts] == [f"L{layer}H{head}" for layer in (0, 1) for head in range(counts[layer])]
    masks = some_masks(len(parts), 4)
    wanted = []
    for mask in masks:
        copy = deepcopy(model)
        kept = iter(mask)
        for (_, projection), count in zip(attentions(copy), [count for count in counts if count], strict=True):
            columns = copy.get_submodule(projection).weight.data.chunk(count, dim=1)
            for column in columns:
                column.mul_(float(next(kept)))
        wanted.append(called(copy, batch).ravel())
    assert_allclose(a_game(model, batch, parts)(masks), np.array(wanted), **CLOSE)


@pytest.mark.parametrize(
    ("family", "endings"),
    [
        ("granitemoeshared", ["block_sparse_moe", "shared_mlp"]),
        ("gemma4", ["mlp.down_proj", "experts"]),
        ("qwen3_next", ["mlp"]),  # its shared expert lies in it
        ("modernbert", ["mlp.Wo"]),
    ],
)
def test_an_mlp_is_all_that_feeds_forward(family, endings):
    model = small(family)
    parts = mlps(model)
    assert [part.name for part in parts] == ["L0 MLP", "L1 MLP"]
    for number, part in enumerate(parts):
        assert [place.module for place in part.places] == [f"model.layers.{number}.{ending}" for ending in endings]


def test_blocks_that_layers_share_are_no_part_of_one():
    class Layer(nn.Module):
        def __init__(self, attention):
            super().__init__()
            self.attention, self.mlp = attention, nn.Sequential(nn.Linear(4, 4))

    shared = nn.Module()
    shared.o_proj = nn.Linear(4, 4)
    model = nn.ModuleList([Layer(shared), Layer(shared)])
    model.layers = nn.ModuleList([Layer(shared), Layer(shared)])
    assert layer_parts(nn.ModuleDict({"layers": model.layers})) == {
        "layers.0": ("layers.0.mlp",),
        "layers.1": ("layers.1.mlp",),
    }


def test_the_layer_around_a_module():
    model = small("t5")
    assert layer_of(model, "decoder.block.1.layer.0.SelfAttention") == "decoder.block.1.layer.0"
    assert layer_of(model, "decoder.final_layer_norm") == ""
    assert layer_of(nn.Sequential(nn.ReLU()), "0") == ""  # no list of layers
