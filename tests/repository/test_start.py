"""A fast start: libraries that take long to import are imported on first use. Seconds: ``benchmarks/start.py``."""

from __future__ import annotations

import subprocess
import sys

import pytest

import captum_spex
import captum_spex.attr
from captum_spex.cli.options import CHOICES
from captum_spex.errors import LibraryError
from captum_spex.games.text.units import UNITS

HEAVY = ("captum", "lightgbm", "matplotlib", "numba", "pandas", "scipy", "shap", "sklearn", "sparse", "torch")
CODE = """
import sys
import captum_spex
print("import captum_spex", *sys.modules)
from captum_spex.cli import main
for given in (["--help"], ["--version"], ["explian"], ["explain", "--help"], ["explain", "--modle", "x"],
              ["explain", "good", "--unit", "wrod"], ["explain", "good", "--budget", "many"], ["benchmark", "--help"]):
    code = main(given)
    print(f"\\n{given} {code}", *sys.modules)
"""


def test_nothing_heavy_is_imported_before_it_is_used():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=600)
    lines = [line for line in done.stdout.splitlines() if " captum_spex" in line and " typing" in line]
    assert len(lines) == 9, done.stdout
    for line in lines:
        assert {"numpy", "transformers", *HEAVY}.isdisjoint(line.split()), line.partition(" sys ")[0]
    codes = [line.partition("]")[2].split()[0] for line in lines[1:]]
    assert codes == ["0", "0", "2", "0", "2", "2", "2", "0"]


def test_names_that_are_checked_early_are_those_of_the_library():
    assert CHOICES["unit"] == UNITS


@pytest.mark.parametrize("package", [captum_spex, captum_spex.attr])
def test_every_public_name_can_be_had_and_is_listed(package):
    for name in package.__all__:
        assert name in dir(package)
        try:
            assert getattr(package, name) is not None
        except LibraryError:
            assert name.startswith("SpexLLM"), "all others need no more than the oldest versions"
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'no_such_name'"):
        _ = package.no_such_name
