"""What travels between a run and its workers: the game, batches of masks, values, failures."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass
from typing import Any

import cloudpickle
import numpy as np

from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, GameError
from captum_spex.masks import PackedMasks


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Values of a batch, and what the worker's game knows of the layout of its outputs."""

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
        """Take an error on its way; many cannot be pickled, or not read again."""
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
            error = GameError(f"`game`: raised {self.summary} in a worker.")
        error.add_note(f"The traceback of the worker:\n{self.trace}")
        return error

    def unusable(self, argument: str) -> ArgumentError:
        """Return the error that says that a worker could not make the game at all."""
        hint = (
            "The worker must have every module, file and device that the game needs: install them there, or send a "
            "module with the game by `cloudpickle.register_pickle_by_value(module)`."
        )
        error = ArgumentError(
            argument, f"one that fails in a worker ({self.summary})", "one that workers can make", hint
        )
        error.add_note(f"The traceback of the worker:\n{self.trace}")
        return error


def pickled(argument: str, value: Any) -> bytes:
    """Return what is sent to workers, or say why it cannot be."""
    try:
        return cloudpickle.dumps(value)
    except Exception as error:  # whatever a part of it raises
        hint = (
            "Keep files, locks, connections and generators out of it, open them in the first call, or use "
            "`captum_spex.evaluation.RayGame(build_game)`, whose workers make the game themselves."
        )
        came = f"a {type(value).__name__} that cannot be pickled ({type(error).__name__}: {error})"
        raise ArgumentError(argument, came, "one that can be sent to other processes", hint) from error


def evaluated(game: Any, masks: PackedMasks, as_packed: bool = False) -> Evaluated | Failure:
    """Evaluate a batch in a worker; a game that has ``evaluate_packed`` receives it as it came, if it came packed."""
    try:
        evaluate_packed = getattr(game, "evaluate_packed", None) if as_packed else None
        raw = game(masks.unpack()) if evaluate_packed is None else evaluate_packed(masks)
        return Evaluated(as_numbers(raw), getattr(game, "output_layout", None))
    except Exception as error:
        return Failure.of(error)


def as_numbers(raw: Any) -> Floats:
    """Turn what a game returned (arrays, lists, torch tensors on any device) into float64."""
    detach = getattr(raw, "detach", None)
    if detach is not None:
        raw = detach().cpu()
        raw = raw if raw.is_complex() else raw.double()  # numpy has no bfloat16
    if raw is None or np.iscomplexobj(raw):
        came = "None" if raw is None else "complex numbers"
        raise GameError(f"`game`: returned {came}; allowed are real numbers, one row for each mask.")
    try:
        return np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GameError(f"`game`: returned a {type(raw).__name__} that is no array of numbers ({error}).") from error
