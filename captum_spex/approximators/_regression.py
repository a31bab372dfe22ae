"""Learning from very many given masks of very many players: main effects of all, interactions of the strongest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captum_spex.approximators.base import Observed, Recovered
from captum_spex.model import GameModel, Spectrum
from captum_spex.supports import Floats, Ints, Supports

_BLOCK_CELLS = 1 << 25  # of masks that are unpacked at once: 128 MiB in single precision
_MOST_DIRECT = 4096  # players up to which the normal equations are solved at once
_MOST_STEPS, _PRECISE = 20, 1e-3  # of conjugate gradients
_HELD_OUT, _MOST_HELD_OUT = 0.1, 5000
_STRONG = 512  # players, by main effect, among which interactions are sought
_MOST_TERMS = 400
_HIGHEST_DEGREE = 4
_STRICTNESS = 4.0  # beyond what the largest of all candidates reaches by chance
_MOST_FITTED = 0.9
_LEAST_NOISE = 0.01  # share of the variance
_ONE_SIDED_95 = 1.645

Singles = NDArray[np.float32]


def regressed(observed: Observed, rng: np.random.Generator) -> list[Recovered]:
    r"""Fit every output by a sparse polynomial of presences, :math:`\sum_S c_S \prod_{i \in S} (x_i - p_i)`.

    Main effects of all players by ridge regression, whose penalty follows from the share of the variance that the
    players explain one by one; then, among the strongest players, products whose correlation with what is left exceeds
    what chance gives to the best of all candidates, grown by one player at a time; refitted together. A tenth of the
    masks, at most 5,000, takes no part: on these the faithfulness is measured. Masks are unpacked block by block.

    References:
        Ilyas et al., "Datamodels", ICML 2022 (regression on past trainings); Henderson, "Best linear unbiased
        estimation and prediction under a selection model", 1975 (the penalty).
    """
    n_masks = len(observed.masks)
    held_out = np.zeros(n_masks, dtype=np.bool_)
    held_out[rng.choice(n_masks, min(int(_HELD_OUT * n_masks), _MOST_HELD_OUT), replace=False)] = True
    fit = _Fit.of(observed.at(np.flatnonzero(~held_out)), observed.at(np.flatnonzero(held_out)))
    return [fit.recovered(output) for output in range(observed.values.shape[1])]


def _blocks(observed: Observed) -> Iterator[tuple[slice, Singles]]:
    """Yield runs of rows, with their masks as single-precision 0 and 1."""
    for start, stop in _runs(observed, observed.masks.n_players):
        yield slice(start, stop), observed.masks.block(np.arange(start, stop)).unpack().astype(np.float32)


def _columns(observed: Observed, players: Ints) -> Singles:
    """Return the presences of some players, ``(n_rows, len(players))``."""
    runs = _runs(observed, len(players))
    blocks = [observed.masks.block(np.arange(start, stop)).columns(players) for start, stop in runs]
    return np.concatenate(blocks).astype(np.float32)


def _runs(observed: Observed, width: int) -> list[tuple[int, int]]:
    n_rows, step = len(observed.values), max(1, _BLOCK_CELLS // max(1, width))
    return [(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


@dataclass(frozen=True, eq=False)
class _Linear:
    r"""The main effects: value :math:`\bar y + \sum_i b_i (x_i - p_i)`.

    Attributes:
        shares: how often each player is present, ``(n_players,)``.
        middle: mean value, ``(n_outputs,)``.
        slopes: b, ``(n_players, n_outputs)``.
        fitted: which share of anything, noise too, the fit explains: its degrees of freedom over the rows. Estimated by
            a column of random signs (Hutchinson) where there are many players. ``(n_outputs,)``
    """

    shares: Floats
    middle: Floats
    slopes: Floats
    fitted: Floats

    @classmethod
    def of(cls, data: Observed) -> _Linear:
        values = data.values
        middle, n_rows = values.mean(axis=0), len(values)
        scale = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 1.0)
        targets = ((values - middle) / scale).astype(np.float32)
        if data.masks.n_players > _MOST_DIRECT:
            targets = np.append(targets, _signs(n_rows), axis=1)
        presence, products, gram = _sums(data, targets)
        shares = presence / n_rows
        spread = np.sqrt(shares * (1 - shares))
        unit = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0.0)  # players that never change: no effect
        together = unit[:, None] * (products - np.outer(shares, targets.sum(axis=0, dtype=np.float64)))
        penalty = _penalties(together[:, : values.shape[1]], n_rows, max(1, int((spread > 0).sum())))
        if gram is not None:
            gram = (gram - n_rows * np.outer(shares, shares)) * np.outer(unit, unit)
            standard, freedom = _solved(gram, together, penalty)
        else:
            standard = _conjugate_gradients(data, shares, unit, together, np.append(penalty, np.median(penalty)))
            freedom = np.full(len(penalty), together[:, -1] @ standard[:, -1])
            standard = standard[:, :-1]
        fitted = np.clip(freedom / n_rows, 0.0, _MOST_FITTED)
        return cls(shares, middle, unit[:, None] * standard * scale, fitted)

    def residuals(self, data: Observed) -> Floats:
        """Return the values minus the fit, ``(n_rows, n_outputs)``."""
        left = data.values - self.middle + self.shares @ self.slopes
        slopes = self.slopes.astype(np.float32)
        for rows, masks in _blocks(data):
            left[rows] -= masks @ slopes
        return left


def _sums(data: Observed, targets: Singles) -> tuple[Floats, Floats, Floats | None]:
    """Return how often players are present, their products with the targets, and with each other if they are few."""
    n_players = data.masks.n_players
    presence, products = np.zeros(n_players), np.zeros((n_players, targets.shape[1]))
    gram = np.zeros((n_players, n_players)) if n_players <= _MOST_DIRECT else None
    for rows, masks in _blocks(data):
        presence += masks.sum(axis=0, dtype=np.float64)
        products += masks.T @ targets[rows]
        if gram is not None:
            gram += masks.T @ masks
    return presence, products, gram


def _penalties(together: Floats, n_rows: int, n_players: int) -> Floats:
    """Return the noise over the variance of an effect, for every output of variance 1.

    Of players one by one the squared correlations add up to the explained variance and what chance adds to each.
    """
    explained = ((together / n_rows) ** 2).sum(axis=0) - n_players / n_rows
    explained = np.clip(explained, _LEAST_NOISE, 1 - _LEAST_NOISE)
    return np.asarray((1 - explained) * n_players / explained, dtype=np.float64)


def _signs(n_rows: int) -> Singles:
    return np.random.default_rng(0).choice([-1.0, 1.0], (n_rows, 1)).astype(np.float32)


def _solved(gram: Floats, together: Floats, penalty: Floats) -> tuple[Floats, Floats]:
    """Solve the penalised normal equations; return also the degrees of freedom of every output."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    shrunk = np.maximum(eigenvalues, 0.0)[:, None] + penalty
    freedom = (np.maximum(eigenvalues, 0.0)[:, None] / shrunk).sum(axis=0)
    return vectors @ (vectors.T @ together / shrunk), freedom


def _conjugate_gradients(data: Observed, shares: Floats, unit: Floats, together: Floats, penalty: Floats) -> Floats:
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
        for _, masks in _blocks(data):
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
class _Fit:
    """The main effects, and what they leave: on the rows they were learnt from, and on the others."""

    rows: Observed
    others: Observed
    linear: _Linear
    left: Floats
    left_of_others: Floats

    @classmethod
    def of(cls, rows: Observed, others: Observed) -> _Fit:
        linear = _Linear.of(rows)
        return cls(rows, others, linear, linear.residuals(rows), linear.residuals(others))

    def recovered(self, output: int) -> Recovered:
        """Add products of strong players to the main effects of one output."""
        slopes, n = self.linear.slopes[:, output], len(self.linear.slopes)
        strong = np.sort(_largest(np.abs(slopes), _STRONG))
        shares = self.linear.shares[strong].astype(np.float32)
        sets, weights = _products(_columns(self.rows, strong) - shares, self.left[:, output])
        weights /= np.where(
            [len(players) > 1 for players in sets], 1 - self.linear.fitted[output], 1.0
        )  # the fit took it
        left = self.left_of_others[:, output]
        if sets:
            left = left - _features(_columns(self.others, strong) - shares, sets) @ weights
        products = Supports.from_sets([strong[list(players)].tolist() for players in sets], n)
        supports = Supports.concatenate([Supports.all_of_order(1, n), products])
        constant = Spectrum.from_terms({(): float(self.linear.middle[output])}, n)
        terms = _fourier(supports, np.concatenate([slopes, weights]), self.linear.shares)
        faithfulness, lower = _faithfulness(self.others.values[:, output], left)
        n_products = sum(len(players) > 1 for players in sets)
        details = {"proxy": f"regression on {len(self.left)} masks, {n_products} products", "lower": lower}
        return Recovered(GameModel((Spectrum.sum([constant, *terms], n),)), faithfulness, details)


def _products(centered: Singles, targets: Floats) -> tuple[list[tuple[int, ...]], Floats]:
    """Return sets of the given columns that explain the targets, and their weights; singles of them adjust along."""
    n_rows, n_strong = centered.shape
    left = targets.astype(np.float32)
    found: list[tuple[int, ...]] = []
    for degree in range(1, min(_HIGHEST_DEGREE, n_strong) + 1):  # singles: strong effects were shrunk too much
        noise = float(left.std())
        if noise == 0 or n_rows < 4 * len(found):
            break
        parents = [players for players in found if len(players) == degree - 1]
        if degree <= 2:
            parents = [()] if degree == 1 else [(player,) for player in range(n_strong)]
        if not parents:
            break
        candidates = _grown(centered, left, parents, noise)
        limit = 2 * np.log(max(2, len(parents) * n_strong)) + _STRICTNESS
        found += [players for players, score in candidates[:_MOST_TERMS] if score > limit]
        if found:
            left = (targets - _features(centered, found) @ _weights(centered, found, targets)).astype(np.float32)
    if not found:
        return [], np.zeros(0)
    singles = {(player,) for players in found for player in players} - set(found)
    sets = [*found, *sorted(singles)]
    return sets, _weights(centered, sets, targets)


def _grown(
    centered: Singles, left: Singles, parents: Sequence[tuple[int, ...]], noise: float
) -> list[tuple[tuple[int, ...], float]]:
    """Return parents with one more player, the squared z-score of each, the best first."""
    features = _features(centered, parents).astype(np.float32)
    covered = (features * left[:, None]).T @ centered
    power = (features**2).T @ centered**2
    scores = covered.astype(np.float64) ** 2 / np.maximum(power, 1e-12) / noise**2
    best: dict[tuple[int, ...], float] = {}
    for flat in np.argsort(-scores, axis=None)[: 4 * _MOST_TERMS]:
        parent, player = divmod(int(flat), centered.shape[1])
        players = tuple(sorted({*parents[parent], player}))
        if len(players) > len(parents[parent]):
            best.setdefault(players, float(scores[parent, player]))
    return list(best.items())


def _features(centered: Singles, sets: Sequence[tuple[int, ...]]) -> Floats:
    """Return the products of columns, ``(n_rows, n_sets)``."""
    features = np.ones((len(centered), len(sets)), dtype=np.float32)
    for _, rows, block in Supports.from_sets(sets, centered.shape[1]).by_order():
        for column in block.T:
            features[:, rows] *= centered[:, column]
    return features.astype(np.float64)


def _weights(centered: Singles, sets: Sequence[tuple[int, ...]], targets: Floats) -> Floats:
    features = _features(centered, sets)
    gram = features.T @ features
    gram.flat[:: len(gram) + 1] += 1e-6 * np.trace(gram) / len(gram)
    return np.asarray(np.linalg.solve(gram, features.T @ targets), dtype=np.float64)


def _fourier(supports: Supports, coefficients: Floats, shares: Floats) -> Iterator[Spectrum]:
    r"""Expand products of :math:`x_i - p_i = (\tfrac12 - p_i) - \tfrac12 \chi_i` into characters."""
    for order, rows, block in supports.by_order():
        for subset in range(1 << order):
            inside = [column for column in range(order) if subset >> column & 1]
            outside = [column for column in range(order) if not subset >> column & 1]
            values = coefficients[rows] * (-0.5) ** len(inside) * (0.5 - shares[block[:, outside]]).prod(axis=1)
            kept = np.flatnonzero(values)
            found, inverse = Supports.from_blocks([block[kept][:, inside]], supports.n_players).unique()
            yield Spectrum(found, np.bincount(inverse, values[kept], len(found)).astype(np.float64))


def _faithfulness(truth: Floats, left: Floats) -> tuple[float, float]:
    """Return R² on masks that took no part, and a bound that it exceeds with 95 % confidence."""
    variance = float(truth.var()) if len(truth) else 0.0
    if variance == 0:
        return float("nan"), float("nan")
    errors = left**2
    doubt = _ONE_SIDED_95 * float(errors.std()) / np.sqrt(len(errors))
    return 1 - float(errors.mean()) / variance, float(1 - (errors.mean() + doubt) / variance)


def _largest(values: Floats, count: int) -> Ints:
    if count >= len(values):
        return np.arange(len(values))
    return np.argpartition(-values, count)[:count].astype(np.int64)
