"""A recovered game among players without influence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.indices import Index, IndexTerms
from captum_spex.masks import as_masks
from captum_spex.model.game_model import GameModel
from captum_spex.model.part import Part
from captum_spex.model.posterior import Posterior
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets, within


@dataclass(frozen=True, eq=False)
class AmongOthers:
    """A recovered game, wrapped among players without influence: every set that holds one of those has the index 0.

    True of every index here, as all are functionals of the Fourier terms that contain the set.

    Attributes:
        inner: the recovered game.
        players: which of all players plays for each of its players, in increasing order, ``(inner.n_players,)``.
        n_players: number of all players.
        other_std_error: standard error of sets that hold a player without influence; above 0 if that was estimated
            and is not known.

    Example:
        >>> inner = GameModel((Spectrum.from_terms({(0, 1): 2.0}, n_players=2),))
        >>> dict(AmongOthers(inner, np.array([3, 8]), 10).spectrum(5))
        {(3, 8): 2.0}
    """

    inner: RecoveredGame
    players: Ints
    n_players: int
    other_std_error: float = 0.0

    @classmethod
    def of(
        cls, inner: RecoveredGame, players: Sequence[int], n_players: int, other_std_error: float = 0.0
    ) -> AmongOthers:
        """Let ``players[i]`` of ``n_players`` play for player ``i`` of a game."""
        return cls(inner, np.array(players, dtype=np.int64), n_players, other_std_error)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the inner game, over its own players."""
        return self.inner.parts

    @property
    def posterior(self) -> Posterior | None:
        """The posterior of the inner game, over its own players."""
        return self.inner.posterior

    @property
    def n_varied(self) -> int:
        """Number of players that could have an influence."""
        return self.inner.n_varied

    def __call__(self, masks: ArrayLike) -> Floats:
        """Predict the value of any masks of all players, float64 ``(n_masks,)``."""
        return self.inner(as_masks(masks, self.n_players)[:, self.players])

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of order 1, and of the inner game's sets of higher order."""
        return self.terms_among(self.inner.index_terms(index))

    def terms_among(self, terms: IndexTerms) -> IndexTerms:
        """Return terms of the inner game as terms of this one, 0 for the other single players."""
        others = np.setdiff1d(np.arange(self.n_players), self.players)
        single = PlayerSets.from_blocks([others[:, None]], self.n_players)
        sets = PlayerSets.concatenate([terms.sets.renumbered(self.players, self.n_players), single])
        values = np.concatenate([terms.values, np.zeros(len(others))])
        return IndexTerms(terms.resolved_index, sets, values, terms.baseline)

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the index of any sets of order 1 to ``index.max_order``, exact for this model, ``(n_sets,)``."""
        is_inside, inside = self._inside(sets)
        values = np.zeros(len(sets))
        values[is_inside] = self.inner.index_at(index, inside)
        return values

    def std_errors(self, index: Index, sets: PlayerSets) -> Floats | None:
        """Return the standard error of the index of every set, `other_std_error` where a player has no influence."""
        is_inside, inside = self._inside(sets)
        inner_errors = self.inner.std_errors(index, inside)
        if inner_errors is None:
            return None
        errors = np.full(len(sets), self.other_std_error)
        errors[is_inside] = inner_errors
        return errors

    def _inside(self, sets: PlayerSets) -> tuple[NDArray[np.bool_], PlayerSets]:
        """Return which sets hold players of the inner game only, and these as sets of that game."""
        place = np.full(self.n_players, -1)
        place[self.players] = np.arange(len(self.players))
        is_inside = within(sets, self.players)
        return is_inside, sets.take(np.flatnonzero(is_inside)).renumbered(place, self.inner.n_players)

    def n_sets(self, max_order: int) -> int | None:
        """Return how many sets are listed or may have an index at all."""
        inner = self.inner.n_sets(max_order)
        return None if inner is None else inner + self.n_players - self.inner.n_players

    def spectrum(self, max_terms: int) -> Spectrum:
        """Return the ``max_terms`` largest Fourier terms, for display."""
        inner = self.inner.spectrum(max_terms)
        return Spectrum(inner.sets.renumbered(self.players, self.n_players), inner.values)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain lists and numbers, for JSON."""
        content = {"among": self.inner.to_dict(), "players": self.players.tolist(), "n_players": self.n_players}
        return {**content, "other_std_error": self.other_std_error} if self.other_std_error else content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> AmongOthers:
        """Read what `to_dict` returned."""
        inner, error = recovered_game(content["among"]), content.get("other_std_error", 0.0)
        return cls.of(inner, content["players"], content["n_players"], error)


RecoveredGame: TypeAlias = GameModel | AmongOthers
"""What an approximator returns for one output of a game."""


def recovered_game(content: dict[str, Any]) -> RecoveredGame:
    """Read what ``to_dict`` of a recovered game of either kind returned."""
    return AmongOthers.from_dict(content) if "among" in content else GameModel.from_dict(content)
