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
from captum_spex.approximators.proxyspex.proxyspex import EffortName
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError
from captum_spex.games.training import from_table
from captum_spex.indices import resolve_index


def test_several_rounds_where_masks_are_scarce() -> None:
    def n_rounds(budget: int, n: int = 12, index: str = "SII", max_order: int = 2, **settings: Any) -> int:
        return ProxySpex(**settings).n_rounds(Problem(n, budget, resolve_index(index, max_order, n)))

    assert n_rounds(150) == n_rounds(150, max_order=1) == n_rounds(150, design="spread", index="BII") == 3
    assert n_rounds(150, index="BII") == n_rounds(150, proxy="boosted-trees") == 1
    assert n_rounds(150, effort="thorough") == n_rounds(150, effort="fast", rounds=3) == 3
    assert n_rounds(150, effort="fast") == 1
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
        ({"effort": "slow"}, UnknownNameError, "`effort`: expected 'fast', 'default', 'thorough', got 'slow'"),
        ({"effort": None}, UnknownNameError, "`effort`: expected 'fast', 'default', 'thorough', got None"),
        ({"effort": 2}, UnknownNameError, "`effort`: expected 'fast', 'default', 'thorough', got 2"),
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


def explained_by(approximator: ProxySpex, budget: int = 100, **options: Any) -> captum_spex.Interactions:
    return captum_spex.explain(smooth_game, 9, budget=budget, approximator=approximator, random_state=0, **options)


@pytest.mark.parametrize("effort", ["fast", "default", "thorough"])
def test_every_effort(effort: EffortName) -> None:
    approximator = ProxySpex(effort=effort)
    result = explained_by(approximator)
    ends = smooth_game(np.array([np.zeros(9), np.ones(9)], dtype=bool))
    shapley = explained_by(approximator, index="SV", max_order=1)
    np.testing.assert_allclose(shapley.first_order().sum(), ends[1] - ends[0])
    np.testing.assert_array_equal(result.values, explained_by(approximator).values)
    assert 0.9 < result.faithfulness <= 1
    assert np.isfinite(result.std_errors).all()
    masks = np.random.default_rng(0).random((120, 9)) < 0.5
    recorded = from_table(masks, smooth_game(masks))
    table = captum_spex.explain_table(recorded, approximator=approximator, random_state=0)
    assert isinstance(table, captum_spex.Interactions)
    assert table.faithfulness > 0.8


def test_efforts_differ_and_the_default_is_the_default() -> None:
    assert ProxySpex(effort="default") == ProxySpex()
    fast, default, thorough = (explained_by(ProxySpex(effort=one)).values for one in ("fast", "default", "thorough"))
    assert (fast != default).any()
    assert (thorough != default).any()


@pytest.mark.parametrize("proxy", [GaussianProcess(n_steps=5), BoostedTrees(n_trees=20)])
@pytest.mark.parametrize("effort", ["fast", "thorough"])
def test_what_is_given_counts_whatever_the_effort(proxy: Any, effort: EffortName) -> None:
    given = explained_by(ProxySpex(proxy, rounds=1)).values
    np.testing.assert_array_equal(explained_by(ProxySpex(proxy, rounds=1, effort=effort)).values, given)
    problem = Problem(12, 150, resolve_index("SII", 2, 12))
    assert ProxySpex(rounds=2, effort=effort).n_rounds(problem) == 2


def test_the_device_of_the_model() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    there = ProxySpex(device="auto", model_device=cuda)
    assert there.place(1023) == cpu
    assert there.place(1024) == cuda
    assert ProxySpex(device="auto").place(5000) == ProxySpex(device="auto", model_device=cpu).place(5000) == cpu
    assert ProxySpex(model_device=cuda).place(5000) == cpu  # which is named "auto", or is not
    auto = explained_by(ProxySpex(effort="fast", device="auto")).values
    np.testing.assert_array_equal(auto, explained_by(ProxySpex(effort="fast")).values)
