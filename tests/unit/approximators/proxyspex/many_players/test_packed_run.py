"""Very many players: packed masks, screened players, honest faithfulness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sampled import some

import captum_spex
from captum_spex.approximators import BoostedTrees, GaussianProcess, ProxySpex
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks, PackedMasks, ends

N = 5100

PLAYERS = (5, 17, 900, 5099)


def game(masks: Masks) -> Floats:
    """Four players matter, two of them only together."""
    return 3.0 * masks[:, 5] + 2.0 * (masks[:, 17] & masks[:, 900]) - 1.0 * masks[:, 5099]


class Packed:
    """Many main effects, pairs, and pairs of players of whom one shows nothing by itself; never laid out whole."""

    def __init__(self, n_players: int, n_single: int = 20, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.n_players = n_players
        self.single = rng.choice(n_players, n_single, replace=False)
        self.weights = rng.choice([-1.0, 1.0], n_single)
        others = np.setdiff1d(np.arange(n_players), self.single)
        self.hidden = rng.choice(others, 5, replace=False)  # each with one of the single players
        self.n_evaluated: list[int] = []

    def __call__(self, masks: Masks) -> Floats:
        """Refuse bool masks of so many players."""
        raise AssertionError("masks were laid out")

    def evaluate_packed(self, masks: PackedMasks) -> Floats:
        """Return the values."""
        self.n_evaluated.append(len(masks))
        present = masks.columns(self.single)
        signs = 1.0 - 2.0 * masks.columns(self.hidden)
        return present @ self.weights + (1.0 - 2.0 * present[:, :5]) @ np.zeros(5) + self.pairs(present, signs)

    def pairs(self, present: Masks, signs: Floats) -> Floats:
        """The player that shows by itself turns the sign of the one that does not."""
        return ((1.0 - 2.0 * present[:, :5]) * signs).sum(axis=1)


def explained(n: int, budget: int, **settings: Any) -> tuple[Packed, Interactions]:
    """Explain a game whose masks cannot be laid out."""
    own = Packed(n)
    result = captum_spex.explain(own, n, budget=budget, random_state=0, **settings)
    assert isinstance(result, Interactions)
    assert sum(own.n_evaluated) == result.n_evaluations == budget
    return own, result


@pytest.mark.parametrize("budget", some([10_050, 1500], 1))
def test_players_are_found_among_thousands_and_partners_that_show_nothing_alone(budget: int) -> None:
    own, result = explained(N, budget)
    strongest = {players[0] for players in result.top(len(own.single), order=1)}
    assert len(strongest & set(own.single.tolist())) >= len(own.single) - 1
    pairs = {tuple(sorted(pair)) for pair in zip(own.single[:5].tolist(), own.hidden.tolist(), strict=True)}
    assert set(result.top(5, order=2)) == pairs
    assert_allclose([abs(result[pair]) for pair in pairs], 4.0, rtol=0.1)
    assert result.faithfulness > 0.97
    assert result.diagnostics["n_screened_out"] >= N - 512 - 512
    assert 0 < result.diagnostics["screened_out_bound"] < 1


def test_shapley_values_sum_to_the_difference_of_the_ends() -> None:
    own, result = explained(N, 400, max_order=1)
    full, empty = own.evaluate_packed(PackedMasks.of(ends(N)))
    assert_allclose(result.first_order().sum(), full - empty, atol=1e-9)
    _, uncorrected = explained(N, 400, max_order=1, approximator=ProxySpex(interpolate=False))
    assert abs(uncorrected.first_order().sum() - (full - empty)) > 1e-6


@pytest.mark.parametrize(("budget", "n_single"), some([(40, 40), (800, 100), (400, 400)], 2))
def test_the_faithfulness_is_that_of_fresh_masks_and_never_below_a_constant(budget: int, n_single: int) -> None:
    own = Packed(N, n_single)
    result = captum_spex.explain(own, N, budget=budget, random_state=0)
    fresh = np.random.default_rng(99).random((1500, N)) < 0.5
    truth = own.evaluate_packed(PackedMasks.of(fresh))
    actual = 1 - ((truth - result.model(fresh)) ** 2).mean() / truth.var()
    assert actual > -0.25
    spread = 3 / np.sqrt(0.1 * budget)  # of an R² on a tenth of the masks
    assert abs(result.faithfulness - actual) < spread
    assert not result.diagnostics["lower"] > actual + 0.05


@pytest.mark.parametrize("proxy", [BoostedTrees(n_trees=60), GaussianProcess()], ids=["trees", "process"])
def test_a_proxy_of_the_callers_choice_is_fitted_to_the_players_that_are_left(proxy: Any) -> None:
    approximator = ProxySpex(proxy=proxy)
    result = captum_spex.explain(game, N, budget=400, approximator=approximator, random_state=0)
    assert isinstance(result, Interactions)
    assert set(result.top(2, order=1)) <= {(player,) for player in PLAYERS}
    assert result.first_order().sum() == pytest.approx(4.0)
    assert "regression" not in result.diagnostics["proxy"]


def test_errors_of_players_that_were_screened_out_are_their_bound() -> None:
    result = captum_spex.explain(
        game, N, budget=400, max_order=1, random_state=0, approximator=ProxySpex(proxy="gaussian-process")
    )
    assert isinstance(result, Interactions)
    assert result.std_errors is not None
    out = np.setdiff1d(np.arange(N), result.model.players)
    bound = result.diagnostics["screened_out_bound"]
    assert_allclose(result.model.std_errors(_sii(), _one(out[0])), bound / 1.96)
    assert result.model.std_errors(_sii(), _one(5))[0] != bound / 1.96
    again = Interactions.from_json(result.to_json())
    assert_allclose(again.model.std_errors(_sii(), _one(out[0])), bound / 1.96)
    message = f"{len(out):,} players screened out: own effects below {bound:.2g} (95 %), interactions not sought"
    assert again.diagnostics == result.diagnostics
    assert message in str(result)
    assert message in str(again)
    assert message in again.to_html()


def _sii() -> Any:
    return captum_spex.indices.resolve_index("SII", 1, N)


def _one(player: int) -> Any:
    return captum_spex.player_sets.PlayerSets.from_sets([(int(player),)], N)


def additive(masks: Masks) -> Floats:
    """Two players matter, each by itself."""
    return 3.0 * masks[:, 5] - 1.0 * masks[:, 5099]


SMALL = ProxySpex(GaussianProcess(n_steps=5, links=False, terms=False, max_rows=256, n_inducing=64))


@pytest.mark.parametrize(("own", "approximator"), some([(additive, SMALL), (game, ProxySpex())], 1))
def test_masks_are_asked_for_until_the_faithfulness_is_reached(own: Any, approximator: ProxySpex) -> None:
    """The first round has four masks for each player."""
    result = captum_spex.explain(
        own, N, budget="auto", max_budget=30_000, target_faithfulness=0.9, approximator=approximator, random_state=0
    )
    assert isinstance(result, Interactions)
    curve = result.diagnostics["curve"]
    assert curve[-1][2] >= 0.9
    assert result.n_evaluations == curve[-1][0] == 4 * N


def test_same_seed_same_result() -> None:
    results = [explained(N, 300)[1].to_json() for _ in range(2)]
    assert results[0] == results[1]


@pytest.mark.parametrize("budget", [2, 9, 17])
def test_very_few_masks(budget: int) -> None:
    result = captum_spex.explain(game, N, budget=budget, random_state=0)
    assert isinstance(result, Interactions)
    assert result.n_evaluations == budget
    assert result.first_order().sum() == pytest.approx(4.0)
    assert not result.faithfulness > 0.5


def test_constant_games_and_several_outputs() -> None:
    def outputs(masks: Masks) -> Floats:
        return np.stack([game(masks), np.full(len(masks), 7.0)], axis=1)

    varying, constant = captum_spex.explain(outputs, N, budget=300, random_state=0)
    assert varying.first_order().sum() == pytest.approx(4.0)
    assert not constant.first_order().any()
    assert constant.faithfulness == 1
    assert constant.std_errors is not None
    assert not constant.std_errors.any()


@pytest.mark.parametrize(
    ("settings", "budget", "error", "message"),
    [
        (
            {"design": "spread"},
            500,
            ArgumentError,
            "`design`: expected 'auto' or 'bernoulli' for more than 5,000 players, got 'spread'",
        ),
        ({"rounds": 3}, 500, ArgumentError, "`rounds`: expected 'auto' or 1 for more than 5,000 players, got 3. There"),
        (
            {},
            100_000_000,
            BudgetError,
            "`budget`: expected at most 13,463,847, which take 8 GiB, got 100,000,000 masks of 5,100 players, 59 GiB",
        ),
    ],
)
def test_impossible_requests_are_refused_before_the_first_evaluation(
    settings: dict[str, Any], budget: int, error: type[Exception], message: str
) -> None:
    own = Packed(N)
    with pytest.raises(error, match=message):
        captum_spex.explain(own, N, budget=budget, approximator=ProxySpex(**settings))
    assert not own.n_evaluated
