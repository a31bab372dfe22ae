"""What travels between a run and its workers: the game, blocks of masks, values, failures."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass
from typing import Any

import cloudpickle

from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.masks import MaskBlock


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Values of a block, and what the worker's game knows of the layout of its outputs."""

    values: Floats
    layout: str | None


@dataclass(frozen=True)
class Failure:
    """An error of a worker.

    Attributes:
        pickled: the error, if it can be pickled.
        summary: its type and its message.
        trace: the worker's traceback.
    """

    pickled: bytes | None
    summary: str
    trace: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Prepare an error for sending; many cannot be pickled, or not be unpickled."""
        try:
            pickled = cloudpickle.dumps(error)
            pickled = pickled if type(pickle.loads(pickled)) is type(error) else None
        except Exception:
            pickled = None
        summary = "".join(traceback.format_exception_only(error)).strip()
        return cls(pickled, summary, "".join(traceback.format_exception(error)).strip())

    def error(self) -> Exception:
        """Return the error, with the worker's traceback as a note."""
        error: Exception
        try:
            error = pickle.loads(self.pickled or b"")
        except Exception:  # also of a type that only the worker knows
            error = GameError(f"`game`: raised {self.summary} in a worker.", "game")
        error.add_note(f"The traceback of the worker:\n{self.trace}")
        return error

    def unusable(self, argument: str) -> ArgumentError:
        """Return the error for a game that a worker could not build."""
        hint = (
            "The worker must have every module, file and device that the game needs: install them there, or send a "
            "module with the game by `cloudpickle.register_pickle_by_value(module)`."
        )
        got = f"one that fails in a worker ({self.summary})"
        error = ArgumentError(argument, got, "a game that workers can build", hint)
        error.add_note(f"The traceback of the worker:\n{self.trace}")
        return error


def pickled(argument: str, value: Any) -> bytes:
    """Return what is sent to workers.

    Raises:
        ArgumentError: if it cannot be pickled; the message says why.
    """
    try:
        return cloudpickle.dumps(value)
    except Exception as error:  # any part of it may raise anything
        hint = (
            "Keep files, locks, connections and generators out of it, open them in the first call, or use "
            "`captum_spex.evaluation.RayGame(build_game)`, whose workers build the game themselves."
        )
        got = f"a {type(value).__name__} that cannot be pickled ({type(error).__name__}: {error})"
        raise ArgumentError(argument, got, "one that can be sent to other processes", hint) from error


def evaluated(game: GameAdapter, masks: MaskBlock) -> Evaluated | Failure:
    """Evaluate a block of masks in a worker."""
    try:
        return Evaluated(game.values(masks), game.layout)
    except Exception as error:
        return Failure.of(error)
