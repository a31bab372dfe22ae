"""What an explanation costs: masks evaluated, time without the game, memory."""

from __future__ import annotations

import ctypes
import gc
import re
from contextlib import suppress
from math import nan
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats
from captum_spex.game import Game
from captum_spex.masks import Keys, as_masks, mask_keys


class Counted:
    """A game that counts its evaluations, and the seconds that they take.

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
        self.n_calls = 0  # masks, repeated ones too
        self.seconds = 0.0

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        start = perf_counter()
        try:
            checked = as_masks(masks, self.n_players)
            self.n_calls += len(checked)
            self._keys.append(mask_keys(checked))
            return np.asarray(self._game(checked), dtype=np.float64)
        finally:
            self.seconds += perf_counter() - start

    @property
    def evaluated(self) -> Keys:
        """The keys of the distinct masks that were evaluated."""
        self._keys = [np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *self._keys]))]
        return self._keys[0]

    @property
    def n_evaluations(self) -> int:
        """How many distinct masks were evaluated."""
        return len(self.evaluated)


class PeakMemory:
    """Peak memory of this process from now on, beyond that in use now; Linux keeps it, elsewhere it is unknown."""

    def __init__(self) -> None:
        gc.collect(1)  # all generations take a third of a second where torch is loaded
        with suppress(OSError, AttributeError, TypeError):  # free memory goes back to the system: only glibc can
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self._start = _kib("VmRSS")

    @property
    def mib(self) -> float:
        """The peak in MiB; NaN where the system does not tell."""
        return (_kib("VmHWM") - self._start) / 1024


def _kib(name: str) -> float:
    try:
        return float(re.findall(rf"^{name}:\s*(\d+)", Path("/proc/self/status").read_text(encoding="ascii"), re.M)[0])
    except (OSError, IndexError):
        return nan
