"""Training points, and groups of them, that are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases._rows import Split, split_of
from captum_spex.benchmark.cases._served import enumerated, remembered
from captum_spex.benchmark.cases._source import CaseSource, Made
from captum_spex.games.training import OnTest, TrainingGame
from captum_spex.masks import Masks

_TESTED = 20  # test points over which the value is a mean


@dataclass(frozen=True, eq=False)
class MeanOutput:
    """A training game with several test points, of which the mean is observed."""

    game: TrainingGame

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        values = np.asarray(self.game(np.asarray(masks, dtype=np.bool_)))
        return np.asarray(values.reshape(len(masks), -1).mean(axis=1), dtype=np.float64)


def _signs(labels: NDArray[Any]) -> Floats:
    """Return +1 for the second of two classes, -1 for the first."""
    return np.where(labels > 0, 1.0, -1.0)


def ridge_on_groups(split: Split) -> TrainingGame:
    """Ridge regression on 12 groups of patients, 5 in each: its score."""
    from sklearn.linear_model import Ridge

    groups = np.arange(60) // 5
    on_test = OnTest(split.test_x, split.test_y, "score")
    return TrainingGame(Ridge(alpha=10.0), on_test, (split.train_x[:60], split.train_y[:60]), groups=groups)


def ridge(split: Split) -> TrainingGame:
    """Ridge regression on 50 patients: its prediction for one."""
    from sklearn.linear_model import Ridge

    on_test = OnTest(split.test_x[:1])
    return TrainingGame(Ridge(alpha=10.0), on_test, (split.train_x[:50], split.train_y[:50]))


def kernel_ridge(split: Split) -> TrainingGame:
    """Kernel ridge regression on 100 tumours: the margins of some others."""
    from sklearn.kernel_ridge import KernelRidge

    on_test = OnTest(split.test_x[:_TESTED], _signs(split.test_y[:_TESTED]), "margin")
    data = split.train_x[:100], _signs(split.train_y[:100])
    return TrainingGame(KernelRidge(alpha=0.5, kernel="rbf", gamma=0.02), on_test, data)


def neighbours(split: Split, n_points: int, n_tested: int) -> TrainingGame:
    """Five nearest neighbours: the probability of the true class of test points."""
    from sklearn.neighbors import KNeighborsClassifier

    on_test = OnTest(split.test_x[:n_tested], split.test_y[:n_tested], "probability")
    data = split.train_x[:n_points], split.train_y[:n_points]
    return TrainingGame(KNeighborsClassifier(5), on_test, data)


def made(data: str, train: Callable[[Split], TrainingGame], is_tabled: bool) -> Made:
    """Make the game of a training function."""
    game = train(split_of(data))
    return (enumerated if is_tabled else remembered)(MeanOutput(game), game.n_players)


def _source(n_players: int, data: str, train: Callable[[Split], TrainingGame], about: str) -> CaseSource:
    make = partial(made, data, train, n_players <= 12)
    return CaseSource(f"training-{n_players}", "training", n_players, about, make)


SOURCES: tuple[CaseSource, ...] = (
    _source(
        12, "diabetes", ridge_on_groups, "Score of ridge regression trained on 12 groups of five patients (diabetes)."
    ),
    _source(50, "diabetes", ridge, "Prediction for a patient by ridge regression trained on 50 others (diabetes)."),
    _source(
        100,
        "breast_cancer",
        kernel_ridge,
        f"Mean margin of {_TESTED} tumours by kernel ridge regression trained on 100 others.",
    ),
    _source(
        200,
        "breast_cancer",
        partial(neighbours, n_points=200, n_tested=_TESTED),
        f"Mean probability of the true class of {_TESTED} tumours by 5 nearest neighbours among 200.",
    ),
    _source(
        500,
        "digits",
        partial(neighbours, n_points=500, n_tested=_TESTED),
        f"Mean probability of the true digit of {_TESTED} images by 5 nearest neighbours among 500.",
    ),
)
