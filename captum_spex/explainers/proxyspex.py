"""`ProxySpexExplainer` for SHAP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from captum_spex.approximators import Approximator, ProxySpex
from captum_spex.explainers._explainer import MaskingExplainer
from captum_spex.explainers._shap import links


class ProxySpexExplainer(MaskingExplainer):
    """Shapley values and interactions of any model and masker by ProxySPEX: a ``shap.Explainer``.

    Args:
        model: function of the masked rows, a torch module, or a pipeline or language model of the library
            transformers.
        masker: a masker of ``shap.maskers`` or a list of them, a background table (array, data frame, sparse matrix), a
            tokenizer, or a function ``masker(mask, *row)``.
        link: a compiled link, such as ``shap.links.logit``.
        algorithm: accepted as ``shap.Explainer`` passes it on; has no effect.
        output_names: names of the model's outputs.
        feature_names: names of the features, if the rows are no data frame.
        linearize_link: as in ``shap.Explainer``.
        seed: seed of the masks.
        approximator: the algorithm with its settings; default `captum_spex.approximators.ProxySpex()`.

    Example:
        >>> import numpy as np
        >>> explainer = ProxySpexExplainer(lambda X: X[:, 0] + X[:, 1] * X[:, 2], np.zeros((1, 3)))
        >>> explainer(np.array([[1.0, 2.0, 3.0]])).values
        array([[1., 3., 3.]])
        >>> pairs = explainer(np.array([[1.0, 2.0, 3.0]]), interactions=True)
        >>> pairs.values[0, 1].round(6) + 0
        array([0., 0., 3.])
        >>> explainer.interactions(np.array([[1.0, 2.0, 3.0]]))[0][(1, 2)]
        6.0

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, arXiv 2505.17495.
    """

    def __init__(
        self,
        model: Any,
        masker: Any = None,
        link: Callable[..., Any] = links.identity,
        algorithm: str = "auto",
        output_names: Sequence[str] | None = None,
        feature_names: Any = None,
        linearize_link: bool = True,
        seed: int | None = None,
        approximator: Approximator | None = None,
    ) -> None:
        chosen = ProxySpex() if approximator is None else approximator
        super().__init__(model, masker, link, output_names, feature_names, linearize_link, seed, chosen)
