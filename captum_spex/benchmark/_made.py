"""Rows before anything is measured: of a run, of a method or a case that cannot be run, of a damaged file."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from math import isnan, nan
from typing import Any

from captum_spex import __version__
from captum_spex.benchmark._plan import Run
from captum_spex.benchmark._protocol import Method
from captum_spex.benchmark._row import Row
from captum_spex.benchmark.cases import CaseSource


def of_run(run: Run) -> Row:
    """Return the row of a run that is not made yet."""
    source, method = run.source, run.method
    of_package = method.package, version_of(method.package)
    return Row(source.name, source.family, source.n_players, method.name, *of_package, run.budget, run.seed, "failed")


def with_numbers(row: Row, status: str, message: str = "", **numbers: float) -> Row:
    """Return the row with what became of it."""
    values: dict[str, Any] = {name: nan if isnan(number) else float(number) for name, number in numbers.items()}
    return replace(row, status=status, message=_in_a_line(message), **values)


def of_method(method: Method, status: str, message: str) -> Row:
    """Return the row of a method without a case."""
    return Row("", "", 0, method.name, method.package, version_of(method.package), 0, 0, status, _in_a_line(message))


def of_case(source: CaseSource, status: str, message: str) -> Row:
    """Return the row of a case without a method."""
    return Row(source.name, source.family, source.n_players, "", "", "", 0, 0, status, _in_a_line(message))


def of_file(problem: str) -> Row:
    """Return the row of a damaged file, of which a line says what is wrong."""
    name, _, reason = problem.partition(": ")
    return Row(_in_a_line(name), "damaged", 0, "", "", "", 0, 0, "failed", _in_a_line(reason))


def said(error: BaseException) -> str:
    """Return the kind of an error and what it says."""
    return f"{type(error).__name__}: {error}"


def version_of(package: str) -> str:
    """Return the version of a distribution that is installed, else nothing."""
    try:
        return __version__ if package == "captum-spex" else version(package)
    except PackageNotFoundError:
        return ""


def _in_a_line(text: str) -> str:
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())
