"""How the games of the benchmark are served: from a table of all values, from memory, or by their own terms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, Ints
from captum_spex.benchmark.cases._source import Made
from captum_spex.game import Game
from captum_spex.masks import PackedMasks, all_masks, as_masks, in_batches, mask_keys
from captum_spex.model import GameModel, Residuals, Spectrum

_BATCH = 1024


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
    """A game that is asked for every mask once: by rounding errors its values depend on what else is in a batch."""

    n_players: int
    game: Game
    _known: dict[bytes, float] = field(default_factory=dict)

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        checked = as_masks(masks, self.n_players)
        packed = np.packbits(checked, axis=1)
        names = [row.tobytes() for row in packed]
        row_of = {name: row for row, name in enumerate(names) if name not in self._known}
        rows = np.array(list(row_of.values()), dtype=np.intp)
        for some in in_batches(len(rows), _BATCH) if len(rows) else []:
            values = np.asarray(self.game(checked[rows[some]]), dtype=np.float64)
            self._known.update(zip((names[row] for row in rows[some]), values.tolist(), strict=True))
        return np.array([self._known[name] for name in names], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class SparseGame:
    """A spectrum as a game that only looks at the players of its terms, however many others there are."""

    n_players: int
    players: Ints
    among_them: Spectrum

    @classmethod
    def of(cls, spectrum: Spectrum) -> SparseGame:
        """Renumber the players of a spectrum that has other terms than the mean."""
        players = np.unique(spectrum.sets.players)
        place = {player: at for at, player in enumerate(players.tolist())}
        terms = {tuple(place[player] for player in term): value for term, value in spectrum.items()}
        return cls(spectrum.n_players, players, Spectrum.from_terms(terms, len(players)))

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        return self.among_them(as_masks(masks, self.n_players)[:, self.players])

    def evaluate_packed(self, block: PackedMasks) -> Floats:
        """Return the values of packed masks."""
        return self.among_them(block.columns(self.players))


def tabled(n_players: int, values: Floats) -> Made:
    """Return the game of a full table, and the table as the exact answer."""
    game = Lookup(n_players, values)
    masks = all_masks(n_players)
    return game, GameModel((Residuals(masks, game(masks)),))


def enumerated(game: Game, n_players: int) -> Made:
    """Evaluate all masks of a game of few players, and serve it from the table."""
    masks = all_masks(n_players)
    values = np.empty(len(masks))
    codes = mask_keys(masks).astype(np.int64)
    for rows in in_batches(len(masks), _BATCH):
        values[codes[rows]] = np.asarray(game(masks[rows]), dtype=np.float64)
    return tabled(n_players, values)


def remembered(game: Game, n_players: int) -> Made:
    """Serve a game of many players, whose exact answer is not known."""
    return Remembered(n_players, game), None


def sparse(spectrum: Spectrum) -> Made:
    """Return a spectrum as a game, and as the exact answer."""
    return SparseGame.of(spectrum), GameModel((spectrum,))
