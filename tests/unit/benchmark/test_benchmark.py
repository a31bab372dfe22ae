"""The benchmark: what it counts and measures, what it writes, how it goes on, what it says of what goes wrong."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace
from itertools import permutations
from math import comb, isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from oracles import as_game, code, every_mask, of_every_set, sii_weight
from rich.console import Console
from sampled import examples

from captum_spex.benchmark import Answer, Case, Request, all_methods, read_results, run_benchmark
from captum_spex.benchmark._attempt import Attempts
from captum_spex.benchmark._counted import counted, watched_memory
from captum_spex.benchmark._measure import Examiner, hold_out, r_squared
from captum_spex.benchmark._plan import plan_of
from captum_spex.benchmark.methods import method_named
from captum_spex.cli import main
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError
from captum_spex.masks import PackedMasks, mask_keys
from captum_spex.model import GameModel, Residuals, Spectrum

N = 6
TABLE = np.random.default_rng(5).normal(size=2**N)
GAME = as_game(TABLE)
MASKS = every_mask(N)
TRUTH = GameModel((Residuals(MASKS, TABLE),))
TINY = Case("tiny", "own", N, GAME, TRUTH)
NOTHING_SEEN = np.zeros(0, dtype=np.uint64)
QUICK_METHODS = ["SHAP PermutationExplainer", "Captum FeatureAblation"]


def weighted_sum(masks):
    return 1.0 + masks @ np.arange(1.0, 8.0) + 2.0 * (masks[:, 0] & masks[:, 3])


OWN = Case("mine", "own", 7, weighted_sum)


@dataclass(frozen=True)
class Explainer:
    """An explainer of the caller: it evaluates as many masks as it may, and says what ``explain`` says."""

    name: str = "Guess"
    package: str = "numpy"
    explain: object = None

    def missing(self):
        return None

    def refusal(self, request):
        return "too few" if request.budget < 8 else None

    def __call__(self, game, request):
        masks = np.random.default_rng(request.seed).random((request.budget, request.n_players)) < 0.5
        return self.explain(game(masks), request)


def mean_of(values, request):
    print("loud")
    mean = float(values.mean())
    return Answer(lambda masks: np.full(len(masks), mean), np.zeros(request.n_players))


def raising(values, request):
    raise ZeroDivisionError("no way\nto go on")


MEAN = Explainer("Mean", explain=mean_of)
RAISING = Explainer("Raising", explain=raising)


def numbers(answer, seen=NOTHING_SEEN, max_order=2, gives_groups=False):
    return Examiner(TINY).numbers(answer, seen, max_order, gives_groups=gives_groups)


def without_costs(rows):
    return sorted(str(replace(row, own_seconds=0.0, peak_mib=0.0)) for row in rows)


# --- counting ---------------------------------------------------------------------------------------------------------


def test_distinct_masks_and_all_masks_are_counted():
    game = counted(GAME, N)
    values = game(MASKS[[3, 5, 3]])
    game(MASKS[5:8].astype(np.float64))
    assert_allclose(values, TABLE[[3, 5, 3]])
    assert (game.n_evaluations, game.n_calls) == (4, 6)
    assert sorted(game.seen) == [3, 5, 6, 7]
    assert game.seconds > 0


def test_packed_masks_are_counted_alike():
    class Packed:
        def __call__(self, masks):
            return masks.sum(axis=1)

        def evaluate_packed(self, block):
            return block.unpack().sum(axis=1)

    masks = np.random.default_rng(0).random((20, 100)) < 0.5
    plain, packed = counted(Packed(), 100), counted(Packed(), 100)
    plain(masks)
    packed.evaluate_packed(PackedMasks.of(masks))
    assert_allclose(packed.seen, plain.seen)
    assert packed.n_calls == 20
    assert not hasattr(counted(weighted_sum, 7), "evaluate_packed")


def test_memory_is_looked_at_while_it_is_used():
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not tell")
    with watched_memory() as peak:
        held = np.ones(40 << 17)  # 40 MiB
        peak.look()
        del held
    assert 38 < peak.mib < 80


# --- measures against their definitions -------------------------------------------------------------------------------


def test_r2_by_its_definition_for_all_masks():
    predicted = np.random.default_rng(1).normal(size=2**N)
    found = numbers(Answer(as_game(predicted)))
    assert found["r2"] == pytest.approx(1 - ((TABLE - predicted) ** 2).sum() / ((TABLE - TABLE.mean()) ** 2).sum())
    weights = np.array([1 / (N + 1) / comb(N, int(mask.sum())) for mask in MASKS])
    mean = weights @ TABLE
    assert found["r2_sized"] == pytest.approx(1 - weights @ (TABLE - predicted) ** 2 / (weights @ (TABLE - mean) ** 2))


def test_masks_that_were_seen_do_not_count():
    seen = MASKS[::2]
    cheat = TABLE.copy()
    cheat[1::2] = 0.0  # right where it was seen, nothing elsewhere
    found = numbers(Answer(as_game(cheat)), mask_keys(seen))
    unseen = TABLE[1::2]
    assert found["r2"] == pytest.approx(1 - (unseen**2).sum() / ((unseen - unseen.mean()) ** 2).sum())
    assert isnan(numbers(Answer(GAME), mask_keys(MASKS))["r2"])


def test_r2_of_a_constant_game_is_unknown():
    assert isnan(r_squared(np.full(50, 3.0), np.zeros(50), np.ones(50)))


def shapley_by_permutations():
    total = np.zeros(N)
    for order in permutations(range(N)):
        for place, player in enumerate(order):
            total[player] += TABLE[code(order[: place + 1])] - TABLE[code(order[:place])]
    return total / np.prod(np.arange(1, N + 1))


def test_shapley_error_by_its_definition():
    exact = shapley_by_permutations()
    guess = exact + np.arange(N)
    found = numbers(Answer(shapley=guess))
    assert found["shapley_error"] == pytest.approx((np.arange(N) ** 2).sum() / (exact**2).sum())
    assert numbers(Answer(shapley=exact))["shapley_error"] == pytest.approx(0, abs=1e-20)


def test_errors_and_precision_of_interactions():
    exact = of_every_set(sii_weight)(TABLE, N, 3)
    groups = {players: value for players, value in exact.items() if len(players) > 1}
    found = numbers(Answer(interactions=groups), max_order=3)
    assert_allclose([found["order2_error"], found["order3_error"]], 0, atol=1e-20)
    assert found["precision"] == 1

    some = dict(sorted(groups.items(), key=lambda pair: -abs(pair[1]))[:5])
    found = numbers(Answer(interactions=some), max_order=3)
    for order in (2, 3):
        left = [value**2 for players, value in groups.items() if len(players) == order and players not in some]
        every = [value**2 for players, value in groups.items() if len(players) == order]
        assert found[f"order{order}_error"] == pytest.approx(sum(left) / sum(every))
    assert found["precision"] == 0.5


def test_no_interaction_is_an_answer_of_those_who_give_some():
    assert "precision" not in numbers(Answer(GAME))
    found = numbers(Answer(GAME), gives_groups=True)
    assert_allclose([found["order2_error"], found["precision"]], [1, 0])
    assert "order3_error" not in found


def test_other_indices_are_compared_with_their_own_exact_values():
    game = GameModel((Spectrum.from_values(TABLE, N),))
    for name in ("SHAP ExactExplainer", "shapiq RegressionFSII"):
        method = method_named(name)
        if method.missing():
            pytest.skip(method.missing())
        for max_order in (2, 3):
            answer = method(game, Request(N, 2**N, 0, max_order))
            assert numbers(answer, max_order=max_order)["order2_error"] < 1e-6


def test_removal_area_by_hand():
    case = Case("sum", "own", 4, lambda masks: 10.0 - masks @ np.array([4.0, 3.0, 2.0, 1.0]))
    examiner = Examiner(case)
    best = examiner.numbers(Answer(shapley=-np.array([4.0, 3, 2, 1])), NOTHING_SEEN, 2, gives_groups=False)
    worst = examiner.numbers(Answer(shapley=np.array([4.0, 3, 2, 1])), NOTHING_SEEN, 2, gives_groups=False)
    # shares of what all change that are left: 1, .6, .3, .1, 0 and 1, .9, .7, .4, 0
    assert best["removal_area"] == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4)
    assert worst["removal_area"] == pytest.approx((0.5 + 0.9 + 0.7 + 0.4) / 4)


def test_players_are_ranked_by_predictions_where_there_are_no_shapley_values():
    case = Case("sum", "own", 4, lambda masks: masks @ np.array([1.0, 2.0, 3.0, 4.0]))
    found = Examiner(case).numbers(Answer(case.game), NOTHING_SEEN, 2, gives_groups=False)
    assert found["removal_area"] == pytest.approx(0.375)


def test_held_out_masks_are_of_both_kinds_and_depend_on_the_name():
    case = Case("wide", "own", 40, lambda masks: masks.sum(axis=1) + 0.0)
    one, same, other = hold_out(case), hold_out(case), hold_out(replace(case, name="other"))
    assert_allclose(one.masks, same.masks)
    assert not np.array_equal(one.masks, other.masks)
    assert one.uniform.sum() == one.sized.sum() == 1000
    sizes = one.masks.sum(axis=1)
    assert 2.8 < sizes[one.uniform > 0].std() < 3.6  # of a binomial, 3.2
    assert 11 < sizes[one.sized > 0].std() < 12.7  # of a uniform one, 11.8
    assert_allclose(one.values, sizes)
    assert hold_out(case, 250).uniform.sum() == 250


def test_an_answer_that_is_not_finite_is_an_error():
    with pytest.raises(ValueError, match="finite"):
        numbers(Answer(lambda masks: np.full(len(masks), np.nan)))


# --- runs -------------------------------------------------------------------------------------------------------------


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


def test_players_of_a_set_may_be_in_any_order():
    answers = (Answer(interactions={players: 2.0}) for players in ((1, 4), (4, 1)))
    one, other = (numbers(answer) for answer in answers)
    assert one == other


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


def test_a_slow_method_gets_no_larger_budget():
    plan = plan_of(quick=True, cases=[OWN], methods=[MEAN], budgets=[16, 32], seeds=2)
    (source,) = plan.sources
    runs = list(plan.runs(source))
    case, examiner = source.load(), Examiner(OWN)
    first = Attempts([], is_quick=True).row(runs[0], case, examiner)
    slow = replace(first, own_seconds=7.0)
    statuses = [Attempts([slow], is_quick=True).row(run, case, examiner) for run in runs]
    assert [row.status for row in statuses] == ["done", "done", "refused", "refused"]
    assert statuses[-1].message == "the budget before took 7 s"
    assert Attempts([slow], is_quick=False).row(runs[-1], case, examiner).status == "done"


def test_every_method_is_in_the_quick_selection():
    plan = plan_of(quick=True)
    assert [method.name for method in plan.methods] == [method.name for method in all_methods()]
    assert all(len(plan.budgets_of(source)) == 3 for source in plan.sources)


def test_budgets_are_fewer_than_all_masks_and_smaller_where_evaluations_are_slow():
    plan = plan_of()
    budgets = {source.name: plan.budgets_of(source) for source in plan.sources}
    assert budgets["boosted-10"] == [128, 256, 512]
    assert budgets["digits-64"] == [128, 256, 512, 1024, 2048, 4096]
    assert budgets["encoder-96"] == [128, 256, 512, 1024]
    assert budgets["planted-10000"][-1] == 8192
    assert plan_of(cases=["boosted-10"], budgets=[1024, 2048]).budgets_of(plan.sources[0]) == [1024]


# --- going on ---------------------------------------------------------------------------------------------------------

SMALL = {"cases": [OWN, TINY], "methods": ["Captum Feat*", MEAN, RAISING], "budgets": [20, 30], "seeds": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, run_benchmark(folder, **SMALL)


def test_a_finished_run_is_not_done_again(finished):
    folder, rows = finished
    assert [str(row) for row in run_benchmark(folder, **SMALL)] == [str(row) for row in rows]


@given(st.data())
@examples(0.5)
def test_a_run_that_was_killed_goes_on(finished, tmp_path_factory, data):
    folder, rows = finished
    octets = (folder / "results.csv").read_bytes()
    kept = data.draw(st.integers(0, len(octets)))
    copy = tmp_path_factory.mktemp("killed")
    (copy / "results.csv").write_bytes(octets[:kept])
    (copy / "run.json").write_bytes((folder / "run.json").read_bytes())
    again = run_benchmark(copy, **SMALL)
    assert without_costs(again) == without_costs(rows)
    assert without_costs(read_results(copy)) == without_costs(rows)
    whole = octets[:kept].count(b"\n") - 1
    assert [str(row) for row in again[: max(whole, 0)]] == [str(row) for row in rows[: max(whole, 0)]]  # not done again


def test_a_line_that_was_not_written_to_its_end_is_said(finished, tmp_path, capsys):
    folder, _ = finished
    for name in ("results.csv", "run.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes()[: -5 if name == "results.csv" else None])
    run_benchmark(tmp_path, **SMALL, console=Console(width=300))
    assert "was not written to its end: that run is done again" in capsys.readouterr().out


# --- folders that are refused -----------------------------------------------------------------------------------------


def refused(folder, match, **changes):
    def never(masks):
        raise AssertionError("evaluated")

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    arguments = {**SMALL, "cases": [replace(OWN, game=never), replace(TINY, game=never)], **changes}
    with pytest.raises(ArgumentError, match=match) as caught:
        run_benchmark(folder, **arguments)
    assert "--restart" in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def copied(finished, tmp_path, **changes):
    folder, _ = finished
    about = json.loads((folder / "run.json").read_text(encoding="utf-8")) | changes
    (tmp_path / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / "results.csv").write_bytes((folder / "results.csv").read_bytes())
    return tmp_path


def test_a_folder_of_another_version_is_refused(finished, tmp_path):
    refused(copied(finished, tmp_path, captum_spex="0.0.1"), "written by captum_spex 0.0.1")


def test_a_folder_of_another_schema_is_refused(finished, tmp_path):
    refused(copied(finished, tmp_path, schema=99), "written by schema 99")


def test_a_folder_of_other_settings_is_refused(finished, tmp_path):
    refused(copied(finished, tmp_path), "quick=false.*quick=true", quick=True)
    refused(tmp_path, r"seeds=1.*seeds=2", seeds=2)


def test_a_folder_of_something_else_is_refused(finished, tmp_path):
    (tmp_path / "results.csv").write_text("name,age\n", encoding="utf-8")
    refused(tmp_path, "a results.csv but no run.json")
    (tmp_path / "run.json").write_text("[1", encoding="utf-8")
    refused(tmp_path, "cannot be read")
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    refused(tmp_path, "of something else")


def test_a_damaged_line_is_named(finished, tmp_path):
    folder = copied(finished, tmp_path)
    lines = (folder / "results.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "results.csv").write_text("".join([lines[0], lines[1][:9] + "\n", *lines[2:]]), encoding="utf-8")
    refused(folder, "line 2 is damaged")
    (folder / "results.csv").write_text("".join(lines).replace(",done,", ",gone,", 1), encoding="utf-8")
    refused(folder, "its status 'gone' is none of done")


def test_restart_begins_anew(finished, tmp_path):
    folder = copied(finished, tmp_path, captum_spex="0.0.1")
    rows = run_benchmark(folder, **SMALL, restart=True)
    assert without_costs(rows) == without_costs(finished[1])


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ArgumentError, match="a folder that can be written"):
        run_benchmark(tmp_path / "file", **SMALL)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"cases": ["nonsense"]}, UnknownNameError, "'boosted-10'"),
        ({"methods": ["nonsense"]}, UnknownNameError, "'Captum Lime'"),
        ({"budgets": [1]}, BudgetError, "budgets"),
        ({"budgets": []}, ArgumentError, "at least one"),
        ({"seeds": 0}, ArgumentError, "seeds"),
        ({"cases": [OWN, OWN]}, ArgumentError, "the name 'mine'"),
        ({"games": "nowhere"}, ArgumentError, "`games`: expected .*, got 'nowhere'"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, arguments, error, match):
    with pytest.raises(error, match=match):
        run_benchmark(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_no_results_to_read(tmp_path):
    with pytest.raises(ArgumentError, match="the folder of a benchmark that was run"):
        read_results(tmp_path)


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_runs_and_goes_on(tmp_path, capsys):
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
    assert error.startswith("Error: --out: expected ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--out: got nothing"),
        (["--out", "x", "--cases", "nonsense"], "--cases: got 'nonsense'"),
        (["--out", "x", "--budgets", "1,2,x"], "--budgets: got '1,2,x'"),
        (["--out", "x", "--games", "nowhere"], "--games: got 'nowhere'"),
        (["--out", "x", "--seeds", "0"], "--seeds"),
    ],
)
def test_bad_usage(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.endswith((" See docs/benchmark.md\n", " All options: captum-spex benchmark --help\n"))
    assert not list(tmp_path.iterdir())


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


def test_the_table_of_a_terminal(tmp_path):
    path = tmp_path / "said"
    with path.open("w", encoding="utf-8") as file:
        console = Console(file=file, force_terminal=True, width=120)
        run_benchmark(tmp_path / "out", cases=[OWN], methods=["ProxySpex", MEAN, RAISING], budgets=[40], seeds=1,
                      console=console)  # fmt: skip
    said = path.read_text(encoding="utf-8")
    assert "R² on unseen masks (evaluations)" in said
    assert "40: ProxySpex " in said
    assert " ahead of Mean " in said
    assert "Failed: mine: Raising, ZeroDivisionError: no way to go on" in said
