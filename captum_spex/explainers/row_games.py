"""Rows of one model under the same masks, as one game; the values of each are kept, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats
from captum_spex.explainers.masker_game import MaskerGame
from captum_spex.masks import Masks, find_rows, mask_keys


class KeptGame:
    """A row's game that keeps its values, and remembers whether it failed.

    Args:
        game: the game.

    Attributes:
        recalls: whether masks that were evaluated before are answered without the model. Not so of a game whose masks
            are compared with what they are alone.
        failed: whether the model raised, or returned what cannot be used.
    """

    def __init__(self, game: MaskerGame) -> None:
        self.game = game
        self.n_players = game.n_players
        self.n_outputs = np.size(game.without)
        self.batch_argument = game.batch_argument
        self.rounding = game.rounding
        self.recalls = game.batch_argument is None
        self.failed = False
        self._keys = np.zeros(0, dtype=np.uint64)
        self._values = np.zeros((0, *game.without.shape))

    def __call__(self, masks: Masks) -> Floats:
        """Return the values ``(n_masks,)`` or ``(n_masks, n_outputs)``."""
        keys = mask_keys(masks)
        known = find_rows(keys, self._keys) if self.recalls else np.full(len(keys), -1)
        values = np.empty((len(masks), *self._values.shape[1:]))
        values[known >= 0] = self._values[known[known >= 0]]
        new = np.flatnonzero(known < 0)
        if len(new):
            values[new] = self.game(masks[new])
            fresh = new[find_rows(keys[new], self._keys) < 0]
            self._keys = np.concatenate([self._keys, keys[fresh]])
            self._values = np.concatenate([self._values, values[fresh]])
        return values

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call of the model."""
        return self.game.plan_batches(masks)

    def columns(self, masks: Masks) -> Floats:
        """Return the values ``(n_masks, n_outputs)``; zeros from where the model fails on."""
        if not self.failed:
            try:
                values = self(masks).reshape(len(masks), self.n_outputs)
            except Exception:
                self.failed = True
            else:
                self.failed = not np.isfinite(values).all()
        return np.zeros((len(masks), self.n_outputs)) if self.failed else values


class RowsGame:
    """Several rows' games as one, with an output for every output of every row.

    Args:
        games: the rows' games, all of as many players.
    """

    def __init__(self, games: Sequence[KeptGame]) -> None:
        self.games = games
        self.n_players = games[0].n_players
        self.batch_argument = games[0].batch_argument
        self.rounding = games[0].rounding

    def __call__(self, masks: Masks) -> Floats:
        """Return the values ``(n_masks, n_rows * n_outputs)``."""
        return np.concatenate([game.columns(masks) for game in self.games], axis=1)

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the masks of each call of the model."""
        return self.games[0].plan_batches(masks)
