"""Ray actors that make a game, take its batches, and are started anew when they die."""

from __future__ import annotations

import pickle
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.batches import Failure, evaluated
from captum_spex.masks import PackedMasks

TOLD = ("n_players", "names", "fingerprint", "table", "output_layout")
"""What a worker tells of its game."""


class Worker:
    """The game in a process of its own."""

    def start(self, build_game: bytes) -> dict[str, Any] | Failure:
        """Make the game, and tell what it knows of itself."""
        try:
            game = pickle.loads(build_game)()
            if not callable(game):
                raise ArgumentError(
                    "build_game", f"one that returns a {type(game).__name__}", "one that returns a game"
                )
            self._game = game
            told = {name: getattr(game, name, None) for name in TOLD}
            return {**told, "has_plan": hasattr(game, "plan_batches"), "has_layout": hasattr(game, "output_layout")}
        except Exception as error:
            return Failure.of(error)

    def plan(self, masks: PackedMasks) -> Any:
        """Return the rows of each call, as the game wants them."""
        try:
            return list(self._game.plan_batches(masks.unpack()))
        except Exception as error:
            return Failure.of(error)

    def evaluate(self, task: tuple[PackedMasks, str | None, bool]) -> Any:
        """Evaluate a batch, in the layout of outputs that the run knows."""
        masks, layout, as_packed = task
        if layout is not None:
            self._game.output_layout = layout
        return evaluated(self._game, masks, as_packed)


class Crew:
    """Workers that are starting, idle or working.

    Args:
        ray: the module.
        build_game: the pickled function that makes the game.
        n_workers: how many workers to start; those for which the cluster has no room join when it has.
        options: what Ray is told about each: ``num_cpus``, ``num_gpus``.
        max_retries: how often a batch, or a start, is tried again after its worker died.
    """

    def __init__(
        self, ray: Any, build_game: bytes, n_workers: int, options: Mapping[str, float], max_retries: int
    ) -> None:
        self._ray = ray
        self._deaths = (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectLostError)
        self._actor = ray.remote(Worker).options(max_restarts=0, max_task_retries=0, **options)
        self._build_game = ray.put(build_game)
        self._max_retries = max_retries
        self._starting: dict[Any, Any] = {}  # what will be told, and by whom
        self._busy: dict[Any, Any] = {}  # with what nobody waits for any more
        self._idle: list[Any] = []
        self._n_died_at_start = 0
        self.told: dict[str, Any] = {}
        for _ in range(n_workers):
            self._start()

    def wait_for_first(self) -> None:
        """Wait until a worker has made the game."""
        while not self._idle:
            self._welcome(self._next([]))

    def answers(self, method: str, tasks: Sequence[Any]) -> Generator[tuple[int, Any]]:
        """Yield the place and the answer of every task as soon as it is there, each once.

        Raises:
            GameError: if the workers that had a task died too often.
            ArgumentError: if a worker cannot make the game.
        """
        waiting, working = deque(range(len(tasks))), dict[Any, tuple[Any, int]]()
        deaths: Counter[int] = Counter()
        try:
            while waiting or working:
                while waiting and self._idle:
                    actor, place = self._idle.pop(), waiting.popleft()
                    working[getattr(actor, method).remote(tasks[place])] = actor, place
                ready = self._next([*working])
                if ready not in working:
                    self._welcome(ready)
                    continue
                actor, place = working.pop(ready)
                try:
                    answer = self._ray.get(ready)
                except self._deaths as error:
                    self._replace(actor)
                    deaths[place] += 1
                    self._check_retries(deaths[place], "evaluated the same batch", error)
                    waiting.appendleft(place)
                    continue
                self._idle.append(actor)
                yield place, answer
        finally:  # after a failure, those that are at work come back when they are done
            self._busy.update({ready: actor for ready, (actor, _) in working.items()})

    def close(self) -> None:
        """End all workers."""
        for actor in [*self._starting.values(), *self._busy.values(), *self._idle]:
            self._ray.kill(actor)
        self._starting, self._busy, self._idle = {}, {}, []

    def _start(self) -> None:
        actor = self._actor.remote()
        self._starting[actor.start.remote(self._build_game)] = actor

    def _replace(self, actor: Any) -> None:
        self._ray.kill(actor)  # it may only have been out of reach
        self._start()

    def _next(self, working: list[Any]) -> Any:
        ready, _ = self._ray.wait([*working, *self._busy, *self._starting], num_returns=1)
        return ready[0]

    def _welcome(self, ready: Any) -> None:
        """Take in a worker that has made the game, or is done with what nobody waits for."""
        if ready in self._busy:
            self._idle.append(self._busy.pop(ready))  # if it died, its next batch tells
            return
        actor = self._starting.pop(ready)
        try:
            told = self._ray.get(ready)
        except self._deaths as error:
            if getattr(error, "actor_init_failed", False):  # its machine lacks this package: so it would again
                raise Failure(None, str(error).split("\n")[-1], str(error)).unusable("build_game") from error
            self._replace(actor)
            self._n_died_at_start += 1
            self._check_retries(self._n_died_at_start, "started", error)
            return
        if isinstance(told, Failure):
            self._ray.kill(actor)
            raise told.unusable("build_game")
        self._n_died_at_start = 0
        self.told = self.told or told
        self._idle.append(actor)

    def _check_retries(self, n_deaths: int, doing: str, error: Exception) -> None:
        if n_deaths <= self._max_retries:
            return
        raise GameError(
            f"`build_game`: {n_deaths} workers died while they {doing}, more than `max_retries` allows. Often they run "
            "out of memory: give `batch_size`, or fewer workers a machine (`cpus_per_worker`). What Ray says of the "
            f"last: {error}",
            "build_game",
        ) from error
