"""One row of a results file: the result of one method in one case, at one budget, with one seed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import nan

from captum_spex import __version__
from captum_spex.benchmark.cases import CaseSource
from captum_spex.benchmark.protocol import Method

STATUSES = ("done", "refused", "failed", "missing")
OURS, PUBLISHED, PACKAGE = "ProxySpex", "ProxySpex as published", "captum-spex"
"""This package's default method, the published algorithm that it is compared with, and the package of both."""


@dataclass(frozen=True)
class Row:
    """A line of ``results.csv``; the columns are these attributes, in this order, an empty field is NaN.

    Attributes:
        case, family, n_players: of the game.
        method, package, version: of the explainer; the version of the package it comes from.
        budget, seed: what was asked for.
        status: ``"done"``, ``"refused"`` (it cannot answer: too many players, too small a budget), ``"failed"`` (it
            raised), ``"missing"`` (not installed).
        message: why, unless done.
        n_evaluations: distinct masks that it evaluated; every comparison is by these.
        n_calls: masks that it evaluated, repeated ones too.
        r2: R² of its predictions for uniformly random masks that it has not evaluated.
        r2_sized: the same for masks of uniformly random size.
        shapley_error: ``sum((estimate - exact)**2) / sum(exact**2)`` of the Shapley values.
        order2_error, order3_error: the same of all pairs and triples, in the index that the method estimates.
        precision: share of its ten largest interactions (order 2 and more) that are among the ten largest exact ones.
        removal_area: area under the values, 1 for all players and 0 for none, as players are removed, those that it
            ranks highest first; small is good.
        own_seconds: wall-clock time outside of the game.
        peak_mib: peak memory beyond that at the start, in MiB.
    """

    case: str
    family: str
    n_players: int
    method: str
    package: str
    version: str
    budget: int
    seed: int
    status: str
    message: str = ""
    n_evaluations: float = nan
    n_calls: float = nan
    r2: float = nan
    r2_sized: float = nan
    shapley_error: float = nan
    order2_error: float = nan
    order3_error: float = nan
    precision: float = nan
    removal_area: float = nan
    own_seconds: float = nan
    peak_mib: float = nan

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What identifies the run."""
        return self.case, self.method, self.budget, self.seed


def row_of(status: str, message: str, source: CaseSource | None, method: Method | None, *run: int) -> Row:
    """Return a row without numbers: of a run with its budget and seed, or of a case or a method that cannot be run."""
    case = ("", "", 0) if source is None else (source.name, source.family, source.n_players)
    names = ("", "", "") if method is None else (method.name, method.package, version_of(method.package))
    budget, seed = run or (0, 0)
    return Row(*case, *names, budget, seed, status, one_line(message))


def described(error: BaseException) -> str:
    """Return the type and the message of an error."""
    return f"{type(error).__name__}: {error}"


def version_of(package: str) -> str:
    """Return the version of an installed distribution; empty if it is not installed."""
    try:
        return __version__ if package == PACKAGE else version(package)
    except PackageNotFoundError:
        return ""


def one_line(text: str) -> str:
    """Return a text on one line that every file can hold."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())
