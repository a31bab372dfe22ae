"""Small models, games over their components, and slow twins that ablate one row at a time."""

from __future__ import annotations

import math
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_transformers import scores_of
from torch import nn

from captum_spex.errors import ArgumentError
from captum_spex.games.components import (
    Component,
    ComponentGame,
    Place,
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


def message_of(kind, function):
    with pytest.raises(ArgumentError) as raised:
        function()
    assert type(raised.value) is kind
    return str(raised.value)
