"""The surrogate of ProxySPEX as published: boosted trees from a grid, 95 % of their energy, refitted by ridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from sklearn.linear_model import RidgeCV

from captum_spex import checks
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.proxy import FittedProxy, ProxyData
from captum_spex.arrays import Floats, Rows
from captum_spex.errors import ArgumentError
from captum_spex.fourier import characters
from captum_spex.masks import Masks
from captum_spex.model import Spectrum
from captum_spex.player_sets import PlayerSets

PUBLISHED_GRID = tuple(
    BoostedTrees(n_trees, rate, depth, num_leaves=31, min_child_samples=20, subsample=1.0)
    for depth, n_trees, rate in product((3, 5), (500, 1000, 5000), (0.01, 0.1))
)
"""Depth 3 or 5; 500, 1,000 or 5,000 trees; learning rate 0.01 or 0.1: spectral-explain 0.0.4."""


@dataclass(frozen=True)
class PublishedTrees:
    """The published surrogate, for comparison: slower, and it does not converge.

    5-fold choice among LightGBM settings; the terms larger than the one at which a share of the energy is reached (so
    a single term that holds it all is lost), refitted by ridge. Its predictions out of sample are those of the trees,
    before the cut.

    Attributes:
        grid: the settings among which it chooses, twelve by default.
        energy: the share of the energy.

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, and its code (spectral-explain 0.0.4).
    """

    grid: tuple[BoostedTrees, ...] = field(default=PUBLISHED_GRID, repr=False)
    energy: float = 0.95

    def __post_init__(self) -> None:
        if not self.grid or not all(isinstance(trees, BoostedTrees) for trees in self.grid):
            raise ArgumentError("grid", repr(self.grid), "a tuple of `BoostedTrees`")
        checks.number("energy", self.energy, "a number above 0, at most 1", above=0, high=1)

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        """Fit every output by itself; all have the same folds."""
        folds = data.folds()
        fits = [self.fit(data.masks, column, folds) for column in data.values.T]
        left_out = np.stack([predicted for _, predicted, _ in fits], axis=1)
        return [FittedProxy(f"published, {fits[0][2]}", [(spectrum,) for spectrum, _, _ in fits], left_out, left_out)]

    def fit(self, masks: Masks, values: Floats, folds: Sequence[Rows]) -> tuple[Spectrum, Floats, BoostedTrees]:
        """Return the spectrum, the predictions of every value by trees that did not use it, and the trees chosen."""
        predicted = np.zeros((len(self.grid), len(values)))
        for held_out in folds:
            rest = np.setdiff1d(np.arange(len(values)), held_out)
            for row, trees in enumerate(self.grid):
                predicted[row, held_out] = trees.fit(masks[rest], values[rest])(masks[held_out])
        best = int(((predicted - values) ** 2).sum(axis=1).argmin())
        return self._refitted(self.grid[best].fit(masks, values), masks, values), predicted[best], self.grid[best]

    def _refitted(self, spectrum: Spectrum, masks: Masks, values: Floats) -> Spectrum:
        rows = np.flatnonzero(spectrum.orders > 0)
        energy = np.cumsum(spectrum.values[rows] ** 2)
        cut = np.abs(spectrum.values[rows])[np.searchsorted(energy, self.energy * energy[-1])] if len(rows) else 0.0
        larger = rows[np.abs(spectrum.values[rows]) > cut]
        constant = PlayerSets.from_sets([()], spectrum.n_players)
        sets = PlayerSets.concatenate([constant, spectrum.sets.take(larger)])
        ridge = RidgeCV(alphas=np.logspace(-6, 6, 100), fit_intercept=False).fit(characters(masks, sets).T, values)
        return Spectrum(sets, ridge.coef_)
