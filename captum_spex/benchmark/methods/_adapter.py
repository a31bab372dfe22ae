"""What all adapters share: the method itself, a game that other libraries can call, additive explanations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark._protocol import Answer, Request
from captum_spex.benchmark.methods._global_state import seeded
from captum_spex.game import Game
from captum_spex.indices import resolve_index
from captum_spex.masks import Masks
from captum_spex.model import RecoveredGame
from captum_spex.terms import Terms


class AskedGame:
    """A game that takes rows of 0 and 1 of any type, and remembers its values with no player and with all.

    Args:
        game: the game itself.
        n_players: number of players.
    """

    def __init__(self, game: Game, n_players: int) -> None:
        self._game = game
        self._n_players = n_players
        self._ends: dict[int, float] = {}

    def __call__(self, rows: Any) -> Floats:
        """Evaluate rows ``(n_rows, n_players)``, float64 ``(n_rows,)``."""
        masks = np.asarray(rows) > 0.5
        values = np.array(self._game(masks), dtype=np.float64)  # a copy: some change it
        sizes = masks.sum(axis=1)
        for size in (0, self._n_players):
            self._ends.update((size, float(value)) for value in values[sizes == size][:1])
        return values

    @property
    def of_none(self) -> float:
        """The value with no player: no evaluation if it was asked for before."""
        return self._end(0)

    @property
    def of_all(self) -> float:
        """The value with all players: no evaluation if it was asked for before."""
        return self._end(self._n_players)

    def _end(self, size: int) -> float:
        if size not in self._ends:
            self(np.full((1, self._n_players), size > 0))
        return self._ends[size]


@dataclass(frozen=True, eq=False)
class Additive:
    """The game of additive attributions: a base, and the values of the players that are present."""

    base: float
    values: Floats

    def __call__(self, masks: Masks) -> Floats:
        """Predict masks ``(n_masks, n_players)``, float64 ``(n_masks,)``."""
        return self.base + np.asarray(masks, dtype=np.float64) @ self.values


Explain = Callable[[AskedGame, Request], Answer]
Limit = Callable[[Request], str | None]


def no_limit(request: Request) -> str | None:
    """Answer every request."""
    return None


@dataclass(frozen=True)
class Adapter:
    """A method of another library.

    Attributes:
        name: what it is called in results: unique.
        package: the distribution it comes from.
        needs: the class behind it, with its module: ``"shapiq.approximator.SPEX"``.
        explain: explains a game, drawing from the global random states, which are seeded meanwhile.
        limit: why it cannot answer a request; None if it can.
    """

    name: str
    package: str
    needs: str
    explain: Explain
    limit: Limit = no_limit

    def missing(self) -> str | None:
        """Say why it cannot be used here: not installed, or not in the version that is; None if it can."""
        module, _, attribute = self.needs.rpartition(".")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # libraries that warn about themselves
                found = hasattr(import_module(module), attribute)
        except ImportError as error:
            installed = _version_of(self.package)
            if installed is None:
                return f"{self.package} is not installed"
            return f"{self.package} {installed} cannot be imported: {error}"
        return None if found else f"not in {self.package} {_version_of(self.package)}"

    def refusal(self, request: Request) -> str | None:
        """Say why it cannot answer this request: too many players, too small a budget; None if it can."""
        return self.limit(request)

    def __call__(self, game: Game, request: Request) -> Answer:
        """Explain a game."""
        with seeded(request.seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # singular regressions and the like
            return self.explain(AskedGame(game, request.n_players), request)


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def of_groups(terms: Terms) -> dict[tuple[int, ...], float]:
    """Return the terms of two and more players."""
    rows = np.flatnonzero(terms.orders > 1)
    return dict(zip(terms.sets.take(rows).tuples(), terms.values[rows].tolist(), strict=True))


def shapley_of(model: RecoveredGame) -> Floats:
    """Return the Shapley values of a recovered game, ``(n_players,)``."""
    terms = model.index_terms(resolve_index("SV", 1, model.n_players))
    values = np.zeros(model.n_players)
    values[terms.sets.players] = terms.values
    return values


def of_recovered(model: RecoveredGame, max_order: int) -> Answer:
    """Answer with a recovered game, its Shapley values and its SII."""
    if max_order == 1 or model.n_players == 1:
        return Answer(model, shapley_of(model))
    terms = model.index_terms(resolve_index("SII", min(max_order, model.n_players), model.n_players))
    return Answer(model, shapley_of(model), of_groups(terms))
