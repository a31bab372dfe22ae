"""`Spex` for Captum."""

from __future__ import annotations

from captum_spex.approximators import Spex as SpexApproximator
from captum_spex.attr.attribution import SpexAttribution


class Spex(SpexAttribution):
    """Shapley values and interactions of a torch model by SPEX, with the interface of `ProxySpex`.

    Needs more evaluations than `ProxySpex` (see `default_n_samples`), and also finds interactions without visible
    effects of lower order, such as parities.

    Args:
        forward_func: the model, or any function of its inputs.
        approximator: the algorithm with its settings; default `captum_spex.approximators.Spex()`.

    Example:
        >>> import torch
        >>> model = lambda x: x[:, 0] + 2 * x[:, 1] * x[:, 60]
        >>> _, interactions = Spex(model).attribute(
        ...     torch.ones(1, 64), n_samples=2000, perturbations_per_eval=64, return_interactions=True, random_state=0
        ... )
        >>> round(interactions[(1, 60)], 6)
        2.0

    References:
        Kang et al., "SPEX: Scaling Feature Interaction Explanations for LLMs", ICML 2025, arXiv 2502.13870.
    """

    default_approximator = SpexApproximator

    def default_n_samples(self, n_players: int) -> int:
        """Return the evaluations of three groups of 64 bins at degree 5, and never more than ``2**n``.

        For 20 players 5,337, for 100 7,807, for 1,000 10,657.
        """
        return SpexApproximator.default_budget(n_players)
