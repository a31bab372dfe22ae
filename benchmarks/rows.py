"""Many rows, and many outputs, of one model: together against one by one, in seconds and errors of the same run.

    python -m benchmarks.rows tables [--rows 24] [--names boosting svm network]
    python -m benchmarks.rows outputs [--outputs 20 104] [--kinds polynomials] [--games 10 --first 20]
    python -m benchmarks.rows training

``tables``: rows of the breast-cancer data, 30 features, 512 evaluations each, by `ProxySpexExplainer`: one call for all
rows, and a call for each. Errors are those of Shapley values, relative, against closed forms (as in
`benchmarks.explainers`); means and geometric means over the rows, and the ratio of the two calls, with its standard
error. ``outputs``: games of 8 players with several outputs and 50 evaluations, explained at once and output by output;
errors against all 256 masks. A sparse game is recovered exactly or not at all, and a hair decides: errors of an output
differ by factors of ten either way, so few games tell nothing of the geometric mean.
``training``: how 28 test digits depend on 100 training digits, 512 retrainings. One thread; seconds of the processor.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import captum_spex
from benchmarks.explainers import make, timed
from captum_spex.explainers import ProxySpexExplainer
from captum_spex.masks import all_masks

Game = Callable[[np.ndarray], np.ndarray]

N_FEATURES, N_ROWS, BUDGET = 30, 24, 512
TABLES = ("boosting", "svm", "network")
MOST_GROWTH = 1.05  # of the error
N_PLAYERS, N_MASKS, N_GAMES = 8, 50, 2
N_TRAIN, N_TEST, N_RETRAININGS, RIDGE = 100, 28, 512, 1.0


def relative(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the relative error of every row."""
    return np.asarray(np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth, axis=1))


def compared(what: str, together: tuple[float, np.ndarray], alone: tuple[float, np.ndarray]) -> str:
    """Return the line of a comparison: seconds and errors of each row, and their ratios."""
    (fast, errors), (slow, before) = together, alone
    means = errors.mean() / before.mean()
    logs = np.log(np.maximum(errors, 1e-12)) - np.log(np.maximum(before, 1e-12))
    n, verdict = len(errors), "yes" if means <= MOST_GROWTH else "no"
    doubts = (errors - means * before).std() / before.mean() / np.sqrt(n), logs.std() / np.sqrt(n)
    return (
        f"{what:<28} {n:>5} | {slow / n:>8.3f} {fast / n:>8.3f} {slow / fast:>6.1f} | {before.mean():>9.5f} "
        f"{errors.mean():>9.5f} {means:>6.3f} {doubts[0]:>6.3f} "
        f"{np.exp(logs.mean()):>6.3f} {doubts[1]:>6.3f} {verdict:>4}"
    )


def head(what: str) -> str:
    """Return the heads of the columns."""
    return (
        f"{what:<28} {'n':>5} | {'s alone':>8} {'together':>8} {'ratio':>6} | {'error':>9} {'together':>9} "
        f"{'ratio':>6} {'+-':>6} {'of gm':>6} {'+-':>6} {'<= 5 %':>4}"
    )


def table_line(name: str, n_rows: int, budget: int, seed: int) -> str:
    """Compare one call for many rows with a call for each."""
    cases = [make(name, N_FEATURES, number) for number in range(n_rows)]
    rows, truth = np.concatenate([case.row for case in cases]), np.stack([case.shapley for case in cases])
    explainer = ProxySpexExplainer(cases[0].model, cases[0].background, seed=seed)

    def values(some: np.ndarray) -> np.ndarray:
        return np.asarray(explainer(some, max_evals=budget, silent=True).values)

    values(rows[:1])  # imports
    fast, found = timed(lambda: values(rows))
    slow, alone = timed(lambda: np.concatenate([values(row[None]) for row in rows]))
    return compared(name, (fast, relative(found, truth)), (slow, relative(alone, truth)))


def table_lines(names: Sequence[str], n_rows: int, budget: int, seed: int) -> Iterator[str]:
    """Compare them for every table."""
    yield head("rows of a table")
    for name in names:
        yield table_line(name, n_rows, budget, seed)


def output_games(n_outputs: int, seed: int) -> dict[str, Game]:
    """Return games with several outputs: of a network, its probabilities, sparse polynomials, sums behind a bend."""
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(N_PLAYERS, 16)), rng.normal(size=(16, n_outputs))
    products = [rng.choice(N_PLAYERS, rng.integers(1, 4), replace=False) for _ in range(30)]
    coefficients = rng.normal(size=(30, n_outputs)) * (rng.random((30, n_outputs)) < 0.2)
    slopes = rng.normal(size=(N_PLAYERS, n_outputs))

    def network(masks: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(masks @ inner) @ outer)

    return {
        "network": network,
        "probabilities": lambda masks: np.asarray(softmax(network(masks), axis=1)),
        "polynomials": lambda masks: np.stack([masks[:, one].all(axis=1) for one in products], axis=1) @ coefficients,
        "bent sums": lambda masks: np.maximum(0, masks @ slopes),
        "one output, others constant": lambda masks: np.where(np.arange(n_outputs) == 0, network(masks), 1.0),
    }


def shapley(found: Any, n_players: int) -> np.ndarray:
    """Return the Shapley values of every output."""
    return np.array([[one[(player,)] for player in range(n_players)] for one in found])


def output_line(name: str, n_outputs: int, games: range) -> str:
    """Compare one run for many outputs with a run for each; errors are those of the first twenty that vary."""
    compare = (both_ways(output_games(n_outputs, seed)[name], n_outputs, seed) for seed in games)
    fast, slow, errors, before = zip(*compare, strict=True)
    n = len(errors[0]) / n_outputs  # times are of all outputs
    line = compared(name, (sum(fast) * n, np.concatenate(errors)), (sum(slow) * n, np.concatenate(before)))
    return (
        f"{line}   {n_outputs} outputs: {sum(slow) / len(games):.1f} s alone, {sum(fast) / len(games):.2f} s together"
    )


def both_ways(game: Game, n_outputs: int, seed: int) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return seconds together and, for all outputs, alone; and the errors."""
    some = np.flatnonzero(np.ptp(game(all_masks(N_PLAYERS)), axis=0) > 0)[:20].tolist()

    def of_some(results: Any) -> np.ndarray:
        return shapley([results[column] for column in some], N_PLAYERS)

    def alone() -> Any:
        ones = (lambda masks, column=column: game(masks)[:, column] for column in some)
        return [captum_spex.explain(one, N_PLAYERS, budget=N_MASKS, random_state=seed) for one in ones]

    truth = of_some(captum_spex.explain(game, N_PLAYERS, budget=2**N_PLAYERS))
    fast, found = timed(lambda: captum_spex.explain(game, N_PLAYERS, budget=N_MASKS, random_state=seed))
    slow, ones = timed(alone)
    errors = relative(of_some(found), truth), relative(shapley(ones, N_PLAYERS), truth)
    return fast, slow * n_outputs / len(some), *errors


def output_lines(numbers: Sequence[int], kinds: Sequence[str], games: range) -> Iterator[str]:
    """Compare them for every game."""
    yield head("outputs of a game")
    for n_outputs in numbers:
        for name in kinds:
            yield output_line(name, n_outputs, games)


def training_lines() -> Iterator[str]:
    """Compare one run for many test points with a run for each of a few."""
    rows, labels = load_digits(return_X_y=True)
    rows, targets = rows / 16.0, np.where(labels % 2 == 1, 1.0, -1.0)
    train, test = np.arange(N_TRAIN), np.arange(N_TRAIN, N_TRAIN + N_TEST)
    distances = ((rows[:, None] - rows[train][None]) ** 2).sum(axis=2)
    kernel = np.exp(-distances / np.median(distances))

    def game(masks: np.ndarray) -> np.ndarray:
        values = np.zeros((len(masks), N_TEST))
        for row, mask in enumerate(masks):
            chosen = np.flatnonzero(mask)
            if len(chosen):
                inner = kernel[np.ix_(chosen, chosen)] + RIDGE * np.eye(len(chosen))
                values[row] = kernel[np.ix_(test, chosen)] @ np.linalg.solve(inner, targets[chosen])
        return values

    held_out = np.random.default_rng(1).random((500, N_TRAIN)) < 0.5
    truth, some = game(held_out), list(range(0, N_TEST, 7))
    fast, found = timed(lambda: captum_spex.explain(game, N_TRAIN, budget=N_RETRAININGS, random_state=0))
    settings: dict[str, Any] = {"budget": N_RETRAININGS, "random_state": 0}
    slow, ones = timed(lambda: [captum_spex.explain(lambda m, k=k: game(m)[:, k], N_TRAIN, **settings) for k in some])

    def unexplained(results: Sequence[Any]) -> np.ndarray:
        errors = np.stack([one.model(held_out) for one in results], axis=1) - truth[:, some]
        return np.asarray((errors**2).mean(axis=0) / truth[:, some].var(axis=0))

    slow *= N_TEST / len(some)
    yield head("training data, 1 - R²")
    errors, before = unexplained([found[k] for k in some]), unexplained(ones)
    scale = len(some) / N_TEST
    line = compared(f"{N_TRAIN} points, {N_TEST} outputs", (fast * scale, errors), (slow * scale, before))
    yield f"{line}   {slow:.1f} s alone, {fast:.1f} s together"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    tables = commands.add_parser("tables")
    tables.add_argument("--rows", type=int, default=N_ROWS)
    tables.add_argument("--names", nargs="+", default=list(TABLES))
    tables.add_argument("--budget", type=int, default=BUDGET)
    tables.add_argument("--seed", type=int, default=0)
    outputs = commands.add_parser("outputs")
    outputs.add_argument("--outputs", type=int, nargs="+", default=[20, 104])
    outputs.add_argument("--kinds", nargs="+", default=list(output_games(2, 0)))
    outputs.add_argument("--games", type=int, default=N_GAMES)
    outputs.add_argument("--first", type=int, default=0)
    commands.add_parser("training")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):  # steadier, and the same for everybody
        if chosen.command == "tables":
            lines = table_lines(chosen.names, chosen.rows, chosen.budget, chosen.seed)
        elif chosen.command == "outputs":
            lines = output_lines(chosen.outputs, chosen.kinds, range(chosen.first, chosen.first + chosen.games))
        else:
            lines = training_lines()
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
