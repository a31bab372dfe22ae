"""Finding the components of a model: attention heads, MLP blocks, layers, neurons, modules by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from torch import nn

from captum_spex import checks
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.components.component import Component, Place, module_named, nearest_names

_PROJECTIONS = ("o_proj", "out_proj", "c_proj", "out_lin", "dense", "output.dense", "attn_out", "o", "wo")
_COUNTS = ("num_attention_heads", "num_heads", "n_heads", "n_head", "num_query_heads", "encoder_attention_heads")
_MLP_MODULES = ("mlp", "ffn", "feed_forward", "block_sparse_moe", "DenseReluDense")
_MLP_PROJECTIONS = ("c_proj", "down_proj", "fc2", "dense_4h_to_h", "fc_out", "lin2", "w2", "wo", "Wo")
_LOOSE_MLP_PROJECTIONS = ("fc2", "output.dense", "ffn_output")  # of MLPs that are no module of their own
Layers = int | Iterable[int] | None


def heads(model: nn.Module, layers: Layers = None, *, n_heads: int | None = None) -> list[Component]:
    """Return the attention heads of a transformer, as components named ``"L0H3"``: layer 0, head 3.

    A head is its run of channels at the **input** of the attention's output projection (``o_proj``, ``c_proj``,
    ``out_proj``, ...): behind it the heads are mixed. Knows the models of the library transformers that follow these
    names, such as BERT, RoBERTa, DistilBERT, ALBERT (whose layers share their heads), GPT-2, GPT-NeoX, OPT, BLOOM,
    Falcon, Llama, Mistral, Qwen, Gemma, T5, BART, ViT, CLIP. Where a model has several stacks of attentions, the name
    is that of the module: ``"decoder.block.0.layer.1.EncDecAttention H3"``.

    Args:
        model: the model.
        layers: the layers to take, by number, negative ones from the end; default: all.
        n_heads: how many heads an attention has; default: what its module or configuration says.

    Raises:
        ArgumentError: if the model has no attention of a known kind, or its number of heads cannot be read; for a layer
            that does not exist.

    Example:
        >>> from transformers import GPT2Config, GPT2Model
        >>> model = GPT2Model(GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=50))
        >>> [head.name for head in heads(model, layers=1)]
        ['L1H0', 'L1H1', 'L1H2', 'L1H3']
        >>> heads(model)[1].places
        (Place(module='h.0.attn.c_proj', side='input', start=8, stop=16),)
    """
    found = _attentions(_checked_model(model))
    labels = _layer_labels([path for path, _ in found], layers)
    components = []
    for (path, projection), label in zip(found, labels, strict=True):
        if label is not None:
            module, name = model.get_submodule(path), f"{path}.{projection}".lstrip(".")
            width = _width(model.get_submodule(name), "input", name)
            count = _n_heads(module, model, path, width) if n_heads is None else checks.integer("n_heads", n_heads)
            if width % count:
                allowed = f"a number that divides the {width} channels of {name!r}"
                raise ArgumentError("n_heads", str(count), allowed)
            edges = range(0, width + 1, width // count)
            components += [
                Component(f"{label}H{head}", (Place(name, "input", start, stop),))
                for head, (start, stop) in enumerate(pairwise(edges))
            ]
    return components


def mlps(model: nn.Module, layers: Layers = None) -> list[Component]:
    """Return the MLP blocks of a transformer, as components named ``"L0 MLP"``: what they add to the residual stream.

    Raises:
        ArgumentError: if the model has no MLP of a known kind; for a layer that does not exist.
    """
    found = _mlps(_checked_model(model))
    labels = _layer_labels([block for block, _ in found], layers)
    named = zip(found, labels, strict=True)
    return [Component(f"{label.strip()} MLP", (Place(last),)) for (_, last), label in named if label is not None]


def layers(model: nn.Module, layers: Layers = None) -> list[Component]:
    """Return the layers of a transformer, as components named ``"L0"``: all that a layer adds to the residual stream.

    These are the outputs of its attention's projection and of its MLP: a layer that is ablated by zero is skipped, in
    models that normalise before and not after them (GPT-2, Llama, ViT).

    Raises:
        ArgumentError: if the model has no attention or MLP of a known kind, or not one each in every layer; for a layer
            that does not exist.

    Example:
        >>> from transformers import GPT2Config, GPT2Model
        >>> model = GPT2Model(GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=50))
        >>> [(layer.name, len(layer.places)) for layer in layers(model)]
        [('L0', 2), ('L1', 2)]
    """
    attentions, blocks = _attentions(_checked_model(model)), _mlps(model)
    if len(attentions) != len(blocks):
        came = f"a {type(model).__name__} with {len(attentions)} attentions and {len(blocks)} MLPs"
        raise ArgumentError("model", came, "a model with one of each in every layer", "Build `Component`s by hand.")
    labels = _layer_labels([path for path, _ in attentions], layers)
    return [
        Component(label.strip(), (Place(f"{path}.{projection}".lstrip(".")), Place(last)))
        for (path, projection), (_, last), label in zip(attentions, blocks, labels, strict=True)
        if label is not None
    ]


def neurons(
    model: nn.Module,
    module: str,
    units: Iterable[int] | None = None,
    *,
    side: Literal["input", "output"] = "output",
    width: int | None = None,
) -> list[Component]:
    """Return the channels of what comes out of a module, or goes into it, as components named ``"fc1[7]"``.

    The neurons of a transformer's MLP, after the activation, are the input of its second projection.

    Args:
        model: the model.
        module: name of the module; channels are the last dimension, of convolutions and batch norms the second.
        units: the channels to take; default: all.
        side: ``"output"`` or ``"input"`` of the module.
        width: how many channels there are; default: what a linear, convolution or norm module says.

    Raises:
        UnknownNameError: for a module that the model does not have; the nearest names are listed.
        ArgumentError: if the width cannot be read, or for a channel that does not exist.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> [neuron.name for neuron in neurons(model, "2", side="input")]
        ['2[0]', '2[1]', '2[2]']
    """
    if not isinstance(module, str):
        raise ArgumentError("module", f"a {type(module).__name__}", "the name of a module")
    checks.choice("side", side, ("input", "output"))
    found = module_named(_checked_model(model), module, "module")
    n_units = _width(found, side, module) if width is None else checks.integer("width", width)
    chosen = range(n_units) if units is None else _numbers("units", units, range(n_units))
    return [Component(f"{module}[{unit}]", (Place(module, side, unit, unit + 1),)) for unit in chosen]


def modules(model: nn.Module, pattern: str | Sequence[str]) -> list[Component]:
    """Return modules by their names, as components: everything that they give out.

    Args:
        model: the model.
        pattern: a name of ``model.named_modules()``, or several; ``*`` stands for anything: ``"h.*.mlp"``.

    Raises:
        UnknownNameError: if no module has such a name; the nearest names are listed.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> [component.name for component in modules(model, "*")]
        ['0', '1', '2']
    """
    names = [name for name, _ in _checked_model(model).named_modules() if name]
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


def _checked_model(model: Any) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", f"a {type(model).__name__}", "a torch module")
    return model


def _attentions(model: nn.Module) -> list[tuple[str, str]]:
    """Return the names of the attentions and, inside each, of its output projection."""
    found = []
    for path, module in model.named_modules():
        own = f"{type(module).__name__} {path.split('.')[-1]}".lower()
        if isinstance(module, nn.MultiheadAttention):
            hint = "Take all its heads together: `modules(model, pattern)` with its name."
            came = f"torch's MultiheadAttention {path!r}, which reads its output projection without calling it"
            raise ArgumentError("model", came, "attentions whose output projection is called as a module", hint)
        if "attention" in own or "attn" in own:
            inside = dict(module.named_modules())
            projections = [name for name in _PROJECTIONS if _is_projection(inside.get(name))]
            found += [(path, projections[0])] if projections else []
    if not found:
        allowed = f"a model with attention modules that have one of {', '.join(_PROJECTIONS)}"
        hint = "Build `Component`s by hand, or take `modules(model, pattern)`."
        raise ArgumentError("model", f"a {type(model).__name__} without", allowed, hint)
    return found


def _mlps(model: nn.Module) -> list[tuple[str, str]]:
    """Return the names of the MLPs, and of the modules in them whose output is what they add."""
    outside = {name: part for name, part in model.named_modules() if not re.search(r"atte?n", name, re.IGNORECASE)}
    blocks = [name for name in outside if name.split(".")[-1] in _MLP_MODULES and any(outside[name].children())]
    blocks = [name for name in blocks if not any(name.startswith(f"{other}.") for other in blocks)]
    found = [(name, _mlp_projection(name, outside)) for name in blocks]
    for ending in _LOOSE_MLP_PROJECTIONS:
        found = found or [(name, name) for name in outside if f".{name}".endswith(f".{ending}")]
    if not found:
        allowed = f"a model with modules named {', '.join((*_MLP_MODULES, *_LOOSE_MLP_PROJECTIONS))}"
        raise ArgumentError("model", f"a {type(model).__name__} without", allowed, "Take `modules(model, pattern)`.")
    return found


def _mlp_projection(block: str, modules: Mapping[str, nn.Module]) -> str:
    """Return the last projection of an MLP; of a mixture of experts, which has none of its own, the MLP itself."""
    own = [f"{block}.{name}" for name in _MLP_PROJECTIONS if _is_projection(modules.get(f"{block}.{name}"))]
    return own[0] if own else block


def _is_projection(module: nn.Module | None) -> bool:
    weight = getattr(module, "weight", None)
    return weight is not None and getattr(weight, "ndim", 0) == 2


def _width(module: nn.Module, side: str, name: str) -> int:
    """Return how many channels go into a module, or come out of it."""
    keys = {"input": ("in_features", "in_channels"), "output": ("out_features", "out_channels")}[side]
    for key in (*keys, "num_features", "num_channels"):
        if isinstance(width := getattr(module, key, None), int):
            return width
    weight = getattr(module, "weight", None)
    if type(module).__name__ == "Conv1D" and weight is not None:  # of transformers: a transposed linear module
        return int(weight.shape[0 if side == "input" else 1])
    if isinstance(module, nn.LayerNorm | nn.Embedding) and weight is not None:
        return int(weight.shape[-1])
    came = f"{name!r}, a {type(module).__name__}, which does not say how many channels it has"
    hint = "Give `width`, if they are the last dimension; of images, take the convolution or norm before it."
    raise ArgumentError("module", came, f"a module with an attribute {keys[0]} or {keys[1]}", hint)


def _n_heads(attention: nn.Module, model: nn.Module, path: str, width: int) -> int:
    """Return an attention's number of heads, from its own attributes, its parts', or a configuration."""
    configurations = [getattr(attention, "config", None), getattr(model, "config", None)]
    for owner in (*attention.modules(), *configurations):
        for name in _COUNTS:
            count = getattr(owner, name, None)
            if isinstance(count, int) and not isinstance(count, bool) and count > 0:
                return count
    came = f"a {type(attention).__name__} ({path!r}, {width} channels) that does not say how many heads it has"
    missing = f"one of the attributes {', '.join(_COUNTS)} on it or in its `config`"
    raise ArgumentError("model", came, missing, "Give `n_heads`.")


def _layer_labels(paths: Sequence[str], layers: Layers) -> list[str | None]:
    """Return the label of every module's layer, ``None`` for those that are not among ``layers``.

    ``"L0"``; where there are several stacks, the module's name and a blank.
    """
    stacks: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        stacks.setdefault(re.sub(r"\d+", "*", path), []).append(row)
    labels: list[str | None] = [None] * len(paths)
    for rows in stacks.values():
        numbers = _layer_numbers([paths[row] for row in rows])
        chosen = _chosen(layers, numbers)
        for number, row in zip(numbers, rows, strict=True):
            if number in chosen:
                labels[row] = f"L{number}" if len(stacks) == 1 else f"{paths[row]} "
    return labels


def _layer_numbers(paths: Sequence[str]) -> list[int]:
    """Return the number in the names by which modules differ, or, if that is not just one, their places."""
    numbers = np.array([[int(number) for number in re.findall(r"\d+", path)] for path in paths], dtype=np.int64)
    differing = np.flatnonzero(np.ptp(numbers, axis=0)) if numbers.size else np.zeros(0, dtype=np.intp)
    if len(differing) != 1:
        return list(range(len(paths)))
    return [int(number) for number in numbers[:, differing[0]]]


def _chosen(layers: Layers, numbers: Sequence[int]) -> set[int]:
    if layers is None:
        return set(numbers)
    n_layers = len(numbers)
    whole = list(numbers) == list(range(n_layers))
    allowed = range(-n_layers, n_layers) if whole else [*range(-n_layers, 0), *numbers]
    return {number if number >= 0 else numbers[number] for number in _numbers("layers", layers, allowed)}


def _numbers(argument: str, given: Any, allowed: Sequence[int]) -> list[int]:
    """Return one number or several as a list, if they are allowed integers, at least one."""
    numbers = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for number in numbers:
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number not in allowed:
            is_range = isinstance(allowed, range)
            shown = f"integers from {allowed[0]} to {allowed[-1]}" if is_range else ", ".join(map(str, allowed))
            raise ArgumentError(argument, repr(number), shown)
    if not numbers:
        raise ArgumentError(argument, "none", "at least one")
    return [int(number) for number in numbers]
