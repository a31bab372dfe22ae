"""The one place where the optional hooks of a game are looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captum_spex import checks
from captum_spex.arrays import Floats, real_numbers, type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.game import Game, ValueTable
from captum_spex.masks import MaskBlock


@dataclass(frozen=True, eq=False)
class GameAdapter:
    """A game with its hooks (`captum_spex.game.GameHooks`), each of which is None where the game lacks it."""

    game: Game
    n_players: int | None
    names: Sequence[str] | None
    table: ValueTable | None
    plan_batches: Callable[..., Any] | None
    answer_each: Callable[..., Any] | None
    evaluate_packed: Callable[..., Any] | None
    make_executor: Callable[..., Any] | None
    batch_argument: str | None
    noisy: bool | None
    keeps_budget: bool | None
    has_layout: bool

    @classmethod
    def of(cls, game: Any, argument: str = "game") -> GameAdapter:
        """Look the hooks of a game up.

        Raises:
            ArgumentError: if it cannot be called, or a hook cannot be used.

        Example:
            >>> GameAdapter.of(lambda masks: masks.sum(axis=1)).plan_batches is None
            True
        """
        if isinstance(game, cls):
            return game
        if not callable(game):
            raise ArgumentError(argument, type_of(game), "a callable from masks to values")
        table, keeps = getattr(game, "table", None), getattr(game, "keeps_budget", None)
        return cls(
            game,
            n_players=getattr(game, "n_players", None),
            names=getattr(game, "names", None),
            table=table if isinstance(table, ValueTable) else None,
            plan_batches=getattr(game, "plan_batches", None),
            answer_each=getattr(game, "answer_each", None),
            evaluate_packed=getattr(game, "evaluate_packed", None),
            make_executor=getattr(game, "make_executor", None),
            batch_argument=getattr(game, "batch_argument", None),
            noisy=getattr(game, "noisy", None),
            keeps_budget=None if keeps is None else checks.flag("game.keeps_budget", keeps),
            has_layout=hasattr(game, "output_layout"),
        )

    @property
    def fingerprint(self) -> str | Mapping[str, str] | None:
        """What tells the game from others; not looked up before it is needed, as it may digest a model."""
        return fingerprint_of(self.game)

    @property
    def rounding(self) -> float | None:
        """The relative rounding of the game's numbers, as far as it is known by now."""
        return getattr(self.game, "rounding", None)

    @property
    def layout(self) -> str | None:
        """What the game knows of the layout of its outputs by now."""
        return getattr(self.game, "output_layout", None)

    @property
    def diagnostics(self) -> Mapping[str, Any] | None:
        """What the game knows of its values by now, for people."""
        return getattr(self.game, "diagnostics", None)

    def set_layout(self, known: str | None) -> None:
        """Tell the game the layout of its outputs, if both are known."""
        if known is not None and self.has_layout:
            self.game.output_layout = known  # type: ignore[attr-defined]

    def values(self, masks: MaskBlock) -> Floats:
        """Evaluate a block of masks, packed if it is and the game takes it so.

        Raises:
            GameError: if the values are not real numbers.
        """
        if masks.is_packed and self.evaluate_packed is not None:
            return game_values(self.evaluate_packed(masks))
        return game_values(self.game(masks.unpack()))


def game_values(raw: Any) -> Floats:
    """Return what a game returned as float64."""
    try:
        return real_numbers("game", raw)
    except ArgumentError as error:
        raise GameError(str(error), "game") from None


def fingerprint_of(game: Any) -> Any:
    """Return what a game says that tells it from all others, or None."""
    return getattr(game.game if isinstance(game, GameAdapter) else game, "fingerprint", None)
