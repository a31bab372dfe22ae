"""A source, or a group of sources, with its score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHARE = 0.1  # of the highest score of a span, below which a source is not cited
_SURE = 1.64  # standard errors: the half of a 90 % interval


@dataclass(frozen=True)
class Cited:
    """A source, or a group of sources, with its score for a part of an answer.

    Attributes:
        players: the numbers of the sources, from 0.
        texts: their texts.
        score: the value of the index.
        std_error: its standard error, if it is known.
    """

    players: tuple[int, ...]
    texts: tuple[str, ...]
    score: float
    std_error: float | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the score is beyond its error, 1.64 standard errors."""
        return abs(self.score) > _SURE * (self.std_error or 0.0)

    def plus(self, other: Cited) -> Cited:
        """Return the sum for two parts of the answer; errors add up, as they may have the same cause."""
        known = None if self.std_error is None or other.std_error is None else self.std_error + other.std_error
        return Cited(self.players, self.texts, self.score + other.score, known)


def by_size(cited: Iterable[Cited]) -> list[Cited]:
    """Return them by size, the largest absolute value first."""
    return sorted(cited, key=lambda one: (-_rounded(abs(one.score)), one.players))


def by_score(cited: Iterable[Cited]) -> list[Cited]:
    """Return them by score, the highest first."""
    return sorted(cited, key=lambda one: (-_rounded(one.score), one.players))


def _rounded(score: float) -> float:
    return float(f"{score:.9g}")  # equal scores are in the order of their sources


def worth_citing(cited: Sequence[Cited], highest: float, top: int) -> list[Cited]:
    """Return the largest of them that are sure, and more than a tenth of the highest score of a source."""
    return [one for one in by_size(cited) if one.is_sure and abs(one.score) > _SHARE * highest][:top]
