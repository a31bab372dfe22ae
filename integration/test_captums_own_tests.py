"""Captum's own tests of `KernelShap`, of the installed version, pass with this package's classes in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import captum
import pytest

MODULE = "tests/attr/test_kernel_shap.py"
N_TESTS = 21  # of Captum 0.9
URL = f"https://raw.githubusercontent.com/pytorch/captum/v{captum.__version__}/{MODULE}"
IN_PLACE = """
import captum.attr._core.kernel_shap as module
from captum_spex import attr

module.KernelShap = type("KernelShap", (attr.{name},), {{}})
"""


@pytest.fixture(scope="module")
def captums_tests(request, tmp_path_factory):
    """The text of Captum's tests, which its distributions lack: of a clone (`CAPTUM_SOURCE`), or downloaded once."""
    if "CAPTUM_SOURCE" in os.environ:
        return (Path(os.environ["CAPTUM_SOURCE"]) / MODULE).read_text(encoding="utf-8")
    kept = request.config.cache.mkdir("captum-tests") if hasattr(request.config, "cache") else None
    folder = Path(kept) if kept is not None else tmp_path_factory.mktemp("captum-tests")
    path = folder / f"{captum.__version__}.py"
    if not path.exists():
        try:
            with urllib.request.urlopen(URL, timeout=30) as answer:
                path.write_bytes(answer.read())
        except (urllib.error.URLError, TimeoutError) as error:
            pytest.skip(f"the tests of Captum {captum.__version__} are not to be had: {error}")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["ProxySpex", "Spex"])
def test_captums_tests_pass(captums_tests, tmp_path, name):
    (tmp_path / "test_kernel_shap.py").write_text(captums_tests, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(IN_PLACE.format(name=name), encoding="utf-8")
    report = tmp_path / "report.xml"
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "."]
    run = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert report.exists(), run.stdout + run.stderr
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = {case.get("name"): child.get("message") for case in cases for child in case if child.tag != "system-out"}
    assert failed == {}
    assert len(cases) >= N_TESTS
