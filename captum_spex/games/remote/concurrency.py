"""Many requests in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import SimpleQueue
from threading import Event
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


def answers_in_flight(
    value: Callable[[int, Event], Answer], n_rows: int, max_in_flight: int
) -> Iterator[tuple[int, Answer]]:
    """Yield the row and the value of every row as soon as it is known, in any order.

    After a failure or Ctrl-C no new request is sent; the answers to those in flight are yielded, since they are paid
    for, and then the failure is raised. No thread outlives this.

    Args:
        value: called in threads with a row and an event that is set when all calls should stop.
        n_rows: number of rows.
        max_in_flight: number of calls in parallel.

    Example:
        >>> sorted(answers_in_flight(lambda row, stopped: row / 2, 3, 2))
        [(0, 0.0), (1, 0.5), (2, 1.0)]
    """
    calls = _Calls(value, n_rows)
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_in_flight) as pool:
        try:
            calls.submit(pool, 2 * max_in_flight)  # twice as many as threads, so that no thread is ever idle
            while calls.rows and failure is None:
                try:
                    answer = calls.next()
                    calls.submit(pool, 1)
                except (Exception, KeyboardInterrupt) as error:
                    failure = error if isinstance(error, KeyboardInterrupt) else calls.cause or error
                else:
                    yield answer
            calls.stop()
            yield from calls.rest()
        finally:
            calls.stop()
    if failure is not None:
        raise failure


class _Calls(Generic[Answer]):
    """The calls in flight, and the row of each."""

    def __init__(self, value: Callable[[int, Event], Answer], n_rows: int) -> None:
        self.rows: dict[Future[Answer], int] = {}
        self._value = value
        self._remaining = iter(range(n_rows))
        self._done: SimpleQueue[Future[Answer]] = SimpleQueue()
        self._stopped = Event()
        self.cause: BaseException | None = None  # the first failure

    def submit(self, pool: ThreadPoolExecutor, n_calls: int) -> None:
        for row in islice(self._remaining, n_calls):
            future = pool.submit(self._answer, row)
            self.rows[future] = row
            future.add_done_callback(self._done.put)

    def _answer(self, row: int) -> Answer:
        try:
            return self._value(row, self._stopped)
        except BaseException as error:
            if not self._stopped.is_set():
                self.cause = error  # other calls fail because of it, and may be read first
            self._stopped.set()  # in this thread, so that no other sends a request after the failure
            raise

    def next(self) -> tuple[int, Answer]:
        future = self._done.get()
        answer = future.result()
        return self.rows.pop(future), answer

    def stop(self) -> None:
        self._stopped.set()
        for future in self.rows:
            future.cancel()

    def rest(self) -> Iterator[tuple[int, Answer]]:
        """Wait for the calls that cannot be cancelled."""
        for future in wait(self.rows).done:
            if not future.cancelled() and future.exception() is None:
                yield self.rows[future], future.result()
