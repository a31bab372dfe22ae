"""Finding components: attention heads, MLP blocks, layers, neurons, modules by name."""

from __future__ import annotations

import re
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from component_games import (
    CLOSE,
    EXACT,
    N_HEADS,
    PROJECTIONS,
    a_conv_net,
    a_game,
    a_reader,
    called,
    images,
    message_of,
    named_like,
    parts_of_a_reader,
    random_weights,
    slow_values,
    some_masks,
    tokens,
    without_heads,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from small_transformers import FAMILIES, PAIRS, a_batch, small
from torch import nn

import captum_spex
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.components import (
    Component,
    Place,
    heads,
    layers,
    log_prob,
    mlps,
    modules,
    neurons,
)

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

# --- slow twins -------------------------------------------------------------------------------------------------------


def silenced(model, names):
    """A copy of a model in which projections give nothing."""
    copy = deepcopy(model)
    for name in names:
        for parameter in copy.get_submodule(name).parameters():
            parameter.data.zero_()
    return copy


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
def test_stacks_differ_in_their_names(family):
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
    with pytest.raises(
        ArgumentError, match="`components`: expected components with distinct names, got 'L0H0' more than once"
    ):
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


# --- neurons, modules, hand-made components ---------------------------------------------------------------------------

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


# --- bad input: finding components ------------------------------------------------------------------------------------

A_NAME = "a name of `model.named_modules()`, such as"
NEAREST = [
    (lambda: modules(a_reader(), "frist"), f"`pattern`: expected {A_NAME} 'first', got 'frist'."),
    (lambda: modules(a_reader(), ["mix", "haed"]), "such as 'head', got 'haed'."),
    (lambda: modules(a_reader(), "layers.*.first"), "such as 'first', got 'layers.*.first'."),
    (lambda: neurons(a_reader(), "secnod"), f"`module`: expected {A_NAME} 'second', 'unused', got 'secnod'."),
    (lambda: a_game(parts=[Component("a", (Place("mixx"),))]), f"`components`: expected {A_NAME} 'mix', got 'mixx'."),
    (lambda: modules(small("gpt2"), "h.0.mlp"), "'transformer.h.0.mlp'"),
    (lambda: modules(small("gpt2"), "transformer.h.*.atn"), "transformer.h.0.attn'"),
    (lambda: modules(a_reader(), "qqqqqqqq"), "such as 'embed', 'first', 'second', 'mix', 'norm', got 'qqqqqqqq'."),
    (lambda: modules(a_reader(), ""), "such as 'embed', 'first', 'second', 'mix', 'norm', got ''."),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), NEAREST)
def test_unknown_names_list_the_nearest(function, message):
    assert message in message_of(UnknownNameError, function)


def test_a_number_of_heads_that_cannot_be_read():
    message = message_of(ArgumentError, lambda: heads(nn.Sequential(Attention())))
    assert message == (
        "`model`: expected one of the attributes num_v_heads, num_attention_heads, num_heads, n_heads, n_head, "
        "num_query_heads, encoder_attention_heads on it or in its `config`, got an Attention ('0', 6 channels) with an "
        "unknown number of heads. Give `n_heads`."
    )
    assert len(heads(nn.Sequential(Attention()), n_heads=3)) == 3


@pytest.mark.parametrize("count", [0, -2, True, 2.0, "4", None])
def test_invalid_numbers_of_heads_in_attributes(count):
    assert "with an unknown number of heads" in message_of(
        ArgumentError, lambda: heads(nn.Sequential(Attention(num_heads=count)))
    )


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
def test_other_things_than_models(function, model):
    message = message_of(ArgumentError, lambda: function(model))
    assert message == f"`model`: expected a torch module, got {type_of(model)}."


@pytest.mark.parametrize("function", [heads, mlps, layers])
def test_models_without_such_parts(function):
    message = message_of(ArgumentError, lambda: function(a_reader()))
    assert re.match(r"`model`: expected (attention )?modules .*, got a Reader without any\.", message)
    assert "`modules(model, pattern)`" in message


def test_torchs_own_attention():
    model = nn.Sequential(nn.TransformerEncoderLayer(8, 2)).eval()
    for function in (heads, layers):
        message = message_of(ArgumentError, lambda function=function: function(model))
        assert message.startswith("`model`: expected attentions that call their output projection as a module, got")
        assert "MultiheadAttention '0.self_attn', which reads its output projection without calling it" in message
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
def test_layers_of_models_with_two_stacks(family):
    """A layer of the decoder has two attentions and an MLP; absent, they are silenced."""
    model, batch = small(family), a_batch(family)
    parts = layers(model)
    assert [len(part.places) for part in parts] == [2, 2, 3, 3]
    assert [part.name.split(".")[-3] for part in parts] == ["encoder", "encoder", "decoder", "decoder"]
    masks = ~np.eye(4, dtype=bool)
    wanted = [called(silenced(model, [place.module for place in part.places]), batch).ravel() for part in parts]
    assert_allclose(a_game(model, batch, parts)(masks), np.array(wanted), **CLOSE)


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


GIVE_WIDTH = "Give `width` if channels are the last dimension; for images, use the convolution or norm before it."
BAD_NEURONS = [
    (lambda: neurons(a_reader(), "mix", [6]), "`units`: expected integers from 0 to 5, got 6."),
    (lambda: neurons(a_reader(), "mix", [0, -1]), "`units`: expected integers from 0 to 5, got -1."),
    (lambda: neurons(a_reader(), "mix", width=0), "`width`: expected an integer of at least 1, got 0."),
    (
        lambda: neurons(a_conv_net(), "2"),
        "`module`: expected a module with an attribute out_features or out_channels, "
        f"got '2', a ReLU of unknown width. {GIVE_WIDTH}",
    ),
    (
        lambda: neurons(a_conv_net(), "4", side="input"),
        "`module`: expected a module with an attribute in_features or in_channels, "
        f"got '4', a Flatten of unknown width. {GIVE_WIDTH}",
    ),
    (lambda: Component("a", ()), "`places`: expected at least one place, got none. Ablating 'a' would do nothing."),
    (lambda: Place("mix", "output", -1), "`start`: expected an integer of at least 0, got -1."),
    (lambda: Place("mix", "output", True), "`start`: expected an integer of at least 0, got True."),
    (lambda: Place("mix", "output", 3, 3), "`stop`: expected an integer of at least 4, got 3."),
    (lambda: Place("mix", "output", 3, 2), "`stop`: expected an integer of at least 4, got 2."),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), BAD_NEURONS)
def test_channels_that_do_not_exist(function, message):
    assert message_of(ArgumentError, function) == message


@pytest.mark.parametrize("side", ["left", "outputs", None])
def test_unknown_sides(side):
    assert message_of(UnknownNameError, lambda: Place("mix", side)) == (
        f"`side`: expected 'input', 'output', got {side!r}."
    )
