"""A case that is not made yet: what it is, and how to make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from captum_spex.benchmark._protocol import Case
from captum_spex.errors import ArgumentError
from captum_spex.game import Game
from captum_spex.model import RecoveredGame

Made = tuple[Game, RecoveredGame | None]
"""A game, and the exact game as a model where it is known."""


@dataclass(frozen=True)
class Needed:
    """A module that is not among the requirements of the package, and how to get it."""

    module: str
    install: str


@dataclass(frozen=True)
class CaseSource:
    """A game of the benchmark before any model is trained, or any file read, for it.

    Attributes:
        name: unique among the catalogue and a folder of games.
        family: which summary it counts in.
        n_players: number of players.
        about: one sentence that says what is removed of what, and what is observed.
        make: makes the game, the same one every time; a function that can be sent to another process.
        needed: a module that must be installed for it.

    Example:
        >>> from captum_spex.benchmark.cases import catalogue
        >>> source = next(one for one in catalogue() if one.name == "planted-10")
        >>> case = source.load()
        >>> case.game([[True] * 10]) == case.truth([[True] * 10])
        array([ True])
    """

    name: str
    family: str
    n_players: int
    about: str
    make: Callable[[], Made]
    needed: Needed | None = None

    def missing(self) -> str | None:
        """Say what must be installed first; None if nothing."""
        if self.needed is None or find_spec(self.needed.module) is not None:
            return None
        return f"needs the module {self.needed.module}: {self.needed.install}"

    def load(self) -> Case:
        """Make the case: train its model, read its file, evaluate all masks where that is cheap.

        Raises:
            ArgumentError: if something must be installed first, or a file is damaged.
        """
        missing = self.missing()
        if missing is not None:
            raise ArgumentError("case", f"{self.name!r}, which {missing}", "a case whose `missing()` is None")
        game, truth = self.make()
        return Case(self.name, self.family, self.n_players, game, truth)
