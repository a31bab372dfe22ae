"""Games that are called in Ray actors, which are replaced when they die."""

from __future__ import annotations

import pickle
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from captum_spex.arrays import Rows
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.batching import Answer, Batching
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.evaluation.transport import Evaluated, Failure, evaluated
from captum_spex.game import ValueTable
from captum_spex.masks import ChosenRows, MaskBlock, MaskBlocks, describe_mask

_SHOWN_MASKS = 3
_Task = tuple[int, Callable[[], Any]]
"""Its number, and what makes the argument of the worker's method."""


@dataclass(frozen=True, eq=False)
class Description:
    """What a worker says of its game."""

    n_players: int | None
    names: Sequence[str] | None
    fingerprint: str | Mapping[str, str] | None
    table: ValueTable | None
    layout: str | None
    has_layout: bool
    has_plan: bool


class Worker:
    """The game in a process of its own."""

    def start(self, build_game: bytes) -> Description | Failure:
        """Make the game and describe it."""
        try:
            game = self._game = GameAdapter.of(pickle.loads(build_game)(), "build_game()")
            known = game.n_players, game.names, game.fingerprint, game.table, game.layout
            return Description(*known, has_layout=game.has_layout, has_plan=game.plan_batches is not None)
        except Exception as error:
            return Failure.of(error)

    def plan(self, masks: MaskBlock) -> Any:
        """Return the rows of each call, as the game wants them."""
        try:
            return list(self._game.plan_batches(masks.unpack()))  # type: ignore[misc]  # asked of games that have it
        except Exception as error:
            return Failure.of(error)

    def evaluate(self, task: tuple[MaskBlock, str | None]) -> Evaluated | Failure:
        """Evaluate a batch, in the layout of outputs that the run knows."""
        masks, layout = task
        self._game.set_layout(layout)
        return evaluated(self._game, masks)


class WorkerPool:
    """Workers that are starting, idle or busy.

    Args:
        ray: the module.
        build_game: the pickled function that makes the game.
        n_workers: how many workers to start; those that the cluster has no room for start when it has.
        options: Ray's options of an actor: ``num_cpus``, ``num_gpus``.
        max_retries: how often a batch, or a start, is retried after its worker died.

    Attributes:
        n_workers: how many workers were asked for.
        description: of the game, by the first worker that built it.
        layout: what is known of the layout of the game's outputs.
    """

    description: Description

    def __init__(
        self, ray: Any, build_game: bytes, n_workers: int, options: Mapping[str, float], max_retries: int
    ) -> None:
        self._ray = ray
        errors = ray.exceptions
        self._death_errors = errors.RayActorError, errors.OutOfMemoryError, errors.ObjectLostError
        self._actor = ray.remote(Worker).options(max_restarts=0, max_task_retries=0, **options)
        self._build_game = ray.put(build_game)
        self._max_retries = max_retries
        self._starting: dict[Any, Any] = {}  # the description to come, and the actor it comes from
        self._busy: dict[Any, Any] = {}  # with batches that were abandoned after a failure
        self._idle: list[Any] = []
        self._n_died_at_start = 0
        self._is_closed = False
        self.n_workers = n_workers
        self.layout: str | None = None
        for _ in range(n_workers):
            self._start()

    def wait_for_first(self) -> Description:
        """Wait until a worker has built the game, and return its description."""
        while not self._idle:
            self._admit(self._next([]))
        self.layout = self.description.layout
        return self.description

    def results(self, method: str, tasks: Iterable[Callable[[], Any]]) -> Generator[tuple[int, Any]]:
        """Yield the number and the result of every task as soon as it is done, each once.

        Args:
            method: the method of `Worker`.
            tasks: functions that return its argument; at most one is taken before a worker is free.

        Raises:
            GameError: if the workers that had a task died too often.
            ArgumentError: if a worker cannot make the game, or the pool is closed.
        """
        if self._is_closed:
            raise ArgumentError("game", "a `RayGame` that was closed", "one that is open", "Use it within its `with`.")
        new, waiting = enumerate(tasks), deque[_Task]()
        working: dict[Any, tuple[Any, _Task]] = {}
        deaths: Counter[int] = Counter()
        try:
            while True:
                waiting.extend(islice(new, 0 if waiting else 1))
                if not waiting and not working:
                    return
                if waiting and self._idle:
                    task, actor = waiting.popleft(), self._idle.pop()
                    working[getattr(actor, method).remote(task[1]())] = actor, task
                    continue
                ready = self._next([*working])
                if ready not in working:
                    self._admit(ready)
                    continue
                actor, task = working.pop(ready)
                try:
                    result = self._ray.get(ready)
                except self._death_errors as error:
                    self._replace(actor)
                    deaths[task[0]] += 1
                    self._check_retries(deaths[task[0]], "evaluated the same batch", error)
                    waiting.appendleft(task)
                    continue
                self._idle.append(actor)
                yield task[0], result
        finally:  # after a failure, busy workers become idle when they have finished
            self._busy.update({ready: actor for ready, (actor, _) in working.items()})

    def close(self) -> None:
        """End all workers."""
        for actor in [*self._starting.values(), *self._busy.values(), *self._idle]:
            self._ray.kill(actor)
        self._starting, self._busy, self._idle, self._is_closed = {}, {}, [], True

    def _start(self) -> None:
        actor = self._actor.remote()
        self._starting[actor.start.remote(self._build_game)] = actor

    def _replace(self, actor: Any) -> None:
        self._ray.kill(actor)  # it may only have been out of reach
        self._start()

    def _next(self, working: list[Any]) -> Any:
        ready, _ = self._ray.wait([*working, *self._busy, *self._starting], num_returns=1)
        return ready[0]

    def _admit(self, ready: Any) -> None:
        """Mark a worker as idle that has built the game, or has finished an abandoned batch."""
        if ready in self._busy:
            self._idle.append(self._busy.pop(ready))  # if it died, its next batch will show
            return
        actor = self._starting.pop(ready)
        try:
            description = self._ray.get(ready)
        except self._death_errors as error:
            if getattr(error, "actor_init_failed", False):  # its machine lacks this package: retries would fail too
                raise Failure(None, str(error).split("\n")[-1], str(error)).unusable("build_game") from error
            self._replace(actor)
            self._n_died_at_start += 1
            self._check_retries(self._n_died_at_start, "started", error)
            return
        if isinstance(description, Failure):
            self._ray.kill(actor)
            raise description.unusable("build_game")
        self._n_died_at_start = 0
        self.description = getattr(self, "description", description)
        self._idle.append(actor)

    def _check_retries(self, n_deaths: int, doing: str, error: Exception) -> None:
        if n_deaths <= self._max_retries:
            return
        raise GameError(
            f"`build_game`: {n_deaths} workers died while they {doing}, more than `max_retries` allows. Often they run "
            "out of memory: give a smaller `batch_size`, or fewer workers per machine (`cpus_per_worker`). "
            f"Ray reports: {error}",
            "build_game",
        ) from error


class RayExecutor:
    """Sends batches to Ray actors.

    Args:
        pool: the actors.
        batch_size: masks per call, if a size was asked for.
    """

    def __init__(self, pool: WorkerPool, batch_size: int | None) -> None:
        self._pool = pool
        self._batching = Batching(batch_size, self._plan if pool.description.has_plan else None)

    def batches(self, masks: MaskBlocks, rows: Rows) -> Iterator[Rows]:
        """Split rows of masks into batches, by default several for every worker."""
        return self._batching.batches(masks, rows, self._pool.n_workers)

    def evaluate(self, batches: Iterable[ChosenRows]) -> Generator[Answer]:
        """Yield the answers of all batches as they arrive, in any order."""
        sent: list[ChosenRows] = []
        with closing(self._pool.results("evaluate", self._tasks(batches, sent))) as results:
            for number, outcome in results:
                answer = Answer.received(number, outcome)
                if answer.error is None:
                    self._pool.layout = answer.layout
                else:
                    first = sent[number].block(np.arange(min(_SHOWN_MASKS, len(sent[number])))).unpack()
                    described = "; ".join(map(describe_mask, first))
                    answer.error.add_note(f"The worker's batch: {len(sent[number])} masks, the first with {described}.")
                yield answer

    def _tasks(self, batches: Iterable[ChosenRows], sent: list[ChosenRows]) -> Iterator[Callable[[], Any]]:
        for batch in batches:
            sent.append(batch)
            yield partial(self._task, batch)

    def _task(self, batch: ChosenRows) -> tuple[MaskBlock, str | None]:
        return batch.laid_out(), self._pool.layout if self._pool.description.has_layout else None

    def _plan(self, masks: MaskBlock) -> Any:
        ((_, plan),) = self._pool.results("plan", [lambda: masks])
        if isinstance(plan, Failure):
            raise plan.error()
        return plan
