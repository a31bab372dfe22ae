"""The benchmark itself: every method on every case, one row after the other."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from captum_spex.benchmark.attempts import Attempts, one_thread, quiet
from captum_spex.benchmark.cases.source import CaseSource
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.plan import Plan, Run, plan_of
from captum_spex.benchmark.protocol import Case, Method, Row, described, one_line, row_of, version_of
from captum_spex.benchmark.report import Reporter, write_report
from captum_spex.benchmark.results import Results, facts_of


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
    """Run explainers side by side on the same games, at equal numbers of evaluations, and write the results.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        out: a folder for ``results.csv`` (a line for each row as soon as it is done), ``run.json`` (versions and
            settings), pictures and a page; made if it does not exist.
        quick: few games, budgets and seeds, and slow methods are cut off: three minutes.
        games: a folder of exact games (`captum_spex.benchmark.from_folder`), which are added.
        cases: names, patterns of names (``"planted-*"``), or games of your own (`Case`); default: the whole catalogue.
        methods: names, patterns, or explainers of your own (`Method`); default: all.
        budgets: numbers of evaluations; default: up to 4,096, fewer than all masks, fewer where an evaluation is slow.
        seeds: how many; default: 3, quick: 1.
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
    plan = plan_of(quick=quick, games=games, cases=cases, methods=methods, budgets=budgets, seeds=seeds)
    packages = {method.package: version_of(method.package) for method in plan.methods}
    results = Results(Path(out), plan.settings(), facts_of(sys.argv, packages), restart=restart)
    reporter = Reporter(console)
    with one_thread():
        _Bench(plan, results, reporter).run()
    about = results.about
    header = {
        "command": shlex.join(about["command"]),
        "date": about["date"],
        "machine": f"{about['processor']}, {about['cpu_count']} cores, Python {about['python']}",
        "packages": ", ".join(f"{name} {number}" for name, number in about["versions"].items() if number),
    }
    with quiet():
        written = write_report(results.rows, results.folder, header=header)
    reporter.end(results.rows, [results.folder / "results.csv", *written])
    return list(results.rows)


class _Bench:
    """One run of the benchmark."""

    def __init__(self, plan: Plan, results: Results, reporter: Reporter) -> None:
        self._plan = plan
        self._results = results
        self._reporter = reporter
        self._done = {row.key for row in results.rows}
        self._attempts = Attempts(results.rows, is_quick=plan.is_quick)

    def run(self) -> None:
        """Do all runs that are not done yet."""
        n_before = len(self._results.rows)
        notes = [*self._record_missing(), *self._plan.problems, self._results.note]
        waiting = {source: self._waiting(source) for source in self._plan.sources}
        self._reporter.begin(notes, sum(map(len, waiting.values())), n_before)
        for source, runs in waiting.items():
            if runs:
                self._run_case(source, runs)

    def _waiting(self, source: CaseSource) -> list[Run]:
        if source.missing() is not None or (source.name, "", 0, 0) in self._done:
            return []
        return [run for run in self._plan.runs(source) if run.key not in self._done]

    def _record_missing(self) -> list[str]:
        """Record which methods and cases cannot be used here, and which files are damaged; return lines on them."""
        rows = [row_of("missing", reason, None, one) for one in self._plan.methods if (reason := one.missing())]
        rows += [row_of("missing", reason, one, None) for one in self._plan.sources if (reason := one.missing())]
        lines = [f"{row.method or row.case}: {row.message}" for row in rows]
        for problem in self._plan.problems:
            name, _, reason = map(one_line, problem.partition(": "))
            rows.append(Row(name, "damaged", 0, "", "", "", 0, 0, "failed", reason))
        for row in rows:
            self._add(row)
        return lines

    def _run_case(self, source: CaseSource, runs: list[Run]) -> None:
        try:
            with quiet():
                case = source.load()
                examiner = Examiner(case, self._results.held_out.get(source.name))
        except Exception as error:  # whatever the training of a model, or a game, raises
            self._add(row_of("failed", described(error), source, None))
            return self._reporter.skip(len(runs), f"{source.name}: {described(error)}")
        self._results.hold_out(source.name, examiner.n_held_out)
        for run in runs:
            row = self._attempts.row(run, case, examiner)
            self._add(row)
            self._reporter.row(row)
        return self._reporter.case(source, [row for row in self._results.rows if row.case == source.name])

    def _add(self, row: Row) -> None:
        if row.key not in self._done:
            self._results.add(row)
            self._done.add(row.key)
