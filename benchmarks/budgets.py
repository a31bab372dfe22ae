"""Whether more budget helps on every game: curves of errors over budgets, for the default masks and Bernoulli masks.

    python -m benchmarks.budgets run CSV [--games DIR] [--only NAME ...] [--players 64] [--seeds 3] [--seconds 200]
    python -m benchmarks.budgets table CSV [--before CSV]
    python -m benchmarks.budgets draw CSV PNG

``run`` explains the games of the benchmark, and those of a folder (see `captum_spex.benchmark.from_folder`), at
multiples of the number of players, and appends a line for each run to a file; runs that are in the file already are
skipped, and after so many seconds no new one begins. Bernoulli masks from four evaluations per player on. R² is that
on 2,000 uniformly random masks, the error of Shapley values the square root of the sum of squares, relative to that of
the exact values; where these are unknown, to those of a fit plus the Shapley values of what it leaves over, measured on
permutations and their reverses (``--cache DIR`` keeps both).

``table`` lists where a larger budget is worse than a smaller one by more than 0.01 R² or a tenth of the error, and
where the default's R² is more than 0.02 below that of Bernoulli masks; means over seeds, plus and minus twice the
standard error of the difference. ``draw`` draws a panel for each game.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import captum_spex
from benchmarks.designs import means_over_permutations
from captum_spex.approximators import ProxySpex
from captum_spex.benchmark import Case, catalogue, from_folder
from captum_spex.benchmark.cases import CaseSource
from captum_spex.benchmark.methods.adapter import shapley_of
from captum_spex.statistics import r_squared

Floats = NDArray[np.float64]
MULTIPLES = (1.0, 1.5, 2.0, 2.7, 4.0, 6.0, 10.0, 20.0)
DESIGNS = ("auto", "bernoulli")
BERNOULLI_FROM = 4.0
HELD_OUT = 2000  # masks
PERMUTATIONS = 20_000  # evaluations of permutations, roughly
REFERENCE = 20  # evaluations per player of the fit of which permutations measure what is left over
WORSE_R2, WORSE_ERROR, BELOW = 0.01, 0.10, 0.02


@dataclass(frozen=True)
class Run:
    """One line of the file."""

    game: str
    n_players: int
    multiple: float
    budget: int
    seed: int
    design: str
    r2: float
    error: float
    faithfulness: float
    seconds: float

    @property
    def name(self) -> tuple[str, float, int, str]:
        """What tells it from other runs."""
        return self.game, self.multiple, self.seed, self.design


# --- games and what is known of them -------------------------------------------------------------------------------


class Known(NamedTuple):
    """Held-out masks, their values, and the Shapley values."""

    masks: NDArray[np.bool_]
    values: Floats
    shapley: Floats


def games(folder: Path | None, most_players: int, only: Sequence[str] | None) -> list[CaseSource]:
    """Return the games that can be made here."""
    sources = [source for source in catalogue() if source.missing() is None]
    if folder is not None:
        sources += from_folder(folder)[0]
    sources = [source for source in sources if source.n_players <= most_players]
    return [source for source in sources if only is None or source.name in only]


def shapley_values(case: Case) -> Floats:
    """Return exact Shapley values; or those of a fit, and of what it leaves over by permutations and reverses."""
    if case.truth is not None:
        return shapley_of(case.truth)
    n = case.n_players
    fit = captum_spex.explain(case.game, n, budget=REFERENCE * n, random_state=12345)
    assert isinstance(fit, captum_spex.Interactions)
    model = fit.model
    rest = means_over_permutations(
        lambda masks: np.asarray(case.game(masks), dtype=np.float64) - model(masks), n, PERMUTATIONS // (2 * (n + 1))
    )
    return shapley_of(model) + rest


def known_of(case: Case, cache: Path | None) -> Known:
    """Return what is known of a game, from the cache if it is there."""
    masks = np.random.default_rng([zlib.crc32(case.name.encode()), 1]).random((HELD_OUT, case.n_players)) < 0.5
    file = None if cache is None else cache / f"{case.name.replace('/', '-')}.npz"
    if file is not None and file.exists():
        with np.load(file) as content:
            return Known(masks, content["values"], content["shapley"])
    found = Known(masks, np.asarray(case.game(masks), dtype=np.float64), shapley_values(case))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, values=found.values, shapley=found.shapley)
    return found


# --- runs ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> list[Run]:
    """Read the runs of a file."""
    if not path.exists():
        return []
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Run)}
    with path.open(newline="") as opened:
        return [Run(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(opened)]


def append(path: Path, run: Run) -> None:
    """Write a run behind the others."""
    is_new = not path.exists()
    with path.open("a", newline="") as opened:
        writer = csv.writer(opened)
        if is_new:
            writer.writerow([field.name for field in fields(Run)])
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in astuple(run)])


def plan(multiples: Sequence[float], seeds: int, designs: Sequence[str]) -> list[tuple[float, int, str]]:
    """Return budget, seed and design of the runs of a game, the cheap ones first."""
    every = [(multiple, seed, design) for multiple in sorted(multiples) for seed in range(seeds) for design in designs]
    return [one for one in every if one[2] != "bernoulli" or one[0] >= BERNOULLI_FROM]


def measured(case: Case, known: Known, multiple: float, seed: int, design: str) -> Run:
    """Explain a game once."""
    n = case.n_players
    budget = min(round(multiple * n), 2**n)
    start = time.perf_counter()
    proxy = ProxySpex(design="bernoulli") if design == "bernoulli" else ProxySpex()
    result = captum_spex.explain(case.game, n, budget=budget, approximator=proxy, random_state=seed)
    assert isinstance(result, captum_spex.Interactions)
    seconds = time.perf_counter() - start
    error = float(np.linalg.norm(shapley_of(result.model) - known.shapley) / np.linalg.norm(known.shapley))
    r2 = r_squared(known.values, result.model(known.masks))
    return Run(case.name, n, multiple, budget, seed, design, r2, error, result.faithfulness, seconds)


def run(chosen: argparse.Namespace) -> Iterator[str]:
    """Make the runs that are missing in the file, and yield a line for each."""
    end = time.perf_counter() + chosen.seconds
    done = {one.name for one in read(chosen.csv)}
    for source in games(chosen.games, chosen.players, chosen.only):
        todo = [
            one
            for one in plan(chosen.multiples, chosen.seeds, chosen.designs)
            if (source.name, one[0], one[1], one[2]) not in done
        ]
        if not todo or time.perf_counter() > end:
            continue
        case = source.load()
        known = known_of(case, chosen.cache)
        for one in todo:
            if time.perf_counter() > end:
                break
            found = measured(case, known, *one)
            append(chosen.csv, found)
            place = f"{found.game:32} {found.multiple:4g} n  seed {found.seed}  {found.design:9}"
            yield f"{place}  R² {found.r2:7.3f}  error {found.error:7.4f}"
    if time.perf_counter() > end:
        yield "time is up: start again for the rest"


# --- tables and picture --------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """A mean over seeds, and its standard error."""

    mean: float
    doubt: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ± {2 * self.doubt:.3f}"


def difference(first: Floats, second: Floats) -> Difference:
    """Return the mean difference of runs with other seeds: unpaired, as their masks are other ones."""
    spread = [one.var(ddof=1) / len(one) if len(one) > 1 else np.nan for one in (first, second)]
    return Difference(float(second.mean() - first.mean()), float(np.sqrt(sum(spread))))


class Curve(NamedTuple):
    """All seeds of one game and design, from budget to budget."""

    multiples: list[float]
    r2: list[Floats]
    error: list[Floats]


def curves(runs: Iterable[Run]) -> dict[str, dict[str, Curve]]:
    """Gather runs by game and design."""
    found: dict[str, dict[str, dict[float, list[Run]]]] = {}
    for one in runs:
        found.setdefault(one.game, {}).setdefault(one.design, {}).setdefault(one.multiple, []).append(one)
    return {game: {design: _curve(of) for design, of in designs.items()} for game, designs in found.items()}


def _curve(by_multiple: dict[float, list[Run]]) -> Curve:
    places = sorted(by_multiple)
    r2, error = (
        [np.array([getattr(one, name) for one in by_multiple[place]]) for place in places] for name in ("r2", "error")
    )
    return Curve(places, r2, error)


def steps_back(curve: Curve) -> Iterator[tuple[float, float, str, Difference]]:
    """Yield two neighbouring budgets of which the larger one is worse, and by how much."""
    for k in range(len(curve.multiples) - 1):
        places = curve.multiples[k], curve.multiples[k + 1]
        change = difference(curve.r2[k], curve.r2[k + 1])
        if change.mean < -WORSE_R2:
            yield *places, "R²", change
        before = curve.error[k].mean()
        relative = difference(curve.error[k] / before, curve.error[k + 1] / before)
        if relative.mean > WORSE_ERROR and curve.error[k + 1].mean() > 1e-3:
            yield *places, "error", relative


def below(designs: dict[str, Curve]) -> Iterator[tuple[float, Difference, float]]:
    """Yield budgets at which Bernoulli masks have the larger R², by how much, and the ratio of the errors."""
    if len(designs) < len(DESIGNS):
        return
    ours, other = designs["auto"], designs["bernoulli"]
    for k, place in enumerate(other.multiples):
        if place not in ours.multiples:
            continue
        own = ours.multiples.index(place)
        change = difference(other.r2[k], ours.r2[own])
        if change.mean < -BELOW:
            yield place, change, float(ours.error[own].mean() / other.error[k].mean())


def summary(runs: Sequence[Run]) -> Iterator[str]:
    """Yield what is wrong with which game, then how often something is."""
    by_game = curves(runs)
    n_steps = n_back = n_compared = n_below = 0
    for game, designs in by_game.items():
        if "auto" not in designs:
            continue
        n_steps += len(designs["auto"].multiples) - 1
        for small, large, what, change in steps_back(designs["auto"]):
            n_back += 1
            yield f"{game:32} {small:4g} n to {large:4g} n  {what:5} {change}"
    yield ""
    for game, designs in by_game.items():
        n_compared += len(designs["bernoulli"].multiples) if len(designs) == len(DESIGNS) else 0
        for place, change, ratio in below(designs):
            n_below += 1
            yield f"{game:32} {place:4g} n: R² {change} to Bernoulli masks, error {ratio:.2f} of theirs"
    yield ""
    counts = f"{n_back} steps back of {2 * n_steps}; {n_below} of {n_compared} R² below Bernoulli masks"
    yield f"{len(by_game)} games; {counts}"


def compared(before: Sequence[Run], after: Sequence[Run]) -> Iterator[str]:
    """Yield R² and errors before and after, means over games that both have."""
    names = {one.name for one in before} & {one.name for one in after}
    head = f"{'design':10} {'budget':>7} {'games':>6} | {'R² before':>10} {'after':>7}"
    yield f"{head} | error after to before (geometric mean)"
    for design in DESIGNS:
        for multiple in sorted({name[1] for name in names}):
            pair = [
                curves(one for one in runs if one.name in names and one.design == design and one.multiple == multiple)
                for runs in (before, after)
            ]
            both = [(pair[0][game][design], pair[1][game][design]) for game in pair[0]]
            if not both:
                continue
            r2 = np.array([[max(one.r2[0].mean(), -1.0) for one in two] for two in both])
            floor = 1e-6  # errors below are rounding
            ratio = np.log([(two[1].error[0].mean() + floor) / (two[0].error[0].mean() + floor) for two in both])
            yield (
                f"{design:10} {multiple:5g} n {len(both):6} | {r2[:, 0].mean():10.4f} {r2[:, 1].mean():7.4f} | "
                f"{np.exp(ratio.mean()):.3f}"
            )


def draw(runs: Sequence[Run], path: Path) -> None:
    """Draw a panel for each game: R² and, dashed, the error of Shapley values, over evaluations per player."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    by_game = curves(runs)
    columns = 6 if len(by_game) <= 48 else 9
    rows = -(-len(by_game) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.3 * columns, 1.75 * rows + 0.6), sharex=True, layout="constrained", squeeze=False
    )
    colors = {"auto": "tab:blue", "bernoulli": "tab:orange"}
    for number, (axis, (game, designs)) in enumerate(zip(axes.flat, by_game.items(), strict=False)):
        for design, curve in designs.items():
            r2 = [max(0.0, one.mean()) for one in curve.r2]
            axis.plot(curve.multiples, r2, color=colors[design], marker=".", markersize=4, linewidth=1.2)
            error = [min(1.0, one.mean()) for one in curve.error]
            axis.plot(curve.multiples, error, color=colors[design], linestyle=":", linewidth=1.2)
        axis.set(xscale="log", ylim=(-0.03, 1.03))
        axis.set_xticks([1, 2, 4, 10, 20], ["1", "2", "4", "10", "20"])
        axis.minorticks_off()
        axis.tick_params(labelsize=7, labelbottom=number + columns >= len(by_game))
        axis.set_title(game.removeprefix("llm_spectra/"), fontsize=7)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(by_game) :]:
        axis.remove()
    lines = [
        mpl.lines.Line2D([], [], color=color, linestyle=style, label=f"{what}, {masks}")
        for masks, color in (("default masks", colors["auto"]), ("Bernoulli masks", colors["bernoulli"]))
        for what, style in (("R² on uniformly random masks", "-"), ("relative error of Shapley values", ":"))
    ]
    figure.legend(handles=lines, loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    figure.supxlabel("evaluations per player", fontsize=9)
    figure.savefig(path, dpi=80)
    plt.close(figure)


# --- command line --------------------------------------------------------------------------------------------------


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("csv", type=Path)
    runs.add_argument("--games", type=Path, help="a folder of exact games")
    runs.add_argument("--only", nargs="+", help="names of games (default: all)")
    runs.add_argument("--players", type=int, default=100, help="at most (default: %(default)s)")
    runs.add_argument("--multiples", type=float, nargs="+", default=MULTIPLES, help="evaluations per player")
    runs.add_argument("--seeds", type=int, default=3)
    runs.add_argument("--designs", nargs="+", choices=DESIGNS, default=DESIGNS)
    runs.add_argument("--seconds", type=float, default=float("inf"), help="after which no run begins")
    runs.add_argument("--cache", type=Path, help="folder for held-out values and reference Shapley values")
    table = commands.add_parser("table")
    table.add_argument("csv", type=Path)
    table.add_argument("--before", type=Path, help="runs to compare with")
    picture = commands.add_parser("draw")
    picture.add_argument("csv", type=Path)
    picture.add_argument("png", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, then measure, tabulate or draw."""
    chosen = parsed(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if chosen.command == "run":
            for line in run(chosen):
                print(line, flush=True)
        elif chosen.command == "table":
            runs = read(chosen.csv)
            lines = summary(runs) if chosen.before is None else compared(read(chosen.before), runs)
            print("\n".join(lines))
        else:
            draw(read(chosen.csv), chosen.png)


if __name__ == "__main__":
    main(sys.argv[1:])
