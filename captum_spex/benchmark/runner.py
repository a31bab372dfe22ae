"""The benchmark itself: every method on every case, one row after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from captum_spex.benchmark.attempts import Attempts, one_thread, quiet
from captum_spex.benchmark.cases.source import CaseSource
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.plan import Plan, Run, plan_of
from captum_spex.benchmark.protocol import Case, Method, Row, described, one_line, row_of, version_of
from captum_spex.benchmark.report import Reporter, write_report
from captum_spex.benchmark.results import Results, facts_of, header_of


def run_benchmark(
    out: str | os.PathLike[str],
    *,
    quick: bool = False,
    games: str | os.PathLike[str] | None = None,
    cases: Sequence[str | Case] | None = None,
    methods: Sequence[str | Method] | None = None,
    budgets: Sequence[int] | None = None,
    seeds: int | None = None,
    shard: str | None = None,
    restart: bool = False,
    console: Console | None = None,
) -> list[Row]:
    """Run explainers side by side on the same games, at equal numbers of evaluations, and write the results.

    A run that was stopped resumes when it is called again with the same arguments, or with more cases, methods or
    seeds: what is done is not done again.

    Args:
        out: a folder for ``results.csv`` (a line for each row as soon as it is done), ``run.json`` (versions and
            settings), pictures and a page; made if it does not exist.
        quick: few games, budgets and seeds, and slow methods are cut off: three minutes.
        games: a folder of exact games (`captum_spex.benchmark.from_folder`), which are added.
        cases: names, patterns of names (``"planted-*"``), or games of your own (`Case`); default: the whole catalogue.
        methods: names, patterns, or explainers of your own (`Method`); default: all.
        budgets: numbers of evaluations; default: 0.5, 1, 3, 8, 20 and 100 for each player, as far as these are fewer
            than all masks and at most 10,000, or 1,024 where an evaluation is slow.
        seeds: how many; default: 5, of slow methods 1; quick: 1.
        shard: a part, such as ``"3/12"``, which is run in a folder of its own below ``out``; when all have run, even
            at the same time, `merge_shards` makes one of them.
        restart: discard the results of an earlier run in ``out``.
        console: where to show tables of the cases while it runs; default: nowhere.

    Returns:
        The rows, also of runs that were refused, failed, or whose method is missing (`Row.status`).

    Raises:
        ArgumentError: if an argument cannot be used, or ``out`` holds the results of another version or of other
            settings; nothing is evaluated then.

    Example:
        >>> import tempfile
        >>> def review(masks):                                   # True: the player is present
        ...     return masks[:, 0] + 2.0 * (masks[:, 3] & masks[:, 7])
        >>> mine = Case("mine", "own", 12, review)
        >>> rows = run_benchmark(tempfile.mkdtemp(), cases=[mine], methods=["ProxySpex", "SHAP Perm*"],
        ...                      budgets=[100], seeds=1)
        >>> [(row.method, row.n_evaluations <= 100, row.r2 > 0.99) for row in rows]
        [('ProxySpex', True, True), ('SHAP PermutationExplainer', True, False)]
    """
    chosen: dict[str, Any] = {
        "quick": quick,
        "games": games,
        "cases": cases,
        "methods": methods,
        "budgets": budgets,
        "seeds": seeds,
    }
    plan = plan_of(**chosen, shard=shard)
    packages = {method.package: version_of(method.package) for method in plan.methods}
    packages |= {name: version_of(name) for source in plan.sources if (name := source.package)}
    facts, folder = facts_of(sys.argv, packages), Path(out)
    if plan.shard is not None:
        facts["shard"], folder = plan.shard.folder, folder / plan.shard.folder
    results = Results(folder, plan.settings(), facts, restart=restart)
    reporter = Reporter(console)
    with one_thread():
        _Bench(plan, results, reporter, Attempts(results.rows, is_quick=plan.is_quick)).run()
    results.finish()
    if plan.shard is not None:
        reporter.say(f"Part {shard} is done; when all are, merge them (`captum-spex benchmark --merge`).")
        return list(results.rows)
    with quiet():
        written = write_report(results.rows, folder, header=header_of(results.about))
    reporter.end(results.rows, [folder / "results.csv", *written])
    return list(results.rows)


_ENDED = "the process ended in this run, twice: by a library that was out of memory, or because it was killed"


@dataclass(frozen=True)
class _Bench:
    """One run of the benchmark."""

    plan: Plan
    results: Results
    reporter: Reporter
    attempts: Attempts

    def run(self) -> None:
        """Do all runs that are not done yet."""
        n_before = len(self.results.rows)
        notes = [*self._record_missing(), *self.plan.problems, self.results.note]
        waiting = {source: self._waiting(source) for source in self.plan.sources}
        self.reporter.begin(notes, sum(map(len, waiting.values())), n_before)
        for source, runs in waiting.items():
            if runs:
                self._run_case(source, runs)

    def _waiting(self, source: CaseSource) -> list[Run]:
        if source.missing() is not None or (source.name, "", 0, 0) in self.results.done:
            return []
        return [run for run in self.plan.runs(source) if run.key not in self.results.done]

    def _record_missing(self) -> list[str]:
        """Record which methods and cases cannot be used here, and which files are damaged; return lines on them."""
        rows = [row_of("missing", reason, None, one) for one in self.plan.methods if (reason := one.missing())]
        rows += [row_of("missing", reason, one, None) for one in self.plan.sources if (reason := one.missing())]
        lines = [f"{row.method or row.case}: {row.message}" for row in rows]
        for problem in self.plan.problems:
            name, _, reason = map(one_line, problem.partition(": "))
            rows.append(Row(name, "damaged", 0, "", "", "", 0, 0, "failed", reason))
        for row in rows:
            self.results.add(row)
        return lines

    def _run_case(self, source: CaseSource, runs: list[Run]) -> None:
        try:
            with quiet():
                case = source.load()
                examiner = Examiner(case, self.results.held_out.get(source.name))
        except Exception as error:  # whatever the training of a model, or a game, raises
            self.results.add(row_of("failed", described(error), source, None))
            return self.reporter.skip(len(runs), f"{source.name}: {described(error)}")
        self.results.hold_out(source.name, examiner.n_held_out)
        for run in runs:
            with self.results.running(run.key) as may_run:
                row = self.attempts.row(run, case, examiner) if may_run else run.failed(_ENDED)
                self.results.add(row)
            self.reporter.row(row)
        return self.reporter.case(source, [row for row in self.results.rows if row.case == source.name])
