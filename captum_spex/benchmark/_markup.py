"""The parts of a benchmark's page, as HTML; every text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from captum_spex.benchmark._curves import OURS, PACKAGE, Metric, tried
from captum_spex.benchmark._needed import BEST_OTHER, Needed
from captum_spex.benchmark._row import Row
from captum_spex.benchmark._summary import (
    NEEDED,
    coverage_text,
    few_text,
    gap_text,
    leaning,
    mean_text,
    ratio_text,
    reference_name,
    runs_text,
    tally,
    undone,
)
from captum_spex.benchmark._verdicts import LOST, TIED, WON, Standing

_AGAINST = (
    "Against the best other method of each case and budget, at equal evaluations. A case is listed as lost if it is "
    "lost at any budget, also where it wins on average. Worst: the difference at the budget where most is lost, to the "
    "method named there; mean: of the differences at all budgets. Below 0 R² is lost, and above 0 won; error "
    "\N{MULTIPLICATION SIGN} 2: the error is twice the other's. Beyond the largest budget that it answers, a method "
    "counts with its answer to that."
)
_KINDS = {LOST: "lost", TIED: "quiet", WON: "won"}
_LABELS = {
    "r2": "R²",
    "shapley_error": "Shapley error",
    "r2_sized": "R², uniform sizes",
    "order2_error": "error of pairs",
    "order3_error": "error of triples",
    "precision": "precision@10",
    "removal_area": "removal area",
    "own_seconds": "own seconds",
    "peak_mib": "MiB",
}


def escaped(text: str) -> str:
    """Return a text as HTML; halves of surrogate pairs, which no file can hold, are replaced."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))


def element(tag: str, text: str, kind: str = "") -> str:
    """Return an element with an escaped text."""
    opening = f'<{tag} class="{kind}">' if kind else f"<{tag}>"
    return f"{opening}{escaped(text)}</{tag}>"


def table(head: Sequence[str], body: Iterable[Sequence[str]], n_names: int = 1, kinds: Sequence[str] = ()) -> str:
    """Return a table that scrolls if it is wide.

    Args:
        head: names of the columns.
        body: rows of texts.
        n_names: how many columns at the left are texts; the others are numbers.
        kinds: classes of the rows.
    """
    places = ["name" if column < n_names else "number" for column in range(len(head))]
    top = "".join(element("th", name, place) for name, place in zip(head, places, strict=True))
    lines = []
    for number, row in enumerate(body):
        kind = f' class="{kinds[number]}"' if kinds and kinds[number] else ""
        cells = "".join(element("td", cell, place) for cell, place in zip(row, places, strict=True))
        lines.append(f"<tr{kind}>{cells}</tr>")
    # A table that scrolls is reached by the keyboard too.
    inside = f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll" tabindex="0"><table>{inside}</table></div>'


def facts(rows: Sequence[Row], header: Mapping[str, str]) -> str:
    """Return what the page says about the run: the header, counts, and versions of all packages."""
    counts = {status: sum(row.status == status for row in rows) for status in ("done", "failed", "missing", "refused")}
    others = (row for row in rows if row.version and row.package not in header)
    versions = dict.fromkeys(f"{row.package} {row.version}" for row in others)
    every = {
        **header,
        "runs": ", ".join(f"{count:,} {status}" for status, count in counts.items()),
        "cases, methods": f"{len({row.case for row in tried(rows)})}, {len({row.method for row in tried(rows)})}",
        "packages": ", ".join(versions),
    }
    lines = (element("dt", name) + element("dd", str(value)) for name, value in every.items() if value)
    return f"<dl>{''.join(lines)}</dl>"


def headline(every: Sequence[Needed]) -> str:
    """Return the summary numbers of the default method as cards."""
    ours = [needed for needed in every if needed.method == OURS and not needed.family and needed.n_cases]
    cards = []
    for needed in ours:
        number = element("strong", ratio_text(needed).split(" [")[0].split(" (")[0], _KINDS[leaning(needed)])
        spread = f"95 %: {needed.low:.2f} to {needed.high:.2f}. " if np.isfinite(needed.low) else ""
        reference = f"the {BEST_OTHER}" if needed.reference == BEST_OTHER else reference_name(needed.reference)
        title = f"times the evaluations of {reference}, for the same {needed.metric}"
        rest = element("div", title) + element("div", f"{spread}{coverage_text(needed)}.", "quiet")
        cards.append(f'<div class="card">{number}{rest}</div>')
    return f'<div class="cards">{"".join(cards)}</div>{element("p", NEEDED, "quiet")}' if cards else ""


def verdicts(every: Sequence[Standing]) -> str:
    """Return losses and wins side by side, for each metric."""
    parts = [element("h2", f"Where {OURS} loses, and where it wins")]
    parts.append(element("p", _AGAINST, "quiet"))
    for metric in dict.fromkeys(standing.metric for standing in every):
        chosen = [standing for standing in every if standing.metric == metric]
        lost = [standing for standing in chosen if standing.n_lost]
        won = sorted((one for one in chosen if one.outcome == WON), key=lambda one: -one.difference)
        parts.append(element("h3", f"{metric.label}: {tally(chosen)}"))
        parts.append(f'<div class="pair"><div>{_lost(metric, lost)}</div><div>{_won(won)}</div></div>')
    return "".join(parts)


def _lost(metric: Metric, lost: Sequence[Standing]) -> str:
    title = element("h3", "Lost" if lost else "Lost: nowhere", "lost")
    head = ["case", "to", "worst", "mean", "budgets lost"]
    body = [
        [
            standing.case,
            f"{standing.worst.rival} at {standing.worst.evaluations:,.0f} evaluations",
            gap_text(metric, standing.worst),
            mean_text(standing),
            f"{standing.n_lost} of {len(standing.verdicts)}",
        ]
        for standing in lost
    ]
    return title + (table(head, body, 2) if lost else "")


def _won(won: Sequence[Standing]) -> str:
    title = element("h3", "Won" if won else "Won: nowhere", "won")
    body = [
        [one.case, mean_text(one), f"{sum(verdict.outcome == WON for verdict in one.verdicts)} of {len(one.verdicts)}"]
        for one in won
    ]
    return title + (table(["case", "mean", "budgets won"], body) if won else "")


def needed_tables(every: Sequence[Needed]) -> str:
    """Return the summary number of every method, and of the default one by family."""
    head = ["method", "to reach", "metric", "ratio", "cases"]
    known = [needed for needed in every if needed.n_cases or needed.n_unanswered]
    parts = []
    for title, chosen in (
        ("", sorted((one for one in known if not one.family), key=_by_reference)),
        (f"{OURS}, by family", [one for one in known if one.family]),
    ):
        if chosen:
            body = [
                [
                    one.family or one.method,
                    reference_name(one.reference),
                    one.metric,
                    ratio_text(one),
                    coverage_text(one),
                ]
                for one in chosen
            ]
            kinds = ["own" if one.method == OURS and not one.family else "" for one in chosen]
            names = ["family", *head[1:]] if title else head
            parts.append((element("h3", title) if title else "") + table(names, body, 5, kinds))
    return "".join(parts)


def _by_reference(needed: Needed) -> tuple[str, str, bool, float]:
    """Sort by reference and ratio; those who mostly do not get there last: their ratio says little."""
    fails = 2 * needed.n_never > needed.n_cases
    return needed.reference, needed.metric, fails, float(np.nan_to_num(needed.ratio, nan=np.inf))


def undone_tables(rows: Sequence[Row]) -> str:
    """Return what failed, is missing, or was refused, with the messages."""
    reasons = undone(rows)
    parts = [element("h2", "Without a result")] if reasons else []
    for status in dict.fromkeys(reason.status for reason in reasons):
        chosen = [reason for reason in reasons if reason.status == status]
        body = [
            [reason.method or "all", few_text(reason.cases) or "all", runs_text(reason), reason.message]
            for reason in chosen
        ]
        opened = " open" if status == "failed" else ""
        words = f"{status}: {few_text(list(dict.fromkeys(reason.method or reason.cases[0] for reason in chosen)))}"
        inside = table(["method", "cases", "runs", "why"], body, 4, ["message"] * len(body))
        parts.append(f"<details{opened}>{element('summary', words)}{inside}</details>")
    return "".join(parts)


def cases(rows: Sequence[Row]) -> str:
    """Return a table for each case: all metrics of every method at every budget, means over seeds."""
    parts = [element("h2", "Every case")]
    by_case: dict[str, list[Row]] = {}
    for row in tried(rows):
        by_case.setdefault(row.case, []).append(row)
    for name, own in by_case.items():
        words = f"{name} ({own[0].family}, {own[0].n_players:,} players)"
        parts.append(f"<details>{element('summary', words)}{_case(own)}</details>")
    return "".join(parts)


def _case(rows: Sequence[Row]) -> str:
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.budget, row.method), []).append(row)
    shown = [column for column in _LABELS if any(np.isfinite(getattr(row, column)) for row in rows)]
    body, kinds = [], []
    for (budget, method), runs in sorted(groups.items(), key=lambda pair: pair[0][0]):
        done = [row for row in runs if row.status == "done"]
        if done:
            values = [_mean(done, column) for column in ("n_evaluations", *shown)]
            short = f", {len(done)} of {len(runs)} runs" if len(done) < len(runs) else ""
            body.append([method + short, f"{budget:,}", *values])
        else:
            body.append([f"{method}: {runs[0].status}", f"{budget:,}", *[""] * (len(shown) + 1)])
        kinds.append("own" if runs[0].package == PACKAGE else "")
    return table(["method", "budget", "evaluations", *(_LABELS[column] for column in shown)], body, 1, kinds)


def _mean(rows: Sequence[Row], column: str) -> str:
    values = np.array([getattr(row, column) for row in rows], dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    mean = float(values.mean())
    if column == "n_evaluations":
        return f"{mean:,.0f}"
    return f"{mean:.3f}" if column.startswith("r2") else f"{mean:.3g}"
