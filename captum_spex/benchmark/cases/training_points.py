"""Training points, and groups of them, that are left out."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases.source import CaseSource, Made, made_of
from captum_spex.benchmark.cases.tabular import split_of
from captum_spex.games.training import OnTest, TrainingGame
from captum_spex.masks import Masks

Value = Literal["prediction", "probability", "margin", "score"]


def _model(name: str) -> Any:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsClassifier

    if name == "ridge":
        return Ridge(alpha=10.0)
    return KNeighborsClassifier(5) if name == "neighbours" else KernelRidge(alpha=0.5, kernel="rbf", gamma=0.02)


def made(data: str, model: str, value: Value, *, n_points: int, n_tested: int | None, group: int) -> Made:
    """Train on ``n_points``, ``group`` of them a player; the value is a mean over ``n_tested`` points, or all."""
    split = split_of(data)
    of_train, of_test = split.train_y[:n_points], split.test_y[:n_tested]
    if value == "margin":
        of_train, of_test = (np.where(labels > 0, 1.0, -1.0) for labels in (of_train, of_test))
    on_test = OnTest(split.test_x[:n_tested], of_test, value)
    groups = None if group == 1 else np.arange(n_points) // group
    game = TrainingGame(_model(model), on_test, (split.train_x[:n_points], of_train), groups=groups)

    def mean_output(masks: Masks) -> Floats:
        values = np.asarray(game(np.asarray(masks, dtype=np.bool_)), dtype=np.float64)
        return values.reshape(len(masks), -1).mean(axis=1)

    return made_of(mean_output, game.n_players)


def _source(about: str, data: str, model: str, value: Value, *, n_points: int, n_tested: int | None = 20) -> CaseSource:
    group = 5 if value == "score" else 1
    n_players = n_points // group
    make = partial(made, data, model, value, n_points=n_points, n_tested=n_tested, group=group)
    return CaseSource(f"training-{n_players}", "training", n_players, about, make)


_SCORE = "Score of ridge regression trained on 12 groups of five patients."
_PATIENT = "Prediction for a patient by ridge regression trained on 50 others."
_MARGIN = "Mean margin of 20 tumours by kernel ridge regression trained on 100 others."
_CLASS = "Mean probability of the class of 20 tumours by 5 neighbours."
_DIGIT = "Mean probability of the true digit of 20 images by 5 neighbours."
SOURCES = (
    _source(_SCORE, "diabetes", "ridge", "score", n_points=60, n_tested=None),
    _source(_PATIENT, "diabetes", "ridge", "prediction", n_points=50, n_tested=1),
    _source(_MARGIN, "breast_cancer", "kernel ridge", "margin", n_points=100),
    _source(_CLASS, "breast_cancer", "neighbours", "probability", n_points=200),
    _source(_DIGIT, "digits", "neighbours", "probability", n_points=500),
)
