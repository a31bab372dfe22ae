"""SPEX against its reference implementation, `sparse-transform`, and against the number of players.

    python -m benchmarks.spex speed
    python -m benchmarks.spex quality --spectra DIR [--plot FILE]
    python -m benchmarks.spex growth

`quality` reads spectra that were measured on language models (JSON: `n_players`, and `terms` as players and
coefficient); it adds noise in units of the signal's standard deviation. Every figure counts evaluations alike.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import captum_spex
from captum_spex import Spectrum
from captum_spex.approximators import Problem, Spex
from captum_spex.approximators.spex.code import Code
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.indices import resolve_index
from captum_spex.masks import PackedMasks
from captum_spex.statistics import r_squared

GROUPS, DEGREE = 3, 5
NOISES = (0.0, 0.05, 0.2)
TEST_MASKS = 2000


class NoisySpectrum:
    """A spectrum with noise on every evaluation; reads only the columns of players that have a term."""

    def __init__(self, spectrum: Spectrum, noise: float, seed: int) -> None:
        self.players = np.unique(spectrum.sets.players)
        place = {int(player): at for at, player in enumerate(self.players)}
        terms = {tuple(place[player] for player in term): value for term, value in spectrum.items()}
        self.small = Spectrum.from_terms(terms, len(self.players))
        self.scale = noise * float(np.sqrt(sum(value**2 for term, value in spectrum.items() if term)))
        self.rng = np.random.default_rng(seed)
        self.seconds = 0.0

    def evaluate_packed(self, block: PackedMasks) -> np.ndarray:
        start = time.perf_counter()
        values = self._values(block.columns(self.players))
        self.seconds += time.perf_counter() - start
        return values

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        return self._values(np.asarray(masks)[:, self.players].astype(bool))

    def _values(self, columns: np.ndarray) -> np.ndarray:
        return self.small(columns) + self.scale * self.rng.normal(size=len(columns))


def planted(n_players: int, n_terms: int, degree: int, seed: int) -> Spectrum:
    """Draw a spectrum of random terms, all orders alike, with coefficients of size 0.5 to 1.5."""
    rng = np.random.default_rng(seed)
    terms: dict[tuple[int, ...], float] = {(): 1.0}
    while len(terms) <= n_terms:
        term = tuple(sorted(rng.choice(n_players, size=rng.integers(1, degree + 1), replace=False).tolist()))
        terms[term] = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))
    return Spectrum.from_terms(terms, n_players)


def read_spectrum(path: Path) -> Spectrum:
    """Read one measured spectrum."""
    content = json.loads(path.read_text())
    return Spectrum.from_terms({tuple(players): value for players, value in content["terms"]}, content["n_players"])


def reference_budget(n_players: int, bits: int) -> int:
    """Return the evaluations of the reference: groups, bins, and delays of the code that corrects five errors."""
    return GROUPS * (Code(n_players, DEGREE).n_parity + 1) << bits


@dataclass(frozen=True)
class Outcome:
    """What one method recovered, and how long it took without the game."""

    spectrum: Spectrum
    seconds: float
    n_evaluations: int
    note: str = ""


def run_ours(spectrum: Spectrum, noise: float, budget: int, seed: int, settings: Spex) -> Outcome:
    """Plan, evaluate and recover; the game's evaluations are not timed."""
    n = spectrum.n_players
    start = time.perf_counter()
    run = settings.start(Problem(n, budget, resolve_index("SII", 2, n)), np.random.default_rng(seed))
    masks = run.ask()
    seconds = time.perf_counter() - start
    evaluator = Evaluator(NoisySpectrum(spectrum, noise, seed), n, budget=budget)
    run.tell(evaluator(masks))
    start = time.perf_counter()
    recovered = run.result()[0]
    seconds += time.perf_counter() - start
    part = recovered.model.parts[0]
    return Outcome(part, seconds, evaluator.n_evaluations, str(recovered.diagnostics.get("answer")))


def run_reference(spectrum: Spectrum, noise: float, bits: int, seed: int) -> Outcome:
    """Run `sparse-transform` with its published settings: soft decoding, then LassoCV on all samples."""
    from sparse_transform.qsft.qsft import transform
    from sparse_transform.qsft.signals.input_signal_subsampled import SubsampledSignal
    from sparse_transform.qsft.utils.query import get_bch_decoder

    n = spectrum.n_players
    np.random.seed(seed)  # noqa: NPY002  the reference draws from the global state
    signal = SubsampledSignal(
        func=NoisySpectrum(spectrum, noise, seed),
        n=n,
        q=2,
        query_args={
            "query_method": "complex",
            "num_subsample": GROUPS,
            "delays_method_source": "joint-coded",
            "subsampling_method": "qsft",
            "delays_method_channel": "identity-siso",
            "num_repeat": 1,
            "b": bits,
            "t": DEGREE,
        },
    )
    start = time.perf_counter()
    result = transform(
        signal,
        reconstruct_method_source="coded",
        reconstruct_method_channel="identity-siso",
        b=bits,
        num_subsample=GROUPS,
        num_repeat=1,
        source_decoder=get_bch_decoder(n, DEGREE, "soft", 2 * DEGREE),
        peeling_method="multi-detect",
        regress="lasso",
        res_energy_cutoff=0.9,
        report=True,
    )
    seconds = time.perf_counter() - start
    terms = {tuple(np.flatnonzero(term).tolist()): float(np.real(value)) for term, value in result["transform"].items()}
    return Outcome(Spectrum.from_terms(terms, n), seconds, reference_budget(n, bits))


def quality(truth: Spectrum, found: Spectrum) -> tuple[float, float]:
    """Return the R² on fresh uniformly random masks without noise, and the planted share of the largest terms found."""
    masks = np.random.default_rng(987654).random((TEST_MASKS, truth.n_players)) < 0.5
    values = truth(masks)
    r2 = r_squared(values, found(masks))
    return r2, recall_of(truth, found)


def recall_of(truth: Spectrum, found: Spectrum) -> float:
    """Return the share of planted terms among as many of the largest terms found."""
    wanted = {term for term in truth if term}
    return len(wanted.intersection([term for term in found if term][: len(wanted)])) / len(wanted)


def speed(players: Sequence[int], bits: int, limit: float) -> None:
    """Decode and refit with three groups and degree 5, against the reference in the same run."""
    print(f"decode and refit, 2**{bits} bins, 3 groups, degree 5, 50 planted terms, noise 5 %")
    print(
        f"{'players':>8} {'evaluations':>12} {'ours s':>8} {'reference s':>12} {'ratio':>7} {'R² ours':>8} {'ref':>8}"
    )
    for n in players:
        truth = planted(n, 50, DEGREE, seed=n)
        settings = Spex(degree=DEGREE, bits=bits, n_groups=GROUPS)
        run_ours(truth, 0.05, reference_budget(n, bits), 1, settings)  # tables of the field are made once
        ours = run_ours(truth, 0.05, reference_budget(n, bits), 0, settings)
        theirs = within(limit, run_reference, truth, 0.05, bits, 0)
        seconds = limit if theirs is None else theirs.seconds
        sign, ratio = "> " if theirs is None else "", seconds / ours.seconds
        r2 = quality(truth, ours.spectrum)[0]
        their_r2 = "unknown" if theirs is None else f"{quality(truth, theirs.spectrum)[0]:.4f}"
        print(
            f"{n:>8} {ours.n_evaluations:>12,} {ours.seconds:>8.2f} {sign + f'{seconds:.1f}':>12} "
            f"{sign + f'{ratio:.0f}':>7} {r2:>8.4f} {their_r2:>8}  (target 20: {verdict(ratio >= 20)})",
            flush=True,
        )


def verdict(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


def within(limit: float, function: Callable[..., Outcome], *arguments: object) -> Outcome | None:
    """Run a function in a process of its own; None if it takes longer than ``limit`` seconds."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            return pool.apply_async(function, arguments).get(limit)
        except multiprocessing.TimeoutError:
            return None


def compare(
    paths: Sequence[Path], noises: Sequence[float], bits: Sequence[int], seeds: Sequence[int]
) -> list[dict[str, object]]:
    """Measure R² and recall of both over measured spectra, noises and budgets."""
    rows: list[dict[str, object]] = []
    print(
        f"{'spectrum':<26} {'noise':>5} {'bits':>4} {'evals':>7} | {'R² ours':>8} {'ref':>8} | "
        f"{'recall':>6} {'ref':>6} | answer"
    )
    for path in paths:
        truth = read_spectrum(path)
        for noise in noises:
            for b in bits:
                budget = reference_budget(truth.n_players, b)
                ours = [run_ours(truth, noise, budget, seed, Spex()) for seed in seeds]
                theirs = [run_reference(truth, noise, b, seed) for seed in seeds]
                means = [np.mean([quality(truth, o.spectrum) for o in which], axis=0) for which in (ours, theirs)]
                worse = means[0] < means[1] - 0.002
                rows.append(
                    {"spectrum": path.stem, "noise": noise, "evaluations": budget}
                    | dict(zip(("r2", "recall"), means[0].tolist(), strict=True))
                    | dict(zip(("reference_r2", "reference_recall"), means[1].tolist(), strict=True))
                )
                print(
                    f"{path.stem:<26} {noise:>5.2f} {b:>4} {budget:>7,} | {means[0][0]:>8.4f} {means[1][0]:>8.4f} | "
                    f"{means[0][1]:>6.3f} {means[1][1]:>6.3f} | {'BELOW ' if worse.any() else ''}{ours[0].note}",
                    flush=True,
                )
    return rows


def draw(rows: list[dict[str, object]], file: Path) -> None:
    """Plot R² and recall against evaluations, ours and the reference, one row of panels per noise."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    noises = list(dict.fromkeys(row["noise"] for row in rows))
    figure, axes = plt.subplots(len(noises), 2, figsize=(10, 3 * len(noises)), squeeze=False, sharex=True)
    for line, noise in enumerate(noises):
        for column, (name, title) in enumerate((("r2", "R² on fresh masks"), ("recall", "recall of planted terms"))):
            axis = axes[line][column]
            for color, spectrum in zip(
                plt.get_cmap("tab10").colors, dict.fromkeys(r["spectrum"] for r in rows), strict=False
            ):
                chosen = [r for r in rows if r["spectrum"] == spectrum and r["noise"] == noise]
                budgets = [r["evaluations"] for r in chosen]
                axis.plot(budgets, [r[name] for r in chosen], "o-", color=color, label=str(spectrum), markersize=4)
                axis.plot(
                    budgets, [r[f"reference_{name}"] for r in chosen], "x--", color=color, alpha=0.6, markersize=4
                )
            axis.set(xscale="log", ylim=(-0.05, 1.05), title=f"{title}, noise {noise:.0%}")
            axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("evaluations")
    axes[0][0].legend(title="solid: captum_spex, dashed: sparse-transform", fontsize=7, title_fontsize=7)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def growth(largest: int) -> None:
    """Recover 50 planted terms among more and more players; each size in a process of its own, for its memory."""
    print("50 planted terms of degree 1-3, noise 5 %, at most 60,000 evaluations")
    print(
        f"{'players':>9} {'evaluations':>12} {'recall':>7} {'R² said':>8} {'masks s':>8} "
        f"{'decode s':>9} {'peak GiB':>9}",
        flush=True,
    )
    for n in (10**3, 10**4, 10**5, 10**6):
        if n <= largest:
            subprocess.run([sys.executable, "-m", "benchmarks.spex", "growth-one", str(n)], check=True)


def growth_one(n: int) -> None:
    """One line of `growth`."""
    truth = planted(n, 50, 3, seed=n)
    game = NoisySpectrum(truth, 0.05, seed=0)
    start = time.perf_counter()
    run = Spex().start(Problem(n, 60_000, resolve_index("SII", 2, n)), np.random.default_rng(0))
    masks = run.ask()
    evaluator = Evaluator(game, n, budget=60_000)
    run.tell(evaluator(masks))
    laid_out = time.perf_counter() - start - game.seconds
    start = time.perf_counter()
    recovered = run.result()[0]
    decoded = time.perf_counter() - start
    recall = recall_of(truth, recovered.model.parts[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n:>9,} {evaluator.n_evaluations:>12,} {recall:>7.2f} {recovered.faithfulness:>8.4f} {laid_out:>8.1f} "
        f"{decoded:>9.1f} {peak:>9.2f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_speed = commands.add_parser("speed")
    of_speed.add_argument("--players", type=int, nargs="*", default=[100, 1000])
    of_speed.add_argument("--bits", type=int, default=8)
    of_speed.add_argument("--limit", type=float, default=600.0, help="seconds after which the reference is stopped")
    of_quality = commands.add_parser("quality")
    of_quality.add_argument("--spectra", type=Path, required=True)
    of_quality.add_argument("--only", nargs="*", help="names of spectra (default: all)")
    of_quality.add_argument("--bits", type=int, nargs="*", default=[3, 4, 5, 6, 7, 8])
    of_quality.add_argument("--noises", type=float, nargs="*", default=NOISES)
    of_quality.add_argument("--seeds", type=int, default=1)
    of_quality.add_argument("--plot", type=Path)
    of_growth = commands.add_parser("growth")
    of_growth.add_argument("--largest", type=int, default=10**6)
    commands.add_parser("growth-one").add_argument("n", type=int)
    chosen = parser.parse_args(arguments)
    if chosen.command != "growth-one":
        print(f"captum_spex {captum_spex.__version__}, numpy {np.__version__}")
    if chosen.command == "quality":
        paths = sorted(path for path in chosen.spectra.glob("*.json") if not chosen.only or path.stem in chosen.only)
        rows = compare(paths, chosen.noises, chosen.bits, range(chosen.seeds))
        if chosen.plot:
            draw(rows, chosen.plot)
        return
    actions: dict[str, Callable[[], None]] = {
        "speed": lambda: speed(chosen.players, chosen.bits, chosen.limit),
        "growth": lambda: growth(chosen.largest),
        "growth-one": lambda: growth_one(chosen.n),
    }
    actions[chosen.command]()


if __name__ == "__main__":
    main()
