"""Summaries of data sets: their time, and how often their intervals hold: ``python -m benchmarks.data_set``.

Time: 1,000 rows of 500 terms, one thread. Coverage: 50 rows of 10 features of a forest and of a network, each explained
exactly and from 120 of 1,024 evaluations. Samples of these rows are summarised; the truth is the exact mean over all of
them. An honest 90 % interval holds it nine times out of ten.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

import captum_spex
from benchmarks.lines import Line, seconds
from captum_spex import Interactions
from captum_spex.indices import resolve_index
from captum_spex.model import GameModel, Spectrum
from captum_spex.statistics import INTERVAL
from captum_spex.summaries import Summary

N_ROWS, N_PLAYERS = 1000, 31  # 31 players and 465 pairs: 496 terms
N_FEATURES, N_EXPLAINED, BUDGET, N_SAMPLES = 10, 50, 120, 200


def listed_rows() -> list[Interactions]:
    """Rows whose terms are given, in two orders of the players."""
    rng, index = np.random.default_rng(0), resolve_index("SII", 2, N_PLAYERS)
    orders = [[f"feature {k}" for k in range(N_PLAYERS)[::step]] for step in (1, -1)]
    model = GameModel((Spectrum.from_terms({(k, k + 1): 1.0 for k in range(N_PLAYERS - 1)}, N_PLAYERS),))
    rows = []
    for number in range(N_ROWS):
        facts = {"n_evaluations": 1, "faithfulness": 1.0, "names": tuple(orders[number % 2])}
        row = Interactions.from_model(model, index, **facts)
        rows.append(Interactions(of_all_pairs(row, rng), model, **facts))
    return rows


def of_all_pairs(row: Interactions, rng: np.random.Generator) -> captum_spex.IndexTerms:
    """Return terms of all players and pairs, of random values."""
    from captum_spex.player_sets import PlayerSets

    sets = PlayerSets.concatenate([PlayerSets.all_of_order(order, N_PLAYERS) for order in (1, 2)])
    return captum_spex.IndexTerms(row.resolved_index, sets, rng.normal(size=len(sets)), 0.0)


def times() -> None:
    """Print how long a summary takes."""
    rows = listed_rows()
    found = seconds(lambda: captum_spex.summary(rows))
    print(Line(f"summary of {N_ROWS:,} rows of {len(rows[0])} terms", f"{found:.2f} s", "< 1 s", found < 1))


def games() -> dict[str, Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]]:
    """A game for every row, by the name of the model."""
    table = np.random.default_rng(0).normal(size=(600, N_FEATURES))
    x = table.T
    pairs = x[1] * x[2] - 0.7 * x[3] * x[4] * (x[5] > 0)
    y = x[0] + pairs + 0.5 * np.tanh(x[6] + x[7]) + 0.2 * x[8]
    models = {
        "forest": RandomForestRegressor(30, max_depth=7, random_state=0).fit(table, y),
        "network": MLPRegressor(hidden_layer_sizes=(40,), max_iter=600, random_state=0).fit(table, y),
    }

    def game_of(model: RandomForestRegressor | MLPRegressor) -> Callable[..., Callable[[np.ndarray], np.ndarray]]:
        def of_row(row: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
            def game(masks: np.ndarray) -> np.ndarray:
                inputs = np.where(masks[:, None, :], row, table[None, :8]).reshape(-1, N_FEATURES)
                return model.predict(inputs).reshape(len(masks), -1).mean(axis=1)

            return game

        return of_row

    return {name: game_of(model) for name, model in models.items()}


def coverage() -> None:
    """Print how often 90 % intervals of summaries hold the mean over all rows."""
    table = np.random.default_rng(0).normal(size=(600, N_FEATURES))[100 : 100 + N_EXPLAINED]
    rng = np.random.default_rng(1)
    for name, of_row in games().items():
        exact = [captum_spex.explain(of_row(row), N_FEATURES, budget=1 << N_FEATURES) for row in table]
        found = [
            captum_spex.explain(of_row(row), N_FEATURES, budget=BUDGET, random_state=seed)
            for seed, row in enumerate(table)
        ]
        truth = captum_spex.summary(exact)
        for kind, rows in (("exact", exact), ("estimated", found)):
            for size in (10, 25):
                samples = [
                    captum_spex.summary([rows[k] for k in rng.integers(0, len(rows), size)]) for _ in range(N_SAMPLES)
                ]
                for statistic in ("mean", "mean_abs"):
                    shares = np.mean([held(sample, truth, statistic) for sample in samples], axis=0)
                    what = f"{name}, {size} {kind} rows, 90 % interval of {statistic}"
                    print(Line(what, f"{shares[0]:.2f}, pairs {shares[1]:.2f}"))


def held(sample: Summary, truth: Summary, statistic: str) -> list[float]:
    """Return the shares of the intervals, of single players and of pairs, that hold the truth."""
    places = sample.sets.find(truth.sets)
    found, right = (sample.mean, truth.mean) if statistic == "mean" else (sample.values, truth.values)
    errors = sample.mean_std_errors if statistic == "mean" else sample.std_errors
    is_held = np.abs(found - right[places]) <= INTERVAL * errors + 1e-12
    return [float(is_held[sample.orders == order].mean()) for order in (1, 2)]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", default=["times", "coverage"], help="times, coverage")
    chosen = parser.parse_args().figures
    with threadpool_limits(1):
        for figure in chosen:
            {"times": times, "coverage": coverage}[figure]()


if __name__ == "__main__":
    main()
