"""The protocol of executors: they take batches of masks and yield answers, in any order."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from captum_spex.arrays import Floats, Rows
from captum_spex.evaluation.transport import Evaluated, Failure
from captum_spex.masks import ChosenRows, MaskBlocks

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
