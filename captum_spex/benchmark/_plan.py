"""What a benchmark runs: which methods on which cases, at which budgets and seeds, and how long that takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import comb
from typing import Any

from captum_spex import checks
from captum_spex.benchmark._curves import PACKAGE, PUBLISHED
from captum_spex.benchmark._protocol import Case, Method, Request
from captum_spex.benchmark._seconds import of_an_evaluation, of_an_explanation
from captum_spex.benchmark.cases import CaseSource, catalogue, from_folder
from captum_spex.benchmark.methods import all_methods
from captum_spex.errors import ArgumentError, UnknownNameError

_QUICK = (64, 128, 256)
_FULL = (128, 256, 512, 1024, 2048, 4096)
_FULL_WIDE = (512, 1024, 2048, 4096, 8192)
_WIDE = 1000  # players
_EXPENSIVE, _MOST_EXPENSIVE = 0.005, 1024  # seconds of an evaluation, and the largest budget then
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
        """What the run is known by in the results."""
        return self.source.name, self.method.name, self.budget, self.seed

    @property
    def seconds(self) -> float:
        """How long it takes, about."""
        own = of_an_explanation(self.method.name, self.source.n_players, self.budget)
        return own + self.budget * of_an_evaluation(self.source.name)

    def request(self, *, is_exact_known: bool) -> Request:
        """Return what is asked of the method.

        Triples too where their exact values are known, the players are few, and the budget is twice the number of
        sets; else pairs.
        """
        n = self.source.n_players
        n_sets = sum(comb(n, order) for order in (1, 2, 3))
        max_order = 3 if is_exact_known and 3 <= n <= _ALL_TRIPLES and self.budget >= 2 * n_sets else min(2, n)
        return Request(n, self.budget, self.seed, max_order)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be run.

    Attributes:
        sources: the cases.
        methods: the explainers, those that are missing too.
        budgets: the same for all cases; None: by the number of players and the time of an evaluation.
        n_seeds: seeds are 0, 1, ...
        is_quick: a small grid of budgets.
        games: a folder of exact games, as it was given.
        problems: its damaged files, a line for each.
    """

    sources: Sequence[CaseSource]
    methods: Sequence[Method]
    budgets: Sequence[int] | None
    n_seeds: int
    is_quick: bool
    games: str | None
    problems: Sequence[str] = ()

    def runs(self, source: CaseSource) -> Iterator[Run]:
        """Yield the runs of a case, by method, budget and seed; methods that are missing have none."""
        for method in self.methods:
            if method.missing() is None:
                for budget in self._budgets_of(source, method):
                    yield from (Run(source, method, budget, seed) for seed in range(self.n_seeds))

    def _budgets_of(self, source: CaseSource, method: Method) -> list[int]:
        """Return the budgets of a method: this package's own begin at half of the smallest of the grid.

        Else what they need for the quality that others have at the smallest could not be interpolated.
        """
        budgets = self.budgets_of(source)
        is_own = method.package == PACKAGE and method.name != PUBLISHED
        return [budgets[0] // 2, *budgets] if budgets and is_own and self.budgets is None else budgets

    def budgets_of(self, source: CaseSource) -> list[int]:
        """Return the budgets of a case: fewer than all masks, unless they were given."""
        n = source.n_players
        everything = 2**n if n < 62 else 1 << 62
        if self.budgets is not None:
            return sorted({budget for budget in self.budgets if budget <= everything})
        chosen = _QUICK if self.is_quick else _FULL_WIDE if n >= _WIDE else _FULL
        is_expensive = of_an_evaluation(source.name) >= _EXPENSIVE
        return [budget for budget in chosen if budget < everything and not (is_expensive and budget > _MOST_EXPENSIVE)]

    def settings(self) -> dict[str, Any]:
        """Return what the results depend on: a folder is continued only with the same."""
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
    """Choose what to run; nothing is loaded or run.

    Args:
        quick: few games, budgets and seeds.
        games: a folder of exact games, all of which are added.
        cases: names, patterns of names, or games of the caller; default: the whole catalogue, or its quick ones.
        methods: names, patterns, or explainers of the caller; default: all.
        budgets: numbers of evaluations.
        seeds: how many.

    Raises:
        ArgumentError: if an argument cannot be used.
        UnknownNameError: if a pattern fits nothing.
    """
    of_folder, problems = ([], []) if games is None else _folder(games)
    sources = [*catalogue(quick=quick), *of_folder] if cases is None else _chosen_cases(cases, of_folder)
    known = {method.name: method for method in all_methods()}
    chosen = list(known.values()) if methods is None else _chosen("methods", methods, known)
    n_seeds = _SEEDS[quick] if seeds is None else checks.integer("seeds", seeds)
    numbers = None if budgets is None else [checks.budget("budgets", budget) for budget in budgets]
    if numbers == []:
        raise ArgumentError("budgets", "none", "at least one number of evaluations")
    for argument, names in (("cases", [one.name for one in sources]), ("methods", [one.name for one in chosen])):
        _check_names(argument, names)
    return Plan(sources, chosen, numbers, n_seeds, quick, None if games is None else str(games), problems)


def _folder(games: str | os.PathLike[str]) -> tuple[list[CaseSource], list[str]]:
    try:
        return from_folder(games)
    except ArgumentError as error:
        raise error.renamed("games") from None


def _chosen_cases(cases: Sequence[str | Case], of_folder: list[CaseSource]) -> list[CaseSource]:
    known = {source.name: source for source in [*catalogue(), *of_folder]}
    given = [_as_source(case) if isinstance(case, Case) else case for case in cases]
    return _chosen("cases", given, known)


def _as_source(case: Case) -> CaseSource:
    about = f"A game of {case.n_players} players that was given."
    return CaseSource(case.name, case.family, case.n_players, about, lambda: (case.game, case.truth))


def _chosen(argument: str, given: Sequence[Any], known: dict[str, Any]) -> list[Any]:
    """Return what the patterns fit, in the order in which it is known, and objects as they are."""
    patterns = [one for one in given if isinstance(one, str)]
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in known):
            raise UnknownNameError(argument, repr(pattern), f"names or patterns of {', '.join(map(repr, known))}")
    fitting = [one for name, one in known.items() if any(_fits(name, pattern) for pattern in patterns)]
    return fitting + [one for one in given if not isinstance(one, str)]


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _check_names(argument: str, names: list[str]) -> None:
    if not names:
        raise ArgumentError(argument, "none", "at least one")
    for name in names:
        is_text = name.encode("utf-8", "replace").decode("utf-8") == name  # no halves of surrogate pairs
        if names.count(name) > 1 or not name or " ".join(name.split()) != name or not is_text:
            raise ArgumentError(
                argument, f"the name {name!r}", "names that differ, of words with single blanks between"
            )
