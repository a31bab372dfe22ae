"""Tree ensembles on many features, whose indices are exact: every leaf is a conjunction of players."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.benchmark.cases.conjunctions import Conjunction, Conjunctions
from captum_spex.benchmark.cases.source import CaseSource, Made
from captum_spex.masks import Masks
from captum_spex.threads import one_thread

PLAYERS = (30, 60, 200, 1000)
_N_ROWS, _N_INFORMATIVE, _NOISE = 800, 20, 0.3


@dataclass(frozen=True, eq=False)
class Tree:
    """A fitted tree: its split feature (-1 in leaves), children, values, and where two rows go at every node.

    ``goes_left`` is ``(2, n_nodes)``: the background row, whose features absent players show, and the explained one.
    """

    feature: Ints
    left: Ints
    right: Ints
    value: Floats
    goes_left: NDArray[np.bool_]

    def paths(self) -> Iterator[tuple[Conjunction, float]]:
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


def scikit_trees(model: Any, rows: Floats) -> Iterator[Tree]:
    """Read a forest, or boosted trees, of scikit-learn."""
    trees = np.ravel(model.estimators_)
    factor = getattr(model, "learning_rate", 1 / len(trees))
    for one in (tree.tree_ for tree in trees):
        goes_left = rows.astype(np.float32)[:, one.feature] <= one.threshold
        yield Tree(one.feature, one.children_left, one.children_right, factor * one.value[:, 0, 0], goes_left)


def lightgbm_trees(model: Any, rows: Floats) -> Iterator[Tree]:
    """Read an ensemble of LightGBM."""
    columns = ["node_index", "left_child", "right_child", "split_feature", "threshold", "value"]
    for _, table in model.booster_.trees_to_dataframe().groupby("tree_index", sort=True):
        place = {name: row for row, name in enumerate(table["node_index"])}
        feature = np.array([int(name[7:]) if isinstance(name, str) else -1 for name in table["split_feature"]])
        left, right = (np.array([place.get(name, -1) for name in table[side]]) for side in columns[1:3])
        goes_left = rows[:, feature] <= table["threshold"].to_numpy(dtype=float)
        yield Tree(feature, left, right, table["value"].to_numpy(dtype=float), goes_left)


def xgboost_trees(model: Any, rows: Floats) -> Iterator[Tree]:
    """Read an ensemble of XGBoost."""
    for _, table in model.get_booster().trees_to_dataframe().groupby("Tree", sort=True):
        place = {name: row for row, name in enumerate(table["ID"])}
        feature = np.array([-1 if name == "Leaf" else int(name[1:]) for name in table["Feature"]])
        left, right = (np.array([place.get(name, -1) for name in table[side]]) for side in ("Yes", "No"))
        goes_left = rows.astype(np.float32)[:, feature] < table["Split"].to_numpy(dtype=np.float32)
        yield Tree(feature, left, right, table["Gain"].to_numpy(dtype=float), goes_left)


def lightgbm_model(seed: int, **settings: int) -> Any:
    """Return an ensemble of LightGBM that is the same on every machine load."""
    fixed = {"n_jobs": 1, "random_state": seed, "verbosity": -1, "deterministic": True, "force_col_wise": True}
    return import_module("lightgbm").LGBMRegressor(**fixed, **settings)


def xgboost_model(seed: int) -> Any:
    """Return XGBoost's default ensemble; it has to be installed."""
    return import_module("xgboost").XGBRegressor(n_jobs=1, random_state=seed)


def scikit_model(name: str, seed: int, *sizes: int, **settings: float) -> Any:
    """Return an ensemble of scikit-learn."""
    return getattr(import_module("sklearn.ensemble"), name)(*sizes, random_state=seed, **settings)


@dataclass(frozen=True)
class Kind:
    """A kind of game: how the ensemble is made and read, and what data it learns."""

    model: Callable[[int], Any]
    trees: Callable[[Any, Floats], Iterator[Tree]]
    correlation: float = 0.0
    is_dense: bool = False


_forest: dict[str, Any] = {"n_estimators": 50, "min_samples_leaf": 5, "max_features": 0.3}
_deep: dict[str, Any] = {"n_estimators": 40, "min_samples_leaf": 2, "max_features": 0.3}
KINDS = {
    "few-leaves": Kind(partial(lightgbm_model, n_estimators=60, num_leaves=12), lightgbm_trees),
    "many-leaves": Kind(partial(lightgbm_model, n_estimators=150, num_leaves=31), lightgbm_trees, 0.5),
    "xgboost": Kind(xgboost_model, xgboost_trees, 0.5),
    "boosting": Kind(partial(scikit_model, "GradientBoostingRegressor"), scikit_trees, is_dense=True),
    "forest": Kind(partial(scikit_model, "RandomForestRegressor", **_forest), scikit_trees),
    "deep-forest": Kind(partial(scikit_model, "ExtraTreesRegressor", **_deep), scikit_trees, 0.5, is_dense=True),
}


def data(kind: Kind, n_features: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw rows, perhaps with a common factor, and a target: linear, steps, products, few features or half of all."""
    common = rng.normal(size=(_N_ROWS, 1))
    rows = np.sqrt(1 - kind.correlation) * rng.normal(size=(_N_ROWS, n_features)) + np.sqrt(kind.correlation) * common
    count = max(n_features // 2, _N_INFORMATIVE) if kind.is_dense else _N_INFORMATIVE
    a, b, c, d = np.array_split(rng.permutation(n_features)[:count], 4)
    linear = rows[:, a] @ rng.normal(size=len(a)) + (rows[:, b] > rng.normal(size=len(b)) / 2) @ rng.normal(size=len(b))
    paired = (rows[:, c] * np.roll(rows[:, c], 1, axis=1)).sum(axis=1)
    products = paired + (np.minimum(rows[:, d], 0) * rows[:, b[:1]]).sum(axis=1)
    signal = linear / linear.std() + products / products.std()
    return rows, signal + _NOISE * rng.normal(size=_N_ROWS)


def ensemble_game(name: str, n_features: int, seed: int) -> tuple[Conjunctions, Callable[[Masks], Floats]]:
    """Train an ensemble and pick two rows; return the game and what the ensemble itself predicts, up to a constant."""
    kind, rng = KINDS[name], np.random.default_rng((seed, n_features))
    rows, target = data(kind, n_features, rng)
    with one_thread():
        model = kind.model(seed).fit(rows[2:], target[2:])
    background, row = rows[:2]
    paths: dict[Conjunction, float] = {}
    for tree in kind.trees(model, rows[:2]):
        for path, value in tree.paths():
            paths[path] = paths.get(path, 0.0) + value
    return Conjunctions.of_paths(paths, n_features), lambda masks: model.predict(np.where(masks, row, background))


def made(kind: str, n_players: int) -> Made:
    """Make the game of an ensemble, which is its own exact answer."""
    game, _ = ensemble_game(kind, n_players, seed=0)
    return game, game


_ABOUT = "{} on {:,} made features; a present player shows a row's feature, an absent one that of another row."
SOURCES = tuple(
    CaseSource(f"trees-{name}-{n}", "tree ensembles", n, _ABOUT.format(what, n), partial(made, kind, n), requirement)
    for name, kind, what, requirement in (
        ("lightgbm", "few-leaves", "LightGBM, 60 trees of 12 leaves,", None),
        ("xgboost", "xgboost", "XGBoost with its default settings", ("xgboost", "pip install xgboost")),
        ("forest", "forest", "A random forest of 50 trees", None),
    )
    for n in PLAYERS
)
