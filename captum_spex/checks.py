"""Arguments, checked in one grammar: "`argument`: expected ..., got ...".

Wherever a plain number or flag is allowed, so are NumPy scalars, 0-d arrays and 0-d torch tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from captum_spex.arrays import Floats, real_numbers, scalar, type_of
from captum_spex.errors import ArgumentError, BudgetError, GameError, MaskError, UnknownNameError

RandomState = int | np.random.Generator | np.random.SeedSequence | None


def is_integer(value: Any) -> bool:
    """Whether a value is of an integer type; flags are not."""
    plain = scalar(value)
    return isinstance(plain, int) and not isinstance(plain, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a real number of any type, NaN included; flags are not."""
    plain = scalar(value)
    return isinstance(plain, Real) and not isinstance(plain, bool)


def integer(
    argument: str,
    value: Any,
    low: int = 1,
    high: int | None = None,
    *,
    error: type[ArgumentError] = ArgumentError,
    hint: str = "",
) -> int:
    """Return ``value`` if it is an integer from ``low`` to ``high``.

    Raises:
        ArgumentError: of the given class, naming the argument.

    Example:
        >>> integer("batch_size", np.int32(8))
        8
    """
    plain = scalar(value)
    if not is_integer(plain) or plain < low or (high is not None and plain > high):
        expected = f"an integer of at least {low}" if high is None else span(low, high, "an integer from")
        raise error(argument, repr(plain), expected, hint)
    return int(plain)


def span(low: int, high: int, words: str = "from") -> str:
    """Return a range of integers in words; a range of one is that number.

    Example:
        >>> span(1, 3), span(2, 2)
        ('from 1 to 3', '2')
    """
    return str(low) if low == high else f"{words} {low} to {high}"


def budget(argument: str, value: Any) -> int:
    """Return a number of evaluations, at least 2: the game is always evaluated with all players and with none."""
    hint = "The game is always evaluated with all players and with none."
    return integer(argument, value, 2, error=BudgetError, hint=hint)


def number(
    argument: str,
    value: Any,
    expected: str = "a finite number",
    *,
    above: float = -math.inf,
    below: float = math.inf,
    low: float = -math.inf,
    high: float = math.inf,
    hint: str = "",
) -> float:
    """Return ``value`` as a float if it is a finite number in ``(above, below)`` and in ``[low, high]``.

    Args:
        argument: its name.
        value: what was given.
        expected: which numbers are allowed, in words.
        above: bound that must be exceeded.
        below: bound that must not be reached.
        low: smallest number allowed.
        high: largest number allowed.
        hint: what to do, a sentence.

    Raises:
        ArgumentError: naming the argument.

    Example:
        >>> number("share", 0.5, "a number between 0 and 1", above=0, below=1)
        0.5
    """
    plain = scalar(value)
    if not is_number(plain) or not (above < plain < below and low <= plain <= high):
        raise ArgumentError(argument, repr(plain), expected, hint)
    return float(plain)


def positive(argument: str, value: Any) -> float:
    """Return ``value`` as a float if it is a finite number above 0."""
    return number(argument, value, "a positive number", above=0)


def flag(argument: str, value: Any) -> bool:
    """Return ``value`` if it is ``True`` or ``False``."""
    plain = scalar(value)
    if not isinstance(plain, bool):
        raise ArgumentError(argument, repr(plain), "True or False")
    return plain


def choice(
    argument: str,
    value: Any,
    allowed: Sequence[str | None],
    *,
    hint: str = "",
    error: type[ArgumentError] = UnknownNameError,
) -> Any:
    """Return a name if it is one of the allowed ones, of which ``None`` may be one."""
    if not (value is None or isinstance(value, str)) or value not in allowed:
        raise error(argument, repr(value), ", ".join(map(repr, allowed)), hint)
    return value


def player_names(names: Iterable[Any] | None, n_players: int) -> tuple[str, ...] | None:
    """Return the names of all players as texts, or ``None`` where there are none."""
    if names is None:
        return None
    texts = tuple(str(name) for name in names)
    if len(texts) != n_players:
        raise ArgumentError("names", f"{len(texts)} names", f"one for each of the {n_players} players")
    return texts


def player(argument: str, value: int, n_players: int) -> int:
    """Return a player if there is one of this number."""
    if not 0 <= value < n_players:
        raise MaskError(argument, f"player {value}", f"0 to {n_players - 1}, as there are {n_players} players")
    return value


def returned_numbers(function: str, values: Any) -> Floats:
    """Return what a user's function returned as float64, see `captum_spex.arrays.real_numbers`.

    Raises:
        GameError: naming the function, if these are no real numbers.
    """
    try:
        return real_numbers(function, values)
    except ArgumentError as error:
        raise GameError(f"`{function}`: expected it to return real numbers, got {type_of(values)}.") from error


def generator(random_state: RandomState) -> np.random.Generator:
    """Return the generator that a seed stands for."""
    try:
        return np.random.default_rng(scalar(random_state))
    except (TypeError, ValueError):
        allowed = "None, an integer of at least 0, or a NumPy `Generator` or `SeedSequence`"
        raise ArgumentError("random_state", repr(random_state), allowed) from None
