"""The law of layers: with all known parts of a layer off, the layer is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from captum_spex.errors import ArgumentError
from captum_spex.games.components.blocks import layer_parts
from captum_spex.games.components.component import Component, Place
from captum_spex.games.components.hooks import hooks, sites_of

_KEPT = ("norm", "altup", "layer_scale")  # how a layer keeps the residual stream, rather than what it adds to it
_ROUNDING = 1e-4  # relative to the largest number of the residual stream
_HINT = (
    "Add it to the places of hand-made `Component`s, `Component(part.name, (*part.places, Place(module)))`, which are "
    "taken as they are."
)


def check_layers(model: nn.Module, run: Callable[[], Any]) -> None:
    """Check that the parts of every layer are all that it adds to the residual stream.

    With all of them off, the output of a layer must be its input, or, where norms behind them remain (BERT), what is
    left with all other weights off too. ``run`` calls the model on one example: once, or twice for models of the second
    kind.

    Raises:
        ArgumentError: if a layer is not skipped; the message names it and the module that is not known.
    """
    parts = layer_parts(model)
    layers = _layers_beside(model, parts)
    known = [last for names in parts.values() for last in names]
    with _zeroed(model, known), _outputs(model, layers) as remaining:
        run()
    remaining = {name: output for name, output in remaining.items() if output is not None}
    if not remaining:
        return
    others = [name for layer in layers for name, _ in _weighted(model, layer)]
    others += [
        layer for layer in layers if layer not in parts and any(True for _ in model.get_submodule(layer).parameters())
    ]
    with _zeroed(model, known), _silent(model, others), _outputs(model, layers, with_input=False) as silent:
        run()
    failing = next((name for name, output in remaining.items() if not _are_equal(output, silent.get(name))), None)
    if failing is None:
        return
    got = f"layer {failing!r}, which is not skipped when all its known parts are off"
    missing = _last_speaking(model, failing, known, run)
    expected = f"a model whose layers consist of known parts; {missing!r} is not covered"
    raise ArgumentError("components", got, expected, _HINT)


def _layers_beside(model: nn.Module, parts: Iterable[str]) -> list[str]:
    """Return the layers, and those beside them in the same lists, of which no part is known."""
    lists = {layer.rpartition(".")[0] for layer in parts if layer.rpartition(".")[2].isdigit()}
    return [f"{name}.{number}" for name in lists for number, _ in enumerate(model.get_submodule(name).children())]


def _weighted(model: nn.Module, layer: str) -> list[tuple[str, nn.Module]]:
    """Return the modules inside a layer that have weights, but those by which it keeps the residual stream."""
    inside = [(f"{layer}.{name}", part) for name, part in model.get_submodule(layer).named_modules() if name]
    return [
        (name, part) for name, part in inside if any(True for _ in part.parameters(recurse=False)) and _adds(name, part)
    ]


def _adds(name: str, module: nn.Module) -> bool:
    own = f"{type(module).__name__} {name}".lower()
    return not any(kept in own for kept in _KEPT)


@contextmanager
def _zeroed(model: nn.Module, names: Iterable[str]) -> Iterator[None]:
    sites = sites_of(model, [Component("all", tuple(map(Place, names)))])
    with hooks(sites, lambda _number, tensor: torch.zeros_like(tensor)):
        yield


@contextmanager
def _silent(model: nn.Module, names: Iterable[str]) -> Iterator[None]:
    """Let modules give zeros."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(
                model.get_submodule(name).register_forward_hook(lambda _m, _i, output: _silenced(output))
            )
        yield


def _silenced(output: Any) -> Any:
    if isinstance(output, Tensor):
        return torch.zeros_like(output) if output.is_floating_point() else output
    return type(output)(map(_silenced, output)) if type(output) in (tuple, list) else output


@contextmanager
def _outputs(model: nn.Module, layers: Iterable[str], *, with_input: bool = True) -> Iterator[dict[str, Tensor | None]]:
    """Record the outputs of layers, in the order of their calls; ``None`` if an output is the layer's input."""
    found: dict[str, Tensor | None] = {}
    inputs: dict[str, Tensor | None] = {}
    with ExitStack() as stack:
        for name in layers:

            def before(_module: nn.Module, positional: Any, named: Any, name: str = name) -> None:
                given = _first([*positional, *named.values()])
                inputs[name] = None if given is None else given.detach().clone()  # a layer may change its input

            def after(_module: nn.Module, _given: Any, output: Any, name: str = name) -> None:
                result = _first(output)
                is_skipped = result is None or _are_equal(result, inputs[name])
                if not is_skipped or name not in found:
                    found[name] = None if is_skipped or result is None else result.detach().clone()

            module = model.get_submodule(name)
            if with_input:
                stack.enter_context(module.register_forward_pre_hook(before, with_kwargs=True))
            else:
                inputs[name] = None
            stack.enter_context(module.register_forward_hook(after))
        yield found


def _first(value: Any) -> Tensor | None:
    """Return the first tensor of numbers among several items."""
    items = value if isinstance(value, tuple | list) else [value]
    return next((one for one in items if isinstance(one, Tensor) and one.is_floating_point()), None)


def _are_equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None or one.shape != other.shape:
        return False
    both = one.isfinite() & other.isfinite()
    one, other = one[both].double(), other[both].double()
    return not len(one) or bool((one - other).abs().max() <= _ROUNDING * one.abs().max())


def _last_speaking(model: nn.Module, layer: str, known: list[str], run: Callable[[], Any]) -> str:
    """Return the module with weights inside a layer that is called last and is not zero, with the known parts off."""
    speaking: list[str] = []
    with ExitStack() as stack:
        for name, module in _weighted(model, layer):

            def after(_module: nn.Module, _given: Any, output: Any, name: str = name) -> None:
                result = _first(output)
                if result is not None and bool(result.any()):
                    speaking.append(name)

            stack.enter_context(module.register_forward_hook(after))
        with _zeroed(model, known):
            run()
    blocks = {part.rpartition(".")[0] for part in known} - {layer}
    inside = [name for name in speaking if not any(f"{name}.".startswith(f"{part}.") for part in (*known, *blocks))]
    return inside[-1] if inside else layer
