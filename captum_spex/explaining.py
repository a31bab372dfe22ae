"""The spine: ask the approximator for masks, evaluate them, tell it the values; convert what it recovers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from math import ceil, log2
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from captum_spex import checks
from captum_spex.approximators import Again, Approximator, Estimate, Exact, Problem, ProxySpex, Run, ValueTable
from captum_spex.checks import RandomState
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.evaluator import Evaluator, check_backend
from captum_spex.evaluation.store import Store
from captum_spex.game import Game
from captum_spex.indices import Index, resolve_index
from captum_spex.interactions import MAX_TERMS, Interactions

_MOST_ENUMERATED = 26  # players whose masks, all of them, fit into memory
_ALONE = 4096  # evaluations up to which one thread is enough
_FEWEST_EVALUATIONS = 512
_LARGEST_SOUGHT = 10_000  # evaluations, unless `max_budget` says otherwise
StoreArgument = str | os.PathLike[str] | Store | None


def default_budget(n_players: int) -> int:
    """Return the number of evaluations that is used when none is given.

    ``max(512, 4 n log2(n))``, the smallest multiple that the ProxySPEX paper studies, and never more than ``2**n``.
    """
    wanted = max(_FEWEST_EVALUATIONS, ceil(4 * n_players * log2(max(n_players, 2))))
    return max(2, min(wanted, 2 ** min(n_players, 62)))


def explain(
    game: Game,
    n_players: int | None = None,
    *,
    budget: int | Literal["auto"] | None = None,
    target_faithfulness: float = 0.95,
    max_budget: int | None = None,
    index: str = "SII",
    max_order: int | None = None,
    approximator: Approximator | None = None,
    random_state: RandomState = None,
    batch_size: int | None = None,
    show_progress: bool = False,
    names: Sequence[str] | None = None,
    max_terms: int = MAX_TERMS,
    store: StoreArgument = None,
    backend: Literal["joblib"] | None = None,
) -> Interactions | list[Interactions]:
    """Find the players, and the groups of players, that drive a game.

    Args:
        game: callable from masks ``(n_masks, n_players)``, ``True`` = present, to values ``(n_masks,)`` or
            ``(n_masks, n_outputs)``.
        n_players: number of players; default: the game's attribute ``n_players``.
        budget: largest number of masks to evaluate, at least 2. From ``2**n_players`` on, every mask is evaluated
            and the answer is exact. Of a table (`captum_spex.games.training.from_table`): the number of rows to learn
            from, default all. ``"auto"``: evaluate in growing rounds until the faithfulness exceeds the target
            with 95 % confidence; ``diagnostics["curve"]`` of the result lists evaluations, faithfulness and its lower
            bound after every round. Default: `default_budget`.
        target_faithfulness: where ``budget="auto"`` stops, between 0 and 1.
        max_budget: largest number of masks that ``budget="auto"`` evaluates; default 10,000.
        index: an interaction index, see `captum_spex.indices.NAMES`.
        max_order: largest order of an interaction, 1 to ``n_players``. Default: 2, or 1 for a single player.
        approximator: the algorithm; default `ProxySpex()`.
        random_state: seed or generator; the same seed gives the same masks and the same result.
        batch_size: masks per call of the game; default: as the game's method ``plan_batches`` says, else 1,024.
        show_progress: show a progress bar.
        names: names of the players, for display; default: ``names`` of a game that also has ``n_players``.
        max_terms: how many terms of order 2 and more to keep, the largest first; all of order 1 are kept.
        store: a file in which every evaluated batch is kept before the next is evaluated, so that a run that was
            stopped goes on where it was: a path, for a game with an attribute ``fingerprint`` (`captum_spex.games`,
            the adapters' torch modules), or a `captum_spex.evaluation.Store`.
        backend: where the game is called: None, in this process, or ``"joblib"``, its batches in processes, one for
            each processor unless `joblib.parallel_config` says otherwise. Of several machines, with a model that each
            worker loads once: `captum_spex.evaluation.RayGame`.

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
    own = getattr(game, "n_players", None)
    n_players = checks.integer("n_players", own if n_players is None else n_players)
    names = getattr(game, "names", None) if names is None and n_players == own else names
    resolved = resolve_index(index, min(2, n_players) if max_order is None else max_order, n_players)
    checks.integer("max_terms", max_terms)
    checked_names = _checked_names(names, n_players)
    if batch_size is not None:
        checks.integer("batch_size", batch_size)
    check_backend(backend, game)
    observed = getattr(game, "table", None)
    if isinstance(observed, ValueTable):
        _check_table(observed, n_players, batch_size=batch_size, max_budget=max_budget, store=store, backend=backend)
        recovered, n_evaluations = _learnt(observed, budget, approximator, random_state)
        has_outputs = observed.has_outputs
    else:
        budget = default_budget(n_players) if budget is None else budget
        problem = _problem(n_players, budget, target_faithfulness, max_budget, resolved)
        problem, run = _started(problem, approximator, random_state)
        settings: dict[str, Any] = {"batch_size": batch_size, "show_progress": show_progress, "backend": backend}
        with (
            _opened(store, game, n_players) as kept,
            Evaluator(game, n_players, budget=problem.budget, store=kept, **settings) as evaluator,
        ):
            recovered = _finished(run, evaluator, problem)
        n_evaluations, has_outputs = evaluator.n_evaluations, evaluator.has_outputs
    results = [
        Interactions.from_model(
            one.model,
            resolved,
            n_evaluations=n_evaluations,
            faithfulness=one.faithfulness,
            names=checked_names,
            max_terms=max_terms,
            diagnostics=one.diagnostics,
        )
        for one in recovered
    ]
    return results if has_outputs else results[0]


def check_plan(n_players: int, budget: int, index: str, max_order: int, approximator: Approximator | None) -> None:
    """Raise what `explain` would raise about these arguments before the first evaluation."""
    _started(Problem(n_players, budget, resolve_index(index, max_order, n_players)), approximator, 0)


def _opened(store: StoreArgument, game: Game, n_players: int) -> Store | nullcontext[None]:
    if store is None:
        return nullcontext()
    return (store if isinstance(store, Store) else Store(store)).open(game, n_players)


def _check_table(observed: ValueTable, n_players: int, **asked: Any) -> None:
    """Refuse what only makes sense for a game that is evaluated."""
    if n_players != observed.masks.n_players:
        raise ArgumentError("n_players", str(n_players), f"{observed.masks.n_players}, as the table has")
    for name, value in asked.items():
        if value is not None:
            raise ArgumentError(name, repr(value), "None for a table, of which nothing is evaluated")


def _learnt(
    observed: ValueTable, budget: int | str | None, approximator: Approximator | None, random_state: RandomState
) -> tuple[list[Estimate], int]:
    """Learn from a table of given values, or from ``budget`` rows of it; return also how many were used."""
    algorithm = _checked_algorithm(approximator)
    if not hasattr(algorithm, "fit"):
        raise ArgumentError("approximator", repr(algorithm), "`ProxySpex()` for a table: it cannot be asked for masks")
    if budget == "auto":
        raise ArgumentError("budget", '"auto"', "a number of rows of the table, or None for all")
    n_rows, rng = len(observed.masks), checks.generator(random_state)
    n_used = n_rows if budget is None else min(checks.budget("budget", budget), n_rows)
    if n_used < n_rows:
        observed = observed.at(np.sort(rng.choice(n_rows, n_used, replace=False)))
    with threadpool_limits(1) if n_used <= _ALONE else nullcontext():
        return algorithm.fit(observed, rng), n_used


def _problem(
    n_players: int, budget: int | str, target_faithfulness: float, max_budget: int | None, index: Index
) -> Problem:
    if budget != "auto":
        if max_budget is not None:
            raise ArgumentError("max_budget", repr(max_budget), 'None, unless `budget="auto"`')
        return Problem(n_players, checks.budget("budget", budget), index)
    is_number = isinstance(target_faithfulness, float | int | np.floating) and not isinstance(target_faithfulness, bool)
    if not is_number or not 0 < target_faithfulness < 1:
        raise ArgumentError("target_faithfulness", repr(target_faithfulness), "a number between 0 and 1")
    most = checks.budget("max_budget", _LARGEST_SOUGHT if max_budget is None else max_budget)
    return Problem(n_players, most, index, float(target_faithfulness))


def _started(problem: Problem, approximator: Approximator | None, random_state: RandomState) -> tuple[Problem, Run]:
    """Start the algorithm, or enumeration if the budget allows; everything that needs no model is checked here."""
    algorithm = _checked_algorithm(approximator)
    if problem.target is not None and not isinstance(algorithm, ProxySpex):
        raise ArgumentError("budget", '"auto"', "a number of evaluations, unless the approximator is `ProxySpex`")
    noisy = isinstance(algorithm, ProxySpex) and algorithm.noisy
    if not noisy and problem.n_players <= _MOST_ENUMERATED and 2**problem.n_players <= problem.budget:
        if problem.target is None:
            algorithm = Exact()
        problem = replace(problem, budget=2**problem.n_players)
    return problem, algorithm.start(problem, checks.generator(random_state))


def _checked_algorithm(approximator: Approximator | None) -> Approximator:
    algorithm = ProxySpex() if approximator is None else approximator
    if isinstance(algorithm, type) or not callable(getattr(algorithm, "start", None)):
        raise ArgumentError("approximator", repr(approximator), "an approximator such as `ProxySpex()` or `Exact()`")
    return algorithm


def _finished(run: Run, evaluator: Evaluator, problem: Problem) -> list[Estimate]:
    """Ask for masks, evaluate them and tell the values, until done.

    The algorithm computes with one thread unless it has much to do: threads that wait for each other on small matrices
    were seen to take ten times as long on a busy machine. The game is called with all of them. Enumeration computes
    nothing, and setting the limit would take longer than all the rest.
    """
    fits = problem.budget < 2 ** min(problem.n_players, 62)
    alone = partial(threadpool_limits, 1) if fits and problem.budget <= _ALONE else nullcontext
    while True:
        with alone():
            masks = run.ask()
        if masks is None:
            break
        values = evaluator.again(masks.masks) if isinstance(masks, Again) else evaluator(masks)
        with alone():
            run.tell(values)
    with alone():
        return run.result()


def _checked_names(names: Sequence[str] | None, n_players: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    checked = tuple(str(name) for name in names)
    if len(checked) != n_players:
        raise ArgumentError("names", f"{len(checked)} names", f"one for each of the {n_players} players")
    return checked
