"""The surrogate of ProxySPEX as published: boosted trees from a grid, 95 % of their energy, refitted by ridge."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.linear_model import RidgeCV

from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import parities
from captum_spex.masks import Masks
from captum_spex.model import Spectrum
from captum_spex.player_sets import PlayerSets

_ENERGY = 0.95
_GRID = tuple(
    BoostedTrees(n_trees, rate, depth, num_leaves=31, min_child_samples=20, subsample=1.0)
    for depth, n_trees, rate in product((3, 5), (500, 1000, 5000), (0.01, 0.1))
)


@dataclass(frozen=True)
class PublishedTrees:
    """The published surrogate, for comparison: slower, and it does not converge.

    5-fold choice among twelve LightGBM settings (depth 3 or 5; 500, 1,000 or 5,000 trees; learning rate 0.01 or 0.1);
    the terms larger than the one at which 95 % of the energy is reached (so a single term that holds it all is lost),
    refitted by ridge. Its predictions out of sample are those of the trees, before the cut.

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, and its code (spectral-explain 0.0.4).
    """

    def fit(self, masks: Masks, values: Floats, split: list[Ints]) -> tuple[Spectrum, Floats, BoostedTrees]:
        """Return the spectrum, the predictions of every value by trees that did not see it, and the trees chosen."""
        predicted = np.zeros((len(_GRID), len(values)))
        for held_out in split:
            kept = np.setdiff1d(np.arange(len(values)), held_out)
            for row, trees in enumerate(_GRID):
                predicted[row, held_out] = trees.fit(masks[kept], values[kept])(masks[held_out])
        best = int(((predicted - values) ** 2).sum(axis=1).argmin())
        spectrum = _refitted(_GRID[best].fit(masks, values), masks, values)
        return spectrum, predicted[best], _GRID[best]


def _refitted(spectrum: Spectrum, masks: Masks, values: Floats) -> Spectrum:
    rows = np.flatnonzero(spectrum.orders > 0)
    energy = np.cumsum(spectrum.values[rows] ** 2)
    cut = np.abs(spectrum.values[rows])[np.searchsorted(energy, _ENERGY * energy[-1])] if len(rows) else 0.0
    kept = rows[np.abs(spectrum.values[rows]) > cut]
    constant = PlayerSets.from_sets([()], spectrum.n_players)
    supports = PlayerSets.concatenate([constant, spectrum.sets.take(kept)])
    characters = 1.0 - 2.0 * parities(masks, supports).T
    ridge = RidgeCV(alphas=np.logspace(-6, 6, 100), fit_intercept=False).fit(characters, values)
    return Spectrum(supports, ridge.coef_)
