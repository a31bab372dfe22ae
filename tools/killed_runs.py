"""Runs that are killed and started again: ``python tools/killed_runs.py GAME FOLDER``.

A process imports everything once and forks a child for each run, which is killed or comes to its end; every batch that
the game is asked for is logged before it is evaluated. What happened is written to ``FOLDER/report.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import captum_spex
from captum_spex.games.text import ClassificationGame, embedded_model
from captum_spex.masks import Masks

TEXT = "The plot was not good but her acting never fails to impress and I loved the music"
N_PLAYERS = 7  # of the game without a text, all of whose masks are evaluated
CHILD_FAILED = 3
PER_BATCH = 0.01  # seconds that a batch takes at least, so that kills meet it
LOOK = 0.001  # seconds between two looks at a log
Batches = list[frozenset[bytes]]


class NumpyGame:
    """A sum of products, which wants its masks by size, nine at a time."""

    n_players = N_PLAYERS
    names = None
    fingerprint = "a sum of products"

    def __call__(self, masks: Masks) -> np.ndarray:
        return 1.0 * masks[:, 0] - 2.0 * (masks[:, 3] & masks[:, 5]) + 0.3 * (masks[:, 1] & masks[:, 2] & masks[:, 6])

    def plan_batches(self, masks: Masks) -> list[np.ndarray]:
        order = np.argsort(masks.sum(axis=1), kind="stable")
        return [order[start : start + 9] for start in range(0, len(order), 9)]


def text_game() -> ClassificationGame:
    """Return a game of the embedded classifier, in batches of a few rows."""
    return ClassificationGame(*embedded_model(), TEXT, target="positive", tokens_per_batch=160)


GAMES: dict[str, tuple[Callable[[], Any], int]] = {"text": (text_game, 80), "numpy": (NumpyGame, 2**N_PLAYERS)}
"""How a game is made, and its budget."""


class Logged:
    """A game that appends every batch to a file in one write, before it is evaluated."""

    def __init__(self, game: Any, log: Path) -> None:
        self._game = game
        self._log = log
        self.n_players, self.names, self.fingerprint = game.n_players, game.names, game.fingerprint
        self.plan_batches = game.plan_batches

    def __call__(self, masks: Masks) -> Any:
        line = " ".join(np.packbits(mask).tobytes().hex() for mask in masks) + "\n"
        file = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)
        time.sleep(PER_BATCH)
        return self._game(masks)


def batches_of(log: Path) -> Batches:
    """Read a log."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [frozenset(bytes.fromhex(mask) for mask in line.split()) for line in lines]


@dataclass(frozen=True)
class Runner:
    """Starts runs of one game.

    Attributes:
        game: the game, made once.
        budget: its evaluations.
    """

    game: Any
    budget: int

    def start(self, folder: Path, before: Callable[[], None] | None = None) -> int:
        """Fork a child that runs to its end, and return its number."""
        log = folder / f"log-{len(list(folder.glob('log-*'))):03}"
        log.touch()
        child = os.fork()
        if child:
            return child
        try:
            if before is not None:
                before()
            result = captum_spex.explain(
                Logged(self.game, log), budget=self.budget, random_state=0, store=folder / "store.db"
            )
            sys.setprofile(None)
            (folder / "unfinished").write_text(result.to_json())
            (folder / "unfinished").rename(folder / "result.json")
        except BaseException:
            traceback.print_exc()
            os._exit(CHILD_FAILED)
        os._exit(0)

    def import_everything(self, folder: Path) -> None:
        """Run once in this process: what is imported when it is used would be imported by every child again."""
        captum_spex.explain(self.game, budget=self.budget, random_state=0, store=folder / "store.db").to_json()

    def finish(self, folder: Path) -> None:
        """Run to the end."""
        _, status = os.waitpid(self.start(folder), 0)
        assert os.waitstatus_to_exitcode(status) == 0, "a run that nobody killed failed"


def killed_in(batch: int, seconds: float, place: Path, child: int) -> bool:
    """Kill the newest run of a store some time after it began a batch, 0 for at once; return whether it still ran."""
    log = max(place.glob("log-*"))
    while log.read_bytes().count(b"\n") < batch:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return was_killed(status)
        time.sleep(LOOK)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)  # it is not waited for yet: its number is not given to others
    return was_killed(os.waitpid(child, 0)[1])


def was_killed(status: int) -> bool:
    """Whether a child was killed, and did not come to its end; it must not have failed."""
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"a run failed with exit code {code}"
    return code == -signal.SIGKILL


class KillsItself:
    """Kills its process at one of the calls that the store makes: of the database, or of files."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self) -> None:
        sys.setprofile(self._count)

    def _count(self, frame: FrameType, event: str, _: Any) -> None:
        if frame.f_code.co_filename.endswith("store.py") and event.startswith("c_"):
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


# --- what is measured ----------------------------------------------------------------------------------------------


def at_random_times(
    runner: Runner, folder: Path, n_kills: int, n_batches: int, rng: np.random.Generator
) -> Iterator[Path]:
    """Kill runs at random points, each run going on where the one before was killed, until enough were killed."""
    n_killed, chain = 0, 0
    while n_killed < n_kills:
        place = made(folder / f"times-{chain:03}")
        chain += 1
        running = True
        while running and n_killed < n_kills:
            # a quarter of them at once, or while the file is made and the first batch evaluated; some come to their end
            batch = 0 if rng.random() < 0.25 else int(rng.integers(1, n_batches + 2))
            seconds = max(0.0, rng.uniform(-0.5, 1.5)) * PER_BATCH
            running = killed_in(batch, seconds, place, runner.start(place))
            n_killed += running
        if running:
            runner.finish(place)
        yield place


def at_calls_of_the_store(runner: Runner, folder: Path, calls: range) -> Iterator[Path]:
    """Kill a run at each of some calls of the store, and run again."""
    for call in calls:
        place = made(folder / f"call-{call:03}")
        child = runner.start(place, KillsItself(call))
        was_killed(os.waitpid(child, 0)[1])
        runner.finish(place)
        yield place


def facts_of(place: Path, undisturbed: Path) -> dict[str, int | bool]:
    """Say what the runs of one store repeated, and whether they ended like the undisturbed run."""
    runs = [batches_of(log) for log in sorted(place.glob("log-*"))]
    (wanted,) = (batches_of(log) for log in undisturbed.glob("log-*"))
    finished: set[bytes] = set()
    in_flight: frozenset[bytes] = frozenset()
    n_repeated = n_in_flight_repeated = 0
    for run in runs:
        for number, batch in enumerate(run):
            if number == 0 and batch == in_flight:
                n_in_flight_repeated += len(batch)
            else:  # whatever was asked for before had its values
                finished |= in_flight
                n_repeated += len(batch & finished)
            in_flight = batch
    return {
        "n_runs": len(runs),
        "n_batches_of_first_run": len(runs[0]),
        "n_repeated": n_repeated,
        "n_in_flight_repeated": n_in_flight_repeated,
        "n_missing_or_new": len(finished.union(in_flight) ^ frozenset().union(*wanted)),
        "is_identical": (place / "result.json").read_bytes() == (undisturbed / "result.json").read_bytes(),
        "n_leftover_files": len(list(place.glob("store.db.*"))),
    }


def made(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir(parents=True)
    return folder


def main() -> None:
    """Read the command line, kill and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", choices=GAMES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=50, help="how many runs to kill at random points")
    parser.add_argument("--calls", type=int, default=0, help="kill a run at each of so many first calls of the store")
    parser.add_argument("--every", type=int, default=1, help="only at every so many of these calls")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    make, budget = GAMES[chosen.game]
    runner = Runner(make(), budget)
    runner.import_everything(made(chosen.folder / "imports"))
    undisturbed = made(chosen.folder / "undisturbed")
    runner.finish(undisturbed)
    n_batches, rng = len(batches_of(undisturbed / "log-000")), np.random.default_rng(0)
    places = [
        *at_random_times(runner, chosen.folder, chosen.times, n_batches, rng),
        *at_calls_of_the_store(runner, chosen.folder, range(0, chosen.calls, chosen.every)),
    ]
    report = {"n_batches": n_batches, "chains": [facts_of(place, undisturbed) for place in places]}
    (chosen.folder / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
