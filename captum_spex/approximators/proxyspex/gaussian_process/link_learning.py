"""Learning the monotone link between a latent score and the values of a game."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression

from captum_spex.arrays import Floats
from captum_spex.model import Link

FEWEST_VALUES = 8
"""Distinct values below which there is no curve to learn."""

_MARGIN = 0.01  # of the range of the values, that keeps the logarithm of the odds finite
_BINS = 512
_SMOOTHING = 0.15  # bandwidth in normal scores
_RANK_SHARE = 0.1  # of the normal scores in a learnt warp: it must keep rising
_GRID = 512
_NODES = 16


@dataclass(frozen=True, eq=False)
class LearnedLink:
    """A rising function from values to latent scores of mean 0 and variance 1, by its knots."""

    values: Floats
    latents: Floats

    @classmethod
    def initial(cls, values: Floats) -> LearnedLink:
        """Return the mean of two scores: the normal score of the rank, and the log-odds within the range of values.

        The first makes any distribution normal, the second undoes the squashing of a probability.
        """
        knots = _knots(values)
        low, width = values.min() - _MARGIN * np.ptp(values), (1 + 2 * _MARGIN) * np.ptp(values)
        share = (values - low) / width
        odds = np.log(share / (1 - share))
        at_knots = (knots - low) / width
        scores = (np.log(at_knots / (1 - at_knots)) - odds.mean()) / odds.std()
        return cls._standardised(knots, (scores + _normal_scores(values, knots)) / 2, values)

    def relearned(self, values: Floats, predicted: Floats) -> LearnedLink:
        r"""Return the warp :math:`v \mapsto \mathbb E[\hat z \mid v]` of latent scores predicted out of sample.

        Rising by isotonic regression, smoothed, and mixed with a tenth of normal scores so that it is strictly so.

        References:
            Breiman, Friedman, "Estimating optimal transformations", JASA 1985 (alternating conditional expectations).
            Snelson, Rasmussen, Ghahramani, "Warped Gaussian processes", NeurIPS 2003.
        """
        knots = _knots(values)
        rising = IsotonicRegression().fit(values, predicted).predict(knots)
        ranks = _normal_scores(values, knots)
        weights = np.exp(-(((ranks[:, None] - ranks) / _SMOOTHING) ** 2) / 2)
        smooth = np.maximum.accumulate(weights @ rising / weights.sum(axis=1))
        spread = smooth.std()
        scores = (smooth - smooth.mean()) / spread if spread > 0 else ranks
        return self._standardised(knots, (1 - _RANK_SHARE) * scores + _RANK_SHARE * ranks, values)

    def __call__(self, values: Floats) -> Floats:
        """Return the latent scores of values."""
        return np.asarray(np.interp(values, self.values, self.latents))

    def link(self, noise: float) -> Link:
        r"""Return :math:`h(z) = \mathbb E\,v(z + \varepsilon)`, the mean value at a latent uncertain by ``noise``.

        Gauss-Hermite quadrature with 16 nodes, tabulated.
        """
        grid = np.linspace(self.latents[0] - 4 * noise, self.latents[-1] + 4 * noise, _GRID)
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        moved = np.interp(grid[:, None] + noise * nodes, self.latents, self.values)
        return Link(grid, moved @ (weights / weights.sum()))

    @classmethod
    def _standardised(cls, knots: Floats, latents: Floats, values: Floats) -> LearnedLink:
        reached = np.interp(values, knots, latents)
        return cls(knots, (latents - reached.mean()) / reached.std())


def _knots(values: Floats) -> Floats:
    """The distinct values; of many, the middles of equally filled bins, and both ends."""
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        return distinct
    middles = [chunk.mean() for chunk in np.array_split(distinct[1:-1], _BINS - 2)]
    return np.concatenate([distinct[:1], middles, distinct[-1:]])


def _normal_scores(values: Floats, knots: Floats) -> Floats:
    """Normal scores of the ranks, at the knots; equal values share the middle of their ranks."""
    ordered = np.sort(values)
    ranks = (np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right")) / 2
    return np.asarray(norm.ppf(np.clip(ranks, 0.5, len(values) - 0.5) / len(values)))
