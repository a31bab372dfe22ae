"""The SHAP explainers against SHAP's own: errors at equal evaluations, time per mask, many rows in one call.

    python -m benchmarks.explainers accuracy [--players 30 100 1000] [--names forest network]
    python -m benchmarks.explainers overhead
    python -m benchmarks.explainers rows [--rows 1000]

``accuracy``: Shapley values of `ProxySpexExplainer` against `shap.PermutationExplainer` and `shap.KernelExplainer` (its
default ``l1_reg``, and without) on models of scikit-learn's breast-cancer data (30 features), of patches of its two
photographs (100 and 1,000 pixels), of a text, and on a sparse polynomial. There is one background row, so that a mask
is a row of the model; rows are counted. True values are closed forms, but for ``deep`` and ``text``: there they are
permutation sampling with many evaluations, whose own standard error is shown. "own s" are the seconds outside of the
model. One thread, and seconds of the processor: those on the clock where nothing else runs.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from statistics import geometric_mean, median
from typing import Any

import lightgbm
import numpy as np
import shap
import torch
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_sample_images
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits
from transformers.utils import logging

import captum_spex
from benchmarks.lines import Line
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.explainers import ProxySpexExplainer
from captum_spex.explainers.background import Background
from captum_spex.explainers.masker_game import MaskerGame
from captum_spex.explaining import default_budget
from captum_spex.games.text import ClassificationGame, embedded_model
from tools.made_games import TEXTS, split_data

Model = Callable[[Any], np.ndarray]

# By number of players: permutations of `shap.PermutationExplainer` that make the budgets, 2 n + 1 evaluations each, and
# rows to explain. For 30 and 100 players the smaller budget is the next above the explainer's default.
PERMUTATIONS = {30: (10, 20), 100: (14, 28), 1000: (1, 2)}
N_ROWS = {30: 3, 100: 2, 1000: 1}
TARGET = 0.5  # of the error of the better rival
TINY = 1e-12  # its permutations are exact where there are only pairs
PATCHES = {100: (10, 10), 1000: (25, 40)}  # pixels
N_PATCHES = 1500  # of each photograph
N_TERMS, MOST_FEATURES = 30, 4  # of the polynomial

MASKS_PER_CALL = 1 << 14
SAMPLED = {"deep": 2_000_000, "text": 100_000}  # evaluations of the true values that are no closed form
CONTROL_SEED = 7919
TOLERANCE = 1e-6  # of a closed form
MOST_NODES = 64

OVERHEAD_CASES = ((10, 1), (100, 1), (1000, 1), (100, 100))  # players, background rows
OVERHEAD_MASKS = {1: 4000, 100: 500}  # by background rows
ASKED_ALONE = 2  # masks of a run that are also evaluated alone, beside its budget
OVERHEAD_TARGET = 5.0  # microseconds, 100 players and 1 background row


class Counted:
    """A model that counts its rows and the seconds spent in it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.n_rows = 0
        self.seconds = 0.0

    def __call__(self, rows: Any) -> np.ndarray:
        start = time.process_time()
        values = self.model(rows)
        self.seconds += time.process_time() - start
        self.n_rows += len(rows)
        return values


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long a call takes, and what it returns."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


# --- exact Shapley values ------------------------------------------------------------------------------------------


def of_products(coefficients: np.ndarray, present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    r"""Return Shapley values of a sum of products, each player with one factor when present and another when not.

    :math:`\phi_i = \int_0^1 \sum_k c_k (p_{ki} - q_{ki}) \prod_{j \ne i} ((1 - t) q_{kj} + t p_{kj}) dt`, a polynomial
    in t: exact by Gauss and Legendre, but that more than 128 players get no more than 64 nodes.
    """
    nodes, weights = np.polynomial.legendre.leggauss(min(ceil((present.shape[1] + 1) / 2), MOST_NODES))
    steps, total = present - absent, np.zeros(present.shape[1], dtype=np.result_type(coefficients, present))
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        factors = absent + node * steps
        total += weight * ((coefficients * factors.prod(axis=1)) @ (steps / factors))
    return total.real


def cosines(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and complex coefficients of a trigonometric sum that is a function on an interval."""
    places = (low + high) / 2 + (high - low) / 2 * np.cos(np.linspace(0, np.pi, 8192))
    for count in (16, 32, 64, 128, 256, 512, 1024):
        frequencies = np.pi * np.arange(count) / (high - low)  # of twice the interval: it need not close on itself
        some = places[:: max(1, len(places) // (6 * count))]
        angles = some[:, None] * frequencies
        solution = np.linalg.lstsq(np.hstack([np.cos(angles), np.sin(angles)]), function(some), rcond=1e-12)[0]
        coefficients = solution[:count] - 1j * solution[count:]
        test = np.linspace(low, high, 3001)
        if np.abs((np.exp(1j * test[:, None] * frequencies) @ coefficients).real - function(test)).max() < TOLERANCE:
            return frequencies, coefficients
    raise ValueError(f"no trigonometric sum for the interval from {low:.3g} to {high:.3g}")


def of_ridges(
    function: Callable[[np.ndarray], np.ndarray],
    weights: np.ndarray,
    shifts: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Return Shapley values of ``sum_h weights[h] * function(shifts[h] + sum of steps[h, j] over present j)``."""
    low = (shifts + np.minimum(steps, 0).sum(axis=1)).min()
    high = (shifts + np.maximum(steps, 0).sum(axis=1)).max()
    frequencies, coefficients = cosines(function, low, high)
    total = np.zeros(steps.shape[1])
    for weight, shift, own in zip(weights, shifts, steps, strict=True):
        present = np.exp(1j * frequencies[:, None] * own)
        total += weight * of_products(coefficients * np.exp(1j * frequencies * shift), present, np.ones_like(present))
    return total


def of_trees(model: Any, background: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return the exact Shapley values of trees, of the second of two classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a version of LightGBM returns
        found = shap.TreeExplainer(model, background, feature_perturbation="interventional").shap_values(row)
    values = np.asarray(found[1] if isinstance(found, list) else found)
    return values[0, :, 1] if values.ndim == 3 else values[0]


def sampled(values: Model, n_players: int, evaluations: int, control: Any = None) -> tuple[np.ndarray, float]:
    """Return Shapley values from random permutations, each also backwards, and the relative standard error.

    With a control, a game that resembles this one and whose Shapley values are known, only the difference is sampled:
    no less right, whatever the control, but with less variance.
    """
    rng = np.random.default_rng(CONTROL_SEED)
    known = np.zeros(n_players) if control is None else control.first_order()
    pairs = []
    for _ in range(max(2, evaluations // (2 * n_players))):
        order = rng.permutation(n_players)
        both = []
        for one in (order, order[::-1]):
            masks = np.zeros((n_players + 1, n_players), dtype=bool)
            masks[1:, one] = np.tri(n_players, dtype=bool)
            both.append((one, masks))
        masks = np.concatenate([both[0][1], both[1][1]])
        differences = values(masks) - (0.0 if control is None else control.model(masks))
        marginal = np.zeros((2, n_players))
        for number, (one, _) in enumerate(both):
            part = differences[number * (n_players + 1) : (number + 1) * (n_players + 1)]
            marginal[number, one] = np.diff(part)
        pairs.append(marginal.mean(axis=0))
    shapley = known + np.mean(pairs, axis=0)
    error = np.sqrt((np.var(pairs, axis=0, ddof=1) / len(pairs)).sum())
    return shapley, float(error / np.linalg.norm(shapley))


# --- the games -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """A model, what hides its inputs, and a row, with the Shapley values: exact, or with a relative standard error."""

    model: Model
    background: np.ndarray  # (1, n)
    row: np.ndarray  # (1, n)
    shapley: np.ndarray  # (n,)
    error: float = 0.0


@dataclass(frozen=True, eq=False)
class Table:
    """Standardised rows of two classes; what hides a feature is its mean, 0."""

    train: np.ndarray
    labels: np.ndarray
    test: np.ndarray

    @property
    def background(self) -> np.ndarray:
        return np.zeros((1, self.train.shape[1]))


def photograph_patches(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return grey patches of two photographs, and of which one each is."""
    rng = np.random.default_rng(0)
    patches = []
    for image in load_sample_images().images:
        grey = image.mean(axis=2)
        tops = rng.integers(grey.shape[0] - height + 1, size=N_PATCHES)
        lefts = rng.integers(grey.shape[1] - width + 1, size=N_PATCHES)
        patches += [grey[a : a + height, b : b + width].ravel() for a, b in zip(tops, lefts, strict=True)]
    order = rng.permutation(2 * N_PATCHES)
    return np.array(patches)[order], (order >= N_PATCHES).astype(int)


@cache
def table(n_players: int) -> Table:
    """Return the rows to train on and to explain."""
    if n_players == 30:
        train, test, labels, _ = split_data(load_breast_cancer)
    else:
        patches, of_second = photograph_patches(*PATCHES[n_players])
        cut = len(patches) * 3 // 4
        train, test, labels = patches[:cut], patches[cut:], of_second[:cut]
    mean, spread = train.mean(axis=0), train.std(axis=0)
    return Table((train - mean) / spread, labels, (test - mean) / spread)


@cache
def trained(name: str, n_players: int) -> Any:
    """Train a model on the rows."""
    few = 32 if n_players < 1000 else 16
    untrained = {
        "forest": lambda: RandomForestClassifier(n_estimators=100, n_jobs=1, random_state=0),
        "boosting": lambda: lightgbm.LGBMClassifier(n_estimators=100, n_jobs=1, verbosity=-1, random_state=0),
        "svm": SVC,
        "logistic": lambda: LogisticRegression(C=0.1, max_iter=1000),
        "network": lambda: MLPClassifier((few,), activation="tanh", alpha=0.01, max_iter=100, random_state=0),
        "deep": lambda: MLPClassifier((64, 32), alpha=0.01, max_iter=100, random_state=0),
    }
    rows = table(n_players)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network that could be trained longer
        return untrained[name]().fit(rows.train, rows.labels)


def forest_case(n_players: int, instance: int) -> Case:
    """A random forest's probability."""
    forest, rows = trained("forest", n_players), table(n_players)
    background, row = rows.background, rows.test[[instance]]
    return Case(lambda x: forest.predict_proba(x)[:, 1], background, row, of_trees(forest, background, row))


def boosting_case(n_players: int, instance: int) -> Case:
    """Boosted trees' log-odds."""
    booster, rows = trained("boosting", n_players).booster_, table(n_players)
    background, row = rows.background, rows.test[[instance]]
    model = partial(booster.predict, raw_score=True, num_threads=1)
    return Case(model, background, row, of_trees(booster, background, row))


def svm_case(n_players: int, instance: int) -> Case:
    """A support vector machine's decision function, with the Gaussian kernel: a sum of products over features."""
    svm, rows = trained("svm", n_players), table(n_players)
    gamma = 1 / (n_players * rows.train.var())
    present, absent = (
        np.exp(-gamma * (x - svm.support_vectors_) ** 2) for x in (rows.test[[instance]], rows.background)
    )
    shapley = of_products(svm.dual_coef_[0], present, absent)
    return Case(svm.decision_function, rows.background, rows.test[[instance]], shapley)


def logistic_case(n_players: int, instance: int) -> Case:
    """A logistic regression's probability."""
    fitted, rows = trained("logistic", n_players), table(n_players)
    row = rows.test[[instance]]
    shapley = of_ridges(expit, np.ones(1), fitted.intercept_, fitted.coef_ * row)
    return Case(lambda x: fitted.predict_proba(x)[:, 1], rows.background, row, shapley)


def network_case(n_players: int, instance: int) -> Case:
    """The log-odds of a network with one layer."""
    network, rows = trained("network", n_players), table(n_players)
    row, (first, last), (shifts, shift) = rows.test[[instance]], network.coefs_, network.intercepts_
    shapley = of_ridges(np.tanh, last[:, 0], shifts, first.T * row)
    return Case(lambda x: np.tanh(x @ first + shifts) @ last[:, 0] + shift[0], rows.background, row, shapley)


def deep_case(n_players: int, instance: int) -> Case:
    """The probability of a network with two layers."""
    network, rows = trained("deep", n_players), table(n_players)
    row = rows.test[[instance]]

    def model(x: np.ndarray) -> np.ndarray:
        return network.predict_proba(x)[:, 1]

    shapley, error = sampled(lambda masks: model(masks * row), n_players, SAMPLED["deep"])
    return Case(model, rows.background, row, shapley, error)


def text_case(n_players: int, instance: int) -> Case:
    """A small classifier's logit for a text, with words as players; a row says which are there."""
    words = " ".join(text for _, text in (*TEXTS[instance:], *TEXTS[:instance])).split()
    game = ClassificationGame(*embedded_model(), " ".join(words[:n_players]), target="positive")
    budget = default_budget(n_players)
    control = captum_spex.explain(game, budget=budget, index="SV", max_order=1, random_state=CONTROL_SEED)
    shapley, error = sampled(game, n_players, SAMPLED["text"], control)
    nothing = np.zeros((1, n_players))
    return Case(lambda x: game(np.asarray(x) > 0.5), nothing, nothing + 1, shapley, error)


def polynomial_case(n_players: int, instance: int) -> Case:
    """A sum of few products of features, on a row of ones."""
    rng = np.random.default_rng(instance)
    products = [rng.choice(n_players, rng.integers(1, MOST_FEATURES + 1), replace=False) for _ in range(N_TERMS)]
    coefficients = rng.normal(size=N_TERMS)
    shapley = np.zeros(n_players)
    for features, coefficient in zip(products, coefficients, strict=True):
        shapley[features] += coefficient / len(features)

    def model(x: np.ndarray) -> np.ndarray:
        return sum(c * x[:, features].prod(axis=1) for c, features in zip(coefficients, products, strict=True))

    nothing = np.zeros((1, n_players))
    return Case(model, nothing, nothing + 1, shapley)


CASES: dict[str, Callable[[int, int], Case]] = {
    "forest": forest_case,
    "boosting": boosting_case,
    "svm": svm_case,
    "logistic": logistic_case,
    "network": network_case,
    "deep": deep_case,
    "text": text_case,
    "polynomial": polynomial_case,
}
MOST_WORDS = 100  # more do not fit into the model of texts


def make(name: str, n_players: int, instance: int) -> Case:
    """Make a case; its Shapley values sum to what they have to, or its truth is none."""
    case = CASES[name](n_players, instance)
    total = case.model(case.row)[0] - case.model(case.background)[0]
    scale = np.abs(case.shapley).sum()
    np.testing.assert_allclose(case.shapley.sum(), total, rtol=0, atol=100 * TOLERANCE * scale)
    return case


# --- errors at equal evaluations -----------------------------------------------------------------------------------


def ours(model: Model, case: Case, budget: int, seed: int) -> np.ndarray:
    """Explain with `ProxySpexExplainer`."""
    return ProxySpexExplainer(model, case.background, seed=seed)(case.row, max_evals=budget, silent=True).values[0]


def permutation(model: Model, case: Case, budget: int, seed: int) -> np.ndarray:
    """Explain with SHAP's permutations."""
    explainer = shap.PermutationExplainer(model, shap.maskers.Independent(case.background), seed=seed)
    return explainer(case.row, max_evals=budget, silent=True).values[0]


def kernel(model: Model, case: Case, budget: int, seed: int, **settings: Any) -> np.ndarray:
    """Explain with SHAP's regression, which asks for both ends beyond ``nsamples``."""
    np.random.seed(seed)  # noqa: NPY002  what SHAP draws from
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a singular regression
        explainer = shap.KernelExplainer(model, case.background)
        return explainer.shap_values(case.row, nsamples=budget - 2, silent=True, **settings)[0]


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "ours": ours,
    "permutation": permutation,
    "kernel": kernel,
    "no l1": partial(kernel, l1_reg=False),
}


@dataclass(frozen=True)
class Figures:
    """Mean relative error over rows, mean seconds outside of the model, most rows of the model."""

    error: float
    seconds: float
    n_rows: int


def measured(method: Callable[..., np.ndarray], cases: Sequence[Case], budget: int, seed: int) -> Figures:
    """Explain every row, and compare."""
    errors, spent, n_rows = [], [], []
    for number, case in enumerate(cases):
        model = Counted(case.model)
        took, found = timed(lambda model=model, case=case, number=number: method(model, case, budget, seed + number))
        errors.append(float(np.linalg.norm(found - case.shapley) / np.linalg.norm(case.shapley)))
        spent.append(took - model.seconds)
        n_rows.append(model.n_rows)
        if model.n_rows > budget + ASKED_ALONE:
            raise ValueError(f"{model.n_rows} rows of the model, more than {budget}")
    return Figures(float(np.mean(errors)), float(np.mean(spent)), max(n_rows))


def accuracy_line(name: str, n_players: int, budget: int, cases: Sequence[Case], seed: int) -> tuple[str, float]:
    """Return the line of a game and a budget, and the ratio to the better rival."""
    figures = {label: measured(method, cases, budget, seed) for label, method in METHODS.items()}
    mine, *rivals = figures.values()
    ratio = mine.error / max(TINY, min(rival.error for rival in rivals))
    error = max(case.error for case in cases)
    truth = f"{error:>8.4f}" if error else f"{'exact':>8}"
    line = f"{name:<11} {n_players:>5} {budget:>6} {len(cases):>4} |"
    line += "".join(f" {one.error:>11.4f}" for one in figures.values()) + f" {truth} | {ratio:>6.3f} "
    line += f"{'yes' if ratio <= TARGET else 'no':<3} |" + "".join(f" {one.n_rows:>11}" for one in figures.values())
    return line + " |" + "".join(f" {one.seconds:>11.2f}" for one in figures.values()), ratio


def accuracy_lines(
    players: Sequence[int], names: Sequence[str], n_rows: int | None, permutations: Sequence[int] | None, seed: int
) -> Iterator[str]:
    """Compare the explainers on every game at every budget."""
    heads = "".join(f" {label:>11}" for label in METHODS)
    width = 12 * len(METHODS) - 1
    yield "relative errors ‖φ̂ - φ‖ / ‖φ‖ of Shapley values, means over rows; ratio: to the best of SHAP's three"
    yield f"{'':<29} | {'error':<{width}} {'of truth':>8} | {'':>10} | {'rows of the model':<{width}} | own s"
    yield f"{'game':<11} {'n':>5} {'evals':>6} {'rows':>4} |{heads} {'s. e.':>8} | {'ratio':>6}     |{heads} |{heads}"
    for method in METHODS.values():  # imports and compilation, before any is timed
        measured(method, [make("polynomial", min(players), 0)], 2 * min(players) + 1, seed)
    ratios: dict[int, list[float]] = {}
    for n_players in players:
        for name in names:
            if name == "text" and n_players > MOST_WORDS:
                continue
            cases = [make(name, n_players, instance) for instance in range(n_rows or N_ROWS[n_players])]
            for number in permutations or PERMUTATIONS[n_players]:
                line, ratio = accuracy_line(name, n_players, number * (2 * n_players + 1), cases, seed)
                ratios.setdefault(n_players, []).append(ratio)
                yield line
    for n_players, found in ratios.items():
        yield summary(f"{n_players:,} players", found)
    yield summary("all", [ratio for found in ratios.values() for ratio in found])


def summary(what: str, ratios: Sequence[float]) -> str:
    """Say how often the target was reached."""
    reached = sum(ratio <= TARGET for ratio in ratios)
    middle = geometric_mean(ratios)
    return f"{what}: ratio at most {TARGET} at {reached} of {len(ratios)} points, geometric mean {middle:.3f}"


# --- time per mask -------------------------------------------------------------------------------------------------


def first_column(x: np.ndarray) -> np.ndarray:
    """Take no time: the trivial model."""
    return x[:, 0]


def overhead_functions(n_players: int, n_background: int) -> tuple[dict[str, Callable[[], Any]], int]:
    """Return three ways from masks to values through a trivial model, and how many masks each takes."""
    rng = np.random.default_rng(0)
    row, background = rng.normal(size=n_players), rng.normal(size=(n_background, n_players))
    n_masks = OVERHEAD_MASKS[n_background]
    masks = rng.random((n_masks, n_players)) < 0.5
    masker = shap.maskers.Independent(background)
    theirs = shap.utils.MaskedModel(first_column, masker, shap.links.identity, True, row)
    inputs = Background(background).table(row[None], None, None).inputs(0)
    game = MaskerGame(first_column, inputs, shap.links.identity, True)
    batches = game.plan_batches(masks)
    found = np.concatenate([game(masks[rows]) for rows in batches])
    np.testing.assert_allclose(found, theirs(masks, batch_size=10), rtol=1e-12)
    return {
        "game": lambda: [game(masks[rows]) for rows in batches],
        "evaluator": lambda: Evaluator(game, n_players, budget=n_masks)(masks),
        "shap": lambda: theirs(masks, batch_size=10),
    }, n_masks


def overhead_lines(repeats: int) -> Iterator[str]:
    """Time everything between masks and values but the model."""
    yield f"{'measurement':<62}  {'median':>20}  {'target':>12}"
    for n_players, n_background in OVERHEAD_CASES:
        functions, n_masks = overhead_functions(n_players, n_background)
        times: dict[str, list[float]] = {name: [] for name in functions}
        for _ in range(repeats):
            for name, function in functions.items():
                times[name].append(1e6 * timed(function)[0] / n_masks)
        game, evaluator, theirs = (median(times[name]) for name in functions)
        what = f"game, {n_players:,} features, {n_background} background row(s)"
        if (n_players, n_background) == (100, 1):
            target = f"<= {OVERHEAD_TARGET:g} us"
            yield str(Line(what, f"{game:.2f} us/mask", target, game <= OVERHEAD_TARGET))
        else:
            yield str(Line(what, f"{game:.2f} us/mask"))
        yield str(Line("  with the evaluator: unique masks, batches, checks", f"{evaluator:.2f} us/mask"))
        yield str(Line("  shap.utils.MaskedModel", f"{theirs:.1f} us/mask"))
        yield str(Line("  that to the game", f"{theirs / game:.0f} x"))


# --- many rows in one call -----------------------------------------------------------------------------------------


def mixed_rows(n_rows: int, n_features: int) -> np.ndarray:
    """Return rows between two random rows of the breast-cancer data each: all different."""
    rng = np.random.default_rng(0)
    known = np.concatenate([table(30).train, table(30).test])[:, :n_features]
    one, other = (known[rng.integers(len(known), size=n_rows)] for _ in range(2))
    share = rng.random((n_rows, 1))
    return share * one + (1 - share) * other


def rows_cases(n_rows: int, forest_trees: int) -> Iterator[tuple[str, Model, np.ndarray, int | str]]:
    """Return what is explained: its name, a model, rows, and evaluations for each; those for 10 features are all."""
    rows = table(30)
    for n_features, budgets in ((10, (2**10,)), (30, (256, "auto"))):
        forest = RandomForestClassifier(n_estimators=forest_trees, n_jobs=1, random_state=0)
        forest.fit(rows.train[:, :n_features], rows.labels)
        for budget in budgets:
            model = lambda x, forest=forest: forest.predict_proba(x)[:, 1]  # noqa: E731
            yield f"forest, {n_features} features", model, mixed_rows(n_rows, n_features), budget


def wide_case(n_players: int, permutations: int) -> tuple[str, Model, np.ndarray, int]:
    """Return one row of many features."""
    network = network_case(n_players, 0)
    return f"network, {n_players:,} features", network.model, network.row, permutations * (2 * n_players + 1)


def rows_lines(n_rows: int, n_trees: int, players: Sequence[int], only: Sequence[int]) -> Iterator[str]:
    """Time calls of many rows, and of many features."""
    yield (
        f"{'model':<24} {'rows':>5} {'evals':>6} | {'total s':>8} {'s a row':>8} | {'model s':>8} {'our s':>8} "
        f"{'our s a row':>11} | {'additive to':>11}"
    )
    cases = [*rows_cases(n_rows, n_trees), *(wide_case(n, PERMUTATIONS[n][-1]) for n in players)]
    for name, model, rows, budget in cases:
        if only and rows.shape[1] not in only:
            continue
        counted = Counted(model)
        explainer = ProxySpexExplainer(counted, np.zeros((1, rows.shape[1])), seed=0)
        total, found = timed(partial(explainer, rows, max_evals=budget, silent=not sys.stderr.isatty()))
        own = total - counted.seconds
        gap = np.abs(found.base_values + found.values.sum(axis=1) - model(rows)).max()
        yield (
            f"{name:<24} {len(rows):>5} {ceil(counted.n_rows / len(rows)):>6} | {total:>8.2f} {total / len(rows):>8.4f}"
            f" | {counted.seconds:>8.2f} {own:>8.2f} {own / len(rows):>11.4f} | {gap:>11.1e}"
        )


# --- command line --------------------------------------------------------------------------------------------------


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    accuracy = commands.add_parser("accuracy")
    accuracy.add_argument("--players", type=int, nargs="+", default=list(PERMUTATIONS), choices=list(PERMUTATIONS))
    accuracy.add_argument("--names", nargs="+", default=list(CASES), choices=list(CASES))
    accuracy.add_argument("--rows", type=int, help="rows to explain (default: 3, 2 and 1 by players)")
    accuracy.add_argument("--permutations", type=int, nargs="+", help="budgets, in units of 2 n + 1 evaluations")
    accuracy.add_argument("--seed", type=int, default=0)
    overhead = commands.add_parser("overhead")
    overhead.add_argument("--repeats", type=int, default=7)
    rows = commands.add_parser("rows")
    rows.add_argument("--rows", type=int, default=1000)
    rows.add_argument("--trees", type=int, default=100, help="of the forest")
    rows.add_argument("--wide", type=int, nargs="*", default=[1000], help="features of a single row")
    rows.add_argument("--only", type=int, nargs="+", default=[], help="numbers of features (default: all)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    chosen = parsed(arguments)
    actions: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
        "accuracy": lambda c: accuracy_lines(c.players, c.names, c.rows, c.permutations, c.seed),
        "overhead": lambda c: overhead_lines(c.repeats),
        "rows": lambda c: rows_lines(c.rows, c.trees, c.wide, c.only),
    }
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    with threadpool_limits(1):  # steadier, and the same for everybody
        for line in actions[chosen.command](chosen):
            print(line, flush=True)


if __name__ == "__main__":
    main()
