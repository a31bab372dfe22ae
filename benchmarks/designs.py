"""Masks compared: ``python -m benchmarks.designs [--multiples 4 6 10] [--seeds 2] [--games ...] [--folder DIR]``.

For games of the benchmark and of a folder (see `captum_spex.benchmark.from_folder`), at multiples of the number of
players: R² on uniformly random masks, R² on masks of uniformly random size, and the squared error of Shapley values
relative to their size (where they are not known, from 600 permutations and their reverses). "even" is the share of the
variance that a mask and its complement have in common: what pairs separate from the main effects.

With few masks: complementary pairs, or masks alone. Where all single players can be enumerated, present and absent:
uniformly random masks; pairs without that enumeration ("level 0"); with it, and half, three quarters or all of the
others of binomial size.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.approximators import ProxySpex
from captum_spex.approximators.proxyspex.estimation import Evaluations
from captum_spex.benchmark import Case, catalogue, from_folder
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.methods.adapter import shapley_of
from captum_spex.designs import affordable_level, bernoulli, enumerate_and_spread
from captum_spex.game import Game
from captum_spex.masks import mask_keys
from captum_spex.model import GameModel

Floats = NDArray[np.float64]
GAMES = ("digits-64", "digits-probability-64", "network-30", "training-50", "training-200", "planted-100")
MULTIPLES = (0.5, 0.9, 1.5, 2.3)
FEW: dict[str, dict[str, Any]] = {"pairs": {"level": 0}, "alone": {"level": 0, "paired": False}}
ENUMERATED: dict[str, dict[str, Any] | None] = {
    "bernoulli": None,
    "level 0": {"level": 0, "binomial_share": 0.75},
    "half": {"level": 1, "binomial_share": 0.5},
    "3/4": {"level": 1, "binomial_share": 0.75},
    "all": {"level": 1, "binomial_share": 1.0},
}


def shapley_values(case: Case, n_permutations: int = 600) -> Floats:
    """Return exact Shapley values, or means over permutations and their reverses."""
    if case.truth is not None:
        return shapley_of(case.truth)
    return means_over_permutations(case.game, case.n_players, n_permutations)


def means_over_permutations(game: Game, n_players: int, n_permutations: int) -> Floats:
    """Return what players add to those before them, means over permutations and their reverses."""
    rng, total = np.random.default_rng(7), np.zeros(n_players)
    for _ in range(n_permutations):
        forward = rng.permutation(n_players)
        for order in (forward, forward[::-1]):
            rank = np.argsort(order)
            values = np.asarray(game(rank < np.arange(n_players + 1)[:, None]), dtype=np.float64)
            total += np.diff(values)[rank]
    return total / (2 * n_permutations)


def even_share(case: Case) -> float:
    """Return the share of the variance that is the same for a mask and its complement."""
    masks = np.random.default_rng(0).random((400, case.n_players)) < 0.5
    values, others = np.asarray(case.game(masks)), np.asarray(case.game(~masks))
    even, odd = (values + others).var(), (values - others).var()
    return float(even / (even + odd))


def recovered(case: Case, budget: int, seed: int, options: dict[str, Any] | None) -> tuple[GameModel, np.ndarray]:
    """Recover a game from spread masks, or uniformly random ones; return also the keys of the masks."""
    n, rng = case.n_players, np.random.default_rng(seed)
    design = bernoulli(n, budget, rng) if options is None else enumerate_and_spread(n, budget, rng, **options)
    values = np.asarray(case.game(design.masks), dtype=np.float64)[:, None]
    seen = Evaluations(design.masks, values, design.weights, np.zeros_like(values))
    return ProxySpex().estimator(seed)(seen)[0].model, mask_keys(design.masks)


def figures(case: Case, budget: int, seeds: int) -> Iterator[tuple[str, Floats]]:
    """Yield the design, and R², R² of uniform sizes and error of Shapley values, means over seeds."""
    examiner, exact = Examiner(case), shapley_values(case)
    few = affordable_level(case.n_players, budget) == 0
    for name, options in (FEW if few else ENUMERATED).items():
        found = []
        for seed in range(seeds):
            model, keys = recovered(case, budget, seed, options)
            error = ((shapley_of(model) - exact) ** 2).sum() / (exact**2).sum()
            found.append([*examiner.errors(model, keys).values(), error])
        yield name, np.mean(found, axis=0)


def lines(names: Sequence[str], multiples: Sequence[float], seeds: int, folder: Path | None = None) -> Iterator[str]:
    """Yield a line for each game, budget and design."""
    sources = catalogue() + ([] if folder is None else from_folder(folder)[0])
    yield f"{'game':36} {'even':>5} {'masks':>6} {'masks/n':>7}  {'design':9} {'R²':>7} {'sizes':>7} {'SV error':>9}"
    for source in (source for source in sources if source.name in names):
        case = source.load()
        share = even_share(case)
        for multiple in multiples:
            budget = int(multiple * case.n_players) & ~1
            for name, (r2, sized, error) in figures(case, budget, seeds):
                place = f"{case.name:36} {share:5.2f} {budget:6} {multiple:7.1f}"
                yield f"{place}  {name:9} {r2:7.3f} {sized:7.3f} {error:9.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", nargs="+", default=GAMES)
    parser.add_argument("--multiples", nargs="+", type=float, default=MULTIPLES)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="with exact games")
    chosen = parser.parse_args(arguments)
    for line in lines(chosen.games, chosen.multiples, chosen.seeds, chosen.folder):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
