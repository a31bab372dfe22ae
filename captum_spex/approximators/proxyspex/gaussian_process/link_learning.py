"""Learning the monotone link between a latent score and the values of a game."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression

from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.model import Link
from captum_spex.statistics import Standardised


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
        knots, margin = _knots(values), SETTINGS.link_margin * np.ptp(values)
        low, width = values.min() - margin, np.ptp(values) + 2 * margin

        def log_odds(some: Floats) -> Floats:
            share = (some - low) / width
            return np.asarray(np.log(share / (1 - share)))

        usual = Standardised.of(log_odds(values))
        scores = (log_odds(knots) - usual.center) / usual.scale
        return cls._standardised(knots, (scores + _normal_scores(values, knots)) / 2, values)

    def relearned(self, values: Floats, predicted: Floats) -> LearnedLink:
        r"""Return the link :math:`v \mapsto \mathbb E[\hat z \mid v]` of latent scores predicted out of sample.

        Rising by isotonic regression, smoothed, and mixed with a tenth of normal scores so that it is strictly so.

        References:
            Breiman, Friedman, "Estimating optimal transformations", JASA 1985 (alternating conditional expectations).
            Snelson, Rasmussen, Ghahramani, "Warped Gaussian processes", NeurIPS 2003.
        """
        knots = _knots(values)
        rising = IsotonicRegression().fit(values, predicted).predict(knots)
        ranks = _normal_scores(values, knots)
        weights = np.exp(-(((ranks[:, None] - ranks) / SETTINGS.link_smoothing) ** 2) / 2)
        smooth = np.maximum.accumulate(weights @ rising / weights.sum(axis=1))
        scores = Standardised.of(smooth).values if smooth.std() > 0 else ranks
        return self._standardised(
            knots, (1 - SETTINGS.link_rank_share) * scores + SETTINGS.link_rank_share * ranks, values
        )

    def __call__(self, values: Floats) -> Floats:
        """Return the latent scores of values."""
        return np.asarray(np.interp(values, self.values, self.latents))

    def link(self, noise: float) -> Link:
        r"""Return :math:`h(z) = \mathbb E\,v(z + \varepsilon)`, the mean value at a latent uncertain by ``noise``.

        Gauss-Hermite quadrature with 16 nodes, tabulated.
        """
        grid = np.linspace(self.latents[0] - 4 * noise, self.latents[-1] + 4 * noise, SETTINGS.link_grid)
        nodes, weights = np.polynomial.hermite_e.hermegauss(SETTINGS.link_nodes)
        moved = np.interp(grid[:, None] + noise * nodes, self.latents, self.values)
        return Link(grid, moved @ (weights / weights.sum()))

    @classmethod
    def _standardised(cls, knots: Floats, latents: Floats, values: Floats) -> LearnedLink:
        reached = Standardised.of(np.interp(values, knots, latents))
        return cls(knots, (latents - reached.center) / reached.scale)


def _knots(values: Floats) -> Floats:
    """The distinct values; of many, the middles of equally filled bins, and both ends."""
    distinct = np.unique(values)
    if len(distinct) <= SETTINGS.link_knots:
        return distinct
    middles = [chunk.mean() for chunk in np.array_split(distinct[1:-1], SETTINGS.link_knots - 2)]
    return np.concatenate([distinct[:1], middles, distinct[-1:]])


def _normal_scores(values: Floats, knots: Floats) -> Floats:
    """Normal scores of the ranks, at the knots; equal values share the middle of their ranks."""
    ordered = np.sort(values)
    ranks = (np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right")) / 2
    return np.asarray(norm.ppf(np.clip(ranks, 0.5, len(values) - 0.5) / len(values)))
