"""What the terminal shows while a benchmark runs: a table for each case, or a line for each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from time import perf_counter
from types import TracebackType

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from captum_spex.benchmark._plan import Run
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._seconds import in_words
from captum_spex.benchmark.cases import CaseSource

_OURS = "captum-spex"
_EQUAL = 0.001  # R² that differ by less are shown alike


class Reporter:
    """Tells nobody anything; and the clock that the others share."""

    def __init__(self) -> None:
        self._seconds: dict[Run, float] = {}
        self._past = 0.0
        self._start = perf_counter()
        self.n_done = self.n_all = 0

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def begin(self, notes: Iterable[str], seconds: Mapping[Run, float], n_before: int) -> None:
        """Say what is missing, how much there is to do, and how long it takes: ``seconds`` for every run."""
        self._seconds, self.n_all = dict(seconds), len(seconds)
        self._start = perf_counter()
        self.say(*(f"Note: {note}" for note in notes if note))
        if not seconds:
            nothing = "Nothing to run: methods or games are missing, or all budgets exceed the number of masks."
            return self.say("All runs are done already." if n_before else nothing)
        before = f"; {n_before:,} rows are there already" if n_before else ""
        return self.say(f"{len(seconds):,} runs, which take about {self.remaining}{before}.")

    def begin_case(self, source: CaseSource, before: Sequence[Row]) -> None:
        """Start a table; ``before``: its rows of an earlier run."""

    def row(self, row: Row, run: Run) -> None:
        """Show a row."""
        self._pass(run)

    def end_case(self) -> None:
        """End the table."""

    def skipped(self, runs: Sequence[Run], why: str) -> None:
        """Say that a case cannot be run."""
        for run in runs:
            self._pass(run)
        self.say(f"Cannot be run: {why}")

    def end(self, missing: Sequence[str], rows: Sequence[Row]) -> None:
        """Say what was left out and what failed."""
        failed = [f"{row.case}: {row.method or 'the case itself'}, {row.message}" for row in rows if _has_failed(row)]
        self.say(*(f"Missing: {line}" for line in missing))
        self.say(*(f"Failed: {line}" for line in dict.fromkeys(failed)))

    def summary(self, lines: Sequence[str], paths: Sequence[Path]) -> None:
        """Show the summary and say where everything is."""
        self.say("", *lines, "", "Written: " + ", ".join(map(str, paths)))

    def say(self, *lines: str) -> None:
        """Print lines."""

    @property
    def remaining(self) -> str:
        """How long the rest takes, by how much longer or shorter the past took than expected."""
        spent = perf_counter() - self._start
        trusted = 20.0  # seconds by which what was expected counts
        pace = (spent + trusted) / (self._past + trusted)
        return in_words(max(0.0, sum(self._seconds.values()) - self._past) * pace)

    def _pass(self, run: Run) -> None:
        self._past += self._seconds.get(run, 0.0)
        self.n_done += 1


class Lines(Reporter):
    """A line for each run, for files and pipes."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def row(self, row: Row, run: Run) -> None:
        """Print the row."""
        super().row(row, run)
        name = f"[{self.n_done}/{self.n_all}] {row.case}, {row.method}, {row.budget}"
        self.say(f"{name}: {_line(row)}; {self.remaining} left")

    def say(self, *lines: str) -> None:
        """Print lines."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)


class Tables(Lines):
    """A table of methods and budgets that fills while a case runs."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live: Live | None = None
        self._source: CaseSource | None = None
        self._rows: list[Row] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the table as far as it came."""
        self.end_case()

    def begin_case(self, source: CaseSource, before: Sequence[Row]) -> None:
        """Start a table."""
        self._source, self._rows = source, list(before)
        self._live = Live(
            Text(f"{source.name}: the game is made ..."),
            console=self._console,
            auto_refresh=False,  # no thread beside what is timed
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start(refresh=True)

    def row(self, row: Row, run: Run) -> None:
        """Fill a cell."""
        self._pass(run)
        self._rows.append(row)
        if self._live is not None and self._source is not None:
            status = Text(f"{self.n_done:,} of {self.n_all:,} runs, about {self.remaining} left", style="dim")
            self._live.update(Group(title_of(self._source), table_of(self._rows), status), refresh=True)

    def end_case(self) -> None:
        """Leave the table with a line on who is ahead."""
        if self._live is None or self._source is None:
            return
        if self._rows:
            self._live.update(Group(title_of(self._source), table_of(self._rows), Text(verdict_of(self._rows))))
            self._live.vertical_overflow = "visible"
        self._live.stop()
        self._live = None

    def skipped(self, runs: Sequence[Run], why: str) -> None:
        """Say that a case cannot be run."""
        if self._live is not None:
            self._live.update(Text(""))
            self._live.stop()
            self._live = None
        super().skipped(runs, why)


def reporter_for(console: Console | None) -> Reporter:
    """Return what shows a run: a table in a terminal, lines elsewhere, nothing without a console."""
    if console is None:
        return Reporter()
    return Tables(console) if console.is_terminal else Lines(console)


def title_of(source: CaseSource) -> Text:
    """Return what is above a table."""
    return Text.assemble("\n", (source.name, "bold"), f": {source.about}\nR² on unseen masks (evaluations)")


def table_of(rows: Sequence[Row]) -> Table:
    """Return methods by budgets: R², the mean of the seeds, and how many evaluations it took."""
    budgets = sorted({row.budget for row in rows})
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    best = {budget: max(_scores(rows, budget).values(), default=float("nan")) for budget in budgets}
    for budget in budgets:
        table.add_column(f"{budget:,}", justify="right", no_wrap=True)
    for method in dict.fromkeys(row.method for row in rows):
        of_method = [row for row in rows if row.method == method]
        ours = of_method[0].package == _OURS
        cells = [_cell([row for row in of_method if row.budget == budget], best[budget]) for budget in budgets]
        table.add_row(Text(method, style="bold" if ours else ""), *cells)
    return table


def verdict_of(rows: Sequence[Row]) -> str:
    """Say for every budget which method of this package is best, which other one, and who is ahead."""
    lines = []
    for budget in sorted({row.budget for row in rows}):
        scores = _scores(rows, budget)
        ours = {method for method in scores if any(row.method == method and row.package == _OURS for row in rows)}
        sides = [{m: r2 for m, r2 in scores.items() if (m in ours) == side} for side in (True, False)]
        if not all(sides):
            continue
        (mine, my_r2), (other, other_r2) = (max(side.items(), key=lambda pair: pair[1]) for side in sides)
        difference = my_r2 - other_r2
        who = "as good as" if abs(difference) < _EQUAL else "ahead of" if difference > 0 else "BEHIND"
        lines.append(f"{budget:,}: {mine} {my_r2:.3f} {who} {other} {other_r2:.3f}")
    return "\n".join(lines)


def _scores(rows: Sequence[Row], budget: int) -> dict[str, float]:
    """Return the mean R² of every method that has one at a budget."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.budget == budget and row.status == "done" and not isnan(row.r2):
            found.setdefault(row.method, []).append(row.r2)
    return {method: float(np.mean(values)) for method, values in found.items()}


def _cell(rows: Sequence[Row], best: float) -> Text:
    done = [row for row in rows if row.status == "done"]
    if not done:
        return Text(rows[0].status if rows else "", style="red" if rows and rows[0].status == "failed" else "dim")
    r2 = float(np.mean([row.r2 for row in done]))
    count = float(np.mean([row.n_evaluations for row in done]))
    return Text(f"{_number(r2)} ({count:,.0f})", style="green" if r2 > best - _EQUAL else "")


def _number(r2: float) -> str:
    if isnan(r2):
        return "-"
    return f"{r2:.3f}" if r2 > -10 else f"{r2:.1e}"


def _line(row: Row) -> str:
    if row.status != "done":
        return f"{row.status}, {row.message}"
    numbers = [f"R² {_number(row.r2)}", f"{row.n_evaluations:,.0f} evaluations", f"{row.own_seconds:.2f} s"]
    if not isnan(row.shapley_error):
        numbers.insert(1, f"Shapley error {row.shapley_error:.2g}")
    return ", ".join(numbers)


def _has_failed(row: Row) -> bool:
    return row.status == "failed"
