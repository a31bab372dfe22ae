"""Runs of ProxySPEX: rounds, noise, automatic budgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
from games import Counting, codes, random_network, random_table, smooth_game
from numpy.testing import assert_allclose, assert_array_equal
from proxy_games import GAUSSIAN, NOISY, easy_game, error_of, noisy_game

import captum_spex
from captum_spex.approximators import Again, ProxySpex
from captum_spex.approximators.base import Problem
from captum_spex.approximators.proxyspex.dense_run import DenseRun
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks, mask_keys
from captum_spex.model import Residuals


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


def test_a_budget_that_just_fills_the_rounds() -> None:
    game = Counting(smooth_game)
    adaptive = ProxySpex(proxy="gaussian-process", rounds=3)
    captum_spex.explain(game, 20, budget=96, approximator=adaptive, random_state=0)
    assert [len(batch) for batch in game.batches] == [48, 24, 24]


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
        evaluations = run.evaluations()
        assert len(evaluations.masks) == 270
        once, twice = evaluations.noise.max(), evaluations.noise.min()
        assert_allclose(twice, once / 2)
        assert (evaluations.noise == twice).sum() == (30 if deviation else 270)
        found.append(once)
    assert_allclose(np.mean(found), deviation**2, rtol=0.15)


def test_residuals_shrink_under_noise() -> None:
    sizes = []
    for approximator in (GAUSSIAN, NOISY):
        result = captum_spex.explain(noisy_game(0.7, 2), 10, budget=200, approximator=approximator, random_state=0)
        residuals = result.model.parts[-1]
        assert isinstance(residuals, Residuals)
        sizes.append(np.abs(residuals.values).mean())
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


def test_trees_do_not_interpolate_the_noise() -> None:
    game = Counting(noisy_game(1.0, 3))
    approximator = ProxySpex(proxy="boosted-trees", rounds=1, noisy=True)
    result = captum_spex.explain(game, 10, budget=150, approximator=approximator, random_state=0)
    once = ~np.isin(mask_keys(game.batches[0]), mask_keys(game.batches[1]))
    masks = game.batches[0][once]
    quiet = np.abs(result.model(masks) - smooth_game(masks)).mean()
    assert quiet < 0.76  # 0.8 is the mean of the absolute noise


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

    settings: dict[str, Any] = {
        "budget": "auto",
        "target_faithfulness": 0.9,
        "approximator": GAUSSIAN,
        "random_state": 0,
    }
    easy, hard, constant = captum_spex.explain(game, 9, **settings)
    alone = captum_spex.explain(easy_game, 9, **settings)
    assert easy.n_evaluations == hard.n_evaluations == constant.n_evaluations > alone.n_evaluations
    assert hard.diagnostics["lower"] >= 0.9
    assert easy.faithfulness > hard.faithfulness
    assert constant.faithfulness == 1


def test_an_automatic_budget_under_noise_is_not_exceeded() -> None:
    game = Counting(noisy_game(2.0, 0))
    result = captum_spex.explain(game, 10, budget="auto", max_budget=100, approximator=NOISY, random_state=0)
    assert game.n_rows == result.n_evaluations == 100
    assert game.n_distinct == 90


@pytest.mark.parametrize("n", [3, 7])
def test_an_automatic_budget_that_takes_every_mask_is_exact(n: int) -> None:
    game = oracles.as_game(random_table(n, 0))
    result = captum_spex.explain(game, n, budget="auto", approximator=GAUSSIAN, random_state=0)
    assert result.n_evaluations == 2**n
    assert_allclose(result.model(all_masks(n)), game(all_masks(n)), atol=1e-10)
    assert result.faithfulness == 1.0
