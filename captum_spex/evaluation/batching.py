"""How the rows of masks are split into calls of the game."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from captum_spex.arrays import Rows
from captum_spex.errors import GameError
from captum_spex.masks import MaskBlock, MaskBlocks


@dataclass(frozen=True)
class _Sizes:
    """Masks per call."""

    default: int = 1024  # large enough to hide the overhead of a call, small enough for most models' activations
    per_worker: int = 4  # batches of each worker, so that none waits long for the last one
    most_bytes: int = 1 << 26  # of packed masks in a batch, a bound of memory


_SIZES = _Sizes()


@dataclass(frozen=True)
class Batching:
    """The rows of each call of a game: of the size asked for, else as the game plans them, else of a default size.

    Attributes:
        size: the number of masks, if one was asked for.
        plan: returns rows of a block of masks, as the game wants them.
    """

    size: int | None = None
    plan: Callable[[MaskBlock], Any] | None = None

    def batches(self, masks: MaskBlocks, rows: Rows, n_workers: int | None = None) -> Iterator[Rows]:
        """Split rows of masks; without a size or a plan, every one of several workers gets a few batches."""
        if self.size is None and self.plan is not None:
            for block in blocks_of(masks, rows):
                yield from (block[batch] for batch in _checked(self.plan(masks.block(block)), len(block)))
            return
        few = len(rows) if n_workers is None else -(-len(rows) // (_SIZES.per_worker * n_workers))
        yield from blocks_of(masks, rows, self.size or max(1, min(few, _SIZES.default)))


def blocks_of(masks: MaskBlocks, rows: Rows, size: int | None = None) -> Iterator[Rows]:
    """Split rows of masks into blocks of a size, if one is given, that fit into memory."""
    largest = max(1, _SIZES.most_bytes // max(1, masks.n_players // 8))
    size = largest if size is None else min(size, largest)
    yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _checked(plan: Any, n_rows: int) -> list[Rows]:
    """Return a game's plan if it holds every row once; empty batches are left out."""
    try:
        batches = [batch for batch in map(np.asarray, plan) if batch.size]
        rows = np.concatenate(batches)
        is_complete = rows.dtype.kind in "iu" and np.array_equal(np.sort(rows), np.arange(n_rows))
    except (TypeError, ValueError):
        is_complete = False
    if not is_complete:
        got = "missing, repeated or invalid rows"
        raise GameError(f"`game.plan_batches`: expected arrays of row numbers that hold every row once, got {got}.")
    return batches
