"""Games that are called in processes, through joblib."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import closing, contextmanager
from itertools import islice, takewhile
from typing import Any
from uuid import uuid4

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from numpy.typing import NDArray

from captum_spex.arrays import Rows
from captum_spex.errors import GameError
from captum_spex.evaluation.batching import Answer, Batching
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.evaluation.transport import Evaluated, Failure, evaluated, pickled
from captum_spex.masks import ChosenRows, MaskBlock, MaskBlocks

_Reply = tuple[int, Evaluated | Failure, bool]
"""Number of the batch, its outcome, and whether the worker could load the game."""
_LOADED: dict[str, GameAdapter] = {}  # in a worker: the game of the run that it works for
_LOCK = threading.Lock()  # workers may be threads


class Processes:
    """Workers as joblib is configured: its processes, or those of Dask, Ray, ... by `joblib.parallel_config`.

    A worker loads the game with its first batch and keeps it for the others of the run.

    Args:
        game: the value function, which is pickled here.
        batching: how rows are split into batches.
    """

    def __init__(self, game: GameAdapter, batching: Batching) -> None:
        self._batching = batching
        self._run = uuid4().hex
        # An array, since joblib puts large arrays where all processes of a machine read them.
        self._game: NDArray[np.uint8] = np.frombuffer(pickled("game", game.game), dtype=np.uint8)

    def batches(self, masks: MaskBlocks, rows: Rows) -> Iterator[Rows]:
        """Split rows of masks into batches, by default several for every worker."""
        return self._batching.batches(masks, rows, Parallel(n_jobs=_n_jobs())._effective_n_jobs())

    def evaluate(self, batches: Iterable[ChosenRows]) -> Generator[Answer]:
        """Yield the answers of all batches as they arrive, in any order.

        After a failure no new batch is evaluated; those in flight are yielded first, then the failure.
        """
        failure: Answer | None = None
        chosen = enumerate(list(batches))  # joblib takes tasks in its own threads, which must not use the store
        going = takewhile(lambda _: failure is None, chosen)
        tasks = (delayed(_reply)(self._run, self._game, number, batch.laid_out()) for number, batch in going)
        with closing(self._replies(tasks)) as replies, _deaths_explained():
            for number, outcome, was_loaded in replies:
                if isinstance(outcome, Failure) and not was_loaded:
                    raise outcome.unusable("game")
                answer = Answer.received(number, outcome)
                if answer.error is None:
                    yield answer
                else:
                    failure = failure or answer
        if failure is not None:
            yield failure

    def _replies(self, tasks: Iterator[Any]) -> Generator[_Reply]:
        if not get_active_backend()[0].supports_return_generator:  # then in rounds
            with Parallel(n_jobs=_n_jobs(), batch_size=1) as parallel:
                while some := list(islice(tasks, parallel._effective_n_jobs())):
                    yield from parallel(some)
            return
        replies = Parallel(n_jobs=_n_jobs(), return_as="generator_unordered", batch_size=1)(tasks)
        try:
            yield from (reply for reply in replies)  # `yield from replies` would close them before warnings are off
        finally:
            with warnings.catch_warnings(action="ignore"):  # that replies were abandoned
                replies.close()


@contextmanager
def _deaths_explained() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor as error:
        raise GameError(
            f"`backend`: a process died while it evaluated the game ({type(error).__name__}): killed, out of memory, "
            "or a crash in compiled code. Batches that were done are in the `store`, if one was given. "
            "`captum_spex.evaluation.RayGame` replaces dead workers.",
            "backend",
        ) from error


def _n_jobs() -> int:
    """Return what joblib is configured to, else all processors."""
    n_jobs = get_active_backend()[1]
    return -1 if n_jobs is None else int(n_jobs)


def _reply(run: str, game: NDArray[np.uint8], number: int, masks: MaskBlock) -> _Reply:
    """Evaluate a batch in a worker."""
    try:
        with _LOCK:
            if run not in _LOADED:
                _LOADED.clear()  # one game at a time is in memory
                _LOADED[run] = GameAdapter.of(pickle.loads(game.tobytes()))
            loaded = _LOADED[run]
    except Exception as error:
        return number, Failure.of(error), False
    return number, evaluated(loaded, masks), True
