"""Learning from very many given masks of very many players: main effects of all, interactions of the strongest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.many_players.mask_blocks import (
    columns_of,
    held_out_quality,
    split,
    standardised,
    sums,
    trusted_slope,
    units,
    unpacked_blocks,
)
from captum_spex.approximators.proxyspex.many_players.products import features_of, find_products
from captum_spex.approximators.proxyspex.many_players.screening import Screened, marginals
from captum_spex.arrays import Floats
from captum_spex.game import ValueTable
from captum_spex.model import GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

_MOST_DIRECT = 4096  # players up to which the normal equations are solved at once
_MOST_STEPS, _PRECISE = 20, 1e-3  # of conjugate gradients
_LEAST_NOISE = 0.01  # share of the variance


def regressed(observed: ValueTable, rng: np.random.Generator) -> list[Estimate]:
    r"""Fit every output by a polynomial of presences, :math:`\sum_S c_S \prod_{i \in S} (x_i - p_i)`.

    Screened by marginal evidence: the 512 players that go along with the values most; then by pairwise evidence: with
    these and the next strongest, as many as the work allows, every player is paired, and partners in pairs that go
    along with what single players leave come in. Of these players, single ones and products whose correlation with
    what is left exceeds what chance gives to the best of all candidates, grown by one player at a time, and fitted
    together; then main effects of all players by ridge regression of what is left, whose penalty follows from the share
    of the variance that the players explain one by one. A tenth of the masks, at most 5,000, takes no part: on these
    the faithfulness is measured. Masks are unpacked block by block.

    References:
        Fan, Lv, "Sure independence screening", JRSS B 2008; Ilyas et al., "Datamodels", ICML 2022 (regression on past
        trainings); Henderson, "Best linear unbiased estimation and prediction under a selection model", 1975 (the
        penalty).
    """
    rows, others = split(observed, rng)
    shares, correlations = marginals(rows)
    screening = [Screened.of(rows, shares, column, output) for output, column in enumerate(correlations.T)]
    found = [_Sparse.of(rows, others, shares, screened, output) for output, screened in enumerate(screening)]
    linear = _Linear.of(replace(rows, values=np.stack([one.left for one in found], axis=1)))
    left = linear.residuals(replace(others, values=np.stack([one.left_of_others for one in found], axis=1)))
    return [
        one.recovered(linear, output, others.values[:, output], left[:, output]) for output, one in enumerate(found)
    ]


@dataclass(frozen=True, eq=False)
class _Linear:
    r"""Main effects of all players: value :math:`\bar y + \sum_i b_i (x_i - p_i)`.

    Attributes:
        shares: how often each player is present, ``(n_players,)``.
        middle: mean value, ``(n_outputs,)``.
        slopes: b, ``(n_players, n_outputs)``.
    """

    shares: Floats
    middle: Floats
    slopes: Floats

    @classmethod
    def of(cls, data: ValueTable) -> _Linear:
        targets, middle, scale = standardised(data.values)
        presence, products, gram = sums(data, targets, with_gram=data.masks.n_players <= _MOST_DIRECT)
        n_rows = len(targets)
        shares = presence / n_rows
        unit = units(shares)
        together = unit[:, None] * (products - np.outer(shares, targets.sum(axis=0, dtype=np.float64)))
        penalty = _penalties(together, n_rows, max(1, int((unit > 0).sum())))
        if gram is not None:
            standard = _solved((gram - n_rows * np.outer(shares, shares)) * np.outer(unit, unit), together, penalty)
        else:
            standard = _conjugate_gradients(data, shares, unit, together, penalty)
        return cls(shares, middle, unit[:, None] * standard * scale)

    def residuals(self, data: ValueTable) -> Floats:
        """Return the values minus the fit, ``(n_rows, n_outputs)``."""
        left = data.values - self.middle + self.shares @ self.slopes
        slopes = self.slopes.astype(np.float32)
        for rows, masks in unpacked_blocks(data):
            left[rows] -= masks @ slopes
        return left


def _penalties(together: Floats, n_rows: int, n_players: int) -> Floats:
    """Return the noise over the variance of an effect, for every output of variance 1.

    Of players one by one the squared correlations add up to the explained variance and what chance adds to each.
    """
    explained = ((together / n_rows) ** 2).sum(axis=0) - n_players / n_rows
    explained = np.clip(explained, _LEAST_NOISE, 1 - _LEAST_NOISE)
    return np.asarray((1 - explained) * n_players / explained, dtype=np.float64)


def _solved(gram: Floats, together: Floats, penalty: Floats) -> Floats:
    """Solve the penalised normal equations of all outputs."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    shrunk = np.maximum(eigenvalues, 0.0)[:, None] + penalty
    return np.asarray(vectors @ (vectors.T @ together / shrunk), dtype=np.float64)


def _conjugate_gradients(data: ValueTable, shares: Floats, unit: Floats, together: Floats, penalty: Floats) -> Floats:
    """Solve the penalised normal equations of all outputs, with a pass over the masks for every step."""
    found, left = np.zeros_like(together), together.copy()
    direction, power = left.copy(), (left**2).sum(axis=0)
    goal = _PRECISE**2 * np.maximum(power, np.finfo(np.float64).tiny)
    for _ in range(_MOST_STEPS):
        if (power <= goal).all():
            break
        step = unit[:, None] * direction
        offset, single = shares @ step, step.astype(np.float32)
        image, total = np.zeros_like(found), np.zeros(found.shape[1])
        for _, masks in unpacked_blocks(data):
            part = masks @ single - offset.astype(np.float32)
            image += masks.T @ part
            total += part.sum(axis=0, dtype=np.float64)
        image = unit[:, None] * (image - np.outer(shares, total)) + penalty * direction
        length = power / np.maximum((direction * image).sum(axis=0), np.finfo(np.float64).tiny)
        found += length * direction
        left -= length * image
        before, power = power, (left**2).sum(axis=0)
        direction = left + power / np.maximum(before, np.finfo(np.float64).tiny) * direction
    return found


@dataclass(frozen=True, eq=False)
class _Sparse:
    """Strong single players and products of one output, and what they leave.

    Attributes:
        sets, weights: the products, of all players' numbers.
        middle: mean value.
        left, left_of_others: what they leave on the rows they were learnt from, and on the others.
        screened: among which players they were sought.
    """

    sets: PlayerSets
    weights: Floats
    middle: float
    left: Floats
    left_of_others: Floats
    screened: Screened

    @classmethod
    def of(cls, rows: ValueTable, others: ValueTable, shares: Floats, screened: Screened, output: int) -> _Sparse:
        n, values, players = len(shares), rows.values[:, output], screened.players
        present = shares[players].astype(np.float32)
        centered, middle = columns_of(rows, players) - present, float(values.mean())
        found, weights = find_products(centered, values - middle)
        left = values - middle - features_of(centered, found) @ weights
        left_of_others = others.values[:, output] - middle
        left_of_others = left_of_others - features_of(columns_of(others, players) - present, found) @ weights
        sets = PlayerSets.from_sets([players[list(columns)].tolist() for columns in found], n)
        return cls(sets, weights, middle, left, left_of_others, screened)

    def recovered(self, linear: _Linear, output: int, truth: Floats, left: Floats) -> Estimate:
        """Join the products and all main effects; ``left`` is what both leave of ``truth`` on the other rows."""
        n = len(linear.shares)
        supports = PlayerSets.concatenate([PlayerSets.all_of_order(1, n), self.sets])
        middle = self.middle + float(linear.middle[output])
        constant = Spectrum.from_terms({(): middle}, n)
        slope = trusted_slope(truth - left, truth)
        coefficients = slope * np.concatenate([linear.slopes[:, output], self.weights])
        terms = _fourier(supports, coefficients, linear.shares)
        faithfulness, lower = held_out_quality(truth, truth - middle - slope * (truth - left - middle))
        n_products = int((self.sets.orders > 1).sum())
        details = {
            "proxy": f"regression on {len(self.left)} masks, {n_products} products",
            "lower": lower,
            **self.screened.described(n),
        }
        return Estimate(GameModel((Spectrum.sum([constant, *terms], n),)), faithfulness, details)


def _fourier(supports: PlayerSets, coefficients: Floats, shares: Floats) -> Iterator[Spectrum]:
    r"""Expand products of :math:`x_i - p_i = (\tfrac12 - p_i) - \tfrac12 \chi_i` into characters."""
    for order, rows, block in supports.by_order():
        for subset in range(1 << order):
            inside = [column for column in range(order) if subset >> column & 1]
            outside = [column for column in range(order) if not subset >> column & 1]
            values = coefficients[rows] * (-0.5) ** len(inside) * (0.5 - shares[block[:, outside]]).prod(axis=1)
            kept = np.flatnonzero(values)
            found, inverse = PlayerSets.from_blocks([block[kept][:, inside]], supports.n_players).unique()
            yield Spectrum(found, np.bincount(inverse, values[kept], len(found)).astype(np.float64))
