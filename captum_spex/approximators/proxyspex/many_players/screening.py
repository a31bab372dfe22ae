"""Which of very many players to seek interactions among: marginal evidence, then pairwise evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from captum_spex.approximators.ard_regression import relevant_weights
from captum_spex.approximators.proxyspex.many_players.mask_blocks import (
    ONE_SIDED_95,
    Singles,
    columns_of,
    standardised,
    sums,
    units,
    unpacked_blocks,
)
from captum_spex.approximators.proxyspex.many_players.products import STRICTNESS, largest
from captum_spex.arrays import Floats, Ints
from captum_spex.game import ValueTable

_STRONG = 512  # players, by main effect, among which interactions are sought
_SCREENINGS = 3  # for main effects, each time by what those found before leave
_MOST_PAIRED = 2048  # of the strongest players, that are paired with every other
_PAIR_WORK = 1e12  # multiplications that may be spent on that, over all outputs
_PAIR_CELLS = 1 << 26  # pairs that are scored at once
_MOST_PARTNERS = 256  # pairs
_NOTHING = 1e-5  # share of the values' deviation that is left where all is explained


def marginals(data: ValueTable) -> tuple[Floats, Floats]:
    """Return how often every player is present, and its correlation with every output ``(n_players, n_outputs)``."""
    targets = standardised(data.values)[0]
    presence, products, _ = sums(data, targets, with_gram=False)
    shares = presence / len(targets)
    return shares, units(shares)[:, None] * (products - np.outer(shares, targets.sum(axis=0))) / len(targets)


@dataclass(frozen=True, eq=False)
class Screened:
    """The players of one output among which interactions are sought.

    Attributes:
        players: their numbers, ascending.
        bound: size of a main effect that is found with 95 % confidence, were it among the players screened out.
        n_paired: how many of the strongest players were paired with all.
        pair_bound: size of a product of one of these with a player screened out that is found with 95 % confidence.
    """

    players: Ints
    bound: float
    n_paired: int
    pair_bound: float

    @classmethod
    def of(cls, rows: ValueTable, shares: Floats, correlations: Floats, output: int) -> Screened:
        """Screen the players for one output, by marginal evidence and then by pairs."""
        n, values = len(shares), rows.values[:, output]
        if n <= _STRONG:
            return cls(np.arange(n), 0.0, n, 0.0)
        kept, left, scores = _marginally(replace(rows, values=(values - values.mean())[:, None]), shares, correlations)
        by_strength = np.argsort(-scores, kind="stable")
        work = n * len(values) * rows.values.shape[1]
        paired = by_strength[: int(np.clip(_PAIR_WORK / work, 1, _MOST_PAIRED))]
        if left.std() <= _NOTHING * values.std():
            left = np.zeros_like(left)
        partners, pair_bound = _partners(rows, shares, paired, kept, left)
        players = np.union1d(kept, partners)
        unit = units(np.delete(shares, players)).max(initial=0.0)
        detected = (scores[by_strength[len(kept) - 1]] + ONE_SIDED_95) * float(left.std()) / np.sqrt(len(values))
        return cls(players, float(detected * unit), len(paired), pair_bound)

    def described(self, n_players: int) -> dict[str, float]:
        """Return what a user should know of the players that were left out."""
        return {
            "n_screened_out": n_players - len(self.players),
            "screened_out_bound": self.bound,
            "n_paired_with_all": self.n_paired,
            "screened_out_pair_bound": self.pair_bound,
        }


def _marginally(centered: ValueTable, shares: Floats, correlations: Floats) -> tuple[Ints, Floats, Floats]:
    """Return the strongest players, what they leave of the values, and the z-score of every player.

    Screened again by what those found leave: among much else that varies, weak players do not show at first.
    """
    values, n_rows = centered.values[:, 0], len(centered.values)
    count = max(2, min(_STRONG, n_rows // 2))
    scores, left = np.sqrt(n_rows) * np.abs(correlations), values
    for _ in range(_SCREENINGS):
        kept = np.argsort(-scores, kind="stable")[:count]
        features = (columns_of(centered, kept) - shares[kept].astype(np.float32)).astype(np.float64)
        weights, _ = relevant_weights(features, values)
        left = values - features @ weights
        if left.std() <= _NOTHING * values.std():
            break
        scores = np.sqrt(n_rows) * np.abs(marginals(replace(centered, values=left[:, None]))[1][:, 0])
        deviation = float(left.std()) * units(shares[kept]) / np.sqrt(n_rows)
        scores[kept] = np.abs(weights) / np.where(deviation > 0, deviation, np.inf)
    return kept, left, scores


def _partners(rows: ValueTable, shares: Floats, paired: Ints, strong: Ints, left: Floats) -> tuple[Ints, float]:
    """Return the players of the strongest pairs of one of ``paired`` and any, and the size of a pair that is found."""
    n_rows, n_players = len(left), len(shares)
    unit, deviation = units(shares).astype(np.float32), float(left.std())
    limit = 2 * np.log(len(paired) * n_players) + STRICTNESS
    is_strong = np.isin(np.arange(n_players), strong)
    found: list[tuple[Singles, Ints]] = []
    step = max(1, _PAIR_CELLS // n_players)
    for chosen in np.split(paired, range(step, len(paired), step)) if deviation > 0 else ():
        weighted = (columns_of(rows, chosen) - shares[chosen].astype(np.float32)) * unit[chosen]
        weighted *= (left / deviation / np.sqrt(n_rows)).astype(np.float32)[:, None]
        scores = np.zeros((len(chosen), n_players), dtype=np.float32)
        for block, masks in unpacked_blocks(rows):
            scores += weighted[block].T @ masks
        scores -= np.outer(weighted.sum(axis=0), shares.astype(np.float32))
        scores *= unit
        np.square(scores, out=scores)
        scores[np.arange(len(chosen)), chosen] = 0
        scores[np.ix_(is_strong[chosen], is_strong)] = 0  # sought later anyway
        one, other = np.nonzero(scores > limit)
        found.append((scores[one, other], np.stack([chosen[one], other], axis=1)))
    smallest = deviation * (np.sqrt(limit) + ONE_SIDED_95) / np.sqrt(n_rows)
    bound = float(smallest * unit[paired].max() * unit[~is_strong].max(initial=0.0))
    if not found:
        return strong[:0], bound
    pairs = np.concatenate([pair for _, pair in found])
    strongest = largest(np.concatenate([score for score, _ in found]), _MOST_PARTNERS)
    return np.unique(pairs[strongest]), bound
