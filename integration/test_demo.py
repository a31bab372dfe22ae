"""The demo and the command line, as a user starts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig

import pytest

import captum_spex
from captum_spex import cli

GENEROUS = 1200  # seconds, of which a few are needed: a machine may be busy


def run(*command: str) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def report():
    program = shutil.which("captum-spex", path=sysconfig.get_path("scripts"))
    assert program is not None
    return run(program, "demo")


def test_the_demo_prints_every_section(report):
    for heading in (
        "A network trained on scikit-learn's breast-cancer data",
        "Shapley values, the largest",
        "Interactions of order 2 (SII)",
        "Interactions of order 3 (SII)",
        "Of all orders: SII values do not add up to f(all)",
        "R² reported by the explainer",
    ):
        assert heading in report


def test_the_demo_is_more_faithful_than_kernel_shap(report):
    ours, linear = (float(figure) for figure in re.search(r"held-out masks +(\S+) +(\S+)", report).groups())
    assert 1 >= ours > linear > 0


def test_both_explainers_sum_to_the_same_difference(report):
    ours, rival = (float(figure) for figure in re.search(r"sum over all features +(\S+) +(\S+)", report).groups())
    present, absent = (
        float(figure) for figure in re.search(r"'benign': (\S+?);.*? patient's (\S+?)\.\n", report).groups()
    )
    assert ours == pytest.approx(present - absent, abs=2e-3)
    assert rival == pytest.approx(present - absent, abs=2e-3)


def test_a_smaller_budget_and_another_seed(capsys):
    assert cli.main(["demo", "--budget", "128", "--seed", "1"]) == 0
    assert re.search(r"model evaluations +128 +128\n", capsys.readouterr().out)


def test_version():
    assert run(sys.executable, "-m", "captum_spex.cli", "--version") == f"captum-spex {captum_spex.__version__}\n"
