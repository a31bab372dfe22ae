"""Training points, and groups of them, that are left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases.source import CaseSource, Made, made_of
from captum_spex.benchmark.cases.tabular import Split, split_of
from captum_spex.games.training import OnTest, TrainingGame
from captum_spex.masks import Masks

_TESTED = 20  # test points over which the value is a mean


def ridge_on_groups(split: Split) -> TrainingGame:
    """Ridge regression on 12 groups of patients, 5 in each: its score."""
    from sklearn.linear_model import Ridge

    data = split.train_x[:60], split.train_y[:60]
    on_test = OnTest(split.test_x, split.test_y, "score")
    return TrainingGame(Ridge(alpha=10.0), on_test, data, groups=np.arange(60) // 5)


def ridge(split: Split) -> TrainingGame:
    """Ridge regression on 50 patients: its prediction for one."""
    from sklearn.linear_model import Ridge

    return TrainingGame(Ridge(alpha=10.0), OnTest(split.test_x[:1]), (split.train_x[:50], split.train_y[:50]))


def kernel_ridge(split: Split) -> TrainingGame:
    """Kernel ridge regression on 100 tumours: the margins of some others."""
    from sklearn.kernel_ridge import KernelRidge

    of_train, of_test = (np.where(labels > 0, 1.0, -1.0) for labels in (split.train_y[:100], split.test_y[:_TESTED]))
    on_test = OnTest(split.test_x[:_TESTED], of_test, "margin")
    return TrainingGame(KernelRidge(alpha=0.5, kernel="rbf", gamma=0.02), on_test, (split.train_x[:100], of_train))


def neighbours(n_points: int, split: Split) -> TrainingGame:
    """Five nearest neighbours: the probability of the true class of test points."""
    from sklearn.neighbors import KNeighborsClassifier

    on_test = OnTest(split.test_x[:_TESTED], split.test_y[:_TESTED], "probability")
    return TrainingGame(KNeighborsClassifier(5), on_test, (split.train_x[:n_points], split.train_y[:n_points]))


def made(data: str, train: Callable[[Split], TrainingGame]) -> Made:
    """Make the game of a training function: the mean output over its test points."""
    game = train(split_of(data))

    def mean_output(masks: Masks) -> Floats:
        values = np.asarray(game(np.asarray(masks, dtype=np.bool_)), dtype=np.float64)
        return values.reshape(len(masks), -1).mean(axis=1)

    return made_of(mean_output, game.n_players, is_enumerated=game.n_players <= 12)


_GAMES: dict[int, tuple[str, Callable[[Split], TrainingGame], str]] = {
    12: ("diabetes", ridge_on_groups, "Score of ridge regression trained on 12 groups of five patients."),
    50: ("diabetes", ridge, "Prediction for a patient by ridge regression trained on 50 others."),
    100: ("breast_cancer", kernel_ridge, "Mean margin of 20 tumours by kernel ridge regression trained on 100 others."),
    200: ("breast_cancer", partial(neighbours, 200), "Mean probability of the class of 20 tumours by 5 neighbours."),
    500: ("digits", partial(neighbours, 500), "Mean probability of the true digit of 20 images by 5 neighbours."),
}
SOURCES = tuple(
    CaseSource(f"training-{n_players}", "training", n_players, about, partial(made, data, train))
    for n_players, (data, train, about) in _GAMES.items()
)
