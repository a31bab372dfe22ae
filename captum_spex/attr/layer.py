"""`LayerProxySpex`: the channels or groups of what one layer gives out, or takes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from captum_spex.approximators import Approximator
from captum_spex.attr.attribution import checked_inputs
from captum_spex.attr.proxyspex import ProxySpex
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError, in_words
from captum_spex.explaining import StoreArgument

_WORDS = {"feature_mask": "layer_mask", "baselines": "layer_baselines", "inputs": "layer"}


class LayerProxySpex(captum.LayerAttribution, captum.PerturbationAttribution):  # type: ignore[misc]
    """Shapley values and interactions of a layer's activations, in the manner of ``captum.attr.LayerFeatureAblation``.

    Components of several layers together are players of `captum_spex.games.components.ComponentGame`.

    Args:
        forward_func: the model, or any function of its inputs that calls the layer.
        layer: a module of the model.
        approximator: the algorithm with its settings; default `captum_spex.approximators.ProxySpex()`.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 1, bias=False)).eval()
        >>> attributions = LayerProxySpex(model, model[0]).attribute(torch.ones(1, 2))
        >>> bool(torch.isclose(attributions.sum(), model(torch.ones(1, 2))[0, 0]))
        True
    """

    def __init__(
        self, forward_func: Callable[..., Any], layer: nn.Module, approximator: Approximator | None = None
    ) -> None:
        if not isinstance(layer, nn.Module):
            hint = "Components of several layers: `captum_spex.games.components`."
            raise ArgumentError("layer", f"a {type(layer).__name__}", "a module of the model", hint)
        captum.LayerAttribution.__init__(self, forward_func, layer)
        self.approximator = approximator

    @captum.log_usage(part_of_slo=True)  # type: ignore[untyped-decorator]
    def attribute(
        self,
        inputs: Any,
        layer_baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = None,
        layer_mask: Any = None,
        attribute_to_layer_input: bool = False,
        perturbations_per_eval: int = 1,
        n_samples: int | None = None,
        show_progress: bool = False,
        *,
        return_interactions: bool = False,
        interaction_index: str = "SII",
        max_order: int = 2,
        random_state: RandomState = None,
        multi_output: bool | None = None,
        feature_names: Sequence[str] | None = None,
        store: StoreArgument = None,
    ) -> Any:
        """Attribute the output to the activations of the layer, and on request to groups of them.

        Args:
            inputs: a tensor or tuple of tensors, examples first.
            layer_baselines: what an absent activation becomes: a number or tensor that broadcasts to the layer's
                activations, one for each of its tensors. Default: 0
            target: which output to explain, as in Captum. Default: None
            additional_forward_args: further arguments of ``forward_func``, as in Captum. Default: None
            layer_mask: integer group ids in the shape of the layer's activations, ``(1, ...)`` or one row per example;
                for instance a channel, or a head, as one player. Default: every element its own group.
            attribute_to_layer_input: take the input of the layer instead of its output. Default: False
            perturbations_per_eval: masks per call of the model. Default: 1
            n_samples: evaluations, as in `ProxySpex.attribute`. Default: ``max(512, 4 n log2(n))``, at most ``2**n``
            show_progress: show a progress bar. Default: False
            return_interactions: also return the interactions. Default: False
            interaction_index: index of the interactions. Default: "SII"
            max_order: largest order of an interaction. Default: 2
            random_state: seed of the masks. Default: None
            multi_output: explain every output of a model with several (no target). Default: None
            feature_names: names of the players, for the interactions. Default: None
            store: a `captum_spex.evaluation.Store` with a fingerprint. Default: None

        Returns:
            *Tensor* or *tuple[Tensor, ...]* of **attributions** in the shape of the layer's output, or input; with
            ``return_interactions=True`` a pair of those and the `captum_spex.Interactions`.

        Raises:
            ArgumentError: an argument that cannot be used (a ``ValueError``); a layer that the model does not call, or
                that gives no tensor of floating numbers.
            GameError: if the model returns the wrong number of rows, NaN or infinity.
        """
        given = checked_inputs(inputs)
        arguments = (*given, *(captum.format_additional_forward_args(additional_forward_args) or ()))
        n_examples = len(given[0])
        place = _Place(self.layer, attribute_to_layer_input)
        activations, is_single = place.activations(self.forward_func, arguments)
        for tensor in activations:
            if not tensor.dim() or len(tensor) != n_examples:
                came = f"one with activations of shape {tuple(tensor.shape)} for {n_examples} examples"
                raise ArgumentError("layer", came, "a layer whose activations have the examples first")
        runner = _Injected(self.forward_func, place, len(activations))
        with in_words(_WORDS):
            return ProxySpex(runner, self.approximator).attribute(
                activations[0] if is_single else activations,
                layer_baselines,
                target,
                arguments,
                layer_mask,
                n_samples,
                perturbations_per_eval,
                show_progress=show_progress,
                return_interactions=return_interactions,
                interaction_index=interaction_index,
                max_order=max_order,
                random_state=random_state,
                multi_output=multi_output,
                feature_names=feature_names,
                store=store,
            )


@dataclass(frozen=True, eq=False)
class _Place:
    """One side of a layer."""

    layer: nn.Module
    is_input: bool

    def activations(
        self, forward_func: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> tuple[tuple[Tensor, ...], bool]:
        """Return the floating tensors there, and whether there was a single thing."""
        seen: list[list[Tensor]] = []

        def look(value: Any) -> Any:
            seen.append([tensor.detach().clone() for _, tensor in _floating(value)])  # before it is changed in place
            return value

        with torch.no_grad(), self.hooked(look):
            forward_func(*arguments)
        if not seen:
            raise ArgumentError("layer", f"a {type(self.layer).__name__} that the model does not call", "one it calls")
        if len(seen) > 1:  # the same activations in all places would be none that the model has
            came = f"a {type(self.layer).__name__} that the model calls {len(seen)} times"
            raise ArgumentError("layer", came, "one it calls once")
        tensors = seen[0]
        if not tensors:
            came = f"a {type(self.layer).__name__} without floating activations"
            raise ArgumentError("layer", came, "a layer that gives, or takes, tensors of floating numbers")
        return tuple(tensors), len(tensors) == 1

    @contextmanager
    def hooked(self, change: Callable[[Any], Any]) -> Any:
        """Change what passes there; the hook is removed on leaving, also on an error."""
        if self.is_input:
            handle = self.layer.register_forward_pre_hook(lambda _module, arguments: change(arguments))
        else:
            handle = self.layer.register_forward_hook(lambda _module, _arguments, output: change(output))
        try:
            yield
        finally:
            handle.remove()


@dataclass(frozen=True, eq=False)
class _Injected:
    """The model as a function of the activations of a layer, then of its own arguments."""

    forward_func: Callable[..., Any]
    place: _Place
    n_activations: int

    def __call__(self, *arguments: Any) -> Any:
        activations, own = arguments[: self.n_activations], arguments[self.n_activations :]
        with self.place.hooked(lambda value: _replaced(value, activations)):
            return self.forward_func(*own)


def _floating(value: Any) -> list[tuple[int, Tensor]]:
    things = value if isinstance(value, tuple | list) else [value]
    return [(place, one) for place, one in enumerate(things) if isinstance(one, Tensor) and one.is_floating_point()]


def _replaced(value: Any, activations: Sequence[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return activations[0]
    things = list(value)
    for (place, _), activation in zip(_floating(value), activations, strict=True):
        things[place] = activation
    return type(value)(*things) if hasattr(value, "_fields") else type(value)(things)
