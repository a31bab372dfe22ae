"""What a benchmark runs: which methods on which cases, at which budgets and seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import comb
from typing import Any

from captum_spex import checks
from captum_spex.benchmark.cases import CaseSource, catalogue, from_folder
from captum_spex.benchmark.methods import all_methods
from captum_spex.benchmark.protocol import PACKAGE, PUBLISHED, Case, Method, Request
from captum_spex.errors import ArgumentError, UnknownNameError

_QUICK, _FULL, _FULL_WIDE = (64, 128, 256), (128, 256, 512, 1024, 2048, 4096), (512, 1024, 2048, 4096, 8192)
_WIDE = 1000  # players
_MOST_EXPENSIVE = 1024  # the largest budget where an evaluation is slow
_SEEDS = {True: 1, False: 3}  # by whether it is quick
_ALL_TRIPLES = 16  # players up to which triples are asked for


@dataclass(frozen=True, eq=False)
class Run:
    """One method on one case, at one budget, with one seed."""

    source: CaseSource
    method: Method
    budget: int
    seed: int

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What identifies the run in the results."""
        return self.source.name, self.method.name, self.budget, self.seed

    def request(self, *, is_exact_known: bool) -> Request:
        """Return the request: pairs, and triples if exact ones are known and the budget is twice the number of sets."""
        n = self.source.n_players
        n_sets = sum(comb(n, order) for order in (1, 2, 3))
        max_order = 3 if is_exact_known and 3 <= n <= _ALL_TRIPLES and self.budget >= 2 * n_sets else min(2, n)
        return Request(n, self.budget, self.seed, max_order)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be run; methods that are missing are listed too."""

    sources: Sequence[CaseSource]
    methods: Sequence[Method]
    budgets: Sequence[int] | None  # of all cases; None: by the number of players and the time of an evaluation
    n_seeds: int  # 0, 1, ...
    is_quick: bool
    games: str | None  # the folder of exact games
    problems: Sequence[str] = ()  # a line for each of its damaged files

    def runs(self, source: CaseSource) -> Iterator[Run]:
        """Yield the runs of a case, by method, budget and seed; methods that are missing have none.

        This package's own methods begin at half of the smallest budget of the default grid: else the evaluations that
        they need for the quality of others at the smallest could not be interpolated.
        """
        budgets = self.budgets_of(source)
        for method in (method for method in self.methods if method.missing() is None):
            has_more = budgets and method.package == PACKAGE and method.name != PUBLISHED and self.budgets is None
            for budget in [budgets[0] // 2, *budgets] if has_more else budgets:
                yield from (Run(source, method, budget, seed) for seed in range(self.n_seeds))

    def budgets_of(self, source: CaseSource) -> list[int]:
        """Return the budgets of a case: fewer than all masks, unless they were given."""
        n_masks = 2**source.n_players
        if self.budgets is not None:
            return sorted({budget for budget in self.budgets if budget <= n_masks})
        chosen = _QUICK if self.is_quick else _FULL_WIDE if source.n_players >= _WIDE else _FULL
        most = _MOST_EXPENSIVE if source.is_slow else n_masks
        return [budget for budget in chosen if budget < n_masks and budget <= most]

    def settings(self) -> dict[str, Any]:
        """Return what the results depend on: a folder is resumed only with the same."""
        return {
            "quick": self.is_quick,
            "budgets": None if self.budgets is None else sorted(set(self.budgets)),
            "seeds": self.n_seeds,
            "games": self.games,
            "cases": {source.name: source.n_players for source in self.sources},
            "methods": [method.name for method in self.methods],
        }


def plan_of(
    *,
    quick: bool = False,
    games: str | os.PathLike[str] | None = None,
    cases: Sequence[str | Case] | None = None,
    methods: Sequence[str | Method] | None = None,
    budgets: Sequence[int] | None = None,
    seeds: int | None = None,
) -> Plan:
    """Choose what to run, from the arguments of `run_benchmark`; nothing is loaded or run."""
    quick = checks.flag("quick", quick)
    try:
        of_folder, problems = ([], []) if games is None else from_folder(games)
    except ArgumentError as error:
        raise error.renamed("games") from None
    given = None if cases is None else [CaseSource.of(case) if isinstance(case, Case) else case for case in cases]
    sources = _chosen("cases", given, [*catalogue(), *of_folder], [*catalogue(quick=quick), *of_folder])
    chosen = _chosen("methods", methods, all_methods(), all_methods())
    n_seeds = _SEEDS[quick] if seeds is None else checks.integer("seeds", seeds)
    numbers = None if budgets is None else [checks.budget("budgets", budget) for budget in budgets]
    if numbers == []:
        raise ArgumentError("budgets", "none", "at least one number of evaluations")
    return Plan(sources, chosen, numbers, n_seeds, quick, None if games is None else str(games), problems)


def _chosen(argument: str, given: Sequence[Any] | None, known: Sequence[Any], default: Sequence[Any]) -> list[Any]:
    """Return what matches the patterns, in the order in which it is known, and objects as they are."""
    matched: set[str] = set()
    for pattern in (one for one in given or () if isinstance(one, str)):
        names = [one.name for one in known if fnmatchcase(one.name.lower(), pattern.lower())]
        if not names:
            allowed = ", ".join(repr(one.name) for one in known)
            raise UnknownNameError(argument, repr(pattern), f"names or patterns of {allowed}")
        matched.update(names)
    found = list(default if given is None else [one for one in known if one.name in matched])
    found += [one for one in given or () if not isinstance(one, str)]
    if not found:
        raise ArgumentError(argument, "none", "at least one")
    names = [one.name for one in found]
    for name in names:
        is_text = name.encode("utf-8", "replace").decode("utf-8") == name  # no halves of surrogate pairs
        if names.count(name) > 1 or not name or " ".join(name.split()) != name or not is_text:
            raise ArgumentError(argument, f"the name {name!r}", "distinct names of words with single blanks between")
    return found
