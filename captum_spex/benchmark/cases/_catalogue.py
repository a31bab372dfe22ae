"""All games that the benchmark makes itself."""

from __future__ import annotations

from captum_spex.benchmark.cases import _heads, _planted, _rows, _texts, _training
from captum_spex.benchmark.cases._source import CaseSource

_ALL = (*_rows.SOURCES, *_texts.SOURCES, *_heads.SOURCES, *_training.SOURCES, *_planted.SOURCES)
_QUICK = ("forest-13", "digits-64", "review-11", "heads-12", "training-12", "planted-alone-30")


def catalogue(*, quick: bool = False) -> list[CaseSource]:
    """List the games of the benchmark; none is made before its `CaseSource.load`.

    Args:
        quick: only one of every family, whose evaluations cost next to nothing and that need nothing else to
            be installed.

    Returns:
        Sources of distinct names. Some may be missing something here (`CaseSource.missing`).

    Example:
        >>> [source.name for source in catalogue(quick=True)][:3]
        ['forest-13', 'digits-64', 'review-11']
    """
    return [source for source in _ALL if not quick or source.name in _QUICK]
