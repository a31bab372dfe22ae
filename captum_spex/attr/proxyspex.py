"""`ProxySpex` for Captum."""

from __future__ import annotations

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

    default_approximator = ProxySpexApproximator
