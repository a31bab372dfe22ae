"""Find the components of a model: attention heads, MLP blocks, layers, neurons, modules by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
from torch import nn

from captum_spex import checks
from captum_spex.arrays import scalar, type_of
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.components import blocks
from captum_spex.games.components.blocks import NAMES
from captum_spex.games.components.component import Component, Place, checked_module, module_named, nearest_names

Layers = int | Iterable[int] | None
Part = TypeVar("Part")


def heads(model: nn.Module, layers: Layers = None, *, n_heads: int | None = None) -> list[Component]:
    """Return the attention heads of a transformer, as components named ``"L0H3"``: layer 0, head 3.

    A head is its run of channels at the **input** of the attention's output projection (``o_proj``, ``c_proj``,
    ``out_proj``, ...), whose output mixes the heads. Knows the transformers models that follow these names, such as
    BERT, RoBERTa, DistilBERT, ALBERT (whose layers share their heads), GPT-2, GPT-NeoX, OPT, BLOOM, Falcon, Llama,
    Mistral, Qwen, Gemma, T5, BART, ViT, CLIP; the heads of linear attention (Qwen3-Next) are its value heads. Where a
    model has several stacks of attentions, the name is that of the module:
    ``"decoder.block.0.layer.1.EncDecAttention H3"``.

    Args:
        model: the model.
        layers: numbers of layers, negative ones counted from the end; default: all.
        n_heads: heads per attention; default: read from its module or configuration.

    Raises:
        ArgumentError: if the model has no attention of a known kind, the number of heads cannot be read, or a layer
            does not exist.

    Example:
        >>> from transformers import GPT2Config, GPT2Model
        >>> model = GPT2Model(GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=50))
        >>> [head.name for head in heads(model, layers=1)]
        ['L1H0', 'L1H1', 'L1H2', 'L1H3']
        >>> heads(model)[1].places
        (Place(module='h.0.attn.c_proj', side='input', start=8, stop=16),)
    """
    model, components = checked_module(model), []
    found = _by_layer(model, blocks.attentions(model))
    for label, _, (path, name) in _in_layers(found, layers):
        width = _width(model.get_submodule(name), "input", name)
        count = _n_heads(model, path, width) if n_heads is None else checks.integer("n_heads", n_heads)
        if width % count:
            raise ArgumentError("n_heads", str(count), f"a number that divides the {width} channels of {name!r}")
        edges = range(0, width + 1, width // count)
        components += [
            Component(f"{label}H{head}", (Place(name, "input", start, stop),), is_found=True)
            for head, (start, stop) in enumerate(pairwise(edges))
        ]
    return components


def mlps(model: nn.Module, layers: Layers = None) -> list[Component]:
    """Return the MLP blocks of a transformer, as components named ``"L0 MLP"``: what they add to the residual stream.

    Raises:
        ArgumentError: if the model has no MLP of a known kind, or a layer does not exist.
    """
    found = _in_layers(blocks.mlps(checked_module(model)), layers)
    return [Component(f"{label.strip()} MLP", tuple(map(Place, last)), is_found=True) for label, _, last in found]


def layers(model: nn.Module, layers: Layers = None) -> list[Component]:
    """Return the layers of a transformer, as components named ``"L0"``: all that a layer adds to the residual stream.

    These are the outputs of its attention's projection, its MLP and experts, its state-space branch, its input of its
    own (Gemma 3n and 4): in models that normalise before them and not after (GPT-2, Llama, ViT), a layer ablated by
    zero is skipped. `ComponentGame` checks that nothing is missing. Blocks that several layers share (Zamba) are no
    part of one of them.

    Raises:
        ArgumentError: if the model has no attention or MLP of a known kind, or a layer does not exist.

    Example:
        >>> from transformers import GPT2Config, GPT2Model
        >>> model = GPT2Model(GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=50))
        >>> [(layer.name, len(layer.places)) for layer in layers(model)]
        [('L0', 2), ('L1', 2)]
    """
    model = checked_module(model)
    blocks.attentions(model)
    blocks.mlps(model)
    found = _in_layers(list(blocks.layer_parts(model).items()), layers)
    return [Component(label.strip(), tuple(map(Place, parts)), is_found=True) for label, _, parts in found]


def neurons(
    model: nn.Module,
    module: str,
    units: Iterable[int] | None = None,
    *,
    side: Literal["input", "output"] = "output",
    width: int | None = None,
) -> list[Component]:
    """Return the channels of a module's output or input, as components named ``"fc1[7]"``.

    The neurons of a transformer's MLP, after the activation, are the input of its second projection.

    Args:
        model: the model.
        module: name of the module; channels are the last dimension, in convolutions and batch norms the second.
        units: the channels; default: all.
        side: ``"output"`` or ``"input"`` of the module.
        width: number of channels; default: read from a linear, convolution or norm module.

    Raises:
        UnknownNameError: for a module that the model does not have; the nearest names are listed.
        ArgumentError: if the width cannot be read, or a channel does not exist.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> [neuron.name for neuron in neurons(model, "2", side="input")]
        ['2[0]', '2[1]', '2[2]']
    """
    Place(module, side)  # checks both
    found = module_named(checked_module(model), module, "module")
    n_units = _width(found, side, module) if width is None else checks.integer("width", width)
    chosen = range(n_units) if units is None else _integers("units", units, range(n_units))
    return [Component(f"{module}[{unit}]", (Place(module, side, unit, unit + 1),)) for unit in chosen]


def modules(model: nn.Module, pattern: str | Sequence[str]) -> list[Component]:
    """Return modules by their names, as components: their whole output.

    Args:
        model: the model.
        pattern: a name in ``model.named_modules()``, or several; ``*`` stands for anything: ``"h.*.mlp"``.

    Raises:
        UnknownNameError: if no module has such a name; the nearest names are listed.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> [component.name for component in modules(model, "*")]
        ['0', '1', '2']
    """
    names = [name for name, _ in checked_module(model).named_modules() if name]
    patterns = list(pattern) if isinstance(pattern, Iterable) and not isinstance(pattern, str) else [pattern]
    if not patterns or not all(isinstance(one, str) for one in patterns):
        raise ArgumentError("pattern", repr(pattern), "a name, or several")
    chosen: list[str] = []
    for one in patterns:
        matching = [name for name in names if fnmatchcase(name, one)]
        if not matching:
            raise UnknownNameError("pattern", repr(one), nearest_names(one, names))
        chosen += [name for name in matching if name not in chosen]
    return [Component(name, (Place(name),)) for name in chosen]


def _width(module: nn.Module, side: str, name: str) -> int:
    """Return the number of channels of a module's input or output."""
    module = getattr(module, "_original_component", module)  # of TransformerLens: a module around that of transformers
    keys = {"input": ("in_features", "in_channels"), "output": ("out_features", "out_channels")}[side]
    for key in (*keys, "num_features", "num_channels"):
        if isinstance(width := getattr(module, key, None), int):
            return width
    weight = getattr(module, "weight", None)
    if type(module).__name__ == "Conv1D" and weight is not None:  # of transformers: a transposed linear module
        return int(weight.shape[0 if side == "input" else 1])
    if isinstance(module, nn.LayerNorm | nn.Embedding) and weight is not None:
        return int(weight.shape[-1])
    got = f"{name!r}, {type_of(module)} of unknown width"
    hint = "Give `width` if channels are the last dimension; for images, use the convolution or norm before it."
    raise ArgumentError("module", got, f"a module with an attribute {keys[0]} or {keys[1]}", hint)


def _n_heads(model: nn.Module, path: str, width: int) -> int:
    """Return the number of heads of an attention, read from it, its submodules or a configuration."""
    attention = model.get_submodule(path)
    configurations = [getattr(attention, "config", None), getattr(model, "config", None)]
    for owner in (*attention.modules(), *configurations):
        for name in NAMES.head_counts:
            count = getattr(owner, name, None)
            if count is not None and checks.is_integer(count) and count > 0:
                return int(count)
    got = f"{type_of(attention)} ({path!r}, {width} channels) with an unknown number of heads"
    missing = f"one of the attributes {', '.join(NAMES.head_counts)} on it or in its `config`"
    raise ArgumentError("model", got, missing, "Give `n_heads`.")


def _by_layer(model: nn.Module, found: list[tuple[str, str]]) -> list[tuple[str, tuple[str, str]]]:
    """Return attentions behind their layer's name, or their own in models with several stacks or several in a layer."""
    names = [blocks.layer_of(model, path) for path, _ in found]
    is_one_stack = all(names) and len({re.sub(r"\d+", "*", name) for name in names}) == 1
    by_layer = is_one_stack and len(set(names)) == len(names)
    return [(name if by_layer else both[0], both) for name, both in zip(names, found, strict=True)]


def _in_layers(found: Sequence[tuple[str, Part]], layers: Layers) -> list[tuple[str, str, Part]]:
    """Return those of some named modules that are in the layers, each behind its label.

    That is ``"L0"``, or, in a model with several stacks, the module's name and a space.
    """
    stacks: dict[str, list[int]] = {}
    for row, (path, _) in enumerate(found):
        stacks.setdefault(re.sub(r"\d+", "*", path), []).append(row)
    labels: dict[int, str] = {}
    for rows in stacks.values():
        numbers = _layer_numbers([found[row][0] for row in rows])
        chosen = _chosen(layers, numbers)
        for number, row in zip(numbers, rows, strict=True):
            if number in chosen:
                labels[row] = f"L{number}" if len(stacks) == 1 else f"{found[row][0]} "
    return [(labels[row], *found[row]) for row in sorted(labels)]


def _layer_numbers(paths: Sequence[str]) -> list[int]:
    """Return the one number by which the modules' names differ, else (several numbers differ) their positions."""
    numbers = np.array([[int(number) for number in re.findall(r"\d+", path)] for path in paths], dtype=np.int64)
    differing = np.flatnonzero(np.ptp(numbers, axis=0)) if numbers.size else np.zeros(0, dtype=np.intp)
    if len(paths) == 1 and numbers.shape[1] == 1:  # the only attention of a hybrid need not be in its first layer
        return [int(numbers[0, 0])]
    if len(differing) != 1:
        return list(range(len(paths)))
    return [int(number) for number in numbers[:, differing[0]]]


def _chosen(layers: Layers, numbers: Sequence[int]) -> set[int]:
    if layers is None:
        return set(numbers)
    n_layers = len(numbers)
    are_counted = list(numbers) == list(range(n_layers))
    expected = range(-n_layers, n_layers) if are_counted else [*range(-n_layers, 0), *numbers]
    return {number if number >= 0 else numbers[number] for number in _integers("layers", layers, expected)}


def _integers(argument: str, given: Any, allowed: Sequence[int]) -> list[int]:
    """Return one integer or several as a list, if they are allowed, at least one."""
    given = scalar(given)
    integers = [scalar(one) for one in given] if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for one in integers:
        if not checks.is_integer(one) or one not in allowed:
            is_range = isinstance(allowed, range)
            shown = checks.span(allowed[0], allowed[-1], "integers from") if is_range else ", ".join(map(str, allowed))
            raise ArgumentError(argument, repr(one), shown)
    if not integers:
        raise ArgumentError(argument, "none", "at least one")
    return integers
