"""The benchmark of tree ensembles: its games are the ensembles, its exact values those of the definition."""

from __future__ import annotations

import numpy as np
import pytest

import captum_spex
from benchmarks import tree_games as benchmark
from captum_spex.masks import all_masks

KINDS = ("few-leaves", "xgboost", "boosting", "deep-forest")


@pytest.fixture(params=KINDS)
def kind(request):
    if request.param == "xgboost":
        pytest.importorskip("xgboost")
    return request.param


def test_a_game_is_the_ensemble_on_mixed_rows(kind):
    game, predict = benchmark.made(kind, 30, 0)
    masks = np.random.default_rng(1).random((40, 30)) < 0.5
    assert np.ptp(game(masks) - predict(masks)) < 1e-5 * np.ptp(game(masks))  # XGBoost adds in single precision


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sii_of_conjunctions_is_that_of_the_table(order):
    rng = np.random.default_rng(order)
    paths = {}
    for _ in range(12):
        players = rng.choice(7, rng.integers(1, 6), replace=False)
        paths[frozenset((int(player), int(rng.choice([-1, 1]))) for player in players)] = rng.normal()
    game = benchmark.TreeGame.of_paths(7, paths)
    for row in all_masks(7)[::9]:
        direct = sum(v for path, v in paths.items() if all(row[player] == (sign > 0) for player, sign in path))
        assert game(row[None])[0] == pytest.approx(direct)
    exact = captum_spex.explain(game, 7, budget=2**7, index="SII", max_order=order)
    found = game.sii(order)
    assert {len(players) for players in found} == {order}
    for players in exact:
        if len(players) == order:
            assert found.get(players, 0.0) == pytest.approx(exact[players], abs=1e-12)


def test_every_cell_is_printed(capsys):
    arguments = ["--kinds", "few-leaves", "--players", "25", "--budgets", "64", "--seeds", "1"]
    benchmark.main([*arguments, "--rivals", "KernelSHAP"])
    *_, targets, _, header, line = capsys.readouterr().out.splitlines()
    assert targets.startswith("targets")
    assert header.count("|") == line.count("|") == 2
    assert line.split()[:4] == ["few-leaves", "25", "64", "1"]
    assert "KernelSHAP" in line


def test_evaluations_are_counted():
    game, _ = benchmark.made("few-leaves", 25, 0)
    counted = benchmark.Counted(game)
    counted(np.zeros((3, 25), dtype=bool))
    counted(np.zeros((2, 25), dtype=bool))
    assert counted.count == 5
