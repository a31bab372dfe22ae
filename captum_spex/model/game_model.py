"""The recovered game as a sum of parts."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.indices import Index, IndexTerms
from captum_spex.masks import as_masks
from captum_spex.model.observed import ObservedCorrections
from captum_spex.model.part import Part
from captum_spex.model.spectrum import Spectrum
from captum_spex.supports import Floats, Supports

ALL_SETS_LIMIT = 1_000_000
"""Sets of one order up to which every one of them gets its index; beyond, those that the spectrum suggests."""

_PART_KINDS: dict[str, type[Spectrum] | type[ObservedCorrections]] = {
    kind.kind: kind for kind in (Spectrum, ObservedCorrections)
}


@dataclass(frozen=True, eq=False)
class GameModel:
    """What was recovered of a game: ``parts`` that add up to it.

    Example:
        >>> model = GameModel((Spectrum.from_terms({(): 1.0, (0, 1): 2.0}, n_players=3),))
        >>> model([[True, True, False], [True, False, False]])
        array([ 3., -1.])
    """

    parts: tuple[Part, ...]

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.parts[0].n_players

    def __call__(self, masks: ArrayLike) -> Floats:
        """Predict the value of any masks, float64 ``(n_masks,)``."""
        checked = as_masks(masks, self.n_players)
        return np.sum([part(checked) for part in self.parts], axis=0)

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of order 1 and of every candidate of higher order, exact for this model.

        Candidates are all sets of an order while there are at most `ALL_SETS_LIMIT` of them; beyond, the sets below
        a term of the spectrum.
        """
        candidates = self._candidates(index.max_order)
        values = np.sum([part.index_at(index, candidates) for part in self.parts], axis=0)
        baseline = sum(part.baseline(index) for part in self.parts)
        return IndexTerms(index, candidates, values, baseline)

    def spectrum(self, max_terms: int) -> Spectrum:
        """Return the ``max_terms`` largest Fourier terms, for display."""
        parts = [part.largest_terms(max(max_terms, 1 << 14)) for part in self.parts]
        return Spectrum.sum(parts, self.n_players).largest_terms(max_terms)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain lists and numbers, for JSON."""
        return {"parts": [{"kind": part.kind, **part.to_dict()} for part in self.parts]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> GameModel:
        """Read what `to_dict` returned."""
        return cls(tuple(_PART_KINDS[part["kind"]].from_dict(part) for part in content["parts"]))

    def _candidates(self, max_order: int) -> Supports:
        suggested = [part.candidates(max_order) for part in self.parts]
        named = [supports for supports in suggested if supports is not None]
        n = self.n_players
        chosen = [Supports.all_of_order(1, n)]
        union = Supports.concatenate(named).unique()[0] if named else None
        for order in range(2, max_order + 1):
            if len(named) < len(suggested) and comb(n, order) <= ALL_SETS_LIMIT:
                chosen.append(Supports.all_of_order(order, n))
            elif union is not None:
                chosen.append(union.take(np.flatnonzero(union.orders == order)))
        return Supports.concatenate(chosen)
