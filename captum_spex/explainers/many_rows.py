"""The rows of a call: the first of a kind are explained together and teach the others where to start; processes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.approximators import Approximator, Problem, ProxySpex
from captum_spex.approximators.proxyspex import Shared
from captum_spex.budgets import LIMITS, DefaultBudget
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.progress import ProgressLine
from captum_spex.evaluation.transport import Failure, pickled
from captum_spex.explainers.explanations import ExplainedRow
from captum_spex.explainers.planning import PlannedRow, Request
from captum_spex.indices import resolve_index

T = TypeVar("T")

FIRST_ROWS = 8
"""Rows explained together, before the others of their kind. Sixteen taught them nothing more."""
FEWEST_ROWS = 4
"""Rows of a kind below which each is explained alone."""

Outcome = ExplainedRow | Exception
_LOADED: dict[str, Any] = {}  # in a worker: what explains the rows of the call that it works for


@dataclass(frozen=True, eq=False)
class Task:
    """Rows that are explained together, mostly a single one, and the algorithm, which may start from earlier rows."""

    rows: list[int]
    approximator: Approximator


class RowsExplainer(Protocol):
    """What explains the rows of a call; it can be sent to processes."""

    def __call__(self, task: Task) -> list[Outcome]:
        """Return the outcome for every row of a task."""


def planned_tasks(planned: Sequence[PlannedRow], request: Request) -> tuple[list[Task], list[Task]]:
    """Return the tasks that come first, one after the other, and those that can be done in any order.

    Rows are of a kind if the same inputs vary and as many masks are evaluated: then these are the same masks.
    """
    kinds: dict[Any, list[int]] = {}
    for number, row in enumerate(planned):
        key: Any = (row.inputs.varying.tobytes(), row.n_evaluations) if _can_share(row, request) else number
        kinds.setdefault(key, []).append(number)
    first, others = [], []
    for rows in kinds.values():
        if len(rows) < FEWEST_ROWS:
            others += [Task([row], request.approximator) for row in rows]
            continue
        approximator = request.approximator
        if isinstance(approximator, ProxySpex):
            approximator = replace(approximator, shared=Shared())
        row = planned[rows[0]]
        if isinstance(row.budget, DefaultBudget) and len(row.inputs.varying) <= LIMITS.timed_players:
            first.append(Task([rows.pop(0)], request.approximator))  # which tells whether to evaluate all masks
        first.append(Task(rows[:FIRST_ROWS], approximator))
        others += [Task([row], approximator) for row in rows[FIRST_ROWS:]]
    return (first, others) if first else (others[:1], others[1:])


def _can_share(row: PlannedRow, request: Request) -> bool:
    """Whether a row's masks do not depend on its values, and something is learnt from them."""
    n_players, approximator = len(row.inputs.varying), request.approximator
    if not isinstance(approximator, ProxySpex) or approximator.noisy or not row.inputs.is_table or not n_players:
        return False
    if n_players > approximator.limits.dense_players or 2 ** min(n_players, 62) <= row.n_evaluations:
        return False
    index = resolve_index(request.index, request.order_among(n_players), n_players)
    return approximator.n_rounds(Problem(n_players, row.n_evaluations, index)) == 1


def checked_jobs(n_jobs: Any) -> int:
    """Return a number of processes, 1 by default.

    Raises:
        ArgumentError: if it is neither at least 1 nor negative, as joblib counts from the number of processors.
    """
    if n_jobs is None:
        return 1
    hint = "-1 takes a process for each processor."
    number = checks.integer("n_jobs", n_jobs, -(2**31), hint=hint)
    if number == 0:
        raise ArgumentError("n_jobs", "0", "a number of processes, at least 1, or a negative one", hint)
    return number


class Rows:
    """The outcomes of the rows of a call.

    After a failure no further row is begun; those under way are finished.

    Args:
        explain: what explains tasks.
        n_jobs: number of processes.
        line: where the rows that are done are counted.

    Raises:
        ArgumentError: if there are several processes, and the model cannot be sent to them.
    """

    def __init__(self, explain: RowsExplainer, n_jobs: int, line: ProgressLine | None) -> None:
        self._explain, self._n_jobs, self._line = explain, n_jobs, line
        self._done: dict[int, ExplainedRow] = {}
        self._failures: dict[int, Exception] = {}
        if n_jobs != 1:
            pickled("model", explain)  # before the first row is explained

    def explained(self, first: Sequence[Task], others: Sequence[Task], answer: Callable[[list[ExplainedRow]], T]) -> T:
        """Explain all rows, and return what ``answer`` makes of them.

        Raises:
            BaseException: what the model raised, or an interruption. Where rows were explained before, the error has
                two attributes: ``finished``, what ``answer`` makes of them, and ``finished_rows``, their numbers.
        """
        try:
            if self._line is not None:
                self._line.expect(sum(len(task.rows) for task in (*first, *others)))
            self._run(first, others)
            if self._failures:
                raise self._failures[min(self._failures)]
        except BaseException as error:
            if self._done:
                self._keep(error, answer)
            raise
        finally:
            if self._line is not None:
                self._line.close()
        return answer(self._in_order())

    def _keep(self, error: BaseException, answer: Callable[[list[ExplainedRow]], Any]) -> None:
        numbers = sorted(self._done)
        error.finished, error.finished_rows = answer(self._in_order()), numbers  # type: ignore[attr-defined]
        failed = f"row {min(self._failures)} failed, and " if self._failures else ""
        error.add_note(
            f"captum_spex: {failed}{len(numbers):,} rows were explained before: the error's `finished` holds them, "
            "`finished_rows` their numbers."
        )

    def _in_order(self) -> list[ExplainedRow]:
        return [self._done[row] for row in sorted(self._done)]

    def _run(self, first: Sequence[Task], others: Sequence[Task]) -> None:
        here = [*first, *others] if self._n_jobs == 1 else first
        for task in here:
            self._take(task, self._explain(task))
            if self._failures:
                return
        if self._n_jobs != 1 and others:
            self._run_in_processes(others)

    def _run_in_processes(self, tasks: Sequence[Task]) -> None:
        run, explain = uuid4().hex, np.frombuffer(pickled("model", self._explain), dtype=np.uint8)
        remaining = takewhile(lambda _: not self._failures, range(len(tasks)))
        jobs = (delayed(_in_worker)(run, explain, tasks[number], number) for number in remaining)
        parallel = Parallel(n_jobs=self._n_jobs, return_as="generator_unordered", batch_size=1)
        for number, outcomes in parallel(jobs):
            self._take(tasks[number], [one.error() if isinstance(one, Failure) else one for one in outcomes])

    def _take(self, task: Task, outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(task.rows, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._failures[row] = outcome
            else:
                self._done[row] = outcome
        if self._line is not None:
            self._line.advance(len(outcomes))


def _in_worker(
    run: str, explain: NDArray[np.uint8], task: Task, number: int
) -> tuple[int, list[ExplainedRow | Failure]]:
    """Explain rows in a worker, which loads once what explains them."""
    try:
        if run not in _LOADED:
            _LOADED.clear()
            _LOADED[run] = pickle.loads(explain.tobytes())
        outcomes = _LOADED[run](task)
        return number, [Failure.of(one) if isinstance(one, Exception) else one for one in outcomes]
    except Exception as error:
        return number, [Failure.of(error) for _ in task.rows]
