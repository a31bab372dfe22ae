"""`ProxySpexExplainer` for SHAP."""

from __future__ import annotations

from captum_spex.approximators import ProxySpex
from captum_spex.explainers.explainer import MaskingExplainer


class ProxySpexExplainer(MaskingExplainer):
    """Shapley values and interactions of any model and masker by ProxySPEX: a ``shap.Explainer``.

    The arguments are those of ``shap.Explainer``, in the same order, then those of this package.

    Args:
        model: a function of the masked rows, a torch module, or a pipeline or language model of transformers.
        masker: a background table (array ``(n_rows, ...)``, data frame of pandas, polars or pyarrow, sparse matrix),
            with weights as a pair ``(table, weights)`` or as ``shap.kmeans`` returns it; a masker of ``shap.maskers``,
            a tokenizer, or a function ``masker(mask, *row)``; for a model of several arguments a list of these.
        link: the function of the model's outputs that is explained, such as ``shap.links.logit``; it acts on each
            number of an array by itself.
        algorithm: has no effect; ``shap.Explainer`` passes it on.
        output_names: names of the model's outputs.
        feature_names: names of the features, if the rows are not a data frame.
        linearize_link: as in ``shap.Explainer``.
        seed: seed of the masks.
        approximator: the algorithm with its settings; default `captum_spex.approximators.ProxySpex()`.
        groups: players that are several columns, by name, position or pattern: a dictionary from names, or a list;
            ``"one-hot"`` finds columns ``prefix_category``. For rows of more dimensions ``"steps"``, ``"channels"``,
            `Windows`, or an array of integers in the shape of a row. Default: each value is a player.
        max_samples: largest number of background rows, of more so many are drawn at random. Default: all, as long as a
            row takes no more than ``2**20`` rows of the model at `default_max_evals`, and at least 100; a warning says
            how many are used if not all are.
        allow_training: explain a torch model in training mode (dropout, batch statistics) as it is, and give its
            buffers, such as a running mean, their values back; else it is refused.

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

    default_approximator = ProxySpex
