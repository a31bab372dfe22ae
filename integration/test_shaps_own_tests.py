"""SHAP's own tests, of the installed version, pass with this package's explainers in the places of SHAP's."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import shap

TESTS = Path(__file__).parents[1] / "tests"  # the plugin
FOLDER = f"shap-{shap.__version__}"
DOWNLOADS = "downloads a model"
ANOTHER_ORDER = "of SHAP 0.54: ours refuses columns in another order, and says how to sort them"
# SHAP's modules, how many of their tests must pass, and which of them cannot: with the reason.
MODULES = {
    "explainers/test_permutation.py": (7, {}),
    "explainers/test_exact.py": (7, {}),
    "explainers/test_kernel.py": (
        15,
        {
            "test_kernel_explainer_with_tensors": "needs TensorFlow",
            "test_kernel_dataframe_reordered_columns": ANOTHER_ORDER,
            "test_kernel_feature_names_out_of_order": ANOTHER_ORDER,
            "test_kernel_dataframe_mismatched_columns": "expects SHAP's sentence; ours names the columns",
            "test_kernel_dataframe_duplicate_background_columns": "ours takes columns of one name by their places",
            "test_kernel_dataframe_duplicate_input_columns": "ours takes columns of one name by their places",
        },
    ),
    "explainers/test_explainer.py": (
        1,
        {
            "test_wrapping_for_text_to_text_teacher_forcing_model": DOWNLOADS,
            "test_transformers_label_to_id_mapping_enforces_ints": DOWNLOADS,
            "test_wrapping_for_topk_lm_model": DOWNLOADS,
            "test_explainer_xgboost": "is about SHAP's explainer of trees",
        },
    ),
    "maskers/test_custom.py": (1, {}),
    "maskers/test_masker_with_explainers.py": (10, {}),
}


@pytest.fixture(scope="module")
def shaps_tests(request, tmp_path_factory):
    """A folder with SHAP's tests, from its source distribution, which is downloaded once."""
    kept = request.config.cache.mkdir("shap-tests") if hasattr(request.config, "cache") else None
    folder = Path(kept) if kept is not None else tmp_path_factory.mktemp("shap-tests")
    archive = folder / f"{FOLDER}.tar.gz"
    if not archive.exists():
        arguments = ["download", f"shap=={shap.__version__}", "--no-deps", "--no-binary", "shap", "--dest", folder]
        call = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
        found = subprocess.run(list(map(str, call)), capture_output=True, text=True, timeout=300, check=False)
        if not archive.exists():
            pytest.skip(f"the source of SHAP {shap.__version__} is not to be had: {found.stderr.strip()[-300:]}")
    root = tmp_path_factory.mktemp("shap")
    with tarfile.open(archive) as source:
        wanted = [
            one for one in source.getmembers() if one.name.startswith(f"{FOLDER}/tests/") and one.name[-3:] == ".py"
        ]
        source.extractall(root, wanted, filter="data")
    return root / FOLDER


def outcomes(folder, module, explainer, deselected):
    """Run a module of SHAP's tests; return those that passed, and what the others say."""
    report = folder / "report.xml"
    options = ["-q", "-p", "shap_in_place", "-p", "no:cacheprovider", f"--in-place={explainer}", f"--junitxml={report}"]
    options += [f"--deselect=tests/{module}::{name}" for name in deselected]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    settings = {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}
    call = [sys.executable, "-m", "pytest", *options, f"tests/{module}"]
    run = subprocess.run(call, cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert report.exists(), run.stdout + run.stderr
    passed, others = [], {}
    for case in ElementTree.parse(report).iter("testcase"):
        said = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if said:
            others[case.get("name")] = f"{said[0].tag}: {said[0].get('message')}"
        else:
            passed.append(case.get("name"))
    return passed, others


@pytest.mark.parametrize("module", MODULES)
def test_shaps_tests_pass_with_our_explainer(shaps_tests, module):
    n_tests, deselected = MODULES[module]
    if not (shaps_tests / "tests" / module).exists():
        pytest.skip(f"SHAP {shap.__version__} has no such tests")
    passed, others = outcomes(shaps_tests, module, "ProxySpexExplainer", deselected)
    assert others == {}
    assert len(passed) >= n_tests


def test_shaps_tests_pass_with_spex(shaps_tests):
    module = "explainers/test_kernel.py"
    passed, others = outcomes(shaps_tests, module, "SpexExplainer", MODULES[module][1])
    assert others == {}
    assert len(passed) >= MODULES[module][0]
