"""Models of scikit-learn and LightGBM on rows of features, of which absent ones take the values of other rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases._served import enumerated
from captum_spex.benchmark.cases._source import CaseSource, Made
from captum_spex.masks import Masks

_BLOCK = 4096  # rows that a model gets at once
_BACKGROUND = 4  # rows over which values are averaged
Absent = Literal["mean row", "one row", "several rows"]
_INSTEAD = {
    "mean row": "the mean of the training data",
    "one row": "the values of another row",
    "several rows": f"the values of {_BACKGROUND} other rows in turn, over which is averaged",
}


@dataclass(frozen=True, eq=False)
class Split:
    """A data set of scikit-learn in two halves."""

    train_x: Floats
    test_x: Floats
    train_y: NDArray[Any]
    test_y: NDArray[Any]

    def background(self, absent: Absent) -> Floats:
        """Return the rows whose values stand in for absent features."""
        if absent == "mean row":
            return self.train_x.mean(axis=0)[None]
        return self.train_x[: 1 if absent == "one row" else _BACKGROUND]


@dataclass(frozen=True, eq=False)
class RowGame:
    """What a model says of a row, the mean over the rows of which absent features take the values."""

    model: Callable[[Floats], Floats]
    row: Floats
    background: Floats
    group: int = 1  # features to a player

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        masks = np.asarray(masks, dtype=np.bool_)
        step = max(1, _BLOCK // len(self.background))
        blocks = [self._values(masks[start : start + step]) for start in range(0, len(masks), step)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def _values(self, masks: Masks) -> Floats:
        features = np.repeat(masks, self.group, axis=1)
        rows = np.where(features[:, None, :], self.row, self.background)
        values = self.model(rows.reshape(-1, len(self.row)))
        return np.asarray(values.reshape(len(masks), -1).mean(axis=1), dtype=np.float64)


def split_of(data: str) -> Split:
    """Load one of the data sets that scikit-learn brings along, every feature with mean 0 and deviation 1."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    loaded = getattr(datasets, f"load_{data}")()
    is_regression = data == "diabetes"
    labels = None if is_regression else loaded.target
    parts = train_test_split(loaded.data, loaded.target, test_size=0.25, random_state=0, stratify=labels)
    center, scale = parts[0].mean(axis=0), parts[0].std(axis=0)
    scale[scale == 0] = 1.0  # pixels that are white everywhere
    train_x, test_x = ((part - center) / scale for part in parts[:2])
    return Split(train_x, test_x, parts[2], parts[3])


def forest(split: Split, row: int) -> Callable[[Floats], Floats]:
    """Train a random forest; what it says is the probability of the class that it predicts for a test row."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=50, n_jobs=1, random_state=0).fit(split.train_x, split.train_y)
    label = int(model.predict_proba(split.test_x[row : row + 1])[0].argmax())
    return partial(_forest_probability, model, label)


def _forest_probability(model: Any, label: int, rows: Floats) -> Floats:
    return np.asarray(model.predict_proba(rows)[:, label], dtype=np.float64)


def network(split: Split, row: int, hidden: tuple[int, ...] = (32, 16)) -> Callable[[Floats], Floats]:
    """Train a network with rectified units; what it says is the logit of the class predicted for a test row."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    settings: dict[str, Any] = {"alpha": 1e-2, "learning_rate_init": 0.01, "max_iter": 60, "random_state": 0}
    with threadpool_limits(1), warnings.catch_warnings():  # the same sums, so the same network, on any machine load
        warnings.simplefilter("ignore", ConvergenceWarning)  # an early end is meant
        model = MLPClassifier(hidden, **settings).fit(split.train_x, split.train_y)
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    scores = _network_scores(layers, split.test_x[row : row + 1])[0]
    return partial(_network_logit, layers, int(scores.argmax()) if len(scores) > 1 else None)


def _network_scores(layers: list[tuple[Floats, Floats]], rows: Floats) -> Floats:
    for weights, shift in layers[:-1]:
        rows = np.maximum(rows @ weights + shift, 0.0)
    weights, shift = layers[-1]
    return np.asarray(rows @ weights + shift)


def _network_logit(layers: list[tuple[Floats, Floats]], label: int | None, rows: Floats) -> Floats:
    return _network_scores(layers, rows)[:, 0 if label is None else label]  # of two classes there is a single score


def boosted(split: Split, row: int) -> Callable[[Floats], Floats]:
    """Train gradient-boosted trees; what they say is their sum: the target, or the log-odds of the second class."""
    import lightgbm

    is_classifier = np.issubdtype(split.train_y.dtype, np.integer)
    settings = {"objective": "binary" if is_classifier else "regression", "num_leaves": 15, "learning_rate": 0.1}
    fixed = {"verbosity": -1, "seed": 0, "deterministic": True, "num_threads": 1, "force_row_wise": True}
    data = lightgbm.Dataset(split.train_x, split.train_y, params={"verbosity": -1})
    return partial(_boosted_sum, lightgbm.train(settings | fixed, data, num_boost_round=60))


def _boosted_sum(model: Any, rows: Floats) -> Floats:
    return np.asarray(model.predict(rows, raw_score=True, num_threads=1), dtype=np.float64)


_MODELS: dict[str, Callable[[Split, int], Callable[[Floats], Floats]]] = {
    "forest": forest,
    "network": network,
    "boosted": boosted,
}


def made(model: str, data: str, row: int, absent: Absent, is_tabled: bool) -> Made:
    """Train a model and explain one test row."""
    split = split_of(data)
    game = RowGame(_MODELS[model](split, row), split.test_x[row], split.background(absent))
    return enumerated(game, len(game.row)) if is_tabled else (game, None)


def made_digits(row: int, group: int, is_probability: bool) -> Made:
    """Train a network on images of digits and explain one of them; ``group`` neighbours of a line are one player."""
    split = split_of("digits")
    model = network(split, row, (64, 32))
    if is_probability:
        model = partial(_probability, model)
    game = RowGame(model, split.test_x[row], split.background("mean row"), group)
    n_players = len(game.row) // group
    return enumerated(game, n_players) if group > 1 else (game, None)


def _probability(model: Any, rows: Floats) -> Floats:
    scores = _network_scores(model.args[0], rows)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(scores[:, model.args[1]] / scores.sum(axis=1))


_SAYS = {
    "forest": "Probability of the predicted class by a random forest",
    "network": "Logit of the predicted class by a neural network",
    "boosted": "Sum of gradient-boosted trees",
}


def _tabular(name: str, model: str, data: str, row: int, absent: Absent) -> CaseSource:
    n_players = int(name.rpartition("-")[2])
    about = f"{_SAYS[model]} on scikit-learn's {data} data; an absent feature takes {_INSTEAD[absent]}."
    return CaseSource(name, "tabular", n_players, about, partial(made, model, data, row, absent, n_players <= 13))


def _pixels(name: str, row: int, group: int, is_probability: bool) -> CaseSource:
    what = "Probability" if is_probability else "Logit"
    who = "pixels" if group == 1 else f"groups of {group} neighbouring pixels"
    about = f"{what} of the predicted digit by a neural network; absent {who} take the mean image's values."
    return CaseSource(name, "pixels", 64 // group, about, partial(made_digits, row, group, is_probability))


SOURCES: tuple[CaseSource, ...] = (
    _tabular("boosted-10", "boosted", "diabetes", 3, "several rows"),
    _tabular("forest-13", "forest", "wine", 1, "several rows"),
    _tabular("network-13", "network", "wine", 5, "one row"),
    _tabular("forest-30", "forest", "breast_cancer", 0, "mean row"),
    _tabular("network-30", "network", "breast_cancer", 2, "one row"),
    _tabular("boosted-30", "boosted", "breast_cancer", 1, "several rows"),
    _pixels("digits-16", 4, 4, is_probability=False),
    _pixels("digits-64", 0, 1, is_probability=False),
    _pixels("digits-probability-64", 1, 1, is_probability=True),
)
