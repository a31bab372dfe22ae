"""The benchmark scripts run and print every line; their times are no test."""

from __future__ import annotations

import json

import benchmark_spex
import benchmark_spine
import numpy as np
import pytest

MEASURED = (
    "spectrum to SII of order 2",
    "trees of depth 5 to their spectrum",
    "adapter outside the model",
    "KernelShap outside the model",
    "KernelShap to adapter",
    "ProxySpex, all of it",
    "KernelShap to ProxySpex",
    "ProxySpex() outside the model",
    "ProxySpex.as_published() outside the model",
    "as published to ProxySpex()",
    "ProxySpex() R² on 2,000 held-out masks",
    "ProxySpex.as_published() R² on 2,000 held-out masks",
    "runs in which ProxySpex() has the larger R²",
)


@pytest.fixture
def printed(capfd):
    """Run a script and return its lines, with those of its processes."""

    def run(script, *arguments):
        script.main(arguments)
        return capfd.readouterr().out.splitlines()

    return run


def test_every_line_is_printed(printed, monkeypatch):
    monkeypatch.setattr(benchmark_spine, "N_EVALUATIONS", 64)
    header, *lines = printed(benchmark_spine, "--repeats", "1")
    assert header.split() == ["measurement", "median", "target"]
    assert len(lines) == len(MEASURED)
    for line, what in zip(lines, MEASURED, strict=True):
        assert what in line
    with_target = [line for line in lines if "=" in line.split("  ", 2)[-1] or "> published" in line]
    assert all(line.endswith("reached") for line in with_target)
    assert len(with_target) == 5


def test_games_from_a_folder(printed, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "family").mkdir()
    for name in ("a", "b"):
        np.savez(tmp_path / "family" / f"{name}.npz", n_players=10, values=rng.normal(size=2**10).cumsum())
    header, *lines = printed(benchmark_spine, "--games", str(tmp_path))
    assert header.split() == ["games", "evals", "method", "SV", "error", "SII", "error", "true", "R²"]
    assert [line.split()[:3] for line in lines] == [
        ["family", budget, method]
        for budget in ("286", "596")
        for method in ("KernelShap", "ProxySpex()", 'ProxySpex("bernoulli")')
    ]
    errors = [float(line.split()[3]) for line in lines]
    assert all(error > 0 for error in errors)


def test_spex_and_its_reference_on_spectra_from_a_folder(printed, tmp_path):
    terms = [[[], 1.0], [[3], 2.0], [[3, 7], -1.0], [[1, 5, 9], 0.5]]
    (tmp_path / "small.json").write_text(json.dumps({"n_players": 20, "terms": terms}))
    plot = tmp_path / "plot.png"
    arguments = ("--spectra", str(tmp_path), "--bits", "3", "--noises", "0.05", "--plot", str(plot))
    _, header, line = printed(benchmark_spex, "quality", *arguments)
    assert header.split()[:4] == ["spectrum", "noise", "bits", "evals"]
    assert line.split()[:4] == ["small", "0.05", "3", "672"]
    assert float(line.split()[5]) > 0.95
    assert plot.stat().st_size > 10_000


def test_spex_growth(printed):
    *_, line = printed(benchmark_spex, "growth", "--largest", "1000")
    assert line.split()[0] == "1,000"
    assert float(line.split()[2]) >= 0.95
