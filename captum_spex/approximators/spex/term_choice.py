"""Choosing the terms of SPEX's answer: by the residual of all masks, and by masks that were not used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from captum_spex.approximators.spex.bins import NOISE_FLOOR, Bins, Signature
from captum_spex.approximators.spex.peeling import Fit
from captum_spex.approximators.spex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.model import Spectrum
from captum_spex.player_sets import PlayerSets, extended_by_one


def grow(bins: Bins, fit: Fit) -> Fit:
    """Add terms that the decoder missed but the residual shows, until there are no more.

    Candidates are single players, all pairs where players are few, and the sub- and supersets of the terms found.
    One is added if its squared correlation with the residual, in units of its variance, exceeds what the largest of
    as many candidates would reach in pure noise.
    """
    most = bins.n_samples // 4
    for _ in range(SETTINGS.growing_rounds):
        pool = _pool(fit) if fit.residual.noise > NOISE_FLOOR else PlayerSets.from_sets([], bins.design.n_players)
        if not len(pool):
            return fit
        terms = Signature.of(pool, bins.design)
        squared = fit.residual.significance(fit.residual.correlations(terms))
        significant = np.flatnonzero(squared > _threshold(len(pool)))
        room = min(max(16, len(fit.terms)), most - len(fit.terms))
        chosen = significant[np.argsort(-squared[significant])][: max(room, 0)]
        if not len(chosen):
            return fit
        fit = Fit.of(bins, fit.terms.with_more(terms.take(chosen))).keep_significant(bins, _threshold(1))
    return fit


def _threshold(n_candidates: int) -> float:
    """Return a bound on the largest of that many squared normal variables, with a margin."""
    return 2.0 * np.log(max(n_candidates, 1)) + 4.0


def _pool(fit: Fit) -> PlayerSets:
    """Candidates that are not terms yet."""
    found = fit.terms.sets
    n = found.n_players
    pools = [PlayerSets.all_of_order(1, n)]
    if n <= SETTINGS.paired_players and n >= 2:
        pools.append(PlayerSets.all_of_order(2, n))
    pools += [found.subsets(order)[0] for order in range(2, int(found.orders.max(initial=0)))]
    strongest = np.argsort(-np.abs(fit.coefficients))[: SETTINGS.pool // n]
    pools.append(extended_by_one(found.take(strongest)))
    pool = PlayerSets.concatenate(pools).unique()[0]
    return pool.take(np.flatnonzero(pool.find(found) < 0))


@dataclass(frozen=True, eq=False)
class Answer:
    """A way to answer: terms, how strongly each is shrunk (0: not at all), and a name for the diagnostics."""

    name: str
    terms: Signature
    penalties: Floats

    def solve(self, bins: Bins, extra: Floats | None = None) -> Spectrum:
        """Fit to all masks of the groups and, if their values are given, to the extra masks."""
        gram = bins.gram(self.terms) * bins.n_samples
        right = bins.correlations(self.terms) * bins.n_samples
        if extra is not None and len(extra):
            columns = bins.design.extra_signs(self.terms.sets)
            gram += columns @ columns.T
            right += columns @ extra
        return Spectrum(self.terms.sets, _solved(gram, right, self.penalties, bins.n_samples))

    def delay_error(self, bins: Bins) -> float:
        """Return the squared error on the masks of delays that were left out of the fit, a fifth of them at a time."""
        error = 0.0
        for fold in range(SETTINGS.folds):
            left_out = np.arange(bins.n_delays) % SETTINGS.folds == fold
            others, terms = bins.at_delays(~left_out), self.terms.at_delays(~left_out)
            gram, right = others.gram(terms) * others.n_samples, others.correlations(terms) * others.n_samples
            coefficients = _solved(gram, right, self.penalties, others.n_samples)
            residual = bins.at_delays(left_out).without(self.terms.at_delays(left_out), coefficients)
            error += float((residual.amplitudes**2).sum())
        return error


def answers(bins: Bins, decoded: Fit, grown: Fit) -> list[Answer]:
    """Return the ways to answer, between which the extra masks decide.

    The first cannot be far wrong: main effects only (if players are not too many to fit them all) or the mean only,
    whichever predicts left-out delays better.
    """
    design = bins.design
    n = design.n_players
    constant = Signature.of(PlayerSets.from_sets([()], n), design)
    empty = _plain("empty", constant)
    rich = [_plain("decoded", decoded.terms), _plain("decoded and grown", grown.terms)]
    if n > SETTINGS.fitted_players:
        return [empty, *rich]
    single = Signature.of(PlayerSets.all_of_order(1, n), design)
    linear = _with_main_effects("linear", constant, single, bins)
    everything = _with_main_effects("decoded, grown, with all main effects", grown.terms, single, bins)
    return [_best([empty, linear], bins), *rich, everything]


def _plain(name: str, terms: Signature) -> Answer:
    return Answer(name, terms, np.zeros(len(terms)))


def _with_main_effects(name: str, terms: Signature, single: Signature, bins: Bins) -> Answer:
    """Add all single players that are not terms yet, shrunk as predictions for left-out delays are best."""
    more = single.take(np.flatnonzero(single.sets.find(terms.sets) < 0))
    together = terms.with_more(more)
    weak = np.concatenate([np.zeros(len(terms)), np.full(len(more), float(bins.n_samples))])
    ways = [Answer(name, together, penalty * weak) for penalty in SETTINGS.penalties]
    return _best(ways, bins)


def _best(ways: list[Answer], bins: Bins) -> Answer:
    return min(ways, key=lambda way: way.delay_error(bins))


def _solved(gram: Floats, right: Floats, penalties: Floats, n_samples: int) -> Floats:
    """Solve the normal equations, in place."""
    np.fill_diagonal(gram, gram.diagonal() + penalties + SETTINGS.jitter * n_samples)
    return cho_solve(cho_factor(gram, lower=True, overwrite_a=True), right)
