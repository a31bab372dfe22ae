"""Time per retraining, and a large table of past trainings: ``python -m benchmarks.training [--large]``.

Digits as training points: `TrainingGame` in closed form against the same game with ``closed_form=False``, which clones,
fits and predicts with scikit-learn. Both take turns on the same masks; medians over the turns. ``spread`` masks are
those that `explain` asks for by default, ``uniform`` each point with probability 1/2.

With ``--large``: packed masks of 50,000 points and 100,000 subsets in a file, the values a noisy sum of planted main
effects, pairs and a triple; `explain` reads them from the file. ``--points`` and ``--subsets`` make it smaller.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

import captum_spex
from benchmarks.lines import Line
from captum_spex.approximators import Problem, ProxySpex
from captum_spex.explaining import default_budget
from captum_spex.games.training import OnTest, TrainingGame, from_table
from captum_spex.indices import resolve_index

N_POINTS, N_TEST = 500, 50
N_MASKS, TURNS = 512, 5
TIMES_FASTER, SAME = 10.0, 1e-8  # targets
MODELS = {
    "kernel ridge": KernelRidge(kernel="rbf", gamma=0.1, alpha=0.1),
    "ridge": Ridge(alpha=1.0),
    "nearest neighbours": KNeighborsClassifier(n_neighbors=5),
}

LARGE_POINTS, LARGE_SUBSETS = 50_000, 100_000
N_EFFECTS, N_PAIRS, NOISE = 100, 10, 0.3  # noise: standard deviation relative to the signal's
PER_BLOCK = 2000  # rows of the table that are made at once


def games(name: str, n_points: int, n_test: int) -> tuple[TrainingGame, TrainingGame]:
    """Return the game in closed form, and with scikit-learn."""
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(rows))
    train, test = order[:n_points], order[n_points : n_points + n_test]
    is_class = name == "nearest neighbours"
    targets = labels if is_class else np.where(labels % 2, 1.0, -1.0)
    seen = OnTest(rows[test] / 16, targets[test], value="probability" if is_class else "margin")
    data = (rows[train] / 16, targets[train])
    closed, fitted = (TrainingGame(MODELS[name], seen, data, closed_form=chosen) for chosen in (True, False))
    return closed, fitted


def mask_sets(n_points: int, count: int) -> dict[str, np.ndarray]:
    """Return masks of both designs; of the spread ones a random choice."""
    rng = np.random.default_rng(1)
    problem = Problem(n_points, default_budget(n_points), resolve_index("SII", 2, n_points))
    spread = ProxySpex().start(problem, rng).ask()
    return {
        "spread": spread[rng.choice(len(spread), count, replace=False)],
        "uniform": rng.random((count, n_points)) < 0.5,
    }


@dataclass(frozen=True, eq=False)
class Spent:
    """Seconds on the clock, seconds of all processors, and what was returned."""

    clock: float
    processor: float
    result: Any


def timed(function: Callable[[], Any]) -> Spent:
    begin, begin_processor = time.perf_counter(), time.process_time()
    result = function()
    return Spent(time.perf_counter() - begin, time.process_time() - begin_processor, result)


def compared(
    what: str, masks: np.ndarray, both: tuple[TrainingGame, TrainingGame], turns: int, *, has_target: bool
) -> Iterator[str]:
    """Yield time per training, the ratio, and the largest difference."""
    closed, fitted = both
    closed(masks[:2])
    of_turns = [(timed(lambda: closed(masks)), timed(lambda: fitted(masks))) for _ in range(turns)]
    ours, theirs = (median(turn[which].clock for turn in of_turns) / len(masks) for which in (0, 1))
    ratio = median(turn[1].clock / turn[0].clock for turn in of_turns)
    less_work = median(turn[1].processor / turn[0].processor for turn in of_turns)
    difference = float(np.abs(of_turns[0][0].result - of_turns[0][1].result).max())
    target, reached = (f">= {TIMES_FASTER:.0f}", ratio >= TIMES_FASTER) if has_target else ("", None)
    yield str(Line(f"{what}: per training, ours", f"{1e3 * ours:.3f} ms"))
    yield str(Line(f"{what}: per training, scikit-learn", f"{1e3 * theirs:.3f} ms"))
    yield str(Line(f"{what}: times faster", f"{ratio:.1f}", target, reached))
    yield str(Line(f"{what}: times less processor time", f"{less_work:.1f}"))
    yield str(Line(f"{what}: largest difference", f"{difference:.1e}", f"<= {SAME:.0e}", difference <= SAME))


def retraining_lines(names: Sequence[str], n_points: int, n_masks: int, turns: int) -> Iterator[str]:
    """Compare models, on masks of both designs."""
    of_designs = mask_sets(n_points, n_masks)
    for name in names:
        both = games(name, n_points, N_TEST)
        assert [game.is_closed_form for game in both] == [True, False]
        for design, masks in of_designs.items():
            yield from compared(f"{name}, {design} masks", masks, both, turns, has_target=name == "kernel ridge")


# --- a large table -------------------------------------------------------------------------------------------------


def planted_terms(n_points: int, rng: np.random.Generator) -> dict[tuple[int, ...], float]:
    """Return main effects, pairs, and one triple, of points that also have main effects."""
    points = rng.choice(n_points, N_EFFECTS, replace=False).tolist()
    terms: dict[tuple[int, ...], float] = {(point,): float(rng.normal()) for point in points}
    for number in range(N_PAIRS):
        terms[tuple(sorted(points[2 * number : 2 * number + 2]))] = float(rng.choice([-2.0, 2.0]))
    terms[tuple(sorted(points[-3:]))] = 4.0
    return terms


def written_table(
    path: Path, n_points: int, n_subsets: int, terms: dict[tuple[int, ...], float], rng: np.random.Generator
) -> np.ndarray:
    """Write uniformly random packed masks to a file, and return the sums of the terms."""
    width = -(-n_points // 8)
    packed = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n_subsets, width))
    values = np.zeros(n_subsets)
    for start in range(0, n_subsets, PER_BLOCK):
        block = rng.integers(0, 256, (min(PER_BLOCK, n_subsets - start), width), dtype=np.uint8)
        if n_points % 8:
            block[:, -1] &= (1 << n_points % 8) - 1
        packed[start : start + len(block)] = block
        for players, coefficient in terms.items():
            present = [(block[:, player // 8] >> (player % 8)) & 1 for player in players]
            values[start : start + len(block)] += coefficient * np.prod(present, axis=0)
    packed.flush()
    return values


def peak_gigabytes() -> float:
    """Return the most memory that the process ever held, pages of files included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 30 if sys.platform == "darwin" else 1 << 20)


def large_lines(n_points: int, n_subsets: int) -> Iterator[str]:
    """Yield time and memory to learn from a large table, and what was found."""
    rng = np.random.default_rng(0)
    terms = planted_terms(n_points, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.npy"
        made = timed(lambda: written_table(path, n_points, n_subsets, terms, rng))
        signal = made.result
        values = signal + NOISE * signal.std() * rng.normal(size=n_subsets)
        before = peak_gigabytes()
        table = from_table(np.load(path, mmap_mode="r"), values, n_players=n_points, bitorder="little")
        spent = timed(lambda: captum_spex.explain(table, index="Moebius", max_order=3, random_state=0))
        what = f"{n_points:,} points, {n_subsets:,} subsets"
        yield str(Line(f"{what}: size of the file", f"{path.stat().st_size / 1e9:.2f} GB"))
    result = spent.result
    yield str(Line(f"{what}: making it", f"{made.clock:.0f} s"))
    yield str(Line(f"{what}: explain", f"{spent.clock:.1f} s, of processors {spent.processor:.1f} s"))
    yield str(Line(f"{what}: peak memory before, after", f"{before:.2f}, {peak_gigabytes():.2f} GiB"))
    ideal = 1 / (1 + NOISE**2)
    yield str(Line(f"{what}: faithfulness (ideal {ideal:.3f})", f"{result.faithfulness:.3f}"))
    fresh = rng.random((1000, n_points)) < 0.5
    truth = sum(coefficient * fresh[:, list(players)].all(axis=1) for players, coefficient in terms.items())
    off = float(((result.model(fresh) - truth) ** 2).mean() / truth.var())
    yield str(Line(f"{what}: R² of noiseless values of fresh masks", f"{1 - off:.3f}"))
    yield from found_lines(what, result, terms)


def found_lines(what: str, result: Any, terms: dict[tuple[int, ...], float]) -> Iterator[str]:
    """Yield how many planted pairs and triples are the largest that were recovered."""
    triples = {players for players in terms if len(players) == 3}
    below = {pair for triple in triples for pair in combinations(triple, 2)}
    pairs = {players for players in terms if len(players) == 2}
    strongest = set(result.top(len(pairs | below), order=2))
    # in presences the pairs below a triple cancel: whatever is left of them may also be small
    yield str(Line(f"{what}: planted pairs among the strongest", f"{len(pairs & strongest)} of {len(pairs)}"))
    yield str(Line(f"{what}: the triple is the strongest", f"{set(result.top(len(triples), order=3)) == triples}"))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--masks", type=int, default=N_MASKS, help="trainings per turn")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--train", type=int, default=N_POINTS, help="training points of the retraining game")
    parser.add_argument("--large", action="store_true", help="the large table instead")
    parser.add_argument("--points", type=int, default=LARGE_POINTS)
    parser.add_argument("--subsets", type=int, default=LARGE_SUBSETS)
    options = parser.parse_args(arguments)
    found = (
        large_lines(options.points, options.subsets)
        if options.large
        else retraining_lines(options.models, options.train, options.masks, options.turns)
    )
    for line in found:
        print(line, flush=True)


if __name__ == "__main__":
    main()
