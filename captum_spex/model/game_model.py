"""The recovered game as a sum of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, Ints
from captum_spex.indices import Index, IndexTerms
from captum_spex.masks import as_masks
from captum_spex.model.kernel import KernelExpansion
from captum_spex.model.linked import LinkedExpansion
from captum_spex.model.part import Part
from captum_spex.model.posterior import Posterior
from captum_spex.model.residuals import Residuals
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets, extended_by_one

ALL_PAIRS_LIMIT = 1_000_000
"""Pairs up to which every one of them gets its index."""

ALL_SETS_LIMIT = 50_000
"""Sets of an order above 2 up to which every one of them gets its index."""

_GROWN_SETS = 20_000  # beyond the limits: sets grown from the strongest of the order below
_PART_KINDS: dict[str, type[Spectrum] | type[KernelExpansion] | type[LinkedExpansion] | type[Residuals]] = {
    kind.kind: kind for kind in (Spectrum, KernelExpansion, LinkedExpansion, Residuals)
}


@dataclass(frozen=True, eq=False)
class GameModel:
    """What was recovered of a game: ``parts`` that add up to it, and the ``posterior`` behind its error bars, if any.

    Example:
        >>> model = GameModel((Spectrum.from_terms({(): 1.0, (0, 1): 2.0}, n_players=3),))
        >>> model([[True, True, False], [True, False, False]])
        array([ 3., -1.])
    """

    parts: tuple[Part, ...]
    posterior: Posterior | None = None

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.parts[0].n_players

    @property
    def n_varied(self) -> int:
        """Number of players that could have an influence."""
        return self.n_players

    def __call__(self, masks: ArrayLike) -> Floats:
        """Predict the value of any masks, float64 ``(n_masks,)``."""
        checked = as_masks(masks, self.n_players)
        return np.sum([part(checked) for part in self.parts], axis=0)

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of order 1 and of every candidate of higher order, exact for this model.

        Candidates are all sets of an order while there are at most `ALL_PAIRS_LIMIT` pairs, or `ALL_SETS_LIMIT` of a
        higher order. Beyond: the sets below the largest Fourier terms of the parts, and, where a part concerns all
        sets, those that add a player to one of the strongest sets of the order below: about a million pairs, or 20,000
        sets of a higher order.
        """
        chosen = [PlayerSets.all_of_order(1, self.n_players)]
        values = [self._index_at(index, chosen[0])]
        for order in range(2, index.max_order + 1):
            chosen.append(self._candidates(order, chosen[-1], values[-1]))
            values.append(self._index_at(index, chosen[-1]))
        baseline = sum(part.baseline(index) for part in self.parts)
        return IndexTerms(index, PlayerSets.concatenate(chosen), np.concatenate(values), baseline)

    def std_errors(self, index: Index, supports: PlayerSets) -> Floats | None:
        """Return the standard error of the index of every set, ``None`` where there is no posterior.

        0 if every mask was observed, without noise.
        """
        observed = [part for part in self.parts if isinstance(part, Residuals)]
        everything = bool(observed) and len(observed[0].masks).bit_length() == self.n_players + 1
        if everything and (self.posterior is None or not self.posterior.noise.any()):
            return np.zeros(len(supports))
        return None if self.posterior is None else self.posterior.std_errors(index, supports)

    def n_sets(self, max_order: int) -> int | None:
        """Return how many sets up to an order may have an index at all; ``None`` if only the terms listed can."""
        if not self._grows:
            return None
        return sum(comb(self.n_players, order) for order in range(1, max_order + 1))

    def spectrum(self, max_terms: int) -> Spectrum:
        """Return the ``max_terms`` largest Fourier terms, for display."""
        parts = [part.largest_terms(max(max_terms, 1 << 14)) for part in self.parts]
        return Spectrum.sum(parts, self.n_players).largest_terms(max_terms)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain lists and numbers, for JSON."""
        parts = [{"kind": part.kind, **part.to_dict()} for part in self.parts]
        return {"parts": parts, "posterior": self.posterior.to_dict() if self.posterior else None}

    @staticmethod
    def from_dict(content: dict[str, Any]) -> GameModel:
        """Read what `to_dict` returned."""
        if "among" in content:
            inner, error = GameModel.from_dict(content["among"]), content.get("other_std_error", 0.0)
            return AmongOthers.of(inner, content["players"], content["n_players"], error)
        posterior = content.get("posterior")
        parts = tuple(_PART_KINDS[part["kind"]].from_dict(part) for part in content["parts"])
        return GameModel(parts, Posterior.from_dict(posterior) if posterior else None)

    @property
    def _grows(self) -> bool:
        """Whether strong sets hint at others: so in all parts but residuals, which concern all sets alike."""
        return any(part.concerns_all and not isinstance(part, Residuals) for part in self.parts)

    def _index_at(self, index: Index, supports: PlayerSets) -> Floats:
        return np.asarray(np.sum([part.index_at(index, supports) for part in self.parts], axis=0))

    def _candidates(self, order: int, below: PlayerSets, values: Floats) -> PlayerSets:
        """The sets of one order that get an index, given those of the order below and their values."""
        concerns_all = any(part.concerns_all for part in self.parts)
        if concerns_all and comb(self.n_players, order) <= (ALL_PAIRS_LIMIT if order == 2 else ALL_SETS_LIMIT):
            return PlayerSets.all_of_order(order, self.n_players)
        found = PlayerSets.concatenate([part.candidates(order) for part in self.parts])
        found = found.take(np.flatnonzero(found.orders == order))
        if self._grows:
            most = max(1, (ALL_PAIRS_LIMIT if order == 2 else _GROWN_SETS) // self.n_players)
            strongest = np.argsort(-np.abs(values), kind="stable")[:most]
            found = PlayerSets.concatenate([found, extended_by_one(below.take(strongest))])
        return found.unique()[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class AmongOthers(GameModel):
    """A recovered game among players without influence: every set that holds one of those has the index 0.

    True of every index here, as all are functionals of the Fourier terms that contain the set.
    """

    inner: GameModel
    players: Ints
    n_all: int
    other_std_error: float = 0.0
    """Of sets that hold a player without influence; above 0 if that was found out, and is not known."""

    @classmethod
    def of(cls, inner: GameModel, players: Sequence[int], n_players: int, other_std_error: float = 0.0) -> AmongOthers:
        """Let ``players[i]`` of ``n_players`` play for player ``i`` of a game."""
        return cls(
            inner.parts,
            inner.posterior,
            inner=inner,
            players=np.array(players, dtype=np.int64),
            n_all=n_players,
            other_std_error=other_std_error,
        )

    @property
    def n_players(self) -> int:
        """Number of all players."""
        return self.n_all

    @property
    def n_varied(self) -> int:
        """Number of players that could have an influence."""
        return self.inner.n_varied

    def __call__(self, masks: ArrayLike) -> Floats:
        """Predict the value of any masks of all players, float64 ``(n_masks,)``."""
        return self.inner(as_masks(masks, self.n_all)[:, self.players])

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of order 1, and of the inner game's sets of higher order."""
        return self.terms_among(self.inner.index_terms(index))

    def terms_among(self, terms: IndexTerms) -> IndexTerms:
        """Return terms of the inner game as terms of this one, 0 for the other single players."""
        others = np.setdiff1d(np.arange(self.n_all), self.players)
        single = PlayerSets.from_blocks([others[:, None]], self.n_all)
        sets = PlayerSets.concatenate([self._renamed(terms.sets), single])
        values = np.concatenate([terms.values, np.zeros(len(others))])
        return IndexTerms(terms.resolved_index, sets, values, terms.baseline)

    def std_errors(self, index: Index, supports: PlayerSets) -> Floats | None:
        """Return the standard error of the index of every set, `other_std_error` where a player has no influence."""
        place = np.full(self.n_all, -1)
        place[self.players] = np.arange(len(self.players))
        owner = np.repeat(np.arange(len(supports)), supports.orders)
        known = np.ones(len(supports), dtype=np.bool_)
        known[owner[place[supports.players] < 0]] = False
        chosen = supports.take(np.flatnonzero(known))
        inner = PlayerSets(self.inner.n_players, chosen.indptr, place[chosen.players])
        found = self.inner.std_errors(index, inner)
        if found is None:
            return None
        errors = np.full(len(supports), self.other_std_error)
        errors[known] = found
        return errors

    def n_sets(self, max_order: int) -> int | None:
        """Return how many sets are listed or may have an index at all."""
        inner = self.inner.n_sets(max_order)
        return None if inner is None else inner + self.n_all - self.inner.n_players

    def spectrum(self, max_terms: int) -> Spectrum:
        """Return the ``max_terms`` largest Fourier terms, for display."""
        inner = self.inner.spectrum(max_terms)
        return Spectrum(self._renamed(inner.sets), inner.values)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain lists and numbers, for JSON."""
        content = {"among": self.inner.to_dict(), "players": self.players.tolist(), "n_players": self.n_all}
        return {**content, "other_std_error": self.other_std_error} if self.other_std_error else content

    def _renamed(self, supports: PlayerSets) -> PlayerSets:
        return PlayerSets(self.n_all, supports.indptr, self.players[supports.players])
