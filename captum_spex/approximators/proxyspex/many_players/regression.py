"""Learning from very many given masks of very many players: main effects of all, interactions of the strongest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.many_players.blocked_table import (
    BlockedTable,
    inverse_deviations,
    trusted_slope,
)
from captum_spex.approximators.proxyspex.many_players.products import features_of, find_products
from captum_spex.approximators.proxyspex.many_players.screening import Screening, screen_players
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.approximators.proxyspex.validation import held_out_quality
from captum_spex.arrays import Floats
from captum_spex.model import GameModel, Spectrum
from captum_spex.player_sets import PlayerSets, sum_by_set
from captum_spex.statistics import Standardised

_TINY = float(np.finfo(np.float64).tiny)


def regressed(table: BlockedTable, rng: np.random.Generator) -> list[Estimate]:
    r"""Fit every output by a polynomial of presences, :math:`\sum_S c_S \prod_{i \in S} (x_i - p_i)`.

    Screened by marginal evidence: the 512 players that go along with the values most; then by pairwise evidence: with
    these and the next strongest, as many as the work allows, every player is paired, and partners in pairs that go
    along with the residuals of single players come in. Among these players, single ones and products whose correlation
    with the residuals exceeds what chance gives to the best of all candidates, grown by one player at a time, and
    fitted together; then main effects of all players by ridge regression of the residuals, whose penalty follows from
    the share of the variance that the players explain one by one. A tenth of the masks, at most 5,000, takes no part:
    on these the faithfulness is measured. Masks are unpacked block by block.

    References:
        Fan, Lv, "Sure independence screening", JRSS B 2008; Ilyas et al., "Datamodels", ICML 2022 (regression on past
        trainings); Henderson, "Best linear unbiased estimation and prediction under a selection model", 1975 (the
        penalty).
    """
    rows, held_out = table.split(rng)
    fits = [SparseFit.of(rows, held_out, screening, output) for output, screening in enumerate(screen_players(rows))]
    # Sparse terms first: were main effects of all fitted first, each would take a bit of the planted groups by chance.
    linear = LinearFit.of(rows.with_values(np.stack([one.residuals for one in fits], axis=1)))
    residuals = linear.residuals(held_out.with_values(np.stack([one.held_out_residuals for one in fits], axis=1)))
    outputs = zip(fits, held_out.values.T, residuals.T, strict=True)
    return [one.estimate(linear, output, truth, rest) for output, (one, truth, rest) in enumerate(outputs)]


@dataclass(frozen=True, eq=False)
class LinearFit:
    r"""Main effects of all players: value :math:`\bar y + \sum_i b_i (x_i - p_i)`.

    Attributes:
        shares: how often each player is present, ``(n_players,)``.
        mean: mean value, ``(n_outputs,)``.
        slopes: b, ``(n_players, n_outputs)``.
    """

    shares: Floats
    mean: Floats
    slopes: Floats

    @classmethod
    def of(cls, data: BlockedTable) -> LinearFit:
        """Fit all outputs by ridge regression of standardised presences."""
        standard = Standardised.of(data.values)
        targets = standard.values.astype(np.float32)
        presence, products, gram = data.sums(targets, with_gram=data.n_players <= data.limits.direct_players)
        n_rows = len(targets)
        shares = presence / n_rows
        unit = inverse_deviations(shares)
        right = unit[:, None] * (products - np.outer(shares, targets.sum(axis=0, dtype=np.float64)))
        penalty = _penalties(right, n_rows, max(1, int((unit > 0).sum())))
        if gram is not None:
            slopes = _solved((gram - n_rows * np.outer(shares, shares)) * np.outer(unit, unit), right, penalty)
        else:
            slopes = _conjugate_gradients(data, shares, unit, right, penalty)
        return cls(shares, standard.center, unit[:, None] * slopes * standard.scale)

    def residuals(self, data: BlockedTable) -> Floats:
        """Return the values minus the fit, ``(n_rows, n_outputs)``."""
        residuals = data.values - self.mean + self.shares @ self.slopes
        slopes = self.slopes.astype(np.float32)
        for rows, masks in data.blocks():
            residuals[rows] -= masks @ slopes
        return residuals


def _penalties(right: Floats, n_rows: int, n_players: int) -> Floats:
    """Return the noise over the variance of an effect, for every output of variance 1.

    The squared correlations of single players add up to the explained variance and what chance adds to each.
    """
    explained = ((right / n_rows) ** 2).sum(axis=0) - n_players / n_rows
    explained = np.clip(explained, SETTINGS.ridge_min_noise, 1 - SETTINGS.ridge_min_noise)
    return np.asarray((1 - explained) * n_players / explained, dtype=np.float64)


def _solved(gram: Floats, right: Floats, penalty: Floats) -> Floats:
    eigenvalues, vectors = np.linalg.eigh(gram)
    shrunk = np.maximum(eigenvalues, 0.0)[:, None] + penalty
    return np.asarray(vectors @ (vectors.T @ right / shrunk), dtype=np.float64)


def _conjugate_gradients(data: BlockedTable, shares: Floats, unit: Floats, right: Floats, penalty: Floats) -> Floats:
    """Solve the penalised normal equations of all outputs, with a pass over the masks for every step."""
    found, residual = np.zeros_like(right), right.copy()
    direction, power = residual.copy(), (residual**2).sum(axis=0)
    goal = SETTINGS.ridge_tolerance**2 * np.maximum(power, _TINY)
    for _ in range(SETTINGS.ridge_steps):
        if (power <= goal).all():
            break
        step = unit[:, None] * direction
        offset, single = shares @ step, step.astype(np.float32)
        image, total = np.zeros_like(found), np.zeros(found.shape[1])
        for _, masks in data.blocks():
            part = masks @ single - offset.astype(np.float32)
            image += masks.T @ part
            total += part.sum(axis=0, dtype=np.float64)
        image = unit[:, None] * (image - np.outer(shares, total)) + penalty * direction
        length = power / np.maximum((direction * image).sum(axis=0), _TINY)
        found += length * direction
        residual -= length * image
        before, power = power, (residual**2).sum(axis=0)
        direction = residual + power / np.maximum(before, _TINY) * direction
    return found


@dataclass(frozen=True, eq=False)
class SparseFit:
    """Strong single players and products of one output, and their residuals.

    Attributes:
        sets, weights: the products, of all players' numbers.
        mean: mean value.
        residuals, held_out_residuals: on the rows they were learnt from, and on the others.
        screening: among which players they were sought.
    """

    sets: PlayerSets
    weights: Floats
    mean: float
    residuals: Floats
    held_out_residuals: Floats
    screening: Screening

    @classmethod
    def of(cls, rows: BlockedTable, held_out: BlockedTable, screening: Screening, output: int) -> SparseFit:
        """Find the products of one output among the players of its screening."""
        values, players = rows.values[:, output], screening.players
        shares, mean = screening.shares[players].astype(np.float32), float(values.mean())
        centered = rows.columns(players) - shares
        found, weights = find_products(centered, values - mean)
        residuals = values - mean - features_of(centered, found) @ weights
        others = held_out.values[:, output] - mean
        others = others - features_of(held_out.columns(players) - shares, found) @ weights
        sets = PlayerSets.from_sets([players[list(columns)].tolist() for columns in found], rows.n_players)
        return cls(sets, weights, mean, residuals, others, screening)

    def estimate(self, linear: LinearFit, output: int, truth: Floats, residuals: Floats) -> Estimate:
        """Join the products and all main effects; ``residuals`` of both and values ``truth`` are of held-out rows."""
        n = len(linear.shares)
        sets = PlayerSets.concatenate([PlayerSets.all_of_order(1, n), self.sets])
        mean = self.mean + float(linear.mean[output])
        slope = trusted_slope(truth - residuals, truth)
        coefficients = slope * np.concatenate([linear.slopes[:, output], self.weights])
        spectra = [Spectrum.from_terms({(): mean}, n), *fourier_of_products(sets, coefficients, linear.shares)]
        quality = held_out_quality(truth, mean + slope * (truth - residuals - mean))
        n_products = int((self.sets.orders > 1).sum())
        facts = {
            "proxy": f"regression on {len(self.residuals)} masks, {n_products} products",
            "lower": quality.lower,
            **self.screening.described(n),
        }
        return Estimate(GameModel((Spectrum.sum(spectra, n),)), quality.r_squared, facts)


def fourier_of_products(sets: PlayerSets, coefficients: Floats, shares: Floats) -> Iterator[Spectrum]:
    r"""Expand products of :math:`x_i - p_i = (\tfrac12 - p_i) - \tfrac12 \chi_i` into characters."""
    for order, rows, block in sets.by_order():
        for subset in range(1 << order):
            inside = [column for column in range(order) if subset >> column & 1]
            outside = [column for column in range(order) if not subset >> column & 1]
            values = coefficients[rows] * (-0.5) ** len(inside) * (0.5 - shares[block[:, outside]]).prod(axis=1)
            nonzero = np.flatnonzero(values)
            found = PlayerSets.from_blocks([block[nonzero][:, inside]], sets.n_players)
            yield Spectrum(*sum_by_set(found, values[nonzero]))
