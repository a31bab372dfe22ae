"""`LayerProxySpex`: channels, heads or other groups of a layer's output or input as players."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from captum_spex import checks
from captum_spex.approximators import Approximator
from captum_spex.arrays import type_of
from captum_spex.attr.proxyspex import ProxySpex
from captum_spex.attr.request import TensorRequest, checked_inputs
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError, in_words
from captum_spex.evaluation.torch_models import buffers_kept, check_mode
from captum_spex.explaining import StoreArgument

_LAYERS_WORDS = {"feature_mask": "layer_mask", "baselines": "layer_baselines", "inputs": "layer"}


class LayerProxySpex(captum.LayerAttribution, captum.PerturbationAttribution):  # type: ignore[misc]
    """Shapley values and interactions of a layer's activations, like ``captum.attr.LayerFeatureAblation``.

    For components of several layers together see `captum_spex.games.components.ComponentGame`.

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
            raise ArgumentError("layer", type_of(layer), "a module of the model", hint)
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
        max_order: int | None = None,
        random_state: RandomState = None,
        multi_output: bool | None = None,
        feature_names: Sequence[str] | None = None,
        store: StoreArgument = None,
        allow_training: bool = False,
    ) -> Any:
        """Attribute the output to the activations of the layer, and on request to groups of them.

        Returns ``attributions``, or the pair ``(attributions, interactions)``: one object, or lists of them for
        several examples or outputs, as `ProxySpex.attribute` does.

        The positional arguments are those of ``captum.attr.LayerFeatureAblation.attribute``, in the same order, then
        ``n_samples`` and ``show_progress``.

        Args:
            inputs: a tensor or tuple of tensors, examples first.
            layer_baselines: what an absent activation becomes: a number or tensor that broadcasts to the layer's
                activations, one for each of its tensors. Default: 0
            target: which output to explain, as in Captum. Default: None
            additional_forward_args: further arguments of ``forward_func``, as in Captum. Default: None
            layer_mask: integer group ids in the shape of the layer's activations, ``(1, ...)`` or one row per example;
                for instance a channel, or a head, as one player. Default: every element its own group.
            attribute_to_layer_input: take the input of the layer instead of its output. Default: False
            perturbations_per_eval: masks per call of the model, as in `ProxySpex.attribute`. Default: 1
            n_samples: evaluations, as in `ProxySpex.attribute`, with the same default.
            show_progress: show a progress bar. Default: False
            return_interactions: also return the interactions. Default: False
            interaction_index: index of the interactions. Default: "SII"
            max_order: largest order of an interaction. Default: 2, or 1 for a single player.
            random_state: seed of the masks. Default: None
            multi_output: explain every output of a model with several (no target). Default: None
            feature_names: names of the players, for the interactions. Default: None
            store: a `captum_spex.evaluation.Store` with a fingerprint. Default: None
            allow_training: explain a model in training mode, as in `ProxySpex.attribute`. Default: False

        Returns:
            *Tensor* or *tuple[Tensor, ...]* of **attributions** in the shape of the layer's output, or input; with
            ``return_interactions=True`` a pair of those and the `captum_spex.Interactions`.

        Raises:
            ArgumentError: an argument that cannot be used (a ``ValueError``); a layer that the model does not call
                exactly once, or that has no floating-point activations.
            GameError: if the model returns the wrong number of rows, NaN or infinity.
        """
        request = TensorRequest(
            title=f"{self.get_name()} attribution",
            noun="activation",
            inputs=inputs,
            baselines=layer_baselines,
            target=target,
            additional_forward_args=additional_forward_args,
            feature_mask=layer_mask,
            perturbations_per_eval=perturbations_per_eval,
            n_samples=n_samples,
            show_progress=show_progress,
            return_interactions=return_interactions,
            interaction_index=interaction_index,
            max_order=max_order,
            random_state=random_state,
            multi_output=multi_output,
            feature_names=feature_names,
            store=store,
            allow_training=allow_training,
        )
        return self._answer(request, checks.flag("attribute_to_layer_input", attribute_to_layer_input))

    def _answer(self, request: TensorRequest, is_input: bool) -> Any:
        """Answer a request about the model's inputs for the activations of the layer."""
        called = (self.forward_func, self.layer)
        check_mode("forward_func", called, request.allow_training)
        tensors = checked_inputs(request.inputs)
        arguments = (*tensors, *(captum.format_additional_forward_args(request.additional_forward_args) or ()))
        side = _Side(self.layer, is_input)
        with buffers_kept(called):
            activations = side.activations(self.forward_func, arguments, len(tensors[0]))
        own = activations[0] if len(activations) == 1 else activations
        request = replace(request, inputs=own, additional_forward_args=arguments)
        with in_words(_LAYERS_WORDS):
            model = side.injected(self.forward_func, len(activations))
            return ProxySpex(model, self.approximator)._answer(request)


@dataclass(frozen=True, eq=False)
class _Side:
    """The input or the output of a layer."""

    layer: nn.Module
    is_input: bool

    def activations(
        self, forward_func: Callable[..., Any], arguments: tuple[Any, ...], n_examples: int
    ) -> tuple[Tensor, ...]:
        """Return the floating tensors that pass here when the model is called, examples first."""
        calls: list[list[Tensor]] = []

        def record(value: Any) -> Any:
            calls.append([tensor.detach().clone() for _, tensor in _floating(value)])  # before in-place changes
            return value

        copies = [argument.clone() if isinstance(argument, Tensor) else argument for argument in arguments]
        with torch.no_grad(), self.hooked(record):
            forward_func(*copies)  # the model may change them in place
        kind = type_of(self.layer)
        if not calls:
            raise ArgumentError("layer", f"{kind} that the model does not call", "a layer that the model calls")
        if len(calls) > 1:  # injecting the same activations at every call would not be what the model computes
            got = f"{kind} that the model calls {len(calls)} times"
            raise ArgumentError("layer", got, "a layer that it calls once")
        if not calls[0]:
            allowed = "a layer whose output, or input, has floating-point tensors"
            raise ArgumentError("layer", f"{kind} without floating activations", allowed)
        for tensor in calls[0]:
            if not tensor.dim() or len(tensor) != n_examples:
                got = f"{kind} with activations of shape {tuple(tensor.shape)} for {n_examples} examples"
                raise ArgumentError("layer", got, "a layer whose activations have the examples first")
        return tuple(calls[0])

    def injected(self, forward_func: Callable[..., Any], n_activations: int) -> Callable[..., Any]:
        """Return the model as a function of the activations here, then of its own arguments."""

        def model(*given: Any) -> Any:
            with self.hooked(lambda value: _replaced(value, given[:n_activations])):
                return forward_func(*given[n_activations:])

        return model

    def hooked(self, change: Callable[[Any], Any]) -> RemovableHandle:
        """Apply ``change`` to what passes here, until the context of the returned hook is left."""
        register = self.layer.register_forward_pre_hook if self.is_input else self.layer.register_forward_hook
        return register(lambda _module, *given: change(given[-1]))  # the output, or all positional arguments


def _floating(value: Any) -> list[tuple[int, Tensor]]:
    """Return the floating-point tensors in a value with their positions."""
    items = value if isinstance(value, tuple | list) else [value]
    return [(i, item) for i, item in enumerate(items) if isinstance(item, Tensor) and item.is_floating_point()]


def _replaced(value: Any, activations: Sequence[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return activations[0]
    items = list(value)
    for (position, _), activation in zip(_floating(value), activations, strict=True):
        items[position] = activation
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
