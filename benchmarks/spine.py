"""Measure the package against its targets: ``python -m benchmarks.spine``; medians in one table, one thread.

With ``--games DIR`` (a folder of folders of ``*.npz``, each with ``n_players`` and ``values``, the value of every
coalition; player ``j`` is present in coalition ``i`` iff bit ``j`` of ``i`` is set) it measures errors on games whose
exact answer is known instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import lightgbm
import numpy as np
import torch
from captum.attr import KernelShap
from threadpoolctl import threadpool_limits

import captum_spex
from benchmarks.lines import Line, seconds
from captum_spex import Interactions, Spectrum
from captum_spex.approximators import Approximator, ProxySpex
from captum_spex.attr import ProxySpex as ProxySpexAttribution
from captum_spex.attr.tensor_game import TensorGame
from captum_spex.demo import TrainedModel, train_model
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.masks import Masks, all_masks
from captum_spex.model import TreeEnsemble
from captum_spex.statistics import r_squared

N_FEATURES, N_ROWS, PER_CALL = 64, 2000, 64  # of the adapter's overhead
N_EVALUATIONS, N_HELD_OUT = 512, 2000  # of ProxySpex against its published settings
BUDGETS = (286, 596)  # on games whose exact answer is known


class Timed:
    """A function that adds up the seconds spent in it."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, argument: Any) -> Any:
        start = time.perf_counter()
        result = self.function(argument)
        self.seconds += time.perf_counter() - start
        return result


def seconds_outside(run: Callable[[Timed], Any], model: Callable[[Any], Any]) -> float:
    """Return how long ``run(model)`` takes without the time spent in the model."""
    timed = Timed(model)
    return seconds(lambda: run(timed)) - timed.seconds


# --- conversion and trees ------------------------------------------------------------------------------------------


def random_spectrum(per_degree: int, max_degree: int, n_players: int) -> Spectrum:
    """Return a spectrum with ``per_degree`` random terms of every degree from 1 to ``max_degree``."""
    rng = np.random.default_rng(0)
    terms: dict[tuple[int, ...], float] = {}
    for degree in range(1, max_degree + 1):
        while len(terms) < degree * per_degree:
            players = sorted(rng.choice(n_players, degree, replace=False).tolist())
            terms[tuple(players)] = float(rng.normal())
    return Spectrum.from_terms(terms, n_players)


def conversion_lines(repeats: int) -> Iterator[Line]:
    """Time the conversion of a spectrum to an index."""
    spectrum = random_spectrum(per_degree=1000, max_degree=10, n_players=1000)
    middle = median(seconds(lambda: spectrum.to_index("SII", max_order=2)) for _ in range(repeats))
    what = "spectrum to SII of order 2: 10,000 terms, 1,000 players"
    yield Line(what, f"{middle:.3f} s", "<= 0.3 s", middle <= 0.3)


def booster_text(n_trees: int, n_players: int, n_masks: int) -> str:
    """Train trees of depth 5 with 31 leaves each on noise and return LightGBM's text."""
    rng = np.random.default_rng(0)
    masks = rng.random((n_masks, n_players)) < 0.5
    settings = {"max_depth": 5, "num_leaves": 31, "min_child_samples": 1, "min_data_in_bin": 1, "num_threads": 1}
    data = lightgbm.Dataset(masks.astype(np.float32), rng.normal(size=n_masks), params={"verbosity": -1})
    return lightgbm.train({**settings, "verbosity": -1}, data, num_boost_round=n_trees).model_to_string()


def tree_lines(repeats: int) -> Iterator[Line]:
    """Time the way from a booster's text to its spectrum."""
    text = booster_text(n_trees=1000, n_players=30, n_masks=2000)
    middle = median(seconds(lambda: TreeEnsemble.from_lightgbm(text, 30).spectrum()) for _ in range(repeats))
    yield Line("1,000 trees of depth 5 to their spectrum: 30 players", f"{middle:.3f} s", "<= 0.5 s", middle <= 0.5)


# --- overhead of the adapter ---------------------------------------------------------------------------------------


def tensor_game_values(model: Timed, row: torch.Tensor, masks: Masks) -> None:
    """Push masks through the adapter: masks in, values out."""
    game = TensorGame(
        forward_func=model,
        inputs=(row,),
        baselines=(torch.zeros_like(row),),
        players=(torch.arange(N_FEATURES)[None],),
        n_players=N_FEATURES,
        target=None,
        additional_forward_args=None,
        multi_output=False,
    )
    Evaluator(game, N_FEATURES, budget=len(masks), batch_size=PER_CALL)(masks)


def overhead_lines(repeats: int) -> Iterator[Line]:
    """Time everything outside the model, per row of the model."""
    torch.manual_seed(0)
    row, weights = torch.randn(1, N_FEATURES), torch.randn(N_FEATURES)
    masks = np.random.default_rng(0).random((N_ROWS, N_FEATURES)) < 0.5
    options = {"n_samples": N_ROWS, "perturbations_per_eval": PER_CALL}
    runs: dict[str, Callable[[Timed], Any]] = {
        "adapter": lambda model: tensor_game_values(model, row, masks),
        "KernelShap": lambda model: KernelShap(model).attribute(row, **options),
        "ProxySpex": lambda model: ProxySpexAttribution(model).attribute(row, **options, random_state=0),
    }
    spent = {
        name: 1e6 / N_ROWS * median(seconds_outside(run, lambda x: x @ weights) for _ in range(repeats))
        for name, run in runs.items()
    }
    where = "outside the model, 64 features, 64 masks per call"
    yield Line(f"adapter {where}", f"{spent['adapter']:.1f} us/row", "<= 15 us", spent["adapter"] <= 15)
    yield Line(f"KernelShap {where}", f"{spent['KernelShap']:.1f} us/row")
    yield Line("  KernelShap to adapter", f"{spent['KernelShap'] / spent['adapter']:.1f} x")
    yield Line("ProxySpex, all of it, the fit of the surrogate included", f"{spent['ProxySpex']:.1f} us/row")
    yield Line("  KernelShap to ProxySpex", f"{spent['KernelShap'] / spent['ProxySpex']:.2f} x")


# --- ProxySpex against its published settings ----------------------------------------------------------------------


def explained(
    model: TrainedModel, row: torch.Tensor, approximator: Approximator, seed: int
) -> tuple[Interactions, float]:
    """Explain a row of the demo's model; also return the seconds spent outside the model."""
    game = Timed(lambda masks: model.values(row, masks))
    start = time.perf_counter()
    result = captum_spex.explain(game, 30, budget=N_EVALUATIONS, approximator=approximator, random_state=seed)
    spent = time.perf_counter() - start - game.seconds
    assert isinstance(result, Interactions)
    return result, spent


def published_lines(repeats: int) -> Iterator[Line]:
    """Compare time and held-out R² on ``repeats`` rows of the demo's test data, two seeds each."""
    model = train_model()
    held_out = np.random.default_rng(12345).random((N_HELD_OUT, 30)) < 0.5
    methods = {"ProxySpex()": ProxySpex(), "as published": ProxySpex.as_published()}
    times: dict[str, list[float]] = {name: [] for name in methods}
    quality: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(repeats):
        row = model.test_inputs[number : number + 1]
        truth = model.values(row, held_out)
        for seed in (0, 1):
            for name, approximator in methods.items():
                result, spent = explained(model, row, approximator, seed)
                times[name].append(spent)
                quality[name].append(r_squared(truth, result.model(held_out)))
    ours, theirs = (median(times[name]) for name in methods)
    yield Line("ProxySpex() outside the model, 30 features, 512 evaluations", f"{ours:.2f} s")
    yield Line("ProxySpex.as_published() outside the model, the same", f"{theirs:.2f} s")
    yield Line("  as published to ProxySpex()", f"{theirs / ours:.1f} x", ">= 10 x", theirs >= 10 * ours)
    better, worse = (median(quality[name]) for name in methods)
    wins = sum(a > b for a, b in zip(*quality.values(), strict=True))
    yield Line("ProxySpex() R² on 2,000 held-out masks", f"{better:.4f}", "> published", better > worse)
    yield Line("ProxySpex.as_published() R² on 2,000 held-out masks", f"{worse:.4f}")
    yield Line("  runs in which ProxySpex() has the larger R²", f"{wins} of {2 * repeats}")


# --- games whose exact answer is known -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class KnownGame:
    """A game with the value of every coalition, and its exact SII of order 2."""

    n_players: int
    table: np.ndarray
    exact: Interactions

    @classmethod
    def load(cls, path: Path) -> KnownGame:
        """Read a table and convert all of it."""
        with np.load(path) as content:
            n_players, table = int(content["n_players"]), content["values"]
        exact = captum_spex.explain(lambda masks: look_up(table, masks), n_players, budget=2**n_players)
        assert isinstance(exact, Interactions)
        return cls(n_players, table, exact)

    def errors(self, result: Interactions) -> tuple[float, float, float]:
        """Return mean squared errors of Shapley values and of all SII up to order 2, and R² on all masks."""
        single = float(((result.first_order() - self.exact.first_order()) ** 2).mean())
        both = float(np.mean([(result[players] - value) ** 2 for players, value in self.exact.items()]))
        return single, both, r_squared(self.table, result.model(all_masks(self.n_players)))


def look_up(table: np.ndarray, masks: Any) -> np.ndarray:
    """Return the values of masks of 0 and 1."""
    masks = np.asarray(masks)
    return table[masks.astype(np.int64) @ (1 << np.arange(masks.shape[1]))]


def kernel_shap_error(game: KnownGame, budget: int, seed: int) -> float:
    """Return the mean squared error of Captum's ``KernelShap`` on a row of ones."""

    def forward(present: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(look_up(game.table, present))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        ones = torch.ones(1, game.n_players)
        values = KernelShap(forward).attribute(ones, n_samples=budget, perturbations_per_eval=64)
    return float(((values[0].double().numpy() - game.exact.first_order()) ** 2).mean())


def family_lines(name: str, games: Sequence[KnownGame], methods: dict[str, Approximator]) -> Iterator[str]:
    """Explain every game of a family by every method at equal evaluations."""
    for budget in BUDGETS:
        rival = np.mean([kernel_shap_error(game, budget, seed) for seed, game in enumerate(games)])
        yield f"{name:<26}  {budget:>5}  {'KernelShap':<24}  {rival:>10.3g}  {'-':>10}  {'-':>8}"
        for label, approximator in methods.items():
            found = []
            for seed, game in enumerate(games):
                result = captum_spex.explain(
                    lambda masks, table=game.table: look_up(table, masks),
                    game.n_players,
                    budget=budget,
                    approximator=approximator,
                    random_state=seed,
                )
                assert isinstance(result, Interactions)
                found.append(game.errors(result))
            single, both, quality = np.mean(found, axis=0)
            yield f"{name:<26}  {budget:>5}  {label:<24}  {single:>10.3g}  {both:>10.3g}  {quality:>8.4f}"


def game_lines(folder: Path, published: bool) -> Iterator[str]:
    """Measure every family of games in a folder."""
    methods: dict[str, Approximator] = {
        "ProxySpex()": ProxySpex(),
        'ProxySpex("bernoulli")': ProxySpex(design="bernoulli"),
    }
    if published:
        methods["ProxySpex.as_published()"] = ProxySpex.as_published()
    yield f"{'games':<26}  {'evals':>5}  {'method':<24}  {'SV error':>10}  {'SII error':>10}  {'true R²':>8}"
    for family in sorted({path.parent for path in folder.glob("*/*.npz")}):
        games = [KnownGame.load(path) for path in sorted(family.glob("*.npz"))]
        yield from family_lines(family.name, games, methods)


def spine_lines(repeats: int) -> Iterator[str]:
    """Measure everything that has a target."""
    yield f"{'measurement':<62}  {'median':>20}  {'target':>12}"
    for lines in (conversion_lines, tree_lines, overhead_lines, published_lines):
        yield from map(str, lines(repeats))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=3, help="repetitions of a timing, and rows explained by both settings"
    )
    parser.add_argument("--games", type=Path, help="folder of folders of games whose values are all known")
    parser.add_argument("--published", action="store_true", help="with --games: also the published settings (slow)")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lines = game_lines(chosen.games, chosen.published) if chosen.games else spine_lines(chosen.repeats)
    with threadpool_limits(1):  # steadier, and the same for everybody
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
