"""A benchmark in words and tables, for the terminal and for the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from captum_spex.benchmark.curves import Metric, frame_of
from captum_spex.benchmark.needed import Needed, evaluations_needed
from captum_spex.benchmark.row import OURS, PACKAGE, PUBLISHED, Row
from captum_spex.benchmark.standings import LOST, TIED, UNANSWERED, WON, Standing, standings

NOTHING = "No results: no run has finished."
NO_RIVALS = f"Nothing to compare: no case has results of both {OURS} and another package's method."
NEEDED = (
    "Evaluations needed to reach the quality of a reference, relative to those of the reference: below 1, fewer. "
    "Geometric mean over cases, 95 % bootstrap interval over cases. The best other is, at each budget of each case, "
    "the best method of another package. ≤: in some cases the smallest budget was more than enough, so the true number "
    "is smaller; ≥: in some the quality was never reached, so the true number is larger; ≈: both occur."
)
_STYLES = {LOST: "red", UNANSWERED: "red", TIED: "", WON: "blue"}
_NUMBER = re.compile(r"\d[\d,.]*")
_EQUAL = 0.001  # R² that differ by less are both marked as the best


def summary_of(rows: Sequence[Row], *, is_full: bool = False) -> Iterator[RenderableType]:
    """Sum up a benchmark: the summary number, every loss and by how much, and what gave no result.

    Args:
        rows: the results.
        is_full: all methods instead of the default one alone, wins too, and a table of every case.
    """
    if any(row.status == "done" for row in rows):
        ratios = [one for one in evaluations_needed(rows) if one.n_cases or one.n_unanswered]
        yield from _needed_tables([one for one in ratios if is_full or (one.method == OURS and not one.family)])
        every = standings(rows)
        for metric in dict.fromkeys(standing.metric for standing in every):
            yield from _standings_table([one for one in every if one.metric == metric], metric, is_full=is_full)
        if not every:
            yield Text(NO_RIVALS)
    else:
        yield Text(NOTHING)
    yield from _undone_table(rows)
    if is_full:
        for case, of_case in frame_of(rows).groupby("case", sort=False):
            yield case_table(
                [row for row in rows if row.case == case and row.method], f"{case}, {of_case['family'].iloc[0]}"
            )


def _needed_tables(every: Sequence[Needed]) -> Iterator[RenderableType]:
    if every:
        table = _table("Evaluations needed", "method", "to reach", "metric", "ratio", "over")
        for one in every:
            name = f"{one.method}, {one.family}" if one.family else one.method
            cells = name, reference_name(one.reference), one.metric, ratio_text(one)
            table.add_row(*cells, _coverage(one), style="bold" if one.method == OURS and not one.family else "")
        yield from (table, Text(NEEDED, style="dim"))


def _standings_table(every: Sequence[Standing], metric: Metric, *, is_full: bool) -> Iterator[RenderableType]:
    title = f"{OURS} against the best other method at equal evaluations, {metric.label}: {tally(every)}"
    shown = [one for one in every if is_full or one.n_lost]
    if not shown:
        yield Text(title, style="bold")
        return
    table = _table(title, "case", "mean", "worst budget", "difference there", "to", "lost at")
    for one in shown:
        worst = metric.difference_text(one.worst.difference)
        lost = f"{one.n_lost} of {len(one.verdicts)} budgets" if one.n_lost else ""
        mean = metric.difference_text(one.difference)
        evaluations = f"{one.worst.evaluations:,.0f}"
        table.add_row(one.case, Text(mean, _STYLES[one.outcome]), evaluations, worst, one.worst.rival, lost)
    yield table


def _undone_table(rows: Sequence[Row]) -> Iterator[RenderableType]:
    """Show what failed, is missing, or was refused: a line for each reason, whose messages differ in numbers only."""
    groups: dict[tuple[int, str, str], list[Row]] = {}
    for row in rows:
        if row.status != "done":
            order = ("failed", "missing", "refused").index(row.status)
            groups.setdefault((order, row.method, _NUMBER.sub("0", row.message)), []).append(row)
    if groups:
        table = _table("Without a result", "", "method", "cases", "runs", "why")
        for (_, method, _), group in sorted(groups.items(), key=lambda pair: pair[0][0]):
            cases = few(list(dict.fromkeys(row.case for row in group if row.case)))
            n_runs = f"{len(group):,}" if method and cases else ""
            cells = group[0].status, method or "all", cases or "all", n_runs, group[0].message
            table.add_row(*map(Text, cells), style="red" if group[0].status == "failed" else "")
        yield table


def case_table(rows: Sequence[Row], title: str) -> Table:
    """Return methods by budgets: means over seeds of R², the evaluations, and the Shapley error if it is known."""
    table = _table(f"{title}\nR² on unseen masks (evaluations, Shapley error)", "")
    frame = frame_of(rows)
    means = (
        frame[frame["status"] == "done"].groupby(["method", "budget"])[["r2", "n_evaluations", "shapley_error"]].mean()
    )
    budgets = sorted(frame["budget"].unique())
    best = means["r2"].astype(float).groupby("budget").max()
    for budget in budgets:
        table.add_column(f"{budget:,}", justify="right", no_wrap=True)
    for (method, package), own in frame.groupby(["method", "package"], sort=False):
        status = dict(zip(own["budget"], own["status"], strict=True))
        cells = [Text(status.get(budget, ""), "red" if status.get(budget) == "failed" else "dim") for budget in budgets]
        for place, budget in enumerate(budgets):
            if (method, budget) in means.index:
                r2, count, error = means.loc[(method, budget)]
                more = "" if np.isnan(error) else f", {error:.2g}"
                cells[place] = Text(
                    f"{r2_text(r2)} ({count:,.0f}{more})", "green" if r2 > best[budget] - _EQUAL else ""
                )
        table.add_row(Text(method, "bold" if package == PACKAGE else ""), *cells)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def r2_text(r2: float) -> str:
    """Return an R² as text; hugely negative ones are rounded."""
    if np.isnan(r2):
        return "-"
    return f"{r2:.3f}" if r2 > -10 else f"{r2:.1e}"


def reference_name(reference: str) -> str:
    """Return what a reference is called in text."""
    return "published ProxySPEX" if reference == PUBLISHED else reference


def ratio_text(needed: Needed) -> str:
    """Return a ratio with its interval, marked where it is only a bound."""
    if not needed.n_cases:
        return "no case"
    spread = f" [{needed.low:.2f}, {needed.high:.2f}]" if np.isfinite(needed.low) else " (one case)"
    return f"{needed.bound}{needed.ratio:.2f}{spread}"


def _coverage(needed: Needed) -> str:
    """Return over how many cases a ratio is, and in how many it is a bound."""
    parts = ["1 case" if needed.n_cases == 1 else f"{needed.n_cases} cases"]
    if needed.n_never:
        parts.append(f"≥ in {needed.n_never} (not reached)")
    if needed.n_at_once:
        parts.append(f"≤ in {needed.n_at_once} (at the first budget)")
    if needed.n_unanswered:
        parts.append(f"no answer in {needed.n_unanswered} more")
    return ", ".join(parts)


def tally(every: Sequence[Standing]) -> str:
    """Count cases, losses first."""
    counts = {name: sum(standing.outcome == name for standing in every) for name in (LOST, TIED, WON, UNANSWERED)}
    words = [f"{count} {name}" for name, count in counts.items() if count or name != UNANSWERED]
    return f"{', '.join(words)} of {len(every)} {'case' if len(every) == 1 else 'cases'}"


def few(names: Sequence[str]) -> str:
    """Return the first three names and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
