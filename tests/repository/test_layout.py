"""The layout of the package is its architecture: imports go one way, and heavy neighbours stay in their places."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import captum_spex
from tools.architecture import HOUSE, LAYERS

PACKAGE = Path(captum_spex.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
ALLOWED_IN = {
    "captum": {"compat", "benchmark", "demo"},
    "shap": {"compat", "benchmark"},
    "shapiq": {"compat", "interactions", "exports"},
}
GENERATORS = {"Generator", "SeedSequence", "default_rng"}
LONGEST = 50

FILES = sorted(PACKAGE.rglob("*.py"))


def layer_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
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


def offending(find):
    """What a law finds wrong, file by file, where it finds something."""
    found = {str(path.relative_to(PACKAGE)): find(path) for path in FILES}
    return {name: wrong for name, wrong in found.items() if wrong}


def code_lines(function):
    """Lines of a function without its docstring."""
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return length
    return length - (function.body[0].end_lineno - function.body[0].lineno + 1)


def test_every_module_has_its_layer():
    assert {layer_of(path) for path in FILES} - {"__init__"} <= set(LAYERS)


def test_the_page_shows_the_house_as_it_is():
    floors = [f"{floor:19} {', '.join(parts)}" for floor, parts in reversed(HOUSE.items())]
    [shown] = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown.splitlines() == floors


def test_imports_go_one_way():
    def later_layers(path):
        layer = layer_of(path)
        return layers_imported(tree_of(path)) & set(LAYERS[LAYERS.index(layer) + 1 :]) if layer != "__init__" else set()

    assert offending(later_layers) == {}


def test_imports_name_the_module():
    def relative(path):
        nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom) and node.level]
        return [ast.unparse(node) for node in nodes]

    assert offending(relative) == {}


@pytest.mark.parametrize("library", ALLOWED_IN)
def test_captum_and_shap_are_imported_where_they_are_adapted(library):
    def elsewhere(path):
        used = {module.split(".")[0] for module in imported_modules(tree_of(path))}
        return {library} & used if layer_of(path) not in ALLOWED_IN[library] else set()

    assert offending(elsewhere) == {}


def test_the_global_random_state_is_not_used():
    def random_functions(path):
        if path == PACKAGE / "benchmark" / "methods" / "global_state.py":
            return set()  # seeds it for other libraries, and puts it back
        names = [dotted(node) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)]
        functions = {name.split(".")[2] for name in names if name.startswith(("np.random.", "numpy.random."))}
        modules = {module.split(".")[0] for module in imported_modules(tree_of(path))}
        return functions - GENERATORS | modules & {"random"}

    assert offending(random_functions) == {}


def test_inputs_are_not_checked_by_assert():
    def assertions(path):
        return [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]

    assert offending(assertions) == {}


def test_functions_are_short():
    def long_ones(path):
        functions = ast.FunctionDef | ast.AsyncFunctionDef
        lengths = {node.name: code_lines(node) for node in ast.walk(tree_of(path)) if isinstance(node, functions)}
        return {name: length for name, length in lengths.items() if length > LONGEST}

    assert offending(long_ones) == {}


def test_the_public_names_exist_and_are_documented():
    for name in captum_spex.__all__:
        documented = getattr(captum_spex, name)
        assert isinstance(documented, str) or documented.__doc__
