"""ProxySPEX: a fitted surrogate whose spectrum and indices are read off, and which chooses what to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, get_args

import numpy as np
import torch

from captum_spex import checks
from captum_spex.approximators.base import Again, Estimate, Problem, Run
from captum_spex.approximators.proxyspex.acquisition import most_informative
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.estimation import FEWEST_MASKS, Estimator, Evaluations, Proxy
from captum_spex.approximators.proxyspex.gaussian_process.proxy import GaussianProcess
from captum_spex.approximators.proxyspex.many_players.run import (
    ManyPlayersRun,
    averaged,
    check_memory,
    learnt_among_many,
)
from captum_spex.approximators.proxyspex.published_trees import PublishedTrees
from captum_spex.arrays import Floats
from captum_spex.designs import Design, affordable_level, bernoulli, enumerate_and_spread
from captum_spex.errors import ArgumentError, BudgetError, UnknownNameError
from captum_spex.game import ValueTable
from captum_spex.masks import Masks

DesignName = Literal["auto", "bernoulli", "spread"]
ProxyName = Literal["auto", "gaussian-process", "boosted-trees"]

_UNIFORM_INDICES = ("BV", "BII", "FBII", "Fourier")
_PROXIES: dict[str, tuple[Proxy, ...]] = {
    "auto": (GaussianProcess(), BoostedTrees()),
    "gaussian-process": (GaussianProcess(),),
    "boosted-trees": (BoostedTrees(),),
}
_FIRST_SHARE = 0.5  # of the budget that goes to the fixed design when there are several rounds
_CANDIDATES = 400  # masks among which an adaptive round chooses, their complements not counted
_PER_ROUND = 2 * FEWEST_MASKS  # fewest masks for each of several rounds
_ADAPTIVE_ROUNDS, _ADAPTIVE_PLAYERS = 3, 20
_ADAPTIVE_SHARE = 0.75  # of a round's masks that are chosen; the others follow the fixed design
_FIRST_ROUND, _PER_PLAYER = 64, 4  # masks of the first round when the budget is sought
_GROWTH = 1.5  # from one such round to the next
_MOST_ASKED = 5_000  # players beyond which masks are packed and players are screened
_MOST_PLAYERS, _MOST_MASKS = 1_000, 10_000  # of given masks, for the surrogates
_REPLICATES = 0.1  # of the budget that goes to second evaluations of a noisy game
_FEWEST_REPLICATES, _MOST_REPLICATES = 8, 256


@dataclass(frozen=True)
class ProxySpex:
    """ProxySPEX: fit a surrogate to the evaluated masks, read off its spectrum and indices, put back what was seen.

    Attributes:
        proxy: what stands in for the game: ``"gaussian-process"``, ``"boosted-trees"``, ``"auto"`` for both, weighted
            by what they predict out of sample; or `GaussianProcess`, `BoostedTrees`, `PublishedTrees` with settings,
            or a tuple of them.
        design: which masks to evaluate: ``"bernoulli"`` (uniformly random), ``"spread"`` (all small and large
            coalitions, the rest spread in complementary pairs), or ``"auto"``: Bernoulli for the indices that weigh
            all masks alike (Banzhaf, Fourier), spread for the others.
        rounds: 1 plans all masks at once. With more, half of the budget follows the design, and the surrogate chooses
            most masks of the further rounds: those that reduce the variance of the index asked for most. ``"auto"``
            is 3 where that was measured to win: spread masks of at most 20 players, from a budget too small to
            enumerate all pairs; else 1.
        noisy: whether evaluating a mask again may give another value. Then a tenth of the budget is spent on second
            evaluations, and what was seen is put back only as far as it is not noise.
        interpolate: whether observed values replace the surrogate's, so that first-order Shapley values always sum to
            ``f(all) - f(none)`` and the estimate becomes exact as the budget approaches ``2**n_players``.
        device: where the Gaussian process is fitted, as torch names it; default: the CPU.

    Example:
        >>> import captum_spex
        >>> game = lambda m: m[:, 0] + 2.0 * (m[:, 3] & m[:, 8])
        >>> result = captum_spex.explain(game, 20, budget=256, approximator=ProxySpex(), random_state=0)
        >>> list(result.top(1, order=2))
        [(3, 8)]

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, arXiv 2505.17495.
    """

    proxy: ProxyName | Proxy | tuple[Proxy, ...] = "auto"
    design: DesignName = "auto"
    rounds: int | Literal["auto"] = "auto"
    noisy: bool = False
    interpolate: bool = True
    device: str | torch.device | None = None

    def __post_init__(self) -> None:
        if self.design not in get_args(DesignName):
            raise UnknownNameError("design", repr(self.design), ", ".join(f'"{name}"' for name in get_args(DesignName)))
        if isinstance(self.proxy, str) and self.proxy not in _PROXIES:
            raise UnknownNameError("proxy", repr(self.proxy), ", ".join(f'"{name}"' for name in _PROXIES))
        if not self._proxies or not all(isinstance(proxy, Proxy) for proxy in self._proxies):
            names = "a name, or `GaussianProcess`, `BoostedTrees`, `PublishedTrees`, or a tuple of them"
            raise ArgumentError("proxy", repr(self.proxy), names)
        if isinstance(self.rounds, str) and self.rounds != "auto":
            raise ArgumentError("rounds", repr(self.rounds), 'a number of rounds, or "auto"')
        if self.rounds != "auto" and checks.integer("rounds", self.rounds) > 1 and not self._has_process:
            raise ArgumentError("rounds", str(self.rounds), "1, as only a Gaussian process chooses masks")
        for name in ("noisy", "interpolate"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(name, repr(getattr(self, name)), "True or False")
        _checked_device(self.device)

    @classmethod
    def as_published(cls) -> ProxySpex:
        """Return the method with its published settings, for comparison: see `PublishedTrees`.

        Uniformly random masks; observed values are not put back. The faithfulness is that of the trees on held-out
        masks, before the cut.
        """
        return cls(proxy=PublishedTrees(), design="bernoulli", interpolate=False)

    def start(self, problem: Problem, rng: np.random.Generator) -> Run:
        """Plan a run.

        Raises:
            BudgetError: if the budget cannot fill ``rounds``, or the first round when the budget is sought; if so many
                masks do not fit into memory.
            ArgumentError: if masks are to be spread or chosen among more than 5,000 players.
        """
        rounds = 1 if self.rounds == "auto" or problem.target is not None else self.rounds
        if rounds > 1 and problem.budget < _PER_ROUND * rounds:
            needed = f"at least {_PER_ROUND * rounds}, {_PER_ROUND} for each of `rounds`"
            raise BudgetError("budget", str(problem.budget), needed, "Use fewer `rounds`.")
        if problem.target is not None and problem.budget < first_round(problem.n_players):
            needed = f"at least {first_round(problem.n_players)}, the size of the first round"
            raise BudgetError("max_budget", str(problem.budget), needed)
        seed, plan = int(rng.integers(2**63)), _Plan.of(self, problem)
        if problem.n_players <= _MOST_ASKED:
            return _Run(self, problem, rng, seed, plan)
        return self._among_many(problem, rng, seed, plan)

    def fit(self, observed: ValueTable, rng: np.random.Generator) -> list[Estimate]:
        """Learn from given masks: a table of past evaluations.

        Up to 1,000 players and 10,000 masks by the surrogates, as if these masks had been asked for; values of a mask
        that is there several times are averaged, and their variance is taken for noise. Of more players, by the
        surrogates among those that are screened; of more masks, by regression: main effects of all players, products
        of strong ones.
        """
        seed, n_masks = int(rng.integers(2**63)), len(observed.masks)
        if observed.masks.n_players > _MOST_PLAYERS or n_masks > _MOST_MASKS:
            return learnt_among_many(observed, self._among_screened(n_masks, seed), rng)
        return self.estimator(seed)(averaged(observed, np.arange(observed.masks.n_players)))

    def _among_screened(self, n_masks: int, seed: int) -> Estimator | None:
        """Return what fits proxies to the players that are left; None: regression, as there are very many masks."""
        if self.proxy == "auto" and n_masks > _MOST_MASKS:
            return None
        return Estimator(self._proxies, False, _checked_device(self.device), seed)

    def _among_many(self, problem: Problem, rng: np.random.Generator, seed: int, plan: _Plan) -> Run:
        """Plan a run among more players than there is room for masks that are laid out."""
        for name, usual in (("design", ("auto", "bernoulli")), ("rounds", ("auto", 1))):
            if getattr(self, name) not in usual:
                allowed = f"{usual[0]!r} or {usual[1]!r} for more than {_MOST_ASKED:,} players"
                raise ArgumentError(name, repr(getattr(self, name)), allowed, "There all masks are uniformly random.")
        check_memory(problem.n_players, problem.budget)
        fits = self._among_screened(problem.budget, seed)
        return ManyPlayersRun(problem.n_players, plan.sizes, problem.target, fits, self.interpolate, rng, seed)

    @property
    def _proxies(self) -> tuple[Proxy, ...]:
        if isinstance(self.proxy, str):
            return _PROXIES.get(self.proxy, ())
        return self.proxy if isinstance(self.proxy, tuple) else (self.proxy,)

    @property
    def _has_process(self) -> bool:
        return any(isinstance(proxy, GaussianProcess) for proxy in self._proxies)

    def n_rounds(self, problem: Problem) -> int:
        """Return the number of rounds of a run whose budget is given."""
        if self.rounds != "auto":
            return self.rounds
        n, budget = problem.n_players, problem.budget
        scarce = affordable_level(n, budget) == 1 and budget >= _PER_ROUND * _ADAPTIVE_ROUNDS
        wins = scarce and n <= _ADAPTIVE_PLAYERS
        return _ADAPTIVE_ROUNDS if wins and self._has_process and self.spreads(problem) else 1

    def spreads(self, problem: Problem) -> bool:
        """Tell whether the masks are spread, or uniformly random."""
        name = problem.index.name
        uniform = name in _UNIFORM_INDICES or name.startswith("BII")
        return self.design == "spread" or (self.design == "auto" and not uniform)

    def estimator(self, seed: int) -> Estimator:
        """Return what recovers games from observations."""
        return Estimator(self._proxies, self.interpolate, _checked_device(self.device), seed)


def first_round(n_players: int) -> int:
    """Return how many masks are evaluated before a faithfulness is looked at, when the budget is sought."""
    return min(max(_FIRST_ROUND, _PER_PLAYER * n_players), 2 ** min(n_players, 62))


@dataclass(frozen=True)
class _Plan:
    """How many distinct masks there are after every round, and how many second evaluations at the end."""

    sizes: Sequence[int]
    replicates: int

    @classmethod
    def of(cls, description: ProxySpex, problem: Problem) -> _Plan:
        budget, replicates = problem.budget, 0
        if description.noisy and problem.n_players <= _MOST_ASKED:  # beyond, every value is taken for noisy
            wanted = int(np.clip(_REPLICATES * budget, _FEWEST_REPLICATES, _MOST_REPLICATES))
            replicates = min(wanted, budget // 3)
        budget = min(budget - replicates, 2 ** min(problem.n_players, 62))
        if problem.target is not None:
            sizes = [min(first_round(problem.n_players), budget)]
            while sizes[-1] < budget:
                sizes.append(min(ceil(_GROWTH * sizes[-1]), budget))
            return cls(sizes, replicates)
        n_rounds = description.n_rounds(problem)
        if n_rounds == 1:
            return cls([budget], replicates)
        first = int(_FIRST_SHARE * budget) & ~1
        steps = np.linspace(first, budget, n_rounds).round().astype(int).tolist()
        return cls([*(size & ~1 for size in steps[:-1]), budget], replicates)


@dataclass
class _Run:
    """A run in one round or several."""

    description: ProxySpex
    problem: Problem
    rng: np.random.Generator
    seed: int
    plan: _Plan
    design: Design | None = None
    values: Floats | None = None
    second: Floats | None = None
    again: np.ndarray | None = None
    n_rounds: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    recovered: list[Estimate] | None = None

    def ask(self) -> Masks | Again | None:
        """Return the next masks, or the masks to evaluate once more."""
        if self.again is not None:
            return None
        before = 0 if self.values is None else len(self.values)
        if self.n_rounds == len(self.plan.sizes) or (before and self._reached()):
            return self._replicates()
        self.recovered = None
        self.design = self._grown(self.plan.sizes[self.n_rounds])
        self.n_rounds += 1
        return self.design.masks[before:]

    def tell(self, values: Floats) -> None:
        """Receive the values of the masks asked for last."""
        if self.again is not None:
            self.second = values
        else:
            self.values = values if self.values is None else np.concatenate([self.values, values])

    def result(self) -> list[Estimate]:
        """Recover every output."""
        if self.recovered is None:
            self.recovered = self.description.estimator(self.seed)(self._evaluations())
        if self.problem.target is None:
            return self.recovered
        if not self.curve or self.curve[-1][0] < len(self._evaluations().masks):
            self._reached()
        return [replace(one, diagnostics={**one.diagnostics, "curve": self.curve}) for one in self.recovered]

    def _reached(self) -> bool:
        """Whether every output's faithfulness is above the target with confidence, after the masks so far."""
        if self.problem.target is None:
            return False
        self.recovered = self.description.estimator(self.seed)(self._evaluations())
        lowest = min(self.recovered, key=lambda one: one.diagnostics.get("lower", float("-inf")))
        self.curve.append((len(self._evaluations().masks), lowest.faithfulness, lowest.diagnostics["lower"]))
        return bool(lowest.diagnostics["lower"] >= self.problem.target)

    def _replicates(self) -> Again | None:
        if not self.plan.replicates or self.values is None or self.design is None:
            return None
        count = min(self.plan.replicates, len(self.design.masks))
        self.again = self.rng.choice(len(self.design.masks), count, replace=False)
        self.recovered = None
        return Again(self.design.masks[self.again])

    def _evaluations(self) -> Evaluations:
        if self.design is None or self.values is None:
            raise RuntimeError("`result` was called before the values were told")
        values, noise = self.values, np.zeros_like(self.values)
        if self.again is not None and self.second is not None:
            values = values.copy()
            noise[:] = ((values[self.again] - self.second) ** 2).mean(axis=0) / 2
            values[self.again] = (values[self.again] + self.second) / 2
            noise[self.again] /= 2
        return Evaluations(self.design.masks, values, self.design.weights, noise)

    def _grown(self, size: int) -> Design:
        """The design of the next round, which begins with the masks taken so far."""
        if self.design is None or self.problem.target is not None:
            level = affordable_level(self.problem.n_players, size, taken=self.design)
            return self._fixed(size, level, self.design, paired=level > 0)
        new = size - len(self.design.masks)
        return self._fixed(size, 0, self.design.extended(self._chosen(int(_ADAPTIVE_SHARE * new) & ~1)))

    def _fixed(self, size: int, level: int, taken: Design | None, *, paired: bool = True) -> Design:
        n = self.problem.n_players
        if not self.description.spreads(self.problem):
            return bernoulli(n, size, self.rng, taken=taken)
        return enumerate_and_spread(n, size, self.rng, level=level, taken=taken, paired=paired)

    def _chosen(self, count: int) -> Masks:
        """The masks that the surrogate of the first output wants."""
        n, index = self.problem.n_players, self.problem.index
        guide = self.description.estimator(self.seed).guide(self._evaluations())
        if guide is None or guide.posterior is None:
            return np.zeros((0, n), dtype=np.bool_)
        terms = guide.index_terms(index)
        strongest = np.argsort(-np.abs(terms.values), kind="stable")
        pool = self._fixed(min(2 * _CANDIDATES, 2 ** min(n, 30)), 0, None).masks
        if n > 2:
            pairs = self.rng.permuted(np.tile(np.arange(n) < 2, (_CANDIDATES, 1)), axis=1)
            pool = np.concatenate([pool, pairs])
        return most_informative(guide.posterior, index, terms.sets.take(strongest), pool, count)


def _checked_device(device: Any) -> torch.device:
    """Return a device that exists and knows double precision.

    Raises:
        ArgumentError: otherwise.
    """
    n_gpus = torch.cuda.device_count()
    allowed = ", ".join(['"cpu"', *(f'"cuda:{number}"' for number in range(n_gpus))])
    try:
        checked = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        raise ArgumentError("device", repr(device), allowed) from None
    known = checked.type == "cpu" or (checked.type == "cuda" and (checked.index or 0) < n_gpus)
    if not known:
        raise ArgumentError("device", repr(device), allowed, "Here is no such device.")
    return checked
