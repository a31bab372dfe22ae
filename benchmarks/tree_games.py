"""Tree ensembles on many features, whose Shapley values and SII are known exactly, beside the best of shapiq.

    python -m benchmarks.tree_games [--kinds ...] [--players 60] [--budgets 120 300] [--seeds 3] [--rivals ...]

A present player shows the ensemble the explained row's feature, an absent one that of one background row, so every
leaf is a conjunction of players present and absent, and its indices have a closed form. Counted evaluations are equal.
Errors are squared and relative to the squares of the exact values: of Shapley values, and of SII of all pairs; a
cell is the median over seeds, each with data, ensemble and rows of its own. ``best``: the rival whose median is least.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import combinations
from statistics import median
from typing import Any

import lightgbm
import numpy as np
import torch
from scipy.special import beta
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor
from threadpoolctl import threadpool_limits

import captum_spex
from captum_spex import Interactions
from captum_spex.benchmark.methods.adapter import Adapter, RowsGame
from captum_spex.benchmark.protocol import Answer, Request
from captum_spex.masks import Masks
from captum_spex.player_sets import PlayerSets, sum_by_set
from captum_spex.terms import Terms

CELLS = {60: (120, 300, 600, 1200), 200: (500, 2000), 1000: (2000,)}
N_ROWS, N_INFORMATIVE = 800, 20
HALF, QUARTER, ENOUGH = 0.5, 0.25, 10  # targets: shares of the best rival's error; the second from 10 n evaluations on


# --- games ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TreeGame:
    """A sum of conjunctions: ``values`` where the players of a path are all present (sign 1) or absent (sign -1).

    ``players`` and ``signs`` are ``(n_paths, longest)``, padded with -1 and 0.
    """

    n_players: int
    players: np.ndarray
    signs: np.ndarray
    values: np.ndarray

    @classmethod
    def of_paths(cls, n_players: int, paths: dict[frozenset[tuple[int, int]], float]) -> TreeGame:
        """Lay out paths, each a set of (player, sign), with their values."""
        width = max(map(len, paths))
        players, signs = np.full((len(paths), width), -1), np.zeros((len(paths), width), dtype=int)
        for row, path in enumerate(paths):
            for column, step in enumerate(sorted(path)):
                players[row, column], signs[row, column] = step
        return cls(n_players, players, signs, np.array(list(paths.values())))

    def __call__(self, masks: Masks) -> np.ndarray:
        """Return the values of masks."""
        tests = np.zeros((self.n_players + 1, len(self.values)), dtype=np.float32)
        tests[self.players, np.arange(len(self.values))[:, None]] = self.signs
        satisfied = (2.0 * np.asarray(masks, dtype=np.float32) - 1) @ tests[: self.n_players]
        return (satisfied == np.abs(self.signs).sum(axis=1)) @ self.values

    def sii(self, order: int) -> Terms:
        r"""Return the exact SII of one order.

        The conjunction of A absent and B present has :math:`(-1)^{|S \cap A|} a!\, b! / (a + b + 1)!` for every S
        among its players, with :math:`a = |A \setminus S|`, :math:`b = |B \setminus S|`; 0 for all other sets.
        """
        n_absent, n_present = (self.signs < 0).sum(axis=1), (self.signs > 0).sum(axis=1)
        blocks, values = [np.zeros((0, order), dtype=int)], [np.zeros(0)]
        for columns in map(list, combinations(range(self.players.shape[1]), order)):
            signs = self.signs[:, columns]
            rows = np.flatnonzero((signs != 0).all(axis=1))
            a, b = ((side[rows] - (signs[rows] == sign).sum(1)) for side, sign in ((n_absent, -1), (n_present, 1)))
            blocks.append(self.players[rows][:, columns])
            values.append(self.values[rows] * signs[rows].prod(axis=1) * beta(a + 1, b + 1))
        return Terms(*sum_by_set(PlayerSets.from_blocks(blocks, self.n_players), np.concatenate(values)))


@dataclass(frozen=True, eq=False)
class Tree:
    """A fitted tree: its split feature (-1 in leaves), children, values, and where two rows go at every node."""

    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    goes_left: np.ndarray

    def paths(self) -> Iterator[tuple[frozenset[tuple[int, int]], float]]:
        """Yield the conjunction and value of every leaf that a mixture of the background and the row can reach."""
        waiting: list[tuple[int, dict[int, int]]] = [(0, {})]
        while waiting:
            node, path = waiting.pop()
            feature = int(self.feature[node])
            if feature < 0:
                yield frozenset(path.items()), float(self.value[node])
                continue
            sides = {sign: int((self.left if left else self.right)[node])
                     for sign, left in zip((-1, 1), self.goes_left[:, node], strict=True)}  # fmt: skip
            if sides[-1] == sides[1]:
                waiting.append((sides[1], path))
            else:
                waiting += [(child, {**path, feature: sign}) for sign, child in sides.items()
                            if path.get(feature, sign) == sign]  # fmt: skip


def scikit_trees(model: Any, rows: np.ndarray) -> Iterator[Tree]:
    """Read a forest, or boosted trees, of scikit-learn."""
    trees = np.ravel(model.estimators_)
    factor = getattr(model, "learning_rate", 1 / len(trees))
    for one in (tree.tree_ for tree in trees):
        goes_left = rows.astype(np.float32)[:, one.feature] <= one.threshold
        yield Tree(one.feature, one.children_left, one.children_right, factor * one.value[:, 0, 0], goes_left)


def lightgbm_trees(model: Any, rows: np.ndarray) -> Iterator[Tree]:
    """Read an ensemble of LightGBM."""
    columns = ["node_index", "left_child", "right_child", "split_feature", "threshold", "value"]
    for _, table in model.booster_.trees_to_dataframe().groupby("tree_index", sort=True):
        place = {name: row for row, name in enumerate(table["node_index"])}
        feature = np.array([int(name[7:]) if isinstance(name, str) else -1 for name in table["split_feature"]])
        left, right = (np.array([place.get(name, -1) for name in table[side]]) for side in columns[1:3])
        goes_left = rows[:, feature] <= table["threshold"].to_numpy(dtype=float)
        yield Tree(feature, left, right, table["value"].to_numpy(dtype=float), goes_left)


def xgboost_trees(model: Any, rows: np.ndarray) -> Iterator[Tree]:
    """Read an ensemble of XGBoost."""
    for _, table in model.get_booster().trees_to_dataframe().groupby("Tree", sort=True):
        place = {name: row for row, name in enumerate(table["ID"])}
        feature = np.array([-1 if name == "Leaf" else int(name[1:]) for name in table["Feature"]])
        left, right = (np.array([place.get(name, -1) for name in table[side]]) for side in ("Yes", "No"))
        goes_left = rows.astype(np.float32)[:, feature] < table["Split"].to_numpy(dtype=np.float32)
        yield Tree(feature, left, right, table["Gain"].to_numpy(dtype=float), goes_left)


def xgboost_model(seed: int) -> Any:
    """Return XGBoost's default ensemble; it has to be installed."""
    return import_module("xgboost").XGBRegressor(n_jobs=1, random_state=seed)


def lightgbm_model(seed: int, **settings: int) -> Any:
    """Return an ensemble of LightGBM."""
    return lightgbm.LGBMRegressor(n_jobs=1, random_state=seed, verbosity=-1, **settings)


@dataclass(frozen=True)
class Kind:
    """A kind of game: how the ensemble is made and read, and what data it learns."""

    model: Callable[[int], Any]
    trees: Callable[[Any, np.ndarray], Iterator[Tree]]
    correlation: float = 0.0
    is_dense: bool = False


KINDS = {
    "few-leaves": Kind(lambda seed: lightgbm_model(seed, n_estimators=60, num_leaves=12), lightgbm_trees),
    "many-leaves": Kind(lambda seed: lightgbm_model(seed, n_estimators=150, num_leaves=31), lightgbm_trees, 0.5),
    "xgboost": Kind(xgboost_model, xgboost_trees, 0.5),
    "boosting": Kind(lambda seed: GradientBoostingRegressor(random_state=seed), scikit_trees, is_dense=True),
    "forest": Kind(
        lambda seed: RandomForestRegressor(50, min_samples_leaf=5, max_features=0.3, random_state=seed), scikit_trees
    ),
    "deep-forest": Kind(
        lambda seed: ExtraTreesRegressor(40, min_samples_leaf=2, max_features=0.3, random_state=seed),
        scikit_trees,
        0.5,
        is_dense=True,
    ),
}


def data(kind: Kind, n_features: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows, perhaps with a common factor, and a target: linear, steps, products, few features or half of all."""
    common = rng.normal(size=(N_ROWS, 1))
    rows = np.sqrt(1 - kind.correlation) * rng.normal(size=(N_ROWS, n_features)) + np.sqrt(kind.correlation) * common
    count = max(n_features // 2, N_INFORMATIVE) if kind.is_dense else N_INFORMATIVE
    a, b, c, d = np.array_split(rng.permutation(n_features)[:count], 4)
    linear = rows[:, a] @ rng.normal(size=len(a)) + (rows[:, b] > rng.normal(size=len(b)) / 2) @ rng.normal(size=len(b))
    products = (rows[:, c] * np.roll(rows[:, c], 1, axis=1)).sum(1) + (np.minimum(rows[:, d], 0) * rows[:, b[:1]]).sum(
        1
    )
    signal = linear / linear.std() + products / products.std()
    return rows, signal + 0.3 * rng.normal(size=N_ROWS)


def made(name: str, n_features: int, seed: int) -> tuple[TreeGame, Callable[[Masks], np.ndarray]]:
    """Train an ensemble and pick two rows; return the game and what the ensemble itself predicts, up to a constant."""
    kind, rng = KINDS[name], np.random.default_rng((seed, n_features))
    rows, target = data(kind, n_features, rng)
    model = kind.model(seed).fit(rows[2:], target[2:])
    background, row = rows[:2]
    paths: dict[frozenset[tuple[int, int]], float] = {}
    for tree in kind.trees(model, rows[:2]):
        for path, value in tree.paths():
            paths[path] = paths.get(path, 0.0) + value
    return TreeGame.of_paths(n_features, paths), lambda masks: model.predict(np.where(masks, row, background))


# --- methods -------------------------------------------------------------------------------------------------------


def of_shapiq(name: str, kind: str, order: int, largest: int = 10**9, **settings: Any) -> Adapter:
    """Return a rival that estimates Shapley values, and for order 2 SII of pairs."""
    index = {"index": "SII", "max_order": 2} if order == 2 else {}

    def explain(game: RowsGame, request: Request) -> Answer:
        approximator = getattr(import_module("shapiq.approximator"), kind)(
            n=request.n_players, random_state=request.seed, **index, **settings
        )
        found = approximator.approximate(request.budget, game)
        terms = {players: float(value) for players, value in found.dict_values.items() if players}
        shapley = np.array([terms.get((player,), 0.0) for player in range(request.n_players)])
        return Answer(None, shapley, {players: value for players, value in terms.items() if len(players) == 2})

    def refusal(request: Request) -> str | None:
        return f"takes too long or too much memory beyond {largest} players" if request.n_players > largest else None

    return Adapter(name, "shapiq", f"shapiq.approximator.{kind}", explain, refusal)


def explain_ours(game: RowsGame, request: Request) -> Answer:
    """Explain by `ProxySpex` at its defaults."""
    result = captum_spex.explain(
        game.game, request.n_players, index="SII", max_order=2, budget=request.budget, random_state=request.seed
    )
    assert isinstance(result, Interactions)
    pairs = np.flatnonzero(result.orders == 2)
    values = dict(zip(result.sets.take(pairs).tuples(), result.values[pairs].tolist(), strict=True))
    return Answer(None, result.first_order(), values)


OURS = "ProxySpex"
METHODS = {
    method.name: method
    for method in (
        Adapter(OURS, "captum-spex", "captum_spex.approximators.ProxySpex", explain_ours),
        of_shapiq("ProxySHAP", "ProxySHAP", 2),
        of_shapiq("ProxySHAP+MSR", "ProxySHAP", 2, 200, adjustment=True),
        of_shapiq("OddSHAP", "OddSHAP", 1),
        of_shapiq("LeverageSHAP", "LeverageSHAP", 1),
        of_shapiq("KernelSHAP", "KernelSHAP", 1),
        of_shapiq("RegressionMSR", "RegressionMSR", 1, index="SV"),
        of_shapiq("ProxySPEX", "ProxySPEX", 2, 200),
        of_shapiq("SVARM-IQ", "SVARMIQ", 2, 60),
        of_shapiq("KernelSHAP-IQ", "KernelSHAPIQ", 2, 60),
    )
}
SLOW = "ProxySPEX", "SVARM-IQ", "KernelSHAP-IQ"  # only if asked for


# --- measurement ---------------------------------------------------------------------------------------------------


@dataclass
class Counted:
    """A game that counts its evaluations, a mask that was seen before too."""

    game: TreeGame
    count: int = 0

    def __call__(self, masks: Masks) -> np.ndarray:
        self.count += len(masks)
        return self.game(masks)


@dataclass(frozen=True)
class Exact:
    """The exact answer of a game, and relative squared errors."""

    game: TreeGame
    first: np.ndarray = field(init=False)
    pairs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n, first = self.game.n_players, self.game.sii(1)
        object.__setattr__(self, "first", np.zeros(n))
        self.first[first.sets.players] = first.values
        pairs = self.game.sii(2)
        object.__setattr__(self, "pairs", square(dict(zip(pairs.sets.tuples(), pairs.values, strict=True)), n))

    def errors(self, answer: Answer) -> tuple[float, float]:
        """Return the errors of Shapley values, and of SII of pairs."""
        n = self.game.n_players
        both = (answer.shapley, self.first), (square(answer.interactions, n), self.pairs)
        of_first, of_pairs = (float(((found - exact) ** 2).sum() / (exact**2).sum()) for found, exact in both)
        return of_first, of_pairs if answer.interactions else float("nan")


def square(values: Any, n_players: int) -> np.ndarray:
    """Return values of pairs as a matrix, above the diagonal."""
    found = np.zeros((n_players, n_players))
    if values:
        rows, columns = np.array(list(values)).T
        found[rows, columns] = list(values.values())
    return found


def runs(
    kind: str, n_players: int, budget: int, seeds: int, names: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
    """Return the two errors of every method that can answer, for every seed."""
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        exact, request = Exact(made(kind, n_players, seed)[0]), Request(n_players, budget, seed)
        for name in names:
            method, game = METHODS[name], Counted(exact.game)
            if method.missing() or method.refusal(request):
                continue
            answer = method(game, request)
            if game.count > budget:
                raise RuntimeError(f"{name} took {game.count} evaluations instead of {budget}")
            found.setdefault(name, []).append(exact.errors(answer))
    return found


def cell(errors: dict[str, list[tuple[float, float]]], which: int, target: float) -> str:
    """Return the columns of one figure: ours, the best rival, their ratio, and whether the target is reached."""
    medians = {name: median(pair[which] for pair in pairs) for name, pairs in errors.items()}
    rivals = {name: value for name, value in medians.items() if name != OURS and not np.isnan(value)}
    if not rivals:
        return f"{medians[OURS]:>9.2g} {'-':>9} {'-':<14} {'-':>6}    "
    best = min(rivals, key=rivals.__getitem__)
    ratio = medians[OURS] / rivals[best]
    return (
        f"{medians[OURS]:>9.2g} {rivals[best]:>9.2g} {best:<14} {ratio:>6.2f} {'yes' if ratio <= target else 'no':<3}"
    )


def lines(chosen: argparse.Namespace) -> Iterator[str]:
    """Measure every kind at every number of players and every budget."""
    for method in METHODS.values():
        if method.missing():
            yield f"{method.name}: {method.missing()}"
    yield f"targets: {HALF} of the best rival's error, {QUARTER} from {ENOUGH} evaluations for each player on"
    columns = f"{'ours':>9} {'rival':>9} {'best':<14} {'ratio':>6}    "
    yield "Shapley values, then SII of pairs"
    yield f"{'kind':<12} {'n':>4} {'evals':>5} {'seeds':>5} | {columns} | {columns}"
    for kind in chosen.kinds:
        for n_players in chosen.players:
            for budget in chosen.budgets or CELLS.get(n_players, (10 * n_players,)):
                errors = runs(kind, n_players, budget, chosen.seeds, [OURS, *chosen.rivals])
                target = QUARTER if budget >= ENOUGH * n_players else HALF
                both = " | ".join(cell(errors, which, target) for which in range(2))
                yield f"{kind:<12} {n_players:>4} {budget:>5} {chosen.seeds:>5} | {both}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rivals = [name for name in METHODS if name != OURS]
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--players", type=int, nargs="+", default=list(CELLS))
    parser.add_argument("--budgets", type=int, nargs="+", help="default: those of the targets")
    parser.add_argument("--seeds", type=int, default=3)
    usual = [name for name in rivals if name not in SLOW]
    parser.add_argument("--rivals", nargs="*", default=usual, choices=rivals, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for line in lines(chosen):
            print(line, flush=True)


if __name__ == "__main__":
    main()
