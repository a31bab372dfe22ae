"""The benchmark of the spine runs and prints every line; its times are no test."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import spine

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
def printed(capsys):
    def run(*arguments):
        spine.main(arguments)
        return capsys.readouterr().out.splitlines()

    return run


def test_every_line_is_printed(printed, monkeypatch):
    monkeypatch.setattr(spine, "N_EVALUATIONS", 64)
    header, *lines = printed("--repeats", "1")
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
    header, *lines = printed("--games", str(tmp_path))
    assert header.split() == ["games", "evals", "method", "SV", "error", "SII", "error", "true", "R²"]
    assert [line.split()[:3] for line in lines] == [
        ["family", budget, method]
        for budget in ("286", "596")
        for method in ("KernelShap", "ProxySpex()", 'ProxySpex("bernoulli")')
    ]
    errors = [float(line.split()[3]) for line in lines]
    assert all(error > 0 for error in errors)
