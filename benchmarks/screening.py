"""Very many players, subsets given or asked for: ``python -m benchmarks.screening [--ask]``.

Planted: 200 main effects of +-1, 30 pairs of +-1.15 among other players; 20,000 uniformly random subsets as packed
bits. Given ones have noise of a fifth of the variance, those that are asked for have none. Recall: planted players
among as many of the largest values; planted pairs among the 30 strongest.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass

import numpy as np

import captum_spex
from captum_spex.games.training import from_table
from captum_spex.masks import PackedMasks

MAINS, PAIRS, PAIR, NOISE = 200, 30, 1.15, 0.2


@dataclass(frozen=True)
class Found:
    """What was recovered of what was planted."""

    n_players: int
    seconds: float
    gigabytes: float
    faithfulness: float
    mains: float
    pairs: float
    bound: float


class Planted:
    """A game of many players that never lays masks out."""

    def __init__(self, n_players: int, rng: np.random.Generator) -> None:
        self.n_players = n_players
        self.players = rng.choice(n_players, MAINS + 2 * PAIRS, replace=False)
        self.mains, self.couples = rng.choice([-1.0, 1.0], MAINS), rng.choice([-PAIR, PAIR], PAIRS)

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        return self.evaluate_packed(PackedMasks.of(masks))

    def evaluate_packed(self, masks: PackedMasks) -> np.ndarray:
        """Return the values."""
        present = masks.columns(self.players)
        together = present[:, MAINS::2] & present[:, MAINS + 1 :: 2]
        return np.asarray(present[:, :MAINS] @ self.mains + together @ self.couples)


def run(n_players: int, n_masks: int, seed: int = 0, *, ask: bool = False) -> Found:
    """Plant, explain, count."""
    rng = np.random.default_rng(seed)
    game = Planted(n_players, rng)
    if not ask:
        packed = rng.integers(0, 256, (n_masks, n_players // 8), dtype=np.uint8)
        values = game.evaluate_packed(PackedMasks(packed, n_players))
        values += rng.normal(size=n_masks) * values.std() * np.sqrt(NOISE / (1 - NOISE))
    start = time.perf_counter()
    source = game if ask else from_table(packed, values, n_players=n_players, bitorder="little")
    result = captum_spex.explain(source, budget=n_masks, random_state=0)
    seconds = time.perf_counter() - start
    strongest = np.argsort(-np.abs(result.first_order()))[: len(game.players)]
    top = set(result.top(PAIRS, order=2)) if (result.orders == 2).any() else set()
    return Found(
        n_players,
        seconds,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        result.faithfulness,
        float(np.isin(game.players[:MAINS], strongest).mean()),
        float(np.mean([tuple(sorted(pair)) in top for pair in game.players[MAINS:].reshape(PAIRS, 2).tolist()])),
        result.diagnostics.get("screened_out_bound", float("nan")),
    )


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and print a line for each number of players."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--masks", type=int, default=20_000)
    parser.add_argument("--ask", action="store_true", help="ask for subsets of a noiseless game")
    options = parser.parse_args(arguments)
    print("  players  seconds  peak GiB  faithfulness (noise: 0.80)  main effects  pairs  bound of those screened out")
    for n_players in options.players:
        found = run(n_players, options.masks, ask=options.ask)
        print(
            f"{found.n_players:9,}{found.seconds:9.1f}{found.gigabytes:10.2f}{found.faithfulness:28.3f}"
            f"{found.mains:14.3f}{found.pairs:7.3f}{found.bound:29.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
