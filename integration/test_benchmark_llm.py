"""The benchmark of language models behind Captum's interface runs and prints every line; its times are no test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "benchmark_llm.py"


def test_every_line_is_printed_and_written(tmp_path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--repeats", "1", "--json", str(figures)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    header, *lines = finished.stdout.splitlines()
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
