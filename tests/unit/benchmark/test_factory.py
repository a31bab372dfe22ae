"""The estimator by shapiq's rules: its constructor, its answers and its budget."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from captum_spex.approximators import Spex
from captum_spex.benchmark.factory import ProxySpexEstimator, make
from captum_spex.errors import ArgumentError, OrderError

N = 9
WEIGHTS = np.linspace(-1.0, 2.0, N)


class Game:
    """A sum and a pair, as games of shapiq: rows of truth values; it counts them."""

    n_players = N

    def __init__(self):
        self.count = 0

    def __call__(self, rows):
        assert rows.shape[1] == N
        assert np.isin(rows, (0, 1)).all()
        self.count += len(rows)
        return 0.5 + rows @ WEIGHTS + 3.0 * (rows[:, 1] * rows[:, 4])


def test_the_defaults_are_shapley_values_for_a_leaderboard_and_pairs_for_a_benchmark():
    assert (make(N).index, make(N).max_order) == ("SV", 1)
    assert (ProxySpexEstimator(N).index, ProxySpexEstimator(N).max_order) == ("k-SII", 2)
    assert ProxySpexEstimator(1).max_order == 1
    assert ProxySpexEstimator(N, index="BV").max_order == 1


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"n": 0}, ArgumentError, "`n`"),
        ({"n": 2.5}, ArgumentError, "`n`"),
        ({"index": "Fourier"}, ArgumentError, "'Fourier'"),
        ({"index": "SII", "max_order": 0}, OrderError, "max_order"),
        ({"index": "SII", "max_order": N + 1}, OrderError, "max_order"),
    ],
)
def test_arguments_are_refused_before_any_game(settings, error, said):
    with pytest.raises(error, match=said):
        make(**({"n": N} | settings))


def test_shapley_values_within_the_budget():
    pytest.importorskip("shapiq")
    game = Game()
    values = make(N).approximate(100, game)
    assert (values.index, values.max_order, values.n_players) == ("SV", 1, N)
    assert game.count <= 100
    assert values.estimation_budget <= 100
    exact = WEIGHTS + 1.5 * np.isin(range(N), (1, 4))
    assert_allclose([values[(player,)] for player in range(N)], exact, atol=0.05)
    again = make(N).approximate(budget=100, game=Game())
    assert again.values.tolist() == values.values.tolist()


@pytest.mark.parametrize("budget", [4, 2**N])
def test_very_few_masks_and_all_of_them(budget):
    pytest.importorskip("shapiq")
    game = Game()
    values = make(N, index="SII").approximate(budget, game)
    assert game.count <= budget
    assert np.isfinite(values.values).all()
    if budget == 2**N:
        assert values[(1, 4)] == pytest.approx(3.0)
        assert not values.estimated


def test_another_algorithm():
    pytest.importorskip("shapiq")
    values = ProxySpexEstimator(N, index="FBII", approximator=Spex(), random_state=0).approximate(400, Game())
    assert values[(1, 4)] == pytest.approx(3.0, abs=0.1)


def test_without_shapiq_nothing_is_evaluated(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shapiq", None)
    game = Game()
    with pytest.raises(ImportError, match="shapiq"):
        make(N).approximate(50, game)
    assert game.count == 0
