"""`SpexExplainer` for SHAP."""

from __future__ import annotations

from captum_spex.approximators import Spex
from captum_spex.explainers.explainer import MaskingExplainer


class SpexExplainer(MaskingExplainer):
    """Shapley values and interactions of any model and masker by SPEX, with the interface of `ProxySpexExplainer`.

    Needs more evaluations (`default_max_evals`), and also finds interactions without visible effects of lower order,
    such as parities. Gives no standard errors.

    Args:
        model, masker, link, algorithm, output_names, feature_names, linearize_link, seed: see `ProxySpexExplainer`.
        approximator: the algorithm with its settings; default `captum_spex.approximators.Spex()`.
        groups, max_samples, allow_training: see `ProxySpexExplainer`.

    Example:
        >>> import numpy as np
        >>> explainer = SpexExplainer(lambda X: X[:, 0] + 2 * X[:, 1] * X[:, 60], np.zeros((1, 64)), seed=0)
        >>> result = explainer.interactions(np.ones((1, 64)), max_evals=2000)[0]
        >>> round(result[(1, 60)], 6)
        2.0

    References:
        Kang et al., "SPEX: Scaling Feature Interaction Explanations for LLMs", ICML 2025, arXiv 2502.13870.
    """

    default_approximator = Spex

    def default_max_evals(self, n_players: int) -> int:
        """Return the evaluations of three groups of 64 bins at degree 5, and never more than ``2**n``."""
        return Spex.default_budget(n_players)
