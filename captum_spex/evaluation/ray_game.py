"""A game whose batches are evaluated by Ray actors, on one machine or many."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from numbers import Real
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.batches import Failure, pickled
from captum_spex.evaluation.ray_cluster import check_fits, imported_ray, joined
from captum_spex.evaluation.ray_workers import Crew
from captum_spex.masks import Masks, PackedMasks, in_batches

_LARGEST_BATCH = 1024  # masks; as in this process
_BATCHES_PER_WORKER = 4
_SHOWN_MASKS, _SHOWN_PLAYERS = 3, 20


class RayGame:
    """A game that Ray actors evaluate: each makes it once, then takes batches as it finishes them.

    When a worker dies, it is started anew and its batch goes to the next that is free; no mask is lost, none is counted
    twice, and values come in the same order as in this process. An error that the game raises is no death: it is
    raised here. Use it as a context manager, or call `close`.

    Args:
        build_game: function without arguments that makes the game: it loads the model in the worker. What it refers to
            travels with it, so let it load large things itself.
        n_workers: number of workers; those for which the cluster has no room join as soon as it has.
        gpus_per_worker, cpus_per_worker: what of its machine each may use, for instance 0.5 GPUs.
        batch_size: masks per call, unless `captum_spex.explain` is given another; default: the batches that the game's
            method ``plan_batches`` returns, else four for each worker, of 1,024 masks at most.
        address: of a Ray cluster, ``"auto"`` for the one that runs on this machine; default: the cluster that this
            process is part of, else the one that Ray finds, else a new one on this machine, which ends with the game.
        max_retries: how often a batch is tried again after its worker died.

    Attributes:
        n_players, names, fingerprint, table: as of the game, or None.

    Raises:
        ImportError: if Ray is not installed.
        ArgumentError: if an argument cannot be used, there is no cluster, or a worker cannot make the game: a note of
            the error has the worker's traceback.
        GameError: if the workers that had a batch died more often than ``max_retries``.

    Example:
        >>> import captum_spex
        >>> def build_game():  # runs in the worker: load the model here
        ...     return lambda masks: 2.0 * masks[:, 0] * masks[:, 1]
        >>> def explained():
        ...     with captum_spex.evaluation.RayGame(build_game, n_workers=2) as game:
        ...         return captum_spex.explain(game, 10, budget=200)
    """

    def __init__(
        self,
        build_game: Callable[[], Any],
        n_workers: int = 2,
        *,
        gpus_per_worker: float = 0.0,
        cpus_per_worker: float = 1.0,
        batch_size: int | None = None,
        address: str | None = None,
        max_retries: int = 3,
    ) -> None:
        if not callable(build_game):
            raise ArgumentError("build_game", f"a {type(build_game).__name__}", "a function that makes a game")
        self._n_workers = _checked("n_workers", n_workers, least=1)
        self._batch_size = None if batch_size is None else _checked("batch_size", batch_size, least=1)
        max_retries = _checked("max_retries", max_retries, least=0)
        cpus = _checked_share("cpus_per_worker", cpus_per_worker)
        gpus = _checked_share("gpus_per_worker", gpus_per_worker)
        payload = pickled("build_game", build_game)
        self._crew: Crew | None = None
        self._ray = imported_ray()
        self._leaves = joined(self._ray, address)
        try:
            check_fits(self._ray, cpus, gpus)
            options = {"num_cpus": cpus, "num_gpus": gpus}
            self._crew = Crew(self._ray, payload, self._n_workers, options, max_retries)
            self._crew.wait_for_first()
        except BaseException:
            self.close()
            raise
        self._told = self._crew.told
        self.n_players: int | None = self._told["n_players"]
        self.names: Sequence[str] | None = self._told["names"]
        self.fingerprint = self._told["fingerprint"]
        self.table = self._told["table"]
        self.output_layout: str | None = self._told["output_layout"]

    def close(self) -> None:
        """End the workers, and the cluster if it was started for this game."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None
        if self._leaves:
            self._ray.shutdown()
            self._leaves = False

    def __enter__(self) -> RayGame:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def in_batches_of(self, batch_size: int) -> RayGame:
        """Return the same game, with the same workers, in batches of another size: `close` this one, not that."""
        resized = copy.copy(self)
        resized._batch_size, resized._leaves = _checked("batch_size", batch_size, least=1), False
        return resized

    takes_packed = True  # `answer_each` does

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)`` or ``(n_masks, n_outputs)``, as the game does."""
        masks = np.asarray(masks, dtype=np.bool_)
        answers = list(self.answer_each(masks))
        if not answers:
            return np.zeros(0)
        rows, values = zip(*answers, strict=True)
        return np.concatenate(values)[np.argsort(np.concatenate(rows))]

    def answer_each(self, masks: Masks | PackedMasks) -> Generator[tuple[NDArray[np.intp], Floats]]:
        """Yield the rows and the values of every batch as soon as they are there, in any order.

        Masks that come packed go to ``evaluate_packed`` of the workers' game, if it has that.
        """
        as_packed = isinstance(masks, PackedMasks)
        packed = masks if isinstance(masks, PackedMasks) else PackedMasks.of(masks)
        batches = self._batches(packed)
        layout = self.output_layout if self._told["has_layout"] else None
        tasks = [(packed.block(rows), layout, as_packed) for rows in batches]
        with closing(self._workers().answers("evaluate", tasks)) as answers:
            for place, answer in answers:
                rows = batches[place]
                if isinstance(answer, Failure):
                    error = answer.error()
                    error.add_note(
                        f"The worker's batch: {_described(packed.block(rows[:_SHOWN_MASKS]).unpack(), len(rows))}."
                    )
                    raise error
                if answer.values.shape[:1] != (len(rows),):
                    raise GameError(f"`game`: returned shape {answer.values.shape} for {len(rows)} masks.")
                self.output_layout = answer.layout
                yield rows, answer.values

    def _workers(self) -> Crew:
        if self._crew is None:
            raise ArgumentError("game", "a `RayGame` that was closed", "one that is open", "Use it within its `with`.")
        return self._crew

    def _batches(self, masks: PackedMasks) -> list[NDArray[np.intp]]:
        if not len(masks):
            return []
        if self._batch_size is None and self._told["has_plan"]:
            ((_, plan),) = self._workers().answers("plan", [masks])
            if isinstance(plan, Failure):
                raise plan.error()
            return [np.asarray(rows, dtype=np.intp) for rows in plan if len(rows)]
        several = -(-len(masks) // (_BATCHES_PER_WORKER * self._n_workers))
        size = min(several, _LARGEST_BATCH) if self._batch_size is None else self._batch_size
        return in_batches(len(masks), size)


def _checked(argument: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(argument, repr(value), f"an integer of at least {least}")
    return int(value)


def _checked_share(argument: str, value: Any) -> float:
    """Return a number of processors: a part of one, or whole ones, as Ray has it."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not value >= 0 or (value > 1 and float(value) != round(float(value))):
        raise ArgumentError(argument, repr(value), "a number from 0 to 1, or a larger integer")
    return float(value)


def _described(first: Masks, n_masks: int) -> str:
    shown = [str(np.flatnonzero(mask)[:_SHOWN_PLAYERS].tolist()) for mask in first]
    return f"{n_masks} masks, the first with players {', '.join(shown)} present (at most {_SHOWN_PLAYERS} shown)"
