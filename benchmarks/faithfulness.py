"""Whether faithfulness and error bars are true: ``python -m benchmarks.faithfulness [--games DIR] [--names ...]``.

Games of the benchmark's catalogue, and tables in the folders of a folder, are explained at the default settings, at
multiples of the number of players and at the budgets given. A line for each family (a folder; else the game) and range
of masks per player: "gap" is the reported faithfulness minus R² on uniformly random masks that were not evaluated, its
mean and deviation; "over" the share of runs in which it is larger than 0.05; "bound" the share in which R² is at least
the lower bound; "cover" the share of exact SII, of order 1 and 2 and of order 1, within 1.645 standard errors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, nan
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import captum_spex
from captum_spex import Interactions
from captum_spex.benchmark import Case, catalogue
from captum_spex.benchmark.cases import CaseSource, from_folder
from captum_spex.benchmark.methods.adapter import of_groups, shapley_of
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks, mask_keys
from captum_spex.statistics import r_squared

NAMES = ("network-30", "training-50", "planted-30", "review-13", "digits-64", "boosted-30", "heads-12", "review-23")
MULTIPLES = (1.0, 1.5, 2.0, 2.7, 4.0, 6.0, 10.0, 20.0)
EDGES = (0.0, 1.9, 2.6, 5.0, 12.0, 25.0, 50.0, float("inf"))  # masks per player
LISTED, DRAWN = 16, 2000  # players up to which all masks are test masks; test masks beyond
WITHIN, TOO_MUCH = 1.645, 0.05


@dataclass(frozen=True)
class Figures:
    """What one run came to."""

    family: str
    per_player: float
    r2: float
    gap: float
    bound_holds: float
    covered: float
    covered_single: float


def covered(case: Case, result: Interactions) -> tuple[float, float]:
    """Return the share of 90 % intervals that hold the exact value: of all terms, and of single players."""
    if case.truth is None or result.std_errors is None:
        return nan, nan
    exact = of_groups(case.truth.index_terms(resolve_index("SII", 2, case.n_players)))
    exact |= {(player,): value for player, value in enumerate(shapley_of(case.truth).tolist())}
    wrong = np.array([abs(value - exact.get(players, 0.0)) for players, value in result.items()])
    held = wrong <= WITHIN * result.std_errors + 1e-12 * np.abs(result.values).max()
    return float(held.mean()), float(held[result.orders == 1].mean())


def measured(case: Case, family: str, budget: int, seed: int, masks: np.ndarray, values: np.ndarray) -> Figures | None:
    """Explain a game and look at test masks; ``None`` where nothing is claimed or left to test."""
    seen: list[np.ndarray] = []

    def watched(asked: np.ndarray) -> np.ndarray:
        seen.append(mask_keys(asked))
        return np.asarray(case.game(asked))

    result = captum_spex.explain(watched, case.n_players, budget=budget, random_state=seed)
    unseen = ~np.isin(mask_keys(masks), np.concatenate(seen))
    if not np.isfinite(result.faithfulness) or unseen.sum() < 20:
        return None
    true = r_squared(values[unseen], result.model(masks[unseen]))
    holds = float(true >= result.diagnostics["lower"] - 1e-9)
    return Figures(family, budget / case.n_players, true, result.faithfulness - true, holds, *covered(case, result))


def runs(
    sources: Sequence[CaseSource], family: str, multiples: Sequence[float], budgets: Sequence[int], seeds: Sequence[int]
) -> Iterator[Figures]:
    """Explain every game of a family at every budget with every seed."""
    for number, source in enumerate(sources):
        case = source.load()
        n = case.n_players
        masks = all_masks(n) if n <= LISTED else np.random.default_rng(987).random((DRAWN, n)) < 0.5
        values = np.asarray(case.game(masks), dtype=np.float64)
        for budget in [*(ceil(multiple * n) for multiple in multiples), *budgets]:
            for seed in seeds:
                found = measured(case, family, budget, 1000 * seed + number, masks, values)
                if found is not None:
                    yield found


def lines(found: Sequence[Figures], name: str) -> Iterator[str]:
    """Yield a line for each range of masks per player."""
    for low, high in pairwise(EDGES):
        chosen = [one for one in found if low <= one.per_player < high]
        if not chosen:
            continue
        gaps, known = np.array([one.gap for one in chosen]), [one for one in chosen if one.covered == one.covered]
        r2, holds = (np.mean([getattr(one, field) for one in chosen]) for field in ("r2", "bound_holds"))
        shares = [np.mean([getattr(one, field) for one in known]) for field in ("covered", "covered_single") if known]
        yield (
            f"{name:26} {f'{low:g}-{high:g}':>9} {len(chosen):5} | {r2:6.3f} {gaps.mean():+7.3f} "
            f"{gaps.std():6.3f} {(gaps > TOO_MUCH).mean():5.2f} {holds:6.2f} | "
            + "  ".join(f"{share:5.2f}" for share in shares)
        )


def all_lines(families: Mapping[str, Sequence[CaseSource]], chosen: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of every family as soon as it is done, then those of all together."""
    titles = f"{'R²':>6} {'gap':>7} {'sd':>6} {'over':>5} {'bound':>6}"
    yield f"{'family':26} {'masks/n':>9} {'runs':>5} | {titles} | cover single"
    everything: list[Figures] = []
    for family, sources in families.items():
        found = list(runs(sources, family, chosen.multiples, chosen.budgets, chosen.seeds))
        yield from lines(found, family)
        everything += found
    yield from lines(everything, "all")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", nargs="*", default=NAMES, help="of games in the catalogue")
    parser.add_argument("--games", type=Path, help="folder of folders of complete tables")
    parser.add_argument("--first", type=int, default=0, help="table of every folder to begin with")
    parser.add_argument("--instances", type=int, default=10, help="tables of every folder")
    parser.add_argument("--multiples", type=float, nargs="*", default=MULTIPLES)
    parser.add_argument("--budgets", type=int, nargs="*", default=())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    chosen = parser.parse_args(arguments)
    families = {source.name: [source] for source in catalogue() if source.name in chosen.names}
    for folder in sorted(path for path in chosen.games.iterdir() if path.is_dir()) if chosen.games else ():
        families[folder.name] = from_folder(folder)[0][chosen.first : chosen.first + chosen.instances]
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for line in all_lines(families, chosen):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
