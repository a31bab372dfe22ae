"""ProxySpex against published errors, against its published settings, and against targets for time and memory.

    python -m benchmarks.estimator games --games DIR [--rounds 1 3 6]
    python -m benchmarks.estimator evaluations
    python -m benchmarks.estimator planted [--spectra DIR]
    python -m benchmarks.estimator speed [--threads 2]
    python -m benchmarks.estimator display [--games DIR]
    python -m benchmarks.estimator effort [--games DIR]

``games`` wants a folder of folders of complete tables (see `benchmarks.spine`), ``--spectra`` a folder of measured
spectra (see `benchmarks.spex`). ``--instances`` shortens, ``--seeds`` repeats with other random states. "own s" are
the seconds spent outside the game. One thread, except where ``speed`` is given more.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb, exp, log
from pathlib import Path
from statistics import geometric_mean, median
from time import process_time
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import captum_spex
from benchmarks.lines import Line, seconds
from benchmarks.spex import NoisySpectrum, read_spectrum, recall_of
from benchmarks.spine import KnownGame, look_up, seconds_outside
from captum_spex import Interactions, Spectrum
from captum_spex.approximators import ProxySpex
from captum_spex.approximators.proxyspex.proxyspex import EffortName
from captum_spex.masks import first_rows, mask_keys
from captum_spex.statistics import r_squared
from tools import made_games
from tools.made_games import MadeGame, Values

SEED_STEP = 1000  # between the random states of repetitions; games of a family take one each
WITHIN = 1.645  # standard errors on either side of the middle hold 90 % of a normal distribution

# By number of players: budgets at which the published curves (arXiv 2605.22738) were read.
BUDGETS = {14: (286, 596, 1245), 16: (283, 632, 1409)}
OTHER_BUDGETS = (286, 596)

# Mean squared errors of the best rival; a family's name is that of its folder, a cell its budget.
# SII of order 2: means over 30 games, digitised from the figures of ProxySHAP (arXiv 2605.22738): the best of ProxySHAP
# without and with its MSR adjustment, KernelSHAP-IQ, SVARM-IQ and ProxySPEX.
SII_RIVALS = {
    "sentiment_distilbert_n14": {286: 2.7e-3, 596: 1.5e-3, 1245: 5.3e-4},
    "image_vit_n16": {283: 5.9e-4, 632: 2.7e-4, 1409: 1.3e-4},
    "image_resnet18_n14": {286: 2.0e-4, 596: 5.9e-5, 1245: 1.2e-5},
}
# Shapley values: means over 8 games of these families, measured with shapiq 1.8: the best of OddSHAP, RegressionMSR,
# LeverageSHAP and ProxySHAP with MSR.
SV_RIVALS = {
    "sentiment_distilbert_n14": {286: 7.78e-4, 596: 2.97e-4, 1245: 4.94e-5},
    "image_vit_n16": {283: 2.15e-4, 632: 5.25e-5, 1409: 1.54e-5},
    "image_resnet18_n14": {286: 5.80e-5, 596: 1.22e-5, 1245: 2.54e-6},
}
SII_TARGET, SV_TARGET = 0.25, 0.5  # of the rival's error: targets of this project, as all that follow

EVALUATION_GAMES = ("forest-30", "encoder-24", "encoder-41", "encoder-96", "digits-64", "data-120")
PUBLISHED = (512, 1024)
EVALUATIONS = (48, 64, 96, 128, 192, 256, 384, 512, 1024)
EVALUATIONS_TARGET = 1 / 8
HELD_OUT = 1000

PLANTED_BUDGETS = (1000, 2000)
PLANTED_R2, PLANTED_RECALL, PLANTED_AT = 0.99, 1.0, 1000
SPECTRUM_BUDGETS = (500, 1000, 2000, 4000)
NOISE = 0.05  # of the signal's standard deviation
TEST_MASKS = 2000
# R² and recall of this project's own prototype (a Gaussian process with single Fourier terms) on the same spectra with
# the same share of noise, and for planted-1000 on one other game of its kind (n = 1000, 50 hierarchical terms).
PROTOTYPE = {
    "text_context_0_prompt_0": {500: (0.9923, 0.99), 1000: (0.9875, 0.99), 2000: (0.9964, 0.99), 4000: (0.9976, 1.00)},
    "text_context_3_prompt_1": {500: (0.6897, 0.61), 1000: (0.9279, 0.90), 2000: (0.9867, 0.99), 4000: (0.9875, 0.99)},
    "text_context_2_prompt_0": {500: (0.9528, 0.63), 1000: (0.9799, 0.83), 2000: (0.9924, 0.95), 4000: (0.9949, 0.97)},
    "planted-1000": {1000: (0.9816, 1.00), 2000: (0.9975, 1.00)},
}

SPEED_TARGETS = {(40, 512): 1.0, (100, 2048): 4.0, (1000, 2048): 25.0}  # players, evaluations: seconds
PUBLISHED_SIZE, PUBLISHED_TARGET = (40, 512), 15.0  # times as long as ours
MEMORY_SIZE, MEMORY_TARGET = (1000, 4096), 2.0  # GiB

DISPLAY_GAMES = ("forest-30", "encoder-24", "digits-64", "data-120", "mlp-40")
DISPLAY_BUDGET, KNOWN_DISPLAY_BUDGET = 1024, 596
SHOWN = (200, 500)
DISPLAY_TARGET = 0.005  # of R² may be lost by the larger number of terms

EFFORTS: tuple[EffortName, ...] = ("default", "fast", "thorough")  # the first is what the others are compared with
EFFORT_GAMES = ("forest-30", "mlp-40", "digits-64", "planted-100")
EFFORT_BUDGETS = {"planted-100": 1000}
EFFORT_BUDGET = 512
FLOOR = 1e-12  # errors below are rounding


def explained(values: Values, n_players: int, budget: int, **options: Any) -> tuple[Interactions, float]:
    """Explain a game; also return the seconds spent outside it."""
    found: list[Any] = []
    run = partial(captum_spex.explain, n_players=n_players, budget=budget, **options)
    spent = seconds_outside(lambda game: found.append(run(game)), values)
    return found[0], spent


def explained_by_fourier(values: Values, n_players: int, budget: int, **options: Any) -> tuple[Interactions, float]:
    """Explain a game on uniformly random masks."""
    return explained(values, n_players, budget, index="Fourier", max_order=1, **options)


def random_masks(n_masks: int, n_players: int, seed: int = 987654) -> np.ndarray:
    """Draw uniformly random masks for tests."""
    return np.random.default_rng(seed).random((n_masks, n_players)) < 0.5


def yes(reached: bool) -> str:
    """Say in a column whether a target was reached."""
    return "yes" if reached else "no"


def verdict(reached: bool) -> str:
    """Say at the end of a line whether a target was reached."""
    return "reached" if reached else "NOT reached"


# --- games whose exact answer is known -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """What one run on one known game, or the mean of several, came to."""

    single: float
    single_alone: float
    both: float
    r2: float
    gap: float
    covered: float
    covered_single: float
    seconds: float


def shares_covered(game: KnownGame, result: Interactions) -> tuple[float, float]:
    """Return the share of 90 % intervals that hold the exact value: of all terms, and of single players."""
    if result.std_errors is None:
        return float("nan"), float("nan")
    exact = np.array([game.exact[players] for players in result])
    held = np.abs(result.values - exact) <= WITHIN * result.std_errors
    return float(held.mean()), float(held[result.orders == 1].mean())


def measured(game: KnownGame, budget: int, rounds: int | Literal["auto"], seed: int) -> Figures:
    """Explain one known game by SII of order 2 and, apart from that, by Shapley values."""
    values = partial(look_up, game.table)
    options: dict[str, Any] = {"approximator": ProxySpex(rounds=rounds), "random_state": seed}
    result, spent = explained(values, game.n_players, budget, **options)
    alone, _ = explained(values, game.n_players, budget, index="SV", max_order=1, **options)
    single, both, r2 = game.errors(result)
    single_alone = float(((alone.first_order() - game.exact.first_order()) ** 2).mean())
    covered, covered_single = shares_covered(game, result)
    return Figures(single, single_alone, both, r2, result.faithfulness - r2, covered, covered_single, spent)


def beside(ratio: float | None, target: float) -> str:
    """Return the cell of a ratio: how large, and whether that is the target or less."""
    return f"{'-':>9}" if ratio is None else f"{ratio:>5.2f} {yes(ratio <= target):<3}"


def cell_line(
    family: str,
    budget: int,
    rounds: int | Literal["auto"],
    runs: Sequence[Figures],
    ratios: dict[str, dict[int | str, list[float]]],
) -> str:
    """Return the line of a family and a budget; also note the ratios to the rivals."""
    single, alone, both, r2, _, covered, covered_single, spent = np.mean([list(vars(run).values()) for run in runs], 0)
    gaps = np.array([run.gap for run in runs])
    sv_rival, sii_rival = (table.get(family, {}).get(budget) for table in (SV_RIVALS, SII_RIVALS))
    found = {
        "SV": single / sv_rival if sv_rival else None,
        "SV alone": alone / sv_rival if sv_rival else None,
        "SII": both / sii_rival if sii_rival else None,
    }
    for name, ratio in found.items():
        if ratio is not None:
            ratios.setdefault(name, {}).setdefault(rounds, []).append(ratio)
    return (
        f"{family:<25} {budget:>5} {rounds!s:>6} {len(runs):>4} | "
        f"{single:>9.3g} {beside(found['SV'], SV_TARGET)} {alone:>9.3g} {beside(found['SV alone'], SV_TARGET)} "
        f"{sv_rival or '-':>9} | {both:>9.3g} {beside(found['SII'], SII_TARGET)} {sii_rival or '-':>9} | {r2:>7.4f} "
        f"{gaps.mean():>+7.3f} {np.abs(gaps).mean():>6.3f} {np.abs(gaps).max():>6.3f} | "
        f"{covered:>5.2f} {covered_single:>7.2f} | {spent:>6.2f}"
    )


def game_lines(
    folder: Path, rounds: Sequence[int | Literal["auto"]], instances: int | None, seeds: int, only: Sequence[str] | None
) -> Iterator[str]:
    """Measure every family of known games at every budget, with equal evaluations for every number of rounds."""
    yield "rivals: means over 30 games (SII) and 8 games (SV) of a family; ours: over the games in the folder"
    yield "gap: faithfulness minus true R², its mean, mean size and largest size; alone: from a run with index='SV'"
    yield f"targets: SV error at most {SV_TARGET}, SII error at most {SII_TARGET} of the rival's; coverage 0.90"
    yield (
        f"{'games':<25} {'evals':>5} {'rounds':>6} {'runs':>4} | {'SV error':>9} {'ratio':>5}     {'SV alone':>9} "
        f"{'ratio':>5}     {'rival':>9} | {'SII error':>9} {'ratio':>5}     {'rival':>9} | {'true R²':>7} "
        f"{'gap':>7} {'size':>6} {'most':>6} | {'cover':>5} {'singles':>7} | {'own s':>6}"
    )
    ratios: dict[str, dict[int | str, list[float]]] = {}
    for family in sorted({path.parent for path in folder.glob("*/*.npz")}):
        if only and family.name not in only:
            continue
        games = [KnownGame.load(path) for path in sorted(family.glob("*.npz"))[:instances]]
        for budget in BUDGETS.get(games[0].n_players, OTHER_BUDGETS):
            for number in rounds:
                runs = [
                    measured(game, budget, number, seed + SEED_STEP * repetition)
                    for repetition in range(seeds)
                    for seed, game in enumerate(games)
                ]
                yield cell_line(family.name, budget, number, runs, ratios)
    for name, by_rounds in ratios.items():
        target = SII_TARGET if name == "SII" else SV_TARGET
        for number, cells in by_rounds.items():
            middle, reached = geometric_mean(cells), sum(ratio <= target for ratio in cells)
            yield (
                f"{name} error to the rival's, rounds={number}: geometric mean {middle:.3f}, "
                f"target reached in {reached} of {len(cells)}"
            )


# --- evaluations needed to match the published settings ------------------------------------------------------------


class Remembered:
    """A game that is asked for every mask only once."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.known: dict[int, float] = {}

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        keys = mask_keys(masks)
        new = np.array([row for row in first_rows(keys)[0] if int(keys[row]) not in self.known], dtype=np.intp)
        if len(new):
            self.known.update(zip(keys[new].tolist(), self.values(masks[new]).tolist(), strict=True))
        return np.array([self.known[key] for key in keys.tolist()])

    def unknown(self, masks: np.ndarray) -> np.ndarray:
        """Return the masks that were not asked for yet."""
        return masks[[key not in self.known for key in mask_keys(masks).tolist()]]


def to_match(wanted: float, curve: dict[int, float]) -> tuple[str, float]:
    """Return the evaluations from which on a curve of R² stays at or above ``wanted``, and a sign if only bounded.

    Between two budgets R² is taken as linear in the logarithm of the evaluations.
    """
    budgets = sorted(curve)
    below = [place for place, budget in enumerate(budgets) if not curve[budget] >= wanted]
    if not below:
        return "<", float(budgets[0])
    if below[-1] == len(budgets) - 1:
        return ">", float(budgets[-1])
    low, high = budgets[below[-1]], budgets[below[-1] + 1]
    share = (wanted - curve[low]) / (curve[high] - curve[low])
    return "", exp(log(low) + share * (log(high) - log(low)))


def curves(game: MadeGame, seed: int) -> tuple[dict[int, float], dict[int, float], int]:
    """Return held-out R² by evaluations of the published settings and of ours, and how many masks both needed."""
    remembered = Remembered(game.values)
    quality: tuple[dict[int, float], dict[int, float]] = ({}, {})
    test, truth = np.zeros((0, game.n_players), dtype=bool), np.zeros(0)
    methods = (ProxySpex.as_published(), PUBLISHED), (ProxySpex(), EVALUATIONS)
    for of_method, (approximator, budgets) in zip(quality, methods, strict=True):
        for budget in sorted(budgets, reverse=True):  # the largest first: its masks begin with those of the others
            options: dict[str, Any] = {"approximator": approximator, "random_state": seed}
            result, _ = explained_by_fourier(remembered, game.n_players, budget, **options)
            if not len(test):
                test = remembered.unknown(random_masks(2 * HELD_OUT, game.n_players))[:HELD_OUT]
                truth = game.values(test)
            of_method[budget] = r_squared(truth, result.model(test))
    return (*quality, len(remembered.known))


def evaluation_lines(names: Sequence[str], instances: int, seeds: int) -> Iterator[str]:
    """Compare R² on held-out masks and the evaluations that it takes, on made games."""
    published = "".join(f" {f'pub {budget}':>8}" for budget in PUBLISHED)
    ours = "".join(f" {budget:>7}" for budget in sorted(EVALUATIONS))
    needed = "".join(f" {f'as {budget}':>8} {'ratio':>6}" for budget in PUBLISHED)
    yield "R² on 1,000 held-out masks: pub = ProxySpex.as_published(); then ProxySpex(); then what that needs to match"
    yield f"{'game':<12} {'instance':>8} {'seed':>4} {'masks':>5} |{published} |{ours} |{needed}"
    ratios: dict[int, list[tuple[str, float]]] = {budget: [] for budget in PUBLISHED}
    for name in names:
        for instance in range(instances):
            game = made_games.make(name, instance)
            for seed in range(seeds):
                theirs, own, n_masks = curves(game, seed)
                line = f"{name:<12} {instance:>8} {seed:>4} {n_masks:>5} |"
                line += "".join(f" {theirs[budget]:>8.4f}" for budget in PUBLISHED) + " |"
                line += "".join(f" {own[budget]:>7.4f}" for budget in sorted(own)) + " |"
                for budget in PUBLISHED:
                    sign, evaluations = to_match(theirs[budget], own)
                    ratios[budget].append((sign, evaluations / budget))
                    line += f" {sign + f'{evaluations:.0f}':>8} {sign + f'{evaluations / budget:.3f}':>6}"
                yield line
    for budget, found in ratios.items():
        middle, signs = geometric_mean(ratio for _, ratio in found), {sign for sign, _ in found} - {""}
        bound = f" (bounds counted as such: {' '.join(sorted(signs))})" if signs else ""
        yield (
            f"evaluations to match {budget} with published settings: ratio {middle:.3f}{bound}, "
            f"target {EVALUATIONS_TARGET:.3f}  {verdict(middle <= EVALUATIONS_TARGET and '>' not in signs)}"
        )


# --- planted terms -------------------------------------------------------------------------------------------------


def planted_figures(truth: Spectrum, values: Values, budget: int, seed: int) -> tuple[float, float, float]:
    """Return R² without noise, the share of true terms among as many of the largest found, and own seconds."""
    result, spent = explained_by_fourier(values, truth.n_players, budget, random_state=seed)
    test = random_masks(TEST_MASKS, truth.n_players)
    found = result.model.spectrum(len(truth) + 1)  # the constant is no term that counts
    return r_squared(truth(test), result.model(test)), recall_of(truth, found), spent


def planted_line(
    name: str, truth: Spectrum, make_values: Callable[[int], Values], budget: int, seeds: int, instance: str = ""
) -> str:
    """Return the line of one game at one budget, a mean over random states."""
    runs = [planted_figures(truth, make_values(seed), budget, seed) for seed in range(seeds)]
    r2, recall, spent = np.mean(runs, axis=0)
    before = PROTOTYPE.get(name, {}).get(budget)
    known = f"{before[0]:>8.4f} {before[1]:>6.2f}" if before else f"{'-':>8} {'-':>6}"
    label = f"{name} {instance}"
    line = f"{label:<26} {truth.n_players:>7} {budget:>6} | {r2:>8.4f} {recall:>6.2f} {spent:>7.2f} | {known}"
    if name == "planted-1000" and budget == PLANTED_AT:
        line += f"  {verdict(bool(r2 >= PLANTED_R2 and recall >= PLANTED_RECALL))}"
    return line


def planted_lines(instances: int, seeds: int, spectra: Path | None) -> Iterator[str]:
    """Recover planted and measured spectra from noisy values on uniformly random masks."""
    yield f"noise {NOISE:.0%}; targets for planted-1000 at {PLANTED_AT}: R² {PLANTED_R2}, recall {PLANTED_RECALL}"
    yield (
        f"{'game':<26} {'players':>7} {'evals':>6} | {'R²':>8} {'recall':>6} {'own s':>7} | "
        f"{'proto R²':>8} {'recall':>6}"
    )
    for instance in range(instances):
        game = made_games.make("planted-1000", instance)
        truth = Spectrum.from_terms(game.terms or {}, game.n_players)
        for budget in PLANTED_BUDGETS:
            yield planted_line(game.name, truth, lambda _, game=game: game.values, budget, seeds, f"#{instance}")
    if spectra is None:
        return
    known = [spectra / f"{name}.json" for name in PROTOTYPE]
    chosen = [path for path in known if path.exists()] or sorted(spectra.glob("*.json"))
    for path in chosen:
        truth = read_spectrum(path)
        for budget in SPECTRUM_BUDGETS:
            yield planted_line(path.stem, truth, partial(NoisySpectrum, truth, NOISE), budget, seeds)


# --- time and memory -----------------------------------------------------------------------------------------------


def sparse_network(n_players: int, instance: int, n_units: int = 64, n_inputs: int = 8) -> MadeGame:
    """Return a random network of one tanh layer whose units see a few players each."""
    rng = np.random.default_rng(instance)
    seen = np.stack([rng.choice(n_players, n_inputs, replace=False) for _ in range(n_units)])
    weights = rng.normal(scale=1.5 / np.sqrt(n_inputs), size=seen.shape)
    shift, last = rng.normal(scale=0.5, size=n_units), rng.normal(size=n_units)

    def values(masks: np.ndarray) -> np.ndarray:
        signs = np.where(masks, 1.0, -1.0)[:, seen]
        return np.tanh(np.einsum("mui,ui->mu", signs, weights) + shift) @ last

    return MadeGame(f"network-{n_players}", n_players, partial(made_games.in_batches, values), instance)


def speed_games(n_players: int, instance: int) -> list[MadeGame]:
    """Return the games of a size on which time is measured."""
    if n_players == 40:
        return [made_games.make("mlp-40", instance)]
    planted = [made_games.make("planted-1000", instance)] if n_players == 1000 else []
    return [sparse_network(n_players, instance), *planted]


def speed_lines(players: Sequence[int], instances: int, threads: int) -> Iterator[Line]:
    """Time an explanation at its defaults and its standard errors: medians over instances."""
    explained(sparse_network(20, 0).values, 20, 128, random_state=0)[0].std_errors  # noqa: B018  imports, caches
    for (n, budget), target in SPEED_TARGETS.items():
        if n not in players:
            continue
        by_game: dict[str, list[tuple[float, float]]] = {}
        for instance in range(instances):
            for game in speed_games(n, instance):
                result, spent = explained(game.values, n, budget, random_state=instance)
                by_game.setdefault(game.name, []).append((spent, seconds(lambda result=result: result.std_errors)))
        for name, times in by_game.items():
            ours, errors = (median(column) for column in zip(*times, strict=True))
            what = f"explain outside {name}, {budget:,} evaluations, {threads} thread(s)"
            yield Line(what, f"{ours:.2f} s", f"<= {target:g} s", ours <= target)
            yield Line(f"  then .std_errors of {n + comb(n, 2):,} values", f"{errors:.2f} s")
            if (n, budget) == PUBLISHED_SIZE:
                options: dict[str, Any] = {"approximator": ProxySpex.as_published(), "random_state": 0}
                theirs = explained(speed_games(n, 0)[0].values, n, budget, **options)[1]
                ratio = theirs / ours
                yield Line("  ProxySpex.as_published(), instance 0", f"{theirs:.2f} s")
                yield Line(
                    "  as published to ours", f"{ratio:.1f} x", f">= {PUBLISHED_TARGET:g} x", ratio >= PUBLISHED_TARGET
                )


def memory_lines(n_players: int, budget: int) -> Iterator[Line]:
    """Measure this process's peak memory: made for a process of its own."""
    result, _ = explained(sparse_network(n_players, 0).values, n_players, budget, random_state=0)
    for what in (f"peak memory: explain network-{n_players}, {budget:,} evaluations", "  and then .std_errors"):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        yield Line(what, f"{peak:.2f} GiB", f"< {MEMORY_TARGET:g} GiB", peak < MEMORY_TARGET)
        _ = result.std_errors


def memory_of_a_process(n_players: int, budget: int, threads: int) -> Iterator[str]:
    """Return what ``memory-one`` prints in a fresh process.

    A process inherits the peak of the one that starts it, so this comes before anything large was done here.
    """
    sizes = [str(n_players), str(budget), "--threads", str(threads)]
    command = [sys.executable, "-m", "benchmarks.estimator", "memory-one", *sizes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            yield line.rstrip()
    if process.returncode:
        yield str(Line("peak memory", f"failed, exit {process.returncode}", f"< {MEMORY_TARGET:g} GiB", False))


def all_speed_lines(players: Sequence[int], instances: int, threads: int, with_memory: bool) -> Iterator[str]:
    """Measure memory, then time."""
    yield f"{'measurement':<62}  {'median':>20}  {'target':>12}"
    if with_memory and MEMORY_SIZE[0] in players:
        yield from memory_of_a_process(*MEMORY_SIZE, threads)
    yield from map(str, speed_lines(players, instances, threads))


# --- what the displayed spectrum holds -----------------------------------------------------------------------------


def display_games(names: Sequence[str], folder: Path | None, instances: int) -> Iterator[tuple[MadeGame, int]]:
    """Make the made games and read the known ones, with the evaluations for each."""
    for name in names:
        for instance in range(instances):
            yield made_games.make(name, instance), DISPLAY_BUDGET
    for family in sorted({path.parent for path in folder.glob("*/*.npz")} if folder else ()):
        for instance, path in enumerate(sorted(family.glob("*.npz"))[:instances]):
            with np.load(path) as content:
                n_players, table = int(content["n_players"]), content["values"]
            yield MadeGame(family.name, n_players, partial(look_up, table), instance), KNOWN_DISPLAY_BUDGET


def display_lines(names: Sequence[str], folder: Path | None, instances: int, seeds: int) -> Iterator[str]:
    """Compare R² of the recovered game and of its largest Fourier terms on random masks."""
    yield f"R² on {TEST_MASKS:,} random masks; target: the {SHOWN[-1]} largest terms lose at most {DISPLAY_TARGET}"
    shown = "".join(f" {f'{count} terms':>10}" for count in SHOWN)
    yield f"{'game':<25} {'instance':>8} {'seed':>4} {'evals':>5} | {'model':>8}{shown} | {'lost':>7} {'model s':>8}"
    for game, budget in display_games(names, folder, instances):
        test = random_masks(TEST_MASKS, game.n_players)
        truth = game.values(test)
        for seed in range(seeds):
            model = explained(game.values, game.n_players, budget, random_state=seed)[0].model
            whole = r_squared(truth, model(test))
            spent = seconds(lambda model=model: model.spectrum(SHOWN[-1]))
            parts = [r_squared(truth, model.spectrum(count)(test)) for count in SHOWN]
            lost = whole - parts[-1]
            yield (
                f"{game.name:<25} {game.instance:>8} {seed:>4} {budget:>5} | {whole:>8.4f}"
                f"{''.join(f' {part:>10.4f}' for part in parts)} | {lost:>7.4f} {spent:>8.2f}  "
                f"{verdict(lost <= DISPLAY_TARGET)}"
            )


# --- efforts -------------------------------------------------------------------------------------------------------

# Of one explanation: its relative squared error, its faithfulness less the true R², and CPU seconds outside the game.
EffortFigures = tuple[float, float, float]


def explained_in(effort: EffortName, values: Values, n: int, budget: int, seed: int) -> tuple[Interactions, float]:
    """Explain a game with an effort; also return the CPU seconds spent outside it, of which others take none."""
    inside = 0.0

    def timed(masks: np.ndarray) -> np.ndarray:
        nonlocal inside
        start = process_time()
        found = values(masks)
        inside += process_time() - start
        return found

    start = process_time()
    result = captum_spex.explain(timed, n, budget=budget, approximator=ProxySpex(effort=effort), random_state=seed)
    return result, process_time() - start - inside


def made_effort(game: MadeGame, budget: int, effort: EffortName, seed: int) -> EffortFigures:
    """Explain a made game with an effort; the error is that of values on masks of all sizes alike."""
    result, spent = explained_in(effort, game.values, game.n_players, budget, seed)
    rng, true = np.random.default_rng(HELD_OUT), game.noiseless or game.values
    sizes = rng.random((HELD_OUT, 1))
    test = rng.random((HELD_OUT, game.n_players)) < sizes
    uniform = random_masks(HELD_OUT, game.n_players)
    gap = result.faithfulness - r_squared(true(uniform), result.model(uniform))
    return 1 - r_squared(true(test), result.model(test)), gap, spent


def known_effort(game: KnownGame, budget: int, effort: EffortName, seed: int) -> EffortFigures:
    """Explain a known game with an effort; the error is that of all SII up to order 2."""
    result, spent = explained_in(effort, partial(look_up, game.table), game.n_players, budget, seed)
    _, both, r2 = game.errors(result)
    return both / float((game.exact.values**2).mean()), result.faithfulness - r2, spent


def effort_kinds(
    names: Sequence[str], folder: Path | None, only: Sequence[str] | None, instances: int
) -> Iterator[tuple[str, int, list[Callable[[EffortName, int], EffortFigures]]]]:
    """Return kinds of games: their name, a budget, and what explains each game."""
    for name in names:
        budget = EFFORT_BUDGETS.get(name, EFFORT_BUDGET)
        made = [
            made_games.planted_game(name, number, 100) if name == "planted-100" else made_games.make(name, number)
            for number in range(instances)
        ]
        yield name, budget, [partial(made_effort, game, budget) for game in made]
    for family in sorted({path.parent for path in folder.glob("*/*.npz")}) if folder else ():
        if only and family.name not in only:
            continue
        games = [KnownGame.load(path) for path in sorted(family.glob("*.npz"))[:instances]]
        for budget in OTHER_BUDGETS:
            yield family.name, budget, [partial(known_effort, game, budget) for game in games]


def effort_lines(
    names: Sequence[str], folder: Path | None, only: Sequence[str] | None, instances: int, seeds: int
) -> Iterator[str]:
    """Compare efforts on the same games, budgets and seeds, by turns."""
    yield (
        f"{'games':<25} {'evals':>5} {'effort':<9} {'runs':>4} | {'own s':>6} {'ratio':>6} | "
        f"{'error':>9} {'ratio':>6} | {'gap':>6}"
    )
    ratios: dict[str, list[tuple[float, float]]] = {effort: [] for effort in EFFORTS}
    for name, budget, games in effort_kinds(names, folder, only, instances):
        runs = np.array(
            [[run(effort, seed) for effort in EFFORTS] for seed in range(seeds) for run in games]
        )  # (n_runs, n_efforts, 3)
        times, errors = np.median(runs[:, :, 2], axis=0), np.maximum(runs[:, :, 0], FLOOR)
        growth = np.exp(np.log(errors / errors[:, :1]).mean(axis=0))
        for number, effort in enumerate(EFFORTS):
            ratios[effort].append((times[number] / times[0], growth[number]))
            gap, error = np.abs(runs[:, number, 1]).mean(), errors[:, number].mean()
            yield (
                f"{name:<25} {budget:>5} {effort:<9} {len(runs):>4} | {times[number]:>6.2f} "
                f"{times[number] / times[0]:>6.2f} | {error:>9.3g} {growth[number]:>6.2f} | {gap:>6.3f}"
            )
    for effort, of_effort in ratios.items():
        time, error = np.exp(np.log(of_effort).mean(axis=0))
        yield f"{effort}: {time:.2f} times the time of the default, {error:.2f} times its error (geometric means)"


# --- command line --------------------------------------------------------------------------------------------------


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, instances: int | None) -> argparse.ArgumentParser:
        added = commands.add_parser(name)
        added.add_argument("--instances", type=int, default=instances, help="games of a kind (default: %(default)s)")
        added.add_argument("--seeds", type=int, default=1, help="random states (default: %(default)s)")
        return added

    games = command("games", None)
    games.add_argument("--games", type=Path, required=True, help="folder of folders of complete tables")
    games.add_argument("--only", nargs="+", help="names of families (default: all)")
    games.add_argument("--rounds", type=_rounds, nargs="+", default=["auto"], help="of ProxySpex (default: auto)")
    command("evaluations", 3).add_argument("--names", nargs="+", default=EVALUATION_GAMES, choices=made_games.NAMES)
    command("planted", 3).add_argument("--spectra", type=Path, help="folder of measured spectra")
    speed = command("speed", 1)
    sizes = sorted({n for n, _ in SPEED_TARGETS})
    speed.add_argument("--players", type=int, nargs="+", default=sizes, choices=sizes)
    speed.add_argument("--threads", type=int, default=1)
    speed.add_argument("--skip-memory", action="store_true", help="only times")
    display = command("display", 1)
    display.add_argument("--names", nargs="*", default=DISPLAY_GAMES, choices=made_games.NAMES)
    display.add_argument("--games", type=Path, help="folder of folders of complete tables")
    effort = command("effort", 3)
    effort.add_argument("--names", nargs="*", default=EFFORT_GAMES, choices=EFFORT_GAMES)
    effort.add_argument("--games", type=Path, help="folder of folders of complete tables")
    effort.add_argument("--only", nargs="+", help="names of families (default: all)")
    memory = commands.add_parser("memory-one", help="one measurement of `speed`, in a process of its own")
    memory.add_argument("n", type=int)
    memory.add_argument("budget", type=int)
    memory.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def lines_of(chosen: argparse.Namespace) -> Iterator[Any]:
    """Return the lines of the chosen command."""
    actions: dict[str, Callable[[argparse.Namespace], Iterator[Any]]] = {
        "games": lambda c: game_lines(c.games, c.rounds, c.instances, c.seeds, c.only),
        "evaluations": lambda c: evaluation_lines(c.names, c.instances, c.seeds),
        "planted": lambda c: planted_lines(c.instances, c.seeds, c.spectra),
        "speed": lambda c: all_speed_lines(c.players, c.instances * c.seeds, c.threads, not c.skip_memory),
        "display": lambda c: display_lines(c.names, c.games, c.instances, c.seeds),
        "effort": lambda c: effort_lines(c.names, c.games, c.only, c.instances, c.seeds),
        "memory-one": lambda c: memory_lines(c.n, c.budget),
    }
    return actions[chosen.command](chosen)


def _rounds(text: str) -> int | Literal["auto"]:
    """Read a number of rounds from the command line."""
    return "auto" if text == "auto" else int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    chosen = parsed(arguments)
    threads = getattr(chosen, "threads", 1)
    torch.set_num_threads(threads)
    with threadpool_limits(threads):  # steadier, and the same for everybody
        for line in lines_of(chosen):
            print(line, flush=True)


if __name__ == "__main__":
    main()
