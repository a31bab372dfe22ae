"""The batches of a game in processes, through joblib."""

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

from captum_spex.errors import GameError
from captum_spex.evaluation.batches import Evaluated, Failure, evaluated, pickled
from captum_spex.masks import Masks, PackedMasks

_BATCHES_PER_WORKER = 4  # so that none waits long for the last one
_LOADED: dict[str, Any] = {}  # in a worker: the game of the run that it works for
_LOCK = threading.Lock()  # workers may be threads


class Processes:
    """Workers as joblib is configured: its processes, or those of Dask, Ray, ... by `joblib.parallel_config`.

    A worker loads the game with its first batch and keeps it for the others of the run.

    Args:
        game: the value function, which is pickled here.
    """

    def __init__(self, game: Any) -> None:
        self._run = uuid4().hex
        # An array, since joblib puts large arrays where all processes of a machine read them.
        self._game: NDArray[np.uint8] = np.frombuffer(pickled("game", game), dtype=np.uint8)

    def batch_size(self, n_masks: int, largest: int) -> int:
        """Return the size of batches of which every worker gets several."""
        n_workers = Parallel(n_jobs=_n_jobs())._effective_n_jobs()
        return max(1, min(largest, -(-n_masks // (_BATCHES_PER_WORKER * n_workers))))

    def answers(self, blocks: Iterable[Masks | PackedMasks]) -> Generator[tuple[int, Evaluated | Failure]]:
        """Yield the place and the values of every block as soon as they are there, in any order.

        After a failure nothing new is evaluated, what is under way is yielded, and the failure comes last.
        """
        failure: tuple[int, Failure] | None = None
        going = takewhile(lambda _: failure is None, enumerate(blocks))
        tasks = (
            delayed(_answer)(self._run, self._game, place, _packed(block), isinstance(block, PackedMasks))
            for place, block in going
        )
        with closing(self._in_any_order(tasks)) as answers, _deaths_explained():
            for place, answer in answers:
                if isinstance(answer, Failure):
                    failure = failure or (place, answer)
                else:
                    yield place, answer
        if failure is not None:
            yield failure

    def _in_any_order(self, tasks: Iterator[Any]) -> Generator[tuple[int, Evaluated | Failure]]:
        if not get_active_backend()[0].supports_return_generator:  # then in rounds
            with Parallel(n_jobs=_n_jobs(), batch_size=1) as parallel:
                while some := list(islice(tasks, parallel._effective_n_jobs())):
                    yield from map(_loaded_there, parallel(some))
            return
        parallel = Parallel(n_jobs=_n_jobs(), return_as="generator_unordered", batch_size=1)
        answers = parallel(tasks)
        try:
            yield from map(_loaded_there, answers)
        finally:
            with warnings.catch_warnings(action="ignore"):  # that some answers are not wanted any more
                answers.close()


@contextmanager
def _deaths_explained() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor as error:
        raise GameError(
            f"`backend`: a process died while it evaluated the game ({type(error).__name__}): killed, out of memory, "
            "or a crash in compiled code. Batches that were done are in the `store`, if one was given. "
            "`captum_spex.evaluation.RayGame` goes on when a worker dies."
        ) from error


def _n_jobs() -> int:
    """Return what joblib is configured to, else all processors."""
    n_jobs = get_active_backend()[1]
    return -1 if n_jobs is None else int(n_jobs)


def _packed(block: Masks | PackedMasks) -> PackedMasks:
    return block if isinstance(block, PackedMasks) else PackedMasks.of(block)


def _loaded_there(answer: tuple[int, Evaluated | Failure, bool]) -> tuple[int, Evaluated | Failure]:
    place, found, was_loaded = answer
    if isinstance(found, Failure) and not was_loaded:
        raise found.unusable("game")
    return place, found


def _answer(
    run: str, game: NDArray[np.uint8], place: int, masks: PackedMasks, as_packed: bool
) -> tuple[int, Evaluated | Failure, bool]:
    """Evaluate a batch in a worker; say also whether the game could be loaded."""
    try:
        with _LOCK:
            if run not in _LOADED:
                _LOADED.clear()  # one game at a time is in memory
                _LOADED[run] = pickle.loads(game.tobytes())
            loaded = _LOADED[run]
    except Exception as error:
        return place, Failure.of(error), False
    return place, evaluated(loaded, masks, as_packed), True
