"""Learning from very many given masks of very many players: main effects of all, interactions of the strongest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
_LEAST_NOISE = 0.01  # share of the variance
_ONE_SIDED_95 = 1.645

Singles = NDArray[np.float32]


def regressed(observed: Observed, rng: np.random.Generator) -> list[Recovered]:
    r"""Fit every output by a polynomial of presences, :math:`\sum_S c_S \prod_{i \in S} (x_i - p_i)`.

    Screened: the players that go along with the values most. Of these, single ones and products whose correlation with
    what is left exceeds what chance gives to the best of all candidates, grown by one player at a time, and fitted
    together; then main effects of all players by ridge regression of what is left, whose penalty follows from the share
    of the variance that the players explain one by one. A tenth of the masks, at most 5,000, takes no part: on these
    the faithfulness is measured. Masks are unpacked block by block.

    References:
        Fan, Lv, "Sure independence screening", JRSS B 2008; Ilyas et al., "Datamodels", ICML 2022 (regression on past
        trainings); Henderson, "Best linear unbiased estimation and prediction under a selection model", 1975 (the
        penalty).
    """
    n_masks = len(observed.masks)
    held_out = np.zeros(n_masks, dtype=np.bool_)
    held_out[rng.choice(n_masks, min(int(_HELD_OUT * n_masks), _MOST_HELD_OUT), replace=False)] = True
    rows, others = observed.at(np.flatnonzero(~held_out)), observed.at(np.flatnonzero(held_out))
    shares, correlations = _marginals(rows)
    found = [_Sparse.of(rows, others, shares, correlations, output) for output in range(rows.values.shape[1])]
    linear = _Linear.of(replace(rows, values=np.stack([one.left for one in found], axis=1)))
    left = linear.residuals(replace(others, values=np.stack([one.left_of_others for one in found], axis=1)))
    return [
        one.recovered(linear, output, others.values[:, output], left[:, output]) for output, one in enumerate(found)
    ]


def _blocks(observed: Observed) -> Iterator[tuple[slice, Singles]]:
    """Yield runs of rows, with their masks as single-precision 0 and 1."""
    for start, stop in _runs(observed, observed.masks.n_players):
        yield slice(start, stop), observed.masks.block(np.arange(start, stop)).unpack().astype(np.float32)


def _columns(observed: Observed, players: Ints) -> Singles:
    """Return the presences of some players, ``(n_rows, len(players))``."""
    runs = _runs(observed, max(len(players), observed.masks.n_players // 8))  # whole rows are read
    blocks = [observed.masks.block(np.arange(start, stop)).columns(players) for start, stop in runs]
    return np.concatenate(blocks).astype(np.float32)


def _runs(observed: Observed, width: int) -> list[tuple[int, int]]:
    n_rows, step = len(observed.values), max(1, _BLOCK_CELLS // max(1, width))
    return [(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def _marginals(data: Observed) -> tuple[Floats, Floats]:
    """Return how often every player is present, and its correlation with every output ``(n_players, n_outputs)``."""
    targets = _standardised(data.values)[0]
    presence, products, _ = _sums(data, targets, with_gram=False)
    shares = presence / len(targets)
    return shares, _units(shares)[:, None] * (products - np.outer(shares, targets.sum(axis=0))) / len(targets)


def _standardised(values: Floats) -> tuple[Singles, Floats, Floats]:
    """Return values of mean 0 and variance 1, and what the means and deviations were."""
    middle = values.mean(axis=0)
    scale = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 1.0)
    return ((values - middle) / scale).astype(np.float32), middle, scale


def _units(shares: Floats) -> Floats:
    """Return one over the deviation of every player's presence; 0 for players that never change: no effect."""
    spread = np.sqrt(shares * (1 - shares))
    return np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0.0)


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
    def of(cls, data: Observed) -> _Linear:
        targets, middle, scale = _standardised(data.values)
        presence, products, gram = _sums(data, targets, with_gram=data.masks.n_players <= _MOST_DIRECT)
        n_rows = len(targets)
        shares = presence / n_rows
        unit = _units(shares)
        together = unit[:, None] * (products - np.outer(shares, targets.sum(axis=0, dtype=np.float64)))
        penalty = _penalties(together, n_rows, max(1, int((unit > 0).sum())))
        if gram is not None:
            standard = _solved((gram - n_rows * np.outer(shares, shares)) * np.outer(unit, unit), together, penalty)
        else:
            standard = _conjugate_gradients(data, shares, unit, together, penalty)
        return cls(shares, middle, unit[:, None] * standard * scale)

    def residuals(self, data: Observed) -> Floats:
        """Return the values minus the fit, ``(n_rows, n_outputs)``."""
        left = data.values - self.middle + self.shares @ self.slopes
        slopes = self.slopes.astype(np.float32)
        for rows, masks in _blocks(data):
            left[rows] -= masks @ slopes
        return left


def _sums(data: Observed, targets: Singles, *, with_gram: bool) -> tuple[Floats, Floats, Floats | None]:
    """Return how often players are present, their products with the targets, and on request with each other."""
    n_players = data.masks.n_players
    presence, products = np.zeros(n_players), np.zeros((n_players, targets.shape[1]))
    gram = np.zeros((n_players, n_players)) if with_gram else None
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


def _solved(gram: Floats, together: Floats, penalty: Floats) -> Floats:
    """Solve the penalised normal equations of all outputs."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    shrunk = np.maximum(eigenvalues, 0.0)[:, None] + penalty
    return np.asarray(vectors @ (vectors.T @ together / shrunk), dtype=np.float64)


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
class _Sparse:
    """Strong single players and products of one output, and what they leave.

    Attributes:
        sets, weights: the products, of all players' numbers.
        middle: mean value.
        left, left_of_others: what they leave on the rows they were learnt from, and on the others.
        bound: size of a main effect that is found with 95 % confidence, were it among the players screened out.
    """

    sets: Supports
    weights: Floats
    middle: float
    left: Floats
    left_of_others: Floats
    bound: float

    @classmethod
    def of(cls, rows: Observed, others: Observed, shares: Floats, correlations: Floats, output: int) -> _Sparse:
        n, values = len(shares), rows.values[:, output]
        strong = np.sort(_largest(np.abs(correlations[:, output]), _STRONG))
        present = shares[strong].astype(np.float32)
        centered, middle = _columns(rows, strong) - present, float(values.mean())
        found, weights = _products(centered, values - middle, n)
        left, left_of_others = values - middle, others.values[:, output] - middle
        if found:
            left = left - _features(centered, found) @ weights
            left_of_others = left_of_others - _features(_columns(others, strong) - present, found) @ weights
        sets = Supports.from_sets([strong[list(players)].tolist() for players in found], n)
        weakest = float(np.abs(correlations[strong, output]).min()) if n > len(strong) else 0.0
        detected = (weakest + _ONE_SIDED_95 / np.sqrt(len(values))) * float(values.std())
        out = np.setdiff1d(np.arange(n), strong)
        bound = float(detected * _units(shares[out]).max(initial=0.0))
        return cls(sets, weights, middle, left, left_of_others, bound)

    def recovered(self, linear: _Linear, output: int, truth: Floats, left: Floats) -> Recovered:
        """Join the products and all main effects; ``left`` is what both leave of ``truth`` on the other rows."""
        n = len(linear.shares)
        supports = Supports.concatenate([Supports.all_of_order(1, n), self.sets])
        constant = Spectrum.from_terms({(): self.middle + float(linear.middle[output])}, n)
        terms = _fourier(supports, np.concatenate([linear.slopes[:, output], self.weights]), linear.shares)
        faithfulness, lower = _faithfulness(truth, left)
        n_products = int((self.sets.orders > 1).sum())
        details = {
            "proxy": f"regression on {len(self.left)} masks, {n_products} products",
            "lower": lower,
            "n_screened_out": max(0, n - _STRONG),
            "screened_out_bound": self.bound,
        }
        return Recovered(GameModel((Spectrum.sum([constant, *terms], n),)), faithfulness, details)


def _products(centered: Singles, targets: Floats, n_players: int) -> tuple[list[tuple[int, ...]], Floats]:
    """Return sets of the given columns, the strongest of ``n_players``, that explain the targets, and their weights.

    Single players are sought until none is found any more, as every one found leaves less noise; then products.
    """
    n_rows, n_strong = centered.shape
    left = targets.astype(np.float32)
    found: list[tuple[int, ...]] = []
    degree = 1
    while degree <= min(_HIGHEST_DEGREE, n_strong) and left.any() and n_rows >= 4 * len(found):
        parents = [players for players in found if len(players) == degree - 1]
        if degree <= 2:
            parents = [()] if degree == 1 else [(player,) for player in range(n_strong)]
        n_candidates = n_players if degree == 1 else max(1, len(parents)) * n_strong
        limit = 2 * np.log(max(2, n_candidates)) + _STRICTNESS
        candidates = _grown(centered, left, parents) if parents else []
        known = set(found)
        new = [players for players, score in candidates[:_MOST_TERMS] if score > limit and players not in known]
        if new:
            found += new[: max(0, n_rows // 4 - len(found))]
            features = _features(centered, found)
            left = (targets - features @ _weights(features, targets)).astype(np.float32)
        degree += not (new and degree == 1)
    if not found:
        return [], np.zeros(0)
    singles = {(player,) for players in found for player in players} - set(found)
    sets = [*found, *sorted(singles)]
    return sets, _weights(_features(centered, sets), targets)


def _grown(centered: Singles, left: Singles, parents: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], float]]:
    """Return parents with one more player, the squared z-score of each, the best first."""
    features = _features(centered, parents).astype(np.float32)
    covered = (features * left[:, None]).T @ centered
    power = (features**2).T @ centered**2
    scores = covered.astype(np.float64) ** 2 / np.maximum(power, 1e-12) / float(left.var())
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


def _weights(features: Floats, targets: Floats) -> Floats:
    """Return the least-squares weights of features."""
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
