"""Games and explainers for the tests of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from oracles import as_game, every_mask

from captum_spex.benchmark import Answer, Case, all_methods
from captum_spex.model import GameModel, Residuals

N = 6
TABLE = np.random.default_rng(5).normal(size=2**N)
GAME = as_game(TABLE)
MASKS = every_mask(N)
TRUTH = GameModel((Residuals(MASKS, TABLE),))
TINY = Case("tiny", "own", N, GAME, TRUTH)
METHODS = {method.name: method for method in all_methods()}


def weighted_sum(masks):
    return 1.0 + masks @ np.arange(1.0, 8.0) + 2.0 * (masks[:, 0] & masks[:, 3])


OWN = Case("mine", "own", 7, weighted_sum)


@dataclass(frozen=True)
class Explainer:
    """An explainer of the caller: it evaluates random masks and answers with ``explain``."""

    name: str = "Guess"
    package: str = "numpy"
    explain: object = None

    def missing(self):
        return None

    def refusal(self, request):
        return "too few" if request.budget < 8 else None

    def __call__(self, game, request):
        masks = np.random.default_rng(request.seed).random((request.budget, request.n_players)) < 0.5
        return self.explain(game(masks), request)


def mean_of(values, request):
    print("loud")
    mean = float(values.mean())
    return Answer(lambda masks: np.full(len(masks), mean), np.zeros(request.n_players))


def raising(values, request):
    raise ZeroDivisionError("no way\nto go on")


MEAN = Explainer("Mean", explain=mean_of)
RAISING = Explainer("Raising", explain=raising)


def without_costs(rows):
    return sorted(str(replace(row, own_seconds=0.0, peak_mib=0.0)) for row in rows)
