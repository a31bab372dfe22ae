"""Finding the terms of a sparse spectrum in SPEX's bins: decode, test, peel, refit, until there is nothing new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import betaincc, chdtrc, gammaln, logsumexp

from captum_spex.approximators.spex.bins import Bins, Signature
from captum_spex.approximators.spex.settings import SETTINGS
from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import signs
from captum_spex.masks import in_batches
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True, eq=False)
class Fit:
    """Terms with their coefficients, and the residual of the bins."""

    terms: Signature
    coefficients: Floats
    residual: Bins

    @classmethod
    def of(cls, bins: Bins, terms: Signature) -> Fit:
        """Fit the terms to all masks of the groups by least squares."""
        gram = bins.gram(terms)
        np.fill_diagonal(gram, gram.diagonal() + SETTINGS.jitter)
        coefficients = cho_solve(cho_factor(gram, lower=True), bins.correlations(terms))
        return cls(terms, coefficients, bins.without(terms, coefficients))

    def keep_significant(self, bins: Bins, threshold: float) -> Fit:
        """Drop the terms that the joint fit finds to be within their sampling error, but never the constant."""
        significance = self.residual.significance(self.coefficients)
        rows = np.flatnonzero((significance > threshold) | (self.terms.sets.orders == 0))
        return self if len(rows) == len(self.terms) else Fit.of(bins, self.terms.take(rows))


def decode(bins: Bins) -> Fit:
    """Decode the bins and peel until no bin gives a new term.

    Every round decodes the bins that changed, tests the candidates, and refits all accepted terms together, which
    subtracts them from the bins of all groups and uncovers the terms behind them. Terms that the refit finds to be
    negligible are dropped.
    """
    constant = Signature.of(PlayerSets.from_sets([()], bins.design.n_players), bins.design)
    fit = Fit.of(bins, constant)
    changed = np.ones(bins.amplitudes.shape[:2], dtype=bool)
    tried = fit.terms.sets.keys()  # a set is tested once: one that was dropped does not come back
    for _ in range(SETTINGS.decoding_rounds):
        candidates = _candidates(fit.residual, changed)
        new = np.flatnonzero(~np.isin(candidates.sets.keys(), tried))
        candidates = candidates.take(new)
        candidates = candidates.take(np.flatnonzero(accepted(fit.residual, candidates)))
        if not len(candidates):
            break
        tried = np.concatenate([tried, candidates.sets.keys()])
        fit = Fit.of(bins, fit.terms.with_more(candidates)).keep_significant(bins, SETTINGS.negligible)
        # Only bins that lost a term can decode to something new.
        changed[:] = False
        for group in range(bins.design.n_groups):
            changed[group, candidates.bins[:, group]] = True
    return fit


def accepted(residual: Bins, terms: Signature) -> np.ndarray:
    r"""Test candidates: would noise alone let some set of that order explain as much?

    A candidate may pass in a single bin, by the share of the bin's energy that it explains: for noise a
    Beta(1/2, (delays - 1) / 2) variable, times the number of sets of its order or less that hash into the bin, times
    the number of bins. Or over all masks, by its squared coefficient in units of its variance (chi square with one
    degree of freedom), which works even where a bin is shared with a larger term.
    """
    design = residual.design
    log_sets = _log_number_of_sets(design.n_players, terms.sets.orders) - design.bits * np.log(2.0)
    n_bins = design.n_groups << design.bits
    best_share = residual.shares(terms).max(axis=1, initial=0.0)
    squared = residual.significance(residual.correlations(terms))
    with np.errstate(divide="ignore"):
        in_one_bin = np.log(betaincc(0.5, (design.n_delays - 1) / 2, best_share))
        over_all = np.log(chdtrc(1, squared))
    bound = np.log(SETTINGS.false_terms / 2) - np.maximum(log_sets, 0.0) - np.log(n_bins)
    return (in_one_bin < bound) | (over_all < bound)


def _candidates(residual: Bins, changed: np.ndarray) -> Signature:
    """Decode the bins that changed: of every bin the best set that hashes back into it."""
    design = residual.design
    groups, places = np.nonzero(changed & (np.abs(residual.amplitudes).max(axis=2) > 0))
    sets = PlayerSets.from_sets([], design.n_players)
    if len(groups):
        batches = in_batches(len(groups), SETTINGS.words)
        sets = PlayerSets.concatenate([_decode_bins(residual, groups[rows], places[rows]) for rows in batches])
    return Signature.of(sets.unique()[0], design)


def _decode_bins(residual: Bins, groups: Ints, places: Ints) -> PlayerSets:
    design = residual.design
    measured = residual.amplitudes[groups, places]
    # The sign of the bin without a delay is the sign of the coefficient. Where noise may have flipped it, both are
    # tried: then it is one wrong sign among many and not the reference of all.
    sign = signs(measured[:, 0] < 0)[:, None]
    doubtful = np.flatnonzero(np.abs(measured[:, 0]) < 0.5 * np.median(np.abs(measured[:, 1:]), axis=1))
    origin = np.concatenate([np.arange(len(measured)), doubtful])
    words = np.concatenate([measured[:, 1:] * sign, -(measured[:, 1:] * sign)[doubtful]])
    which, players = design.code.decode(words)
    origin = origin[which]
    sets = PlayerSets.from_padded(players, design.n_players)
    # A wrong decoding hashes back into its own bin by chance only, once in 2**bits times.
    consistent = np.flatnonzero(design.bins(sets)[np.arange(len(origin)), groups[origin]] == places[origin])
    sets, origin = sets.take(consistent), origin[consistent]
    if not len(sets):
        return sets
    # The flips of a word may decode to several sets: the one that explains most of the bin is taken.
    explained = np.abs(np.einsum("kd,kd->k", measured[origin], design.delay_signs(sets)))
    best_first = np.lexsort((-explained, origin))
    _, first = np.unique(origin[best_first], return_index=True)
    return sets.take(best_first[first])


def _log_number_of_sets(n_players: int, orders: Ints) -> Floats:
    """Return the logarithm of the number of sets of up to ``orders`` players."""
    highest = int(orders.max(initial=0))
    k = np.arange(min(highest, n_players) + 1)
    log_counts = gammaln(n_players + 1) - gammaln(k + 1) - gammaln(n_players - k + 1)
    cumulated = np.array([logsumexp(log_counts[: order + 1]) for order in range(len(k))])
    return cumulated[np.minimum(orders, len(k) - 1)]
