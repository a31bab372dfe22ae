"""Time every picture of a thousand players: ``python -m benchmarks.plots``; seconds to draw and save a PNG.

Two results: of a sparse game that SPEX recovers (few terms), and of the same game fitted by ProxySPEX (all pairs, of
which 100,000 are kept, and standard errors). Fitting is not timed.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from statistics import median

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits

import captum_spex
from captum_spex import Interactions, plots
from captum_spex.approximators import Spex

N_PLAYERS = 1000
SPARSE_BUDGET, FITTED_BUDGET = 8000, 1000
N_ROWS = 50  # of the pictures of many rows
REPEATS = 3
TARGET = 3.0  # seconds


def game(masks: np.ndarray) -> np.ndarray:
    """Few groups among many players."""
    last = masks.shape[1] - 1
    pairs = 2.0 * masks[:, 3] - 1.5 * (masks[:, 3] & masks[:, 8]) + 0.5 * (masks[:, 7] & masks[:, last // 2])
    return pairs + 2.0 * masks[:, [4, 5, 6]].all(axis=1) - masks[:, last]


def results() -> Iterator[tuple[str, Interactions]]:
    """The results, by name."""
    settings = {"random_state": 0, "names": [f"word{number}" for number in range(N_PLAYERS)]}
    found = captum_spex.explain(game, N_PLAYERS, budget=SPARSE_BUDGET, approximator=Spex(), **settings)
    yield "sparse", found
    yield "fitted", captum_spex.explain(game, N_PLAYERS, budget=FITTED_BUDGET, **settings)


def pictures(result: Interactions) -> dict[str, Callable[[], object]]:
    """What draws each picture."""
    side = int(np.ceil(np.sqrt(N_PLAYERS)))
    parts = np.minimum(np.arange((4 * side) ** 2) // 16, N_PLAYERS - 1).reshape(4 * side, 4 * side)
    table = np.random.default_rng(0).normal(size=(N_ROWS, N_PLAYERS))
    return {
        "network": lambda: plots.network(result),
        "matrix": lambda: plots.matrix(result),
        "bar": lambda: plots.bar(result),
        "upset": lambda: plots.upset(result),
        "waterfall": lambda: plots.waterfall(result),
        "text": lambda: plots.text(result),
        "image": lambda: plots.image(result, np.zeros(parts.shape), parts),
        "spectrum": lambda: plots.spectrum(result),
        "scatter": lambda: plots.scatter([result] * N_ROWS, (3, 8), data=table),
        "beeswarm": lambda: plots.beeswarm([result] * N_ROWS, data=table),
        "compare": lambda: plots.compare(result.compare(result)),
    }


def seconds(draw: Callable[[], object]) -> float:
    """The median time of drawing and saving."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        draw()
        plt.gcf().savefig(io.BytesIO(), format="png")
        times.append(time.perf_counter() - start)
        plt.close("all")
    return median(times)


def main(arguments: list[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(
        arguments
    )
    mpl.use("agg")
    with threadpool_limits(1):
        for name, result in results():
            for picture, draw in pictures(result).items():
                taken = seconds(draw)
                verdict = "reached" if taken <= TARGET else "NOT reached"
                print(f"{name:<8} {picture:<10} {taken:6.2f} s  <= {TARGET:g} s  {verdict}", flush=True)


if __name__ == "__main__":
    main()
