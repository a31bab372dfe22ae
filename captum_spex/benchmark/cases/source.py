"""A case before it is made, and how its game is served: from a table, from memory, or as its own exact model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.benchmark.protocol import Case, ExactGame
from captum_spex.errors import ArgumentError
from captum_spex.game import Game
from captum_spex.masks import all_masks, as_masks, mask_keys
from captum_spex.model import GameModel, Residuals

_BATCH = 1024  # masks
_MOST_ENUMERATED = 16  # players
Made = tuple[Game, ExactGame | None]
"""A game, and the exact game where it is known."""


@dataclass(frozen=True)
class CaseSource:
    """A game of the benchmark before any model is trained, or any file read, for it.

    Attributes:
        name: unique among the catalogue and a folder of games.
        family: the group in summaries.
        n_players: number of players.
        about: one sentence: what is removed from what, and what is observed.
        make: makes the game, the same one every time; a function that can be sent to another process.
        requirement: a module that must be installed for it, and how.
        is_slow: whether an evaluation takes 10 ms and more; then budgets are smaller.

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
    requirement: tuple[str, str] | None = None
    is_slow: bool = False

    @classmethod
    def of(cls, case: Case) -> CaseSource:
        """Return the source of a case that is made already."""
        return cls(case.name, case.family, case.n_players, "a game of your own.", lambda: (case.game, case.truth))

    @property
    def package(self) -> str:
        """The distribution that must be installed for it; empty if none."""
        return "" if self.requirement is None else self.requirement[1].split()[-1]

    def missing(self) -> str | None:
        """Say what must be installed first; None if nothing."""
        if self.requirement is None or find_spec(self.requirement[0]) is not None:
            return None
        return "needs the module {}: {}".format(*self.requirement)

    def load(self) -> Case:
        """Make the case: train its model, read its file, evaluate all masks where that is cheap.

        Raises:
            ArgumentError: if something must be installed first, or a file is damaged.
        """
        missing = self.missing()
        if missing is not None:
            raise ArgumentError("case", f"{self.name!r}, which {missing}", "a case whose `missing()` is None")
        return Case(self.name, self.family, self.n_players, *self.make())


@dataclass(frozen=True, eq=False)
class Lookup:
    """A game whose values are all known: ``values[i]`` has player ``j`` present iff bit ``j`` of ``i`` is set."""

    n_players: int
    values: Floats

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        return self.values[mask_keys(as_masks(masks, self.n_players)).astype(np.int64)]


@dataclass(frozen=True, eq=False)
class Remembered:
    """A game that evaluates every mask once: by rounding errors its values depend on the rest of a batch."""

    n_players: int
    game: Game
    _known: dict[bytes, float] = field(default_factory=dict)

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        checked = as_masks(masks, self.n_players)
        names = [row.tobytes() for row in np.packbits(checked, axis=1)]
        rows = list({name: row for row, name in enumerate(names) if name not in self._known}.values())
        for some in (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)):
            values = np.asarray(self.game(checked[some]), dtype=np.float64)
            self._known.update(zip((names[row] for row in some), values.tolist(), strict=True))
        return np.array([self._known[name] for name in names], dtype=np.float64)


def tabled(n_players: int, values: Floats) -> Made:
    """Return the game of a full table, and the table as the exact answer."""
    return Lookup(n_players, values), GameModel((Residuals(all_masks(n_players), values),))


def made_of(game: Game, n_players: int) -> Made:
    """Return the table of all values of a game of up to 16 players, or the game itself without an exact answer."""
    remembered = Remembered(n_players, game)
    if n_players > _MOST_ENUMERATED:
        return remembered, None
    return tabled(n_players, remembered(all_masks(n_players)))
