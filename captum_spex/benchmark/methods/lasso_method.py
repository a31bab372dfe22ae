"""A lasso on random ablations with scikit-learn, as ContextCite attributes an answer to the parts of a prompt."""

from __future__ import annotations

import numpy as np

from captum_spex.benchmark.methods.adapter import Adapter, Additive, RowsGame, needs
from captum_spex.benchmark.protocol import Answer, Request

_ALPHA = 0.01  # ContextCite's


def _lasso(game: RowsGame, request: Request) -> Answer:
    """Fit a sum to masks that keep each player with probability one half; its values are not Shapley values.

    Columns are standardised. ContextCite's outputs are logits of some units; here they are standardised too, so that
    the penalty means the same for every game.
    """
    from sklearn.linear_model import Lasso

    masks = np.random.default_rng(request.seed).random((request.budget, request.n_players)) < 0.5
    values = game(masks)
    centre, scale = masks.mean(axis=0), masks.std(axis=0)
    mean, spread = float(values.mean()), float(values.std())
    if not spread:
        return Answer(Additive(mean, np.zeros(request.n_players)))
    varies = scale > 0.0
    lasso = Lasso(alpha=_ALPHA, max_iter=10_000)
    lasso.fit((masks[:, varies] - centre[varies]) / scale[varies], (values - mean) / spread)
    weights = np.zeros(request.n_players)
    weights[varies] = spread * lasso.coef_ / scale[varies]
    return Answer(Additive(mean - float(centre @ weights), weights))


METHODS = (
    Adapter(
        "LASSO on ablations",
        "scikit-learn",
        "sklearn.linear_model.Lasso",
        _lasso,
        lambda request: needs(2, request),
    ),
)
