"""The command line as the documentation shows it."""

from __future__ import annotations

import re
import shlex
from io import StringIO

import numpy as np
import pytest
from command_lines import PAGE, TEXT, names_in
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.cli import main

pytestmark = pytest.mark.usefixtures("work", "interruptible")

# --- models on disk ---------------------------------------------------------------------------------------------------


# --- terminal output --------------------------------------------------------------------------------------------------


def test_the_example_works_with_nothing_but_a_text(run, work):
    done = run(TEXT)
    assert (done.code, done.err, names_in(work)) == (0, "", [])
    lines = done.out.splitlines()
    assert lines[0] == TEXT
    assert re.fullmatch(r"Logit of 'positive': f\(all\) = \+\d\.\d{4}", lines[2])
    assert re.fullmatch(r"without the 6 words: f\(none\) = [+-]\d\.\d{4} \(ablation: mask\)", lines[3])
    assert lines[4] == "Model: embedded, a tiny classifier of review sentences"
    assert lines[5] == "k-SII up to order 2: exact: every mask was evaluated (64)"
    assert re.fullmatch(r"The terms add up to f\(all\) - f\(none\) = \d\.\d+", lines[6])
    pairs = lines[next(row for row, line in enumerate(lines) if line.startswith("Interactions of order 2")) :]
    assert pairs[2].startswith("never x fails  ")
    assert pairs[-1].strip() == "... and 5 more"


def test_shapley_values_are_shown_if_asked_for_and_said_not_to_add_up_with_the_pairs(run):
    done = run(TEXT, "--index", "SII")
    assert "SII values do not add up to f(all) - f(none) = 3.696; k-SII does" in done.out
    assert "Single players: Shapley values" in done.out
    assert "Interactions of order 2: SII" in done.out
    assert re.search(r"^never +\+1\.74", done.out, re.MULTILINE)  # as the page says


def test_the_example_of_the_page_is_what_is_printed(run):
    shown = re.search(r"```bash\ncaptum-spex (.*?)\n```\n+```text\n(.*?)```", PAGE, re.DOTALL)
    done = main_of(run, shown[1])
    number = re.compile(r"[+-]\d+\.\d+")
    printed = "\n".join(line.rstrip() for line in done.out.splitlines()) + "\n"
    assert number.sub("#", printed) == number.sub("#", shown[2])
    assert_allclose(*(np.array(number.findall(text), dtype=float) for text in (printed, shown[2])), atol=2e-3)


def test_the_error_of_the_page_is_what_is_printed(run):
    shown = re.search(r"```bash\ncaptum-spex (.* excellent)\n```\n+```text\n(.*\n)```", PAGE)
    done = main_of(run, shown[1])
    assert (done.code, done.out, done.err) == (2, "", shown[2])


def test_the_program_of_the_page_reads_the_document(run, monkeypatch, capfd):
    piped = r"```bash\ncaptum-spex ([^|\n]*) 2>.*? python -c \"\n(.*?)\"\n```\n+```text\n(.*?)```"
    shown = re.search(piped, PAGE, re.DOTALL)
    document = main_of(run, shown[1]).out
    monkeypatch.setattr("sys.stdin", StringIO(document))
    exec(shown[2], {})
    assert capfd.readouterr().out == shown[3]


def main_of(run, line):
    command, *arguments = shlex.split(line)
    return run(*arguments, command=command)


# --- options ----------------------------------------------------------------------------------------------------------


def test_help_and_version_are_shown(run, capfd):
    assert "--max-budget" in run("--help").out
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"captum-spex {captum_spex.__version__}\n"
    assert main([]) == 0
    assert "explain" in capfd.readouterr().out
