"""Games over components against slow twins: weights set to zero, layers taken out, plain hooks for one mask and row."""

from __future__ import annotations

import math
import random
import re
from collections import UserDict, namedtuple
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from captum.attr import KernelShap, ShapleyValues
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, shapley_by_permutations, sii
from small_transformers import FAMILIES, PAIRS, a_batch, scores_of, small
from torch import nn

import captum_spex
from captum_spex.attr import ProxySpex
from captum_spex.errors import ArgumentError, GameError, MaskError, StoreError, UnknownNameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.evaluation.store import Store
from captum_spex.games.components import (
    Component,
    ComponentGame,
    Place,
    accuracy,
    heads,
    layers,
    log_prob,
    logit_difference,
    loss,
    mlps,
    modules,
    neurons,
)

CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # transformers compute parts in single precision
EXACT = {"rtol": 1e-9, "atol": 1e-9}
N_HEADS = 4

PROJECTIONS = {
    "albert": ("attention.dense",),
    "bart": ("_attn.out_proj",),
    "bloom": ("self_attention.dense",),
    "clip_vision": ("self_attn.out_proj",),
    "distilbert": ("attention.out_lin",),
    "falcon": ("self_attention.dense",),
    "gpt2": ("attn.c_proj",),
    "gpt_neo": ("attention.out_proj",),
    "gpt_neox": ("attention.dense",),
    "gptj": ("attn.out_proj",),
    "opt": ("self_attn.out_proj",),
    "phi": ("self_attn.dense",),
    "t5": ("Attention.o",),
    "vit": ("attention.output.dense", "attention.o_proj"),
    **dict.fromkeys(("bert", "roberta", "electra"), ("attention.output.dense",)),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma"), ("self_attn.o_proj",)),
}
"""How the names of the output projections end, in several versions of transformers."""

SECOND = {
    "albert": ("ffn_output",),
    "distilbert": ("ffn.lin2",),
    "gptj": ("mlp.fc_out",),
    "t5": ("DenseReluDense.wo",),
    "vit": (".0.output.dense", ".1.output.dense", "mlp.fc2"),
    **dict.fromkeys(("bart", "opt", "clip_vision", "phi"), ("fc2",)),
    **dict.fromkeys(("gpt2", "gpt_neo"), ("mlp.c_proj",)),
    **dict.fromkeys(("bloom", "falcon", "gpt_neox"), ("mlp.dense_4h_to_h",)),
    **dict.fromkeys(("bert", "roberta", "electra"), (".0.output.dense", ".1.output.dense")),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma"), ("mlp.down_proj",)),
}
"""How the names of the MLPs' second projections end."""


# --- made things ------------------------------------------------------------------------------------------------------


def random_weights(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7)
    return model


class Reader(nn.Module):
    """A small language model: every position reads the mean of those up to it; an MLP whose middle has 5 neurons.

    It counts its calls and rows, and raises at one of them if told to.
    """

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 6)
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 6)
        self.mix, self.norm, self.head = nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 3)
        self.unused = nn.Linear(6, 6)
        self.seen = SimpleNamespace(rows=[], fail_at=None, error=None)

    def forward(self, input_ids, attention_mask=None, *, scale=1.0):
        self.seen.rows.append(len(input_ids))
        states = self.embed(input_ids)
        states = states + self.second(self.first(states).tanh())
        weights = torch.ones_like(states[..., :1]) if attention_mask is None else attention_mask[..., None].double()
        average = (states * weights).cumsum(dim=1) / weights.cumsum(dim=1).clamp_min(1)
        if len(self.seen.rows) == self.seen.fail_at:
            raise self.seen.error
        states = states + self.mix(average).tanh()
        return self.head(self.norm(states)) * scale


def a_reader(seed=0):
    with torch.random.fork_rng(devices=[]):
        return random_weights(Reader(), seed)


def a_conv_net(norm=nn.BatchNorm2d):
    with torch.random.fork_rng(devices=[]):
        layers = [nn.Conv2d(2, 4, 3, padding=1), norm(4), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3, groups=1)]
        return random_weights(nn.Sequential(*layers, nn.Flatten(), nn.Linear(12, 3)))


def tokens(n_examples=3, length=4, seed=0):
    return torch.randint(0, 12, (n_examples, length), generator=torch.Generator().manual_seed(seed))


def images(n_examples=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_examples, 2, 4, 4, generator=generator, dtype=torch.float64)


def some_masks(n_players, n_masks=9, seed=1):
    masks = np.random.default_rng(seed).random((n_masks, n_players)) < 0.5
    masks[0], masks[1] = False, True
    return masks


def parts_of_a_reader(model):
    """Players of every kind: whole modules, neurons on both sides, and one in two places that overlap others."""
    both = Component("both", (Place("second", "input", 1, 3), Place("mix", "output", 2, None)))
    whole = modules(model, ["mix", "e*d"])
    return whole + neurons(model, "second", [0, 2, 4], side="input") + neurons(model, "first", [1]) + [both]


def everything(scores):
    """Every score of every example, as outputs."""
    return scores.flatten(1)


def a_game(model=None, inputs=None, parts=None, value=everything, **settings):
    model = a_reader() if model is None else model
    inputs = tokens() if inputs is None else inputs
    return ComponentGame(model, inputs, parts_of_a_reader(model) if parts is None else parts, value, **settings)


# --- slow twins -------------------------------------------------------------------------------------------------------


def named_like(model, endings):
    return [name for name, _ in model.named_modules() if f".{name}".endswith(endings)]


def without_heads(model, family, mask):
    """A copy of a model whose output projections do not read the absent heads."""
    copy = deepcopy(model)
    for layer, name in enumerate(named_like(model, PROJECTIONS[family])):
        weight = copy.get_submodule(name).weight
        transposed = type(copy.get_submodule(name)).__name__ == "Conv1D"
        width = weight.shape[0 if transposed else 1] // N_HEADS
        for head in range(N_HEADS):
            if not mask[layer * N_HEADS + head]:
                run = slice(head * width, (head + 1) * width)
                weight.data[run if transposed else (slice(None), run)] = 0
    return copy


def silenced(model, names):
    """A copy of a model in which projections give nothing."""
    copy = deepcopy(model)
    for name in names:
        for parameter in copy.get_submodule(name).parameters():
            parameter.data.zero_()
    return copy


def called(model, batch):
    with torch.no_grad():
        return scores_of(model(**batch)).double().numpy()


def row_of(inputs, example, n_examples):
    """One example of keyword arguments."""

    def of(value):
        has_rows = isinstance(value, torch.Tensor) and value.dim() and len(value) == n_examples
        return value[example : example + 1] if has_rows else value

    return {key: of(value) for key, value in inputs.items()}


def recorded(model, place, call):
    """What goes into a module or comes out of it, of one call."""
    found = []
    module = model.get_submodule(place.module)
    if place.side == "input":
        handle = module.register_forward_pre_hook(lambda _m, given: found.append(given[0].clone()))
    else:
        handle = module.register_forward_hook(lambda _m, _given, output: found.append(output.clone()))
    with torch.no_grad():
        call()
    handle.remove()
    return found[0]


def mean_of(tensors, attended, channel_dim, by_position):
    """The mean of rows ``(1, positions, channels)``, of images ``(1, channels, height, width)``, number by number."""
    result = torch.zeros_like(tensors[0])
    for place in np.ndindex(*tensors[0].shape):
        total, count = 0.0, 0
        for tensor, row in zip(tensors, attended, strict=True):
            for other in np.ndindex(*tensor.shape):
                same = other[channel_dim] == place[channel_dim] and (not by_position or other == place)
                if same and (row is None or row[other[1]]):
                    total, count = total + float(tensor[other]), count + 1
        result[place] = total / max(count, 1)
    return result


def replaced(model, parts, mask, instead, call):
    """One call in which every absent component's channels are overwritten, one after the other."""
    handles = []
    wanted = [
        (place, instead(place)) for part, here in zip(parts, mask, strict=True) if not here for place in part.places
    ]

    def overwritten(tensor, place, part_instead):
        tensor = tensor.clone()
        image = isinstance(model.get_submodule(place.module), nn.Conv2d | nn.BatchNorm2d)
        run = slice(place.start, place.stop)
        where = (slice(None), run) if image else (Ellipsis, run)
        tensor[where] = part_instead[where] if isinstance(part_instead, torch.Tensor) else part_instead
        return tensor

    for place, new in wanted:
        module = model.get_submodule(place.module)
        if place.side == "input":
            hook = lambda _m, given, place=place, new=new: (overwritten(given[0], place, new), *given[1:])  # noqa: E731
            handles.append(module.register_forward_pre_hook(hook))
        else:
            hook = lambda _m, _given, output, place=place, new=new: overwritten(output, place, new)  # noqa: E731
            handles.append(module.register_forward_hook(hook))
    with torch.no_grad():
        scores = call()
    for handle in handles:
        handle.remove()
    return scores


def slow_values(model, inputs, parts, masks, instead=None):
    """All scores ``(n_masks, n_examples * scores)``; ``instead(place, example)`` stands in for what is absent."""
    n_examples = len(next(iter(inputs.values())))
    values = []
    for mask in masks:
        rows = []
        for example in range(n_examples):
            one = row_of(inputs, example, n_examples)

            def new(place, example=example):
                return 0.0 if instead is None else instead(place, example)

            rows.append(replaced(model, parts, mask, new, lambda one=one: model(**one)))
        values.append(torch.cat(rows).flatten().numpy())
    return np.array(values)


def slow_replacement(model, reference, ablation):
    """What stands in at a place, for an example."""
    n_examples = len(next(iter(reference.values())))
    rows = [row_of(reference, example, n_examples) for example in range(n_examples)]

    def instead(place, example):
        seen = [recorded(model, place, lambda row=row: model(**row)) for row in rows]
        if ablation == "resample":
            return seen[example if n_examples > 1 else 0]
        attended = [row["attention_mask"][0] if "attention_mask" in row else None for row in rows]
        image = isinstance(model.get_submodule(place.module), nn.Conv2d | nn.BatchNorm2d)
        return mean_of(seen, attended, 1 if image else -1, ablation == "mean by position")

    return instead


# --- heads, MLPs, layers of transformers ------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_are_columns_of_the_output_projection(family):
    model, batch = small(family), a_batch(family, 2)
    parts = heads(model)
    n_attentions = len(named_like(model, PROJECTIONS[family]))
    assert len(parts) == N_HEADS * n_attentions
    masks = some_masks(len(parts), 6)
    wanted = np.array([called(without_heads(model, family, mask), batch).ravel() for mask in masks])
    assert_allclose(a_game(model, batch, parts)(masks), wanted, **CLOSE)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "qwen3", "vit", "t5"])
def test_every_head_by_itself(family):
    model, batch = small(family), a_batch(family)
    parts = heads(model)
    alone = ~np.eye(len(parts), dtype=bool)
    wanted = np.array([called(without_heads(model, family, mask), batch).ravel() for mask in alone])
    values = a_game(model, batch, parts, batch_size=5)(alone)
    assert_allclose(values, wanted, **CLOSE)
    distances = abs(values[:, None] - values[None]).max(axis=2)
    assert distances[~np.eye(len(parts), dtype=bool)].min() > 1e-3  # the heads can be told apart


@pytest.mark.parametrize("family", FAMILIES)
def test_an_absent_mlp_adds_nothing(family):
    model, batch = small(family), a_batch(family)
    parts, names = mlps(model), named_like(model, SECOND[family])
    assert len(parts) == len(names)
    masks = every_mask(len(parts)) if len(parts) < 4 else some_masks(len(parts), 5)
    wanted = [
        called(silenced(model, [name for name, present in zip(names, mask, strict=True) if not present]), batch).ravel()
        for mask in masks
    ]
    assert_allclose(a_game(model, batch, parts)(masks), np.array(wanted), **CLOSE)


@pytest.mark.parametrize("family", ["gpt2", "gptj", "gpt_neox", "llama", "mistral", "qwen2", "opt", "phi", "vit"])
def test_an_absent_layer_is_skipped(family):
    model, batch = small(family), a_batch(family)
    parts = layers(model)
    assert [part.name for part in parts] == ["L0", "L1"]
    settings = {} if family == "vit" else {"use_cache": False}
    wanted = []
    for mask in every_mask(2):
        copy = deepcopy(model)
        stack = next(part for part in copy.modules() if isinstance(part, nn.ModuleList) and len(part) == 2)
        for layer in (1, 0):
            if not mask[layer]:
                del stack[layer]
        copy.config.num_hidden_layers = len(stack)
        wanted.append(called(copy, {**batch, **settings}).ravel())
    assert_allclose(a_game(model, {**batch, **settings}, parts)(every_mask(2)), np.array(wanted), **CLOSE)


def test_a_post_norm_layer_that_is_absent_adds_nothing():
    model, batch = small("bert"), a_batch("bert")
    both = [*named_like(model, PROJECTIONS["bert"])[:1], *named_like(model, SECOND["bert"])[:1]]
    values = a_game(model, batch, layers(model))([[False, True]])
    assert_allclose(values[0], called(silenced(model, both), batch).ravel(), **CLOSE)


@pytest.mark.sampled
@pytest.mark.parametrize(("chosen", "left"), [(1, [1]), (-1, [1]), ([0, -1], [0, 1]), (range(1), [0]), (None, [0, 1])])
@pytest.mark.parametrize("function", [heads, mlps, layers])
def test_layers_can_be_chosen(function, chosen, left):
    model = small("gpt2")
    names = [part.name for part in function(model, chosen)]
    assert list(dict.fromkeys(name[:2] for name in names)) == [f"L{layer}" for layer in left]
    assert function(model, chosen) == [part for part in function(model) if part.name in names]


def test_names():
    model = small("llama")
    assert [part.name for part in heads(model, 1)] == ["L1H0", "L1H1", "L1H2", "L1H3"]
    assert [part.name for part in mlps(model)] == ["L0 MLP", "L1 MLP"]
    game = a_game(model, a_batch("llama"), heads(model) + mlps(model))
    assert (game.n_players, game.names) == (10, tuple(part.name for part in heads(model) + mlps(model)))
    few = a_game(model, a_batch("llama"), game.components[:3], log_prob(2, position=-1))
    assert captum_spex.explain(few, budget=8).names == ("L0H0", "L0H1", "L0H2")


@pytest.mark.parametrize("family", PAIRS)
def test_stacks_are_told_apart_by_their_names(family):
    model = small(family)
    names = [part.name for part in heads(model)]
    assert len(set(names)) == len(names) == 6 * N_HEADS
    assert all(re.fullmatch(r"[\w.]*(encoder|decoder)[\w.]*[aA]tt[\w.]* H[0-3]", name) for name in names)
    last = [part.name for part in heads(model, -1)]
    assert len(last) == 3 * N_HEADS
    assert all(".1." in name for name in last)
    assert {part.name.split(".")[-1] for part in mlps(model)} <= {"DenseReluDense MLP", "fc2 MLP"}


def test_experts_and_plain_mlps_keep_the_numbers_of_their_layers():
    settings = {"hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 20}
    experts = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8, "mlp_only_layers": [1]}
    config = transformers.Qwen2MoeConfig(
        num_hidden_layers=3, intermediate_size=8, shared_expert_intermediate_size=8, **settings, **experts
    )
    found = mlps(transformers.Qwen2MoeForCausalLM(config))
    places = ["model.layers.0.mlp", "model.layers.1.mlp.down_proj", "model.layers.2.mlp"]
    assert [part.name for part in found] == ["L0 MLP", "L1 MLP", "L2 MLP"]
    assert [part.places[0].module for part in found] == places


def test_layers_without_attention_are_counted():
    """As in a hybrid model: attention in layers 1 and 3 only."""
    model = nn.Module()
    model.config = SimpleNamespace(num_attention_heads=2)
    model.layers = nn.ModuleList(nn.Module() for _ in range(4))
    for number in (1, 3):
        model.layers[number].self_attn = nn.Module()
        model.layers[number].self_attn.o_proj = nn.Linear(4, 4)
    assert [part.name for part in heads(model)] == ["L1H0", "L1H1", "L3H0", "L3H1"]
    assert [part.name for part in heads(model, 3)] == [part.name for part in heads(model, -1)] == ["L3H0", "L3H1"]
    with pytest.raises(ArgumentError, match="`layers`: expected -2, -1, 1, 3, got 2"):
        heads(model, 2)


def test_components_have_different_names():
    model = small("gpt2")
    with pytest.raises(ArgumentError, match=r"`components`: expected .*, got 'L0H0' more than once"):
        a_game(model, parts=[*heads(model), *heads(model, 0)])


def test_layers_that_share_their_weights_share_their_heads():
    model = small("albert")
    assert [part.name for part in heads(model)] == ["L0H0", "L0H1", "L0H2", "L0H3"]
    assert [part.name for part in layers(model)] == ["L0"]


def test_the_number_of_heads_can_be_given():
    model = small("gpt2")
    assert [len(heads(model, 0, n_heads=count)) for count in (1, 2, 8, 16)] == [1, 2, 8, 16]
    assert heads(model, 0, n_heads=2)[1].places == (Place("transformer.h.0.attn.c_proj", "input", 8, 16),)


class Attention(nn.Module):
    """An attention of one's own, which knows its number of heads in its own way."""

    def __init__(self, **attributes):
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(6, 6), nn.Linear(6, 6)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, states):
        return self.o_proj(self.q_proj(states).tanh())


@pytest.mark.sampled
@pytest.mark.parametrize("owner", ["module", "config", "model"])
@pytest.mark.parametrize("name", ["num_heads", "n_head", "num_attention_heads", "n_heads", "num_query_heads"])
def test_where_the_number_of_heads_is_read(owner, name):
    attention = Attention(**({name: 3} if owner == "module" else {}))
    model = nn.Sequential(attention).eval()
    if owner != "module":
        (attention if owner == "config" else model).config = SimpleNamespace(**{name: 3, "num_key_value_heads": 1})
    assert [part.places[0].stop for part in heads(model)] == [2, 4, 6]


def test_an_attention_by_itself():
    model = Attention(num_heads=2).eval()
    assert [part.places for part in heads(model)] == [
        (Place("o_proj", "input", 0, 3),), (Place("o_proj", "input", 3, 6),)
    ]  # fmt: skip


# --- neurons, modules, components of one's own ------------------------------------------------------------------------

MODULES = [
    (nn.Linear(3, 5), 3, 5), (nn.Conv1d(3, 5, 2), 3, 5), (nn.Conv2d(4, 6, 3, groups=2), 4, 6),
    (nn.ConvTranspose2d(3, 5, 2), 3, 5), (nn.BatchNorm2d(4), 4, 4), (nn.GroupNorm(2, 4), 4, 4),
    (nn.LayerNorm(7), 7, 7), (nn.Embedding(9, 4), None, 4),
]  # fmt: skip


@pytest.mark.parametrize(("module", "n_in", "n_out"), MODULES, ids=lambda one: type(one).__name__)
def test_how_many_neurons_there_are(module, n_in, n_out):
    model = nn.ModuleDict({"one": module})
    assert [part.places for part in neurons(model, "one")] == [
        (Place("one", "output", i, i + 1),) for i in range(n_out)
    ]
    if n_in is not None:
        inputs = neurons(model, "one", side="input")
        assert [part.places for part in inputs] == [(Place("one", "input", i, i + 1),) for i in range(n_in)]


def test_neurons_of_a_transposed_projection():
    model = small("gpt2")
    assert len(neurons(model, "transformer.h.0.mlp.c_fc")) == 64
    assert len(neurons(model, "transformer.h.0.mlp.c_fc", side="input")) == 16


def test_units_and_width():
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
    assert [part.name for part in neurons(model, "0", (4, 0))] == ["0[4]", "0[0]"]
    assert [part.name for part in neurons(model, "0", np.array([1, 2]))] == ["0[1]", "0[2]"]
    assert [part.name for part in neurons(model, "1", width=2)] == ["1[0]", "1[1]"]


@pytest.mark.parametrize("side", ["input", "output"])
def test_neurons_are_channels_of_the_last_dimension(side):
    model = a_reader()
    parts = neurons(model, "second", side=side)
    masks = every_mask(len(parts))
    wanted = slow_values(model, {"input_ids": tokens()}, parts, masks)
    assert_allclose(a_game(model, parts=parts)(masks), wanted, **EXACT)


@pytest.mark.parametrize(
    ("module", "side"), [("0", "output"), ("0", "input"), ("1", "output"), ("1", "input"), ("3", "input")]
)
def test_neurons_of_images_are_channels_of_the_second_dimension(module, side):
    model = a_conv_net()
    parts = neurons(model, module, side=side)
    masks = every_mask(len(parts))
    wanted = slow_values(model, {"input": images()}, parts, masks)
    assert_allclose(a_game(model, images(), parts)(masks), wanted, **EXACT)


PATTERNS = [
    ("first", ["first"]),
    ("*", ["embed", "first", "second", "mix", "norm", "head", "unused"]),
    ("*i*", ["first", "mix"]),
    (["head", "*d"], ["head", "embed", "second", "unused"]),
    (["mix", "mix"], ["mix"]),
    ("[fm]i*", ["first", "mix"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "names"), PATTERNS, ids=str)
def test_modules_by_pattern(pattern, names):
    parts = modules(a_reader(), pattern)
    assert [part.name for part in parts] == names
    assert [part.places for part in parts] == [(Place(name),) for name in names]


def test_a_star_crosses_dots():
    assert [part.name for part in modules(small("gpt2"), "*mlp")] == ["transformer.h.0.mlp", "transformer.h.1.mlp"]
    assert [part.name for part in modules(small("gpt2"), "transformer.h.?")] == ["transformer.h.0", "transformer.h.1"]


def test_modules_that_give_several_things():
    """The attention of GPT-2 gives a tuple; its first is what counts, as if its projection gave nothing."""
    model, batch = small("gpt2"), a_batch("gpt2")
    values = a_game(model, batch, modules(model, "*.attn"))(every_mask(2))
    names = named_like(model, PROJECTIONS["gpt2"])
    wanted = [
        called(silenced(model, [name for name, present in zip(names, mask, strict=True) if not present]), batch).ravel()
        for mask in every_mask(2)
    ]
    assert_allclose(values, np.array(wanted), **CLOSE)


def test_several_kinds_of_players_added_up():
    model = small("gpt2")
    parts, batch = heads(model, 0) + mlps(model), a_batch("gpt2")
    masks = some_masks(6, 8)
    names = named_like(model, SECOND["gpt2"])
    wanted = []
    for mask in masks:
        copy = without_heads(model, "gpt2", [*mask[:4], True, True, True, True])
        wanted.append(called(silenced(copy, [names[layer] for layer in (0, 1) if not mask[4 + layer]]), batch).ravel())
    assert_allclose(a_game(model, batch, parts)(masks), np.array(wanted), **CLOSE)


def test_places_that_overlap_stay_if_all_their_owners_are_present():
    model = a_reader()
    runs = [(0, 4), (2, 6), (3, 4), (0, None), (5, 6)]
    parts = [Component(f"{run}", (Place("mix", "output", *run),)) for run in runs]
    masks = every_mask(5)
    wanted = slow_values(model, {"input_ids": tokens()}, parts, masks)
    assert_allclose(a_game(model, parts=parts)(masks), wanted, **EXACT)


def test_every_kind_of_player_at_once():
    model = a_reader()
    parts = parts_of_a_reader(model)
    masks = every_mask(len(parts))
    assert_allclose(a_game(model)(masks), slow_values(model, {"input_ids": tokens()}, parts, masks), **EXACT)


@given(st.data())
def test_any_places_of_any_players(data):
    widths = {("first", "output"): 5, ("second", "input"): 5, ("mix", "input"): 6, ("mix", "output"): 6}
    parts = []
    for player in range(data.draw(st.integers(1, 4))):
        places = []
        for _ in range(data.draw(st.integers(1, 3))):
            module, side = data.draw(st.sampled_from(sorted(widths)))
            start = data.draw(st.integers(0, widths[module, side] - 1))
            stop = data.draw(st.none() | st.integers(start + 1, widths[module, side]))
            places.append(Place(module, side, start, stop))
        parts.append(Component(str(player), places))
    model, masks = a_reader(), every_mask(len(parts))
    wanted = slow_values(model, {"input_ids": tokens(2)}, parts, masks)
    assert_allclose(a_game(model, tokens(2), parts)(masks), wanted, **EXACT)


def test_the_whole_model_is_a_module():
    parts = [Component("all", (Place(""),))]
    assert_array_equal(a_game(parts=parts)([[False]]), np.zeros((1, 36)))


def test_components_are_records():
    one = Component("a", [Place("first")])
    assert one == Component("a", (Place("first", "output", 0, None),))
    assert len({one, Component("a", (Place("first"),))}) == 1
    with pytest.raises(AttributeError):
        one.name = "b"


# --- what stands in for an absent component ---------------------------------------------------------------------------

REFERENCES = {
    "several": {"input_ids": tokens(4, seed=5)},
    "one": {"input_ids": tokens(1, seed=5)},
    "padded": {
        "input_ids": tokens(4, seed=5),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]),
    },
    "padded at a position in all": {"input_ids": tokens(2, seed=5), "attention_mask": torch.tensor([[1, 1, 1, 0]] * 2)},
}


@pytest.mark.sampled
@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
@pytest.mark.parametrize("ablation", ["mean", "mean by position"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_means(reference, ablation, batch_size):
    model = a_reader()
    parts = parts_of_a_reader(model)
    masks = some_masks(len(parts), 6)
    game = a_game(model, ablation=ablation, reference=reference, batch_size=batch_size)
    instead = slow_replacement(model, reference, ablation)
    assert_allclose(game(masks), slow_values(model, {"input_ids": tokens()}, parts, masks, instead), **EXACT)


@pytest.mark.parametrize("n_reference", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_resampling(n_reference, batch_size):
    model, reference = a_reader(), {"input_ids": tokens(n_reference, seed=5)}
    parts = parts_of_a_reader(model)
    masks = some_masks(len(parts), 6)
    game = a_game(model, ablation="resample", reference=reference, batch_size=batch_size)
    instead = slow_replacement(model, reference, "resample")
    assert_allclose(game(masks), slow_values(model, {"input_ids": tokens()}, parts, masks, instead), **EXACT)


@pytest.mark.parametrize("ablation", ["mean", "mean by position", "resample"])
def test_channels_of_images_are_replaced(ablation):
    model, reference = a_conv_net(), {"input": images(2, seed=5)}
    parts = [*neurons(model, "0"), *neurons(model, "3", [1], side="input"), *modules(model, "5")]
    masks = some_masks(len(parts), 8)
    game = a_game(model, {"input": images()}, parts, ablation=ablation, reference=reference)
    instead = slow_replacement(model, reference, ablation)
    assert_allclose(game(masks), slow_values(model, {"input": images()}, parts, masks, instead), **EXACT)


def test_a_mean_over_positions_may_be_of_texts_of_another_length():
    model, reference = a_reader(), {"input_ids": tokens(3, 6, seed=5)}
    game = a_game(model, ablation="mean", reference=reference, parts=modules(model, "mix"))
    seen = recorded(model, Place("mix"), lambda: model(**reference)).mean(dim=(0, 1))
    wanted = slow_values(model, {"input_ids": tokens()}, game.components, [[False]], lambda *_: seen.expand(1, 4, 6))
    assert_allclose(game([[False]]), wanted, **EXACT)


def test_resampling_from_the_input_itself_changes_nothing():
    for settings in ({"batch_size": 2}, {"batch_size": 64}):
        game = a_game(ablation="resample", reference=tokens(), **settings)
        assert_allclose(np.ptp(game(some_masks(game.n_players)), axis=0), 0, atol=1e-12)


def test_everything_that_a_network_reads_resampled_is_the_other_input():
    model = a_reader()
    game = a_game(model, parts=modules(model, "embed"), ablation="resample", reference=tokens(seed=5))
    with torch.no_grad():
        wanted = [model(tokens(seed=5)).flatten().numpy(), model(tokens()).flatten().numpy()]
    assert_allclose(game([[False], [True]]), np.array(wanted), **EXACT)


def test_a_module_that_is_called_several_times_is_resampled_call_by_call():
    model, batch, other = small("albert"), a_batch("albert"), a_batch("albert", seed=5)
    game = a_game(model, batch, modules(model, "*.embedding_hidden_mapping_in"), ablation="resample", reference=other)
    assert_allclose(game([[False]])[0], called(model, other).ravel(), **CLOSE)
    shared = modules(model, "*.ffn_output")
    seen = []
    handle = model.get_submodule(shared[0].name).register_forward_hook(lambda _m, _g, output: seen.append(output))
    called(model, other)
    handle.remove()
    assert len(seen) == 2
    calls = iter(seen)
    handle = model.get_submodule(shared[0].name).register_forward_hook(lambda *_: next(calls))
    wanted = called(model, batch).ravel()
    handle.remove()
    game = a_game(model, batch, shared, ablation="resample", reference=other)
    assert_allclose(game([[False], [True]]), np.array([wanted, called(model, batch).ravel()]), **CLOSE)


@pytest.mark.parametrize("family", ["gpt2", "llama", "vit", "bart"])
def test_heads_resampled_are_the_channels_of_another_input(family):
    model, batch, other = small(family), a_batch(family, 2), a_batch(family, 2, seed=5)
    parts = heads(model)
    masks = some_masks(len(parts), 4)
    seen = {part.places[0].module: recorded(model, part.places[0], lambda: model(**other)) for part in parts}
    wanted = [
        scores_of(replaced(model, parts, mask, lambda place: seen[place.module], lambda: model(**batch)))
        .flatten()
        .numpy()
        for mask in masks
    ]
    assert_allclose(a_game(model, batch, parts, ablation="resample", reference=other)(masks), np.array(wanted), **CLOSE)


def test_means_of_heads_leave_out_padding():
    model, batch = small("bert"), a_batch("bert", 2)
    reference = {**a_batch("bert", 2, seed=5), "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])}
    parts = heads(model, 0)
    seen = recorded(model, parts[0].places[0], lambda: model(**reference))
    mean = torch.cat([seen[0], seen[1, :2]]).mean(dim=0).expand(1, 5, 16)
    masks = every_mask(4)
    wanted = [
        scores_of(replaced(model, parts, mask, lambda _: mean, lambda: model(**batch))).flatten().numpy()
        for mask in masks
    ]
    assert_allclose(a_game(model, batch, parts, ablation="mean", reference=reference)(masks), np.array(wanted), **CLOSE)


def test_rescaled_heads():
    """What the output projections read is multiplied by players over present players: as if their weights were."""
    model, batch = small("gpt2"), a_batch("gpt2")
    masks = some_masks(8, 7)
    wanted = []
    for mask in masks:
        copy = without_heads(model, "gpt2", mask)
        for name in named_like(model, PROJECTIONS["gpt2"]):
            copy.get_submodule(name).weight.data *= 8 / max(mask.sum(), 1)
        wanted.append(called(copy, batch).ravel())
    assert_allclose(a_game(model, batch, heads(model), rescale=True)(masks), np.array(wanted), **CLOSE)


def test_only_kept_components_are_rescaled_not_what_stands_in_for_others():
    model, reference = a_reader(), tokens(1, seed=5)
    parts = neurons(model, "first", range(5))
    game = a_game(model, tokens(1), parts, ablation="resample", reference=reference, rescale=True)
    mask = np.array([True, False, True, True, False])
    other = recorded(model, Place("first"), lambda: model(reference))
    handle = model.first.register_forward_hook(
        lambda _m, _g, output: torch.where(torch.tensor(mask), output * 5 / 3, other)
    )
    with torch.no_grad():
        wanted = model(tokens(1)).flatten().numpy()
    handle.remove()
    assert_allclose(game([mask])[0], wanted, **EXACT)


# --- every row its own mask -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("n_examples", [1, 3, 10])
def test_batches_equal_one_by_one(batch_size, n_examples):
    model, inputs = a_reader(), tokens(n_examples)
    game = a_game(model, inputs, batch_size=batch_size)
    masks = some_masks(game.n_players, 70)
    singly = a_game(model, inputs, batch_size=1)
    assert_allclose(game(masks), np.concatenate([singly(mask[None]) for mask in masks]), **EXACT)


CALLS = [
    (64, 1, 130, [64, 64, 2]),
    (7, 1, 15, [7, 7, 1]),
    (1, 1, 3, [1, 1, 1]),
    (64, 3, 22, [63, 3]),
    (7, 10, 2, [7, 3, 7, 3]),
    (1, 2, 2, [1, 1, 1, 1]),
    (10, 10, 2, [10, 10]),
]  # fmt: skip


@pytest.mark.parametrize(("batch_size", "n_examples", "n_masks", "rows"), CALLS)
def test_rows_of_the_calls(batch_size, n_examples, n_masks, rows):
    model = a_reader()
    game = a_game(model, tokens(n_examples), batch_size=batch_size)
    model.seen.rows.clear()
    game(some_masks(game.n_players, n_masks))
    assert model.seen.rows == rows


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=12), st.data())
def test_any_masks_in_any_batches(rows, data):
    masks = np.array(rows)
    n_examples, batch_size = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 20))
    ablation = data.draw(st.sampled_from(["zero", "mean", "mean by position", "resample"]))
    reference = None if ablation == "zero" else tokens(n_examples, seed=5)
    settings = {"ablation": ablation, "reference": reference, "rescale": data.draw(st.booleans())}
    game, alone = (a_game(inputs=tokens(n_examples), batch_size=size, **settings) for size in (batch_size, 1))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(masks) - 1)), max_size=3)))
    parts = [part for part in np.split(masks, cuts) if len(part)]
    assert_allclose(
        np.concatenate([game(part) for part in parts]), np.vstack([alone([mask]) for mask in masks]), **EXACT
    )


def test_examples_and_masks_are_not_mixed_up():
    """The value sees ``(n_masks, n_examples, ...)``: every mask's examples in their order."""
    model, seen = a_reader(), []

    def keep(scores):
        seen.append(scores)
        return scores.flatten(1)[:, 0]

    game = a_game(model, tokens(3), value=keep)
    game(some_masks(game.n_players, 5))
    assert seen[0].shape == (5, 3, 4, 3)
    with torch.no_grad():
        assert_allclose(seen[0][1].numpy(), model(tokens(3)).numpy(), **EXACT)


def test_examples_beyond_a_batch_reach_the_value_at_once():
    shapes = []

    def keep(scores):
        shapes.append(tuple(scores.shape))
        return scores.flatten(1)[:, 0]

    game = a_game(inputs=tokens(10), value=keep, batch_size=4)
    game(some_masks(game.n_players, 3))
    assert shapes == [(1, 10, 4, 3)] * 3


INPUTS = {
    "tensor": lambda ids, mask: ids,
    "tuple": lambda ids, mask: (ids, mask),
    "list": lambda ids, mask: [ids, mask],
    "mapping": lambda ids, mask: {"input_ids": ids, "attention_mask": mask},
    "user's mapping": lambda ids, mask: UserDict({"attention_mask": mask, "input_ids": ids}),
    "other arguments": lambda ids, mask: {"input_ids": ids, "scale": 2.0, "attention_mask": None},
    "tensors for all": lambda ids, mask: {"input_ids": ids, "scale": torch.tensor(2.0)},
    "one row for all": lambda ids, mask: (ids, torch.tensor([[1, 1, 1, 0]])),
}


@pytest.mark.sampled
@pytest.mark.parametrize("form", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("batch_size", [2, 64])
def test_forms_of_the_inputs(form, batch_size):
    model, ids = a_reader(), tokens()
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
    inputs = form(ids, mask)
    named = {"input_ids": inputs} if isinstance(inputs, torch.Tensor) else inputs
    named = dict(zip(("input_ids", "attention_mask"), named, strict=True)) if isinstance(named, tuple | list) else named
    game = a_game(model, inputs, batch_size=batch_size)
    masks = some_masks(game.n_players)
    slow = {"input_ids": ids, **named}
    assert_allclose(game(masks), slow_values(model, slow, game.components, masks), **EXACT)


def test_a_forward_of_ones_own():
    model = a_reader()
    game = a_game(model, forward=lambda ids: model(ids)[:, -1])
    whole = a_game(model, value=lambda scores: scores[:, :, -1].flatten(1))
    masks = some_masks(game.n_players)
    assert_allclose(game(masks), whole(masks), **EXACT)
    by_keyword = a_game(model, {"input_ids": tokens()}, forward=lambda *, input_ids: (model(input_ids)[:, -1], None))
    assert_allclose(by_keyword(masks), whole(masks), **EXACT)


def test_tensors_that_join_rows_and_positions():
    """Such as the inside of a mixture of experts' block: what comes in is rows times positions."""

    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)

        def forward(self, states):
            return self.inner(states.reshape(-1, 6)).tanh().reshape(states.shape)

    model = a_reader()
    model.mix = random_weights(Joined(), 3)
    parts, reference = neurons(model, "mix.inner"), tokens(2, seed=5)
    masks = some_masks(6)
    apart = deepcopy(model)
    apart.mix = nn.Sequential(model.mix.inner, nn.Tanh()).eval()
    for settings in (
        {},
        {"ablation": "mean", "reference": reference},
        {"ablation": "resample", "reference": tokens(1)},
    ):
        wanted = a_game(apart, parts=neurons(apart, "mix.0"), **settings)(masks)
        assert_allclose(a_game(model, parts=parts, **settings)(masks), wanted, **EXACT)


def test_half_precision():
    model, batch = deepcopy(small("gpt2")).to(torch.bfloat16), a_batch("gpt2", 2)
    masks = some_masks(8)
    game = a_game(model, batch, heads(model), loss([1, 2], position=-1))
    assert_allclose(game(masks), a_game(model, batch, heads(model), game._value, batch_size=2)(masks), atol=0.05)
    for settings in ({"ablation": "mean", "reference": batch}, {"rescale": True}):
        assert np.isfinite(a_game(model, batch, heads(model), loss([1, 2], position=-1), **settings)(masks)).all()


# --- values -----------------------------------------------------------------------------------------------------------


def slow_value(kind, scores, labels, others=None):
    """The mean over examples (and positions) that count; scores of one mask."""
    each = []
    for place in np.ndindex(*np.shape(labels)):
        row, label = scores[place].double().tolist(), np.asarray(labels)[place]
        if label == -100:
            continue
        log_prob_ = row[label] - math.log(sum(math.exp(score) for score in row))
        each.append(
            {
                "accuracy": float(max(range(len(row)), key=row.__getitem__) == label),
                "loss": -log_prob_,
                "log_prob": log_prob_,
                "logit_difference": None if others is None else row[label] - row[np.asarray(others)[place]],
            }[kind]
        )
    return sum(each) / len(each)


def some_scores(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


VALUES = {"accuracy": accuracy, "loss": loss, "log_prob": log_prob}
LABELS = {
    "classes": [0, 2, 1, 1],
    "ignored": [0, -100, 1, -100],
    "tensor": torch.tensor([3, 2, 1, 0]),
    "array": np.array([3, 3, 3, -100], dtype=np.int32),
}


@pytest.mark.sampled
@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_values_of_classes(kind, labels, dtype):
    scores = some_scores(5, 4, 4, dtype=dtype)
    wanted = [slow_value(kind, one, labels) for one in scores]
    assert_allclose(VALUES[kind](labels)(scores), wanted, **EXACT)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("position", [0, 2, -1])
def test_values_at_a_position(kind, position):
    scores, labels = some_scores(5, 4, 3, 6), [5, -100, 0, 1]
    wanted = [slow_value(kind, one[:, position], labels) for one in scores]
    assert_allclose(VALUES[kind](labels, position=position)(scores), wanted, **EXACT)


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_all_positions(kind):
    scores, labels = some_scores(5, 2, 3, 6), [[5, -100, 0], [1, 2, -100]]
    assert_allclose(VALUES[kind](labels)(scores), [slow_value(kind, one, labels) for one in scores], **EXACT)


def test_logit_difference():
    scores = some_scores(5, 4, 6)
    labels, others = [1, 2, -100, 0], [0, 2, 1, 5]
    wanted = [slow_value("logit_difference", one, labels, others) for one in scores]
    assert_allclose(logit_difference(labels, others)(scores), wanted, **EXACT)
    scores = some_scores(5, 4, 3, 6)
    wanted = [slow_value("logit_difference", one[:, 1], labels, others) for one in scores]
    assert_allclose(logit_difference(labels, others, position=1)(scores), wanted, **EXACT)


def test_one_label_for_one_example():
    assert_allclose(log_prob(2)(some_scores(3, 1, 4)), log_prob([2])(some_scores(3, 1, 4)), **EXACT)


def test_values_of_a_game():
    model, labels = a_reader(), [2, 0, 1]
    game = a_game(model, value=loss(labels, position=-1))
    masks = some_masks(game.n_players)
    scores = slow_values(model, {"input_ids": tokens()}, game.components, masks).reshape(-1, 3, 4, 3)
    wanted = [slow_value("loss", torch.tensor(one[:, -1]), labels) for one in scores]
    assert game(masks).shape == (len(masks),)
    assert_allclose(game(masks), wanted, **EXACT)


def test_the_default_value_is_the_mean_over_the_examples():
    model = a_reader()
    game, whole = a_game(model, value=None), a_game(model)
    masks = some_masks(game.n_players)
    assert game(masks).shape == (len(masks), 12)
    assert_allclose(game(masks), whole(masks).reshape(-1, 3, 12).mean(axis=1), **EXACT)
    single = a_game(model, value=None, forward=lambda ids: model(ids)[:, -1, :1])
    assert single(masks).shape == (len(masks),)
    assert_allclose(single(masks), game(masks)[:, 9], **EXACT)


CUSTOM = {
    "list": lambda scores: [float(one) for one in scores.mean(dim=(1, 2, 3))],
    "array": lambda scores: scores.mean(dim=(1, 2, 3)).numpy(),
    "float32": lambda scores: scores.mean(dim=(1, 2, 3)).float(),
    "with a gradient": lambda scores: scores.mean(dim=(1, 2, 3)) * torch.ones((), requires_grad=True),
}


@pytest.mark.parametrize("value", CUSTOM.values(), ids=CUSTOM)
def test_a_value_of_ones_own(value):
    game, whole = a_game(value=value), a_game()
    masks = some_masks(game.n_players)
    assert game(masks).dtype == np.float64
    assert_allclose(game(masks), whole(masks).mean(axis=1), rtol=1e-5, atol=1e-6)


# --- explained --------------------------------------------------------------------------------------------------------


def test_heads_of_a_model_explained_exactly():
    model, batch = small("gpt2"), a_batch("gpt2", 2)
    game = a_game(model, batch, heads(model), log_prob([3, 7], position=-1))
    table = []
    for mask in every_mask(8):
        scores = torch.tensor(called(without_heads(model, "gpt2", mask), batch))
        table.append(slow_value("log_prob", scores[:, -1], [3, 7]))
    result = captum_spex.explain(game, budget=256, index="SII", max_order=2)
    assert (result.n_evaluations, result.names) == (256, game.names)
    wanted = sii(np.array(table), 8, 2)
    assert_allclose([result[players] for players in wanted], list(wanted.values()), **CLOSE)
    assert max(abs(value) for value in wanted.values()) > 0.1
    shapley = captum_spex.explain(game, budget=256, index="SV").first_order()
    assert_allclose(shapley, [value for players, value in sii(np.array(table), 8, 1).items()], **CLOSE)


def test_several_outputs_are_explained_one_by_one():
    model = a_reader()
    game = a_game(model, tokens(1), modules(model, ["first", "mix"]), lambda scores: scores[:, 0, -1])
    results = captum_spex.explain(game, budget=4, index="SV")
    values = game(every_mask(2))
    wanted = [shapley_by_permutations(values[:, output], 2) for output in range(3)]
    assert_allclose([result.first_order() for result in results], wanted, **EXACT)


def a_single_valued_game():
    model = a_reader()
    return a_game(model, value=loss([2, 0, 1], position=-1), parts=parts_of_a_reader(model)[:5])


def test_captums_shapley_values():
    game = a_single_valued_game()
    wanted = shapley_by_permutations(game(every_mask(5)), 5)
    shares = ShapleyValues(game.forward).attribute(torch.ones(1, 5), perturbations_per_eval=4)
    assert_allclose(shares[0], wanted, **CLOSE)


def test_captums_kernel_shap():
    game = a_single_valued_game()
    torch.manual_seed(0)
    shares = KernelShap(game.forward).attribute(torch.ones(1, 5), n_samples=300, perturbations_per_eval=50)
    assert_allclose(shares[0], shapley_by_permutations(game(every_mask(5)), 5), atol=0.02)


def test_proxy_spex_through_forward():
    game = a_single_valued_game()
    shares, interactions = ProxySpex(game.forward).attribute(
        torch.ones(1, 5), n_samples=32, perturbations_per_eval=8, return_interactions=True
    )
    assert_allclose(shares[0], shapley_by_permutations(game(every_mask(5)), 5), **CLOSE)
    direct = captum_spex.explain(game, budget=32)
    assert_allclose(interactions[(0, 1)], direct[(0, 1)], **CLOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_forward_takes_numbers(dtype):
    game = a_single_valued_game()
    masks = every_mask(5)
    assert_array_equal(game.forward(torch.tensor(masks).to(dtype)).numpy(), game(masks))


def test_forward_rounds_to_present_or_absent():
    game = a_single_valued_game()
    mask = torch.tensor([[0.5, 0.51, -3.0, 7.0, 0.0]], requires_grad=True)
    assert_array_equal(game.forward(mask).numpy(), game([[False, True, False, True, False]]))


# --- what stays as it is ----------------------------------------------------------------------------------------------


def hooks_of(model):
    return [
        (
            list(part._forward_hooks.values()),
            list(part._forward_pre_hooks.values()),
            list(part._backward_hooks.values()),
        )
        for part in model.modules()
    ]


def state_of(*things):
    legacy = np.random.get_state()[1]  # noqa: NPY002  # the global state is what is looked at
    return digest(*things, torch.get_rng_state(), legacy, list(random.getstate()[1]))


def test_the_model_the_inputs_and_the_global_random_state_are_untouched():
    model, inputs, reference = a_reader(), tokens(), tokens(seed=5)
    calls = []
    model.mix.register_forward_hook(lambda *_: calls.append("hook"))
    model.first.register_forward_pre_hook(lambda *_: calls.append("pre-hook"))
    model.head.bias.requires_grad_(False)
    grads = [one.requires_grad for one in model.parameters()]
    hooks, before = hooks_of(model), state_of(dict(model.state_dict()), inputs, reference)
    game = a_game(model, inputs, ablation="mean", reference=reference, value=loss([0, 1, 2], position=-1))
    captum_spex.explain(game, budget=40, random_state=0)
    assert state_of(dict(model.state_dict()), inputs, reference) == before
    assert hooks_of(model) == hooks
    assert not any(part.training for part in model.modules())
    assert [one.requires_grad for one in model.parameters()] == grads
    assert [one.grad for one in model.parameters()] == [None] * len(grads)
    assert torch.is_grad_enabled()
    assert len(calls) == 2 * len(model.seen.rows)  # they were called as ever


def test_user_hooks_still_act():
    model = a_reader()
    model.first.register_forward_hook(lambda _m, _g, output: output * 0.5)
    other = a_reader()
    other.first.weight.data *= 0.5
    other.first.bias.data *= 0.5
    masks = some_masks(7)
    assert_allclose(a_game(model)(masks), a_game(other)(masks), **EXACT)


def test_scores_carry_no_gradient():
    seen = []
    a_game(value=lambda scores: seen.append(scores) or scores[:, 0, 0])(some_masks(7))
    assert [one.requires_grad for one in seen] == [False]
    assert not seen[0].is_inference()


ERRORS = [RuntimeError("broken"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()]


@pytest.mark.sampled
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_hooks_are_removed_if_the_model_raises(error, fail_at):
    """At the calls that try it, at the reference, and at the first masks."""
    model = a_reader()
    model.mix.register_forward_hook(lambda *_: None)
    hooks = hooks_of(model)
    model.seen.fail_at, model.seen.error = fail_at, error
    with pytest.raises(type(error)):
        a_game(model, ablation="mean", reference=tokens())(some_masks(7))
    assert len(model.seen.rows) == fail_at
    assert hooks_of(model) == hooks
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["value", "forward"])
def test_hooks_are_removed_if_a_users_function_raises(error, where):
    model, calls = a_reader(), []

    def raising(scores):
        calls.append(scores)
        if where == "value" or len(calls) > 2:
            raise error
        return model(scores)

    game = a_game(model, **{where: raising})
    with pytest.raises(type(error)):
        game(some_masks(7))
    assert hooks_of(model) == hooks_of(a_reader())
    assert_allclose(a_game(model)(some_masks(7)), a_game()(some_masks(7)), **EXACT)


def test_hooks_are_removed_if_a_site_does_not_fit():
    model = a_reader()
    with pytest.raises(ArgumentError):
        a_game(model, parts=[Component("far", (Place("mix", "output", 6, 9),))])
    with pytest.raises(GameError):
        a_game(model, ablation="resample", reference=tokens(3, 6))(some_masks(7))
    assert hooks_of(model) == hooks_of(a_reader())


def test_masks_and_inputs_are_not_changed():
    masks = some_masks(7)
    masks.setflags(write=False)
    game = a_game()
    assert_array_equal(game(masks), game(masks.copy()))
    assert_array_equal(masks, some_masks(7))


# --- fingerprints and stores ------------------------------------------------------------------------------------------


def kept_game(**changes):
    """A game with a fingerprint."""
    settings = {
        "model": a_reader(),
        "inputs": {"input_ids": tokens()},
        "value": loss([0, 1, 2], position=-1),
        **changes,
    }
    return a_game(**settings)


def other_games():
    relabelled = loss([0, 1, 1], position=-1)
    means = {"ablation": "mean", "reference": tokens(seed=5)}
    model = a_reader()
    return {
        "same": {},
        "model": {"model": a_reader(1)},
        "inputs": {"inputs": {"input_ids": tokens(seed=1)}},
        "arguments": {"inputs": {"input_ids": tokens(), "scale": 2.0}},
        "components": {"parts": parts_of_a_reader(model)[:-1]},
        "order of components": {"parts": parts_of_a_reader(model)[::-1]},
        "channels": {"parts": [*parts_of_a_reader(model)[:-1], Component("both", (Place("mix", "output", 2, None),))]},
        "side": {"parts": [*parts_of_a_reader(model)[:-1], Component("both", (Place("mix", "input", 2, None),))]},
        "names": {"parts": [*parts_of_a_reader(model)[:-1], Component("two", (Place("mix", "output", 2, None),))]},
        "mean": means,
        "reference": {**means, "reference": tokens(seed=6)},
        "mean by position": {**means, "ablation": "mean by position"},
        "resample": {**means, "ablation": "resample"},
        "rescale": {"rescale": True},
        "rescaled mean": {**means, "rescale": True},
        "labels": {"value": relabelled},
        "position": {"value": loss([0, 1, 2], position=0)},
        "kind": {"value": log_prob([0, 1, 2], position=-1)},
        "accuracy": {"value": accuracy([0, 1, 2], position=-1)},
        "difference": {"value": logit_difference([0, 1, 2], [1, 2, 0], position=-1)},
        "other classes": {"value": logit_difference([0, 1, 2], [1, 2, 1], position=-1)},
        "default": {"value": None},
    }


def test_the_fingerprint_changes_with_everything_that_changes_the_values():
    marks = {name: kept_game(**changes).fingerprint for name, changes in other_games().items()}
    assert len({str(mark) for mark in marks.values()}) == len(marks)
    assert all(isinstance(part, str) for mark in marks.values() for part in mark.values())


def test_the_fingerprint_stays_where_the_values_do():
    means = {"ablation": "mean", "reference": tokens(seed=5)}
    assert kept_game().fingerprint == kept_game(batch_size=3).fingerprint
    assert kept_game(**means).fingerprint == kept_game(**means).fingerprint
    hooked = a_reader()
    hooked.mix.register_forward_hook(lambda *_: None)
    assert kept_game(model=hooked).fingerprint == kept_game().fingerprint


@pytest.mark.parametrize("name", ["value", "forward"])
def test_functions_of_ones_own_have_no_fingerprint(name, tmp_path):
    model = a_reader()
    game = kept_game(model=model, **{name: everything if name == "value" else model.forward})
    assert game.fingerprint is None
    with pytest.raises(StoreError, match="got a game without a fingerprint"):
        captum_spex.explain(game, budget=16, store=tmp_path / "masks.db")


def test_a_stopped_run_goes_on_from_its_store(tmp_path):
    model = a_reader()
    game = kept_game(model=model, batch_size=48, parts=parts_of_a_reader(model)[:6])
    model.seen.rows.clear()
    model.seen.fail_at, model.seen.error = 3, KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert model.seen.rows == [48, 48, 48]
    model.seen.fail_at = None
    resumed = captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert sum(model.seen.rows) == 48 + 64 * 3  # the mask batch that failed, and every mask once
    assert_array_equal(resumed.values, captum_spex.explain(game, budget=64).values)
    store = Store(tmp_path / "masks.db")
    captum_spex.explain(game, budget=64, store=store)
    assert (store.n_found, store.n_added) == (64, 0)


def test_the_store_of_another_game_is_refused(tmp_path):
    captum_spex.explain(kept_game(), budget=128, store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="They differ in inputs: "):
        captum_spex.explain(kept_game(inputs={"input_ids": tokens(seed=1)}), budget=128, store=tmp_path / "masks.db")


# --- bad input: finding components ------------------------------------------------------------------------------------


def message_of(kind, function):
    with pytest.raises(ArgumentError) as raised:
        function()
    assert type(raised.value) is kind
    return str(raised.value)


A_NAME = "a name of `model.named_modules()`, such as"
NEAREST = [
    (lambda: modules(a_reader(), "frist"), f"`pattern`: expected {A_NAME} 'first', got 'frist'."),
    (lambda: modules(a_reader(), ["mix", "haed"]), "such as 'head'."),
    (lambda: modules(a_reader(), "layers.*.first"), "such as 'first'."),
    (lambda: neurons(a_reader(), "secnod"), f"`module`: expected {A_NAME} 'second'.*, got 'secnod'"),
    (lambda: a_game(parts=[Component("a", (Place("mixx"),))]), "`components`: expected a name of.*, got 'mixx'"),
    (lambda: modules(small("gpt2"), "h.0.mlp"), "'transformer.h.0.mlp'"),
    (lambda: modules(small("gpt2"), "transformer.h.*.atn"), "transformer.h.0.attn'"),
    (lambda: modules(a_reader(), "qqqqqqqq"), "such as 'embed', 'first', 'second', 'mix', 'norm'."),
    (lambda: modules(a_reader(), ""), "`pattern`: expected a name of.*, got ''"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), NEAREST)
def test_unknown_names_list_the_nearest(function, message):
    assert message in message_of(UnknownNameError, function)


def test_a_number_of_heads_that_cannot_be_read():
    message = message_of(ArgumentError, lambda: heads(nn.Sequential(Attention())))
    assert message == (
        "`model`: expected one of the .*, got a Attention ('0', 6 channels) that does not say how many heads it has"
        "attributes num_attention_heads, num_heads, n_heads, n_head, num_query_heads, encoder_attention_heads on it or "
        "in its `config`. Give `n_heads`."
    )
    assert len(heads(nn.Sequential(Attention()), n_heads=3)) == 3


@pytest.mark.parametrize("count", [0, -2, True, 2.0, "4", None])
def test_attributes_that_are_no_number_of_heads(count):
    assert "does not say how many heads it has" in message_of(
        ArgumentError, lambda: heads(nn.Sequential(Attention(num_heads=count)))
    )


def without(kind):
    return re.escape(f"`model`: expected a model with .*, got a {kind} without")


FUNCTIONS = {
    "heads": heads,
    "mlps": mlps,
    "layers": layers,
    "neurons": lambda m: neurons(m, "0"),
    "modules": lambda m: modules(m, "*"),
}


@pytest.mark.sampled
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("model", [None, "gpt2", nn.Linear, lambda ids: ids], ids=["None", "str", "class", "function"])
def test_what_is_no_model(function, model):
    message = message_of(ArgumentError, lambda: function(model))
    assert message == f"`model`: expected a torch module, got a {type(model).__name__}."


@pytest.mark.parametrize("function", [heads, mlps, layers])
def test_models_without_such_parts(function):
    message = message_of(ArgumentError, lambda: function(a_reader()))
    assert re.match(without("Reader"), message)
    assert "`modules(model, pattern)`" in message


def test_torchs_own_attention():
    model = nn.Sequential(nn.TransformerEncoderLayer(8, 2)).eval()
    for function in (heads, layers):
        message = message_of(ArgumentError, lambda function=function: function(model))
        assert (
            "torch's MultiheadAttention '0.self_attn', which reads its output projection without calling it" in message
        )
        assert "`modules(model, pattern)`" in message


def test_all_heads_of_torchs_own_attention_together():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

        def forward(self, states):
            return states + self.attention(states, states, states)[0]

    model = random_weights(Around())
    states = torch.randn(2, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = a_game(model, states, modules(model, "attention"))([[False], [True]])
    assert_allclose(values, np.array([states.flatten().numpy(), model(states).detach().flatten().numpy()]), **EXACT)


@pytest.mark.parametrize("family", PAIRS)
def test_layers_of_models_with_more_attentions_than_mlps(family):
    message = message_of(ArgumentError, lambda: layers(small(family)))
    assert "with 6 attentions and 4 MLPs; allowed is a model with one of each in every layer" in message


@pytest.mark.sampled
@pytest.mark.parametrize("function", [heads, mlps, layers])
@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (2, "`layers`: expected integers from -2 to 1, got 2."),
        (-3, "`layers`: expected integers from -2 to 1, got -3."),
        ([0, 7], "`layers`: expected integers from -2 to 1, got 7."),
        ([0.0], "`layers`: expected integers from -2 to 1, got 0.0."),
        (True, "`layers`: expected integers from -2 to 1, got True."),
        ("1", "`layers`: expected integers from -2 to 1, got '1'."),
        ([], "`layers`: expected at least one, got none."),
    ],
    ids=str,
)
def test_layers_that_do_not_exist(function, chosen, message):
    assert message_of(ArgumentError, lambda: function(small("gpt2"), chosen)) == message


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (3, "`n_heads`: expected a number that divides the 16 channels of 'transformer.h.0.attn.c_proj', got 3."),
        (32, "`n_heads`: expected a number that divides the 16 channels of 'transformer.h.0.attn.c_proj', got 32."),
        (0, "`n_heads`: expected an integer of at least 1, got 0."),
        (2.0, "`n_heads`: expected an integer of at least 1, got 2.0."),
        (True, "`n_heads`: expected an integer of at least 1, got True."),
    ],
)
def test_numbers_of_heads_that_cannot_be(count, message):
    assert message_of(ArgumentError, lambda: heads(small("gpt2"), n_heads=count)) == message


FROM_0 = "expected at least one channel, from 0 on."
BAD_NEURONS = [
    (lambda: neurons(a_reader(), "mix", [6]), "`units`: expected integers from 0 to 5, got 6."),
    (lambda: neurons(a_reader(), "mix", [0, -1]), "`units`: expected integers from 0 to 5, got -1."),
    (lambda: neurons(a_reader(), "mix", width=0), "`width`: expected an integer of at least 1, got 0."),
    (
        lambda: neurons(a_conv_net(), "2"),
        "`module`: expected a module with an attribute .*, got '2', a ReLU, which does not say how many channels it has"
        "out_features or out_channels. "
        "Give `width`, if they are the last dimension; of images, take the convolution or norm before it.",
    ),
    (
        lambda: neurons(a_conv_net(), "4", side="input"),
        "`module`: expected a module with an .*, got '4', a Flatten, which does not say how many channels it has"
        "attribute in_features or in_channels. "
        "Give `width`, if they are the last dimension; of images, take the convolution or norm before it.",
    ),
    (lambda: Component("a", ()), "`places`: expected at least one place.*, got none. Component 'a' would do nothing."),
    (lambda: Place("mix", "output", -1), f"`start`: expected .*, got channels -1 to None; {FROM_0}"),
    (lambda: Place("mix", "output", 3, 3), f"`start`: expected .*, got channels 3 to 3; {FROM_0}"),
    (lambda: Place("mix", "output", 3, 2), f"`start`: expected .*, got channels 3 to 2; {FROM_0}"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), BAD_NEURONS)
def test_channels_that_do_not_exist(function, message):
    assert message_of(ArgumentError, function) == message


@pytest.mark.parametrize("side", ["left", "outputs", None])
def test_unknown_sides(side):
    assert message_of(UnknownNameError, lambda: Place("mix", side)) == (
        f"`side`: expected 'input.*, got {side!r}', 'output'."
    )


# --- bad input: the game ----------------------------------------------------------------------------------------------

ONE = [Component("mix", (Place("mix"),))]
FORMS = "expected a tensor, a tuple of arguments, or a mapping of keyword arguments, examples first."
CONTENTS = "expected a list of `Component`, as `heads` returns."
OF_SCORES = "expected a function of the scores, such as `accuracy(labels)`."
BAD_SETTINGS = [
    ({"parts": []}, ArgumentError, "`components`: expected at least one, got none."),
    ({"parts": ONE[0]}, ArgumentError, f"`components`: expected .*, got a Component; {CONTENTS}"),
    ({"parts": "mix"}, ArgumentError, f"`components`: expected .*, got a str; {CONTENTS}"),
    ({"parts": 3}, ArgumentError, f"`components`: expected .*, got a int; {CONTENTS}"),
    ({"parts": ["mix"]}, ArgumentError, "`components`: expected `Component` only, got a str among them."),
    ({"parts": [ONE]}, ArgumentError, "`components`: expected `Component` only, got a list among them."),
    ({"inputs": "text"}, ArgumentError, f"`inputs`: expected .*, got a str without a tensor of examples; {FORMS}"),
    ({"inputs": ()}, ArgumentError, f"`inputs`: expected .*, got a tuple without a tensor of examples; {FORMS}"),
    ({"inputs": {"input_ids": [[1, 2]]}}, ArgumentError, f"`inputs`: expected .*, got a dict without a tensor of examples; {FORMS}"),
    ({"inputs": torch.tensor(1)}, ArgumentError, f"`inputs`: expected .*, got a Tensor without a tensor of examples; {FORMS}"),
    ({"inputs": tokens(0)}, ArgumentError, f"`inputs`: expected .*, got no example; {FORMS}"),
    (
        {"ablation": "noise"}, UnknownNameError,
        "`ablation`: expected 'zero.*, got 'noise'', 'mean', 'mean by position', 'resample'.",
    ),
    (
        {"ablation": None}, UnknownNameError,
        "`ablation`: expected 'zero.*, got None', 'mean', 'mean by position', 'resample'.",
    ),
    (
        {"reference": tokens()}, ArgumentError,
        "`reference`: expected None.*, got one, for the ablation 'zero'. "
        "Choose one of ('mean', 'mean by position', 'resample').",
    ),
    *(
        (
            {"ablation": name}, ArgumentError,
            f"`reference`: expected inputs of the model, for the ablation {name!r}, got None.",
        )
        for name in ("mean", "mean by position", "resample")
    ),
    (
        {"ablation": "mean", "reference": 3}, ArgumentError,
        f"`reference`: expected .*, got a int without a tensor of examples; {FORMS}",
    ),
    ({"ablation": "mean", "reference": tokens(0)}, ArgumentError, f"`reference`: expected .*, got no example; {FORMS}"),
    (
        {"ablation": "resample", "reference": tokens(2)}, ArgumentError,
        "`reference`: expected one example, or 3, one for each of `inputs`, got 2 examples.",
    ),
    (
        {"inputs": tokens(1), "ablation": "resample", "reference": tokens(3)}, ArgumentError,
        "`reference`: expected one example, got 3 examples.",
    ),
    ({"value": 3}, ArgumentError, f"`value`: expected .*, got a int; {OF_SCORES}"),
    ({"value": "loss"}, ArgumentError, f"`value`: expected .*, got a str; {OF_SCORES}"),
    ({"rescale": "yes"}, ArgumentError, "`rescale`: expected True or False, got 'yes'."),
    ({"rescale": 1}, ArgumentError, "`rescale`: expected True or False, got 1."),
    ({"forward": "logits"}, ArgumentError, "`forward`: expected a function of the inputs, got a str."),
    ({"batch_size": 0}, ArgumentError, "`batch_size`: expected an integer of at least 1, got 0."),
    ({"batch_size": 2.0}, ArgumentError, "`batch_size`: expected an integer of at least 1, got 2.0."),
    ({"batch_size": None}, ArgumentError, "`batch_size`: expected an integer of at least 1, got None."),
    ({"model": lambda ids: ids}, ArgumentError, "`model`: expected a torch module, got a function."),
    (
        {"model": a_reader().train()}, ArgumentError,
        "`model`: expected one in evaluation mode.*, got a model in training mode. Call `model.eval()`.",
    ),
    (
        {"parts": [Component("unused", (Place("unused"),))]}, ArgumentError,
        "`components`: expected modules that the model calls.*, got 'unused', which the model does not call. "
        "Its parts may be fused or compiled; take a module around it.",
    ),
    (
        {"parts": [Component("far", (Place("mix", "output", 4, 7),))]}, ArgumentError,
        "`components`: expected channels 0 to 5, got channel 6 of the output of 'mix'.",
    ),
    (
        {"parts": [Component("far", (Place("second", "input", 8),))]}, ArgumentError,
        "`components`: expected channels 0 to 4, got channel 8 of the input of 'second'.",
    ),
    (
        {"forward": lambda ids: None}, ArgumentError,
        "`forward`: expected one that returns a tensor, examples first, got one that returns a NoneType.",
    ),
    (
        {"forward": lambda ids: ids.sum()}, ArgumentError,
        "`forward`: expected one that returns a tensor, examples first, got one that returns a Tensor.",
    ),
    (
        {"forward": lambda ids: {"logits": ids}}, ArgumentError,
        "`forward`: expected one that returns a tensor, examples first, got one that returns a dict.",
    ),
    (
        {"forward": lambda ids: SimpleNamespace(logits=None)}, ArgumentError,
        "`forward`: expected one that returns a tensor, examples first, got one that returns a NoneType.",
    ),
    (
        {"forward": lambda ids: ()}, ArgumentError,
        "`forward`: expected one that returns a tensor, examples first, got one that returns a tuple.",
    ),
    (
        {"forward": lambda ids: torch.zeros(5, 2)}, ArgumentError,
        "`forward`: expected one that returns scores with examples .*, got one that returns shape (5, 2) for 2 examples"
        "first.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "kind", "message"), BAD_SETTINGS)
def test_settings_that_cannot_be_used(settings, kind, message):
    settings = {"model": a_reader(), "inputs": tokens(), "parts": ONE, **settings}
    assert message_of(kind, lambda: a_game(**settings)) == message


class Turned(nn.Module):
    """A module inside which positions come first, or in which all rows are one."""

    def __init__(self, turn, back):
        super().__init__()
        self.inner, self.turn, self.back = nn.Linear(6, 6), turn, back

    def forward(self, states):
        return self.back(self.inner(self.turn(states)), states)


TURNED = {
    "positions first": (lambda x: x.transpose(0, 1), lambda y, x: y.transpose(0, 1)),
    "rows in the middle": (lambda x: x[None], lambda y, x: y[0]),
    "all rows at once": (lambda x: x.mean(dim=(0, 1)), lambda y, x: x + y),
    "same for all": (lambda x: torch.ones(1, 6, dtype=x.dtype), lambda y, x: x + y),
    "positions first, joined": (lambda x: x.transpose(0, 1).reshape(-1, 6), lambda y, x: x + y.sum()),
    "windows": (lambda x: x.reshape(-1, 1, 6), lambda y, x: y.reshape(x.shape)),
    "reversed": (lambda x: x.flip(0), lambda y, x: x + y.flip(0)),
}


def is_turned(name, n_examples, length):
    """Whether it is another order than rows first at all, and whether two rows of the same example show it."""
    return length > 1 if name in ("positions first, joined", "windows") else n_examples > 1 or name != "reversed"


SIZES = [(3, 1), (3, 2), (3, 4), (1, 2), (1, 4)]
CASES = [(name, *size) for name in TURNED for size in SIZES if is_turned(name, *size)]


@pytest.mark.parametrize(("name", "n_examples", "length"), CASES)
def test_tensors_whose_rows_do_not_come_first(name, n_examples, length):
    model = a_reader()
    model.mix = random_weights(Turned(*TURNED[name]), 3)
    with pytest.raises((ArgumentError, GameError), match=r"^`components`: .*'mix.inner'.*rows"):
        a_game(model, tokens(n_examples, length), modules(model, "mix.inner"))


def test_arguments_by_keyword_have_no_input_side_but_an_output():
    class Caller(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 3)

        def forward(self, *, states):
            return self.inner(input=states)

    model = random_weights(Caller())
    states = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(GameError, match=r"`components`: 'inner' got or gave no arguments but by keyword"):
        a_game(model, {"states": states}, neurons(model, "inner", side="input"))
    parts = neurons(model, "inner")
    wanted = slow_values(model, {"states": states}, parts, every_mask(3))
    assert_allclose(a_game(model, {"states": states}, parts)(every_mask(3)), wanted, **EXACT)


def test_modules_that_give_no_tensor():
    model = a_reader()
    model.mix = Turned(lambda x: x, lambda y, x: {"states": y}).double().eval()

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.head = model.mix, nn.Linear(6, 2).double()

        def forward(self, states):
            return self.head(self.mix(states)["states"])

    outer = Outer().eval()
    with pytest.raises(GameError, match=r"`components`: 'mix' got or gave a dict; a tensor, or several"):
        a_game(outer, torch.ones(1, 6, dtype=torch.float64), modules(outer, "mix"))


@pytest.mark.parametrize("ablation", ["mean by position", "resample"])
def test_a_reference_of_another_length(ablation):
    game = a_game(parts=ONE, ablation=ablation, reference=tokens(3, 6))
    message = (
        r"`reference`: gave shape \(6, 6\) at the output of 'mix', where the inputs give \(4, 6\); "
        "they must have the same length."
    )
    with pytest.raises(GameError, match=message):
        game([[False]])


BAD_VALUES = [
    (lambda scores: 1.0, "()"),
    (lambda scores: scores.mean(), "()"),
    (lambda scores: scores, "(4, 3, 4, 3)"),
    (lambda scores: scores.flatten(1).T, "(36, 4)"),
    (lambda scores: scores[:1, 0, 0, 0], "(1,)"),
    (lambda scores: [], "(0,)"),
]


@pytest.mark.parametrize(("value", "shape"), BAD_VALUES)
def test_values_of_another_shape(value, shape):
    game = a_game(parts=ONE, value=value)
    with pytest.raises(GameError) as raised:
        game([[True]] * 4)
    allowed = "it must be (4,), or (4, n_outputs)."
    assert str(raised.value) == f"`value`: returned shape {shape} for scores of 4 masks; {allowed}"


def test_a_forward_that_gives_fewer_rows_later():
    model = a_reader()
    game = a_game(model, tokens(1), ONE, forward=lambda ids: model(ids)[:2])
    with pytest.raises(GameError, match=r"`forward`: returned shape \(2, 4, 3\) for 5 rows\."):
        game([[True]] * 5)


@pytest.mark.parametrize("masks", [np.ones(7, dtype=bool), np.ones((2, 6), dtype=bool), np.ones((2, 8), dtype=bool)])
def test_masks_of_another_shape(masks):
    with pytest.raises(MaskError, match=r"expected \(n_masks, 7\): one column per player"):
        a_game()(masks)


def test_values_that_are_no_numbers_are_noticed():
    model = a_reader()
    game = a_game(model, parts=ONE, value=lambda scores: scores[:, 0, 0, 0] * math.nan)
    with pytest.raises(GameError, match="expected finite values, got nan"):
        captum_spex.explain(game, budget=2)


WHOLE = "expected integer classes."
BAD_LABELS = [
    (lambda: loss([0.0, 1.0]), f"`labels`: expected .*, got shape (2,), torch.float32; {WHOLE}"),
    (lambda: accuracy([True, False]), f"`labels`: expected .*, got shape (2,), torch.bool; {WHOLE}"),
    (lambda: log_prob([]), f"`labels`: expected .*, got shape (0,), torch.float32; {WHOLE}"),
    (lambda: loss([-100, -100]), "`labels`: expected at least one class, got -100 only."),
    (
        lambda: loss([0, 1])(some_scores(5, 3, 4)),
        "`labels`: expected (3,): a class for each.*, got shape (2,) for scores (3, 4) of the examples. "
        "Is `position` right?",
    ),
    (
        lambda: accuracy([0, 1, 2])(some_scores(5, 3, 2, 4)),
        "`labels`: expected (3, 2): a class for each.*, got shape (3,) for scores (3, 2, 4) of the examples. "
        "Is `position` right?",
    ),
    (
        lambda: loss([0, 1, 2], position=0)(some_scores(5, 3, 4)),
        "`position`: expected a position of the scores' second dimension, got 0 for scores (3, 4) of the examples.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), BAD_LABELS)
def test_labels_that_cannot_be_used(function, message):
    assert message_of(ArgumentError, function) == message


# --- corners ----------------------------------------------------------------------------------------------------------


def test_channels_that_nobody_owns_are_not_rescaled():
    model = a_reader()
    game = a_game(model, tokens(1), neurons(model, "first", [1, 3]), rescale=True)
    scale = torch.ones(5, dtype=torch.float64)
    scale[1], scale[3] = 2.0, 0.0
    handle = model.first.register_forward_hook(lambda _m, _g, output: output * scale)
    with torch.no_grad():
        wanted = model(tokens(1)).flatten().numpy()
    handle.remove()
    assert_allclose(game([[True, False]])[0], wanted, **EXACT)


def test_a_model_that_writes_into_its_input_gets_a_copy():
    model = random_weights(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)))
    inputs = torch.tensor([[-1.0, 2.0, -3.0, 4.0]], dtype=torch.float64)
    before = inputs.clone()
    values = a_game(model, inputs, neurons(model, "1"))(every_mask(3))
    assert_array_equal(inputs, before)
    assert_allclose(values, slow_values(model, {"input": before}, neurons(model, "1"), every_mask(3)), **EXACT)


def test_models_with_one_score_for_each_example():
    model = a_reader()
    game = a_game(model, value=None, forward=lambda ids: model(ids)[:, -1, 0])
    masks = some_masks(7)
    assert_allclose(game(masks), a_game(model, value=None)(masks)[:, 9], **EXACT)


def test_a_value_of_ones_own_may_be_in_half_precision():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).eval().to(torch.bfloat16)
    inputs = torch.ones(1, 4, dtype=torch.bfloat16)
    game = a_game(model, inputs, modules(model, "0"), lambda scores: scores[:, 0, 0])
    assert_array_equal(game([[True]])[0], model(inputs)[0, 0].item())


def test_logit_differences_of_half_precision_are_taken_in_double():
    scores = torch.tensor([[[100.0, 0.3]]], dtype=torch.bfloat16)
    assert_allclose(logit_difference([0], [1])(scores), 100.0 - float(scores[0, 0, 1]), rtol=1e-12)


def test_ignored_labels_may_be_ignored_among_the_others_too():
    scores = some_scores(5, 3, 4)
    wanted = logit_difference([1, -100, 0], [0, 2, 3])(scores)
    assert_allclose(logit_difference([1, -100, 0], [0, -100, 3])(scores), wanted, **EXACT)


@pytest.mark.sampled
@pytest.mark.parametrize("wrong", [-1, 4, 99])
@pytest.mark.parametrize("function", [accuracy, loss, log_prob, lambda ones: logit_difference([0] * 3, ones)])
def test_classes_that_do_not_exist(function, wrong):
    with pytest.raises(ArgumentError, match=f"got class {wrong}"):
        function([0, wrong, 1])(some_scores(5, 3, 4))


def test_a_place_without_a_channel_is_refused():
    with pytest.raises(ArgumentError, match=r"`components`: expected .*, got channel 6 of the output of 'mix'"):
        a_game(parts=[Component("nothing", (Place("mix", "output", 6),))])


def test_channels_of_instance_norms_are_the_second_dimension():
    model = a_conv_net(lambda n: nn.InstanceNorm2d(n, affine=True))
    parts = neurons(model, "1")
    assert len(parts) == 4
    with torch.no_grad():
        states = model[1](model[0](images()))
        states[:, 2] = 0
        wanted = model[2:](states).flatten().numpy()
    assert_allclose(a_game(model, images(), parts)([[True, True, False, True]])[0], wanted, **EXACT)


def test_modules_that_give_a_named_tuple():
    pair = namedtuple("Pair", ["states", "weights"])

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.head = Turned(lambda x: x, pair), nn.Linear(6, 2)

        def forward(self, states):
            return self.head(self.mix(states).states)

    model = random_weights(Outer())
    game = a_game(model, torch.ones(1, 6, dtype=torch.float64), modules(model, "mix"))
    assert_allclose(game([[False]])[0], model.head.bias.detach(), **EXACT)


def test_a_part_in_training_mode_is_noticed():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    model[1].train()
    with pytest.raises(ArgumentError, match=r"`model`: expected .*, got .*training mode"):
        a_game(model, torch.ones(1, 4), modules(model, "0"))


def test_no_masks_are_no_values():
    for inputs in (tokens(1), tokens(3)):
        assert len(a_game(inputs=inputs, value=loss([0] * len(inputs), position=-1))(np.zeros((0, 7), dtype=bool))) == 0


def test_arguments_that_cannot_be_told_apart_have_no_fingerprint():
    model = a_reader()
    inputs = {"input_ids": tokens(), "scale": SimpleNamespace(real=2.0)}
    forward_scale = model.forward
    model.forward = lambda input_ids, scale: forward_scale(input_ids, scale=scale.real)
    assert kept_game(model=model, inputs=inputs).fingerprint is None


def test_an_attention_mask_of_the_encoder_says_nothing_of_the_decoder():
    model = small("t5")
    reference = {
        "input_ids": a_batch("t5", 2, 4, seed=5)["input_ids"],
        "attention_mask": torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]]),
        "decoder_input_ids": a_batch("t5", 2, 4, seed=6)["input_ids"],
    }
    batch = {key: value for key, value in reference.items() if key != "attention_mask"}
    part = next(part for part in heads(model) if part.name.startswith("decoder.block.0.layer.0"))
    seen = recorded(model, part.places[0], lambda: model(**reference)).mean(dim=(0, 1)).expand(2, 4, 16)
    wanted = scores_of(replaced(model, [part], [False], lambda _: seen, lambda: model(**batch))).flatten().numpy()
    game = a_game(model, batch, [part], ablation="mean", reference=reference)
    assert_allclose(game([[False]])[0], wanted, **CLOSE)


BAD_KINDS = [
    lambda: heads(small("gpt2"), 1.5),
    lambda: heads(small("gpt2"), {"a": 1}),
    lambda: neurons(a_reader(), "mix", [1.5]),
    lambda: neurons(a_reader(), "mix", ["a"]),
    lambda: neurons(a_reader(), "mix", side="left"),
    lambda: neurons(a_reader(), 3),
    lambda: modules(a_reader(), 3),
    lambda: modules(a_reader(), []),
    lambda: modules(a_reader(), [None]),
    lambda: Component("a", Place("mix")),
    lambda: a_game(parts=[Component("a", ["mix"])]),
    lambda: a_game(parts=[Component("a", (Place(3),))]),
    lambda: Place("mix", "output", 0.5),
    lambda: Place("mix", "output", 0, 2.0),
    lambda: loss(None),
    lambda: loss(["cat"]),
    lambda: loss([0, 1], position=1.5),
    lambda: loss([0, 1], position=9)(some_scores(3, 2, 4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("function", BAD_KINDS)
def test_things_of_another_kind(function):
    with pytest.raises(ArgumentError):
        function()


@pytest.mark.parametrize("value", [lambda scores: "x", lambda scores: {}, lambda scores: ["a"] * len(scores)])
def test_values_that_are_no_numbers_at_all(value):
    with pytest.raises(GameError, match="`value`"):
        a_game(parts=ONE, value=value)([[True]])


def test_layers_may_be_given_as_numpys_numbers():
    model = small("gpt2")
    assert heads(model, np.int64(1)) == heads(model, 1)
    assert heads(model, np.arange(2)) == heads(model)
