"""Measure requests a second against a server with a latency: ``python -m benchmarks.remote``.

With ``n`` requests in flight and a latency of ``t`` seconds, a client that costs nothing gets ``n / t`` masks a second.
Medians in one table; server and client are processes of one machine, and the server's own work is in the figures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import numpy as np

from benchmarks.lines import Line
from captum_spex.games.remote import RemoteAnswerGame
from tools.openai_server import Running

LATENCY = 0.05
N_PLAYERS = 40
TEXT = " ".join(f"word{number}" for number in range(N_PLAYERS))
IN_FLIGHT = (4, 16, 64)
WITH_TARGET, SHARE = 16, 0.9


class WideLine(Line):
    """A line whose figure is a sentence."""

    widths = (52, 28, 10)


def answered_in(game: RemoteAnswerGame, masks: np.ndarray) -> tuple[float, float]:
    """Return seconds and seconds on the processor."""
    start, busy = time.perf_counter(), time.process_time()
    game(masks)
    return time.perf_counter() - start, time.process_time() - busy


def measured(repeats: int, n_masks: int) -> Iterator[WideLine]:
    """Measure every number of requests in flight, and what one costs."""
    rng = np.random.default_rng(0)
    masks = rng.random((n_masks, N_PLAYERS)) < 0.5
    costs = []
    with Running() as server:
        for n_in_flight in IN_FLIGHT:
            server.control(latency=0.0)
            game = RemoteAnswerGame(
                TEXT, " yes", base_url=server.url, suffix=" ?", max_in_flight=n_in_flight, check=False
            )
            game(masks[:n_in_flight])  # connections are open from here on
            server.control(latency=LATENCY)
            times = [answered_in(game, masks) for _ in range(repeats)]
            rate, ideal = n_masks / median(spent for spent, _ in times), n_in_flight / LATENCY
            costs += [busy / n_masks for _, busy in times]
            what = f"{n_in_flight} requests in flight, {1000 * LATENCY:.0f} ms latency, {n_masks:,} masks"
            figure = f"{rate:.0f} of {ideal:.0f} masks/s, {rate / ideal:.1%}"
            aimed = n_in_flight == WITH_TARGET
            yield WideLine(what, figure, f">= {SHARE:.0%}" if aimed else "", rate >= SHARE * ideal if aimed else None)
    yield WideLine("the client's time on the processor, a request", f"{1000 * median(costs):.2f} ms")


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--masks", type=int, default=1600)
    chosen = parser.parse_args()
    print(f"{'measurement':<52}  {'median':>28}  {'target':>10}")
    for line in measured(chosen.repeats, chosen.masks):
        print(line, flush=True)


if __name__ == "__main__":
    main()
