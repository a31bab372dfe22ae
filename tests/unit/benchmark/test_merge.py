"""Parts of a benchmark are merged; one that is missing, unfinished, damaged or of another benchmark is named."""

from __future__ import annotations

import json
import shutil

import pytest
from benchmark_parts import MEAN, OWN, RAISING, TINY, without_costs

from captum_spex.benchmark import merge_shards, read_results, run_benchmark
from captum_spex.errors import ArgumentError

SMALL = {"cases": [OWN, TINY], "methods": ["Captum Feat*", MEAN, RAISING], "budgets": [20, 30], "seeds": 2}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for number in (3, 1, 2):
        run_benchmark(folder, **SMALL, shard=f"{number}/3")
    return folder


@pytest.fixture
def copy(parts, tmp_path):
    return shutil.copytree(parts, tmp_path / "copy")


def test_merged_parts_are_what_one_run_gives(copy, tmp_path):
    merged = merge_shards(copy)
    whole = run_benchmark(tmp_path / "whole", **SMALL)
    assert without_costs(merged) == without_costs(whole)
    assert [row.key for row in merged] == [row.key for row in whole]
    assert without_costs(read_results(copy)) == without_costs(merged)
    assert (copy / "report.html").exists()
    about = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    assert [sorted(part) for part in about["shards"]] == [["begun", "cpu_count", "finished", "processor"]] * 3
    assert about["held_out"].keys() == {"mine", "tiny"}


def test_what_is_missing_is_recorded_once(tmp_path, monkeypatch):
    import shap

    monkeypatch.delattr(shap, "PermutationExplainer")
    for number in (1, 2):
        run_benchmark(tmp_path, **SMALL | {"methods": ["SHAP Perm*", MEAN]}, shard=f"{number}/2")
    rows = merge_shards(tmp_path)
    assert [(row.method, row.status) for row in rows if not row.case] == [("SHAP PermutationExplainer", "missing")]


def refused(folder, match):
    before = {path.name for path in folder.iterdir()} if folder.exists() else None
    with pytest.raises(ArgumentError, match=match):
        merge_shards(folder)
    assert before == ({path.name for path in folder.iterdir()} if folder.exists() else None)


def changed(copy, **changes):
    path = copy / "shard-2-of-3" / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        about[name] = about[name] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(about), encoding="utf-8")
    return copy


def test_parts_that_are_missing_are_named(copy):
    shutil.rmtree(copy / "shard-2-of-3")
    refused(copy, "`merge`: expected all parts, got .* without 2/3. Run what is missing.")


def test_a_folder_without_parts_is_refused(tmp_path):
    refused(tmp_path, "expected the folder of a benchmark whose parts have run with `shard`, got .* without any")
    refused(tmp_path / "nowhere", "without any")


def test_parts_of_two_divisions_are_refused(copy):
    shutil.copytree(copy / "shard-2-of-3", copy / "shard-2-of-4")
    refused(copy, "with parts of 3 and of 4")


def test_a_part_of_another_version_is_named(copy):
    refused(changed(copy, captum_spex="0.0.1"), "got shard-2-of-3 with captum_spex 0.0.1")


def test_a_part_of_another_library_is_named(copy):
    refused(changed(copy, versions={"numpy": "1.0"}), "got shard-2-of-3 with numpy 1.0")


def test_a_part_of_other_settings_is_named(copy):
    refused(changed(copy, settings={"seeds": 7}), "in shard-1-of-3: seeds 2, got shard-2-of-3 with seeds 7")


def test_a_part_that_is_not_finished_is_named(copy):
    refused(changed(copy, finished=None), "got shard-2-of-3, which is not finished")


def test_a_stopped_part_is_not_finished_until_it_has_gone_on(copy):
    changed(copy, finished=None)
    run_benchmark(copy, **SMALL, shard="2/3")
    assert merge_shards(copy)


def test_a_damaged_part_is_named(copy):
    path = copy / "shard-3-of-3" / "results.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(",done,", ",gone,", 1), encoding="utf-8")
    refused(copy, "shard-3-of-3.results.csv, which is damaged after line")
    path.write_text(whole[:-5], encoding="utf-8")
    refused(copy, "got .*shard-3-of-3.results.csv, whose last line is incomplete")
    path.unlink()
    refused(copy, "shard-3-of-3.results.csv")
    (path.parent / "run.json").write_text("{", encoding="utf-8")
    refused(copy, "shard-3-of-3.run.json, which cannot be read")


def test_a_part_in_the_place_of_another_is_named(copy):
    shutil.rmtree(copy / "shard-2-of-3")
    shutil.copytree(copy / "shard-1-of-3", copy / "shard-2-of-3")
    refused(copy, "got shard-2-of-3 with the results of shard-1-of-3")


def test_a_part_that_lost_whole_lines_is_named(copy):
    path = copy / "shard-3-of-3" / "results.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    refused(copy, f"expected {len(lines) - 1} as when it was finished, got shard-3-of-3 with {len(lines) - 2} rows")


def test_parts_without_settings_are_named(copy):
    path = copy / "shard-1-of-3" / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: fact for name, fact in about.items() if name != "settings"}), encoding="utf-8")
    refused(copy, "shard-1-of-3.run.json of something else")


def test_folders_that_no_part_has_are_left_alone(copy):
    n_rows = len(merge_shards(copy))
    for name in ("shard-4-of-3", "shard-02-of-3", "shard-0-of-3"):
        shutil.copytree(copy / "shard-1-of-3", copy / name)
    assert len(merge_shards(copy)) == n_rows
