"""``captum-spex benchmark``: options, exit codes, and what is printed."""

from __future__ import annotations

import sys

import pytest

from captum_spex.benchmark import read_results
from captum_spex.cli import main


def test_the_command_runs_and_resumes(tmp_path, capsys):
    arguments = ["benchmark", "--out", str(tmp_path), "--cases", "planted-10", "--budgets", "64,128", "--seeds", "1"]
    arguments += ["--methods", "SHAP Perm*", "--methods", "captum kernelshap"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "[4/4] planted-10, SHAP PermutationExplainer, 128: R² " in said
    assert str(tmp_path / "results.csv") in said
    assert len(read_results(tmp_path)) == 4
    assert main(arguments) == 0
    assert "All runs are done already." in capsys.readouterr().out
    assert main([*arguments[:2], str(tmp_path / "other"), *arguments[3:6], "2000", *arguments[7:]]) == 1
    assert "all budgets exceed the number of masks" in capsys.readouterr().out
    assert main([*arguments, "--quick"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: --out: expected one with quick=true, got ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--out: expected a folder for the results, got nothing."),
        (["--out", "x", "--cases", "nonsense"], "got 'nonsense'"),
        (
            ["--out", "x", "--budgets", "1,2,x"],
            "--budgets: expected numbers separated by commas, such as",
        ),
        (["--out", "x", "--games", "nowhere"], "--games: expected a folder that exists, got 'nowhere'."),
        (["--out", "x", "--seeds", "0"], "--seeds"),
    ],
)
def test_bad_usage(arguments, said, capsys, tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert main(["benchmark", *arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.endswith((" See docs/benchmark.md\n", " All options: captum-spex benchmark --help\n"))
    assert not list(folder.iterdir())


def test_nothing_done_is_a_failure(tmp_path):
    arguments = ["--cases", "planted-10", "--methods", "SHAP Exact*", "--budgets", "64", "--seeds", "1"]
    assert main(["benchmark", "--out", str(tmp_path), *arguments]) == 1


def test_the_list_names_games_methods_and_what_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shapiq.approximator", None)
    assert main(["benchmark", "--list", "--quick"]) == 0
    said = capsys.readouterr().out
    assert "forest-13 " in said
    assert "encoder-96" not in said
    line = next(line for line in said.splitlines() if "shapiq SPEX" in line)
    assert "cannot be imported" in line or "not installed" in line
