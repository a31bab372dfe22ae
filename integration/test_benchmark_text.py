"""The benchmark of texts, store and command line runs and prints every line; its times are no test."""

from __future__ import annotations

import json

from benchmarks import text as benchmark

WHAT = (
    "embedded classifier",
    "to its bare model",
    "to one by one",
    "more time",
    "on disk",
    "runs killed",
    "answer after",
)


def test_every_line_is_printed_and_written(tmp_path, capsys):
    figures = tmp_path / "figures.json"
    benchmark.main(["--quick", "--repeats", "1", "--json", str(figures)])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["measurement", "median", "target"]
    for what in WHAT:
        assert any(what in line for line in lines), what
    written = json.loads(figures.read_text())
    assert [line["what"].strip() for line in written] == [line.strip().split("  ")[0] for line in lines]
    with_target = [line for line in written if line["target"]]
    assert all(line["reached"] in (True, False) for line in with_target)
    # what no busy machine changes
    assert [line["value"] for line in written if line["target"] == "0"] == [0] * 4


def test_one_part_alone(capsys):
    benchmark.main(["store", "--quick", "--repeats", "1"])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["measurement", "median", "target"]
    assert [line.startswith("store, ") for line in lines] == [True, False] * 2
