"""Tree ensembles on many features, whose Shapley values and SII are known exactly, beside the best of shapiq.

    python -m benchmarks.tree_games [--kinds ...] [--players 60] [--budgets 120 300] [--seeds 3] [--rivals ...]

A present player shows the ensemble the explained row's feature, an absent one that of one background row, so every
leaf is a conjunction of players present and absent, and its indices have a closed form. Counted evaluations are equal.
Errors are squared and relative to the squares of the exact values: of Shapley values, and of SII of all pairs; a
cell is the median over seeds, each with data, ensemble and rows of its own. ``best``: the rival whose median is least.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import captum_spex
from captum_spex import Interactions
from captum_spex.benchmark.cases.conjunctions import Conjunctions
from captum_spex.benchmark.cases.trees import KINDS, ensemble_game
from captum_spex.benchmark.methods.adapter import Adapter, RowsGame
from captum_spex.benchmark.protocol import Answer, Request
from captum_spex.indices import resolve_index
from captum_spex.masks import Masks

CELLS = {60: (120, 300, 600, 1200), 200: (500, 2000), 1000: (2000,)}
HALF, QUARTER, ENOUGH = 0.5, 0.25, 10  # targets: shares of the best rival's error; the second from 10 n evaluations on


# --- methods -------------------------------------------------------------------------------------------------------


def of_shapiq(name: str, kind: str, order: int, largest: int = 10**9, **settings: Any) -> Adapter:
    """Return a rival that estimates Shapley values, and for order 2 SII of pairs."""
    index = {"index": "SII", "max_order": 2} if order == 2 else {}

    def explain(game: RowsGame, request: Request) -> Answer:
        approximator = getattr(import_module("shapiq.approximator"), kind)(
            n=request.n_players, random_state=request.seed, **index, **settings
        )
        found = approximator.approximate(request.budget, game)
        terms = {players: float(value) for players, value in found.dict_values.items() if players}
        shapley = np.array([terms.get((player,), 0.0) for player in range(request.n_players)])
        return Answer(None, shapley, {players: value for players, value in terms.items() if len(players) == 2})

    def refusal(request: Request) -> str | None:
        return f"takes too long or too much memory beyond {largest} players" if request.n_players > largest else None

    return Adapter(name, "shapiq", f"shapiq.approximator.{kind}", explain, refusal)


def explain_ours(game: RowsGame, request: Request) -> Answer:
    """Explain by `ProxySpex` at its defaults."""
    result = captum_spex.explain(
        game.game, request.n_players, index="SII", max_order=2, budget=request.budget, random_state=request.seed
    )
    assert isinstance(result, Interactions)
    pairs = np.flatnonzero(result.orders == 2)
    values = dict(zip(result.sets.take(pairs).tuples(), result.values[pairs].tolist(), strict=True))
    return Answer(None, result.first_order(), values)


OURS = "ProxySpex"
METHODS = {
    method.name: method
    for method in (
        Adapter(OURS, "captum-spex", "captum_spex.approximators.ProxySpex", explain_ours),
        of_shapiq("ProxySHAP", "ProxySHAP", 2),
        of_shapiq("ProxySHAP+MSR", "ProxySHAP", 2, 200, adjustment=True),
        of_shapiq("OddSHAP", "OddSHAP", 1),
        of_shapiq("LeverageSHAP", "LeverageSHAP", 1),
        of_shapiq("KernelSHAP", "KernelSHAP", 1),
        of_shapiq("RegressionMSR", "RegressionMSR", 1, index="SV"),
        of_shapiq("ProxySPEX", "ProxySPEX", 2, 200),
        of_shapiq("SVARM-IQ", "SVARMIQ", 2, 60),
        of_shapiq("KernelSHAP-IQ", "KernelSHAPIQ", 2, 60),
    )
}
SLOW = "ProxySPEX", "SVARM-IQ", "KernelSHAP-IQ"  # only if asked for


# --- measurement ---------------------------------------------------------------------------------------------------


@dataclass
class Counted:
    """A game that counts its evaluations, a mask that was seen before too."""

    game: Conjunctions
    count: int = 0

    def __call__(self, masks: Masks) -> np.ndarray:
        self.count += len(masks)
        return self.game(masks)


@dataclass(frozen=True)
class Exact:
    """The exact answer of a game, and relative squared errors."""

    game: Conjunctions
    first: np.ndarray = field(init=False)
    pairs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        exact = self.game.index_terms(resolve_index("SII", 2, self.game.n_players))
        object.__setattr__(self, "first", exact.first_order())
        object.__setattr__(self, "pairs", square(exact.top(len(exact), order=2), exact.n_players))

    def errors(self, answer: Answer) -> tuple[float, float]:
        """Return the errors of Shapley values, and of SII of pairs."""
        n = self.game.n_players
        both = (answer.shapley, self.first), (square(answer.interactions, n), self.pairs)
        of_first, of_pairs = (float(((found - exact) ** 2).sum() / (exact**2).sum()) for found, exact in both)
        return of_first, of_pairs if answer.interactions else float("nan")


def square(values: Any, n_players: int) -> np.ndarray:
    """Return values of pairs as a matrix, above the diagonal."""
    found = np.zeros((n_players, n_players))
    if values:
        rows, columns = np.array(list(values)).T
        found[rows, columns] = list(values.values())
    return found


def runs(
    kind: str, n_players: int, budget: int, seeds: int, names: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
    """Return the two errors of every method that can answer, for every seed."""
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        exact, request = Exact(ensemble_game(kind, n_players, seed)[0]), Request(n_players, budget, seed)
        for name in names:
            method, game = METHODS[name], Counted(exact.game)
            if method.missing() or method.refusal(request):
                continue
            answer = method(game, request)
            if game.count > budget:
                raise RuntimeError(f"{name} took {game.count} evaluations instead of {budget}")
            found.setdefault(name, []).append(exact.errors(answer))
    return found


def cell(errors: dict[str, list[tuple[float, float]]], which: int, target: float) -> str:
    """Return the columns of one figure: ours, the best rival, their ratio, and whether the target is reached."""
    medians = {name: median(pair[which] for pair in pairs) for name, pairs in errors.items()}
    rivals = {name: value for name, value in medians.items() if name != OURS and not np.isnan(value)}
    if not rivals:
        return f"{medians[OURS]:>9.2g} {'-':>9} {'-':<14} {'-':>6}    "
    best = min(rivals, key=rivals.__getitem__)
    ratio = medians[OURS] / rivals[best]
    return (
        f"{medians[OURS]:>9.2g} {rivals[best]:>9.2g} {best:<14} {ratio:>6.2f} {'yes' if ratio <= target else 'no':<3}"
    )


def lines(chosen: argparse.Namespace) -> Iterator[str]:
    """Measure every kind at every number of players and every budget."""
    for method in METHODS.values():
        if method.missing():
            yield f"{method.name}: {method.missing()}"
    yield f"targets: {HALF} of the best rival's error, {QUARTER} from {ENOUGH} evaluations for each player on"
    columns = f"{'ours':>9} {'rival':>9} {'best':<14} {'ratio':>6}    "
    yield "Shapley values, then SII of pairs"
    yield f"{'kind':<12} {'n':>4} {'evals':>5} {'seeds':>5} | {columns} | {columns}"
    for kind in chosen.kinds:
        for n_players in chosen.players:
            for budget in chosen.budgets or CELLS.get(n_players, (10 * n_players,)):
                errors = runs(kind, n_players, budget, chosen.seeds, [OURS, *chosen.rivals])
                target = QUARTER if budget >= ENOUGH * n_players else HALF
                both = " | ".join(cell(errors, which, target) for which in range(2))
                yield f"{kind:<12} {n_players:>4} {budget:>5} {chosen.seeds:>5} | {both}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rivals = [name for name in METHODS if name != OURS]
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--players", type=int, nargs="+", default=list(CELLS))
    parser.add_argument("--budgets", type=int, nargs="+", help="default: those of the targets")
    parser.add_argument("--seeds", type=int, default=3)
    usual = [name for name in rivals if name not in SLOW]
    parser.add_argument("--rivals", nargs="*", default=usual, choices=rivals, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for line in lines(chosen):
            print(line, flush=True)


if __name__ == "__main__":
    main()
