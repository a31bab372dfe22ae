"""A benchmark in words: what is needed, where it is lost, what did not run; for the terminal and for a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from captum_spex.benchmark._curves import OURS, PUBLISHED, Metric
from captum_spex.benchmark._needed import Needed, summary
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._verdicts import LOST, TIED, UNANSWERED, WON, Standing, Verdict, standings

NOTHING = "No results: no run has finished."
NO_RIVALS = f"Nothing to compare: no case has results of both {OURS} and another package's method."
UNDONE = ("failed", "missing", "refused")
NEEDED = (
    "Evaluations needed to reach the quality of a reference, relative to those of the reference: below 1, fewer. "
    "Geometric mean over cases, 95 % bootstrap interval over cases. The best other is, at each budget of each case, "
    "the best method of another package. ≤: in some cases the smallest budget was more than enough, so the true number "
    "is smaller; ≥: in some the quality was never reached, so the true number is larger; ≈: both occur."
)
_NUMBER = re.compile(r"\d[\d,.]*")
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Undone:
    """Runs that did not give a result, for the same reason.

    Attributes:
        status: ``"failed"``, ``"missing"`` or ``"refused"``.
        method: whose; empty: a case that no method could use.
        message: why: the first message, where others differ in numbers only.
        cases: in which, each once; empty: a method that cannot be used at all.
        n_runs: how many runs.
    """

    status: str
    method: str
    message: str
    cases: tuple[str, ...]
    n_runs: int


def undone(rows: Sequence[Row]) -> list[Undone]:
    """Return what did not run: failures first, then what is missing, then refusals, each by method and message.

    Args:
        rows: the results.

    Returns:
        One record for each reason.

    Example:
        >>> row = Row("c", "f", 4, "m", "p", "1", 8, 0, "failed", "ValueError: no")
        >>> [(reason.status, reason.message, reason.n_runs) for reason in undone([row, row])]
        [('failed', 'ValueError: no', 2)]
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.status in UNDONE:
            groups.setdefault((row.status, row.method, _NUMBER.sub("0", row.message)), []).append(row)
    return [
        Undone(
            status, method, group[0].message, tuple(dict.fromkeys(row.case for row in group if row.case)), len(group)
        )
        for (status, method, _), group in sorted(groups.items(), key=lambda pair: UNDONE.index(pair[0][0]))
    ]


def summary_lines(rows: Sequence[Row]) -> list[str]:
    """Sum up a benchmark for the terminal: the summary number, every loss, and how many runs gave no result.

    Args:
        rows: the results.

    Returns:
        The lines.

    Example:
        >>> summary_lines([])
        ['No results: no run has finished.']
    """
    if not any(row.status == "done" for row in rows):
        return [NOTHING, *_undone_lines(rows)]
    ours = [needed for needed in summary(rows) if needed.method == OURS and not needed.family and needed.n_cases]
    lines = [NEEDED, *(_needed_line(needed) for needed in ours)] if ours else []
    every = standings(rows)
    for metric in dict.fromkeys(standing.metric for standing in every):
        lines += _standing_lines([standing for standing in every if standing.metric == metric], metric)
    return [*lines, *([] if every else [NO_RIVALS]), *_undone_lines(rows)]


def _needed_line(needed: Needed) -> str:
    title = f"  {needed.method} to {reference_name(needed.reference)}, {needed.metric}:"
    return f"{title:<52} {ratio_text(needed):<22} {coverage_text(needed)}"


def _standing_lines(every: list[Standing], metric: Metric) -> list[str]:
    lines = [f"{OURS} against the best other method at equal evaluations, {metric.label}: {tally(every)}"]
    for standing in every:
        if standing.n_lost:
            lines.append(f"  {standing.outcome:<9} {standing.case}: {loss_text(standing)}")
    return lines


def _undone_lines(rows: Sequence[Row]) -> list[str]:
    lines = []
    for reason in undone(rows):
        where = f"{len(reason.cases)} cases" if len(reason.cases) > 1 else "".join(reason.cases)
        place = f"{runs_text(reason)} in {where}" if reason.method and reason.cases else where
        lines.append(f"  {reason.status}: {', '.join(filter(None, (reason.method, place)))}: {reason.message}")
    return ["Without a result:", *lines] if lines else []


def reference_name(reference: str) -> str:
    """Return what a reference is called in text."""
    return "published ProxySPEX" if reference == PUBLISHED else reference


def ratio_text(needed: Needed) -> str:
    """Return a ratio with its interval, marked where it is only a bound."""
    if not needed.n_cases:
        return "no case"
    spread = f" [{needed.low:.2f}, {needed.high:.2f}]" if np.isfinite(needed.low) else " (one case)"
    return f"{bound_mark(needed)}{needed.ratio:.2f}{spread}"


def bound_mark(needed: Needed) -> str:
    """Return a mark for a ratio in which some cases are bounds: from below, from above, or some of either."""
    if needed.n_never and needed.n_at_once:
        return "≈ "
    return "≥ " if needed.n_never else "≤ " if needed.n_at_once else ""


def leaning(needed: Needed) -> str:
    """Say whether a ratio is `WON`, `LOST`, or neither: 1, or a bound that leaves it open."""
    mark = bound_mark(needed)
    is_open = mark == ("≥ " if needed.ratio < 1 else "≤ ")
    if round(needed.ratio, 2) == 1 or is_open:
        return TIED
    return WON if needed.ratio < 1 else LOST


def coverage_text(needed: Needed) -> str:
    """Return over how many cases a ratio goes, and in how many it is a bound."""
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


def loss_text(standing: Standing) -> str:
    """Return where most is lost in a case, to whom, and at how many budgets it is."""
    worst, n_budgets = standing.worst, len(standing.verdicts)
    how = f"{gap_text(standing.metric, worst)} to {worst.rival} at {worst.evaluations:,.0f} evaluations"
    return f"{how} (lost at {standing.n_lost} of {n_budgets} budgets, mean {mean_text(standing)})"


def gap_text(metric: Metric, verdict: Verdict) -> str:
    """Return a difference in the metric's own terms: R² as it is, errors as a factor."""
    return "no answer" if verdict.outcome == UNANSWERED else _difference(metric, verdict.difference)


def mean_text(standing: Standing) -> str:
    """Return the mean difference of a case in the metric's own terms."""
    return "none" if np.isnan(standing.difference) else _difference(standing.metric, standing.difference)


def _difference(metric: Metric, difference: float) -> str:
    if metric.column == "r2":
        return f"{difference:+.3f} {metric.label}".replace("-", _MINUS)
    return f"error \N{MULTIPLICATION SIGN} {10 ** min(-difference, 12.0):.3g}"


def value_text(metric: Metric, quality: float) -> str:
    """Return a quality as a value of its column."""
    if np.isnan(quality):
        return "none"
    return f"{quality:.3f}".replace("-", _MINUS) if metric.column == "r2" else f"{10**-quality:.2g}"


def summary_markdown(rows: Sequence[Row]) -> str:
    """Sum up a benchmark as Markdown: losses and wins, the summary number of every method, what did not run.

    Args:
        rows: the results.

    Returns:
        Tables with headings of the third level, for a page of the documentation.

    Example:
        >>> print(summary_markdown([]))
        No results: no run has finished.
    """
    if not any(row.status == "done" for row in rows):
        return "\n\n".join([NOTHING, *_undone_markdown(rows)])
    every = standings(rows)
    parts = _standing_markdown(every) if every else [NO_RIVALS]
    return "\n\n".join([*parts, *_needed_markdown(summary(rows)), *_undone_markdown(rows)])


def _standing_markdown(every: list[Standing]) -> list[str]:
    parts = []
    for metric in dict.fromkeys(standing.metric for standing in every):
        chosen = [standing for standing in every if standing.metric == metric]
        lost = [standing for standing in chosen if standing.n_lost]
        won = [standing for standing in chosen if standing.outcome == WON]
        head = ["case", "mean difference", "worst budget", "best other there", "difference there", "lost at"]
        parts.append(f"### {metric.label}: {tally(chosen)}")
        parts.append("**Lost**, at any budget:" if lost else "**Lost**: nowhere.")
        parts += [_table(head, map(_standing_cells, lost))] if lost else []
        parts.append("**Won**, the smallest wins first:" if won else "**Won**: nowhere.")
        parts += [_table(head, map(_standing_cells, won))] if won else []
    return parts


def _standing_cells(standing: Standing) -> list[str]:
    worst = standing.worst
    lost = f"{standing.n_lost} of {len(standing.verdicts)} budgets"
    gap = gap_text(standing.metric, worst)
    return [standing.case, mean_text(standing), f"{worst.evaluations:,.0f}", worst.rival, gap, lost]


def _needed_markdown(every: list[Needed]) -> list[str]:
    if not every:
        return []
    parts = ["### Evaluations needed", NEEDED]
    head = ["", "to reach", "metric", "ratio", "over"]
    whole = [needed for needed in every if not needed.family and needed.n_cases]
    families = [needed for needed in every if needed.family and needed.n_cases]
    parts.append(_table(head, ([one.method, *_needed_cells(one)] for one in whole)))
    if families:
        parts += [f"{OURS}, by family:", _table(head, ([one.family, *_needed_cells(one)] for one in families))]
    return parts


def _needed_cells(needed: Needed) -> list[str]:
    return [reference_name(needed.reference), needed.metric, ratio_text(needed), coverage_text(needed)]


def _undone_markdown(rows: Sequence[Row]) -> list[str]:
    reasons = undone(rows)
    if not reasons:
        return []
    head = ["", "method", "cases", "runs", "why"]
    return ["### Without a result", _table(head, (_undone_cells(reason) for reason in reasons))]


def _undone_cells(reason: Undone) -> list[str]:
    return [reason.status, reason.method or "all", few_text(reason.cases) or "all", runs_text(reason), reason.message]


def runs_text(reason: Undone) -> str:
    """Return how many runs there are; no words where none was begun."""
    if not (reason.method and reason.cases):
        return ""
    return "1 run" if reason.n_runs == 1 else f"{reason.n_runs:,} runs"


def few_text(names: Sequence[str]) -> str:
    """Return the first three names and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Return a text that stays in its cell: no line ends, no bars, nothing that is taken for a tag."""
    safe = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return safe.replace("<", "&lt;").replace("`", "\\`").replace("*", "\\*")
