"""What the terminal shows while a benchmark runs: a line for each run, a table for each case, and the summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.text import Text

from captum_spex.benchmark.cases import CaseSource
from captum_spex.benchmark.row import Row
from captum_spex.benchmark.summary import case_table, r2_text, summary_of

_NOTHING = "Nothing to run: methods or games are missing, or all budgets exceed the number of masks."


class Reporter:
    """Shows a benchmark on a console; nothing without one."""

    def __init__(self, console: Console | None) -> None:
        self._console = Console(quiet=True) if console is None else console
        self._start = perf_counter()
        self._n_done = self._n_runs = 0

    def begin(self, notes: Iterable[str], n_runs: int, n_before: int) -> None:
        """Say what is missing and how much there is to do."""
        self._n_runs, self._start = n_runs, perf_counter()
        self.say(*(f"Note: {note}" for note in notes if note))
        before = f"; {n_before:,} rows are done already" if n_before else ""
        nothing = "All runs are done already." if n_before else _NOTHING
        self.say(f"{n_runs:,} runs{before}." if n_runs else nothing)

    def row(self, row: Row) -> None:
        """Show a run that is done."""
        self._n_done += 1
        left = (perf_counter() - self._start) / self._n_done * (self._n_runs - self._n_done)
        place = f"[{self._n_done}/{self._n_runs}] {row.case}, {row.method}, {row.budget}"
        self.say(f"{place}: {_numbers(row)}; about {in_words(left)} left")

    def case(self, source: CaseSource, rows: Sequence[Row]) -> None:
        """Show the table of a case that is done."""
        self._console.print("", *case_table(rows, f"{source.name}: {source.about}"), sep="\n")

    def skip(self, n_runs: int, why: str) -> None:
        """Say that a case cannot be run."""
        self._n_done += n_runs
        self.say(f"Cannot be run: {why}")

    def end(self, rows: Sequence[Row], paths: Sequence[Path]) -> None:
        """Show the summary and say where the results are."""
        self._console.print("", *summary_of(rows), sep="\n")
        self.say("", "Written: " + ", ".join(map(str, paths)))

    def say(self, *lines: str) -> None:
        """Print lines."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)


def _numbers(row: Row) -> str:
    if row.status != "done":
        return f"{row.status}, {row.message}"
    error = "" if isnan(row.shapley_error) else f"Shapley error {row.shapley_error:.2g}, "
    return f"R² {r2_text(row.r2)}, {error}{row.n_evaluations:,.0f} evaluations, {row.own_seconds:.2f} s"


def in_words(seconds: float) -> str:
    """Return a duration in words: ``"42 s"``, ``"10 min"``, ``"5.6 h"``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
