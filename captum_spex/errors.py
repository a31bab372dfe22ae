"""The package's exceptions: every message names the argument, what came, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class ArgumentError(ValueError):
    """An argument that cannot be used, found before the first evaluation."""

    def __init__(self, argument: str, got: str, allowed: str, hint: str = "") -> None:
        self.argument = argument
        self._parts = (got, allowed, hint)
        message = f"`{argument}`: got {got}; allowed is {allowed}."
        super().__init__(f"{message} {hint}" if hint else message)

    def __reduce__(self) -> tuple[type[ArgumentError], tuple[str, ...]]:
        return type(self), (self.argument, *self._parts)  # an error of another process arrives as it was

    def renamed(self, argument: str) -> ArgumentError:
        """Return the same error about an argument that the caller knows by another name."""
        return type(self)(argument, *self._parts)


class BudgetError(ArgumentError):
    """A number of evaluations that cannot be used."""


class UnknownNameError(ArgumentError):
    """A name (of an index, a design, ...) that is not one of the allowed ones."""


def one_of(argument: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return a name if it is one of the allowed ones, else raise an `UnknownNameError`."""
    if value not in allowed:
        raise UnknownNameError(argument, repr(value), ", ".join(map(repr, allowed)))
    return str(value)


@contextmanager
def in_words(words: Mapping[str, str]) -> Iterator[None]:
    """Let errors name arguments (``"mask"``, ``"mask[1]"``) as the caller knows them: ``{our name: the caller's}``."""
    try:
        yield
    except ArgumentError as error:
        name, bracket, place = error.argument.partition("[")
        if name not in words:
            raise
        raise error.renamed(f"{words[name]}{bracket}{place}") from None


class OrderError(ArgumentError):
    """An interaction order that is out of range or that a view cannot show."""


class MaskError(ArgumentError):
    """Masks, feature masks or players that do not fit the game."""


class StoreError(ArgumentError):
    """A file of evaluated masks that cannot be used."""


class GameError(ValueError):
    """A game that returned values which cannot be used (wrong length, NaN, another number of outputs)."""
