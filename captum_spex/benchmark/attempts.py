"""One run: a method explains a case; the quality and the costs of its answer are measured."""

from __future__ import annotations

import ctypes
import gc
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.plan import Run
from captum_spex.benchmark.protocol import Case, Method, Request, Row, described, row_of
from captum_spex.game import Game
from captum_spex.masks import Masks, as_masks, mask_keys
from captum_spex.model import RecoveredGame


@dataclass
class Counted:
    """A game that counts its evaluations, and the seconds that they take."""

    game: Game
    n_players: int
    n_calls: int = 0  # masks, repeated ones too
    seconds: float = 0.0
    keys: set[int] = field(default_factory=set)  # of the distinct masks

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        start = perf_counter()
        try:
            checked = as_masks(masks, self.n_players)
            self.n_calls += len(checked)
            self.keys.update(mask_keys(checked).tolist())
            return np.asarray(self.game(checked), dtype=np.float64)
        finally:
            self.seconds += perf_counter() - start


class PeakMemory:
    """Peak memory of this process from now on, beyond that in use now; Linux keeps it, elsewhere it is unknown."""

    def __init__(self) -> None:
        gc.collect(1)  # all generations take a third of a second where torch is loaded
        with suppress(OSError, AttributeError, TypeError):  # free memory goes back to the system: only glibc can
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self._start = _kib("VmRSS")

    @property
    def mib(self) -> float:
        """The peak in MiB; NaN where the system does not tell."""
        return (_kib("VmHWM") - self._start) / 1024


def _kib(name: str) -> float:
    try:
        return float(re.findall(rf"^{name}:\s*(\d+)", Path("/proc/self/status").read_text(encoding="ascii"), re.M)[0])
    except (OSError, IndexError):
        return nan


_PATIENCE = {True: 2.5, False: 60.0}  # seconds, after which a method gets no larger budget; by whether it is quick
_TOO_SLOW = ("shapiq SPEX", "sparse-transform SPEX", "shapiq ShaplEIG")  # when quick: a minute at the least budget
_DIGITS = 7  # of the numbers of a row: files of results stay small
_WARM_UP = Request(n_players=8, budget=256, seed=0, max_order=2)


class Attempts:
    """Runs methods on cases; remembers which are slow, from the rows of an earlier run too."""

    def __init__(self, rows: Sequence[Row], *, is_quick: bool) -> None:
        self._is_quick = is_quick
        self._slow: dict[tuple[str, str], Row] = {}  # the smallest budget that took too long, by case and method
        self._warmed: dict[str, bool | None] = {}
        for row in rows:
            self._note(row)

    def row(self, run: Run, case: Case, examiner: Examiner) -> Row:
        """Run a method, whatever it raises, and return its row."""
        request = run.request(is_exact_known=case.truth is not None)
        numbers: dict[str, Any] = {}
        try:
            message = self._too_slow(run) or run.method.refusal(request)
            status = "done" if message is None else "refused"
            if status == "done":
                self._measure(run.method, request, case, examiner, numbers)
        except (Exception, SystemExit) as error:  # whatever a library raises, or an invalid answer
            status, message = "failed", described(error)
        rounded: dict[str, Any] = {name: float(f"{value:.{_DIGITS}g}") for name, value in numbers.items()}
        row = replace(row_of(status, message or "", run.source, run.method, run.budget, run.seed), **rounded)
        self._note(row)
        return row

    def _measure(
        self, method: Method, request: Request, case: Case, examiner: Examiner, numbers: dict[str, Any]
    ) -> None:
        """Add the numbers of a run: its costs also where it raises."""
        gives_groups = self._warm_up(method)
        game = Counted(case.game, case.n_players)
        with quiet():
            memory, start = PeakMemory(), perf_counter()
            try:
                answer = method(game, request)
            finally:
                numbers |= {"own_seconds": perf_counter() - start - game.seconds, "peak_mib": memory.mib}
                numbers |= {"n_evaluations": float(len(game.keys)), "n_calls": float(game.n_calls)}
            groups = isinstance(answer.predict, RecoveredGame) if gives_groups is None else gives_groups
            keys = np.array(list(game.keys), dtype=np.uint64)
            numbers |= examiner.numbers(answer, keys, request.max_order, gives_groups=groups)

    def _warm_up(self, method: Method) -> bool | None:
        """Let a method compile its parts at a first call; return whether it estimates interactions, if known."""
        if method.name not in self._warmed:
            self._warmed[method.name] = None
            try:
                if method.refusal(_WARM_UP) is None:
                    with quiet():
                        self._warmed[method.name] = bool(method(_warm_up_game, _WARM_UP).interactions)
            except (Exception, SystemExit):  # it fails in the run itself too, and is recorded there
                return None
        return self._warmed[method.name]

    def _too_slow(self, run: Run) -> str | None:
        if self._is_quick and run.method.name in _TOO_SLOW:
            return "takes too long for a quick benchmark"
        slow = self._slow.get((run.source.name, run.method.name))
        return f"the budget before took {slow.own_seconds:.0f} s" if slow and slow.budget < run.budget else None

    def _note(self, row: Row) -> None:
        if row.own_seconds > _PATIENCE[self._is_quick]:
            slow = self._slow.setdefault((row.case, row.method), row)
            self._slow[row.case, row.method] = min(slow, row, key=lambda one: one.budget)


def _warm_up_game(masks: Masks) -> Floats:
    """Return a sum and a strong pair."""
    return 1.0 + masks @ np.linspace(-1.0, 1.0, masks.shape[1]) + 8.0 * (masks[:, 1] & masks[:, 4])


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the prints and warnings of other libraries from the terminal."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Run everything on one core, so that times are comparable."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
