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
from captum_spex.benchmark.protocol import OURS, PACKAGE, PUBLISHED, Case, Method, Request, Row, row_of
from captum_spex.benchmark.shards import Shard
from captum_spex.errors import ArgumentError, UnknownNameError

_QUICK = (64, 128, 256)
_MULTIPLES, _MULTIPLES_WIDE = (0.5, 1, 3, 8, 20, 100), (0.05, 0.1, 0.2, 0.4)  # evaluations to a player
_WIDE = 5000  # players
_MOST = 10_000  # the largest budget
_MOST_EXPENSIVE = 1024  # the same where an evaluation is slow
_SEEDS, _SEEDS_OF_SLOW = {True: 1, False: 5}, 1  # by whether it is quick; of `SLOW` unless a number is given
SLOW = (PUBLISHED, "shapiq ProxySPEX", "shapiq SPEX", "sparse-transform SPEX", "shapiq ShaplEIG", "shapiq SVARMIQ",
        f"{OURS} gaussian-process", f"{OURS} boosted-trees")  # fmt: skip
"""Methods that take minutes for a case, and parts of this package's: fewer seeds are enough for their curves."""
_ALL_TRIPLES, _SOME_TRIPLES = 16, 32  # players up to which triples are asked for, of all and of sparse methods


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

    def failed(self, message: str) -> Row:
        """Return the row of this run if it failed."""
        return row_of("failed", message, self.source, self.method, self.budget, self.seed)

    def request(self, *, is_exact_known: bool) -> Request:
        """Return the request: pairs, and triples if exact ones are known and the method can give them.

        A method that fits all sets of players is asked for triples if the budget is twice the number of sets, so that
        its pairs are not worse for it; one that is ``sparse`` finds the same pairs with and without them.
        """
        n = self.source.n_players
        n_sets = sum(comb(n, order) for order in (1, 2, 3))
        is_dense = n <= _ALL_TRIPLES and self.budget >= 2 * n_sets
        is_sparse = n <= _SOME_TRIPLES and getattr(self.method, "sparse", False)
        max_order = 3 if is_exact_known and n >= 3 and (is_dense or is_sparse) else min(2, n)
        return Request(n, self.budget, self.seed, max_order)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be run; methods that are missing are listed too."""

    sources: Sequence[CaseSource]
    methods: Sequence[Method]
    budgets: Sequence[int] | None  # of all cases; None: by the number of players and the time of an evaluation
    n_seeds: int  # 0, 1, ...
    n_seeds_of_slow: int  # of methods in `SLOW`
    is_quick: bool
    games: str | None  # the folder of exact games
    problems: Sequence[str] = ()  # a line for each of its damaged files
    shard: Shard | None = None  # the part that is run

    def runs(self, source: CaseSource) -> Iterator[Run]:
        """Yield the runs of a case in this part, by method, budget and seed; methods that are missing have none.

        If it is quick, this package's own methods begin at half of the smallest budget: else the evaluations that they
        need for the quality of others at the smallest could not be interpolated.
        """
        budgets, place = self.budgets_of(source), [one.name for one in self.sources].index(source.name)
        seeds = [seed for seed in range(self.n_seeds) if self.shard is None or self.shard.has(place, seed)]
        for method in (method for method in self.methods if method.missing() is None):
            n_seeds = self.n_seeds_of_slow if method.name in SLOW else self.n_seeds
            has_more = self.is_quick and budgets and method.package == PACKAGE and self.budgets is None
            for budget in [budgets[0] // 2, *budgets] if has_more and method.name != PUBLISHED else budgets:
                yield from (Run(source, method, budget, seed) for seed in seeds if seed < n_seeds)

    def budgets_of(self, source: CaseSource) -> list[int]:
        """Return the budgets of a case: fewer than all masks, unless they were given."""
        n, n_masks = source.n_players, 2**source.n_players
        if self.budgets is not None:
            return sorted({budget for budget in self.budgets if budget <= n_masks})
        multiples = _MULTIPLES_WIDE if n >= _WIDE else _MULTIPLES
        chosen = _QUICK if self.is_quick else sorted({max(2, round(times * n)) for times in multiples})
        most = _MOST_EXPENSIVE if source.is_slow else _MOST
        return [budget for budget in chosen if budget < n_masks and budget <= most]

    def settings(self) -> dict[str, Any]:
        """Return what the results depend on: a folder is resumed only with the same."""
        return {
            "quick": self.is_quick,
            "budgets": None if self.budgets is None else sorted(set(self.budgets)),
            "seeds": self.n_seeds,
            "seeds_of_slow": self.n_seeds_of_slow,
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
    shard: str | None = None,
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
    n_slow = _SEEDS_OF_SLOW if seeds is None else n_seeds
    numbers = None if budgets is None else [checks.budget("budgets", budget) for budget in budgets]
    if numbers == []:
        raise ArgumentError("budgets", "none", "at least one number of evaluations")
    part = None if shard is None else Shard.of(shard)
    folder = None if games is None else str(games)
    return Plan(sources, chosen, numbers, n_seeds, n_slow, quick, folder, problems, part)


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
