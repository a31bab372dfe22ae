"""ProxySpex from masks to indices: combination, quality, convergence, rounds, noise, budgets that are sought."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
from games import Counting, Game, codes, planted_spectrum, random_network, random_table, smooth_game
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import captum_spex
from captum_spex.approximators import Again, Exact, ProxySpex, Spex
from captum_spex.approximators.base import Problem
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.dense_run import DenseRun
from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess
from captum_spex.approximators.proxyspex.proxy import FittedProxy
from captum_spex.approximators.proxyspex.rounds import first_round
from captum_spex.approximators.proxyspex.stacking import stack
from captum_spex.approximators.proxyspex.validation import Quality, folds, stacked_quality
from captum_spex.arrays import Floats
from captum_spex.designs import enumerate_and_spread
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks, all_masks, mask_keys
from captum_spex.model import LinkedExpansion, Residuals, Spectrum
from captum_spex.statistics import r_squared

GAUSSIAN = ProxySpex(proxy="gaussian-process", rounds=1)
NOISY = ProxySpex(proxy="gaussian-process", rounds=1, noisy=True)


def error_of(result: Interactions, truth: Interactions, order: int | None = None) -> float:
    """RMS error over the sets of an order, relative to the RMS of the truth."""
    sets = [players for players in truth if order is None or len(players) == order]
    wrong = sum((result[players] - truth[players]) ** 2 for players in sets)
    return float(np.sqrt(wrong / sum(truth[players] ** 2 for players in sets)))


def r_squared_elsewhere(result: Interactions, game: Game) -> float:
    """R² on uniformly random masks that were not evaluated."""
    n = result.n_players
    masks = np.random.default_rng(99).random((3000, n)) < 0.5
    observed = next(part for part in result.model.parts if isinstance(part, Residuals))
    masks = masks[~np.isin(mask_keys(masks), mask_keys(observed.masks))]
    return r_squared(game(masks), result.model(masks))


# --- combination ------------------------------------------------------------------------------------------------------


def surrogate(left_out: Floats, reused: Floats | None = None) -> FittedProxy:
    return FittedProxy("made", [()], left_out[:, None], (left_out if reused is None else reused)[:, None])


def random_masks(count: int) -> Masks:
    return np.random.default_rng(1).random((count, 30)) < 0.5


RANDOM = random_masks(400)


@pytest.fixture
def truth(rng: np.random.Generator) -> Floats:
    return rng.normal(size=400)


def test_a_useless_surrogate_leaves_no_trace(truth: Floats, rng: np.random.Generator) -> None:
    good, useless = surrogate(truth + 0.3 * rng.normal(size=400)), surrogate(rng.normal(size=400))
    alone, found = stack([good], truth, 0, RANDOM), stack([useless, good, useless], truth, 0, RANDOM)
    assert list(found.weights) == [1]
    assert found.weights[1] == alone.weights[0]
    assert_array_equal(found.left_out, alone.left_out)


def test_a_slightly_worse_twin_leaves_no_trace(truth: Floats, rng: np.random.Generator) -> None:
    best = truth + 0.3 * rng.normal(size=400)
    assert list(stack([surrogate(best + 0.02 * rng.normal(size=400)), surrogate(best)], truth, 0, RANDOM).weights) == [
        1
    ]


def test_surrogates_that_err_apart_are_combined(truth: Floats, rng: np.random.Generator) -> None:
    pair = [surrogate(truth + rng.normal(size=400)) for _ in range(2)]
    found = stack(pair, truth, 0, RANDOM)
    assert set(found.weights) == {0, 1}
    assert ((found.left_out - truth) ** 2).mean() < 0.8 * (
        (stack(pair[:1], truth, 0, RANDOM).left_out - truth) ** 2
    ).mean()


@given(seed=st.integers(0, 1000), count=st.integers(1, 4))
def test_weights_are_not_negative_and_make_the_predictions(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=50)
    made = [surrogate(rng.normal(size=50) + rng.normal() * truth, rng.normal(size=50)) for _ in range(count)]
    found = stack(made, truth, 0, random_masks(50))
    assert all(weight >= 0 for weight in found.weights.values())
    for name in ("left_out", "reused"):
        mixed = sum(weight * getattr(made[number], name)[:, 0] for number, weight in found.weights.items())
        assert_allclose(getattr(found, name), mixed, atol=1e-12)


def test_a_perfect_surrogate_is_taken_alone(truth: Floats) -> None:
    assert stack([surrogate(truth), surrogate(truth), surrogate(-truth)], truth, 0, RANDOM).weights == {
        0: pytest.approx(1.0)
    }


def test_sizes_that_are_all_seen_do_not_decide_where_they_are_harder(rng: np.random.Generator) -> None:
    """Of two surrogates the one counts that predicts masks of sizes which were not all evaluated."""
    masks = enumerate_and_spread(12, 120, rng, level=1).masks
    is_small = masks.sum(axis=1) <= 1
    values = rng.normal(size=120) + 6.0 * is_small * rng.normal(size=120)
    rest, small = values + 0.1 * rng.normal(size=120), values + 1.5 * rng.normal(size=120)
    rest[is_small], small[is_small] = 0.0, 0.8 * values[is_small]
    pair = [surrogate(small), surrogate(rest)]
    weights, before = (stack(pair, values, 0, some).weights for some in (masks, random_masks(120)))
    assert weights[1] > 2 * weights[0]
    assert before[1] < 0.9 * weights[1]


# --- quality ----------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), size=st.floats(0, 10))
def test_quality_lies_above_its_bound(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    truth, weights = rng.normal(size=60), rng.dirichlet(np.ones(60))
    left_out, reused = truth + size * rng.normal(size=60), truth + size / 2 * rng.normal(size=60)
    measured = quality_of(truth, left_out, reused, weights, 1.0)
    assert measured.lower <= measured.r_squared <= 1


def quality_of(truth: Floats, left_out: Floats, reused: Floats, weights: Floats, spread: float) -> Quality:
    return stacked_quality(truth, left_out, reused, weights=weights, noise=np.zeros(len(truth)), spread=spread)


@pytest.mark.parametrize(("spread", "whole"), [(50.0, 16.0), (1.0, 1 + 0.5 * 2 / 3 + 0.25 * 3 + 0.25 * 3)])
def test_quality_by_hand(spread: float, whole: float) -> None:
    truth, weights = np.array([4.0, -4.0, -4.0]), np.array([0.5, 0.25, 0.25])
    measured = quality_of(truth, truth + np.array([1.0, 2, 0]), truth + np.array([0.0, 1, 3]), weights, spread)
    assert_allclose(measured.r_squared, 1 - (0.5 * 2 / 3 + 0.25 * 3 + 0.25 * 3) / whole)
    dark = np.array([1.0, 4.0, 0.0])
    doubt = 1.645 * np.sqrt(sum((w * (e - dark @ weights)) ** 2 for w, e in zip(weights, dark, strict=True)))
    assert_allclose(measured.lower, 1 - (dark @ weights + doubt) / whole)


def test_quality_without_errors_or_without_anything() -> None:
    truth, weights = np.arange(4.0), np.full(4, 0.25)
    assert quality_of(truth, truth, truth, weights, 1.0) == Quality(1.0, 1.0)
    assert quality_of(truth, truth, truth, weights, 0.0) == Quality(1.0, 1.0)
    assert quality_of(truth, truth + 1, truth + 1, weights, 0.0).r_squared == 0


def test_the_bound_holds_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        truth, noise, weights = 2 * rng.normal(size=150), rng.normal(size=150), np.full(150, 1 / 150)
        held += quality_of(truth, truth + noise, truth + noise, weights, 3.0).lower <= 3 / 4
    assert 0.9 <= held / 300 <= 1.0


@given(n=st.integers(2, 7), count=st.integers(2, 6), seed=st.integers(0, 100))
def test_folds_part_the_masks_but_no_mask_from_its_complement(n: int, count: int, seed: int) -> None:
    masks = all_masks(n)[np.random.default_rng(seed).permutation(2**n)[: max(2, 2**n * 2 // 3)]]
    parts = folds(masks, count, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(masks)))
    place = {code: number for number, part in enumerate(parts) for code in codes(masks[part])}
    assert all(place.get(2**n - 1 - code, number) == number for code, number in place.items())


# --- convergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "n", "approximator"),
    [
        (random_network(8, 1), 8, ProxySpex()),
        (planted_spectrum(9, 12, 4, 2), 9, GAUSSIAN),
        (oracles.as_game(random_table(8, 0)), 8, GAUSSIAN),
    ],
)
def test_errors_of_every_order_shrink_to_nothing(game: Game, n: int, approximator: ProxySpex) -> None:
    def explained(budget: int) -> Interactions:
        return captum_spex.explain(game, n, budget=budget, max_order=3, approximator=approximator, random_state=0)

    truth = captum_spex.explain(game, n, budget=2**n, max_order=3, approximator=Exact())
    results = [explained(2**n // part) for part in (8, 4, 2, 1)]
    errors = np.array([[error_of(result, truth, order) for order in (1, 2, 3)] for result in results])
    assert (errors[0] < 1.1).all()
    assert (errors[2] < 0.9 * errors[0]).all()
    assert (errors[1:] < 1.15 * errors[:-1]).all()
    assert (errors[3] == 0).all()


@pytest.mark.parametrize("approximator", [ProxySpex(), GAUSSIAN, ProxySpex(proxy="boosted-trees")])
def test_what_was_observed_is_interpolate(approximator: ProxySpex) -> None:
    game = Counting(smooth_game)
    result = captum_spex.explain(game, 9, budget=100, approximator=approximator, random_state=0)
    assert_allclose(result.model(game.masks), smooth_game(game.masks), atol=1e-10)
    ends = smooth_game(np.repeat([[True], [False]], 9, axis=1))
    assert_allclose(result.first_order().sum(), ends[0] - ends[1], atol=1e-9)


def test_nothing_is_interpolate_where_that_was_not_wanted() -> None:
    result = captum_spex.explain(smooth_game, 9, budget=60, approximator=ProxySpex(interpolate=False), random_state=0)
    assert not any(isinstance(part, Residuals) for part in result.model.parts)
    assert result.std_errors is not None  # those of the process
    assert (result.std_errors > 0).all()


# --- rounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "budget", "index"), [(8, 250, "SII"), (8, 255, "SII"), (12, 131, "FBII")])
def test_rounds_spend_the_budget_and_no_more(n: int, budget: int, index: str) -> None:
    results, games = [], []
    for _ in range(2):
        games.append(Counting(smooth_game))
        adaptive = ProxySpex(proxy="gaussian-process", rounds=3)
        results.append(
            captum_spex.explain(games[-1], n, budget=budget, index=index, approximator=adaptive, random_state=3)
        )
    assert games[0].n_rows == games[0].n_distinct == results[0].n_evaluations == budget
    assert len(games[0].batches) == 3
    assert_array_equal(games[0].masks, games[1].masks)
    assert_array_equal(results[0].values, results[1].values)


def test_later_rounds_ask_for_pairs_of_complements() -> None:
    game = Counting(smooth_game)
    adaptive = ProxySpex(proxy="gaussian-process", rounds=2)
    captum_spex.explain(game, 12, budget=128, approximator=adaptive, random_state=0)
    second = set(codes(game.batches[1]))
    assert len(second) == 64
    assert sum(2**12 - 1 - code in second for code in second) >= 48


def test_several_rounds_where_masks_are_scarce() -> None:
    def n_rounds(budget: int, n: int = 12, index: str = "SII", max_order: int = 2, **settings: Any) -> int:
        return ProxySpex(**settings).n_rounds(Problem(n, budget, resolve_index(index, max_order, n)))

    assert n_rounds(150) == n_rounds(150, max_order=1) == n_rounds(150, design="spread", index="BII") == 3
    assert n_rounds(150, index="BII") == n_rounds(150, proxy="boosted-trees") == 1
    assert n_rounds(30) == n_rounds(2000) == n_rounds(300, n=60) == n_rounds(150, rounds=1) == 1


# --- noise ------------------------------------------------------------------------------------------------------------


def noisy_game(deviation: float, seed: int) -> Game:
    rng = np.random.default_rng(seed)
    return lambda masks: smooth_game(masks) + deviation * rng.normal(size=len(masks))


def test_a_tenth_of_the_budget_goes_to_second_evaluations() -> None:
    game = Counting(noisy_game(0.5, 0))
    result = captum_spex.explain(game, 10, budget=200, approximator=NOISY, random_state=0)
    assert game.n_rows == result.n_evaluations == 200
    assert game.n_distinct == 180
    assert len(game.batches[1]) == 20


@pytest.mark.parametrize("budget", [3, 10, 24, 30])
def test_noise_and_small_budgets(budget: int) -> None:
    game = Counting(noisy_game(0.5, 0))
    captum_spex.explain(game, 10, budget=budget, approximator=NOISY, random_state=0)
    assert game.n_rows == budget


@pytest.mark.parametrize("deviation", [0.0, 0.3, 1.0])
def test_the_variance_of_the_noise_is_estimated(deviation: float) -> None:
    game, found = noisy_game(deviation, 1), []
    for seed in range(20):
        run = NOISY.start(Problem(10, 300, resolve_index("SII", 2, 10)), np.random.default_rng(seed))
        assert isinstance(run, DenseRun)
        while (asked := run.ask()) is not None:
            masks = asked.masks if isinstance(asked, Again) else asked
            run.tell(game(masks)[:, None])
        seen = run.evaluations()
        assert len(seen.masks) == 270
        once, twice = seen.noise.max(), seen.noise.min()
        assert_allclose(twice, once / 2)
        assert (seen.noise == twice).sum() == (30 if deviation else 270)
        found.append(once)
    assert_allclose(np.mean(found), deviation**2, rtol=0.15)


def test_corrections_shrink_under_noise() -> None:
    sizes = []
    for approximator in (GAUSSIAN, NOISY):
        result = captum_spex.explain(noisy_game(0.7, 2), 10, budget=200, approximator=approximator, random_state=0)
        observed = result.model.parts[-1]
        assert isinstance(observed, Residuals)
        sizes.append(np.abs(observed.values).mean())
    assert sizes[1] < 0.7 * sizes[0]


def test_knowing_of_the_noise_brings_results_nearer_to_the_truth() -> None:
    truth = captum_spex.explain(smooth_game, 10, budget=1024)
    errors = []
    for seed in range(3):
        found = [
            captum_spex.explain(noisy_game(0.8, seed), 10, budget=160, approximator=which, random_state=seed)
            for which in (GAUSSIAN, NOISY)
        ]
        errors.append([error_of(one, truth) for one in found])
    assert np.mean(errors, axis=0)[1] < 0.9 * np.mean(errors, axis=0)[0]


def test_trees_do_not_put_the_noise_back() -> None:
    game = Counting(noisy_game(1.0, 3))
    approximator = ProxySpex(proxy="boosted-trees", rounds=1, noisy=True)
    result = captum_spex.explain(game, 10, budget=150, approximator=approximator, random_state=0)
    once = ~np.isin(mask_keys(game.batches[0]), mask_keys(game.batches[1]))
    masks = game.batches[0][once]
    quiet = np.abs(result.model(masks) - smooth_game(masks)).mean()
    assert quiet < 0.76  # 0.8 is the mean of the absolute noise


def test_evaluating_again_counts_and_keeps_what_was_known() -> None:
    game = Counting(lambda masks: np.full(len(masks), float(len(game.batches))))
    evaluator = Evaluator(game, 4, budget=10, batch_size=2)
    masks = all_masks(4)[:6]
    assert_array_equal(evaluator(masks).ravel(), [1, 1, 2, 2, 3, 3])
    assert_array_equal(evaluator.again(masks[:3]).ravel(), [4, 4, 5])
    assert evaluator.n_evaluations == 9
    assert_array_equal(evaluator(masks).ravel(), [1, 1, 2, 2, 3, 3])
    with pytest.raises(BudgetError, match="`masks`: expected at most 1, the rest of the budget of 10, got 2 masks"):
        evaluator.again(masks[:2])


# --- budgets that are sought ------------------------------------------------------------------------------------------


def easy_game(masks: np.ndarray) -> np.ndarray:
    return masks[:, 0] + 2.0 * masks[:, 3] * masks[:, 5] + masks @ np.linspace(0, 1, masks.shape[1])


def test_an_easy_game_stops_early() -> None:
    game = Counting(easy_game)
    result = captum_spex.explain(game, 20, budget="auto", approximator=GAUSSIAN, random_state=0)
    assert game.n_rows == result.n_evaluations <= 300
    assert r_squared_elsewhere(result, easy_game) > 0.95
    curve = result.diagnostics["curve"]
    assert curve[0][0] == first_round(20) == 80
    assert curve[-1] == (result.n_evaluations, result.faithfulness, result.diagnostics["lower"])
    assert all(lower < 0.95 for _, _, lower in curve[:-1])
    assert curve[-1][2] >= 0.95
    assert all(lower <= faithfulness for _, faithfulness, lower in curve)


def test_a_hopeless_game_stops_at_the_largest_budget() -> None:
    game = Counting(oracles.as_game(random_table(10, 0)))
    result = captum_spex.explain(game, 10, budget="auto", max_budget=150, approximator=GAUSSIAN, random_state=0)
    assert game.n_rows == game.n_distinct == result.n_evaluations == 150
    assert [row[0] for row in result.diagnostics["curve"]] == [64, 96, 144, 150]


def test_a_higher_target_takes_more_evaluations() -> None:
    spent = [
        captum_spex.explain(
            smooth_game, 12, budget="auto", target_faithfulness=target, approximator=GAUSSIAN, random_state=0
        ).n_evaluations
        for target in (0.5, 0.9, 0.98)
    ]
    assert spent == sorted(spent)
    assert spent[0] < spent[-1]


def test_the_worst_output_decides_when_to_stop() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return np.stack([easy_game(masks), random_network(9, 0)(masks), np.ones(len(masks))], axis=1)

    sought: dict[str, Any] = {"budget": "auto", "target_faithfulness": 0.9, "approximator": GAUSSIAN, "random_state": 0}
    easy, hard, constant = captum_spex.explain(game, 9, **sought)
    alone = captum_spex.explain(easy_game, 9, **sought)
    assert easy.n_evaluations == hard.n_evaluations == constant.n_evaluations > alone.n_evaluations
    assert hard.diagnostics["lower"] >= 0.9
    assert easy.faithfulness > hard.faithfulness
    assert constant.faithfulness == 1


def test_a_sought_budget_under_noise_is_kept() -> None:
    game = Counting(noisy_game(2.0, 0))
    result = captum_spex.explain(game, 10, budget="auto", max_budget=100, approximator=NOISY, random_state=0)
    assert game.n_rows == result.n_evaluations == 100
    assert game.n_distinct == 90


@pytest.mark.parametrize("n", [3, 7])
def test_a_sought_budget_that_takes_every_mask_is_exact(n: int) -> None:
    game = oracles.as_game(random_table(n, 0))
    result = captum_spex.explain(game, n, budget="auto", approximator=GAUSSIAN, random_state=0)
    assert result.n_evaluations == 2**n
    assert_allclose(result.model(all_masks(n)), game(all_masks(n)), atol=1e-10)
    assert result.faithfulness == 1.0


# --- kinds of games ---------------------------------------------------------------------------------------------------


def saturating(masks: np.ndarray) -> np.ndarray:
    """A squashed sum of pairs."""
    signs = 2.0 * masks - 1
    return 1 / (1 + np.exp(-1.5 * ((signs[:, ::2] * signs[:, 1::2]) @ np.linspace(1, 2, masks.shape[1] // 2))))


def test_a_saturating_game_takes_the_link() -> None:
    linked, plain = (
        captum_spex.explain(
            saturating, 12, budget=300, index="FBII", approximator=ProxySpex(proxy=proxy, rounds=1), random_state=0
        )
        for proxy in ("gaussian-process", GaussianProcess(links=False))
    )
    assert any(isinstance(part, LinkedExpansion) for part in linked.model.parts)
    assert not any(isinstance(part, LinkedExpansion) for part in plain.model.parts)
    assert r_squared_elsewhere(linked, saturating) > 0.95
    assert r_squared_elsewhere(plain, saturating) < 0.85


def tree(masks: np.ndarray) -> np.ndarray:
    m = masks
    left = np.where(m[:, 1], np.where(m[:, 2], 3.0, -1.0), np.where(m[:, 3], 1.0, -2.0))
    right = np.where(m[:, 4], np.where(m[:, 5], -3.0, 2.0), np.where(m[:, 6] & m[:, 7], 4.0, 0.0))
    return np.where(m[:, 0], left, right)


def test_a_tree_takes_the_trees() -> None:
    result = captum_spex.explain(tree, 20, budget=150, index="FBII", random_state=0)
    assert "boosted trees" in result.diagnostics["proxy"]
    assert r_squared_elsewhere(result, tree) > 0.8


def test_several_outputs_are_recovered_side_by_side() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return np.stack(
            [smooth_game(masks), -3 * smooth_game(masks) + 7, 1.0 * masks[:, 0], np.ones(len(masks))], axis=1
        )

    first, second, single, constant = captum_spex.explain(game, 10, budget=100, approximator=GAUSSIAN, random_state=0)
    assert_allclose([second[players] for players in first], -3 * first.values, atol=0.02)
    assert_allclose(single.first_order(), np.eye(10)[0], atol=1e-3)
    assert not constant.values.any()
    assert constant.baseline == 1


@pytest.mark.parametrize("budget", [2, 15, 16, 60, "auto"])
def test_constant_values(budget: Any) -> None:
    result = captum_spex.explain(lambda masks: np.full(len(masks), 3.25), 10, budget=budget, random_state=0)
    assert not result.values.any()
    assert result.baseline == 3.25
    assert result.faithfulness == 1 or budget in (2, 15)


def test_players_that_do_the_same_get_the_same() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return 1.0 * (masks[:, 2] | masks[:, 5]) + masks[:, 0]

    result = captum_spex.explain(game, 10, budget=200, approximator=GAUSSIAN, random_state=0)
    values = result.first_order()
    assert_allclose(values[[2, 5, 0]], [0.5, 0.5, 1.0], atol=0.01)
    assert_allclose(result[(2, 5)], -1.0, atol=0.02)
    assert np.abs(np.delete(values, [0, 2, 5])).max() < 0.01


@pytest.mark.parametrize("budget", [2, 3, 4, "auto"])
def test_two_players(budget: Any) -> None:
    game = Counting(lambda masks: masks[:, 0] + 2.0 * masks[:, 0] * masks[:, 1])
    result = captum_spex.explain(game, 2, budget=budget, random_state=0)
    assert game.n_rows == (4 if budget == "auto" else budget)
    assert_allclose(result.first_order().sum(), 3.0)


def test_three_hundred_players() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return masks[:, 0] + 2.0 * masks[:, 250] * masks[:, 299] + 0.5 * masks[:, 100]

    approximator = ProxySpex(proxy=GaussianProcess(links=False))
    result = captum_spex.explain(game, 300, budget=500, approximator=approximator, random_state=0)
    assert result.n_evaluations == 500
    assert list(result.top(1, order=2)) == [(250, 299)]
    assert r_squared_elsewhere(result, game) > 0.95


def test_intervals_hold_about_nine_times_out_of_ten() -> None:
    held = []
    games = [random_network(8, seed) for seed in range(3)] + [planted_spectrum(8, 12, 3, seed) for seed in range(3)]
    for seed, game in enumerate(games):
        truth = captum_spex.explain(game, 8, budget=256)
        result = captum_spex.explain(game, 8, budget=80, approximator=GAUSSIAN, random_state=seed)
        assert result.std_errors is not None
        wrong = np.abs([result[players] - truth[players] for players in result])
        held.append((wrong <= 1.645 * result.std_errors).mean())
    assert 0.8 <= np.mean(held) <= 1.0


def test_the_spectrum_of_a_game_in_which_nothing_was_found() -> None:
    game = oracles.as_game(random_table(10, 0))
    result = captum_spex.explain(game, 10, budget=64, random_state=0)
    assert len(result.spectrum) > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_hopeless_game_has_no_faithfulness(seed: int) -> None:
    game = oracles.as_game(random_table(8, seed))
    result = captum_spex.explain(game, 8, budget=192, random_state=0)
    assert r_squared_elsewhere(result, game) < 0.15
    assert result.diagnostics["lower"] < 0.15


def test_the_same_seed_gives_the_same_result() -> None:
    first, second = (captum_spex.explain(smooth_game, 10, budget=80, random_state=5) for _ in range(2))
    assert_array_equal(first.values, second.values)
    assert first.faithfulness == second.faithfulness


@pytest.mark.parametrize(("scale", "tolerance"), [(2.0**-40, 1e-12), (2.0**50, 1e-12), (1e-9, 0.02), (1e9, 0.02)])
def test_units_do_not_matter(scale: float, tolerance: float) -> None:
    plain, scaled = (
        captum_spex.explain(
            lambda masks, unit=unit: unit * smooth_game(masks), 10, budget=80, approximator=GAUSSIAN, random_state=0
        )
        for unit in (1.0, scale)
    )
    assert_allclose([scaled[players] / scale for players in plain], plain.values, atol=tolerance)
    assert_allclose(scaled.faithfulness, plain.faithfulness, atol=tolerance)


# --- bad input --------------------------------------------------------------------------------------------------------

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
        ({"rounds": 2, "proxy": "boosted-trees"}, ArgumentError, "`rounds`: expected 1, as none of these .*, got 2"),
        ({"rounds": 2, "proxy": BoostedTrees()}, ArgumentError, "`rounds`: expected 1, as none of these .*, got 2"),
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


def test_a_budget_that_just_fills_the_rounds() -> None:
    game = Counting(smooth_game)
    adaptive = ProxySpex(proxy="gaussian-process", rounds=3)
    captum_spex.explain(game, 20, budget=96, approximator=adaptive, random_state=0)
    assert [len(batch) for batch in game.batches] == [48, 24, 24]


def test_the_spectrum_of_a_recovered_game_predicts_it() -> None:
    game = planted_spectrum(10, 6, 2, 0)
    result = captum_spex.explain(game, 10, budget=150, approximator=GAUSSIAN, random_state=0)
    found = result.model.spectrum(2**10)
    assert isinstance(found, Spectrum)
    assert_allclose(found(all_masks(10)), result.model(all_masks(10)), atol=0.02 * game(all_masks(10)).std())
