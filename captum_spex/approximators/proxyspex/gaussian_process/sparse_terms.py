"""Sparse Fourier terms by evidence: which characters deserve a variance of their own beside the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Process,
    TermPrior,
    characters_of,
    signs_of,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters, inverse_of
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.masks import Masks, first_rows
from captum_spex.player_sets import PlayerSets


def find_terms(
    hyper: Hyperparameters,
    masks: Masks,
    targets: Floats,
    *,
    retune: Callable[[Hyperparameters, TermPrior], Hyperparameters] | None,
    like: Tensor,
    known: TermPrior | None = None,
    rounds: int = SETTINGS.search_rounds,
) -> tuple[Hyperparameters, TermPrior | None]:
    r"""Add terms to the process while their evidence is beyond chance; return the retuned kernel and the terms.

    A term S with prior variance :math:`\tau` raises the log-evidence most at
    :math:`\tau = (q^2 - s) / s^2`, where :math:`q = \chi_S^T K^{-1} y`, :math:`s = \chi_S^T K^{-1} \chi_S`. All singles
    and pairs are scanned, higher degrees are grown by one player at a time from the best; terms are added greedily,
    the inverse is updated by rank one. A term must exceed what chance gives to the best of as many candidates as its
    kind has: singles; sets of a term found before and one more player; all other pairs; all others of the beam.
    When nothing more is found, or after some ``rounds``, the kernel is retuned, at most three times. The search may
    begin with ``known`` terms.

    References:
        Tipping, Faul, "Fast marginal likelihood maximisation for sparse Bayesian models", AISTATS 2003.
    """
    masks, targets = masks[: SETTINGS.search_masks], targets[: SETTINGS.search_masks]
    search = TermSearch.start(hyper, masks, torch.from_numpy(targets).to(like), known)
    for _ in range(SETTINGS.retunes + 1):
        before = len(search.sets)
        for _ in range(rounds):
            if not search.add_best():
                break
        if retune is None or len(search.sets) == before:
            break
        search = search.restarted(retune(search.hyper, search.prior()))
    return search.hyper, search.prior() if search.sets else None


@dataclass(eq=False)
class TermSearch:
    """The state: the inverse covariance of all masks, with the terms found so far in it."""

    hyper: Hyperparameters
    masks: Masks
    targets: Tensor
    signs: Tensor
    inverse: Tensor
    sets: list[tuple[int, ...]]
    variances: list[float]

    @classmethod
    def start(cls, hyper: Hyperparameters, masks: Masks, targets: Tensor, terms: TermPrior | None = None) -> TermSearch:
        """Factorise the covariance of all masks, with terms that were found before."""
        hyper = hyper.to(targets)
        total = Process(hyper, terms).covariance(masks, masks, targets)
        total.diagonal().add_(hyper.nugget + 1e-6)
        sets = terms.sets.tuples() if terms else []
        variances = terms.variances.tolist() if terms else []
        inverse = inverse_of(total)
        return cls(hyper, masks, targets, signs_of(masks, targets), inverse, sets, variances)

    def prior(self) -> TermPrior:
        """Return the terms found so far."""
        return TermPrior(PlayerSets.from_sets(self.sets, self.masks.shape[1]), np.array(self.variances))

    def restarted(self, hyper: Hyperparameters) -> TermSearch:
        """Factorise anew under another kernel; the terms' variances become the squares of their means."""
        # The greedy variances are as of when a term was added; one step of expectation maximisation re-estimates all.
        fresh = TermSearch.start(hyper, self.masks, self.targets, self.prior())
        characters = characters_of(fresh.prior().sets, self.masks, self.targets)
        means = characters @ (fresh.inverse @ self.targets) * torch.tensor(self.variances).to(self.targets)[:, None]
        squares = (means**2).mean(dim=1).clamp_(min=1e-10)
        fresh.variances = squares.double().cpu().tolist()
        # Woodbury's formula for the change cancels where a variance falls to nothing: it is factorised once more.
        return TermSearch.start(hyper, self.masks, self.targets, fresh.prior())

    def add_best(self) -> bool:
        """Add up to 40 terms in the order of their evidence; say whether any was found."""
        sets = self.shortlist()
        characters = characters_of(sets, self.masks, self.targets)
        solved = characters @ self.inverse
        gram = solved @ characters.T
        found = solved @ self.targets
        known = set(self.sets)
        names = sets.tuples()
        added: list[tuple[int, float]] = []
        free = torch.tensor([name not in known for name in names], device=gram.device)
        limits = torch.from_numpy(self._limits(sets)).to(gram) * self._confidence()
        # Adding a term changes the inverse by rank one: of the candidates only ``gram`` and ``found`` need that now,
        # the inverse of all masks follows when the round is over.
        for _ in range(SETTINGS.terms_per_round):
            power, precision = (found**2).mean(dim=1), gram.diagonal()
            score = torch.where(free, power / precision - limits, torch.full_like(power, -1.0))  # q² / s: a squared z
            best = int(score.argmax())
            if float(score[best]) <= 0:
                break
            variance = float((power[best] - precision[best]) / precision[best] ** 2)
            added.append((best, variance))
            free[best] = False
            gain = variance / (1 + variance * float(precision[best]))
            row, target = gram[best].clone(), found[best].clone()
            found -= gain * row[:, None] * target
            gram -= gain * torch.outer(row, row)
        for which, variance in added:
            vector = self.inverse @ characters[which]
            gain = variance / (1 + variance * float(characters[which] @ vector))
            self.inverse -= gain * torch.outer(vector, vector)
            self.sets.append(names[which])
            self.variances.append(variance)
        return bool(added)

    def _confidence(self) -> float:
        """Return the mean squared z-score of random characters, which is 1 if the process is right; at least 1.

        One that was learnt from few masks of many players takes what it does not know for noise that is smaller: then
        the best of a million candidates exceeds what chance gives to a process that is right.
        """
        solved = (self.inverse @ self.targets).square().sum(dim=0).mean()
        return max(1.0, float(solved / self.inverse.diagonal().sum()))

    def _limits(self, sets: PlayerSets) -> Floats:
        """The squared z-score that every candidate must exceed."""
        n, active = self.masks.shape[1], PlayerSets.from_sets(self.sets, self.masks.shape[1])
        candidates = np.where(sets.orders == 2, n * (n - 1) / 2, n * SETTINGS.beam)
        for order in np.unique(sets.orders):
            rows = np.flatnonzero(sets.orders == order)
            below, parents = sets.take(rows).subsets(int(order) - 1)
            has_parent = np.zeros(len(rows), dtype=bool)
            np.logical_or.at(has_parent, parents, below.find(active) >= 0)
            candidates[rows[has_parent]] = n * (1 + len(active))
        candidates[sets.orders == 1] = n
        return 2 * np.log(candidates) + SETTINGS.strictness

    def shortlist(self) -> PlayerSets:
        """The candidates with the largest correlation: singles and pairs, all of them, then degrees 3 to 5 by beam."""
        n = self.masks.shape[1]
        solved = self.inverse @ self.targets
        singles = PlayerSets.all_of_order(1, n)
        found = [singles.take(_largest((self.signs.T @ solved).square().sum(dim=1), SETTINGS.shortlist))]
        pairs = torch.zeros((n, n)).to(solved)
        for column in solved.T:
            pairs += ((self.signs * column[:, None]).T @ self.signs) ** 2
        rows, columns = np.divmod(_largest(pairs.triu(diagonal=1).ravel(), SETTINGS.beam), n)
        keep = rows < columns
        beam = PlayerSets.from_blocks([np.column_stack([rows, columns])[keep]], n)
        found.append(beam.take(np.arange(min(len(beam), SETTINGS.shortlist))))
        own = PlayerSets.concatenate([PlayerSets.from_sets(self.sets, n), self._pairs_of_strong_players(solved)])
        for degree in range(3, min(SETTINGS.term_degree, n) + 1):
            active = own.take(np.flatnonzero(own.orders == degree - 1))
            parents = PlayerSets.concatenate([active, beam.take(np.arange(min(len(beam), SETTINGS.beam)))])
            parents = parents.take(first_rows(parents.keys())[0])
            if not len(parents):
                break
            beam = self._grown(parents, solved)
            found.append(beam)
        return PlayerSets.concatenate(found).unique()[0]

    def _pairs_of_strong_players(self, solved: Tensor) -> PlayerSets:
        """Pairs of the players with the largest main effects, which the linear kernel hides from the candidates."""
        effects = (self.signs.T @ solved).square().sum(dim=1).sqrt() * self.hyper.linear.exp()
        strong = np.sort(_largest(effects, SETTINGS.strong_players))
        return PlayerSets.from_blocks([strong[np.stack(np.triu_indices(len(strong), 1), axis=1)]], len(effects))

    def _grown(self, parents: PlayerSets, solved: Tensor) -> PlayerSets:
        parents = parents.take(np.arange(min(len(parents), max(1, SETTINGS.beam_cells // self.masks.shape[1]))))
        characters = characters_of(parents, self.masks, self.targets)
        power = torch.zeros((len(parents), self.masks.shape[1])).to(solved)
        for column in solved.T:
            power += ((characters * column) @ self.signs) ** 2
        block = next(parents.by_order())[2]
        power.scatter_(1, torch.from_numpy(block).to(power.device), 0.0)
        parent, player = np.divmod(_largest(power.ravel(), SETTINGS.shortlist), self.masks.shape[1])
        grown = np.sort(np.column_stack([block[parent], player]), axis=1)
        fresh = (np.diff(grown, axis=1) > 0).all(axis=1)
        sets = PlayerSets.from_blocks([grown[fresh]], self.masks.shape[1])
        return sets.take(first_rows(sets.keys())[0])  # each once, the best first


def _largest(values: Tensor, count: int) -> np.ndarray:
    return torch.topk(values, min(count, len(values))).indices.cpu().numpy()
