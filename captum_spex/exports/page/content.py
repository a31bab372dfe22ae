"""What a page says: the players and terms it shows, and the facts in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.player_sets import PlayerSets

MOST_PLAYERS = 1000
_LONGEST_NAME = 300  # characters: players may be whole documents
_TINY = 0.01  # of the largest term: no reason to show one of very many players
_ROUNDING = 1e-9  # of the larger output: what is left of a 0
_GOOD, _FAIR = 0.95, 0.8  # faithfulness


class Result(Protocol):
    """What is needed of a `captum_spex.Interactions`."""

    index: str
    max_order: int
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

    def errors_of(self, supports: PlayerSets) -> Floats | None:
        """Return the standard errors of a few sets, or ``None``."""


@dataclass(frozen=True)
class Content:
    """A page without its looks.

    Attributes:
        title: what stands on top unless the caller has a better one.
        facts: sentences on what was computed.
        faith: how far to trust it, in a sentence.
        missing: sentences on what is not shown.
        trust: the same in a word: ``"exact"``, ``"good"``, ``"fair"``, ``"poor"`` or ``"unknown"``.
        data: players and terms, as what JSON knows.
    """

    title: str
    facts: tuple[str, ...]
    faith: str
    missing: tuple[str, ...]
    trust: str
    data: dict[str, Any]


def content_of(result: Result, max_terms: int) -> Content:
    """Return what the page of a result says."""
    if not hasattr(result, "errors_of"):
        hint = "Of several outputs choose one: `results[0]`." if isinstance(result, Sequence) else ""
        raise ArgumentError("result", f"a {type(result).__name__}", "one `Interactions`", hint)
    players = shown_players(result)
    rows = shown_rows(result, players, checks.integer("max_terms", max_terms))
    trust = trust_of(result)
    return Content(
        title=f"Interactions of {_counted(result.n_players, 'player')}",
        facts=(_what(result), _ends(result)),
        faith=_faith(result, trust),
        missing=tuple(_missing(result, len(players), len(rows))),
        trust=trust,
        data=_data(result, players, rows),
    )


def screened_out(diagnostics: Mapping[str, Any]) -> str:
    """Say how many players were screened out, and what of theirs would have been found; of none, nothing."""
    if not (n_out := diagnostics.get("n_screened_out")):
        return ""
    bound = f"main effects below {diagnostics['screened_out_bound']:.2g} (95 %)"
    return f"{_counted(n_out, 'player')} screened out: {bound}, interactions not sought"


def shown_players(result: Result) -> NDArray[np.int64]:
    """Return the players that are shown, in increasing order: all, or of very many those of the largest terms."""
    if result.n_players <= MOST_PLAYERS:
        return np.arange(result.n_players, dtype=np.int64)
    sizes = np.abs(result.values)
    concerned = result.sets.take(np.flatnonzero(sizes > _TINY * sizes.max(initial=0.0))).players
    if not len(concerned):
        return np.arange(MOST_PLAYERS, dtype=np.int64)
    players, first = np.unique(concerned, return_index=True)  # terms come from the largest on
    return np.sort(players[np.argsort(first)[:MOST_PLAYERS]])


def shown_rows(result: Result, players: NDArray[np.int64], max_terms: int) -> NDArray[np.intp]:
    """Return the rows of all main effects and of the largest interactions among these players."""
    sets = result.sets
    owners = np.repeat(np.arange(len(sets)), sets.orders)
    absent = np.bincount(owners[~np.isin(sets.players, players)], minlength=len(sets))
    single = np.flatnonzero((absent == 0) & (sets.orders == 1))
    groups = np.flatnonzero((absent == 0) & (sets.orders > 1))[:max_terms]
    return np.sort(np.concatenate([single, groups]))


def trust_of(result: Result) -> str:
    """Return in a word how far the numbers can be trusted."""
    if math.isnan(result.faithfulness):
        return "unknown"
    n_varied = 0 if result.n_evaluations == 1 else result.model.n_varied  # 1: of a row in which nothing can vary
    enumerated = n_varied < 64 and result.n_evaluations >= 2**n_varied
    if result.faithfulness == 1.0 and (enumerated or _is_read(result)):
        return "exact"
    return "good" if result.faithfulness >= _GOOD else "fair" if result.faithfulness >= _FAIR else "poor"


def _what(result: Result) -> str:
    orders = f" up to order {result.max_order}" if result.max_order > 1 else ""
    players, evaluations = _counted(result.n_players, "player"), _counted(result.n_evaluations, "evaluation")
    source = f", from {evaluations}" if result.n_evaluations else ""
    return f"{result.index}{orders} of {players}{source}."


def _ends(result: Result) -> str:
    masks = np.array([[True], [False]]).repeat(result.n_players, axis=1)
    ends = np.asarray(result.model(masks), dtype=np.float64)
    everyone, nobody = np.where(np.abs(ends) > _ROUNDING * np.abs(ends).max(), ends, 0.0)
    return f"The output is {_number(everyone)} with all players and {_number(nobody)} without any."


def _faith(result: Result, trust: str) -> str:
    if _is_read(result):
        estimate = "An estimate by shapiq, which does not say how faithful it is."
        return "Exact, says shapiq." if trust == "exact" else estimate
    if trust == "exact":
        return "Exact: every mask was evaluated."
    if trust == "unknown":
        return "Faithfulness unknown, as there were too few masks to hold any out: give it more evaluations."
    advice = {
        "good": "good",
        "fair": "fair; more evaluations would make it better",
        "poor": "poor: give it more evaluations",
    }
    shown = math.floor(1000 * result.faithfulness + 1e-9) / 1000  # never rounded up to a better word
    return f"Faithfulness {shown:.3f} (R² on masks held out): {advice[trust]}."


def _is_read(result: Result) -> bool:
    """Whether the result was computed by shapiq."""
    return bool(result.diagnostics.get("source") == "shapiq")


def _missing(result: Result, n_players: int, n_rows: int) -> list[str]:
    """Say what is not on the page."""
    sentences = []
    if n_players < result.n_players:
        sentences.append(f"Shown are {n_players:,} of the {result.n_players:,} players, those of the largest terms.")
    unseen = len(result.sets) - n_rows
    if unseen:
        sentences.append(f"{_counted(unseen, 'smaller term')} of the result {_are(unseen)} not on this page.")
    if result.n_left_out:
        count = _counted(result.n_left_out, "smaller term")
        sentences.append(f"{count} {_are(result.n_left_out)} not part of the result.")
    if screened := screened_out(result.diagnostics):
        sentences.append(f"{screened}.")
    return sentences


def _data(result: Result, players: NDArray[np.int64], rows: NDArray[np.intp]) -> dict[str, Any]:
    """Players and terms as plain lists; a term's players are places in the list of those shown."""
    sets = result.sets.take(rows)
    places = PlayerSets(len(players), sets.indptr, np.searchsorted(players, sets.players))
    errors = result.errors_of(sets) if len(sets) else None
    return {
        "players": players.tolist(),
        "n_players": result.n_players,
        "names": None if result.names is None else [_clipped(result.names[player]) for player in players],
        "terms": [list(term) for term in places.tuples()],
        "values": _finite(result.values[rows], float),
        "std_errors": None if errors is None else _finite(errors, lambda error: float(f"{error:.3g}")),
    }


def _finite(numbers: Floats, rounded: Callable[[float], float]) -> list[float | None]:
    return [rounded(number) if math.isfinite(number) else None for number in numbers.tolist()]


def _clipped(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _number(value: float) -> str:
    large = 1000 <= abs(value) < 1e9
    return (f"{value:,.0f}" if large else f"{value:.4g}").replace("-", "−")  # noqa: RUF001
