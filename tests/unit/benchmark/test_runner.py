"""Runs of the benchmark: what is recorded, whatever methods and games do."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from benchmark_parts import MEAN, OWN, RAISING, TABLE, TINY, Explainer, N, weighted_sum, without_costs
from rich.console import Console

from captum_spex.benchmark import Answer, Case, read_results, run_benchmark
from captum_spex.errors import ArgumentError

QUICK_METHODS = ["SHAP PermutationExplainer", "Captum FeatureAblation"]


def test_a_game_and_explainers_of_ones_own(tmp_path, capsys):
    rows = run_benchmark(tmp_path, cases=[OWN], methods=[*QUICK_METHODS, MEAN], budgets=[4, 40], seeds=2)
    assert capsys.readouterr() == ("", "")
    assert [(row.method, row.budget, row.seed) for row in rows[-4:]] == [
        ("Mean", 4, 0), ("Mean", 4, 1), ("Mean", 40, 0), ("Mean", 40, 1)
    ]  # fmt: skip
    assert (rows[-4].status, rows[-4].message) == ("refused", "too few")
    last = rows[-1]
    assert (last.case, last.family, last.n_players, last.package) == ("mine", "own", 7, "numpy")
    assert last.version == np.__version__
    assert last.n_calls == 40
    assert 20 < last.n_evaluations < 40
    assert last.r2 < 0.05
    done = [row for row in rows if row.method == QUICK_METHODS[0] and row.status == "done"]
    assert all(row.r2 > 0.9 and row.own_seconds > 0 for row in done)
    assert (tmp_path / "report.html").exists()
    about = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert about["versions"]["numpy"] == np.__version__
    assert about["settings"]["seeds"] == 2


def test_an_explainer_that_fails_is_recorded_and_the_others_run(tmp_path):
    broken = Explainer("Broken", explain=lambda values, request: Answer(lambda masks: masks[0]))
    rows = run_benchmark(tmp_path, cases=[OWN], methods=[RAISING, broken, MEAN], budgets=[30], seeds=1)
    assert [row.status for row in rows] == ["failed", "failed", "done"]
    assert rows[0].message == "ZeroDivisionError: no way to go on"
    assert rows[0].n_calls == 30
    assert rows[1].message.startswith("ValueError: the explanation does not predict")
    assert without_costs(read_results(tmp_path)) == without_costs(rows)


UNUSABLE = {
    "nan": Answer(shapley=np.full(7, np.nan)),
    "infinite": Answer(shapley=np.full(7, np.inf)),
    "too many": Answer(shapley=np.zeros(8)),
    "a matrix": Answer(shapley=np.zeros((1, 7))),
    "nan of a pair": Answer(interactions={(0, 1): np.nan}),
    "other players": Answer(interactions={(0, 7): 1.0}),
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_an_answer_that_is_none_is_a_failure(tmp_path, answer):
    wrong = Explainer("Wrong", explain=lambda values, request: answer)
    rows = run_benchmark(tmp_path, cases=[OWN], methods=[wrong], budgets=[30], seeds=1)
    assert rows[0].status == "failed"
    assert re.search("the (Shapley values|interactions) are", rows[0].message)


def test_an_explainer_that_exits_is_recorded(tmp_path):
    def leaving(values, request):
        raise SystemExit(3)

    rows = run_benchmark(
        tmp_path, cases=[OWN], methods=[Explainer("Exit", explain=leaving), MEAN], budgets=[30], seeds=1
    )
    assert [(row.status, row.message) for row in rows] == [("failed", "SystemExit: 3"), ("done", "")]


@pytest.mark.parametrize(
    "game",
    [
        lambda masks: np.where(masks.sum(axis=1) == 3, np.nan, 1.0 * masks[:, 0]),
        lambda masks: np.zeros((len(masks), 1)),
        lambda masks: np.zeros(3),
    ],
)
def test_a_game_without_a_number_for_every_mask_is_recorded(tmp_path, game):
    rows = run_benchmark(tmp_path, cases=[Case("odd", "own", 7, game), OWN], methods=[MEAN], budgets=[30], seeds=1)
    assert [(row.case, row.status) for row in rows] == [("odd", "failed"), ("mine", "done")]
    assert rows[0].message == "ValueError: the game does not return a finite number for every mask"


def test_the_command_on_the_page_can_be_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["captum-spex", "--methods", "SHAP Perm*"])
    run_benchmark(tmp_path, cases=[OWN], methods=[MEAN], budgets=[30], seeds=1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "captum-spex --methods &#x27;SHAP Perm*&#x27;" in page


def test_halves_of_characters_in_the_command_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["captum-spex", "--games", "\udcff"])
    run_benchmark(tmp_path, cases=[OWN], methods=[MEAN], budgets=[30], seeds=1)
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["command"][-1] == "\udcff"
    with pytest.raises(ArgumentError, match="name"):
        run_benchmark(tmp_path / "other", cases=[Case("\udcff", "own", 7, weighted_sum)])


def test_a_game_that_cannot_be_made_is_recorded_and_the_others_run(tmp_path):
    torn = Case("torn", "own", 7, lambda masks: 1 / 0)
    rows = run_benchmark(tmp_path, cases=[torn, OWN], methods=[MEAN], budgets=[30], seeds=1)
    assert [(row.case, row.method, row.status) for row in rows] == [("torn", "", "failed"), ("mine", "Mean", "done")]
    assert rows[0].message == "ZeroDivisionError: division by zero"


def test_a_damaged_table_is_named_and_the_others_run(tmp_path):
    games = tmp_path / "games"
    games.mkdir()
    np.savez(games / "good.npz", n_players=N, values=TABLE)
    np.savez(games / "torn.npz", n_players=N, values=TABLE[1:])
    console = Console(file=(tmp_path / "said").open("w", encoding="utf-8"), width=300)
    out = tmp_path / "out"
    rows = run_benchmark(out, games=games, cases=["games/*"], methods=[MEAN], budgets=[20], seeds=1, console=console)
    assert [(row.case, row.status) for row in rows] == [("torn.npz", "failed"), ("games/good", "done")]
    assert "63 values" in rows[0].message
    console.file.close()
    assert "torn.npz: 63 values for 6 players" in (tmp_path / "said").read_text(encoding="utf-8")


def test_a_missing_package_is_reported_once_and_run_when_it_is_there(tmp_path, monkeypatch):
    arguments = {"cases": [OWN, TINY], "methods": ["SHAP Perm*", "Captum Feat*"], "budgets": [30], "seeds": 1}
    import shap

    with monkeypatch.context() as without:
        without.delattr(shap, "PermutationExplainer")
        rows = run_benchmark(tmp_path, **arguments)
    assert [(row.case, row.status) for row in rows if row.package == "shap"] == [("", "missing")]
    assert rows[0].message.startswith("not in shap")
    rows = run_benchmark(tmp_path, **arguments)
    assert [(row.case, row.status) for row in rows if row.package == "shap"] == [("mine", "done"), ("tiny", "done")]
    assert without_costs(read_results(tmp_path)) == without_costs(rows)


def test_the_table_of_a_terminal(tmp_path):
    path = tmp_path / "said"
    with path.open("w", encoding="utf-8") as file:
        console = Console(file=file, force_terminal=True, width=120)
        run_benchmark(tmp_path / "out", cases=[OWN], methods=["ProxySpex", MEAN, RAISING], budgets=[40], seeds=1,
                      console=console)  # fmt: skip
    said = path.read_text(encoding="utf-8")
    assert "R² on unseen masks (evaluations" in said
    assert "[3/3] mine, Raising, 40: failed, ZeroDivisionError: no way to go on" in said
    assert "0 lost, 0 tied, 1 won of 1 case" in said
