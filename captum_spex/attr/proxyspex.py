"""`ProxySpex` for Captum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from captum_spex.approximators import Approximator
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.attr.attribution import SpexAttribution
from captum_spex.checks import RandomState
from captum_spex.compat.captum import log_usage
from captum_spex.explaining import StoreArgument


class ProxySpex(SpexAttribution):
    """Shapley values and interactions of a torch model by ProxySPEX, a drop-in for ``captum.attr.KernelShap``.

    Args:
        forward_func: the model, or any function of its inputs.
        approximator: the algorithm with its settings; default `captum_spex.approximators.ProxySpex()`.

    Example:
        >>> import torch
        >>> model = lambda x: x[:, 0] + 2 * x[:, 1] * x[:, 2]
        >>> attributions, interactions = ProxySpex(model).attribute(torch.ones(1, 3), return_interactions=True)
        >>> attributions
        tensor([[1., 1., 1.]])
        >>> interactions[(1, 2)]
        2.0

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, arXiv 2505.17495.
    """

    def __init__(self, forward_func: Callable[..., Any], approximator: Approximator | None = None) -> None:
        super().__init__(forward_func, ProxySpexApproximator() if approximator is None else approximator)

    def _approximator_on(self, device: torch.device) -> Approximator:
        """Fit the Gaussian process on the GPU of the inputs, unless a device was chosen."""
        algorithm = self.approximator
        if device.type == "cuda" and isinstance(algorithm, ProxySpexApproximator) and algorithm.device is None:
            return replace(algorithm, device=device)
        return algorithm

    @log_usage(part_of_slo=True)  # type: ignore[untyped-decorator]
    def attribute(
        self,
        inputs: Any,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = None,
        feature_mask: Any = None,
        n_samples: int | None = None,
        perturbations_per_eval: int = 1,
        return_input_shape: bool = True,
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
        """Attribute the output to features, and on request to groups of features.

        Args:
            inputs: a tensor or tuple of tensors, examples first. All examples of a batch are evaluated under the same
                masks and explained one by one.
            baselines: what an absent feature becomes: a number or a tensor that broadcasts to the input, one for each
                input. Default: 0
            target: which output to explain, as in Captum. Default: None
            additional_forward_args: further arguments of ``forward_func``, as in Captum. Default: None
            feature_mask: integer group ids, one tensor per input, ``(1, ...)`` or one row per example; player ``k`` is
                the group with the ``k``-th smallest id. Default: every element its own group.
            n_samples: evaluations, that is rows of the model per example, at least 2; from ``2**n_players`` on the
                result is exact. Default: ``max(512, 4 n log2(n))`` for n players, at most ``2**n``.
            perturbations_per_eval: masks per call of the model. Default: 1
            return_input_shape: return attributions in the shape of the inputs, else one number per player.
                Default: True
            show_progress: show a progress bar. Default: False
            return_interactions: also return the interactions. Default: False
            interaction_index: index of the interactions, see `captum_spex.indices.NAMES`; attributions are Shapley
                values whatever it is. Default: "SII"
            max_order: largest order of an interaction. Default: 2, or 1 for a single player.
            random_state: seed of the masks. Default: None
            multi_output: explain every output of a model with several (no target). Default: only inside
                ``LLMAttribution``.
            feature_names: names of the players, for the interactions. Default: None
            store: a file in which every evaluated batch is kept, so that a run that was stopped goes on where it was:
                a path, if ``forward_func`` is a torch module or a method of one, else a `captum_spex.evaluation.Store`
                with a fingerprint. Default: None

        Returns:
            *Tensor* or *tuple[Tensor, ...]* of **attributions** in the shape of the inputs (outputs, if several, after
            the examples; one example if the model returns one value for a whole batch), with the dtype of floating
            inputs and their device; they sum to ``f(inputs) - f(baselines)``. With ``return_input_shape=False`` a
            tensor ``(examples, n_players)``. With ``return_interactions=True`` a pair of those and the
            `captum_spex.Interactions`: one, or a list over examples and, in it, over outputs, where there are several.

        Raises:
            ArgumentError: an argument that cannot be used (a ``ValueError``), before the model is called; a missing
                ``target``, when the first batch shows several outputs.
            GameError: if the model returns the wrong number of rows, NaN or infinity.
        """
        return self._attribute(
            inputs,
            baselines,
            target,
            additional_forward_args,
            feature_mask,
            n_samples,
            perturbations_per_eval,
            return_input_shape,
            show_progress,
            return_interactions,
            interaction_index,
            max_order,
            random_state,
            multi_output,
            feature_names,
            store,
        )
