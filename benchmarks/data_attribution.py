"""Which training points a prediction hangs on: ``python -m benchmarks.data_attribution``.

Kernel ridge and logistic regression learn scikit-learn's digits from a few hundred points. For every test point, the
points whose removal should lower its margin most are chosen by: ``ProxySPEX, sets``, `ProxySpex` on 1,000 retrainings,
and points removed one after the other from the recovered game, which knows interactions; ``ProxySPEX, values``, the
largest values of that game; ``LASSO``, the largest main effects fitted to as many retrainings; ``leave-one-out``, by
retraining; ``influence``, the change by an infinitesimal weight (through the Hessian); ``TracIn``, products of
gradients at checkpoints (of kernel ridge: at the end, in the space of its functions); and at random. Then the model is
retrained without them: the more the margin falls, the better they were chosen.

Then copies of the strongest point of some test points are planted, every second one slightly changed. A point and its
copy can stand in for each other, so their interaction must be strong and against their main effects.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LassoCV, LogisticRegression
from sklearn.metrics.pairwise import pairwise_kernels

import captum_spex
from captum_spex.games.training import OnTest, TrainingGame
from captum_spex.interactions import Interactions

KINDS = ("kernel ridge", "logistic")
MODELS: dict[str, Any] = {
    "kernel ridge": KernelRidge(kernel="rbf", gamma=0.1, alpha=0.1),
    "logistic": LogisticRegression(C=1.0, max_iter=500),
    "ridge": KernelRidge(kernel="linear", alpha=1.0),
}
OURS, VALUES = "ProxySPEX, sets", "ProxySPEX, values"
METHODS = (OURS, VALUES, "LASSO", "leave-one-out", "influence", "TracIn", "random")
REMOVED = (5, 10, 20, 50)
N_TRAIN, N_TEST, N_DUPLICATED = 200, 8, 4
BUDGET = 1000
INDEX = "BV"
CANDIDATES = 100  # training points among which a set to remove is sought
CHECKPOINTS = (2, 4, 8, 16)  # steps of training, beside the end
CHANGED = 0.05  # standard deviation, of pixels from 0 to 1
N_CLASSES = 10


# --- the problem ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Problem:
    """A model to train, digits to train on, and digits to be told.

    Ridge regression, with a kernel or without, tells the ten digits apart: targets are +1 for the class and -1 for the
    others. Logistic regression tells odd ones from even: the loss of a class would outweigh all else.
    """

    kind: str
    model: Any
    rows: np.ndarray
    labels: np.ndarray
    test_rows: np.ndarray
    test_labels: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        return self.labels % 2 if self.kind == "logistic" else signs(self.labels)

    @property
    def test_targets(self) -> np.ndarray:
        return self.test_labels % 2 if self.kind == "logistic" else signs(self.test_labels)

    @property
    def game(self) -> TrainingGame:
        """The game of the margins of all test points."""
        seen = OnTest(self.test_rows, self.test_targets, value="margin")
        return TrainingGame(self.model, seen, (self.rows, self.targets))


def signs(labels: np.ndarray) -> np.ndarray:
    """Return +1 for the class, -1 for all others."""
    return 2.0 * np.eye(N_CLASSES)[labels] - 1.0


def problem(kind: str, seed: int, n_train: int = N_TRAIN, n_test: int = N_TEST) -> Problem:
    """Draw digits."""
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(rows))
    train, test = order[:n_train], order[n_train : n_train + n_test]
    return Problem(kind, MODELS[kind], rows[train] / 16, labels[train], rows[test] / 16, labels[test])


# --- scores of training points, (n_train, n_test): how much the margin falls without them -----------------------------


def leave_one_out(game: TrainingGame) -> np.ndarray:
    n_train = game.n_players
    return game(np.ones((1, n_train), dtype=bool)) - game(~np.eye(n_train, dtype=bool))


def lasso(game: TrainingGame, budget: int, rng: np.random.Generator) -> np.ndarray:
    masks = rng.random((budget, game.n_players)) < 0.5
    values, signed = game(masks), np.where(masks, 0.5, -0.5)
    fits = [LassoCV(cv=4, alphas=30, max_iter=5000, random_state=0).fit(signed, column) for column in values.T]
    return np.stack([fit.coef_ for fit in fits], axis=1)


def kernel_of(model: KernelRidge, some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return pairwise_kernels(some, others, model.kernel, filter_params=True, gamma=model.gamma)


def of_ridge(drawn: Problem) -> dict[str, np.ndarray]:
    """Return influence and products of gradients of kernel ridge, for the margin to the strongest rival."""
    alpha, targets = drawn.model.alpha, drawn.targets
    gram, with_test = (kernel_of(drawn.model, some, drawn.rows) for some in (drawn.rows, drawn.test_rows))
    dual = np.linalg.solve(gram + alpha * np.eye(len(gram)), targets)
    predicted = with_test @ dual
    rival = np.where(drawn.test_targets > 0, -np.inf, predicted).argmax(axis=1)
    left = alpha * dual  # targets minus what the model says of its own training points
    towards = left[:, drawn.test_labels] - left[:, rival]
    through = np.linalg.solve(gram + alpha * np.eye(len(gram)), with_test.T)
    return {"influence": through * towards, "TracIn": with_test.T * towards}


def of_logistic(drawn: Problem) -> dict[str, np.ndarray]:
    """Return influence and TracIn of logistic regression, for the loss of the test points."""
    rows, test_rows = (np.column_stack([some, np.ones(len(some))]) for some in (drawn.rows, drawn.test_rows))
    traced = np.zeros((len(rows), len(test_rows)))
    for steps in (*CHECKPOINTS, drawn.model.max_iter):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged yet
            model = clone(drawn.model).set_params(max_iter=steps).fit(drawn.rows, drawn.targets)
        shares = model.predict_proba(drawn.rows)[:, 1]
        own = (shares - drawn.targets)[:, None] * rows
        other = (model.predict_proba(drawn.test_rows)[:, 1] - drawn.test_targets)[:, None] * test_rows
        traced += own @ other.T
    penalty = np.append(np.full(rows.shape[1] - 1, 1 / drawn.model.C), 0.0)  # none of the intercept
    hessian = (rows * (shares * (1 - shares))[:, None]).T @ rows + np.diag(penalty)
    return {"influence": own @ np.linalg.solve(hessian, other.T), "TracIn": traced}


def gradients(drawn: Problem) -> dict[str, np.ndarray]:
    return of_logistic(drawn) if drawn.kind == "logistic" else of_ridge(drawn)


# --- sets to remove --------------------------------------------------------------------------------------------------


def largest(scores: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """Return the masks without the largest scores."""
    order, masks = np.argsort(-scores, kind="stable"), []
    for size in sizes:
        masks.append(np.ones(len(scores), dtype=bool))
        masks[-1][order[:size]] = False
    return masks


def one_by_one(result: Interactions, scores: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """Return masks from which the point was removed, each time, without which the recovered game is lowest."""
    left = list(np.argsort(-scores, kind="stable")[: max(CANDIDATES, *sizes)])
    mask, masks = np.ones(len(scores), dtype=bool), []
    for size in range(1, max(sizes) + 1):
        tried = np.repeat(mask[None], len(left), axis=0)
        tried[np.arange(len(left)), left] = False
        mask = tried[result.model(tried).argmin()]
        left = [point for point in left if mask[point]]
        if size in sizes:
            masks.append(mask)
    return masks


@dataclass(frozen=True)
class Fall:
    """How far the margin of a test point falls without the training points that a method chose."""

    kind: str
    seed: int
    method: str
    removed: int
    point: int
    fall: float
    is_lost: bool  # whether it was told right before and is no longer


def falls(
    drawn: Problem, seed: int, *, budget: int = BUDGET, index: str = INDEX, sizes: Sequence[int] = REMOVED
) -> tuple[list[Fall], float, float]:
    """Return the falls by every method, the mean faithfulness, and the seconds that `explain` took."""
    game, rng = drawn.game, np.random.default_rng([seed, 1])
    begin = time.perf_counter()
    results = captum_spex.explain(game, budget=budget, index=index, max_order=1, random_state=seed)
    seconds = time.perf_counter() - begin
    scores = {
        VALUES: np.stack([result.to(index, max_order=1).first_order() for result in results], axis=1)
        if index == "SV"
        else np.stack([[result[(point,)] for point in range(game.n_players)] for result in results], axis=1),
        "LASSO": lasso(game, budget, rng),
        "leave-one-out": leave_one_out(game),
        **gradients(drawn),
        "random": rng.random((game.n_players, len(results))),
    }
    chosen = {
        (method, point): largest(scores[method][:, point], sizes) for method in scores for point in range(len(results))
    }
    chosen |= {
        (OURS, point): one_by_one(result, scores[VALUES][:, point], sizes) for point, result in enumerate(results)
    }
    before = game(np.ones((1, game.n_players), dtype=bool))[0]
    found = []
    for (method, point), masks in chosen.items():
        for size, after in zip(sizes, game(np.array(masks))[:, point], strict=True):
            is_lost = bool(before[point] > 0 >= after)
            found.append(Fall(drawn.kind, seed, method, size, point, float(before[point] - after), is_lost))
    return found, float(np.mean([result.faithfulness for result in results])), seconds


# --- planted duplicates ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Redundant:
    """What was found of a point and its copy, for the test point that hangs on them.

    Attributes:
        rank: of the pair among all pairs, by size.
        value, effects: their interaction; their main effects.
        others: the ten strongest pairs of this test point, with whether each is a planted one.
    """

    kind: str
    seed: int
    is_exact: bool
    rank: int
    value: float
    effects: tuple[float, float]
    others: tuple[tuple[float, bool], ...]


def with_copies(drawn: Problem, points: Sequence[int], rng: np.random.Generator) -> Problem:
    """Append copies of points, every second one slightly changed."""
    copies = drawn.rows[list(points)].copy()
    copies[1::2] += CHANGED * rng.normal(size=copies[1::2].shape)
    rows, labels = np.concatenate([drawn.rows, copies]), np.append(drawn.labels, drawn.labels[list(points)])
    return Problem(drawn.kind, drawn.model, rows, labels, drawn.test_rows, drawn.test_labels)


def duplicates(
    kind: str, seed: int, *, n_train: int = N_TRAIN, n_test: int = N_DUPLICATED, budget: int = BUDGET
) -> list[Redundant]:
    """Plant a copy of the strongest point, by leaving it out, of every test point, and look for the pairs."""
    drawn = problem(kind, seed, n_train, n_test)
    strongest = leave_one_out(drawn.game).argmax(axis=0)
    points = list(dict.fromkeys(strongest.tolist()))
    game = with_copies(drawn, points, np.random.default_rng([seed, 2])).game
    planted = {(point, n_train + number) for number, point in enumerate(points)}
    results = captum_spex.explain(game, budget=budget, index="BII", max_order=2, random_state=seed)
    found = []
    for point, result in zip(strongest.tolist(), results, strict=True):
        number = points.index(point)
        pair, pairs = (point, n_train + number), result.top(len(result), order=2)
        value = pairs.get(pair, 0.0)
        rank = 1 + sum(abs(other) >= abs(value) for key, other in pairs.items() if key != pair)
        effects = (result[(pair[0],)], result[(pair[1],)])
        others = tuple((other, key in planted) for key, other in list(pairs.items())[:10])
        found.append(Redundant(kind, seed, number % 2 == 0, rank, value, effects, others))
    return found


def is_against(one: Redundant) -> bool:
    """Whether the interaction has the other sign than both main effects."""
    return all(one.value * effect < 0 for effect in one.effects)


def precision(found: Sequence[Redundant]) -> float:
    """Return the share of planted pairs among the strongest of all test points together, as many as there are."""
    pairs = sorted((pair for one in found for pair in one.others), key=lambda pair: -abs(pair[0]))
    return float(np.mean([is_planted for _, is_planted in pairs[: len(found)]]))


# --- table and plot --------------------------------------------------------------------------------------------------


def of(found: Sequence[Fall], kind: str, method: str, removed: int) -> np.ndarray:
    """Return the falls of all test points and seeds, in the same order for every method."""
    chosen = [one for one in found if (one.kind, one.method, one.removed) == (kind, method, removed)]
    return np.array([one.fall for one in sorted(chosen, key=lambda one: (one.seed, one.point))])


def table(found: Sequence[Fall], kind: str) -> Iterator[str]:
    """Yield the mean falls, what ProxySPEX has more than each rival with its standard error, and predictions lost."""
    sizes = sorted({one.removed for one in found})
    n_points = len(of(found, kind, OURS, sizes[0]))
    heading = "".join(f"{size:>16}" for size in sizes)
    yield f"{kind}, {n_points} test points: fall of the margin without k points (and predictions lost)"
    yield f"  {'k':<20}{heading}"
    for method in METHODS:
        cells = []
        for size in sizes:
            lost = [one.is_lost for one in found if (one.kind, one.method, one.removed) == (kind, method, size)]
            cells.append(f"{of(found, kind, method, size).mean():8.3f} ({np.mean(lost):4.0%})")
        yield f"  {method:<20}" + "".join(f"{cell:>16}" for cell in cells)
    yield f"  {OURS} minus the rival, ± its standard error over test points"
    for method in METHODS[1:]:
        cells = []
        for size in sizes:
            more = of(found, kind, OURS, size) - of(found, kind, method, size)
            cells.append(f"{more.mean():+.3f} ± {more.std(ddof=1) / np.sqrt(len(more)):.3f}")
        yield f"  {method:<20}" + "".join(f"{cell:>16}" for cell in cells)


def duplicate_lines(found: Sequence[Redundant]) -> Iterator[str]:
    yield "duplicates        copies   strongest pair   among 3   against the effects   precision"
    for kind in KINDS:
        for is_exact in (True, False):
            some = [one for one in found if one.kind == kind and one.is_exact == is_exact]
            if some:
                first, three = (np.mean([one.rank <= most for one in some]) for most in (1, 3))
                name = f"{kind}, {'exact' if is_exact else 'near'}"
                against = np.mean([is_against(one) for one in some])
                yield f"  {name:<20} {len(some):3d} {first:16.0%} {three:9.0%} {against:21.0%}"
        own = [one for one in found if one.kind == kind]
        if own:
            first = np.mean([one.rank == 1 for one in own])
            yield f"  {kind + ', all':<20} {len(own):3d} {first:16.0%} {'':>31} {precision(own):11.0%}"


STYLES = {
    OURS: ("#d1345b", "o-", 2.4),
    VALUES: ("#8f63b8", "^-", 1.6),
    "LASSO": ("#1f77b4", "s-", 1.4),
    "leave-one-out": ("#e9965a", "v-", 1.4),
    "influence": ("#5a9e6f", "P-", 1.4),
    "TracIn": ("#888888", "D-", 1.4),
}


def draw(found: Sequence[Fall], redundant: Sequence[Redundant], path: Path) -> None:
    """Draw the falls of both models as shares of those by ProxySPEX, and the interactions of the strongest pairs."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    kinds = [kind for kind in KINDS if any(one.kind == kind for one in found)]
    figure, axes = plt.subplots(1, len(kinds) + 1, figsize=(4.6 * (len(kinds) + 1), 4.2), layout="constrained")
    sizes = sorted({one.removed for one in found})
    for ax, kind in zip(axes, kinds, strict=False):
        best = np.array([of(found, kind, OURS, size).mean() for size in sizes])
        for method, (colour, style, width) in reversed(STYLES.items()):
            means = np.array([of(found, kind, method, size).mean() for size in sizes])
            ax.plot(range(len(sizes)), 100 * means / best, style, color=colour, lw=width, ms=5, label=method)
        ax.set(title=kind, xlabel="training points removed", ylim=(None, 105))
        ax.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        ax.grid(axis="y", color="#eeeeee")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("fall of the margin, % of that by ProxySPEX's sets")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], frameon=False, fontsize=9, loc="outside lower center", ncols=len(STYLES))
    draw_pairs(axes[-1], redundant)
    figure.suptitle("Removing the training points that a prediction hangs on, and retraining: digits", fontsize=11)
    figure.savefig(path, dpi=130, facecolor="white", metadata={"Software": None})
    plt.close(figure)


def draw_pairs(ax: Any, redundant: Sequence[Redundant]) -> None:
    """Draw the ten strongest pairs of every test point: planted ones, and others."""
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in redundant)]
    for height, kind in enumerate(kinds):
        own = [pair for one in redundant if one.kind == kind for pair in one.others]
        scale = max((abs(value) for value, _ in own), default=1.0)
        jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(own))
        for is_planted, colour, name in ((False, "#bbbbbb", "other pairs"), (True, "#d1345b", "a point and its copy")):
            places = [number for number, pair in enumerate(own) if pair[1] == is_planted]
            ax.scatter(
                [own[number][0] / scale for number in places],
                height + jitter[places] + (0.12 if is_planted else -0.12),
                s=16,
                color=colour,
                label=name if height == 0 else None,
                zorder=2 + is_planted,
            )
    ax.axvline(0, color="#444444", lw=0.8)
    ax.set(
        title="strongest pairs, with copies planted",
        xlabel="interaction, of the largest",
        xlim=(-1.08, 1.08),
    )
    ax.set_yticks(range(len(kinds)), [kind.replace(" ", "\n") for kind in kinds])
    ax.set_ylim(-0.6, len(kinds) - 0.2)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    ax.spines[["top", "right", "left"]].set_visible(False)


def write(found: Sequence[Fall], redundant: Sequence[Redundant], folder: Path) -> None:
    """Write the figures, and the plot, after every seed."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"falls": list(map(asdict, found)), "duplicates": list(map(asdict, redundant))}
    (folder / "data_attribution.json").write_text(json.dumps(content))
    draw(found, redundant, folder / "data_attribution.png")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=N_TRAIN)
    parser.add_argument("--test", type=int, default=N_TEST)
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--index", choices=("BV", "SV"), default=INDEX, help="BV: uniformly random masks; SV: spread")
    parser.add_argument("--out", type=Path, help="folder for data_attribution.json and data_attribution.png")
    options = parser.parse_args(arguments)
    found: list[Fall] = []
    redundant: list[Redundant] = []
    for kind in options.kinds:
        for seed in range(options.seeds):
            drawn = problem(kind, seed, options.train, options.test)
            some, faithfulness, seconds = falls(drawn, seed, budget=options.budget, index=options.index)
            print(f"{kind}, seed {seed}: faithfulness {faithfulness:.3f}, {seconds:.0f} s", flush=True)
            found += some
            redundant += duplicates(kind, seed, n_train=options.train, budget=options.budget)
            if options.out is not None:
                write(found, redundant, options.out)
        print("\n".join(table(found, kind)), flush=True)
    print("\n".join(duplicate_lines(redundant)))


if __name__ == "__main__":
    main()
