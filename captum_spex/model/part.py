"""What every part of a recovered game answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from captum_spex.arrays import Floats
from captum_spex.indices import Index
from captum_spex.masks import Masks
from captum_spex.player_sets import PlayerSets

if TYPE_CHECKING:
    from captum_spex.model.spectrum import Spectrum


class Part(Protocol):
    """A summand of a recovered game. Indices are linear, so the index of a sum is the sum of the parts' indices."""

    kind: ClassVar[str]
    concerns_all: ClassVar[bool]
    """Whether any set of players may have an index other than 0, or only the `candidates`."""

    @property
    def n_players(self) -> int:
        """Number of players of the game."""

    def __call__(self, masks: Masks) -> Floats:
        """Return this part's share of the values, float64 ``(n_masks,)``."""

    def baseline(self, index: Index) -> float:
        """Return this part's share of the index of the empty set."""

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return this part's share of the index of every set, all of order 1 to ``index.max_order``."""

    def candidates(self, max_order: int) -> PlayerSets:
        """Return the sets on which this part's indices differ from 0, or are likely to be the largest."""

    def largest_terms(self, max_terms: int) -> Spectrum:
        """Return about the ``max_terms`` largest Fourier terms of this part."""

    def scaled(self, factor: float) -> Part:
        """Return ``factor`` times this part."""

    def to_dict(self) -> dict[str, Any]:
        """Return the part as plain lists and numbers, for JSON."""
