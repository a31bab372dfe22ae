"""The part of a result that exports need, and facts that several of them report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.indices import Index
from captum_spex.masks import ends
from captum_spex.player_sets import PlayerSets

MINUS = "\N{MINUS SIGN}"
SUMMING = ("SV", "k-SII", "STII", "FSII", "Moebius")
"""Indices whose terms add up to f(all) - f(none), or do so up to the order that was computed."""

_ROUNDING = 1e-9, 1e-12  # sizes up to which values are 0, as shares of the largest value and of the baseline


class Valued(Protocol):
    """Anything with values that build from a baseline."""

    values: Floats
    baseline: float


class Result(Protocol):
    """A `captum_spex.Interactions`, in whose module the exports are imported."""

    index: str
    max_order: int
    resolved_index: Index
    baseline: float
    sets: PlayerSets
    values: Floats
    names: tuple[str, ...] | None
    n_evaluations: int
    faithfulness: float
    n_left_out: int
    model: Any
    diagnostics: Mapping[str, Any]

    @property
    def n_players(self) -> int:
        """Number of players."""

    @property
    def std_errors(self) -> Floats | None:
        """Standard errors of all terms, or ``None``."""

    def to(self, index: str, max_order: int | None = None, *, max_terms: int = ...) -> Result:
        """Return another index."""

    def first_order(self) -> Floats:
        """Return the values of the single players."""

    def name_of(self, players: tuple[int, ...]) -> str:
        """Return a term's players in words."""

    def errors_of(self, sets: PlayerSets) -> Floats | None:
        """Return the standard errors of a few sets, or ``None``."""


def is_result(value: object) -> bool:
    """Whether a value is a `captum_spex.Interactions`."""
    return hasattr(value, "errors_of") and hasattr(value, "faithfulness")


def smallest(result: Valued) -> float:
    """Return the size up to which values are rounding."""
    largest = np.abs(result.values).max(initial=0.0)
    return float(max(_ROUNDING[0] * largest, _ROUNDING[1] * abs(result.baseline)))


def clipped(name: str, length: int) -> str:
    """Return a name of at most ``length`` characters, the last of which is an ellipsis if it is longer."""
    return name if len(name) <= length else name[: length - 1] + "…"


def counted(count: int, thing: str) -> str:
    """Return a number of things in words: "1 player", "2,000 players"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def as_text(value: float, digits: int = 3, sign: str = "") -> str:
    """Return a number with a wide minus, and all digits of a larger whole number; ``sign="+"`` adds a plus.

    Example:
        >>> as_text(1.23456), as_text(1234567.8, sign="+")
        ('1.23', '+1,234,568')
    """
    is_large = 1000 <= abs(value) < 1e9
    return (f"{value:{sign},.0f}" if is_large else f"{value:{sign}.{digits}g}").replace("-", MINUS)


def screened_out(diagnostics: Mapping[str, Any]) -> str:
    """Return how many players were screened out, and a bound on what they may add; nothing if none were."""
    if not (n_out := diagnostics.get("n_screened_out")):
        return ""
    bound = f"main effects below {diagnostics['screened_out_bound']:.2g} (95 %)"
    return f"{counted(n_out, 'player')} screened out: {bound}, interactions not sought"


def value_of_all(result: Result) -> float:
    """Return the value that the recovered game has with all players, f(all)."""
    return float(result.model(ends(result.n_players)[:1])[0])


def value_of_none(result: Result) -> float:
    """Return the value that the recovered game has without any player, f(none)."""
    return float(result.model(ends(result.n_players)[1:])[0])
