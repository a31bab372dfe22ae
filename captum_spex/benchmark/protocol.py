"""What a benchmark compares: cases, methods, and the answers that a method gives to a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from captum_spex.arrays import Floats
from captum_spex.game import Game
from captum_spex.masks import Masks
from captum_spex.model import RecoveredGame


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
    truth: RecoveredGame | None = None


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
