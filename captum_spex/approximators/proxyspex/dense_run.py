"""A run of ProxySPEX whose masks are planned, or chosen by what was learnt so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from captum_spex.approximators.base import Again, Estimate, Problem
from captum_spex.approximators.proxyspex.acquisition import Slopes, most_informative
from captum_spex.approximators.proxyspex.estimation import Estimator, Evaluations
from captum_spex.approximators.proxyspex.rounds import Rounds
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Rows
from captum_spex.designs import Design, affordable_level, bernoulli, enumerate_and_spread
from captum_spex.masks import Masks
from captum_spex.model import GameModel, LinkedExpansion


@dataclass
class DenseRun:
    """A run in one round or several, then perhaps second evaluations of some masks.

    Attributes:
        problem: what is explained.
        estimator: fits the proxies.
        sizes: how many distinct masks there are after every round.
        n_replicates: how many of them are evaluated once more at the end.
        is_spread: whether masks are spread, or uniformly random.
        rng: draws the masks.
    """

    problem: Problem
    estimator: Estimator
    sizes: list[int]
    n_replicates: int
    is_spread: bool
    rng: np.random.Generator
    design: Design | None = None
    values: Floats | None = None
    replicated: Rows | None = None
    second_values: Floats | None = None
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(
            self.sizes, self.problem.target, lambda: self.estimator(self.evaluations(), self.problem.report)
        )

    def ask(self) -> Masks | Again | None:
        """Return the next masks, or the masks to evaluate once more."""
        if self.replicated is not None:
            return None
        n_before, size = self.rounds.size, self.rounds.next_size()
        if size is None:
            return self._replicates()
        self.design = self._design_of(size)
        return self.design.masks[n_before:]

    def tell(self, values: Floats) -> None:
        """Receive the values of the last masks."""
        if self.replicated is not None:
            self.second_values = values
            self.rounds.forget()
        else:
            self.values = values if self.values is None else np.concatenate([self.values, values])

    def result(self) -> list[Estimate]:
        """Estimate every output."""
        return self.rounds.result()

    def evaluations(self) -> Evaluations:
        """Return all values so far, and what second evaluations tell of their noise."""
        if self.design is None or self.values is None:
            raise RuntimeError("`result` was called before `tell`")
        values, noise = self.values, np.zeros_like(self.values)
        if self.replicated is not None and self.second_values is not None:
            values = values.copy()
            noise[:] = ((values[self.replicated] - self.second_values) ** 2).mean(axis=0) / 2
            values[self.replicated] = (values[self.replicated] + self.second_values) / 2
            noise[self.replicated] /= 2
        return Evaluations(self.design.masks, values, self.design.weights, noise)

    def _replicates(self) -> Again | None:
        if not self.n_replicates or self.design is None:
            return None
        count = min(self.n_replicates, len(self.design.masks))
        self.replicated = self.rng.choice(len(self.design.masks), count, replace=False)
        return Again(self.design.masks[self.replicated])

    def _design_of(self, size: int) -> Design:
        """Return the design of a round, which begins with the masks taken so far."""
        if self.design is None or self.problem.target is not None:
            level = affordable_level(self.problem.n_players, size, taken=self.design)
            return self._fixed(size, level, self.design, paired=level > 0)
        n_chosen = int(SETTINGS.adaptive_share * (size - len(self.design.masks))) & ~1
        return self._fixed(size, 0, self.design.extended(self._chosen(n_chosen)))

    def _fixed(self, size: int, level: int, taken: Design | None, *, paired: bool = True) -> Design:
        n = self.problem.n_players
        if not self.is_spread:
            return bernoulli(n, size, self.rng, taken=taken)
        return enumerate_and_spread(n, size, self.rng, level=level, taken=taken, paired=paired)

    def _chosen(self, count: int) -> Masks:
        """Return the masks that tell most about the first output."""
        n, index = self.problem.n_players, self.problem.index
        guide = self.estimator.guide(self.evaluations())
        if guide is None or guide.posterior is None:
            return np.zeros((0, n), dtype=np.bool_)
        linked = next((part for part in guide.parts if isinstance(part, LinkedExpansion)), None)
        terms = (guide if linked is None else GameModel((linked.linear, linked.kernel))).index_terms(index)
        strongest = np.argsort(-np.abs(terms.values), kind="stable")
        pool = self._fixed(min(2 * SETTINGS.candidates, 2 ** min(n, 30)), 0, None).masks
        if n > 2:
            # Two players present: seldom drawn, though the smallest coalitions weigh much in Shapley-type indices.
            pairs = self.rng.permuted(np.tile(np.arange(n) < 2, (SETTINGS.candidates, 1)), axis=1)
            pool = np.concatenate([pool, pairs])
        slopes = None if linked is None else Slopes.of(linked, self.rng)
        return most_informative(guide.posterior, index, terms.sets.take(strongest), pool, count, slopes=slopes)
