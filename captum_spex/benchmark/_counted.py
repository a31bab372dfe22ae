"""What an explanation costs: masks evaluated, time without the game, memory."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import nan
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.game import Game
from captum_spex.masks import Keys, PackedMasks, as_masks, mask_keys

_STATM = Path("/proc/self/statm")
_SECONDS_BETWEEN = 0.005
_MIB = 1 << 20


class Counted:
    """A game that counts what it is asked for, and how long it takes to answer.

    Args:
        game: the game itself.
        n_players: number of players.

    Attributes:
        n_players: number of players.
        n_calls: masks evaluated, repeated ones too.
        seconds: on the clock, spent in the game and in the counting.

    Example:
        >>> game = Counted(lambda masks: masks.sum(axis=1), 2)
        >>> game([[True, True], [True, False], [True, True]])
        array([2., 1., 2.])
        >>> game.n_evaluations, game.n_calls
        (2, 3)
    """

    def __init__(self, game: Game, n_players: int) -> None:
        self._game = game
        self._keys: list[Keys] = []
        self.n_players = n_players
        self.n_calls = 0
        self.seconds = 0.0

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        start = perf_counter()
        try:
            checked = as_masks(masks, self.n_players)
            self._count(mask_keys(checked))
            return np.asarray(self._game(checked), dtype=np.float64)
        finally:
            self.seconds += perf_counter() - start

    @property
    def seen(self) -> Keys:
        """The keys of the distinct masks that were evaluated."""
        seen = np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *self._keys]))
        self._keys = [seen]
        return seen

    @property
    def n_evaluations(self) -> int:
        """How many distinct masks were evaluated."""
        return len(self.seen)

    def _count(self, keys: Keys) -> None:
        self.n_calls += len(keys)
        self._keys.append(keys)


class CountedPacked(Counted):
    """The same of a game that takes packed masks too."""

    def evaluate_packed(self, block: PackedMasks) -> Any:
        """Return the values of packed masks."""
        start = perf_counter()
        try:
            self._count(block.keys())
            return self._game.evaluate_packed(block)  # type: ignore[attr-defined]
        finally:
            self.seconds += perf_counter() - start


def counted(game: Game, n_players: int) -> Counted:
    """Return a game that counts, and takes what the game itself takes."""
    kind = CountedPacked if hasattr(game, "evaluate_packed") else Counted
    return kind(game, n_players)


class Peak:
    """Memory of this process at its peak beyond that at the start, in MiB; NaN where the system does not tell."""

    def __init__(self) -> None:
        self._start = self._most = _resident()

    @property
    def mib(self) -> float:
        """The peak so far."""
        return nan if self._start is None or self._most is None else (self._most - self._start) / _MIB

    def look(self) -> None:
        """Look how much is used now."""
        now = _resident()
        if now is not None and self._most is not None:
            self._most = max(self._most, now)


@contextmanager
def watched_memory() -> Iterator[Peak]:
    """Look at the memory of this process every 5 ms; what was used before is given back first, where that can be."""
    gc.collect(1)  # all generations take a third of a second where torch is loaded
    with suppress(OSError, AttributeError, TypeError):  # only the C library of GNU has it
        ctypes.CDLL(None).malloc_trim(0)
    peak, over = Peak(), Event()

    def watch() -> None:
        while not over.wait(_SECONDS_BETWEEN):
            peak.look()

    watcher = Thread(target=watch, name="benchmark-memory", daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
        peak.look()


def _resident() -> int | None:
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
