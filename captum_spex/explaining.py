"""The front doors: ask the approximator for masks, evaluate them, tell it the values; convert what it recovers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.approximators import Again, Approximator, Estimate, Exact, Problem, ProxySpex, Run, TableApproximator
from captum_spex.arrays import type_of
from captum_spex.budgets import LIMITS, DefaultBudget, default_budget
from captum_spex.checks import RandomState
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.executors import Backend, check_backend
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.evaluation.progress import Progress, progress_of
from captum_spex.evaluation.store import Store
from captum_spex.exports.many_rows import Outputs
from captum_spex.game import Game, ValueTable
from captum_spex.indices import Index, resolve_index
from captum_spex.interactions import MAX_TERMS, Interactions
from captum_spex.threads import one_thread

StoreArgument = str | os.PathLike[str] | Store | None


__all__ = ["StoreArgument", "check_plan", "default_budget", "explain", "explain_table"]


@dataclass(frozen=True)
class _Limits:
    """Where a run behaves differently."""

    single_thread: int = 4096  # most evaluations for which one thread is fastest for the algorithm, on two cores
    single_thread_players: int = 64  # most players for which it is for the indices too
    auto_budget: int = 10_000  # largest automatic budget, unless `max_budget` says otherwise


_LIMITS = _Limits()


def explain(
    game: Game,
    n_players: int | None = None,
    *,
    budget: int | Literal["auto"] | DefaultBudget | None = None,
    target_faithfulness: float = 0.95,
    max_budget: int | None = None,
    index: str = "SII",
    max_order: int | None = None,
    approximator: Approximator | None = None,
    random_state: RandomState = None,
    batch_size: int | None = None,
    show_progress: bool | str | Progress = False,
    names: Sequence[str] | None = None,
    max_terms: int = MAX_TERMS,
    store: StoreArgument = None,
    backend: Backend = None,
) -> Interactions | list[Interactions]:
    """Find the players, and the groups of players, that drive a game.

    Args:
        game: callable from masks ``(n_masks, n_players)``, ``True`` = present, to values ``(n_masks,)`` or
            ``(n_masks, n_outputs)``. A game with given values (`captum_spex.games.training.from_table`) goes to
            `explain_table`.
        n_players: number of players; default: the game's attribute ``n_players``.
        budget: largest number of masks to evaluate, at least 2. From ``2**n_players`` on, every mask is evaluated
            and the answer is exact. ``"auto"``: evaluate in growing rounds until the faithfulness exceeds the target
            with 95 % confidence; ``diagnostics["curve"]`` of the result lists evaluations, faithfulness and its lower
            bound after every round. Default: `default_budget`; all masks where those of up to 16 players take no longer
            than an estimate, see `captum_spex.budgets.DefaultBudget`.
        target_faithfulness: where ``budget="auto"`` stops, between 0 and 1.
        max_budget: largest number of masks that ``budget="auto"`` evaluates; default 10,000.
        index: an interaction index, see `captum_spex.indices.NAMES`.
        max_order: largest order of an interaction, 1 to ``n_players``. Default: 2, or 1 for a single player.
        approximator: the algorithm; default `ProxySpex()`.
        random_state: seed or generator; the same seed gives the same masks and the same result. Without ``budget``,
            time may decide whether these are all masks.
        batch_size: masks per call of the game; default: as the game's method ``plan_batches`` says, else 1,024.
        show_progress: show a progress bar; a text is its title.
        names: names of the players, for display; default: ``names`` of a game that also has ``n_players``.
        max_terms: how many terms of order 2 and more to keep, the largest first; all of order 1 are kept.
        store: a file to which every evaluated batch is written before the next is evaluated, so that a run that was
            stopped resumes where it stopped: a path, for a game with an attribute ``fingerprint``
            (`captum_spex.games`, the adapters' torch modules), or a `captum_spex.evaluation.Store`.
        backend: where the game is called: None, in this process, or ``"joblib"``, its batches in processes, one for
            each processor unless `joblib.parallel_config` says otherwise. For several machines, or a model that each
            worker loads once, see `captum_spex.evaluation.RayGame`.

    Returns:
        The interactions; a list of them, one for each output, if the game has several.

    Raises:
        ArgumentError: if an argument cannot be used: ``target_faithfulness`` outside (0, 1), unknown players' names...
        BudgetError: if ``budget`` is no integer of at least 2, or too small for the algorithm.
        UnknownNameError: if the index is unknown.
        OrderError: if ``max_order`` is not between 1 and ``n_players``.
        StoreError: if the store belongs to another game or another program, is damaged, or cannot be written.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> import captum_spex
        >>> result = captum_spex.explain(lambda m: 3.0 * m[:, 0] * m[:, 2], 3, budget=100)
        >>> result[(0, 2)], result.n_evaluations, result.faithfulness
        (3.0, 8, 1.0)
    """
    adapter = GameAdapter.of(game)
    settings: dict[str, Any] = {"index": index, "max_order": max_order, "names": names, "max_terms": max_terms}
    if adapter.table is not None:
        unused = {"batch_size": batch_size, "max_budget": max_budget, "store": store, "backend": backend}
        n_rows = _rows_asked_for(adapter.table, n_players, budget, unused)
        return explain_table(game, budget=n_rows, approximator=approximator, random_state=random_state, **settings)
    question = _Question.about(adapter, n_players, **settings)
    if batch_size is not None:
        checks.integer("batch_size", batch_size)
    check_backend(backend, adapter)
    n_players = question.n_players
    if approximator is None and adapter.noisy:
        approximator = ProxySpex(noisy=True)
    default = DefaultBudget.of(n_players, approximator) if budget is None else budget
    number = default.n_evaluations if isinstance(default, DefaultBudget) else default
    progress = progress_of(show_progress)
    problem = _problem(n_players, number, target_faithfulness, max_budget, question.index)
    problem, run = _started(replace(problem, report=_report_to(progress)), approximator, random_state)
    calls: dict[str, Any] = {"batch_size": batch_size, "show_progress": progress or False, "backend": backend}
    calls["asks_alone"] = not getattr(approximator, "noisy", False)  # values of a random model differ anyway
    with (
        _opened(store, adapter, n_players) as opened,
        Evaluator(adapter, n_players, budget=problem.budget, store=opened, **calls) as evaluator,
    ):
        spine = _Spine(problem, run, evaluator)
        if isinstance(default, DefaultBudget) and default.is_open(problem, adapter, approximator, backend):
            spine.decide(default, opened, warms_up=adapter.batch_argument is None)
        estimates = spine.estimates()  # what the game knows of its values is known now
        estimates = [replace(one, diagnostics={**one.diagnostics, **(adapter.diagnostics or {})}) for one in estimates]
        spine.say("converting")
        return question.results(estimates, evaluator.n_evaluations, evaluator.has_outputs)


def explain_table(
    table: ValueTable | Game,
    *,
    budget: int | None = None,
    index: str = "SII",
    max_order: int | None = None,
    approximator: Approximator | None = None,
    random_state: RandomState = None,
    names: Sequence[str] | None = None,
    max_terms: int = MAX_TERMS,
) -> Interactions | list[Interactions]:
    """Find the players, and the groups of players, that drive given values: nothing is evaluated.

    Args:
        table: masks with their values, as `captum_spex.games.training.from_table` returns them, a
            `captum_spex.game.ValueTable`, or any game with an attribute ``table``.
        budget: number of rows to learn from, at least 2, drawn at random; default all.
        index: an interaction index, see `captum_spex.indices.NAMES`.
        max_order: largest order of an interaction, 1 to the number of players. Default: 2, or 1 for a single player.
        approximator: the algorithm, one with a method ``fit``; default `ProxySpex()`.
        random_state: seed or generator; the same seed gives the same rows and the same result.
        names: names of the players, for display; default: those of the table.
        max_terms: how many terms of order 2 and more to keep, the largest first; all of order 1 are kept.

    Returns:
        The interactions; a list of them, one for each output, if the table has several.

    Raises:
        ArgumentError: if an argument cannot be used, or the approximator must choose its masks itself.
        BudgetError: if ``budget`` is not an integer of at least 2.
        UnknownNameError: if the index is unknown.
        OrderError: if ``max_order`` is not between 1 and the number of players.

    Example:
        >>> import captum_spex
        >>> from captum_spex.games.training import from_table
        >>> masks = np.random.default_rng(0).random((200, 6)) < 0.5
        >>> table = from_table(masks, 2.0 * (masks[:, 1] & masks[:, 4]))
        >>> list(captum_spex.explain_table(table, random_state=0).top(1, order=2))
        [(1, 4)]
    """
    game = None if isinstance(table, ValueTable) or not callable(table) else GameAdapter.of(table)
    found = table if isinstance(table, ValueTable) else None if game is None else game.table
    if found is None:
        expected = "a `ValueTable`, or a game with one as its `table`, such as `from_table` returns"
        raise ArgumentError("table", type_of(table), expected)
    settings: dict[str, Any] = {"index": index, "max_order": max_order, "names": names, "max_terms": max_terms}
    question = _Question.about(game, found.masks.n_players, **settings)
    algorithm = _checked_algorithm(approximator)
    if not isinstance(algorithm, TableApproximator):
        expected = "`ProxySpex()`, or another one with a method `fit`, as a table cannot be asked for masks"
        raise ArgumentError("approximator", repr(algorithm), expected)
    n_rows, rng = len(found.masks), checks.generator(random_state)
    n_used = n_rows if budget is None else min(checks.integer("budget", budget, 2, error=BudgetError), n_rows)
    if n_used < n_rows:
        found = found.at(np.sort(rng.choice(n_rows, n_used, replace=False)))
    with one_thread() if n_used <= _LIMITS.single_thread else nullcontext():
        estimates = algorithm.fit(found, rng)
    return question.results(estimates, n_used, found.has_outputs)


@dataclass(frozen=True)
class _Question:
    """Which index of which players to report."""

    n_players: int
    index: Index
    names: tuple[str, ...] | None
    max_terms: int

    @classmethod
    def about(
        cls,
        game: GameAdapter | None,
        n_players: int | None,
        *,
        index: str,
        max_order: int | None,
        names: Sequence[str] | None,
        max_terms: int,
    ) -> _Question:
        """Check the arguments; the number of players and their names default to the game's own."""
        own = None if game is None else game.n_players
        n_players = checks.integer("n_players", own if n_players is None else n_players)
        if names is None and game is not None and n_players == own:
            names = game.names
        resolved = resolve_index(index, min(2, n_players) if max_order is None else max_order, n_players)
        max_terms = checks.integer("max_terms", max_terms)
        return cls(n_players, resolved, checks.player_names(names, n_players), max_terms)

    def results(
        self, estimates: list[Estimate], n_evaluations: int, has_outputs: bool
    ) -> Interactions | list[Interactions]:
        """Convert what was recovered of each output."""
        is_small = self.n_players <= _LIMITS.single_thread_players
        with _threads(self.n_players, n_evaluations) if is_small else nullcontext():
            return self._results(estimates, n_evaluations, has_outputs)

    def _results(
        self, estimates: list[Estimate], n_evaluations: int, has_outputs: bool
    ) -> Interactions | list[Interactions]:
        results = [
            Interactions.from_model(
                estimate.model,
                self.index,
                n_evaluations=n_evaluations,
                faithfulness=estimate.faithfulness,
                names=self.names,
                max_terms=self.max_terms,
                diagnostics=estimate.diagnostics,
            )
            for estimate in estimates
        ]
        return Outputs(results) if has_outputs else results[0]


def check_plan(n_players: int, budget: int, index: str, max_order: int, approximator: Approximator | None) -> None:
    """Raise what `explain` would raise about these arguments before the first evaluation."""
    _started(Problem(n_players, budget, resolve_index(index, max_order, n_players)), approximator, 0)


def _threads(n_players: int, n_evaluations: int) -> Any:
    # On small matrices threads that wait for each other took ten times as long on a busy machine, so the algorithm
    # gets one thread; the game gets all. Enumeration computes nothing, and setting the limit would dominate it.
    enumerates = n_evaluations >= 2 ** min(n_players, 62)
    is_small = n_evaluations <= _LIMITS.single_thread and not enumerates
    return one_thread() if is_small else nullcontext()


def _opened(store: StoreArgument, game: GameAdapter, n_players: int) -> Store | nullcontext[None]:
    if store is None:
        return nullcontext()
    return (store if isinstance(store, Store) else Store(store)).open(game, n_players)


def _rows_asked_for(
    table: ValueTable,
    n_players: int | None,
    budget: int | Literal["auto"] | DefaultBudget | None,
    unused: dict[str, Any],
) -> int | None:
    """Return how many rows of a table to learn from, if a budget says so; refuse what only an evaluated game takes."""
    for name, value in unused.items():
        if value is not None:
            raise ArgumentError(name, repr(value), "None for a table, as its values are given")
    if n_players is not None and n_players != table.masks.n_players:
        raise ArgumentError("n_players", repr(n_players), f"{table.masks.n_players}, as many as the table has")
    if budget == "auto":
        raise ArgumentError("budget", '"auto"', "a number of rows of the table, or None for all")
    return None if isinstance(budget, DefaultBudget) else budget


def _problem(
    n_players: int, budget: int | str, target_faithfulness: float, max_budget: int | None, index: Index
) -> Problem:
    if not (isinstance(budget, str) and budget == "auto"):
        if max_budget is not None:
            raise ArgumentError("max_budget", repr(max_budget), 'None, unless `budget="auto"`')
        return Problem(n_players, checks.budget("budget", budget), index)
    target = checks.number("target_faithfulness", target_faithfulness, "a number between 0 and 1", above=0, below=1)
    largest = checks.budget("max_budget", _LIMITS.auto_budget if max_budget is None else max_budget)
    return Problem(n_players, largest, index, target)


def _started(problem: Problem, approximator: Approximator | None, random_state: RandomState) -> tuple[Problem, Run]:
    """Start the algorithm, or enumeration if the budget allows; everything that needs no model is checked here."""
    algorithm = _checked_algorithm(approximator)
    if problem.target is not None and not isinstance(algorithm, ProxySpex):
        raise ArgumentError("budget", '"auto"', "a number of evaluations, unless the approximator is `ProxySpex`")
    noisy = isinstance(algorithm, ProxySpex) and algorithm.noisy
    if not noisy and problem.n_players <= LIMITS.enumerated_players and 2**problem.n_players <= problem.budget:
        if problem.target is None:
            algorithm = Exact()
        problem = replace(problem, budget=2**problem.n_players)
    return problem, algorithm.start(problem, checks.generator(random_state))


def _checked_algorithm(approximator: Approximator | None) -> Approximator:
    algorithm = ProxySpex() if approximator is None else approximator
    if isinstance(algorithm, type) or not callable(getattr(algorithm, "start", None)):
        raise ArgumentError("approximator", repr(approximator), "an approximator such as `ProxySpex()` or `Exact()`")
    return algorithm


def _report_to(progress: Progress | None) -> Callable[[int, int], None] | None:
    """Return what an algorithm calls with how many outputs are fitted."""
    return None if progress is None else lambda done, total: progress.say(f"fitting {done + 1:,}/{total:,}")


@dataclass
class _Spine:
    """A run, and what evaluates the masks that it asks for."""

    problem: Problem
    run: Run
    evaluator: Evaluator

    def decide(self, default: DefaultBudget, store: Store | None, warms_up: bool) -> None:
        """Evaluate the first masks that the run asks for, and enumerate instead of it if that takes no longer."""
        takes_all = default.remember(store)
        if takes_all is None or store is not None:  # a resumed run asks for the same batches as one that never stopped
            masks: Any = self.run.ask()  # of few players: an array
            if warms_up:
                self.evaluator(masks[:2])
            values = self.evaluator(masks)
            if takes_all is None:
                repeats, seconds = partial(self.evaluator.repeats, masks, values), self.evaluator.seconds_per_evaluation
                takes_all = default.decide(self.problem, values, seconds, repeats, store)
            if not takes_all:
                self.run.tell(values)
        if takes_all:
            self.problem = replace(self.problem, budget=2**self.problem.n_players)
            self.evaluator.extend(self.problem.budget)
            self.run = Exact().start(self.problem, np.random.default_rng(0))

    def estimates(self) -> list[Estimate]:
        """Ask for masks, evaluate them and tell the values, until done."""
        while True:
            self.say("choosing masks")
            with self._threads():
                masks = self.run.ask()
            if masks is None:
                break
            values = self.evaluator.again(masks.masks) if isinstance(masks, Again) else self.evaluator(masks)
            with self._threads():
                self.run.tell(values)
        self.say("fitting")
        with self._threads():
            return self.run.result()

    def _threads(self) -> Any:
        return _threads(self.problem.n_players, self.problem.budget)

    def say(self, what: str) -> None:
        """Show what is being done."""
        if self.evaluator.progress is not None:
            self.evaluator.progress.say(what)
