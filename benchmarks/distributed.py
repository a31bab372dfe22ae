"""Measure how much faster two workers are than one: ``python -m benchmarks.distributed``.

A game that keeps one processor busy, evaluated by Ray actors and by joblib's processes, once all workers are up.
Medians; runs of one and of two workers take turns, and what else the machine does is in the figures.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

import joblib
import numpy as np
import ray

from captum_spex.evaluation import RayGame
from captum_spex.evaluation.evaluator import Evaluator

N_PLAYERS, BATCH, TARGET = 16, 8, 1.6


def build_game(loops: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a game that computes in Python, the same number of steps for each mask."""

    def game(masks: np.ndarray) -> np.ndarray:
        values = []
        for mask in masks:
            total = float(mask[0])
            for step in range(loops):
                total = (total * 1.5 + mask[3] + step) % 7.0
            values.append(total)
        return np.array(values)

    return game


def seconds(evaluate: Callable[[], np.ndarray], expected: np.ndarray) -> float:
    """Return how long an evaluation takes, which must give what was expected."""
    start = time.perf_counter()
    values = evaluate()
    spent = time.perf_counter() - start
    assert np.array_equal(values.ravel(), expected)
    return spent


def with_ray(n_workers: int, masks: np.ndarray, expected: np.ndarray, loops: int) -> float:
    """Measure Ray actors; the first batches, which wait for the workers to start, are not counted."""
    with RayGame(lambda: build_game(loops), n_workers, batch_size=BATCH) as game:
        time.sleep(3)
        game(masks[: 4 * BATCH])
        return seconds(lambda: Evaluator(game, N_PLAYERS, budget=len(masks))(masks), expected)


def with_joblib(n_workers: int, masks: np.ndarray, expected: np.ndarray, loops: int) -> float:
    """Measure joblib's processes."""
    settings = {"budget": len(masks), "batch_size": BATCH, "backend": "joblib"}
    with joblib.parallel_config(n_jobs=n_workers):
        Evaluator(build_game(loops), N_PLAYERS, **settings)(masks[: 4 * BATCH])
        return seconds(lambda: Evaluator(build_game(loops), N_PLAYERS, **settings)(masks), expected)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=int, default=400)
    parser.add_argument("--loops", type=int, default=60_000, help="steps for each mask")
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    rows = np.random.default_rng(0).permutation(1 << N_PLAYERS)[: chosen.masks]
    masks = (rows[:, None] >> np.arange(N_PLAYERS) & 1).astype(bool)
    expected = build_game(chosen.loops)(masks)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    print(f"{chosen.masks} masks in batches of {BATCH}; load of the machine {os.getloadavg()[0]:.1f}")
    for name, way in (("Ray", with_ray), ("joblib", with_joblib)):
        runs = [[way(n, masks, expected, chosen.loops) for n in (1, 2)] for _ in range(chosen.repeats)]
        one, two = (median(spent) for spent in zip(*runs, strict=True))
        speed = median(first / second for first, second in runs)
        verdict = "reached" if speed >= TARGET else "NOT reached"
        print(f"{name:<8}  1 worker {one:6.2f} s  2 workers {two:6.2f} s  {speed:4.2f} times (>= {TARGET}: {verdict})")
    ray.shutdown()


if __name__ == "__main__":
    main()
