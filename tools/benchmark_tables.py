"""The results of the benchmark in words and tables, as Markdown: every number comes from the results."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from math import isnan
from typing import Any

import pandas as pd

from captum_spex.benchmark.comparison import (
    BEST_OTHER,
    ERRORS,
    METRICS,
    PAIRS,
    PRECISION,
    R2,
    SHAPLEY,
    SIZES,
    TRIPLES,
    Metric,
    beside,
    cells_of,
    curves_of,
    frame_of,
    size_of,
    within,
)
from captum_spex.benchmark.figures import CAPTIONS, CURVES
from captum_spex.benchmark.needed import Needed, evaluations_needed
from captum_spex.benchmark.pooled import pooled
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED, Row
from captum_spex.benchmark.ratios import Ratio, error_ratios
from captum_spex.benchmark.report import NO_RIVALS, NOTHING, tally
from captum_spex.benchmark.standings import Outcome, Standing, standings
from captum_spex.exports.result import counted
from captum_spex.plots.labels import short

MULTIPLES = (1.0, 20.0)  # of the number of players: the budgets that means are over
_THINGS = {SHAPLEY: "Shapley values", PAIRS: "pairs", TRIPLES: "triples"}
_FOLDERS = re.compile(r"(?<![\w.])(?:/[\w.+-]+)+/")
_NUMBER = re.compile(r"\d[\d,.]*")
_NONE = "\N{EN DASH}"
_NO_CELLS = "No budget is from one to twenty evaluations for each player, so that there are no means."


class Results:
    """What is shown, computed once."""

    def __init__(self, rows: Sequence[Row], facts: Mapping[str, Any]) -> None:
        self.rows, self.table, self.facts = rows, frame_of(rows), facts
        self.done = self.table[self.table["status"] == "done"]
        self.games = self.done.drop_duplicates("case")
        self.ours = self.done[self.done["method"] == OURS]
        self.rivals = list(self.done.loc[self.done["package"] != PACKAGE, "method"].unique())

    @cached_property
    def problem(self) -> str:
        """A sentence if there is nothing to compare; else empty."""
        return NOTHING if self.done.empty else "" if self.standings else NO_RIVALS

    @cached_property
    def standings(self) -> list[Standing]:
        """Wins and losses by all metrics."""
        return standings(self.table, (*ERRORS, R2))

    @cached_property
    def ratios(self) -> dict[tuple[str, str, str], Ratio]:
        """Ratios of errors by metric, reference and group."""
        references = (BEST_OTHER, PUBLISHED, *self.rivals)
        found = error_ratios(self.table, references=references, multiples=MULTIPLES)
        return {(one.metric, one.reference, one.group): one for one in found if one.n_cases}

    @cached_property
    def needed(self) -> dict[tuple[str, str, str], Needed]:
        """Evaluations needed by metric, reference and group."""
        references = (BEST_OTHER, PUBLISHED, *self.rivals)
        metrics = (R2, SHAPLEY, PAIRS)
        found = evaluations_needed(
            self.table, metrics=metrics, references=references, methods=[OURS], multiples=MULTIPLES
        )
        return {(one.metric, one.reference, one.group): one for one in found if one.n_cases}

    def ratio(self, metric: Metric, reference: str = BEST_OTHER, group: str = "", *, of: int | None = None) -> str:
        """Return a ratio of errors as text."""
        return _text(self.ratios.get((metric.label, reference, group)), of)

    def evaluations(
        self, metric: Metric, reference: str = BEST_OTHER, group: str = "", *, of: int | None = None
    ) -> str:
        """Return evaluations needed as text."""
        return _text(self.needed.get((metric.label, reference, group)), of)


def _text(one: Ratio | Needed | None, n_games: int | None = None) -> str:
    """Return a ratio with its interval, bold if it is lost; and of how many games, if these are fewer than a number."""
    if one is None or isnan(one.ratio):
        return _NONE
    mark = one.bound if isinstance(one, Needed) else ""
    spread = "" if isnan(one.low) else f" ({_number(one.low)} to {_number(one.high)})"
    number = f"{mark}{_number(one.ratio)}"
    games = f", {counted(one.n_cases, 'game')}" if one.n_cases < (n_games or 0) else ""
    return f"{f'**{number}**' if one.ratio > 1 else number}{spread}{games}"


def _number(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= value < 100 else f"{value:#.2g}"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    shown = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in shown)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _span(numbers: pd.Series) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def summary(found: Results) -> str:
    """Return the README's paragraph and table."""
    if found.problem:
        return found.problem
    counting = within(found.ours, MULTIPLES)
    games = (found.ours if counting.empty else counting).drop_duplicates("case")
    text = (
        f"`{OURS}` beside {counted(len(found.rivals), 'other explainer')} at equal, counted numbers of evaluations, 1 "
        f"to 20 for each player, on {counted(len(games), 'game')} of {_span(games['n_players'])} players "
        "([all results, losses first](docs/benchmark.md)):"
    )
    return _paragraphs(text, _headline(found))


def section(found: Results) -> str:
    """Return the results of ``docs/benchmark.md``."""
    if found.problem:
        return f"## Results\n\n{found.problem}"
    parts = (_about, _headline, _meaning, _losses, _lost_games, _by_group, _pictures, _alone, _precision, _seconds)
    return _paragraphs("## Results", *(part(found) for part in (*parts, _without)))


def _about(found: Results) -> str:
    done, multiples = found.done, found.done["budget"] / found.done["n_players"]
    n_seeds = done.groupby("method", sort=False)["seed"].nunique()
    fewer = [f"{count} for {method}" for method, count in n_seeds.items() if count < n_seeds.max()]
    n_families = found.games["family"].nunique()
    text = (
        f"{counted(len(found.games), 'game')} of {_span(found.games['n_players'])} players in {n_families:,} "
        f"{'family' if n_families == 1 else 'families'}, {counted(len(found.rivals), 'method')} of other packages, "
        f"budgets from {multiples.min():.2g} to {multiples.max():.3g} evaluations for each player, "
        f"{counted(int(n_seeds.max()), 'seed')}: {len(done):,} runs."
    )
    planned = found.facts.get("settings", {}).get("cases", {})
    without = [name for name in planned if name not in set(found.ours["case"])]
    lacking = f"`{OURS}` has no results in {len(without)} of {len(planned)} games: {', '.join(without)}."
    slow = f"Methods that are slow have fewer seeds: {', '.join(fewer)}." if fewer else ""
    made = (
        "This part of the page, its pictures and the README's table are made by `python tools/benchmark_page.py` from "
        "the file with every run, `docs/benchmark/results.csv.gz`."
    )
    return _paragraphs(
        " ".join(filter(None, (text, slow, lacking if without else ""))),
        made,
        _command(found.facts),
        _machine(found.facts),
    )


def _hours(facts: Mapping[str, Any]) -> str:
    """Return in how many parts the benchmark ran, and how long."""
    parts = facts.get("shards", [])
    spans = [datetime.fromisoformat(one["finished"]) - datetime.fromisoformat(one["begun"]) for one in parts]
    hours = sum(span.total_seconds() for span in spans) / 3600
    return f"{counted(len(parts), 'part')}, each on one thread, {hours:.1f} hours together" if parts else ""


def _command(facts: Mapping[str, Any]) -> str:
    """Return the command without the folders of the machine."""
    words = [str(word) for word in facts.get("command", ()) if str(word)]
    if "benchmark" not in words:
        return ""
    words = [_FOLDERS.sub("", word) for word in words[words.index("benchmark") :]]
    lines = [f"captum-spex {shlex.join(words)}"]
    if "--shard" in words and "--out" in words:
        lines[0] += "  # and all other parts"
        lines.append(f"captum-spex benchmark --out {shlex.quote(words[words.index('--out') + 1])} --merge")
    return "\n".join(["```bash", *lines, "```"])


def _machine(facts: Mapping[str, Any]) -> str:
    versions = facts.get("versions", {})
    parts = [
        f"{facts.get('processor', '')}, {counted(int(facts['cpu_count']), 'core')}" if "cpu_count" in facts else "",
        f"Python {facts['python']}" if "python" in facts else "",
        ", ".join(f"{name} {number}" for name, number in versions.items() if number and name != "python"),
        _hours(facts),
        str(facts.get("date", ""))[:10],
    ]
    return f"{'; '.join(filter(None, parts))}." if any(parts) else ""


def _headline(found: Results) -> str:
    """Return the summary: errors at equal evaluations, and evaluations for equal quality."""
    n_others = counted(len(found.rivals), "other")
    header = [f"`{OURS}`", f"relative to the best of {n_others}, chosen for each budget of each game"]
    has_published = any(key[1] == PUBLISHED for key in (*found.ratios, *found.needed))
    references = [BEST_OTHER, PUBLISHED] if has_published else [BEST_OTHER]
    header += ["relative to the published ProxySPEX"] * has_published
    lines = []
    for metric, thing in _THINGS.items():
        if one := found.ratios.get((metric.label, BEST_OTHER, "")):
            name = f"squared error of {thing} ({counted(one.n_cases, 'game')})"
            lines.append([name, *(found.ratio(metric, reference, of=one.n_cases) for reference in references)])
    qualities = {R2: "R² of predictions", **{metric: f"error of {_THINGS[metric]}" for metric in (SHAPLEY, PAIRS)}}
    for metric, thing in qualities.items():
        if two := found.needed.get((metric.label, BEST_OTHER, "")):
            name = f"evaluations needed for the same {thing} ({counted(two.n_cases, 'game')})"
            lines.append([name, *(found.evaluations(metric, reference, of=two.n_cases) for reference in references)])
    return _table(header, lines) if lines else _NO_CELLS


def _meaning(found: Results) -> str:
    """Say what the numbers are means of, and how many cells are exact or limited."""
    text = (
        "Below 1, ours is better; in brackets the 95 % bootstrap interval over games; bold: lost. Errors are squared, "
        "relative to the squared size of the exact values; the root of a ratio is that of the errors themselves. A "
        "*cell* is a budget of a game, from one to twenty evaluations for each player; in each, the best other is the "
        "best method of another package after as many evaluations, interpolated on its curve, or after fewer (5 % "
        "more are allowed for); a method without an answer keeps that of its last budget, ours too, but one method "
        "alone is not compared beyond its last answer. Ratios are geometric means over games of those over their "
        "cells. An error below 10⁻⁹ is exact, and counts as 10⁻⁹; a cell counts at most as 100 and at least as 1/100, "
        "so that exact answers do not decide the mean."
    )
    few = sorted(set(found.games["case"]) - set(within(found.done, MULTIPLES)["case"]))
    smaller = (
        f"All budgets of {', '.join(few)} are outside of that range: they are in no mean, and only shown game by game."
    )
    lines = []
    for metric, thing in _THINGS.items():
        if one := found.ratios.get((metric.label, BEST_OTHER, "")):
            counts = one.n_cells, one.n_lost, one.n_unanswered, one.n_exact, one.n_exact_theirs, one.n_clipped
            numbers = map(_number, (one.ratio, one.ratio**0.5, one.unclipped))
            lines.append([thing, *(f"{count:,}" for count in counts), *numbers])
    header = ["error of", "cells", "lost", "no answer of ours", "ours exact", "best other exact", "beyond the limits"]
    table = _table([*header, "ratio", "its root", "ratio without limits"], lines) if lines else ""
    return _paragraphs(text, smaller if few else "", table)


def _losses(found: Results) -> str:
    """Name the families that are lost in the mean."""
    lines = []
    for metric, thing in _THINGS.items():
        lines += _lost(found.ratios.values(), metric, f"error of {thing}")
    for metric in (R2, SHAPLEY, PAIRS):
        lines += _lost(found.needed.values(), metric, f"evaluations needed, {_THINGS.get(metric, metric.label)}")
    title = "### Where it loses"
    if not lines:
        return _paragraphs(title, "No family and no class of games is lost in the mean.")
    lines.sort(key=lambda line: -line[0])
    shown = [[group, what, _text(one), f"{one.n_cases}"] for _, group, what, one in lines]
    text = "Families and classes of games that are lost in the mean, relative to the best other:"
    return _paragraphs(title, text, _table(["games", "by", "ratio", "number of games"], shown))


def _lost(every: Iterable[Any], metric: Metric, what: str) -> list[tuple[float, str, str, Any]]:
    chosen = (one for one in every if one.metric == metric.label and one.reference == BEST_OTHER and one.group)
    return [(one.ratio, one.group, what, one) for one in chosen if one.ratio > 1]


def _lost_games(found: Results) -> str:
    """Show games that are lost, by each metric."""
    text = (
        "Game by game, at all budgets, against the best other method there; a difference within twice its standard "
        "error over seeds is a tie:"
    )
    parts = [text, _picture("standings")]
    for metric in dict.fromkeys(one.metric for one in found.standings):
        every = [one for one in found.standings if one.metric == metric]
        lost = [one for one in every if one.outcome in (Outcome.LOST, Outcome.UNANSWERED)]
        single = [
            f"{one.case} ({one.n_lost} of {len(one.verdicts)})" for one in every if one not in lost and one.n_lost
        ]
        at_single = f" Lost at single budgets: {', '.join(single)}." if single else ""
        parts.append(f"By {_name(metric)}, {tally(every)}.{at_single}")
        parts.append(_table(_LOST, map(_loss, lost)) if lost else "")
    return _paragraphs(*parts)


_LOST = ["game", "mean difference", "worst budget", "best other there", "difference there", "lost at"]


def _loss(one: Standing) -> list[str]:
    difference = one.metric.difference_text
    worst, lost = one.worst, f"{one.n_lost} of {counted(len(one.verdicts), 'budget')}"
    return [one.case, difference(one.difference), f"{worst.budget:,}", worst.rival, difference(worst.difference), lost]


def _name(metric: Metric) -> str:
    return f"the error of {_THINGS[metric]}" if metric in _THINGS else metric.label


def _by_group(found: Results) -> str:
    """Show ratios relative to the best other by class of games and by family, the largest first."""
    keys = [key for key in (*found.ratios, *found.needed) if key[1] == BEST_OTHER]
    groups = list(dict.fromkeys(group for _, _, group in keys if group))
    n_games = (
        found.games["n_players"].map(size_of).value_counts().to_dict() | found.games["family"].value_counts().to_dict()
    )

    def order(group: str) -> tuple[int, float]:
        one = found.ratios.get((SHAPLEY.label, BEST_OTHER, group))
        return (list(SIZES).index(group), 0.0) if group in SIZES else (len(SIZES), -one.ratio if one else 0.0)

    lines = []
    for group in sorted(groups, key=order):
        count = n_games.get(group, 0)
        errors = [found.ratio(metric, group=group, of=count) for metric in ERRORS]
        needed = [found.evaluations(metric, group=group, of=count) for metric in (R2, SHAPLEY, PAIRS)]
        lines.append([group, f"{count}", *errors, *needed])
    header = ["games", "number", *(f"error of {thing}" for thing in _THINGS.values())]
    header += ["evaluations for the same R²", "for the same error of Shapley values", "of pairs"]
    text = "Relative to the best other method of each cell; errors at equal evaluations, and evaluations needed:"
    table = _table(header, lines)
    is_drawn = any((metric.label, BEST_OTHER, "") in found.needed for metric in METRICS)
    return _paragraphs("### By number of players and by family", text, table, _picture("needed") if is_drawn else "")


def _picture(name: str) -> str:
    return f"![{CAPTIONS[name]}](benchmark/{name}.png)"


def _pictures(found: Results) -> str:
    names = [name for name in CURVES if pooled(found.table, CURVES[name])]
    return _paragraphs("### Error against evaluations", *map(_picture, names)) if names else ""


def _alone(found: Results) -> str:
    """Show ratios relative to every other method alone, the strongest first."""
    curves = curves_of(found.table, SHAPLEY)
    best = beside(within(cells_of(curves), MULTIPLES), BEST_OTHER, curves.packages)["rival"].value_counts()

    def order(rival: str) -> tuple[bool, float]:
        one = found.ratios.get((SHAPLEY.label, rival, ""))
        other = one or found.needed.get((R2.label, rival, ""))
        return one is None, -other.ratio if other else 0.0

    lines = []
    published = [PUBLISHED] if (found.done["method"] == PUBLISHED).any() else []
    for rival in sorted([*found.rivals, *published], key=order):
        errors = [found.ratio(metric, rival) for metric in ERRORS]
        needed = [found.evaluations(metric, rival) for metric in (R2, SHAPLEY, PAIRS)]
        one = found.ratios.get((SHAPLEY.label, rival, ""))
        lines.append([rival, f"{one.n_cases}" if one else _NONE, f"{best.get(rival, 0)}", *errors, *needed])
    header = ["method", "games with its Shapley values", "cells where it is the best other"]
    header += [f"error of {thing}" for thing in _THINGS.values()]
    header += ["evaluations for its R²", "for its error of Shapley values", "of pairs"]
    text = f"`{OURS}` relative to one method, in the cells that it answers; the closest by Shapley values first:"
    return _paragraphs("### Relative to each method", text, _table(header, lines))


def _precision(found: Results) -> str:
    """Show the mean precision of the ten largest pairs, by class of games."""
    curves = curves_of(found.table, PRECISION)
    cells = within(cells_of(curves), MULTIPLES).dropna(subset="ours")
    best = beside(cells, BEST_OTHER, curves.packages)
    if best.empty:
        return ""
    published = beside(cells, PUBLISHED, curves.packages)
    lines = []
    for name in [*SIZES, "all"]:
        own, theirs = (some[(some["n_players"].map(size_of) == name) | (name == "all")] for some in (best, published))
        if len(own):
            there = f"{_mean(theirs, 'theirs')} ({_mean(theirs, 'ours')})" if len(theirs) else _NONE
            lines.append([name, f"{own['case'].nunique()}", _mean(own, "ours"), _mean(own, "theirs"), there])
    text = (
        "Share of the ten largest exact pairs that are among the ten largest estimated ones, mean over cells and games:"
    )
    header = ["players", "games", f"`{OURS}`", "the best other of each cell", f"published ProxySPEX (`{OURS}` there)"]
    return _paragraphs("### The ten strongest pairs", text, _table(header, lines))


def _mean(cells: pd.DataFrame, column: str) -> str:
    return f"{cells.groupby('case')[column].mean().mean():.2f}" if len(cells) else _NONE


def _seconds(found: Results) -> str:
    """Show the median time of every method outside of the game, by class of games."""
    timed = within(found.done, MULTIPLES)
    timed = timed.assign(size=timed["n_players"].map(size_of)).dropna(subset="own_seconds")
    if timed.empty:
        return ""
    medians = timed.pivot_table("own_seconds", "method", "size", aggfunc="median")
    sizes = [name for name in SIZES if name in medians]
    medians = medians[sizes].assign(last=timed.groupby("method")["own_seconds"].median()).sort_values("last")
    lines = [
        [
            f"**{name}**" if name == OURS else str(name),
            *(_NONE if isnan(value) else f"{value:.2g}" for value in line[:-1]),
        ]
        for name, *line in medians.itertuples(name=None)
    ]
    text = "Seconds outside of the game on one thread, median over runs with 1 to 20 evaluations for each player:"
    return _paragraphs("### Seconds", text, _table(["method", *sizes], lines))


def _without(found: Results) -> str:
    """Name what gave no result, and why."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in found.rows:
        if row.status != "done":
            groups.setdefault((row.status, row.method, _NUMBER.sub("0", row.message)), []).append(row)
    lines = []
    for (status, method, _), rows in groups.items():
        why = short(_FOLDERS.sub("", rows[0].message).replace("`", "'"), 120)
        names = list(dict.fromkeys(row.case for row in rows if row.case))
        games = names[0] if len(names) == 1 else f"{len(names)}" if names else "all"
        n_runs = f"{len(rows):,}" if method and names else _NONE
        lines.append([status, method or "all", games, n_runs, f"`{why}`" if why else ""])
    lines.sort(key=lambda line: ("failed", "missing", "refused").index(line[0]))
    text = "Refused runs are those that a method cannot answer. Of messages that differ in numbers only, one is shown:"
    table = _table(["", "method", "games", "runs", "why"], lines)
    return _paragraphs("### Without a result", text, table) if lines else ""
