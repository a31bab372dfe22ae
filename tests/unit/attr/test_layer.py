"""Layers as players against a slow twin: activations injected by a plain hook, one coalition at a time."""

from __future__ import annotations

import inspect
import random
from collections import namedtuple
from functools import partial

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerFeatureAblation, PerturbationAttribution
from numpy.testing import assert_allclose, assert_array_equal
from oracles import sii
from small_transformers import a_batch, small
from torch import nn
from torch.testing import assert_close

from captum_spex import approximators as algorithms
from captum_spex.attr import LayerProxySpex
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.store import Store

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=10, links=False))
SAME = {"atol": 1e-9, "rtol": 1e-7}
NEAR = {"atol": 2e-5, "rtol": 2e-4}  # of models in float32


# --- models, and the slow twin ----------------------------------------------------------------------------------------


def seeded(build, seed=0):
    """A model in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().double().eval()


def tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mlp(n_outputs=3):
    return seeded(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, n_outputs))
    )


def conv_net():
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 3 * 3, 3)
        )
    )


MODEL, X = mlp(), tensor(3, 4)
PICTURES = tensor(3, 2, 6, 6)
CHANNELS = torch.arange(4).reshape(1, 4, 1, 1)


def at(layer, is_input, change):
    """Register a hook on one side of a layer; ``change`` gets the list of what passes there."""

    def pre(module, arguments):
        return tuple(change(list(arguments)))

    def post(module, arguments, output):
        return tuple(change(list(output))) if isinstance(output, tuple) else change([output])[0]

    return layer.register_forward_pre_hook(pre) if is_input else layer.register_forward_hook(post)


def floating(thing):
    return isinstance(thing, torch.Tensor) and thing.is_floating_point()


def activations_of(run, layer, is_input):
    recorded = []

    def record(things):
        recorded.extend(thing.clone() for thing in things if floating(thing))
        return things

    handle = at(layer, is_input, record)
    run()
    handle.remove()
    return recorded


def with_activations(run, layer, is_input, given):
    def inject(things):
        rest = iter(given)
        return [next(rest).clone() if floating(thing) else thing for thing in things]

    handle = at(layer, is_input, inject)
    values = run()
    handle.remove()
    return values


@torch.no_grad()
def tables(run, layer, masks=None, baselines=None, is_input=False):
    """Values of all coalitions ``(examples, 2**n)``, and the groups of every activation."""
    full = activations_of(run, layer, is_input)
    if masks is None:
        ends = np.cumsum([0, *(one[0].numel() for one in full)])
        masks = [torch.arange(start, start + one[0].numel()) for start, one in zip(ends, full, strict=False)]
        masks = [mask.reshape(1, *one.shape[1:]) for mask, one in zip(masks, full, strict=True)]
    groups = [mask.expand_as(one) for mask, one in zip(masks, full, strict=True)]
    n_players = max(int(group.max()) for group in groups) + 1
    absent = baselines or [torch.zeros(()).to(one) for one in full]
    columns = []
    for row in range(1 << n_players):
        kept = [(row >> group) & 1 for group in groups]
        given = [torch.where(keep == 1, one, other) for keep, one, other in zip(kept, full, absent, strict=True)]
        columns.append(with_activations(run, layer, is_input, given))
    return torch.stack(columns, dim=1).double().numpy(), groups


def by_hand(run, layer, masks=None, baselines=None, is_input=False):
    """Shapley values in the shape of the activations, of each tensor there."""
    values, groups = tables(run, layer, masks, baselines, is_input)
    n_players = int(np.log2(values.shape[1]))
    singles = [[sii(table, n_players, 1)[(player,)] for player in range(n_players)] for table in values]
    rows = torch.tensor(singles, dtype=torch.float64)
    return [torch.stack([row[group[example]] for example, row in enumerate(rows)]) for group in groups]


def chosen(output, target):
    """The output that is explained, of each example."""
    if target is None:
        return output.reshape(len(output))
    if isinstance(target, int):
        return output[:, target]
    if isinstance(target, tuple):
        return output[(slice(None), *target)]
    each = target.tolist() if isinstance(target, torch.Tensor) else target
    return torch.stack([row[one] for row, one in zip(output, each, strict=True)])


def assert_agrees(model, layer, inputs, *, masks=None, baselines=None, tolerance=SAME, **arguments):
    """Attributions are those of the slow twin, for one mask per call and for several."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    more = arguments.get("additional_forward_args", ())
    more = more if isinstance(more, tuple) else (more,)
    is_input = arguments.get("attribute_to_layer_input", False)
    wanted = by_hand(
        lambda: chosen(model(*given, *more), arguments.get("target")), layer, masks, baselines, is_input=is_input
    )
    if masks is not None:
        arguments["layer_mask"] = masks[0] if len(masks) == 1 else tuple(masks)
    for size in (1, 7):
        found = LayerProxySpex(model, layer).attribute(inputs, perturbations_per_eval=size, **arguments)
        assert isinstance(found, torch.Tensor) == (len(wanted) == 1)
        for one, other in zip([found] if len(wanted) == 1 else found, wanted, strict=True):
            assert one.shape == other.shape
            assert_close(one.double(), other, **tolerance)
    assert max(one.abs().max() for one in wanted) > 1e-2


# --- equal to the definition ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_input", [False, True], ids=["output", "input"])
@pytest.mark.parametrize("place", range(5))
def test_every_layer_of_a_network(place, is_input):
    assert_agrees(MODEL, MODEL[place], X, target=1, attribute_to_layer_input=is_input)


def test_channels_of_a_convolution():
    model = conv_net()
    assert_agrees(model, model[0], PICTURES, masks=[CHANNELS], target=2)
    assert_agrees(model, model[2], PICTURES, masks=[CHANNELS], target=0, attribute_to_layer_input=True)


def test_regions_of_a_convolution():
    model = conv_net()
    regions = (torch.arange(3)[:, None] // 2 * 2 + torch.arange(3)[None] // 2)[None, None]
    assert_agrees(model, model[2], PICTURES, masks=[regions], target=1)


def test_elements_of_a_tiny_layer_of_several_dimensions():
    model = seeded(lambda: nn.Sequential(nn.Conv1d(1, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(6, 1)))
    assert_agrees(model, model[0], tensor(2, 1, 4))


def test_rows_of_groups_for_each_example_of_a_convolution():
    model = conv_net()
    rows = torch.stack([torch.arange(4) // 2, torch.arange(4) % 2, torch.tensor([0, 1, 2, 2])])[:, :, None, None]
    assert_agrees(model, model[0], PICTURES, masks=[rows.expand(3, 4, 4, 4)], target=1)
    assert_agrees(model, model[0], PICTURES, masks=[rows], target=1)


class TwoInputs(nn.Module):
    """A layer for each input, one that takes both, and further arguments."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 2), nn.Linear(2, 2)
        self.joint = nn.Bilinear(2, 2, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x, y, scale=1.0, shift=0.0):
        both = self.joint(torch.tanh(self.one(x)), torch.tanh(self.two(y)))
        return self.head(torch.tanh(both) * scale) + shift


@pytest.mark.parametrize("layer", ["one", "two", "joint"])
@pytest.mark.parametrize(
    "more",
    [{}, {"additional_forward_args": (tensor(3, 1, seed=8), 1.5)}, {"additional_forward_args": tensor(3, 1, seed=8)}],
    ids=["none", "tuple", "tensor"],
)
def test_several_inputs_and_further_arguments(layer, more):
    model = seeded(TwoInputs)
    assert_agrees(model, getattr(model, layer), (tensor(3, 3), tensor(3, 2, seed=1)), target=1, **more)


@pytest.mark.parametrize("masks", [None, [torch.tensor([[0, 1]]), torch.tensor([[1, 2]])]], ids=["own", "across"])
@pytest.mark.parametrize("baselines", [None, (0.5, -1), (tensor(1, 2, seed=2), tensor(3, 2, seed=3))])
def test_a_layer_that_takes_several_tensors(masks, baselines):
    model = seeded(TwoInputs)
    absent = None if baselines is None else [torch.as_tensor(one, dtype=torch.float64) for one in baselines]
    assert_agrees(
        model,
        model.joint,
        (tensor(3, 3), tensor(3, 2, seed=1)),
        masks=masks,
        baselines=absent,
        layer_baselines=baselines,
        target=0,
        attribute_to_layer_input=True,
    )


Pair = namedtuple("Pair", ["first", "nothing", "ids", "second"])


class Several(nn.Module):
    """Gives several things out: in a tuple, a list or a named one; ids and nothing among them."""

    def __init__(self, kind):
        super().__init__()
        self.linear, self.kind = nn.Linear(4, 4), kind

    def forward(self, x):
        both = torch.tanh(self.linear(x))
        return self.kind((both[:, :2], None, torch.arange(len(x)), both[:, 2:]))


class Reader(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.part = Several(kind)

    def forward(self, x):
        given = self.part(x)
        first, nothing, ids, second = given
        assert nothing is None
        assert len(ids) == len(x)  # of the masked batch
        assert not isinstance(given, Pair) or given.second is second
        return (first.prod(dim=1) + first[:, 0] * second[:, 1]) * (1 + second[:, 0])


def named(things):
    return Pair(*things)


@pytest.mark.parametrize("kind", [tuple, named], ids=["tuple", "named tuple"])
def test_a_layer_that_gives_several_things(kind):
    model = seeded(lambda: Reader(kind))
    assert_agrees(model, model.part, X)
    assert_agrees(model, model.part, X, masks=[torch.tensor([[0, 1]]), torch.tensor([[2, 0]])])


def test_a_layer_that_gives_a_list():
    lists, tuples = seeded(lambda: Reader(list)), seeded(lambda: Reader(tuple))
    found = LayerProxySpex(lists, lists.part).attribute(X)
    assert_close(found, LayerProxySpex(tuples, tuples.part).attribute(X), **SAME)


# --- transformers -----------------------------------------------------------------------------------------------------

TOKENS = torch.arange(5)[None, :, None]
HEADS = (torch.arange(16) // 4)[None, None]


def transformer(family):
    model, ids = small(family), a_batch(family, 2)["input_ids"]
    pick = (lambda out: out.logits) if family == "bert" else (lambda out: out.logits[:, -1])

    def forward(ids):
        return pick(model(input_ids=ids))

    return model, forward, ids


LAYERS = {
    "bert, block": ("bert", "bert.encoder.layer.0", TOKENS),
    "bert, attention": ("bert", "bert.encoder.layer.1.attention.self", HEADS),
    "bert, embeddings": ("bert", "bert.embeddings", TOKENS),
    "gpt2, block": ("gpt2", "transformer.h.0", TOKENS),
    "gpt2, attention": ("gpt2", "transformer.h.1.attn", TOKENS),
    "gpt2, mlp": ("gpt2", "transformer.h.0.mlp", HEADS),
}


@pytest.mark.parametrize(("family", "name", "mask"), LAYERS.values(), ids=LAYERS)
def test_layers_of_transformers(family, name, mask):
    model, forward, ids = transformer(family)
    assert_agrees(forward, model.get_submodule(name), ids, masks=[mask], target=2, tolerance=NEAR)


def test_attention_gives_a_tuple_with_nothing_in_it():
    """Else the tests of transformers would not show what they are for."""
    model, forward, ids = transformer("gpt2")
    seen = []
    handle = model.transformer.h[1].attn.register_forward_hook(lambda module, arguments, output: seen.append(output))
    forward(ids)
    handle.remove()
    assert isinstance(seen[0], tuple)
    assert None in seen[0]


@pytest.mark.parametrize(("family", "name"), [("bert", "attention.output.dense"), ("gpt2", "attn.c_proj")])
def test_heads_are_groups_of_the_input_of_the_output_projection(family, name):
    model, forward, ids = transformer(family)
    block = model.bert.encoder.layer[0] if family == "bert" else model.transformer.h[0]
    layer = block.get_submodule(name)
    assert_agrees(forward, layer, ids, masks=[HEADS], target=1, attribute_to_layer_input=True, tolerance=NEAR)


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_the_input_of_a_block(family):
    model, forward, ids = transformer(family)
    block = model.bert.encoder.layer[1] if family == "bert" else model.transformer.h[1]
    assert_agrees(forward, block, ids, masks=[TOKENS], target=0, attribute_to_layer_input=True, tolerance=NEAR)


# --- Captum's own -----------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("is_input", [False, True], ids=["output", "input"])
@pytest.mark.parametrize("mask", [None, torch.tensor([[0, 0, 1, 2]])], ids=["elements", "groups"])
@pytest.mark.parametrize("baselines", [None, 0.5, tensor(1, 4, seed=4)], ids=["none", "number", "tensor"])
def test_ablation_where_the_rest_of_the_model_is_linear(is_input, mask, baselines):
    """There a group is worth the same among all others and alone."""
    layer = MODEL[4] if is_input else MODEL[3]
    arguments = {"target": 1, "layer_mask": mask, "layer_baselines": baselines, "attribute_to_layer_input": is_input}
    theirs = LayerFeatureAblation(MODEL, layer).attribute(X, perturbations_per_eval=3, **arguments)
    ours = LayerProxySpex(MODEL, layer).attribute(X, perturbations_per_eval=3, **arguments)
    assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
    assert_close(ours, theirs, **SAME)


def test_ablation_of_channels_where_the_rest_of_the_model_is_linear():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 16, 3)))
    arguments = {"target": torch.tensor([0, 2, 1]), "layer_mask": CHANNELS}
    theirs = LayerFeatureAblation(model, model[0]).attribute(PICTURES, **arguments)
    assert_close(LayerProxySpex(model, model[0]).attribute(PICTURES, **arguments), theirs, **SAME)


def test_it_is_a_layer_attribution_of_captum():
    method = LayerProxySpex(MODEL, MODEL[0])
    assert isinstance(method, LayerAttribution)
    assert isinstance(method, PerturbationAttribution)
    assert LayerProxySpex.get_name() == "Layer Proxy Spex"
    assert method.layer is MODEL[0]
    assert method.forward_func is MODEL
    assert method.has_convergence_delta() is False
    wide = LayerProxySpex.interpolate(tensor(1, 2, 3, 3), (6, 6))
    assert wide.shape == (1, 2, 6, 6)


def test_arguments_stand_where_layer_feature_ablation_has_them():
    theirs = list(inspect.signature(LayerFeatureAblation.attribute).parameters.values())
    ours = list(inspect.signature(LayerProxySpex.attribute).parameters.values())
    assert [one.name for one in ours[: len(theirs)]] == [one.name for one in theirs]
    assert {one.name: one.default for one in ours[: len(theirs)]} == {one.name: one.default for one in theirs}


# --- interactions, and what else is returned --------------------------------------------------------------------------


def test_interactions_of_activations():
    values, _ = tables(lambda: MODEL(X)[:, 1], MODEL[1])
    attributions, found = LayerProxySpex(MODEL, MODEL[1]).attribute(
        X, target=1, return_interactions=True, max_order=3, feature_names=["a", "b", "c", "d", "e"]
    )
    for example, one in enumerate(found):
        wanted = sii(values[example], 5, 3)
        assert_allclose([one[players] for players in wanted], list(wanted.values()), atol=1e-9)
        assert_allclose(one.first_order(), attributions[example], atol=1e-9)
        assert one["a", "d"] == one[0, 3]


def test_the_layer_of_a_function():
    model = mlp(1)

    def forward(x, weights):
        return torch.sigmoid(model(x))[:, 0] * weights

    assert_agrees(forward, model[1], X, additional_forward_args=tensor(3, seed=9))


def test_many_players_with_few_samples():
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3), nn.Tanh(), nn.Linear(3, 1)))
    rows = []
    handle = model[4].register_forward_hook(lambda module, arguments, output: rows.append(len(output)))
    arguments = {"n_samples": 100, "perturbations_per_eval": 16, "random_state": 0}
    found = LayerProxySpex(model, model[1], QUICK).attribute(X, **arguments)
    handle.remove()
    assert sum(rows) == 3 + 3 * (100 + 2)  # once to see the layer; two masks also alone
    assert max(rows) == 3 * 16
    again = LayerProxySpex(model, model[1], approximator=QUICK).attribute(X, **arguments)
    assert_close(again, found, atol=0, rtol=0)
    gap = model(X) - model[2:](torch.zeros(1, 12, dtype=torch.float64))
    assert_close(found.sum(dim=1), gap[:, 0].detach(), **SAME)


# --- layers that are changed in place, or used twice ------------------------------------------------------------------


class Residual(nn.Module):
    """Adds to a layer's output, and takes its part, in place, as ResNets do."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 1)

    def forward(self, x):
        out = self.norm(torch.tanh(self.first(x)))
        out += x
        return self.last(torch.tanh(out.mul_(2.0)))


def test_a_layer_whose_output_is_changed_in_place():
    model = seeded(Residual)
    assert_agrees(model, model.norm, X)


def test_a_layer_that_changes_its_input_in_place():
    class Doubled(nn.Module):
        def forward(self, x):
            return x.mul_(2.0)

    model = seeded(lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), Doubled(), nn.Tanh(), nn.Linear(5, 1)))
    assert_agrees(model, model[2], X, attribute_to_layer_input=True)


def test_a_layer_that_is_called_twice_is_refused_or_adds_up():
    """The same activations in both places would not be what the model does with all players."""
    shared = nn.Tanh()
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 4), shared, nn.Linear(4, 1)))
    try:
        _, found = LayerProxySpex(model, shared).attribute(X[:1], return_interactions=True)
    except ArgumentError as error:
        assert error.argument == "layer"  # noqa: PT017
    else:
        assert_allclose(found.model(np.ones((1, found.n_players), dtype=bool)), model(X[:1]).detach()[:, 0])


# --- nothing is left behind -------------------------------------------------------------------------------------------


def hooks_of(model):
    return [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules()]


class Fragile(nn.Module):
    """Fails at one of its calls, by itself or by what it returns."""

    def __init__(self, fails_at, error=None):
        super().__init__()
        self.layers, self.calls, self.fails_at, self.error = mlp(1), 0, fails_at, error

    def forward(self, x):
        self.calls += 1
        out = self.layers(x)
        if self.calls == self.fails_at:
            if self.error is not None:
                raise self.error
            return out * float("nan")
        return out


@pytest.mark.parametrize("is_input", [False, True], ids=["output", "input"])
@pytest.mark.parametrize(
    ("fails_at", "error", "seen"),
    [(1, ConnectionError(), ConnectionError), (4, KeyboardInterrupt(), KeyboardInterrupt), (4, None, GameError)],
    ids=["while it is seen", "in a mask", "not a number"],
)
def test_hooks_are_removed_on_errors(is_input, fails_at, error, seen):
    model = Fragile(fails_at, error)
    with pytest.raises(seen):
        LayerProxySpex(model, model.layers[1]).attribute(X, attribute_to_layer_input=is_input)
    assert model.calls == fails_at
    assert sum(hooks_of(model)) == 0


@pytest.mark.parametrize("is_input", [False, True], ids=["output", "input"])
def test_the_model_stays_as_it_was(is_input):
    model = mlp().train()
    model[1].register_forward_hook(lambda module, arguments, output: None)
    model[1].register_forward_pre_hook(lambda module, arguments: None)
    before, hooks = {name: one.clone() for name, one in model.state_dict().items()}, hooks_of(model)
    x = X.clone().requires_grad_()
    found = LayerProxySpex(model, model[1]).attribute(x, target=0, attribute_to_layer_input=is_input)
    assert model.training
    assert hooks_of(model) == hooks
    assert not found.requires_grad
    assert x.grad is None
    assert all(one.grad is None and one.requires_grad for one in model.parameters())
    assert_close(dict(model.state_dict()), before, atol=0, rtol=0)
    assert_close(x.detach(), X, atol=0, rtol=0)


def test_hooks_of_others_are_called_too():
    """What a hook of the user changes is what the layer gives."""
    model = mlp()
    model[1].register_forward_hook(lambda module, arguments, output: 2 * output)
    assert_agrees(model, model[1], X, target=0)


def test_the_global_random_state_is_untouched():
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 11), nn.Tanh(), nn.Linear(11, 1)))
    read = (torch.get_rng_state, partial(np.random.get_state, legacy=True), random.getstate)
    before = [state() for state in read]
    LayerProxySpex(model, model[1], QUICK).attribute(X, n_samples=60, perturbations_per_eval=60)
    assert_array_equal(torch.get_rng_state(), before[0])
    assert_array_equal(read[1]()[1], before[1][1])
    assert random.getstate() == before[2]


# --- stores -----------------------------------------------------------------------------------------------------------


def test_an_attribution_that_was_stopped_goes_on(tmp_path):
    model = Fragile(fails_at=7, error=ConnectionError())  # among them two masks alone
    store = Store(tmp_path / "masks.db", fingerprint="a network")
    with pytest.raises(ConnectionError):
        LayerProxySpex(model, model.layers[1]).attribute(X, perturbations_per_eval=4, store=store)
    model.calls, model.fails_at = 0, None
    found = LayerProxySpex(model, model.layers[1]).attribute(X, perturbations_per_eval=4, store=store)
    assert (store.n_found, store.n_added) == (12, 20)
    assert model.calls == 1 + 20 // 4 + 2
    assert_close(found, LayerProxySpex(model, model.layers[1]).attribute(X), **SAME)
    model.calls = 0
    again = LayerProxySpex(model, model.layers[1]).attribute(X, perturbations_per_eval=4, store=store)
    assert (store.n_found, store.n_added, model.calls) == (32, 0, 1)
    assert_close(again, found, atol=0, rtol=0)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [None, "0", 1, [MODEL[0], MODEL[1]], nn.ReLU])
def test_a_layer_must_be_a_module(layer):
    with pytest.raises(ArgumentError, match=r"`layer`: expected a module of the model, got "):
        LayerProxySpex(MODEL, layer)


@pytest.mark.parametrize("is_input", [False, True], ids=["output", "input"])
def test_a_layer_that_is_not_called(is_input):
    with pytest.raises(ArgumentError, match=r"`layer`: expected .*, got a Linear that the model does not call"):
        LayerProxySpex(MODEL, nn.Linear(4, 4)).attribute(X, target=0, attribute_to_layer_input=is_input)


def test_a_layer_without_floating_numbers():
    model, forward, ids = transformer("bert")
    with pytest.raises(
        ArgumentError,
        match=r"`layer`: expected a layer whose output, or input, has floating-point tensors, "
        r"got an Embedding without floating activations\.",
    ):
        LayerProxySpex(forward, model.bert.embeddings.word_embeddings).attribute(
            ids, target=0, attribute_to_layer_input=True
        )


def test_a_layer_without_examples_first():
    class Turned(nn.Module):
        def forward(self, x):
            return x.T

    model = nn.Sequential(Turned(), Turned(), nn.Linear(4, 1)).double()
    with pytest.raises(
        ArgumentError,
        match=r"`layer`: expected a layer whose activations have the examples first, "
        r"got a Turned with activations of shape \(4, 3\) for 3 examples\.",
    ):
        LayerProxySpex(model, model[0]).attribute(X)


def test_one_of_several_masks_is_named():
    model = seeded(TwoInputs)
    with pytest.raises(ArgumentError, match=r"`layer_mask\[1\]`: expected .*, got shape \(1, 3\)"):
        LayerProxySpex(model, model.joint).attribute(
            (tensor(3, 3), tensor(3, 2)),
            target=0,
            layer_mask=(torch.tensor([[0, 1]]), torch.tensor([[0, 1, 2]])),
            attribute_to_layer_input=True,
        )
