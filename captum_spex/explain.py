"""The spine: ask the approximator for masks, evaluate them, tell it the values; convert what it recovers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captum_spex.approximators import Approximator, Exact, Problem, ProxySpex, Recovered
from captum_spex.errors import ArgumentError
from captum_spex.evaluate import Evaluator, checked_budget, checked_positive
from captum_spex.game import Game
from captum_spex.indices import resolve_index
from captum_spex.interactions import MAX_TERMS, Interactions

_MOST_ENUMERATED = 26  # players whose masks, all of them, fit into memory
RandomState = int | np.random.Generator | np.random.SeedSequence | None


def explain(
    game: Game,
    n_players: int,
    *,
    budget: int,
    index: str = "SII",
    max_order: int = 2,
    approximator: Approximator | None = None,
    random_state: RandomState = None,
    batch_size: int | None = None,
    show_progress: bool = False,
    names: Sequence[str] | None = None,
    max_terms: int = MAX_TERMS,
) -> Interactions | list[Interactions]:
    """Find the players, and the groups of players, that drive a game.

    Args:
        game: callable from masks ``(n_masks, n_players)``, ``True`` = present, to values ``(n_masks,)`` or
            ``(n_masks, n_outputs)``.
        n_players: number of players.
        budget: largest number of masks to evaluate, at least 2. From ``2**n_players`` on, every mask is evaluated
            and the answer is exact.
        index: an interaction index, see `captum_spex.indices.NAMES`.
        max_order: largest order of an interaction, 1 to ``n_players``.
        approximator: the algorithm; default `ProxySpex()`.
        random_state: seed or generator; the same seed gives the same masks and the same result.
        batch_size: masks per call of the game; default 1,024.
        show_progress: show a progress bar.
        names: names of the players, for display.
        max_terms: how many terms of order 2 and more to keep, the largest first; all of order 1 are kept.

    Returns:
        The interactions; a list of them, one for each output, if the game has several.

    Raises:
        BudgetError: if ``budget`` is no integer of at least 2, or too small for the algorithm.
        UnknownNameError: if the index is unknown.
        OrderError: if ``max_order`` is not between 1 and ``n_players``.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> import captum_spex
        >>> result = captum_spex.explain(lambda m: 3.0 * m[:, 0] * m[:, 2], 3, budget=100)
        >>> result[(0, 2)], result.n_evaluations, result.faithfulness
        (3.0, 8, 1.0)
    """
    n_players = checked_positive("n_players", n_players)
    resolved = resolve_index(index, max_order, n_players)
    problem = Problem(n_players, checked_budget("budget", budget), resolved)
    checked_positive("max_terms", max_terms)
    checked_names = _checked_names(names, n_players)
    evaluator = Evaluator(game, n_players, budget=problem.budget, batch_size=batch_size, show_progress=show_progress)
    recovered = _run(evaluator, problem, approximator, random_state)
    results = [
        Interactions.from_model(
            one.model,
            resolved,
            n_evaluations=evaluator.n_evaluations,
            faithfulness=one.faithfulness,
            names=checked_names,
            max_terms=max_terms,
            diagnostics=one.diagnostics,
        )
        for one in recovered
    ]
    return results if evaluator.has_outputs else results[0]


def _run(
    evaluator: Evaluator, problem: Problem, approximator: Approximator | None, random_state: RandomState
) -> list[Recovered]:
    algorithm = ProxySpex() if approximator is None else approximator
    if isinstance(algorithm, type) or not callable(getattr(algorithm, "start", None)):
        raise ArgumentError("approximator", repr(approximator), "an approximator such as `ProxySpex()` or `Exact()`")
    if problem.n_players <= _MOST_ENUMERATED and 2**problem.n_players <= problem.budget:
        algorithm = Exact()
    run = algorithm.start(problem, _generator(random_state))
    while (masks := run.ask()) is not None:
        run.tell(evaluator(masks))
    return run.result()


def _generator(random_state: RandomState) -> np.random.Generator:
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        allowed = "None, an integer of at least 0, or a NumPy `Generator` or `SeedSequence`"
        raise ArgumentError("random_state", repr(random_state), allowed) from None


def _checked_names(names: Sequence[str] | None, n_players: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    checked = tuple(str(name) for name in names)
    if len(checked) != n_players:
        raise ArgumentError("names", f"{len(checked)} names", f"one for each of the {n_players} players")
    return checked
