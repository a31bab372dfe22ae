"""Finding the terms of a sparse spectrum in SPEX's bins: decode, test, peel, refit, until nothing new shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import betaincc, chdtrc, gammaln, logsumexp

from captum_spex.approximators.spex.bins import Bins, Signature
from captum_spex.arrays import Floats, Ints
from captum_spex.player_sets import PlayerSets

_FALSE_TERMS = 0.01  # expected number of false terms that a round may accept
_ROUNDS = 40
_WORDS = 1 << 10  # bins decoded at once
_NOTHING = 9.0  # squared standard errors within which a term is nothing
_JITTER = 1e-12


@dataclass(frozen=True, eq=False)
class Fit:
    """Terms with their coefficients, and what they leave of the bins."""

    terms: Signature
    coefficients: Floats
    residual: Bins

    @classmethod
    def of(cls, bins: Bins, terms: Signature) -> Fit:
        """Fit the terms to all masks of the groups by least squares."""
        gram = bins.gram(terms)
        np.fill_diagonal(gram, gram.diagonal() + _JITTER)
        coefficients = cho_solve(cho_factor(gram, lower=True), bins.correlations(terms))
        return cls(terms, coefficients, bins.without(terms, coefficients))

    def keep_significant(self, bins: Bins, threshold: float) -> Fit:
        """Drop the terms that the joint fit finds to be within their sampling error, but never the constant."""
        significance = self.residual.significance(self.coefficients)
        kept = np.flatnonzero((significance > threshold) | (self.terms.supports.orders == 0))
        return self if len(kept) == len(self.terms) else Fit.of(bins, self.terms.take(kept))


def decode(bins: Bins) -> Fit:
    """Decode the bins and peel until no bin gives a new term.

    Every round decodes the bins that changed, tests the candidates, and refits all accepted terms together, which
    takes them out of the bins of all groups and uncovers the terms behind them. Terms that the refit finds to be
    nothing are dropped.
    """
    constant = Signature.of(PlayerSets.from_sets([()], bins.layout.n_players), bins.layout)
    fit = Fit.of(bins, constant)
    changed = np.ones(bins.amplitudes.shape[:2], dtype=bool)
    tried = fit.terms.supports.keys()
    for _ in range(_ROUNDS):
        candidates = _candidates(fit.residual, changed)
        new = np.flatnonzero(~np.isin(candidates.supports.keys(), tried))
        candidates = candidates.take(new)
        candidates = candidates.take(np.flatnonzero(accepted(fit.residual, candidates)))
        if not len(candidates):
            break
        tried = np.concatenate([tried, candidates.supports.keys()])
        fit = Fit.of(bins, fit.terms.with_more(candidates)).keep_significant(bins, _NOTHING)
        changed[:] = False
        for group in range(bins.layout.n_groups):
            changed[group, candidates.bins[:, group]] = True
    return fit


def accepted(residual: Bins, terms: Signature) -> np.ndarray:
    r"""Test candidates: would noise alone let some set of that order explain as much?

    A candidate may pass in a single bin, by the share of the bin's energy that it explains: for noise a
    Beta(1/2, (delays - 1) / 2) variable, times the number of sets of its order or less that hash into the bin, times
    the number of bins. Or over all masks, by its squared coefficient in units of its variance (chi square with one
    degree of freedom), which does not mind sharing a bin with a larger term.
    """
    layout = residual.layout
    log_sets = _log_number_of_sets(layout.n_players, terms.supports.orders) - layout.bits * np.log(2.0)
    n_bins = layout.n_groups << layout.bits
    best_share = residual.shares(terms).max(axis=1, initial=0.0)
    squared = residual.significance(residual.correlations(terms))
    with np.errstate(divide="ignore"):
        in_one_bin = np.log(betaincc(0.5, (layout.n_delays - 1) / 2, best_share))
        over_all = np.log(chdtrc(1, squared))
    bound = np.log(_FALSE_TERMS / 2) - np.maximum(log_sets, 0.0) - np.log(n_bins)
    return (in_one_bin < bound) | (over_all < bound)


def _candidates(residual: Bins, changed: np.ndarray) -> Signature:
    """Decode the bins that changed; keep what hashes back into its bin, the best of every bin."""
    layout = residual.layout
    groups, places = np.nonzero(changed & (np.abs(residual.amplitudes).max(axis=2) > 0))
    found: list[PlayerSets] = []
    for start in range(0, len(groups), _WORDS):
        rows = slice(start, start + _WORDS)
        found.append(_decode_bins(residual, groups[rows], places[rows]))
    supports = PlayerSets.concatenate(found) if found else PlayerSets.from_sets([], layout.n_players)
    return Signature.of(supports.unique()[0], layout)


def _decode_bins(residual: Bins, groups: Ints, places: Ints) -> PlayerSets:
    layout = residual.layout
    seen = residual.amplitudes[groups, places]
    # The sign of the bin without a delay is the sign of the coefficient. Where noise may have turned it, both are
    # tried: then it is one wrong sign among many and not the reference of all.
    sign = np.where(seen[:, 0] < 0, -1.0, 1.0)[:, None]
    doubtful = np.flatnonzero(np.abs(seen[:, 0]) < 0.5 * np.median(np.abs(seen[:, 1:]), axis=1))
    origin = np.concatenate([np.arange(len(seen)), doubtful])
    words = np.concatenate([seen[:, 1:] * sign, -(seen[:, 1:] * sign)[doubtful]])
    which, players = layout.code.decode(words)
    origin = origin[which]
    orders = (players >= 0).sum(axis=1)
    indptr = np.concatenate([[0], np.cumsum(orders)]).astype(np.int64)
    ascending = np.sort(np.where(players >= 0, players, layout.n_players), axis=1)
    supports = PlayerSets(layout.n_players, indptr, ascending[ascending < layout.n_players])
    at_home = np.flatnonzero(layout.bins(supports)[np.arange(len(origin)), groups[origin]] == places[origin])
    if not len(at_home):
        return supports.take(at_home)
    terms = Signature.of(supports.take(at_home), layout)
    explained = np.abs(np.einsum("kd,kd->k", seen[origin[at_home]], terms.signs))
    best_first = np.lexsort((-explained, origin[at_home]))
    _, first = np.unique(origin[at_home][best_first], return_index=True)
    return terms.supports.take(best_first[first])


def _log_number_of_sets(n_players: int, orders: Ints) -> Floats:
    """Return the logarithm of the number of sets of up to ``orders`` players."""
    highest = int(orders.max(initial=0))
    k = np.arange(min(highest, n_players) + 1)
    log_counts = gammaln(n_players + 1) - gammaln(k + 1) - gammaln(n_players - k + 1)
    cumulated = np.array([logsumexp(log_counts[: order + 1]) for order in range(len(k))])
    return cumulated[np.minimum(orders, len(k) - 1)]
