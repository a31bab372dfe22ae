"""Explainable boosting models with pairs and triples of features, whose Möbius terms are exact."""

from __future__ import annotations

import warnings
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.cases.conjunctions import Conjunctions
from captum_spex.benchmark.cases.source import CaseSource, Made
from captum_spex.benchmark.cases.tabular import split_of
from captum_spex.masks import all_masks

_REQUIREMENT = ("interpret", "pip install interpret-core")
_N_PAIRS, _N_TRIPLES = 24, 8
Features = tuple[int, ...]


def _fitted(x: Floats, y: Any, interactions: int | list[Features]) -> Any:
    """Fit a small model; coarse bins keep triples fast."""
    from interpret.glassbox import ExplainableBoostingClassifier

    fixed = {"random_state": 0, "n_jobs": 1, "outer_bags": 2, "max_rounds": 200, "max_interaction_bins": 8}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # triples cannot be drawn
        return ExplainableBoostingClassifier(interactions=interactions, **fixed).fit(x, y)


def triples_of(pairs: list[Features]) -> list[Features]:
    """Return the first triples that are unions of two of the pairs."""
    unions: list[Features] = [tuple(sorted({*a, *b})) for a, b in combinations(pairs, 2)]
    triples: dict[Features, None] = {union: None for union in unions if len(union) == 3}
    return list(triples)[:_N_TRIPLES]


def moebius_of(model: Any, row: Floats, background: Floats) -> dict[Features, float]:
    """Return the Möbius coefficients of the sum of the terms; an absent feature shows the background row's."""
    found: dict[Features, float] = {(): float(model.intercept_[0])}
    for number, features in enumerate(model.term_features_):
        masks = all_masks(len(features))
        rows = np.tile(background, (len(masks), 1))
        rows[:, features] = np.where(masks, row[list(features)], background[list(features)])
        differences = np.array(model.eval_terms(rows)[:, number], dtype=np.float64)
        for place in range(len(features)):
            halves = differences.reshape(-1, 2, 1 << place)
            halves[:, 1] -= halves[:, 0]
        for mask, value in zip(masks, differences.tolist(), strict=True):
            players = tuple(sorted(np.array(features)[mask].tolist()))
            found[players] = found.get(players, 0.0) + value
    return found


def fitted_model(data: str) -> tuple[Any, Floats, Floats]:
    """Fit a class against others, with pairs that the library picks and triples of these; and pick a row of each."""
    split = split_of(data)
    target = (split.train_y % 2).astype(np.int64)
    pairs = [features for features in _fitted(split.train_x, target, _N_PAIRS).term_features_ if len(features) == 2]
    model = _fitted(split.train_x, target, [*pairs, *triples_of(pairs)])
    row, label = split.test_x[0], split.test_y[0] % 2
    return model, row, split.train_x[target != label][0]


def made(data: str) -> Made:
    """Explain a test row; an absent feature takes the value of a row of the other class."""
    model, row, background = fitted_model(data)
    game = Conjunctions.of_moebius(moebius_of(model, row, background), len(row))
    return game, game


_ABOUT = "Log-odds of {} by an explainable boosting model with pairs and triples; an absent feature is another row's."
SOURCES = tuple(
    CaseSource(f"ebm-{n}", "additive models", n, _ABOUT.format(what), partial(made, data), _REQUIREMENT)
    for n, what, data in ((30, "a benign tumour", "breast_cancer"), (64, "an odd digit", "digits"))
)
