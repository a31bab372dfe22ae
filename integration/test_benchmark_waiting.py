"""The benchmark of waiting runs and prints every line; its times are no test, but what is exact is."""

from __future__ import annotations

import pytest

from benchmarks import waiting


@pytest.fixture
def printed(capsys, monkeypatch):
    monkeypatch.setattr(waiting, "PLAYERS", (10,))
    monkeypatch.setattr(waiting, "GOALS", {10: 0.01})
    monkeypatch.setattr(waiting, "LAW_PLAYERS", (10,))
    monkeypatch.setattr(waiting, "LAW_OUTPUTS", (1,))
    monkeypatch.setattr(waiting, "N_FEATURES", 11)
    monkeypatch.setattr(waiting, "N_OUTPUTS", 1)
    monkeypatch.setattr(waiting, "N_PIXELS", 20)
    monkeypatch.setattr(waiting, "N_SAMPLES", 64)

    def run(*arguments):
        waiting.main([*arguments, "--repeats", "1"])
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(("part", "n_lines"), [("exact", 5), ("law", 11), ("explainers", 7), ("silence", 3)])
def test_every_line_is_printed(printed, part, n_lines):
    header, *lines = printed(part)
    assert header.split() == ["measurement", "median", "target"]
    assert len(lines) == n_lines
    assert not any(line.split()[-2:] == ["NOT", "reached"] for line in lines if "all" in line or "exact" in line)
