"""Best subsets of random and of real spectra: ``python -m benchmarks.optimize [--spectra FOLDER]``.

Random: 300 terms among 100 players, coefficients normal, orders uniform up to the largest; size 10. Real: spectra
measured on language models (``llm_spectra/*.json`` in a folder of games), a third of the players.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from captum_spex.model import Spectrum
from captum_spex.optimize import best_subset

PLAYERS, TERMS, SIZE = 100, 300, 10
ORDERS = (2, 3, 4, 5, 8)


def random_spectrum(highest: int, seed: int) -> Spectrum:
    """Return a spectrum of sets of random players."""
    rng = np.random.default_rng(seed)
    terms: dict[tuple[int, ...], float] = {}
    while len(terms) < TERMS:
        players = rng.choice(PLAYERS, int(rng.integers(1, highest + 1)), replace=False)
        terms[tuple(sorted(players.tolist()))] = float(rng.normal())
    return Spectrum.from_terms(terms, PLAYERS)


def spectra(folder: Path | None) -> Iterator[tuple[str, Spectrum, int]]:
    """Yield names, spectra and sizes."""
    for highest in ORDERS:
        for seed in range(2):
            yield f"random, up to order {highest}, seed {seed}", random_spectrum(highest, seed), SIZE
    for path in sorted(folder.glob("*.json")) if folder else ():
        content = json.loads(path.read_text())
        terms = {tuple(players): value for players, value in content["terms"]}
        yield path.stem, Spectrum.from_terms(terms, content["n_players"]), content["n_players"] // 3


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and print a line for each spectrum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=Path, help="folder of spectra as JSON")
    parser.add_argument("--time-limit", type=float, default=10.0)
    options = parser.parse_args(arguments)
    print(f"{'spectrum':44}{'players':>8}{'terms':>7}{'order':>6}{'size':>5}{'seconds':>9}{'value':>11}{'gap':>8}")
    for name, spectrum, size in spectra(options.spectra):
        start = time.perf_counter()
        best = best_subset(spectrum, size=size, time_limit=options.time_limit)
        seconds = time.perf_counter() - start
        facts = f"{spectrum.n_players:8}{len(spectrum):7}{spectrum.orders.max():6}{size:5}"
        print(f"{name:44}{facts}{seconds:9.2f}{best.value:11.3f}{best.gap:8.3f}", flush=True)


if __name__ == "__main__":
    main()
