"""Batches of masks: how rows are split into them, who evaluates them, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from captum_spex.arrays import Floats, Rows
from captum_spex.errors import GameError
from captum_spex.evaluation.transport import Evaluated, Failure
from captum_spex.masks import ChosenRows, MaskBlock, MaskBlocks


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


ALL_ROWS = slice(None)


@dataclass(frozen=True, eq=False)
class Answer:
    """Values of a batch, or of some of its rows; or the error of the game.

    Attributes:
        batch: number of the batch.
        rows: rows of the batch.
        values: values of these, ``(n_rows,)`` or ``(n_rows, n_outputs)``.
        layout: what a worker's game knows of the layout of its outputs.
        error: what the game raised.
    """

    batch: int
    rows: Rows | slice
    values: Floats
    layout: str | None = None
    error: Exception | None = None

    @classmethod
    def failed(cls, batch: int, error: Exception) -> Answer:
        """Return the answer of a game that raised an error."""
        return cls(batch, slice(0), np.zeros(0), error=error)

    @classmethod
    def received(cls, batch: int, outcome: Evaluated | Failure) -> Answer:
        """Return the answer of a worker."""
        if isinstance(outcome, Failure):
            return cls.failed(batch, outcome.error())
        return cls(batch, ALL_ROWS, outcome.values, outcome.layout)


class Executor(Protocol):
    """Calls a game: in this process, in processes through joblib, in Ray actors."""

    def batches(self, masks: MaskBlocks, rows: Rows) -> Iterator[Rows]:
        """Split rows of masks into batches."""

    def evaluate(self, batches: Iterable[ChosenRows]) -> Generator[Answer]:
        """Yield the answers of all batches as soon as they are known, in any order.

        A batch is taken from the iterable, in the thread of the caller, before it is evaluated. Callers close the
        generator after an answer with an error.
        """
