"""The part of a result that exports need, and what several of them say: names, sums, numbers and colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.indices import Index
from captum_spex.masks import ends
from captum_spex.player_sets import PlayerSets

RED, BLUE = "#ff0051", "#008bfb"
"""Colours of terms that raise and that lower the value, everywhere: SHAP's."""

MINUS = "\N{MINUS SIGN}"
SUMMING = ("SV", "k-SII", "STII", "FSII", "Moebius")
"""Indices whose terms add up to f(all) - f(none); those of Moebius if no higher order is missing."""

_ADDED = 1e-6  # share of the largest number up to which a sum is what it should be

_ROUNDING = 1e-9, 1e-12  # sizes up to which values are 0, as shares of the largest value and of the baseline


class Valued(Protocol):
    """Anything with values that build from a baseline."""

    values: Floats
    baseline: float


class Naming(Protocol):
    """What knows the names of values: an index, or the mean of one over many rows."""

    def value_name(self, order: int, *, plural: bool = False) -> str:
        """Return what the value of a set of ``order`` players is called."""


class Named(Protocol):
    """A result, or the summary of many."""

    max_order: int

    @property
    def resolved_index(self) -> Naming:
        """What names the values."""


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


EXACT = "exact: every mask was evaluated"


def is_exact(result: Result) -> bool:
    """Whether every mask was evaluated, of the players that can vary."""
    if result.faithfulness != 1.0:
        return False
    n_varied = 0 if result.n_evaluations == 1 else result.model.n_varied  # one mask suffices if no player can vary
    return bool(n_varied < 64 and result.n_evaluations >= 2**n_varied)


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
    bound = f"own effects below {diagnostics['screened_out_bound']:.2g} (95 %)"
    return f"{counted(n_out, 'player')} screened out: {bound}, interactions not sought"


def value_name(result: Named, order: int, *, plural: bool = False) -> str:
    """Return what the value of a term of this order is called: "Shapley value", "SII", "Fourier coefficient"."""
    return result.resolved_index.value_name(order, plural=plural)


def value_names(result: Named, orders: Iterable[int] | None = None) -> str:
    """Return what the values of terms of these orders, by default all, are called.

    Example:
        >>> import captum_spex
        >>> result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> value_names(result), value_names(result.to("k-SII"))
        ('Shapley values of players, SII of groups', 'k-SII')
    """
    drawn = range(1, result.max_order + 1) if orders is None else orders
    names = list(dict.fromkeys(value_name(result, order, plural=True) for order in drawn))
    return names[0] if len(names) == 1 else f"{names[0]} of players, {names[1]} of groups"


def heading(result: Result, order: int) -> str:
    """Return what stands above the terms of an order: "single players: Shapley values"."""
    terms = "single players" if order == 1 else f"interactions of order {order}"
    return f"{terms}: {value_name(result, order, plural=True)}"


def sum_in_words(result: Result, *, all_shown: bool = True) -> str:
    """Return whether the terms, those that are not shown among them, add up to f(all) - f(none), in one line.

    What is said is true of this very result: its terms are added up. Where some were left out, so that their sum is not
    known, the index decides.
    """
    whole, reached = value_of_all(result) - value_of_none(result), float(result.values.sum())
    largest = np.abs([whole, result.baseline, result.values.max(initial=0.0), result.values.min(initial=0.0)]).max()
    goal = f"f(all) {MINUS} f(none) = {as_text(whole if abs(whole) > _ADDED * largest else 0.0, 4)}"
    is_law = result.resolved_index.adds_up(result.n_players)
    is_complete = abs(reached - whole) <= _ADDED * largest
    if is_complete or (is_law and result.n_left_out):
        terms = "the terms" if all_shown and is_complete else "with those not shown, terms"
        return f"{terms} add up to {goal}" + ("" if is_law else ", for this game")
    if is_law:
        return f"as estimated, the terms add up to {as_text(reached, 4)}, not quite to {goal}"
    if result.index == "Moebius":
        return f"without the terms that are missing, they do not add up to {goal}"
    name = value_name(result, result.max_order, plural=True)
    return f"{name if ' ' in name else f'{name} values'} do not add up to {goal}; k-SII does"


def displayed(result: Any, index: str | None) -> Any:
    """Return the result in the index that a display shows: the one asked for, else k-SII if it is SII.

    Displays that look like a sum show an index whose terms are one.
    """
    if index is None:
        index = "k-SII" if result.index == "SII" else result.index
    return result if index == result.index else result.to(index, result.max_order)


def value_of_all(result: Result) -> float:
    """Return the value that the recovered game has with all players, f(all)."""
    return float(result.model(ends(result.n_players)[:1])[0])


def value_of_none(result: Result) -> float:
    """Return the value that the recovered game has without any player, f(none)."""
    return float(result.model(ends(result.n_players)[1:])[0])
