"""Rows explained alone or together; a row that fails takes none of the others' values with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from captum_spex.arrays import Floats
from captum_spex.evaluation.progress import PartOfLine, Progress, ProgressLine
from captum_spex.evaluation.torch_models import buffers_kept
from captum_spex.explainers.explanations import ExplainedRow
from captum_spex.explainers.many_rows import Outcome, Task
from captum_spex.explainers.masker_game import MaskerGame
from captum_spex.explainers.planning import PlannedRow, Request
from captum_spex.explainers.row_games import KeptGame, RowsGame
from captum_spex.interactions import Interactions


class GamesOfRows(Protocol):
    """An explainer, as far as its rows need it."""

    model: Any
    allow_training: bool

    def game_of(
        self, row: PlannedRow, request: Request, backgrounds: dict[str, Floats], asks_alone: bool
    ) -> MaskerGame:
        """Return the game of a row."""

    def explained_row(self, row: PlannedRow, game: MaskerGame, results: list[Interactions]) -> ExplainedRow:
        """Return the explanation of a row of which the results are known."""


@dataclass(eq=False)
class PlannedRows:
    """Explains the planned rows of a call, task by task.

    Attributes:
        explainer: where their games come from.
        planned: the rows.
        request: what is asked about them.
        wanted: which arrays are kept of each; ``None``: the results themselves.
        line: where progress is shown; not in processes.
        backgrounds: what the model returned for the background, by kind.
        asks_alone: whether two masks of the next row are also evaluated alone; once for all rows.
    """

    explainer: GamesOfRows
    planned: Sequence[PlannedRow]
    request: Request
    wanted: Sequence[str] | None
    line: ProgressLine | None = None
    backgrounds: dict[str, Floats] = field(default_factory=dict)
    asks_alone: bool = True

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "line": None}

    def __call__(self, task: Task) -> list[Outcome]:
        """Return the outcome for every row of a task: an explanation, or what the model raised."""
        request = replace(self.request, approximator=task.approximator)
        with buffers_kept(self.explainer.model) if self.explainer.allow_training else nullcontext():
            if len(task.rows) == 1:
                return [self._attempted(task.rows[0], request)]
            return self._together(task.rows, request)

    @property
    def _progress(self) -> Progress | None:
        return None if self.line is None else PartOfLine(self.line)

    def _game(self, number: int, request: Request) -> MaskerGame:
        game = self.explainer.game_of(self.planned[number], request, self.backgrounds, self.asks_alone)
        self.asks_alone &= game.n_players < 2
        return game

    def _attempted(self, number: int, request: Request, kept: KeptGame | None = None) -> Outcome:
        """Explain a row alone, from the values that it has so far."""
        row = self.planned[number]
        try:
            if kept is not None:
                return self._finished(number, kept.game, row.asked(kept, request, self._progress))
            game = self._game(number, request)
            return self._finished(number, game, row.explained(game, request, self._progress))
        except Exception as error:
            return error

    def _together(self, rows: Sequence[int], request: Request) -> list[Outcome]:
        """Explain rows by one run; what fails is left out, and told by a run of its own."""
        outcomes: dict[int, Outcome] = {}
        games: dict[int, KeptGame] = {}
        for number in rows:
            try:
                games[number] = KeptGame(self._game(number, request))
            except Exception as error:
                outcomes[number] = error
        found: list[Interactions] = []
        good: dict[int, KeptGame] = {}
        while good := {number: game for number, game in games.items() if not game.failed}:
            found = self.planned[next(iter(good))].asked(RowsGame(list(good.values())), request, self._progress)
            for game in games.values():
                game.recalls = True
            if not any(game.failed for game in good.values()):
                break
        start = 0
        for number, game in good.items():
            stop = start + game.n_outputs
            outcomes[number] = self._finished(number, game.game, found[start:stop])
            start = stop
        for number in games.keys() - good.keys():
            outcomes[number] = self._attempted(number, request, games[number])
        return [outcomes[number] for number in rows]

    def _finished(self, number: int, game: MaskerGame, results: list[Interactions]) -> ExplainedRow:
        row = self.planned[number]
        among_all = [row.among_all(result, self.request) if game.n_players else result for result in results]
        explained = self.explainer.explained_row(row, game, among_all)
        return explained if self.wanted is None else explained.reduced(self.wanted)
