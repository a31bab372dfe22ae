"""The benchmark of tree ensembles prints every cell, and counts evaluations."""

from __future__ import annotations

import numpy as np

from benchmarks import tree_games as benchmark
from captum_spex.benchmark.cases.trees import ensemble_game


def test_every_cell_is_printed(capsys):
    arguments = ["--kinds", "few-leaves", "--players", "25", "--budgets", "64", "--seeds", "1"]
    benchmark.main([*arguments, "--rivals", "KernelSHAP"])
    *_, targets, _, header, line = capsys.readouterr().out.splitlines()
    assert targets.startswith("targets")
    assert header.count("|") == line.count("|") == 2
    assert line.split()[:4] == ["few-leaves", "25", "64", "1"]
    assert "KernelSHAP" in line


def test_evaluations_are_counted():
    game, _ = ensemble_game("few-leaves", 25, 0)
    counted = benchmark.Counted(game)
    counted(np.zeros((3, 25), dtype=bool))
    counted(np.zeros((2, 25), dtype=bool))
    assert counted.count == 5
