"""SPEX beside those of others, whose finite fields compile for long: its benchmark, and what the others refuse."""

from __future__ import annotations

import json

import pytest

from benchmarks import spex
from captum_spex.benchmark.methods import all_methods
from captum_spex.benchmark.protocol import Request


@pytest.fixture
def printed(capfd):
    """Run the script and return its lines, with those of its processes."""

    def run(*arguments):
        spex.main(arguments)
        return capfd.readouterr().out.splitlines()

    return run


METHODS = {method.name: method for method in all_methods()}


@pytest.mark.parametrize("name", ["shapiq SPEX", "sparse-transform SPEX"])
def test_too_few_bins_are_refused(name):
    method = METHODS[name]
    if method.missing():
        pytest.skip(method.missing())
    assert "three groups of eight bins" in method.refusal(Request(60, 256, 0))
    assert method.refusal(Request(60, 4096, 0)) is None


def test_spex_and_its_reference_on_spectra_from_a_folder(printed, tmp_path):
    terms = [[[], 1.0], [[3], 2.0], [[3, 7], -1.0], [[1, 5, 9], 0.5]]
    (tmp_path / "small.json").write_text(json.dumps({"n_players": 20, "terms": terms}))
    plot = tmp_path / "plot.png"
    arguments = ("--spectra", str(tmp_path), "--bits", "3", "--noises", "0.05", "--plot", str(plot))
    _, header, line = printed("quality", *arguments)
    assert header.split()[:4] == ["spectrum", "noise", "bits", "evals"]
    assert line.split()[:4] == ["small", "0.05", "3", "672"]
    assert float(line.split()[5]) > 0.95
    assert plot.stat().st_size > 10_000


def test_spex_growth(printed):
    *_, line = printed("growth", "--largest", "1000")
    assert line.split()[0] == "1,000"
    assert float(line.split()[2]) >= 0.95
