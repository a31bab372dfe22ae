"""The benchmark of budgets: a file that is resumed, a table of what got worse, a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import budgets as benchmark
from captum_spex.benchmark import Case, catalogue
from captum_spex.benchmark.methods.adapter import shapley_of

OF_SMALL = ["--only", "planted-10", "--multiples", "2", "4", "--seeds", "2"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The runs of one small game."""
    path = tmp_path_factory.mktemp("budgets") / "runs.csv"
    benchmark.main(["run", str(path), "--cache", str(path.parent / "cache"), *OF_SMALL])
    return path


def test_runs_are_written_once(small, capsys):
    runs = benchmark.read(small)
    names = [one.name for one in runs]
    assert len(names) == len(set(names)) == 6  # Bernoulli masks at 4 n only
    assert {one.budget for one in runs} == {20, 40}
    benchmark.main(["run", str(small), *OF_SMALL])
    assert capsys.readouterr().out == ""
    assert benchmark.read(small) == runs


def test_no_run_begins_when_the_time_is_up(tmp_path, capsys):
    benchmark.main(["run", str(tmp_path / "runs.csv"), *OF_SMALL, "--seconds", "-1"])
    assert capsys.readouterr().out.startswith("time is up")
    assert not (tmp_path / "runs.csv").exists()


def test_reference_values_are_those_of_the_game():
    source = next(one for one in catalogue() if one.name == "network-13")
    case = source.load()
    hidden = Case(case.name, case.family, case.n_players, case.game, None)
    exact, found = shapley_of(case.truth), benchmark.shapley_values(hidden)
    assert np.linalg.norm(found - exact) < 0.01 * np.linalg.norm(exact)


def test_steps_back_and_games_below_bernoulli_masks_are_listed(small):
    runs = benchmark.read(small)
    good = [replace(one, r2=0.9, error=1 / one.multiple) for one in runs]
    assert list(benchmark.summary(good))[-1] == "1 games; 0 steps back of 2; 0 of 1 R² below Bernoulli masks"
    bad = [replace(one, r2=0.8, error=0.6) if (one.multiple, one.design) == (4, "auto") else one for one in good]
    back, also_back, empty, below, *_, count = benchmark.summary(bad)
    assert back.split()[:6] == ["planted-10", "2", "n", "to", "4", "n"]
    assert "R²    -0.100 ± 0.000" in back
    assert "error +0.200 ± 0.000" in also_back
    assert empty == ""
    assert below.split()[:4] == ["planted-10", "4", "n:", "R²"]
    assert count == "1 games; 2 steps back of 2; 1 of 1 R² below Bernoulli masks"


def test_two_files_are_compared(small, tmp_path, capsys):
    before = tmp_path / "before.csv"
    for one in benchmark.read(small):
        benchmark.append(before, replace(one, r2=0.5, error=2 * one.error + 1e-6))
    benchmark.main(["table", str(small), "--before", str(before)])
    _, first, *others = capsys.readouterr().out.splitlines()
    assert len(others) == 2
    assert first.split()[:4] == ["auto", "2", "n", "1"]
    assert first.split()[5] == "0.5000"
    assert first.split()[-1] == "0.500"


def test_the_picture_has_a_panel_for_every_game(small, tmp_path):
    runs = benchmark.read(small)
    two = [*runs, *(replace(one, game="another") for one in runs)]
    benchmark.draw(two, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
