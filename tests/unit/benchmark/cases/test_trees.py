"""The games of tree ensembles: each is the ensemble on rows that are mixed of two."""

from __future__ import annotations

import numpy as np
import pytest

from captum_spex.benchmark.cases.trees import KINDS, ensemble_game


@pytest.mark.parametrize("kind", KINDS)
def test_a_game_is_the_ensemble_on_mixed_rows(kind):
    if kind == "xgboost":
        pytest.importorskip("xgboost")
    game, predict = ensemble_game(kind, 30, 0)
    masks = np.random.default_rng(1).random((40, 30)) < 0.5
    assert np.ptp(game(masks) - predict(masks)) < 1e-5 * np.ptp(game(masks))  # XGBoost adds in single precision
