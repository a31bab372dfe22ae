"""The benchmark of language models behind Captum's interface runs and prints every line; its times are no test."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks import llm as benchmark


@pytest.fixture
def seeds_of_its_own():
    """The script seeds the global states, of which other tests want to know nothing."""
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.MT19937(0))
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_bit_generator(before)


@pytest.mark.usefixtures("seeds_of_its_own")
def test_every_line_is_printed_and_written(tmp_path, capsys):
    figures = tmp_path / "figures.json"
    benchmark.main(["--quick", "--repeats", "1", "--json", str(figures)])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["measurement", "median", "target"]
    written = json.loads(figures.read_text())
    assert [line["what"].strip() for line in written] == [line.strip().split("  ")[0] for line in lines]
    assert len(written) == 2 * 9
    for ours, model, fit, *captums in zip(*(written[place::9] for place in range(9)), strict=True):
        assert model["value"] + fit["value"] == pytest.approx(ours["value"])
        assert 0 < model["value"] < ours["value"]
        for taken, gain, _ in (captums[:3], captums[3:]):
            assert gain["value"] == pytest.approx(taken["value"] / ours["value"])
            assert gain["reached"] is (gain["value"] >= 5)
