"""Rows of a benchmark for the tests of its summaries."""

from __future__ import annotations

import io
from math import exp

import numpy as np
from rich.console import Console

from captum_spex.benchmark import Row
from captum_spex.benchmark.comparison import R2
from captum_spex.benchmark.needed import evaluations_needed
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED
from captum_spex.benchmark.report import summary_of
from captum_spex.benchmark.standings import standings

BUDGETS = (100, 200, 400, 800)
OWN = {OURS, PUBLISHED, "Spex"}


def row(method, case="case", budget=100, seed=0, **values):
    package = PACKAGE if method in OWN else "rivals"
    settings = {"status": "done", "n_evaluations": float(budget), **values}
    return Row(case, settings.pop("family", "family"), 9, method, package, "1.0", budget, seed, **settings)


def curve(method, values, case="case", column="r2", **settings):
    pairs = zip(BUDGETS, values, strict=False)
    return [row(method, case, budget, **{column: value}, **settings) for budget, value in pairs]


def needed(rows, method=OURS, reference=PUBLISHED, group="", metric=R2):
    found = {(one.method, one.reference, one.group, one.metric): one for one in evaluations_needed(rows)}
    return found[method, reference, group, metric.label]


def standing(rows, metric=R2, case="case"):
    return next(one for one in standings(rows) if one.metric == metric and one.case == case)


def many_rows(n_cases=4, seed=0):
    rng = np.random.default_rng(seed)
    methods = {OURS: 1.5, PUBLISHED: 0.7, "Spex": 0.3, "rival one": 1.0, "rival <two>": 0.4}
    rows = []
    for case in range(n_cases):
        for method, skill in methods.items():
            own = skill * rng.lognormal(0, 0.5)
            for budget in BUDGETS:
                for number in range(2):
                    left = exp(-budget * own / 300) * rng.lognormal(0, 0.05)
                    values = {"r2": 1 - left, "shapley_error": left**2, "own_seconds": 0.1, "peak_mib": 3.0}
                    rows.append(row(method, f"case {case}", budget, number, family=f"family {case % 2}", **values))
    return rows


def summary_text(rows, **settings):
    console = Console(width=400, file=io.StringIO())
    for part in summary_of(rows, **settings):
        console.print(part)
    return console.file.getvalue()
