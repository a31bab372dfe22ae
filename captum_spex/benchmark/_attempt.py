"""One run: a method explains a case, and what it says and costs is measured."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from math import inf
from time import perf_counter

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark._counted import counted, watched_memory
from captum_spex.benchmark._made import of_run, said, with_numbers
from captum_spex.benchmark._measure import Examiner
from captum_spex.benchmark._plan import Run
from captum_spex.benchmark._protocol import Case, Method, Request
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._seconds import in_words, of_compiling
from captum_spex.masks import Masks
from captum_spex.model import RecoveredGame

_SLOW = {True: 2.5, False: 120.0}  # seconds of its own, after which a method gets no larger budget; by whether quick
_LONGEST_QUICK = 10.0  # seconds that a run of a quick benchmark may be expected to take
_WARM = Request(n_players=8, budget=256, seed=0, max_order=2)


class Attempts:
    """Runs methods on cases; remembers which are slow, and which were called before.

    Args:
        rows: of an earlier run that goes on.
        is_quick: whether to have little patience.
    """

    def __init__(self, rows: Sequence[Row], *, is_quick: bool) -> None:
        self._patience = _SLOW[is_quick]
        self._longest = _LONGEST_QUICK if is_quick else inf
        self._slow: dict[tuple[str, str], tuple[int, float]] = {}
        self._warmed: dict[str, bool | None] = {}
        for row in rows:
            self._note(row)

    def expected(self, runs: Sequence[Run]) -> dict[Run, float]:
        """Return how many seconds every run takes, about; none where it is likely to be refused for its time."""
        seconds: dict[Run, float] = {}
        slow: dict[tuple[str, str], int] = {}  # the budget that is expected to be the last
        for run in runs:
            place = run.source.name, run.method.name
            is_refused = run.budget > slow.get(place, run.budget) or self._is_refused(run)
            seconds[run] = 0.0 if is_refused else run.seconds
            if seconds[run] > self._patience:
                slow.setdefault(place, run.budget)
        return seconds

    def row(self, run: Run, case: Case, examiner: Examiner) -> Row:
        """Run a method, whatever it raises, and return its row."""
        reason = self._too_slow(run)
        request = run.request(is_exact_known=case.truth is not None)
        try:
            reason = reason or run.method.refusal(request)
            row = self._measured(run, request, case, examiner) if reason is None else of_run(run)
        except Exception as error:  # a refusal that fails is a failure of the method
            return with_numbers(of_run(run), "failed", said(error))
        if reason is not None:
            return with_numbers(row, "refused", reason)
        self._note(row)
        return row

    def _measured(self, run: Run, request: Request, case: Case, examiner: Examiner) -> Row:
        gives_groups = self._warm(run.method)
        game, found, message = counted(case.game, case.n_players), {}, ""
        with quiet(), watched_memory() as peak:
            start = perf_counter()
            try:
                answer = run.method(game, request)
            except (Exception, SystemExit) as error:  # whatever a library raises
                message = said(error)
            spent = perf_counter() - start
        costs = {"own_seconds": spent - game.seconds, "peak_mib": peak.mib}
        if not message:
            knows_groups = isinstance(answer.predict, RecoveredGame) if gives_groups is None else gives_groups
            try:
                with quiet():
                    found = examiner.numbers(answer, game.seen, request.max_order, gives_groups=knows_groups)
            except Exception as error:  # an answer that cannot be used
                message = said(error)
        counts = {"n_evaluations": game.n_evaluations, "n_calls": game.n_calls}
        return with_numbers(of_run(run), "failed" if message else "done", message, **counts, **costs, **found)

    def _warm(self, method: Method) -> bool | None:
        """Let a method compile what it compiles at its first call; tell whether it estimates interactions, if known."""
        if method.name not in self._warmed:
            found = None
            try:
                if method.refusal(_WARM) is None:
                    with quiet():
                        found = bool(method(_warm_game, _WARM).interactions)
            except (Exception, SystemExit):  # it fails in the run itself too, and is recorded there
                found = None
            self._warmed[method.name] = found
        return self._warmed[method.name]

    def _too_slow(self, run: Run) -> str | None:
        expected = run.seconds + of_compiling(run.method.name)
        if expected > self._longest:
            return f"takes about {in_words(expected)}, too long for a quick benchmark"
        before = self._slow.get((run.source.name, run.method.name))
        if before is None or before[0] >= run.budget:
            return None
        return f"the budget before took {in_words(before[1])}"

    def _is_refused(self, run: Run) -> bool:
        """Tell whether a run will be refused, as far as that is known without compiling anything."""
        if self._too_slow(run) is not None:
            return True
        try:
            asked = not of_compiling(run.method.name)
            return asked and run.method.refusal(run.request(is_exact_known=False)) is not None
        except Exception:  # it is recorded when the run's turn comes
            return True

    def _note(self, row: Row) -> None:
        if row.own_seconds > self._patience:
            key, found = (row.case, row.method), (row.budget, row.own_seconds)
            self._slow[key] = min(self._slow.get(key, found), found)


def _warm_game(masks: Masks) -> Floats:
    """Return a sum and a strong pair."""
    return 1.0 + masks @ np.linspace(-1.0, 1.0, masks.shape[1]) + 8.0 * (masks[:, 1] & masks[:, 4])


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what other libraries print and warn of from the terminal."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let everything run on one core: only so do times compare."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        torch.set_num_threads(1)
        stack.enter_context(threadpool_limits(1))
        yield
