"""`ProxySpex` for Captum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from captum_spex.approximators import Approximator
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.attr.attribution import SpexAttribution


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
