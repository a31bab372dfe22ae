"""Many questions at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import SimpleQueue
from threading import Event


def answers_in_flight(
    value: Callable[[int, Event], float], n_rows: int, max_in_flight: int
) -> Iterator[tuple[int, float]]:
    """Yield the row and the value of every row as soon as it is there, in any order.

    After a failure or Ctrl-C nothing new is asked, the answers that are still under way are yielded, since they are
    paid for, and then the failure is raised. No thread is left when this ends.

    Args:
        value: called in threads with a row and an event that is set when all shall stop.
        n_rows: number of rows.
        max_in_flight: how many calls are under way at a time.

    Example:
        >>> sorted(answers_in_flight(lambda row, stopped: row / 2, 3, 2))
        [(0, 0.0), (1, 0.5), (2, 1.0)]
    """
    asked = _Asked(value, n_rows)
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_in_flight) as pool:
        try:
            asked.more(pool, 2 * max_in_flight)  # as many again wait, so that no thread ever does
            while asked.rows and failure is None:
                try:
                    answered = asked.next()
                    asked.more(pool, 1)
                except (Exception, KeyboardInterrupt) as error:
                    failure = error if isinstance(error, KeyboardInterrupt) else asked.cause or error
                else:
                    yield answered
            asked.stop()
            yield from asked.rest()
        finally:
            asked.stop()
    if failure is not None:
        raise failure


class _Asked:
    """What is under way: the row of every call."""

    def __init__(self, value: Callable[[int, Event], float], n_rows: int) -> None:
        self.rows: dict[Future[float], int] = {}
        self._value = value
        self._left = iter(range(n_rows))
        self._done: SimpleQueue[Future[float]] = SimpleQueue()
        self._stopped = Event()
        self.cause: BaseException | None = None

    def more(self, pool: ThreadPoolExecutor, n_more: int) -> None:
        for row in islice(self._left, n_more):
            future = pool.submit(self._answer, row)
            self.rows[future] = row
            future.add_done_callback(self._done.put)

    def _answer(self, row: int) -> float:
        try:
            return self._value(row, self._stopped)
        except BaseException as error:
            if not self._stopped.is_set():
                self.cause = error  # others fail because of it, maybe before it is seen
            self._stopped.set()  # here, so that no thread asks anything after a failure
            raise

    def next(self) -> tuple[int, float]:
        future = self._done.get()
        answer = future.result()
        return self.rows.pop(future), answer

    def stop(self) -> None:
        self._stopped.set()
        for future in self.rows:
            future.cancel()

    def rest(self) -> Iterator[tuple[int, float]]:
        """Wait for what cannot be stopped."""
        for future in wait(self.rows).done:
            if not future.cancelled() and future.exception() is None:
                yield self.rows[future], future.result()
