"""Runs killed by SIGKILL at any point go on where they were: no evaluation is repeated, the result is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sampled import either

SCRIPT = Path(__file__).parents[1] / "tools" / "killed_runs.py"
KILLS = either({"text": 15, "numpy": 25}, {"text": 50, "numpy": 50})  # at random points
CALLS = {"text": range(0), "numpy": range(0, 90, either(3, 1))}  # of the store, at which runs are killed too
GENEROUS = 1200  # seconds, of which a few are needed: a machine may be busy

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(signal, "SIGKILL"), reason="needs POSIX")


@pytest.fixture(scope="module", params=KILLS)
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    times, calls = KILLS[request.param], CALLS[request.param]
    amounts = ["--times", str(times), "--calls", str(calls.stop), "--every", str(calls.step)]
    command = [sys.executable, str(SCRIPT), request.param, str(folder), *amounts]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads do not survive a fork
    finished = subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS, check=False, env=one_thread)
    assert finished.returncode == 0, finished.stderr
    return {**json.loads((folder / "report.json").read_text()), "n_kills": times + len(calls)}


def chains(report, what):
    return [chain[what] for chain in report["chains"]]


def test_enough_runs_were_killed_before_during_and_after_the_batches(report):
    first_runs = chains(report, "n_batches_of_first_run")
    n_batches = report["n_batches"]
    n_killed = sum(chains(report, "n_runs")) - len(first_runs)
    print(f"\n{n_killed} runs killed, {len(first_runs)} came to their end; a run has {n_batches} batches")
    assert n_killed == report["n_kills"]
    assert min(first_runs) == 0
    assert any(0 < number < n_batches for number in first_runs), first_runs
    assert max(first_runs) == n_batches


def test_no_evaluation_is_repeated_beyond_the_batch_in_flight(report):
    assert chains(report, "n_repeated") == [0] * len(report["chains"])
    assert sum(chains(report, "n_in_flight_repeated")) > 0  # so batches in flight were met


def test_the_same_masks_are_evaluated_in_all(report):
    assert chains(report, "n_missing_or_new") == [0] * len(report["chains"])


def test_the_result_is_identical_to_that_of_an_undisturbed_run(report):
    assert chains(report, "is_identical") == [True] * len(report["chains"])
