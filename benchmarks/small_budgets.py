"""Fewer masks than single players take to enumerate: ``python -m benchmarks.small_budgets [--seeds 3] [--out FILE]``.

For games of the benchmark, at multiples of the number of players, against methods of other packages that are hard to
beat there: R² on uniformly random masks, R² on masks of uniformly random size, and the squared error of Shapley
values relative to their size (where they are not known, from 400 permutations and their reverses, 60 of slow games);
means over seeds. The budget "1" is one mask more than there are players, the fewest that FeatureAblation takes.
``--games DIR`` adds a folder of exact games; ``--read FILE`` compares results of earlier runs, by their labels.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.designs import shapley_values
from captum_spex.benchmark import Case, Method, all_methods, catalogue, from_folder
from captum_spex.benchmark.attempts import Counted, quiet
from captum_spex.benchmark.cases import CaseSource
from captum_spex.benchmark.measure import Examiner
from captum_spex.benchmark.protocol import OURS, Request

RIVALS = ("Captum Lime", "Captum FeatureAblation", "SHAP PartitionExplainer")
MULTIPLES = (0.5, 0.75, 1.0, 1.5, 2.0)
MOST_PLAYERS = 100
SLOW = ("training-100",)
TOLERANCE = 5e-4  # what is not counted as lost


class Cell(NamedTuple):
    """One method on one game with one seed."""

    game: str
    multiple: float
    label: str
    seed: int
    n_evaluations: int
    r2: float
    sized: float
    error: float


def budget_of(n_players: int, multiple: float) -> int:
    """Return the number of masks."""
    return n_players + 1 if multiple == 1 else int(multiple * n_players)


def explained(method: Method, case: Case, examiner: Examiner, exact: np.ndarray, request: Request) -> tuple[float, ...]:
    """Return evaluations, R², R² of uniform sizes and error of Shapley values; NaN for what a method does not say."""
    game = Counted(case.game, case.n_players)
    with quiet():
        answer = method(game, request)
    found = {} if answer.predict is None else examiner.errors(answer.predict, np.array(list(game.keys), np.uint64))
    error = np.nan if answer.shapley is None else ((answer.shapley - exact) ** 2).sum() / (exact**2).sum()
    return len(game.keys), found.get("r2", np.nan), found.get("r2_sized", np.nan), float(error)


def cells(
    source: CaseSource, names: Sequence[str], multiples: Sequence[float], seeds: int, label: str
) -> Iterator[Cell]:
    """Yield the results of all methods on a game; those of the default under the label."""
    case = source.load()
    n_held_out, n_permutations = (200, 60) if source.requirement or source.name in SLOW else (600, 400)
    examiner, exact = Examiner(case, n_held_out), shapley_values(case, n_permutations)
    for multiple in multiples:
        for method in (method for method in all_methods() if method.name in names and method.missing() is None):
            for seed in range(seeds):
                request = Request(case.n_players, budget_of(case.n_players, multiple), seed, 2)
                if method.refusal(request) is None:
                    name = label if method.name == OURS else method.name
                    n_evaluations, *numbers = explained(method, case, examiner, exact, request)
                    yield Cell(case.name, multiple, name, seed, int(n_evaluations), *numbers)


def means(found: Sequence[Cell]) -> dict[tuple[str, float], dict[str, np.ndarray]]:
    """Return means over seeds of R², R² of uniform sizes and error, by game and multiple, then by label."""
    values: dict[tuple[str, float], dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for cell in found:
        values[cell.game, cell.multiple][cell.label].append((cell.r2, cell.sized, cell.error))
    return {place: {label: np.mean(some, axis=0) for label, some in of.items()} for place, of in values.items()}


def is_lost(ours: np.ndarray, others: Mapping[str, np.ndarray]) -> list[bool]:
    """Say for every number whether any rival has a better one."""
    better = np.array([1, 1, -1]) * (
        np.array([others[name] for name in RIVALS if name in others]).reshape(-1, 3) - ours
    )
    return [bool(some) for some in (np.nan_to_num(better, nan=-1) > TOLERANCE).any(axis=0)]


def lines(found: Sequence[Cell], labels: Sequence[str]) -> Iterator[str]:
    """Yield a line for every game and multiple, then what is lost of each label, and its means."""
    table = means(found)
    shown = [*labels, *RIVALS]
    yield f"{'game':30} {'masks/n':>7}" + "".join(f" | {label[-20:]:>20}" for label in shown) + "  lost"
    for (game, multiple), by_label in table.items():
        numbers = (by_label.get(label, np.full(3, np.nan)) for label in shown)
        columns = "".join(" |" + "".join(f"{number:7.3f}" for number in some) for some in numbers)
        lost = [name for name, one in zip("RSE", is_lost(by_label[labels[-1]], by_label), strict=True) if one]
        yield f"{game[-30:]:30} {multiple:7.2f}{columns}  {''.join(lost)}"
    for label in labels:
        for multiple in sorted({multiple for _, multiple in table}):
            rows = [of for (_, one), of in table.items() if one == multiple and label in of]
            lost_of = np.array([is_lost(of[label], of) for of in rows]).sum(axis=0)
            own = np.array([of[label] for of in rows])
            r2, sized = np.clip(own[:, :2], -1, 1).mean(axis=0)
            error = np.exp(np.log(np.maximum(own[:, 2], 1e-4)).mean())
            counts = " ".join(map(str, lost_of))
            place = f"{label}: {multiple} n, {len(rows)} games"
            yield f"{place:40} R² {r2:6.3f}  sizes {sized:6.3f}  SV error {error:6.3f}  lost {counts}"


def read(path: Path) -> list[Cell]:
    """Return what was written."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [Cell(row[0], float(row[1]), row[2], int(row[3]), int(row[4]), *map(float, row[5:])) for row in rows]


def write(path: Path, found: Sequence[Cell]) -> None:
    """Add results to a file."""
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(Cell._fields)
        writer.writerows(found)


def sources(names: Sequence[str] | None, games: str | None) -> list[CaseSource]:
    """Return the games of at most 100 players that need nothing else, and those of a folder."""
    of_folder = [] if games is None else from_folder(games)[0]
    known = [source for source in catalogue() if source.n_players <= MOST_PLAYERS and source.missing() is None]
    return [source for source in (*known, *of_folder) if names is None or source.name in names]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or read, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+")
    parser.add_argument("--games")
    parser.add_argument("--methods", nargs="+", default=[OURS, *RIVALS])
    parser.add_argument("--multiples", nargs="+", type=float, default=MULTIPLES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--label", default=OURS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--read", nargs="+", type=Path)
    chosen = parser.parse_args(arguments)
    found = [cell for path in chosen.read or () for cell in read(path)]
    for source in [] if chosen.read else sources(chosen.cases, chosen.games):
        new = list(cells(source, chosen.methods, chosen.multiples, chosen.seeds, chosen.label))
        if chosen.out:
            write(chosen.out, new)
        found += new
    labels = [label for label in dict.fromkeys(cell.label for cell in found) if label not in RIVALS]
    for line in lines(found, labels):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
