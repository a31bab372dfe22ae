"""The recovered game as a sum of parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.indices import Index, IndexTerms
from captum_spex.masks import all_masks, as_masks, ends
from captum_spex.model.kernel_expansion import KernelExpansion
from captum_spex.model.linked_expansion import LinkedExpansion
from captum_spex.model.part import Part
from captum_spex.model.posterior import Posterior
from captum_spex.model.residuals import Residuals
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets, extended_by_one


@dataclass(frozen=True)
class Limits:
    """Where one way of computing gives way to another; a million indices take about a second."""

    tabulated_players: int = 10  # up to which indices come from the values of all masks: faster than closed forms
    all_pairs: int = 1_000_000  # up to which every pair gets its index
    all_sets: int = 50_000  # of an order above 2
    grown_sets: int = 20_000  # beyond the limits: sets of an order above 2 grown from the strongest of the order below


LIMITS = Limits()
_ROUNDING = 1e-9  # share of the largest number below which a sum is complete
_ROUNDED = 1e-13  # share of the largest value of a table: differences that are not larger are rounding
_PART_KINDS: dict[str, type[Spectrum] | type[KernelExpansion] | type[LinkedExpansion] | type[Residuals]] = {
    kind.kind: kind for kind in (Spectrum, KernelExpansion, LinkedExpansion, Residuals)
}


@dataclass(frozen=True, eq=False)
class GameModel:
    """What was recovered of a game: ``parts`` that add up to it, and the ``posterior`` behind its error bars, if any.

    ``is_constant`` says that the game was found to be constant: its indices are 0 without error.

    Example:
        >>> model = GameModel((Spectrum.from_terms({(): 1.0, (0, 1): 2.0}, n_players=3),))
        >>> model([[True, True, False], [True, False, False]])
        array([ 3., -1.])
    """

    parts: tuple[Part, ...]
    posterior: Posterior | None = None
    is_constant: bool = False

    @classmethod
    def constant(cls, value: float, n_players: int) -> GameModel:
        """Return the game that has the same value at every mask."""
        return cls((Spectrum.from_terms({(): value}, n_players),), is_constant=True)

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

        Candidates are all sets of an order while there are at most a million pairs, or 50,000 of a higher order.
        Beyond: the sets below the largest Fourier terms of the parts, and, where a part concerns all
        sets, those that add a player to one of the strongest sets of the order below: about a million pairs, or 20,000
        sets of a higher order. Where all sets have one, the terms of an index that adds up to f(all) - f(none) do so,
        though a linked game averages them over random coalitions.
        """
        chosen = [PlayerSets.all_of_order(1, self.n_players)]
        values = [self.index_at(index, chosen[0])]
        for order in range(2, index.max_order + 1):
            chosen.append(self._candidates(order, chosen[-1], values[-1]))
            values.append(self.index_at(index, chosen[-1]))
        baseline = sum(part.baseline(index) for part in self._indexed)
        sets, found = PlayerSets.concatenate(chosen), np.concatenate(values)
        if index.adds_up(self.n_players) and len(sets) == self._n_all(index.max_order):
            found = self._completed(found)
        return IndexTerms(index, sets, found, baseline)

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the index of any sets of order 1 to ``index.max_order``, exact for this model, ``(n_sets,)``."""
        indices = [part.index_at(index, sets) for part in self._indexed]
        if self._table is not None:  # the last: a null player's differences are rounding, and nothing else
            indices[-1][np.abs(indices[-1]) <= _ROUNDED * np.abs(self._table.values).max()] = 0.0
        return np.asarray(np.sum(indices, axis=0))

    def std_errors(self, index: Index, sets: PlayerSets) -> Floats | None:
        """Return the standard error of the index of every set, ``None`` where there is no posterior.

        0 if every mask was evaluated, without noise, or the game is constant.
        """
        residuals = [part for part in self.parts if isinstance(part, Residuals)]
        is_complete = bool(residuals) and len(residuals[0].masks).bit_length() == self.n_players + 1
        if self.is_constant or (is_complete and (self.posterior is None or not self.posterior.noise.any())):
            return np.zeros(len(sets))
        return None if self.posterior is None else self.posterior.std_errors(index, sets)

    def n_sets(self, max_order: int) -> int | None:
        """Return how many sets up to an order may have an index at all; ``None`` if only the terms listed can."""
        if not self._grows:
            return None
        return self._n_all(max_order)

    def spectrum(self, max_terms: int) -> Spectrum:
        """Return the ``max_terms`` largest Fourier terms, for display."""
        parts = [part.largest_terms(max(max_terms, 1 << 14)) for part in self.parts]
        return Spectrum.sum(parts, self.n_players).largest_terms(max_terms)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain lists and numbers, for JSON."""
        parts = [{"kind": part.kind, **part.to_dict()} for part in self.parts]
        content = {"parts": parts, "posterior": self.posterior.to_dict() if self.posterior else None}
        return {**content, "is_constant": True} if self.is_constant else content

    @staticmethod
    def from_dict(content: dict[str, Any]) -> GameModel:
        """Read what `to_dict` returned."""
        posterior = content.get("posterior")
        parts = tuple(_PART_KINDS[part["kind"]].from_dict(part) for part in content["parts"])
        read = Posterior.from_dict(posterior) if posterior else None
        return GameModel(parts, read, is_constant=content.get("is_constant", False))

    @cached_property
    def _table(self) -> Residuals | None:
        """The values of all masks of what is no spectrum, where players are few and there are kernels."""
        others = [part for part in self.parts if not isinstance(part, Spectrum)]
        if self.n_players > LIMITS.tabulated_players or all(isinstance(part, Residuals) for part in others):
            return None
        masks = all_masks(self.n_players)
        return Residuals(masks, np.sum([part(masks) for part in others], axis=0))

    @property
    def _indexed(self) -> tuple[Part, ...]:
        """Parts whose indices add up to those of the model."""
        if self._table is None:
            return self.parts
        return (*(part for part in self.parts if isinstance(part, Spectrum)), self._table)

    @property
    def _grows(self) -> bool:
        """Whether strong sets hint at others: so in all parts but residuals, which concern all sets alike."""
        return any(part.concerns_all and not isinstance(part, Residuals) for part in self.parts)

    def _n_all(self, max_order: int) -> int:
        return sum(comb(self.n_players, order) for order in range(1, max_order + 1))

    def _completed(self, values: Floats) -> Floats:
        """Spread what is missing to f(all) - f(none) over the values by their sizes, so that zeros stay zeros."""
        full, empty = self(ends(self.n_players))
        missing, sizes = full - empty - values.sum(), np.abs(values)
        is_rounding = abs(missing) <= _ROUNDING * max(sizes.max(), abs(full), abs(empty))
        return values if is_rounding else values + missing * sizes / sizes.sum()

    def _candidates(self, order: int, below: PlayerSets, values: Floats) -> PlayerSets:
        """The sets of one order that get an index, given those of the order below and their values."""
        concerns_all = any(part.concerns_all for part in self.parts)
        if concerns_all and comb(self.n_players, order) <= (LIMITS.all_pairs if order == 2 else LIMITS.all_sets):
            return PlayerSets.all_of_order(order, self.n_players)
        found = PlayerSets.concatenate([part.candidates(order) for part in self.parts])
        found = found.take(np.flatnonzero(found.orders == order))
        if self._grows:
            most = max(1, (LIMITS.all_pairs if order == 2 else LIMITS.grown_sets) // self.n_players)
            strongest = np.argsort(-np.abs(values), kind="stable")[:most]
            found = PlayerSets.concatenate([found, extended_by_one(below.take(strongest))])
        return found.unique()[0]
