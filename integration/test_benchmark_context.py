"""The benchmark of citations runs and prints every line; what a network trained in seconds answers is no test."""

from __future__ import annotations

import json

import numpy as np

from benchmarks import context as benchmark
from tools.context_model import context


def test_every_line_is_printed_and_written(tmp_path, capsys):
    figures = tmp_path / "figures.json"
    benchmark.main(["--quick", "--json", str(figures)])
    lines = capsys.readouterr().out.splitlines()
    written = json.loads(figures.read_text())
    assert len(lines) == len(written) == 2 * 5 + 2 * 12 * 3 + 3 + 2 * 10 * 2 + 2 * 2 * 2 * 5
    assert all(np.isfinite(line["value"]) for line in written)
    for line in written:  # what no training changes
        if line["what"].strip() == "verified":
            assert line["value"] == 1
        if line["what"].strip() == "larger than by brute force":
            assert line["value"] >= 0


def test_one_part_alone(capsys):
    benchmark.main(["pairs", "--quick", "--budgets", "32"])
    assert len(capsys.readouterr().out.splitlines()) == 2 * 5


def test_planted_facts_stand_where_the_context_says():
    for seed in range(20):
        one = context(np.random.default_rng(seed), 20)
        twice = [one.sentences[place].split() for place in one.redundant]
        assert [words[0] for words in twice] == [one.asked[0]] * 2
        assert [words[2] for words in twice] == [one.answers[0]] * 2
        hops = {words[0]: words[2] for words in (one.sentences[place].split() for place in one.complementary)}
        assert hops[hops[one.asked[1]]] == one.answers[1]
        others = set(range(20)) - {*one.redundant, *one.complementary}
        assert not {one.sentences[place].split()[0] for place in others} & {*one.asked, hops[one.asked[1]]}
