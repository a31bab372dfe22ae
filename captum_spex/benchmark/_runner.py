"""The benchmark itself: every method on every case, one row after the other."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from captum_spex.benchmark._attempt import Attempts, one_thread, quiet
from captum_spex.benchmark._console import Reporter, reporter_for
from captum_spex.benchmark._made import of_case, of_file, of_method, said, version_of
from captum_spex.benchmark._measure import Examiner
from captum_spex.benchmark._plan import Plan, Run, plan_of
from captum_spex.benchmark._protocol import Case, Method
from captum_spex.benchmark._results import Results, facts_of, key_of
from captum_spex.benchmark._row import Row
from captum_spex.benchmark.cases import CaseSource


def run_benchmark(
    out: str | os.PathLike[str],
    *,
    quick: bool = False,
    games: str | os.PathLike[str] | None = None,
    cases: Sequence[str | Case] | None = None,
    methods: Sequence[str | Method] | None = None,
    budgets: Sequence[int] | None = None,
    seeds: int | None = None,
    restart: bool = False,
    console: Console | None = None,
) -> list[Row]:
    """Run explainers side by side on the same games, at equal numbers of evaluations, and write what they are worth.

    A run that was stopped goes on where it was when it is called again with the same arguments.

    Args:
        out: a folder for ``results.csv`` (a line for each row as soon as it is there), ``run.json`` (versions and
            settings), plots and a page; made if it is not there.
        quick: few games, budgets and seeds, and methods are cut that take long: three minutes.
        games: a folder of exact games (`captum_spex.benchmark.from_folder`), which are added.
        cases: names, patterns of names (``"planted-*"``), or games of one's own (`Case`); default: the whole catalogue.
        methods: names, patterns, or explainers of one's own (`Method`); default: all.
        budgets: numbers of evaluations; default: up to 4,096, fewer than all masks, fewer where an evaluation is slow.
        seeds: how many; default: 3, quick: 1.
        restart: throw away what ``out`` holds of an earlier run.
        console: where to show tables of the cases while it runs; default: nowhere.

    Returns:
        The rows: those of runs that were refused, failed, or whose method is missing too (`Row.status`).

    Raises:
        ArgumentError: if an argument cannot be used, or ``out`` holds the results of another version or of other
            settings; nothing is evaluated then.

    Example:
        >>> import tempfile
        >>> def review(masks):                                   # True: the player is there
        ...     return masks[:, 0] + 2.0 * (masks[:, 3] & masks[:, 7])
        >>> mine = Case("mine", "own", 12, review)
        >>> rows = run_benchmark(tempfile.mkdtemp(), cases=[mine], methods=["ProxySpex", "SHAP Perm*"],
        ...                      budgets=[100], seeds=1)
        >>> [(row.method, row.n_evaluations <= 100, row.r2 > 0.99) for row in rows]
        [('ProxySpex', True, True), ('SHAP PermutationExplainer', True, False)]
    """
    plan = plan_of(quick=quick, games=games, cases=cases, methods=methods, budgets=budgets, seeds=seeds)
    packages = {method.package: version_of(method.package) for method in plan.methods}
    results = Results(Path(out), plan.settings(), facts_of(sys.argv, packages), restart=restart)
    bench = _Bench(plan, results, reporter_for(console))
    bench.run()
    _write_views(results, bench.reporter)
    return list(results.rows)


class _Bench:
    """One run of the benchmark."""

    def __init__(self, plan: Plan, results: Results, reporter: Reporter) -> None:
        self._plan = plan
        self._results = results
        self.reporter = reporter
        usable = {method.name for method in plan.methods if method.missing() is None}
        usable_cases = {source.name for source in plan.sources if source.missing() is None}
        results.drop(
            row
            for row in list(results.rows)
            if row.status == "missing" and (row.method in usable or (not row.method and row.case in usable_cases))
        )
        self._done = {key_of(row) for row in results.rows}
        self._attempts = Attempts(results.rows, is_quick=plan.is_quick)

    def run(self) -> None:
        """Do all runs that are not done yet."""
        with one_thread(), self.reporter:
            n_before = len(self._results.rows)
            missing = self._record_missing()
            waiting = {source: self._waiting(source) for source in self._plan.sources}
            every = [run for runs in waiting.values() for run in runs]
            notes = [*missing, *self._plan.problems, self._results.note]
            self.reporter.begin(notes, self._attempts.expected(every), n_before)
            for source, runs in waiting.items():
                if runs:
                    self._run_case(source, runs)
            self.reporter.end(missing, self._results.rows)

    def _waiting(self, source: CaseSource) -> list[Run]:
        if source.missing() is not None or (source.name, "", 0, 0) in self._done:
            return []
        return [run for run in self._plan.runs(source) if run.key not in self._done]

    def _record_missing(self) -> list[str]:
        """Record which methods and cases cannot be used here, and which files are damaged, and list them."""
        lines = []
        for method in self._plan.methods:
            reason = method.missing()
            if reason is not None:
                self._add(of_method(method, "missing", reason))
                lines.append(f"{method.name}: {reason}")
        for source in self._plan.sources:
            reason = source.missing()
            if reason is not None:
                self._add(of_case(source, "missing", reason))
                lines.append(f"{source.name}: {reason}")
        for problem in self._plan.problems:
            self._add(of_file(problem))
        return lines

    def _run_case(self, source: CaseSource, runs: list[Run]) -> None:
        self.reporter.begin_case(source, [row for row in self._results.rows if row.case == source.name])
        try:
            with quiet():
                case = source.load()
                examiner = Examiner(case, self._results.held_out.get(source.name))
        except Exception as error:  # whatever the training of a model, or a game, raises
            self._add(of_case(source, "failed", said(error)))
            self.reporter.skipped(runs, f"{source.name}: {said(error)}")
            return
        self._results.hold_out(source.name, examiner.n_held_out)
        for run in runs:
            row = self._attempts.row(run, case, examiner)
            self._add(row)
            self.reporter.row(row, run)
        self.reporter.end_case()

    def _add(self, row: Row) -> None:
        if key_of(row) in self._done:
            return
        self._results.add(row)
        self._done.add(key_of(row))


def _write_views(results: Results, reporter: Reporter) -> None:
    from captum_spex.benchmark._report import write_report
    from captum_spex.benchmark._summary import summary_lines

    about: dict[str, Any] = results.about
    header = {
        "command": shlex.join(about["command"] or []),
        "date": about["date"],
        "python": about["python"],
        "machine": f"{about['processor']}, {about['cpu_count']} cores",
        **{name: number for name, number in about["versions"].items() if number},
    }
    with quiet():
        written = write_report(results.rows, results.folder, header=header)
    reporter.summary(summary_lines(results.rows), [results.folder / "results.csv", *written])
