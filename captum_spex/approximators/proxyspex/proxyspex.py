"""ProxySPEX: fit surrogates whose spectrum and indices are read off, and which choose what to evaluate next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch

from captum_spex import checks
from captum_spex.approximators.base import Estimate, Problem, Run
from captum_spex.approximators.proxyspex.averaged_process import AveragedProcess
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.dense_run import DenseRun
from captum_spex.approximators.proxyspex.estimation import Estimator, Shared
from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess
from captum_spex.approximators.proxyspex.many_players.blocked_table import BlockedTable
from captum_spex.approximators.proxyspex.many_players.packed_run import PackedRun
from captum_spex.approximators.proxyspex.many_players.screened_fit import averaged, estimate_among_many
from captum_spex.approximators.proxyspex.proxy import Proxy, guide_among
from captum_spex.approximators.proxyspex.published_trees import PublishedTrees
from captum_spex.approximators.proxyspex.rounds import first_round, fixed_sizes, growing_sizes, n_replicates
from captum_spex.approximators.proxyspex.settings import SETTINGS, FitLimits
from captum_spex.designs import affordable_level
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.game import ValueTable

DesignName = Literal["auto", "bernoulli", "spread"]
ProxyName = Literal["auto", "gaussian-process", "boosted-trees"]
EffortName = Literal["fast", "default", "thorough"]

_UNIFORM_INDICES = ("BV", "BII", "FBII", "Fourier")
_PROCESSES: dict[EffortName, tuple[Proxy, ...]] = {
    "fast": (GaussianProcess(max_rows=SETTINGS.fast_rows),),
    "default": (GaussianProcess(),),
    "thorough": (
        GaussianProcess(),
        GaussianProcess(n_steps=SETTINGS.thorough_steps, learning_rate=SETTINGS.thorough_rate),
    ),
}


@dataclass(frozen=True)
class ProxySpex:
    """ProxySPEX: fit surrogates to evaluated masks, read off their spectrum and indices, interpolate the values.

    Attributes:
        proxy: what stands in for the game: ``"gaussian-process"``, ``"boosted-trees"``, ``"auto"`` for both, weighted
            by what they predict out of sample; the first and the last with an `AveragedProcess` beside them where masks
            are few. Or `GaussianProcess`, `BoostedTrees`, `PublishedTrees` with settings, a `Proxy` of your own, or a
            tuple of them.
        design: which masks to evaluate: ``"bernoulli"`` (uniformly random), ``"spread"`` (all small and large
            coalitions, the rest spread in complementary pairs), or ``"auto"``: Bernoulli for the indices that weigh
            all masks alike (Banzhaf, Fourier), spread for the others.
        rounds: 1 plans all masks at once. With more, half of the budget follows the design, and the surrogate chooses
            most masks of the further rounds: those that most reduce the variance of the index. ``"auto"`` is 3 where
            that was measured to win: spread masks of at most 20 players, from a budget too small to enumerate all
            pairs; else 1.
        noisy: whether evaluating a mask again may give another value. Then a tenth of the budget is spent on second
            evaluations, and values are interpolated only as far as they are not noise.
        interpolate: whether the estimate takes the evaluated values where there are any, so that first-order Shapley
            values always sum to ``f(all) - f(none)`` and it becomes exact as the budget approaches ``2**n_players``.
        device: where the Gaussian process is fitted, as torch names it; default: the CPU. ``"auto"``: the GPU that the
            model is on, from 1,024 masks on, where that is known: to the classes for Captum and SHAP.
        effort: how much time the fit may take, where ``proxy`` and ``rounds`` are left to the package. ``"fast"``: one
            round, no trees beside the process, whose kernel is learnt on 256 masks. ``"thorough"``: a second process
            beside it, learnt in more and shorter steps. Times and errors: page "What it costs".
        limits: bounds of memory and time at which it computes in another way.
        shared: what runs on games of one model share, such as the rows of a table: the first run on a game of four
            outputs or more fills it, those that follow start from it. Default: a run shares nothing with others.
        model_device: where the model is, if that is known: for ``device="auto"``.

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
    effort: EffortName = "default"
    limits: FitLimits = field(default=FitLimits(), repr=False)
    shared: Shared | None = field(default=None, repr=False, compare=False)
    model_device: torch.device | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.choice("design", self.design, get_args(DesignName))
        checks.choice("effort", self.effort, get_args(EffortName))
        if isinstance(self.proxy, str):
            checks.choice("proxy", self.proxy, get_args(ProxyName))
        # A class has the methods of its instances, but is no description of a proxy.
        if not self._proxies or any(isinstance(one, type) or not isinstance(one, Proxy) for one in self._proxies):
            kinds = "a name, `GaussianProcess()`, `BoostedTrees()`, an object with a method `surrogates`, or a tuple"
            raise ArgumentError("proxy", repr(self.proxy), kinds)
        if isinstance(self.rounds, str):
            checks.choice("rounds", self.rounds, ("auto",), error=ArgumentError, hint="Or a number of rounds.")
        else:
            object.__setattr__(self, "rounds", checks.integer("rounds", self.rounds))
        if self.rounds not in ("auto", 1) and guide_among(self._proxies) is None:
            raise ArgumentError("rounds", str(self.rounds), "1, as none of these proxies can choose masks")
        for name in ("noisy", "interpolate"):
            object.__setattr__(self, name, checks.flag(name, getattr(self, name)))
        if not isinstance(self.limits, FitLimits):
            raise ArgumentError("limits", repr(self.limits), "`FitLimits(...)`")
        self.place(0)

    @classmethod
    def as_published(cls) -> ProxySpex:
        """Return the method with its published settings, for comparison: see `PublishedTrees`.

        Uniformly random masks; values are not interpolated. The faithfulness is that of the trees on held-out masks,
        before the cut.
        """
        return cls(proxy=PublishedTrees(), design="bernoulli", interpolate=False)

    def start(self, problem: Problem, rng: np.random.Generator) -> Run:
        """Plan a run.

        Raises:
            BudgetError: if the budget cannot fill ``rounds``, or the first round of an automatic budget; if so many
                masks do not fit into memory.
            ArgumentError: if masks are to be spread or chosen among more than 5,000 players; if ``shared`` holds what
                games with another number of players told.
        """
        if self.shared is not None and self.shared.n_players not in (None, problem.n_players):
            got, expected = (
                f"what {self.shared.n_players} players told",
                f"a `Shared()` for {problem.n_players} players",
            )
            raise ArgumentError("shared", got, expected)
        rounds = 1 if self.rounds == "auto" or problem.target is not None else self.rounds
        if rounds > 1 and problem.budget < SETTINGS.round_masks * rounds:
            needed = f"at least {SETTINGS.round_masks * rounds}, {SETTINGS.round_masks} for each of `rounds`"
            raise BudgetError("budget", str(problem.budget), needed, "Use fewer `rounds`.")
        if problem.target is not None and problem.budget < first_round(problem.n_players):
            needed = f"at least {first_round(problem.n_players)}, the size of the first round"
            raise BudgetError("max_budget", str(problem.budget), needed)
        seed = int(rng.integers(2**63))
        if problem.n_players > self.limits.dense_players:
            return self._packed_run(problem, rng, seed)
        replicates = n_replicates(problem.budget) if self.noisy else 0
        sizes = self._sizes(problem, problem.budget - replicates)
        return DenseRun(problem, self.estimator(seed, problem.budget), sizes, replicates, self.spreads(problem), rng)

    def fit(self, table: ValueTable, rng: np.random.Generator) -> list[Estimate]:
        """Learn from given masks: a table of past evaluations.

        Up to 1,000 players and 10,000 masks by the proxies, as in a run; values of a mask that occurs several times
        are averaged, and their variance is taken for noise. With more players, by the proxies among those that pass a
        screening; with more masks, by regression: main effects of all players, products of strong ones.
        """
        seed, (n_masks, n_players) = int(rng.integers(2**63)), (len(table.masks), table.masks.n_players)
        rows = BlockedTable(table.masks, table.values, self.limits)
        if n_players > self.limits.table_players or n_masks > self.limits.proxy_masks:
            return estimate_among_many(rows, self._screened_estimator(n_masks, seed), rng)
        return self.estimator(seed, n_masks)(averaged(rows, np.arange(n_players)))

    def n_rounds(self, problem: Problem) -> int:
        """Return the number of rounds of a run whose budget is given."""
        if self.rounds != "auto":
            return self.rounds
        if self.effort == "fast":
            return 1
        n, budget, most = problem.n_players, problem.budget, SETTINGS.adaptive_rounds
        is_scarce = affordable_level(n, budget) == 1 and budget >= SETTINGS.round_masks * most
        wins = is_scarce and n <= SETTINGS.adaptive_players and self.spreads(problem)
        return most if wins and guide_among(self._proxies) is not None else 1

    def spreads(self, problem: Problem) -> bool:
        """Tell whether the masks are spread, or uniformly random."""
        name = problem.index.name
        uniform = name in _UNIFORM_INDICES or name.startswith("BII")
        return self.design == "spread" or (self.design == "auto" and not uniform)

    def place(self, n_masks: int) -> torch.device:
        """Return where a process is fitted to so many masks."""
        if self.device != "auto":
            return _checked_device(self.device)
        there = self.model_device
        if there is not None and there.type == "cuda" and n_masks >= SETTINGS.gpu_masks:
            return there
        return torch.device("cpu")

    def estimator(self, seed: int, n_masks: int = 0) -> Estimator:
        """Return what estimates games from evaluations, of so many masks."""
        return Estimator(self._proxies, self.interpolate, self.place(n_masks), seed, self.shared)

    def _sizes(self, problem: Problem, budget: int) -> list[int]:
        """Return how many distinct masks there are after every round."""
        budget = min(budget, 2 ** min(problem.n_players, 62))
        if problem.target is not None:
            return growing_sizes(first_round(problem.n_players), budget)
        return fixed_sizes(self.n_rounds(problem), budget)

    def _packed_run(self, problem: Problem, rng: np.random.Generator, seed: int) -> Run:
        """Plan a run among so many players that only packed masks fit into memory."""
        for name, usual in (("design", ("auto", "bernoulli")), ("rounds", ("auto", 1))):
            if getattr(self, name) not in usual:
                allowed = f"{usual[0]!r} or {usual[1]!r} for more than {self.limits.dense_players:,} players"
                raise ArgumentError(name, repr(getattr(self, name)), allowed, "There all masks are uniformly random.")
        self.limits.check_memory(problem.n_players, problem.budget)
        estimator = self._screened_estimator(problem.budget, seed)
        sizes = self._sizes(problem, problem.budget)  # every value is taken for noisy: none is evaluated again
        return PackedRun(problem, estimator, sizes, self.interpolate, rng, seed, self.limits)

    def _screened_estimator(self, n_masks: int, seed: int) -> Estimator | None:
        """Return what fits proxies to the players that pass a screening; ``None``: with very many masks, regression."""
        if self.proxy == "auto" and n_masks > self.limits.proxy_masks:
            return None
        return Estimator(self._proxies, False, self.place(n_masks), seed)

    @property
    def _proxies(self) -> tuple[Proxy, ...]:
        if isinstance(self.proxy, str):
            return _proxies_of(self.proxy, self.effort)
        return self.proxy if isinstance(self.proxy, tuple) else (self.proxy,)


def _proxies_of(name: ProxyName, effort: EffortName) -> tuple[Proxy, ...]:
    """Return what stands in for the game where proxies have a name; in a hurry, no trees beside the process."""
    if name == "boosted-trees":
        return (BoostedTrees(),)
    processes = AveragedProcess(), *_PROCESSES[effort]
    return (*processes, BoostedTrees()) if name == "auto" and effort != "fast" else processes


def _checked_device(device: Any) -> torch.device:
    """Return a device that exists and knows double precision."""
    n_gpus = torch.cuda.device_count()
    allowed = ", ".join(['"cpu"', '"auto"', *(f'"cuda:{number}"' for number in range(n_gpus))])
    try:
        checked = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        raise ArgumentError("device", repr(device), allowed) from None
    exists = checked.type == "cpu" or (checked.type == "cuda" and (checked.index or 0) < n_gpus)
    if not exists:
        raise ArgumentError("device", repr(device), allowed, "This machine has no such device.")
    return checked
