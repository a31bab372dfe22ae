"""The folder of a benchmark: it is resumed, or refused if it is of something else."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_parts import MEAN, OWN, RAISING, TINY, without_costs
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sampled import examples

from captum_spex.benchmark import Case, read_results, run_benchmark
from captum_spex.benchmark.protocol import version_of
from captum_spex.errors import ArgumentError

ROOT = Path(__file__).parents[3]
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
    assert "is incomplete: that run is repeated" in capsys.readouterr().out


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
    refused(copied(finished, tmp_path), "quick=true, got .* quick=false", quick=True)
    refused(tmp_path, "budgets=.20, 30, 40., got .* budgets=.20, 30.", budgets=[20, 30, 40])
    fewer = {"methods": [MEAN]}
    refused(tmp_path, "methods=..Mean.., got .* methods=", **fewer)


def test_a_folder_of_other_libraries_is_refused(finished, tmp_path):
    about = json.loads((finished[0] / "run.json").read_text(encoding="utf-8"))
    versions = about["versions"] | {"scipy": "0.9", "torch": ""}  # what was not there before is no reason
    refused(copied(finished, tmp_path, versions=versions), "of a run with scipy 0.9")


def test_the_version_of_a_library_that_is_gone_is_kept(finished, tmp_path):
    """Else another one could be installed afterwards, and its rows stand beside those of the first."""
    about = json.loads((finished[0] / "run.json").read_text(encoding="utf-8"))
    run_benchmark(copied(finished, tmp_path, versions=about["versions"] | {"rival": "1.0"}), **SMALL)
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["versions"]["rival"] == "1.0"


def test_a_game_that_could_not_be_made_is_tried_again(tmp_path):
    calls = []

    def game(masks):
        calls.append(len(masks))
        if len(calls) == 1:
            raise OSError("no memory")
        return 1.0 * masks[:, 0]

    chosen = {"cases": [Case("mine", "own", 5, game)], "methods": [MEAN], "budgets": [20], "seeds": 1}
    for status in ("failed", "done"):
        assert [row.status for row in run_benchmark(tmp_path, **chosen)] == [status]


def test_the_library_that_a_game_needs_is_recorded(tmp_path):
    run_benchmark(tmp_path, cases=["ebm-30"], methods=[MEAN], budgets=[2], seeds=1)
    versions = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["versions"]
    assert versions["interpret-core"] == version_of("interpret-core")


def test_more_seeds_cases_and_methods_go_on(finished, tmp_path):
    rows = finished[1]
    more = {"cases": [OWN, TINY, replace(TINY, name="more")], "methods": [*SMALL["methods"], "Captum Lime"], "seeds": 2}
    grown = run_benchmark(copied(finished, tmp_path), **SMALL | more)
    assert [str(row) for row in grown[: len(rows)]] == [str(row) for row in rows]  # not done again
    assert len(grown) == 3 * 4 * 2 * 2
    whole = run_benchmark(tmp_path / "whole", **SMALL | more)
    assert sorted(map(str, without_costs(grown))) == sorted(map(str, without_costs(whole)))


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
    refused(folder, "damaged after line 1")
    (folder / "results.csv").write_text("".join(lines).replace(",done,", ",gone,", 1), encoding="utf-8")
    refused(folder, "the status 'gone' is not one of done")


def test_restart_begins_anew(finished, tmp_path):
    folder = copied(finished, tmp_path, captum_spex="0.0.1")
    rows = run_benchmark(folder, **SMALL, restart=True)
    assert without_costs(rows) == without_costs(finished[1])


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ArgumentError, match="a folder that can be written"):
        run_benchmark(tmp_path / "file", **SMALL)


def test_a_compressed_file_is_read(finished, tmp_path):
    path = tmp_path / "results.csv.gz"
    octets = gzip.compress((finished[0] / "results.csv").read_bytes())
    path.write_bytes(octets)
    assert [str(row) for row in read_results(path)] == [str(row) for row in read_results(finished[0])]
    for damaged in (octets[:-12], octets[:30] + b"torn" + octets[34:], b"no gzip"):
        path.write_bytes(damaged)
        with pytest.raises(ArgumentError, match=r"expected .*, got .*results\.csv\.gz"):
            read_results(path)


def test_no_results_to_read(tmp_path):
    with pytest.raises(ArgumentError, match="expected the folder of a benchmark, got "):
        read_results(tmp_path)


def test_a_run_that_ends_the_process_is_tried_twice_and_recorded(tmp_path):
    script = (
        "import os, sys; sys.path[:0] = ['tests']\n"
        "from benchmark_parts import MEAN, OWN, Explainer\n"
        "from captum_spex.benchmark import run_benchmark\n"
        "deadly = Explainer('Deadly', explain=lambda values, request: os._exit(3))\n"
        f"run_benchmark({str(tmp_path)!r}, cases=[OWN], methods=[deadly, MEAN], budgets=[20], seeds=1)\n"
    )
    codes = [subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode for _ in range(3)]
    assert codes == [3, 3, 0]
    rows = read_results(tmp_path)
    assert [(row.method, row.status) for row in rows] == [("Deadly", "failed"), ("Mean", "done")]
    assert rows[0].message.startswith("the process ended in this run, twice")
    assert not (tmp_path / "running.json").exists()


def test_a_run_that_was_interrupted_is_not_counted_against_its_method(tmp_path):
    def interrupted(values, request):
        raise KeyboardInterrupt

    chosen = SMALL | {"methods": [replace(MEAN, explain=interrupted)]}
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_benchmark(tmp_path, **chosen)
    assert {row.status for row in run_benchmark(tmp_path, **chosen | {"methods": [MEAN]})} == {"done"}
