"""What a game is: any callable from masks to values; and all that it may have besides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, Rows
from captum_spex.masks import ChosenRows, MaskBlocks, Masks, PackedMasks


class Game(Protocol):
    """A value function: masks in, one value (or one row of outputs) per mask out. A plain function is a game too.

    A game may also have any of the attributes and methods of `GameHooks`.

    Example:
        >>> import numpy as np
        >>> def game(masks):
        ...     return masks[:, 0] + 2.0 * (masks[:, 1] & masks[:, 2])
        >>> game(np.array([[True, True, True], [True, False, False]]))
        array([3., 1.])
    """

    def __call__(self, masks: Masks, /) -> ArrayLike:
        """Evaluate a bool array ``(n_masks, n_players)``, ``True`` = player present.

        Returns numbers ``(n_masks,)``, or ``(n_masks, n_outputs)`` for a game with several outputs.
        """


class GameHooks(Protocol):
    """All optional attributes and methods of a game. A game has any of them, or none, and need not name this class.

    Attributes:
        n_players: number of players, the default of `captum_spex.explain`.
        names: names of the players, the default of `captum_spex.explain`.
        fingerprint: a text, or a mapping of texts, that tells the game from all others; without one, a store must be
            given it.
        table: given values, of a game that cannot be evaluated: `captum_spex.explain` calls
            `captum_spex.explain_table`.
        output_layout: what the calls so far have shown of the outputs, as a text. It is kept in a store and set again
            when the run is resumed, and it travels between processes.
        batch_argument: name of the argument that sets how many masks share a call, for a game whose masks could
            influence each other there: two of them are then also evaluated alone, once in a run, beside the budget,
            and compared.
        rounding: relative rounding of the game's numbers, which such values may differ by; default that of float32.
        noisy: whether evaluating a mask again may give another value: the default approximator is then
            ``ProxySpex(noisy=True)``.
        keeps_budget: whether a default number of evaluations is kept, though all masks might take less time than a
            fit: for evaluations that cost more than time, such as those of a paid service; default ``False``.
        diagnostics: facts about the values, for people; they are added to those of the result.
    """

    n_players: int
    names: Sequence[str]
    fingerprint: str | Mapping[str, str]
    table: ValueTable
    output_layout: str
    batch_argument: str
    rounding: float
    noisy: bool
    keeps_budget: bool
    diagnostics: Mapping[str, Any]

    def plan_batches(self, masks: Masks) -> Iterable[ArrayLike]:
        """Return the rows of each call of the game; every row occurs once."""

    def evaluate_packed(self, masks: PackedMasks) -> ArrayLike:
        """Evaluate masks of very many players, which are laid out as packed bits, instead of ``__call__``."""

    def answer_each(self, masks: Masks) -> Iterator[tuple[Any, Any]]:
        """Yield pairs (row, value), or (rows, values), in any order: for games that wait for others."""

    def make_executor(self, batch_size: int | None) -> Any:
        """Return a `captum_spex.evaluation.executors.Executor`: for games that have workers of their own."""


@dataclass(frozen=True, eq=False)
class ValueTable:
    """Masks with their values, of a game that cannot be evaluated: a table of past trainings.

    Attributes:
        masks: the masks; they may lie in a file.
        values: their values, float64 ``(n_masks, n_outputs)``.
        has_outputs: whether these are outputs, rather than the only value.
    """

    masks: MaskBlocks
    values: Floats
    has_outputs: bool = False

    def at(self, rows: Rows) -> ValueTable:
        """Return some of the masks with their values; the masks stay where they are."""
        return replace(self, masks=ChosenRows(self.masks, rows), values=self.values[rows])
