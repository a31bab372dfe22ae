"""House numbers: the size and the shape of the package, and who is over a limit.

Usage::

    python tools/house_numbers.py [--names 10] [--check]

``--check`` exits with 1 if a number is over its limit. Ruff, which counts the complexity, has to be installed.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "captum_spex"
FUNCTION_LINES, P95_LINES, COMPLEXITY, METHODS, FILE_LINES, TEST_LINES, BENCHMARK_LINES = 50, 22, 10, 15, 400, 700, 2800
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Number:
    """One house number.

    Attributes:
        name: what is counted.
        value: how many.
        limit: the largest allowed value; None: for information.
        offenders: who is counted, worst first.
    """

    name: str
    value: int
    limit: int | None = None
    offenders: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the value exceeds its limit."""
        return self.limit is not None and self.value > self.limit


@dataclass(frozen=True)
class Module:
    """A source file: its path from the root, its dotted name, its text and its tree."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def n_lines(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())

    def functions(self) -> Iterator[FunctionNode]:
        """Yield all functions, methods and nested ones too."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, FunctionNode))

    def classes(self) -> Iterator[ast.ClassDef]:
        """Yield all classes."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))


def modules_of(*folders: str) -> list[Module]:
    """Read the modules below folders of the repository."""
    return [_module(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def _module(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts
    text = path.read_text(encoding="utf-8")
    return Module(relative, ".".join(parts[:-1] if parts[-1] == "__init__" else parts), text, ast.parse(text))


def code_lines(function: FunctionNode) -> int:
    """Return the lines of a function without its docstring."""
    length = _n_lines(function)
    return length if ast.get_docstring(function) is None else length - _n_lines(function.body[0])


def _n_lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def function_lengths(modules: list[Module]) -> list[Number]:
    """Return how many functions are long, and the 95th percentile of all lengths."""
    lengths = sorted(
        ((code_lines(function), f"{module.path}:{function.lineno} {function.name}")
         for module in modules for function in module.functions()),
        reverse=True,
    )  # fmt: skip
    over = tuple(f"{length} {place}" for length, place in lengths if length > FUNCTION_LINES)
    p95 = lengths[len(lengths) // 20][0]
    return [
        Number(f"functions over {FUNCTION_LINES} lines", len(over), 0, over),
        Number("p95 of function length", p95, P95_LINES),
    ]


def complex_functions() -> Number:
    """Return the functions with a McCabe complexity over the limit, as ruff counts it, ``noqa`` or not."""
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.exists() else shutil.which("ruff")
    if ruff is None:
        return Number("complexity: ruff is not installed", 0)
    options = ["--isolated", "--select=C901", "--ignore-noqa", "--output-format=json"]
    limit = f"lint.mccabe.max-complexity={COMPLEXITY}"
    command = [ruff, "check", *options, "--config", limit, PACKAGE]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout)
    paths = [Path(one["filename"]).relative_to(ROOT) for one in found]
    over = tuple(f"{path}: {one['message']}" for path, one in zip(paths, found, strict=True))
    return Number(f"functions of complexity over {COMPLEXITY}", len(over), 0, over)


def import_cycles(modules: list[Module]) -> Number:
    """Return the import cycles: strongly connected modules, by the imports that run when a module is loaded."""
    names = {module.name for module in modules}
    graph = {module.name: set(imported(module, names)) - {module.name} for module in modules}
    reached = {name: _reachable(graph, name) for name in graph}
    cycles = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph}
    offenders = tuple(" <-> ".join(cycle) for cycle in sorted(cycles) if cycle)
    return Number("import cycles between modules", len(offenders), 0, offenders)


def imported(module: Module, names: set[str]) -> Iterator[str]:
    """Yield the modules of the package that a module imports at its top level, outside of ``TYPE_CHECKING``."""
    for node in _at_top(module.tree.body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in names else node.module for name in submodules)


def _at_top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.Try) or (isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test)):
            yield from _at_top([*node.body, *node.orelse])


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def private_imports(modules: list[Module]) -> Number:
    """Return the imports of a module with a leading underscore from outside its package."""
    names = {module.name for module in modules}
    offenders = []
    for module in modules:
        for name in sorted(_all_imported(module) & names):
            package, _, last = name.rpartition(".")
            if last.startswith("_") and not f"{module.name}.".startswith(f"{package}."):
                offenders.append(f"{module.path}: {name}")
    return Number("modules with an underscore imported across packages", len(offenders), 0, tuple(offenders))


def _all_imported(module: Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def underscored(modules: list[Module]) -> Number:
    """Return the modules with a leading underscore."""
    found = tuple(str(module.path) for module in modules if re.match(r"_[a-z]", module.path.name))
    return Number("modules with a leading underscore", len(found), 0, found)


def public_methods(modules: list[Module]) -> Number:
    """Return the classes with many public methods; properties are counted beside them."""
    counted = []
    for module in modules:
        for node in module.classes():
            public = [one for one in node.body if isinstance(one, FunctionNode) and not one.name.startswith("_")]
            n_properties = sum(any("property" in ast.unparse(mark) for mark in one.decorator_list) for one in public)
            counted.append((len(public) - n_properties, n_properties, f"{module.path}:{node.lineno} {node.name}"))
    over = [one for one in sorted(counted, reverse=True) if one[0] > METHODS]
    offenders = tuple(f"{n_methods} (and {n_properties} properties) {place}" for n_methods, n_properties, place in over)
    return Number(f"classes with more than {METHODS} public methods", len(over), 0, offenders)


def long_files(modules: list[Module], kind: str, limit: int) -> Number:
    """Return the files with more lines than a limit."""
    lengths = sorted(((module.n_lines, str(module.path)) for module in modules), reverse=True)
    over = tuple(f"{length} {path}" for length, path in lengths if length > limit)
    return Number(f"{kind} over {limit} lines", len(over), 0, over)


def lines(modules: list[Module]) -> list[Number]:
    """Return the lines of the package with and without the benchmark."""
    of_benchmark = sum(module.n_lines for module in modules if module.path.parts[1] == "benchmark")
    others = sum(module.n_lines for module in modules) - of_benchmark
    return [
        Number(f"lines of {PACKAGE} without benchmark/", others),
        Number(f"lines of {PACKAGE}/benchmark/", of_benchmark, BENCHMARK_LINES),
    ]


def repeated(modules: list[Module], name: str, is_one: Callable[[str], bool]) -> Number:
    """Return the lines that spell out what the ground floor has a function for."""
    found = tuple(
        f"{module.path}:{number} {line.strip()}"
        for module in modules
        if module.path.name not in ("checks.py", "fourier.py")
        for number, line in enumerate(module.text.splitlines(), 1)
        if is_one(line)
    )
    return Number(name, len(found), 0, found)


def house_numbers() -> list[Number]:
    """Return all house numbers of the repository."""
    package, tests = modules_of(PACKAGE), modules_of("tests", "integration")
    return [
        *function_lengths(package),
        complex_functions(),
        import_cycles(package),
        private_imports(package),
        underscored(package),
        public_methods(package),
        long_files(package, "files", FILE_LINES),
        long_files(tests, "test files", TEST_LINES),
        *lines(package),
        repeated(package, "isinstance(..., bool) by hand", _asks_for_bool),
        repeated(package, "1 - 2 * parities by hand", _turns_into_signs),
        repeated(package, "sys._getframe", lambda line: "sys._getframe" in line),
    ]


def _asks_for_bool(line: str) -> bool:
    return bool(re.search(r"isinstance\([^()]*(\([^()]*\)[^()]*)*, (bool|bool \| np\.bool_|np\.bool_ \| bool)\)", line))


def _turns_into_signs(line: str) -> bool:
    return bool(re.search(r"\b1(\.0)? - 2(\.0)? \* \(*[a-z]", line))


def main() -> None:
    """Print the table, and who is over a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=10, help="how many offenders to name (default: 10)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a number is over its limit")
    options = parser.parse_args()
    numbers = house_numbers()
    for number in numbers:
        limit = "" if number.limit is None else f"at most {number.limit:,}"
        print(f"{'!' if number.is_over else ' '} {number.name:<54} {number.value:>7,}  {limit}")
        for offender in number.offenders[: options.names]:
            print(f"      {offender}")
        if len(number.offenders) > options.names > 0:
            print(f"      ... and {len(number.offenders) - options.names} more")
    if options.check and any(number.is_over for number in numbers):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
