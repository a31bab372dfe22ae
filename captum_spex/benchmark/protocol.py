"""What a benchmark compares, and what it finds: cases, methods, answers, rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from math import nan
from typing import TYPE_CHECKING, Protocol

from numpy.typing import ArrayLike

from captum_spex import __version__
from captum_spex.arrays import Floats
from captum_spex.game import Game
from captum_spex.indices import Index, IndexTerms
from captum_spex.masks import Masks

if TYPE_CHECKING:
    from captum_spex.benchmark.cases import CaseSource


class ExactGame(Protocol):
    """A game whose indices are known: a table, a spectrum, a recovered game, or a closed form."""

    @property
    def n_players(self) -> int:
        """Number of players."""

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of players where it is not 0."""


@dataclass(frozen=True, eq=False)
class Case:
    """A game to explain.

    Attributes:
        name: unique, for people and for the results file.
        family: the group in summaries: "tables", "tabular", "pixels", "text", "heads", "training", "planted"...
        n_players: number of players.
        game: from masks ``(n_masks, n_players)`` to values ``(n_masks,)``; the same mask has the same value.
        truth: the exact game, where it is known; None: only predictions can be measured.
    """

    name: str
    family: str
    n_players: int
    game: Game
    truth: ExactGame | None = None


@dataclass(frozen=True)
class Request:
    """What is asked of a method.

    Attributes:
        n_players: number of players.
        budget: how many distinct masks it may evaluate; a few more are allowed, and counted.
        seed: of everything random.
        max_order: largest order of the interactions wanted, 1 for Shapley values alone.
    """

    n_players: int
    budget: int
    seed: int
    max_order: int = 2

    @property
    def order(self) -> int:
        """``max_order``, or the number of players if that is less."""
        return min(self.max_order, self.n_players)

    @property
    def n_masks(self) -> int:
        """``budget``, or the number of all masks if that is less."""
        return min(self.budget, 2**self.n_players)


@dataclass(frozen=True, eq=False)
class Answer:
    """A method's explanation of a game.

    Attributes:
        predict: the explanation as a game, from masks to values; None if it does not predict.
        shapley: Shapley values ``(n_players,)``; None if it does not estimate them.
        interactions: values of sets of two and more players, in ``index``; empty if it does not estimate any.
        index: their interaction index, as in `captum_spex.indices.NAMES`.
    """

    predict: Callable[[Masks], Floats] | None = None
    shapley: Floats | None = None
    interactions: Mapping[tuple[int, ...], float] = field(default_factory=dict)
    index: str = "SII"


class Method(Protocol):
    """An explainer, of this package or of another, behind one interface."""

    @property
    def name(self) -> str:
        """Its unique name in results."""

    @property
    def package(self) -> str:
        """The distribution it comes from."""

    def missing(self) -> str | None:
        """Say why it cannot be used here: not installed, or not in the installed version; None if it can."""

    def refusal(self, request: Request) -> str | None:
        """Say why it cannot answer this request: too many players, too small a budget; None if it can."""

    def __call__(self, game: Game, request: Request) -> Answer:
        """Explain a game; every call of ``game`` is counted by the caller."""


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
        precision: share of the ten largest exact pairs that are among its ten largest ones.
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


def version_of(package: str) -> str:
    """Return the version of an installed distribution; empty if it is not installed."""
    try:
        return __version__ if package == PACKAGE else version(package)
    except PackageNotFoundError:
        return ""


def one_line(text: str) -> str:
    """Return a text on one line that every file can hold."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())


def described(error: BaseException) -> str:
    """Return the type and the message of an error."""
    return f"{type(error).__name__}: {error}"
