"""What a benchmark shows: tables in words for the terminal and for the page."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from html import escape
from math import isnan
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from captum_spex.benchmark.cases import CaseSource
from captum_spex.benchmark.comparison import Metric, frame_of
from captum_spex.benchmark.needed import Needed, evaluations_needed
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED, Row
from captum_spex.benchmark.standings import Outcome, Standing, standings
from captum_spex.exports.result import counted

NOTHING = "No results: no run has finished."
NO_RIVALS = f"Nothing to compare: no case has results of both {OURS} and another package's method."
NEEDED = (
    "Evaluations needed to reach the quality of a reference, relative to those of the reference: below 1, fewer. "
    "Geometric mean over cases, 95 % bootstrap interval over cases. The best other is, at each budget of each case, "
    "the best method of another package. ≤: in some cases the smallest budget was more than enough, so the true number "
    "is smaller; ≥: in some the quality was never reached, so the true number is larger; ≈: both occur."
)
_NOTHING_TO_RUN = "Nothing to run: methods or games are missing, or all budgets exceed the number of masks."
_DPI = 130
_WIDTH = 150  # characters of a line
_STYLES = {Outcome.LOST: "red", Outcome.UNANSWERED: "red", Outcome.TIED: "", Outcome.WON: "blue"}
_NUMBER = re.compile(r"\d[\d,.]*")
_EQUAL = 0.001  # R² that differ by less are both marked as the best


def summary_of(rows: Sequence[Row], *, is_full: bool = False) -> Iterator[RenderableType]:
    """Sum up a benchmark: the summary number, every loss and by how much, and what gave no result.

    Args:
        rows: the results.
        is_full: all methods instead of the default one alone, wins too, and a table of every case.
    """
    if any(row.status == "done" for row in rows):
        ratios = [one for one in evaluations_needed(rows) if is_full or (one.method == OURS and not one.group)]
        yield from _needed_table([one for one in ratios if one.n_cases or one.n_unanswered])
        every = standings(rows)
        for metric in dict.fromkeys(standing.metric for standing in every):
            yield from _standings_table([one for one in every if one.metric == metric], metric, is_full=is_full)
        if not every:
            yield Text(NO_RIVALS)
    else:
        yield Text(NOTHING)
    yield from _undone_table(rows)
    for case in dict.fromkeys(row.case for row in rows if row.case and row.method) if is_full else ():
        own = [row for row in rows if row.case == case and row.method]
        yield from case_table(own, f"{case}: {own[0].family}, {own[0].n_players:,} players")


def _needed_table(shown: Sequence[Needed]) -> Iterator[RenderableType]:
    if shown:
        table = _table("method", "to reach", "metric", "ratio", "over")
        for one in shown:
            name = f"{one.method}, {one.group}" if one.group else one.method
            cells = name, reference_name(one.reference), one.metric, _ratio_text(one), _coverage(one)
            table.add_row(*map(Text, cells), style="bold" if name == OURS else "")
        yield from (Text("\nEvaluations needed", "bold"), table, Text(NEEDED, "dim"))


def _standings_table(every: Sequence[Standing], metric: Metric, *, is_full: bool) -> Iterator[RenderableType]:
    yield Text(f"\n{OURS} against the best other method at equal evaluations, {metric.label}: {tally(every)}", "bold")
    shown = [one for one in every if is_full or one.n_lost]
    table = _table("case", "mean", "worst budget", "difference there", "to", "lost at")
    for one in shown:
        worst, lost = one.worst, f"{one.n_lost} of {len(one.verdicts)} budgets" if one.n_lost else ""
        mean = Text(metric.difference_text(one.difference), _STYLES[one.outcome])
        cells = f"{worst.evaluations:,.0f}", metric.difference_text(worst.difference), worst.rival, lost
        table.add_row(Text(one.case), mean, *map(Text, cells))
    if shown:
        yield table


def _undone_table(rows: Sequence[Row]) -> Iterator[RenderableType]:
    """Show what failed, is missing, or was refused: a line for each reason, whose messages differ in numbers only."""
    groups: dict[tuple[int, str, str], list[Row]] = {}
    for row in rows:
        if row.status != "done":
            order = ("failed", "missing", "refused").index(row.status)
            groups.setdefault((order, row.method, _NUMBER.sub("0", row.message)), []).append(row)
    if groups:
        table = _table("", "method", "cases", "runs", "why")
        for (_, method, _), group in sorted(groups.items(), key=lambda pair: pair[0][0]):
            names = list(dict.fromkeys(row.case for row in group if row.case))
            cases = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            n_runs = f"{len(group):,}" if method and cases else ""
            cells = group[0].status, method or "all", cases or "all", n_runs, group[0].message
            table.add_row(*map(Text, cells), style="red" if group[0].status == "failed" else "")
        yield from (Text("\nWithout a result", "bold"), table)


def case_table(rows: Sequence[Row], title: str) -> Iterator[RenderableType]:
    """Show methods by budgets: means over seeds of R², the evaluations, and the Shapley error if it is known."""
    frame = frame_of(rows)
    budgets = sorted(frame["budget"].unique())
    done = frame[frame["status"] == "done"]
    means = done.groupby(["method", "budget"])[["r2", "n_evaluations", "shapley_error"]].mean()
    best = means["r2"].groupby("budget").max()
    table = _table("", *(f"{budget:,}" for budget in budgets), justify="right")
    for (method, package), own in frame.groupby(["method", "package"], sort=False):
        cells = {row.budget: Text(row.status, "red" if row.status == "failed" else "dim") for row in own.itertuples()}
        for budget in budgets if method in means.index else ():
            if (method, budget) in means.index:
                r2, count, error = means.loc[(method, budget)]
                text = f"{_r2_text(r2)} ({count:,.0f}{'' if np.isnan(error) else f', {error:.2g}'})"
                cells[budget] = Text(text, "green" if r2 > best[budget] - _EQUAL else "")
        name = Text(method, "bold" if package == PACKAGE else "")
        table.add_row(name, *(cells.get(budget, Text("")) for budget in budgets))
    yield from (Text(f"\n{title}", "bold"), Text("R² on unseen masks (evaluations, Shapley error)", "dim"), table)


def _table(first: str, *others: str, justify: JustifyMethod = "left") -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in others:
        table.add_column(column, overflow="fold", justify=justify)
    return table


def _r2_text(r2: float) -> str:
    return "-" if isnan(r2) else f"{r2:.3f}" if r2 > -10 else f"{r2:.1e}"


def reference_name(reference: str) -> str:
    """Return what a reference is called in text."""
    return "published ProxySPEX" if reference == PUBLISHED else reference


def _ratio_text(needed: Needed) -> str:
    """Return a ratio with its interval, marked where it is only a bound."""
    if not needed.n_cases:
        return "no case"
    spread = f" [{needed.low:.2f}, {needed.high:.2f}]" if np.isfinite(needed.low) else " (one case)"
    return f"{needed.bound}{needed.ratio:.2f}{spread}"


def _coverage(needed: Needed) -> str:
    """Return over how many cases a ratio is, and in how many it is a bound."""
    counts = {
        "≥ in {} (not reached)": needed.n_never,
        "≤ in {} (at the first budget)": needed.n_at_once,
        "no answer in {} more": needed.n_unanswered,
    }
    return ", ".join(
        [counted(needed.n_cases, "case"), *(text.format(count) for text, count in counts.items() if count)]
    )


def tally(every: Sequence[Standing]) -> str:
    """Count cases, losses first."""
    counts = Counter(standing.outcome for standing in every)
    shown = [f"{counts[one]} {one}" for one in Outcome if counts[one] or one != Outcome.UNANSWERED]
    return f"{', '.join(shown)} of {counted(len(every), 'case')}"


class Reporter:
    """Shows a benchmark on a console; nothing without one."""

    def __init__(self, console: Console | None) -> None:
        self._console = console or Console(quiet=True)
        self._start = perf_counter()
        self._n_done = self._n_runs = 0

    def begin(self, notes: Iterable[str], n_runs: int, n_before: int) -> None:
        """Say what is missing and how much there is to do."""
        self._n_runs, self._start = n_runs, perf_counter()
        for note in filter(None, notes):
            self.say(f"Note: {note}")
        before = f"; {n_before:,} rows are done already" if n_before else ""
        nothing = "All runs are done already." if n_before else _NOTHING_TO_RUN
        self.say(f"{n_runs:,} runs{before}." if n_runs else nothing)

    def row(self, row: Row) -> None:
        """Show a run that is done."""
        self._n_done += 1
        left = (perf_counter() - self._start) / self._n_done * (self._n_runs - self._n_done)
        place = f"[{self._n_done}/{self._n_runs}] {row.case}, {row.method}, {row.budget}"
        self.say(f"{place}: {_numbers(row)}; about {timedelta(seconds=round(left))} left")

    def case(self, source: CaseSource, rows: Sequence[Row]) -> None:
        """Show the table of a case that is done."""
        self._console.print(*case_table(rows, f"{source.name}: {source.about}"), sep="\n")

    def skip(self, n_runs: int, why: str) -> None:
        """Say that a case cannot be run."""
        self._n_done += n_runs
        self.say(f"Cannot be run: {why}")

    def end(self, rows: Sequence[Row], paths: Sequence[Path]) -> None:
        """Show the summary and say where the results are."""
        self._console.print(*summary_of(rows), sep="\n")
        self.say("\nWritten: " + ", ".join(map(str, paths)))

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(Text(line), soft_wrap=True)


def _numbers(row: Row) -> str:
    if row.status != "done":
        return f"{row.status}, {row.message}"
    error = "" if isnan(row.shapley_error) else f"Shapley error {row.shapley_error:.2g}, "
    return f"R² {_r2_text(row.r2)}, {error}{row.n_evaluations:,.0f} evaluations, {row.own_seconds:.2f} s"


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Benchmark of captum_spex</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>
body {{ max-width: 1180px; margin: 20px auto; background: #fff; color: #222; font-family: sans-serif; }}
pre {{ overflow-x: auto; font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace; }}
img {{ max-width: 100%; height: auto; }}
</style></head><body><h1>Benchmark of captum_spex</h1>
{figures}
<pre>{text}</pre>
</body></html>
"""


def write_report(rows: Sequence[Row], folder: str | Path, *, header: Mapping[str, str]) -> list[Path]:
    """Write ``report.html``, one page with everything in it, and each of its pictures as a PNG file; return paths."""
    from captum_spex.benchmark.figures import figures  # loads matplotlib

    Path(folder).mkdir(parents=True, exist_ok=True)
    paths, pictures = [Path(folder, "report.html")], []
    for name, (figure, caption) in figures(rows).items():
        paths.append(Path(folder, f"{name}.png"))
        figure.savefig(paths[-1], dpi=_DPI, facecolor="white", metadata={"Software": None})
        data = b64encode(paths[-1].read_bytes()).decode("ascii")
        image = f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        pictures.append(f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>")
    page = _PAGE.format(figures="\n".join(pictures), text=_text(rows, header))
    paths[0].write_text(page, encoding="utf-8", errors="replace")
    return paths


def _text(rows: Sequence[Row], header: Mapping[str, str]) -> str:
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(*(Text(f"{name}: {value}") for name, value in header.items()), sep="\n", soft_wrap=True)
    console.print(*summary_of(rows, is_full=True), sep="\n")
    return console.export_html(inline_styles=True, code_format="{code}")
