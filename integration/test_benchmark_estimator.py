"""The benchmark of the estimator runs and prints every line; its figures are no test."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import estimator as benchmark


@pytest.fixture
def printed(capsys):
    def run(*arguments):
        benchmark.main([str(argument) for argument in arguments])
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def tables(tmp_path):
    """A folder with two families of complete tables; one is known to have rivals."""
    rng = np.random.default_rng(0)
    for name in ("image_vit_n16", "other"):
        (tmp_path / name).mkdir()
        for game in ("1", "2"):
            np.savez(tmp_path / name / f"{game}.npz", n_players=8, values=rng.normal(size=2**8).cumsum())
    return tmp_path


def test_known_games(printed, tables, monkeypatch):
    monkeypatch.setattr(benchmark, "BUDGETS", {8: (64,)})
    monkeypatch.setitem(benchmark.SII_RIVALS, "image_vit_n16", {64: 1e9})
    monkeypatch.setitem(benchmark.SV_RIVALS, "image_vit_n16", {64: 1e-9})
    *_, header, known, other, sv, alone, sii = printed("games", "--games", tables, "--instances", 1)
    assert header.startswith("games")
    assert known.split()[:4] == ["image_vit_n16", "64", "auto", "1"]
    assert [cell for cell in known.split() if cell in ("yes", "no")] == ["no", "no", "yes"]
    assert not {"yes", "no"}.intersection(other.split())
    assert len({line.count("|") for line in (header, known, other)}) == 1
    assert sv.endswith("reached in 0 of 1")
    assert alone.startswith("SV alone")
    assert sii.endswith("reached in 1 of 1")


def test_evaluations_are_shared(printed, monkeypatch):
    monkeypatch.setattr(benchmark, "PUBLISHED", (24,))
    monkeypatch.setattr(benchmark, "EVALUATIONS", (32, 48))
    *_, line, summary = printed("evaluations", "--names", "mlp-40", "--instances", 1)
    name, instance, seed, n_masks, *_ = line.split()
    assert (name, instance, seed) == ("mlp-40", "0", "0")
    assert int(n_masks) == 48  # those of smaller budgets are among them
    assert "target 0.125" in summary
    assert summary.endswith("reached")


def test_evaluations_to_match():
    curve = {50: 0.1, 100: 0.5, 200: 0.4, 400: 0.8}
    sign, evaluations = benchmark.to_match(0.6, curve)
    assert sign == ""
    assert evaluations == pytest.approx(200 * np.sqrt(2))
    assert benchmark.to_match(0.45, curve)[1] > 200  # a curve that falls again has not arrived
    assert benchmark.to_match(0.9, curve) == (">", 400)
    assert benchmark.to_match(0.0, curve) == ("<", 50)


def test_spectra_from_a_folder(printed, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "SPECTRUM_BUDGETS", (128,))
    terms = [[[], 1.0], [[3], 2.0], [[3, 7], -1.0], [[1, 5], 0.5]]
    (tmp_path / "small.json").write_text(json.dumps({"n_players": 20, "terms": terms}))
    *_, header, line = printed("planted", "--instances", 0, "--spectra", tmp_path)
    assert header.startswith("game")
    assert line.split()[:3] == ["small", "20", "128"]
    assert float(line.split()[4]) > 0.9
    assert float(line.split()[5]) == 1.0


def test_time_and_memory(printed, monkeypatch):
    monkeypatch.setattr(benchmark, "SPEED_TARGETS", {(40, 32): 1e9})
    monkeypatch.setattr(benchmark, "PUBLISHED_SIZE", (40, 32))
    _, ours, errors, published, ratio = printed("speed", "--players", 40)
    assert ours.startswith("explain outside mlp-40")
    assert ours.endswith("  reached")
    assert "820 values" in errors
    assert "as_published()" in published
    assert "as published to ours" in ratio
    explained, with_errors = printed("memory-one", 20, 64)
    assert "GiB" in explained
    assert "std_errors" in with_errors


def test_displayed_spectrum(printed, tables, monkeypatch):
    monkeypatch.setattr(benchmark, "KNOWN_DISPLAY_BUDGET", 64)
    _, header, *lines = printed("display", "--names", "--games", tables)
    assert header.split()[-2:] == ["model", "s"]
    assert [line.split()[0] for line in lines] == ["image_vit_n16", "other"]
    assert all(line.endswith("  reached") for line in lines)  # 500 terms are all there are
