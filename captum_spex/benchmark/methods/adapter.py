"""What all adapters share: the method itself, a game that other libraries can call, additive explanations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.benchmark.methods.global_state import seeded
from captum_spex.benchmark.protocol import Answer, ExactGame, Request, version_of
from captum_spex.game import Game
from captum_spex.indices import resolve_index
from captum_spex.masks import Masks
from captum_spex.model import RecoveredGame
from captum_spex.terms import Terms

MOST_BYTES = 4 << 30  # that a method may need


@dataclass(frozen=True, eq=False)
class RowsGame:
    """A game that takes rows of 0 and 1 of any type, as other libraries ask for them."""

    game: Game
    n_players: int

    def __call__(self, rows: Any) -> Floats:
        """Evaluate rows ``(n_rows, n_players)``, float64 ``(n_rows,)``."""
        return np.array(self.game(np.asarray(rows) > 0.5), dtype=np.float64)  # a copy: some change it


@dataclass(frozen=True, eq=False)
class Additive:
    """The game of additive attributions: a base, and the values of the players that are present."""

    base: float
    values: Floats

    def __call__(self, masks: Masks) -> Floats:
        """Predict masks ``(n_masks, n_players)``, float64 ``(n_masks,)``."""
        return self.base + np.asarray(masks, dtype=np.float64) @ self.values


Explain = Callable[[RowsGame, Request], Answer]
Limit = Callable[[Request], str | None]


@dataclass(frozen=True)
class Adapter:
    """A method of another library.

    Attributes:
        name: in results: unique.
        package: the distribution it comes from.
        needs: the class behind it, with its module: ``"shapiq.approximator.SPEX"``.
        explain: explains a game, drawing from the global random states, which are seeded meanwhile.
        refusal: says why it cannot answer a request: too many players, too small a budget; None if it can.
        since: the version of the package that has it first, and what that needs; said where it is missing.
        sparse: whether it finds sets of any order, so that pairs are the same however many orders are asked for.
        besides: a module that its recommended settings need; without it the package takes a weaker part in its place.
    """

    name: str
    package: str
    needs: str
    explain: Explain
    refusal: Limit = lambda request: None
    since: str = ""
    besides: str = ""
    sparse: bool = False

    def missing(self) -> str | None:
        """Say why it cannot be used here: not installed, or not in the installed version; None if it can."""
        module, _, attribute = self.needs.rpartition(".")
        number = version_of(self.package)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # libraries that warn about themselves
                found = getattr(import_module(module), attribute, None)
        except ImportError as error:
            return (
                f"{self.package} {number} cannot be imported: {error}" if number else f"{self.package} is not installed"
            )
        if found is None:
            return f"not in {self.package} {number}" + (f": needs {self.since}" if self.since else "")
        replaced = getattr(found, "_import_error", None)  # shapiq puts an empty class where an extra is not installed
        if replaced is not None:
            return f"{attribute} of {self.package} {number} cannot be imported: {replaced}"
        return f"needs {self.besides}, which is not installed" if self.besides and not _is_there(self.besides) else None

    def __call__(self, game: Game, request: Request) -> Answer:
        """Explain a game."""
        with seeded(request.seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # singular regressions and the like
            return self.explain(RowsGame(game, request.n_players), request)


def _is_there(module: str) -> bool:
    """Say whether a module can be imported; it may have been hidden, or broken, since it was installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(module)
    except ImportError:
        return False
    return True


def needs(evaluations: int, request: Request) -> str | None:
    """Say that a budget is too small; None if it is not."""
    if evaluations <= request.budget:
        return None
    count = f"{evaluations:,}" if evaluations < 1 << 60 else f"2**{request.n_players}"
    return f"needs {count} evaluations"


def two_players(request: Request) -> str | None:
    """Say that a method needs two players; None if it has them."""
    return "needs two players" if request.n_players < 2 else None


def needs_memory(n_bytes: int) -> str | None:
    """Say that a method needs too much memory; None if it does not."""
    return f"needs {n_bytes / 2**30:.1f} GiB" if n_bytes > MOST_BYTES else None


def of_groups(terms: Terms) -> dict[tuple[int, ...], float]:
    """Return the terms of two and more players."""
    rows = np.flatnonzero(terms.orders > 1)
    return dict(zip(terms.sets.take(rows).tuples(), terms.values[rows].tolist(), strict=True))


def shapley_of(model: ExactGame) -> Floats:
    """Return the Shapley values of a game whose indices are known, ``(n_players,)``."""
    terms = model.index_terms(resolve_index("SV", 1, model.n_players))
    values = np.zeros(model.n_players)
    values[terms.sets.players] = terms.values
    return values


def additive(game: RowsGame, values: ArrayLike) -> Answer:
    """Answer with Shapley values and the additive game that starts from no player."""
    shapley = np.asarray(values, dtype=np.float64).reshape(-1)
    return Answer(Additive(float(game(np.zeros((1, game.n_players)))[0]), shapley), shapley)


def of_recovered(model: RecoveredGame, request: Request) -> Answer:
    """Answer with a recovered game, its Shapley values and its SII."""
    terms = model.index_terms(resolve_index("SII", request.order, model.n_players))
    return Answer(model, shapley_of(model), of_groups(terms))
