"""ProxySpex: its settings, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from games import Counting, smooth_game

import captum_spex
from captum_spex.approximators import Exact, ProxySpex, Spex
from captum_spex.approximators.base import Problem
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError
from captum_spex.indices import resolve_index


def test_several_rounds_where_masks_are_scarce() -> None:
    def n_rounds(budget: int, n: int = 12, index: str = "SII", max_order: int = 2, **settings: Any) -> int:
        return ProxySpex(**settings).n_rounds(Problem(n, budget, resolve_index(index, max_order, n)))

    assert n_rounds(150) == n_rounds(150, max_order=1) == n_rounds(150, design="spread", index="BII") == 3
    assert n_rounds(150, index="BII") == n_rounds(150, proxy="boosted-trees") == 1
    assert n_rounds(30) == n_rounds(2000) == n_rounds(300, n=60) == n_rounds(150, rounds=1) == 1


NO_GUIDE = "`rounds`: expected 1, as none of these proxies can choose masks, got 2"
NAMES = "'auto', 'gaussian-process', 'boosted-trees'"

KINDS = r"a name, `GaussianProcess\(\)`, `BoostedTrees\(\)`, an object with a method `surrogates`, or a tuple"


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"proxy": "tree"}, UnknownNameError, f"`proxy`: expected {NAMES}, got 'tree'"),
        ({"proxy": ()}, ArgumentError, rf"`proxy`: expected {KINDS}, got \(\)"),
        ({"proxy": ("auto",)}, ArgumentError, rf"`proxy`: expected {KINDS}, got \('auto',\)"),
        ({"proxy": GaussianProcess}, ArgumentError, f"`proxy`: expected {KINDS}, got <class"),
        ({"design": "grid"}, UnknownNameError, "`design`: expected 'auto', 'bernoulli', 'spread', got 'grid'"),
        ({"design": None}, UnknownNameError, "`design`: expected 'auto', 'bernoulli', 'spread', got None"),
        ({"rounds": 0}, ArgumentError, "`rounds`: expected an integer of at least 1, got 0"),
        ({"rounds": 1.5}, ArgumentError, "`rounds`: expected an integer of at least 1, got 1.5"),
        ({"rounds": "many"}, ArgumentError, "`rounds`: expected 'auto', got 'many'. Or a number of rounds."),
        (
            {"rounds": 2, "proxy": "boosted-trees"},
            ArgumentError,
            NO_GUIDE,
        ),
        (
            {"rounds": 2, "proxy": BoostedTrees()},
            ArgumentError,
            NO_GUIDE,
        ),
        ({"noisy": 1}, ArgumentError, "`noisy`: expected True or False, got 1"),
        ({"interpolate": "no"}, ArgumentError, "`interpolate`: expected True or False, got 'no'"),
        ({"limits": {}}, ArgumentError, r"`limits`: expected `FitLimits\(...\)`, got {}"),
        (
            {"device": "cuda:7"},
            ArgumentError,
            "`device`: expected \"cpu\".*, got 'cuda:7'. This machine has no such dev",
        ),
        ({"device": "nonsense"}, ArgumentError, "`device`: expected \"cpu\".*, got 'nonsense'"),
        ({"device": "mps"}, ArgumentError, "`device`: expected \"cpu\".*, got 'mps'"),
        ({"device": 1.5}, ArgumentError, '`device`: expected "cpu".*, got 1.5'),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], kind: type[ArgumentError], message: str) -> None:
    with pytest.raises(kind, match=message):
        ProxySpex(**settings)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"target_faithfulness": 0},
            ArgumentError,
            "`target_faithfulness`: expected a number between 0 and 1, got 0",
        ),
        (
            {"target_faithfulness": 1},
            ArgumentError,
            "`target_faithfulness`: expected a number between 0 and 1, got 1",
        ),
        (
            {"target_faithfulness": "x"},
            ArgumentError,
            "`target_faithfulness`: expected a number between 0 and 1, got 'x'",
        ),
        (
            {"target_faithfulness": float("nan")},
            ArgumentError,
            "`target_faithfulness`: expected a number between 0 and 1, got nan",
        ),
        ({"max_budget": 79}, BudgetError, "`max_budget`: expected at least 80, the size of the first round, got 79"),
        ({"max_budget": 1}, BudgetError, "`max_budget`: expected an integer of at least 2, got 1"),
        ({"max_budget": 100.0}, BudgetError, "`max_budget`: expected an integer of at least 2, got 100.0"),
        (
            {"budget": 100, "max_budget": 200},
            ArgumentError,
            '`max_budget`: expected None, unless `budget="auto"`, got 200',
        ),
        ({"budget": "AUTO"}, BudgetError, "`budget`: expected an integer of at least 2, got 'AUTO'"),
        (
            {"approximator": Spex()},
            ArgumentError,
            '`budget`: expected a number of evaluations, unless the approximator is `ProxySpex`, got "auto"',
        ),
        (
            {"approximator": Exact()},
            ArgumentError,
            '`budget`: expected a number of evaluations, unless the approximator is `ProxySpex`, got "auto"',
        ),
        (
            {"budget": 95, "approximator": ProxySpex(rounds=3)},
            BudgetError,
            "`budget`: expected at least 96, 32 for each of `rounds`, got 95. Use fewer `rounds`.",
        ),
    ],
)
def test_arguments_of_explain(arguments: dict[str, Any], kind: type[ArgumentError], message: str) -> None:
    game = Counting(smooth_game)
    with pytest.raises(kind, match=message):
        captum_spex.explain(game, 20, **{"budget": "auto", **arguments})
    assert game.n_rows == 0


def test_settings_may_be_scalars_of_numpy_and_torch() -> None:
    given = ProxySpex(rounds=np.int64(2), noisy=np.bool_(True), interpolate=torch.tensor(False))
    assert repr(given) == repr(ProxySpex(rounds=2, noisy=True, interpolate=False))
    process = GaussianProcess(np.int32(5), np.float64(0.5), torch.tensor(60), np.array(False), np.bool_(True))
    assert repr(process) == repr(GaussianProcess(5, 0.5, 60, terms=False, links=True))
    trees = BoostedTrees(torch.tensor(9), np.float64(0.5), np.int64(3), np.array(8), torch.tensor(2), np.array(1.0))
    assert repr(trees) == repr(BoostedTrees(9, 0.5, 3, 8, 2, 1.0))
