"""The layout of the package is its architecture: imports go one way, and heavy neighbours stay in their places."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import captum_spex

PACKAGE = Path(captum_spex.__file__).parent
LAYERS = (
    "lazy", "errors", "compat", "masks", "supports", "terms", "indices", "game", "store", "fingerprint", "distributed",
    "evaluate", "sampling", "model", "shap_export", "shapiq_exchange", "report", "interactions", "optimize", "plots",
    "approximators", "explaining", "metrics", "games", "attr", "explainers", "benchmark", "demo", "cli",
)  # fmt: skip
"""A module imports only from its own layer and from those before it."""

ALLOWED_IN = {
    "captum": {"compat", "benchmark", "demo"},
    "shap": {"compat", "benchmark"},
    "shapiq": {"compat", "interactions", "shapiq_exchange"},
}
GENERATORS = {"Generator", "SeedSequence", "default_rng"}
LONGEST = 60

FILES = sorted(PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])


def layer_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layers_imported(tree):
    modules = [module.split(".") for module in imported_modules(tree)]
    return {parts[1] for parts in modules if parts[0] == "captum_spex" and len(parts) > 1}


def dotted(node):
    """``numpy.random.rand`` as text, for a chain of attributes."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def code_lines(function):
    """Lines of a function without its docstring."""
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return length
    return length - (function.body[0].end_lineno - function.body[0].lineno + 1)


def test_every_module_has_its_layer():
    assert {layer_of(path) for path in FILES} - {"__init__"} <= set(LAYERS)


@every_file
def test_imports_go_one_way(path):
    layer = layer_of(path)
    if layer == "__init__":
        return
    later = set(LAYERS[LAYERS.index(layer) + 1 :])
    assert layers_imported(tree_of(path)) & later == set()


@every_file
def test_imports_name_the_module(path):
    relative = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom) and node.level]
    assert [ast.unparse(node) for node in relative] == []


@every_file
@pytest.mark.parametrize("library", ALLOWED_IN)
def test_captum_and_shap_are_imported_where_they_are_adapted(path, library):
    used = {module.split(".")[0] for module in imported_modules(tree_of(path))}
    assert library not in used or layer_of(path) in ALLOWED_IN[library]


@every_file
def test_the_global_random_state_is_not_used(path):
    if path == PACKAGE / "benchmark" / "methods" / "_global_state.py":
        return  # seeds it for other libraries, and puts it back
    names = [dotted(node) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)]
    functions = [name.split(".") for name in names if name.startswith(("np.random.", "numpy.random."))]
    assert {parts[2] for parts in functions} <= GENERATORS
    assert {module.split(".")[0] for module in imported_modules(tree_of(path))}.isdisjoint({"random"})


@every_file
def test_inputs_are_not_checked_by_assert(path):
    assert [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)] == []


@every_file
def test_functions_are_short(path):
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {node.name: code_lines(node) for node in functions if code_lines(node) > LONGEST} == {}


def test_the_public_names_exist_and_are_documented():
    for name in captum_spex.__all__:
        documented = getattr(captum_spex, name)
        assert isinstance(documented, str) or documented.__doc__
