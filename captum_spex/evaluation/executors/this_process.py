"""Games that are called in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from captum_spex.arrays import Rows
from captum_spex.errors import GameError
from captum_spex.evaluation.batching import ALL_ROWS, Answer, Batching, blocks_of
from captum_spex.evaluation.game_adapter import GameAdapter, game_values
from captum_spex.masks import ChosenRows, MaskBlocks, Masks


@dataclass(frozen=True, eq=False)
class ThisProcess:
    """Calls a game batch by batch."""

    game: GameAdapter
    batching: Batching

    def batches(self, masks: MaskBlocks, rows: Rows) -> Iterator[Rows]:
        """Split rows of masks into batches."""
        return self.batching.batches(masks, rows)

    def evaluate(self, batches: Iterable[ChosenRows]) -> Generator[Answer]:
        """Yield the answer of each batch, in order."""
        for number, batch in enumerate(batches):
            block = batch.laid_out()
            try:
                answer = Answer(number, ALL_ROWS, self.game.values(block))
            except Exception as error:
                answer = Answer.failed(number, error)
            yield answer


@dataclass(frozen=True, eq=False)
class Streamed:
    """Calls ``answer_each`` of a game that waits for others, and passes every answer on at once."""

    game: GameAdapter

    def batches(self, masks: MaskBlocks, rows: Rows) -> Iterator[Rows]:
        """Split rows of masks into blocks that fit into memory: the game itself decides how it works on them."""
        return blocks_of(masks, rows)

    def evaluate(self, batches: Iterable[ChosenRows]) -> Generator[Answer]:
        """Yield every answer as soon as the game has it."""
        for number, batch in enumerate(batches):
            masks = batch.laid_out().unpack()
            try:
                yield from (Answer(number, rows, game_values(raw)) for rows, raw in self._answers(masks))
            except Exception as error:
                failure = error
            else:
                continue
            yield Answer.failed(number, failure)

    def _answers(self, masks: Masks) -> Iterator[tuple[Rows, Any]]:
        """Yield rows and their values, each row once."""
        answered = np.zeros(len(masks), dtype=np.bool_)
        for answer, raw in self.game.answer_each(masks):  # type: ignore[misc]  # games without it have another executor
            rows = np.atleast_1d(np.asarray(answer, dtype=np.intp))
            for row in rows.tolist():
                if not 0 <= row < len(masks):
                    raise _unexpected(f"rows from 0 to {len(masks) - 1}", f"row {row}")
                if answered[row]:
                    raise _unexpected("one answer for each row", f"a second for row {row}")
                answered[row] = True
            yield rows, raw if np.ndim(answer) else [raw]
        if not answered.all():
            raise _unexpected("one answer for each row", f"none for {int((~answered).sum())} of {len(masks)} rows")


def _unexpected(expected: str, got: str) -> GameError:
    return GameError(f"`game.answer_each`: expected {expected}, got {got}.", "game")
