"""The games of the benchmark: models trained here or carried by a package, planted spectra, a folder of tables."""

from __future__ import annotations

from captum_spex.benchmark.cases import (
    additive_models,
    graphs,
    language_models,
    planted,
    products,
    tabular,
    training_points,
    trees,
)
from captum_spex.benchmark.cases.folder import from_folder
from captum_spex.benchmark.cases.source import CaseSource

__all__ = ["CaseSource", "catalogue", "from_folder"]

_ALL = (
    *tabular.SOURCES, *language_models.SOURCES, *training_points.SOURCES, *planted.SOURCES,
    *trees.SOURCES, *products.SOURCES, *additive_models.SOURCES, *graphs.SOURCES,
)  # fmt: skip
_QUICK = ("forest-13", "digits-64", "review-11", "heads-12", "training-12", "planted-alone-30")


def catalogue(*, quick: bool = False) -> list[CaseSource]:
    """List the games of the benchmark; none is made before its `CaseSource.load`.

    Args:
        quick: only one of every family, with cheap evaluations and without further requirements.

    Returns:
        Sources of distinct names. Some may be missing a requirement (`CaseSource.missing`).

    Example:
        >>> [source.name for source in catalogue(quick=True)][:3]
        ['forest-13', 'digits-64', 'review-11']
    """
    return [source for source in _ALL if not quick or source.name in _QUICK]
