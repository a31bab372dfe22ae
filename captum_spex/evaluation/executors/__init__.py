"""Where a game is called: in this process, in processes through joblib, in Ray actors; each behind one method."""

from __future__ import annotations

from typing import Any, Literal

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.batching import Answer, Batching, Executor
from captum_spex.evaluation.game_adapter import GameAdapter

__all__ = ["Answer", "Executor", "check_backend", "executor_of"]

Backend = Literal["joblib"] | None


def executor_of(game: GameAdapter, batch_size: int | None = None, backend: Backend = None) -> Executor:
    """Return the executor of a game: its own, one that takes its answers one by one, or one that calls it in batches.

    Raises:
        ArgumentError: if ``batch_size`` or ``backend`` cannot be used with this game.
    """
    check_backend(backend, game)
    size = None if batch_size is None else checks.integer("batch_size", batch_size)
    if game.make_executor is not None:
        executor: Executor = game.make_executor(size)
        return executor
    plan = game.plan_batches
    batching = Batching(size, None if plan is None else lambda masks: plan(masks.unpack()))
    if backend is not None:
        from captum_spex.evaluation.executors.processes import Processes

        return Processes(game, batching)
    from captum_spex.evaluation.executors.this_process import Streamed, ThisProcess

    return ThisProcess(game, batching) if game.answer_each is None else Streamed(game)


def check_backend(backend: Any, game: GameAdapter) -> None:
    """Raise an error if a backend is unknown, or the game has workers of its own."""
    hint = 'Dask and Ray: `with joblib.parallel_config(backend="dask"): ...`, or `captum_spex.evaluation.RayGame`.'
    checks.choice("backend", backend, (None, "joblib"), hint=hint)
    if backend is not None and (game.make_executor is not None or game.answer_each is not None):
        got = f"{backend!r} for {type_of(game.game)}, which evaluates many masks at a time itself"
        raise ArgumentError("backend", got, "None for this game")
