"""Which of very many players to seek interactions among: marginal evidence, then pairwise evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captum_spex.approximators.proxyspex.ard_regression import ard_weights
from captum_spex.approximators.proxyspex.many_players.blocked_table import BlockedTable, Singles, inverse_deviations
from captum_spex.approximators.proxyspex.many_players.products import largest
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Ints
from captum_spex.statistics import ONE_SIDED_95, Standardised


@dataclass(frozen=True, eq=False)
class Marginals:
    """How often every player is present, and its correlation with every output ``(n_players, n_outputs)``."""

    shares: Floats
    correlations: Floats

    @classmethod
    def of(cls, rows: BlockedTable) -> Marginals:
        """Return those of some rows, in one pass over the masks."""
        targets = Standardised.of(rows.values).values.astype(np.float32)
        presence, products, _ = rows.sums(targets, with_gram=False)
        shares = presence / len(targets)
        centered = products - np.outer(shares, targets.sum(axis=0))
        return cls(shares, inverse_deviations(shares)[:, None] * centered / len(targets))


@dataclass(frozen=True, eq=False)
class Screening:
    """The players of one output among which interactions are sought.

    Attributes:
        players: their numbers, ascending.
        shares: how often every player is present.
        bound: size of a main effect that is found with 95 % confidence, were it among the players screened out.
        n_paired: how many of the strongest players were paired with all.
        pair_bound: size of a product of one of these with a player screened out that is found with 95 % confidence.
    """

    players: Ints
    shares: Floats
    bound: float
    n_paired: int
    pair_bound: float

    def described(self, n_players: int) -> dict[str, float]:
        """Return what a user should know of the players that were screened out."""
        return {
            "n_screened_out": n_players - len(self.players),
            "screened_out_bound": self.bound,
            "n_paired_with_all": self.n_paired,
            "screened_out_pair_bound": self.pair_bound,
        }


def screen_players(rows: BlockedTable) -> list[Screening]:
    """Screen the players for every output, by marginal evidence and then by pairs."""
    marginals = Marginals.of(rows)
    n_players, n_outputs = marginals.correlations.shape
    n_paired = int(np.clip(rows.limits.pair_work / (n_players * len(rows) * n_outputs), 1, SETTINGS.paired_players))
    outputs = zip(rows.values.T, marginals.correlations.T, strict=True)
    return [_screened(rows, column, marginals.shares, correlations, n_paired) for column, correlations in outputs]


def _screened(rows: BlockedTable, values: Floats, shares: Floats, correlations: Floats, n_paired: int) -> Screening:
    n_players, deviations = len(shares), inverse_deviations(shares)
    if n_players <= SETTINGS.screened_players:
        return Screening(np.arange(n_players), shares, 0.0, n_players, 0.0)
    centered = rows.with_values((values - values.mean())[:, None])
    strong, residuals, scores = _strongest(centered, shares, correlations)
    by_strength = np.argsort(-scores, kind="stable")
    paired = by_strength[:n_paired]
    if residuals.std() <= SETTINGS.residual_floor * values.std():
        residuals = np.zeros_like(residuals)
    partners, pair_bound = _partners(rows.with_values(residuals[:, None]), shares, paired, strong)
    players = np.union1d(strong, partners)
    deviation = np.delete(deviations, players).max(initial=0.0)
    weakest = scores[by_strength[len(strong) - 1]]  # an effect of this score just passes; one noisier still may not
    detected = (weakest + ONE_SIDED_95) * float(residuals.std()) / np.sqrt(len(values))
    return Screening(players, shares, float(detected * deviation), len(paired), pair_bound)


def _strongest(centered: BlockedTable, shares: Floats, correlations: Floats) -> tuple[Ints, Floats, Floats]:
    """Return the strongest players, the residuals that they leave of the values, and the z-score of every player.

    Screened again by the residuals: among much else that varies, weak players do not show at first.
    """
    values, n_rows = centered.values[:, 0], len(centered)
    count = max(2, min(SETTINGS.screened_players, n_rows // 2))
    scores, residuals = np.sqrt(n_rows) * np.abs(correlations), values
    for _ in range(SETTINGS.screening_passes):
        strong = np.argsort(-scores, kind="stable")[:count]
        features = (centered.columns(strong) - shares[strong].astype(np.float32)).astype(np.float64)
        weights, _ = ard_weights(features, values)
        residuals = values - features @ weights
        if residuals.std() <= SETTINGS.residual_floor * values.std():
            break
        again = Marginals.of(centered.with_values(residuals[:, None]))
        scores = np.sqrt(n_rows) * np.abs(again.correlations[:, 0])
        # Players in the regression leave no correlation: their score is that of their own weight.
        deviation = float(residuals.std()) * inverse_deviations(shares[strong]) / np.sqrt(n_rows)
        scores[strong] = np.abs(weights) / np.where(deviation > 0, deviation, np.inf)
    return strong, residuals, scores


def _partners(residuals: BlockedTable, shares: Floats, paired: Ints, strong: Ints) -> tuple[Ints, float]:
    """Return the players of the strongest pairs of one of ``paired`` and any, and the size of a pair that is found."""
    n_rows, n_players = len(residuals), len(shares)
    deviations, deviation = inverse_deviations(shares).astype(np.float32), float(residuals.values.std())
    limit = 2 * np.log(len(paired) * n_players) + SETTINGS.strictness
    is_strong = np.isin(np.arange(n_players), strong)
    found: list[tuple[Singles, Ints]] = []
    step = max(1, residuals.limits.pair_cells // n_players)
    for chosen in np.split(paired, range(step, len(paired), step)) if deviation > 0 else ():
        scores = _pair_scores(residuals, shares, deviations, chosen)
        scores[np.ix_(is_strong[chosen], is_strong)] = 0  # pairs of strong players are candidates of the fit anyway
        one, other = np.nonzero(scores > limit)
        found.append((scores[one, other], np.stack([chosen[one], other], axis=1)))
    smallest = deviation * (np.sqrt(limit) + ONE_SIDED_95) / np.sqrt(n_rows)
    bound = float(smallest * deviations[paired].max() * deviations[~is_strong].max(initial=0.0))
    if not found:
        return strong[:0], bound
    pairs = np.concatenate([pair for _, pair in found])
    strongest = largest(np.concatenate([score for score, _ in found]), SETTINGS.partner_pairs)
    return np.unique(pairs[strongest]), bound


def _pair_scores(residuals: BlockedTable, shares: Floats, deviations: Singles, chosen: Ints) -> Singles:
    """Return the squared z-score of the product of every chosen player with every player, 0 with itself."""
    values = residuals.values[:, 0]
    weighted = (residuals.columns(chosen) - shares[chosen].astype(np.float32)) * deviations[chosen]
    weighted *= (values / float(values.std()) / np.sqrt(len(values))).astype(np.float32)[:, None]
    # One factor is centered here, the other by what is subtracted after the pass: masks stay zeros and ones.
    scores = np.zeros((len(chosen), len(shares)), dtype=np.float32)
    for block, masks in residuals.blocks():
        scores += weighted[block].T @ masks
    scores -= np.outer(weighted.sum(axis=0), shares.astype(np.float32))
    scores *= deviations
    np.square(scores, out=scores)
    scores[np.arange(len(chosen)), chosen] = 0
    return scores
