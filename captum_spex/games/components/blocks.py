"""The blocks of a transformer that write into its residual stream, and the layers that they belong to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import nn

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError


# fmt: off
@dataclass(frozen=True)
class Names:
    """How transformers, and models that follow it, name the parts of a network; the first name that is found counts."""

    projections: tuple[str, ...] = (  # of an attention's output
        "o_proj", "out_proj", "c_proj", "out_lin", "dense", "output.dense", "attn_out", "o", "wo", "Wo")
    head_counts: tuple[str, ...] = (  # attributes of modules and configurations; linear attention counts value heads
        "num_v_heads", "num_attention_heads", "num_heads", "n_heads", "n_head", "num_query_heads",
        "encoder_attention_heads")
    mlps: tuple[str, ...] = ("mlp", "ffn", "feed_forward", "block_sparse_moe", "DenseReluDense", "mlp_block")
    beside_mlps: tuple[str, ...] = (  # further feed-forward parts of a layer, beside its MLP or in its place
        "shared_mlp", "shared_expert", "shared_experts", "experts", "moe")
    mlp_projections: tuple[str, ...] = (  # the last inside an MLP
        "c_proj", "down_proj", "fc2", "dense_4h_to_h", "fc_out", "lin2", "w2", "wo", "Wo")
    loose_mlp_projections: tuple[str, ...] = (  # of an MLP without a module of its own (OPT, BERT, ALBERT)
        "fc2", "output.dense", "ffn_output")
    mixers: tuple[str, ...] = (  # state-space branches, short convolutions, recurrences: their whole output
        "mamba", "mixer", "conv", "temporal_block", "ssm")
    beside_layers: tuple[str, ...] = (  # what else some layers add (Gemma 3n and 4: inputs per layer, LAuReL)
        "per_layer_projection", "laurel.linear_right")
# fmt: on


NAMES = Names()
ATTENTION = re.compile(r"atte?n", re.IGNORECASE)


def attentions(model: nn.Module) -> list[tuple[str, str]]:
    """Return the names of the attentions and of the output projection of each.

    Raises:
        ArgumentError: if there is none, or one that does not call its projection.
    """
    found = _attentions(model)
    if not found:
        expected = f"attention modules that have one of {', '.join(NAMES.projections)}"
        hint = "Build `Component`s by hand, or use `modules(model, pattern)`."
        raise ArgumentError("model", f"{type_of(model)} without any", expected, hint)
    return found


def mlps(model: nn.Module) -> list[tuple[str, tuple[str, ...]]]:
    """Return the names of the MLPs, and of the modules whose outputs each adds to the residual stream.

    Several feed-forward parts of one layer (experts beside an MLP) are one MLP.

    Raises:
        ArgumentError: if there is none.
    """
    found = _mlps(model)
    if not found:
        expected = f"modules named {', '.join((*NAMES.mlps, *NAMES.loose_mlp_projections))}"
        raise ArgumentError("model", f"{type_of(model)} without any", expected, "Use `modules(model, pattern)`.")
    by_layer: dict[str, tuple[str, list[str]]] = {}
    for name, last in found:
        by_layer.setdefault(layer_of(model, name) or name, (name, []))[1].append(last)
    return [(name, tuple(parts)) for name, parts in by_layer.values()]


def layer_parts(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return, for every layer, the modules whose outputs are all that it adds to the residual stream.

    A block that several layers share (Zamba) is no part of one of them.
    """
    shared = _shared(model)
    mixing = [(name, last) for name, last in (*_attentions(model), *_mixers(model)) if last not in shared]
    feeding = [(name, last) for name, last in _mlps(model) if last not in shared]
    beside = [(name, name) for name in dict(model.named_modules()) if _ends_with(name, NAMES.beside_layers)]
    found: dict[str, list[str]] = {}
    for name, last in (*mixing, *feeding, *beside):
        layer = next((one for one in _lists_around(model, name) if _is_in(one, mixing) and _is_in(one, feeding)), "")
        found.setdefault(layer or layer_of(model, name) or name, []).append(last)
    order = {name: number for number, (name, _) in enumerate(model.named_modules())}
    return {layer: tuple(dict.fromkeys(found[layer])) for layer in sorted(found, key=order.__getitem__)}


def layer_of(model: nn.Module, name: str) -> str:
    """Return the innermost element of a list of modules that a module lies in, or is; ``""`` if there is none."""
    return next(iter(_lists_around(model, name)), "")


def _lists_around(model: nn.Module, name: str) -> list[str]:
    """Return the elements of lists of modules around a module, from the inside."""
    steps = name.split(".")
    found = []
    for end in range(len(steps), 0, -1):
        if steps[end - 1].isdigit() and isinstance(model.get_submodule(".".join(steps[: end - 1])), nn.ModuleList):
            found.append(".".join(steps[:end]))
    return found


def _is_in(layer: str, parts: list[tuple[str, str]]) -> bool:
    return any(f"{name}.".startswith(f"{layer}.") for name, _ in parts)


def _ends_with(name: str, endings: tuple[str, ...]) -> bool:
    return any(f".{name}".endswith(f".{ending}") for ending in endings)


def _shared(model: nn.Module) -> set[str]:
    """Return the modules that lie in several layers, by their first name."""
    first: dict[int, str] = {}
    found = set()
    for name, module in model.named_modules(remove_duplicate=False):
        earlier = first.setdefault(id(module), name)
        if earlier != name and layer_of(model, earlier) != layer_of(model, name):
            found.add(earlier)
    return found


def _attentions(model: nn.Module) -> list[tuple[str, str]]:
    found, names = [], dict(model.named_modules())
    for path, module in names.items():
        own = f"{type(module).__name__} {path.split('.')[-1]}".lower()
        if isinstance(module, nn.MultiheadAttention):
            hint = "Use `modules(model, pattern)` with its name, for all its heads together."
            got = f"torch's MultiheadAttention {path!r}, which reads its output projection without calling it"
            raise ArgumentError("model", got, "attentions that call their output projection as a module", hint)
        if "attention" in own or "attn" in own:
            inside = dict(module.named_modules())
            projections = [name for name in NAMES.projections if is_projection(inside.get(name))]
            projected = f"{path}.{projections[0]}".lstrip(".") if projections else ""
            if (
                projected and projected in names
            ):  # TransformerLens has attentions around attentions, with the same projection
                found.append((path, projected))
    return found


def _mlps(model: nn.Module) -> list[tuple[str, str]]:
    outside = {name: part for name, part in model.named_modules() if not ATTENTION.search(name)}
    known = (*NAMES.mlps, *NAMES.beside_mlps)
    blocks = [name for name, part in outside.items() if name.split(".")[-1] in known and _has_parts(part)]
    blocks = [name for name in blocks if not any(name.startswith(f"{other}.") for other in blocks)]
    found = []
    for name in blocks:
        has_experts = any("expert" in inner for inner, _ in outside[name].named_modules())
        inside = [f"{name}.{last}" for last in NAMES.mlp_projections if is_projection(outside.get(f"{name}.{last}"))]
        found.append((name, inside[0] if inside and not has_experts else name))
    for ending in NAMES.loose_mlp_projections:
        found = found or [(name, name) for name in outside if _ends_with(name, (ending,))]
    return found


def _has_parts(module: nn.Module) -> bool:
    """Whether a module has modules inside, or weights of its own (experts in one tensor)."""
    if isinstance(module, nn.ModuleList):  # never called itself
        return False
    return any(module.children()) or any(weight.dim() > 2 for weight in module.parameters(recurse=False))


def _mixers(model: nn.Module) -> list[tuple[str, str]]:
    """Return the branches that mix positions without attention; they contain no attention and no MLP."""
    blocks = [name for name, _ in (*_attentions(model), *_mlps(model))]
    names = [
        name for name, part in model.named_modules() if name.split(".")[-1] in NAMES.mixers and any(part.children())
    ]
    names = [name for name in names if not any(f"{other}.".startswith(f"{name}.") for other in blocks)]
    names = [name for name in names if not any(name.startswith(f"{other}.") for other in (*blocks, *names))]
    return [(name, name) for name in names if layer_of(model, name)]


def is_projection(module: nn.Module | None) -> bool:
    """Whether a module has a matrix of weights."""
    weight = getattr(module, "weight", None)
    return weight is not None and getattr(weight, "ndim", 0) == 2
