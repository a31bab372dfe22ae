"""Models of scikit-learn and LightGBM on rows of features; absent features take the values of other rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases.source import CaseSource, Made, made_of
from captum_spex.masks import Masks, in_batches
from captum_spex.threads import one_thread

_BLOCK = 4096  # rows that a model gets at once
Model = Callable[[Floats], Floats]


class Split(NamedTuple):
    """A data set of scikit-learn, divided at random."""

    train_x: Floats
    test_x: Floats
    train_y: NDArray[Any]
    test_y: NDArray[Any]


@dataclass(frozen=True, eq=False)
class RowGame:
    """The output of a model for a row, the mean over the rows whose values absent features take."""

    model: Model
    row: Floats
    background: Floats
    group: int = 1  # features to a player

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        masks = np.asarray(masks, dtype=np.bool_)
        values = np.zeros(len(masks))
        for some in in_batches(len(masks), max(1, _BLOCK // len(self.background))) if len(masks) else []:
            features = np.repeat(masks[some], self.group, axis=1)
            rows = np.where(features[:, None, :], self.row, self.background)
            values[some] = self.model(rows.reshape(-1, len(self.row))).reshape(len(some), -1).mean(axis=1)
        return values


def split_of(data: str) -> Split:
    """Load one of scikit-learn's data sets, every feature with mean 0 and standard deviation 1."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    loaded = getattr(datasets, f"load_{data}")()
    labels = None if data == "diabetes" else loaded.target
    parts = train_test_split(loaded.data, loaded.target, test_size=0.25, random_state=0, stratify=labels)
    center, scale = parts[0].mean(axis=0), parts[0].std(axis=0)
    scale[scale == 0] = 1.0  # pixels that are white everywhere
    return Split(*((part - center) / scale for part in parts[:2]), *parts[2:])


def forest(split: Split, row: int) -> Model:
    """Train a random forest and observe the probability of the class that it predicts for a test row."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=50, n_jobs=1, random_state=0).fit(split.train_x, split.train_y)
    label = int(model.predict_proba(split.test_x[row : row + 1])[0].argmax())
    return lambda rows: np.asarray(model.predict_proba(rows)[:, label], dtype=np.float64)


def network(split: Split, row: int, hidden: tuple[int, ...] = (32, 16), *, is_probability: bool = False) -> Model:
    """Train a network with rectified units and observe the logit of the class predicted for a test row."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    settings: dict[str, Any] = {"alpha": 1e-2, "learning_rate_init": 0.01, "max_iter": 60, "random_state": 0}
    with one_thread(), warnings.catch_warnings():  # the same sums, so the same network, on any machine load
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped early on purpose
        model = MLPClassifier(hidden, **settings).fit(split.train_x, split.train_y)
    *hidden_layers, (weights, shift) = zip(model.coefs_, model.intercepts_, strict=True)

    def scores(rows: Floats) -> Floats:
        for own_weights, own_shift in hidden_layers:
            rows = np.maximum(rows @ own_weights + own_shift, 0.0)
        return np.asarray(rows @ weights + shift)

    label = int(scores(split.test_x[row : row + 1])[0].argmax())  # two classes have a single score
    return lambda rows: (softmax(scores(rows), axis=1) if is_probability else scores(rows))[:, label]


def boosted(split: Split, row: int) -> Model:
    """Train gradient-boosted trees and observe their sum: the target, or the log-odds of the second class."""
    import lightgbm

    is_classifier = np.issubdtype(split.train_y.dtype, np.integer)
    settings = {"objective": "binary" if is_classifier else "regression", "num_leaves": 15, "learning_rate": 0.1}
    fixed = {"verbosity": -1, "seed": 0, "deterministic": True, "num_threads": 1, "force_row_wise": True}
    data = lightgbm.Dataset(split.train_x, split.train_y, params={"verbosity": -1})
    model = lightgbm.train(settings | fixed, data, num_boost_round=60)
    return lambda rows: np.asarray(model.predict(rows, raw_score=True, num_threads=1), dtype=np.float64)


_large = partial(network, hidden=(64, 32))
_MODELS: dict[str, tuple[Callable[[Split, int], Model], str]] = {
    "forest": (forest, "Probability of the predicted class by a random forest"),
    "network": (network, "Logit of the predicted class by a neural network"),
    "boosted": (boosted, "Sum of gradient-boosted trees"),
    "logit": (_large, "Logit of the predicted digit by a neural network"),
    "probability": (partial(_large, is_probability=True), "Probability of the predicted digit by a neural network"),
}
_ABSENT: dict[str, tuple[Callable[[Floats], Floats], str]] = {
    "mean row": (lambda rows: rows.mean(axis=0)[None], "the mean of the training data"),
    "one row": (lambda rows: rows[:1], "the values of another row"),
    "several rows": (lambda rows: rows[:4], "the values of 4 other rows in turn (the mean is taken)"),
}


def made(model: str, data: str, row: int, absent: str, group: int) -> Made:
    """Train a model and explain one test row; ``group`` neighbouring features are one player."""
    split = split_of(data)
    game = RowGame(_MODELS[model][0](split, row), split.test_x[row], _ABSENT[absent][0](split.train_x), group)
    return made_of(game, len(game.row) // group)


def _source(name: str, model: str, data: str, row: int, absent: str, *, group: int = 1) -> CaseSource:
    n_players = int(name.rpartition("-")[2])
    who = "an absent feature takes" if group == 1 else f"absent groups of {group} neighbouring features take"
    about = f"{_MODELS[model][1]} on scikit-learn's {data} data; {who} {_ABSENT[absent][1]}."
    family = "pixels" if data == "digits" else "tabular"
    return CaseSource(name, family, n_players, about, partial(made, model, data, row, absent, group))


SOURCES = (
    _source("boosted-10", "boosted", "diabetes", 3, "several rows"),
    _source("forest-13", "forest", "wine", 1, "several rows"),
    _source("network-13", "network", "wine", 5, "one row"),
    _source("forest-30", "forest", "breast_cancer", 0, "mean row"),
    _source("network-30", "network", "breast_cancer", 2, "one row"),
    _source("boosted-30", "boosted", "breast_cancer", 1, "several rows"),
    _source("digits-16", "logit", "digits", 4, "mean row", group=4),
    _source("digits-64", "logit", "digits", 0, "mean row"),
    _source("digits-probability-64", "probability", "digits", 1, "mean row"),
)
