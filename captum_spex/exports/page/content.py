"""What a page says: the players and terms it shows, and the facts in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, Rows, type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import (
    EXACT,
    Result,
    as_text,
    clipped,
    counted,
    displayed,
    is_exact,
    is_result,
    screened_out,
    sum_in_words,
    value_name,
)
from captum_spex.masks import ends
from captum_spex.player_sets import PlayerSets, within


@dataclass(frozen=True)
class Limits:
    """Sizes from which on a page shows less, or says something else."""

    players: int = 1000  # shown at most; the script lays out so many without a noticeable delay
    name: int = 300  # characters, as players may be whole documents
    negligible: float = 0.01  # share of the largest term that does not make one of very many players be shown
    rounding: float = 1e-9  # share of the larger output below which the other one is 0
    good: float = 0.95  # faithfulness
    fair: float = 0.8


LIMITS = Limits()


@dataclass(frozen=True)
class Content:
    """A page without its layout and style.

    Attributes:
        title: the heading, unless the caller has a better one.
        facts: sentences on what was computed.
        missing: sentences on what is not shown.
        faithfulness: how far to trust it, in a sentence.
        trust: the same in a word: ``"exact"``, ``"good"``, ``"fair"``, ``"poor"`` or ``"unknown"``.
        data: players and terms, as lists and numbers for JSON.
    """

    title: str
    facts: tuple[str, ...]
    missing: tuple[str, ...]
    faithfulness: str
    trust: str
    data: dict[str, Any]


def content_of(result: Result, max_terms: int, index: str | None = None) -> Content:
    """Return what the page of a result says: of k-SII instead of SII, unless another index is asked for."""
    if not is_result(result):
        hint = "Choose one of several outputs: `results[0]`." if isinstance(result, Sequence) else ""
        raise ArgumentError("result", type_of(result), "one `Interactions`", hint)
    max_terms = checks.integer("max_terms", max_terms)
    result = displayed(result, index)
    players = shown_players(result)
    rows = shown_rows(result, players, max_terms)
    trust = trust_of(result)
    return Content(
        title=f"Interactions of {counted(result.n_players, 'player')}",
        facts=(_what(result), _outputs(result), _sums(result, len(rows))),
        missing=tuple(_missing(result, len(players), len(rows))),
        faithfulness=_faithfulness(result, trust),
        trust=trust,
        data=_data(result, players, rows),
    )


def shown_players(result: Result) -> Ints:
    """Return the players that are shown, in increasing order: all, or, of very many, those of the largest terms."""
    if result.n_players <= LIMITS.players:
        return np.arange(result.n_players, dtype=np.int64)
    sizes = np.abs(result.values)
    concerned = result.sets.take(np.flatnonzero(sizes > LIMITS.negligible * sizes.max(initial=0.0))).players
    if not len(concerned):
        return np.arange(LIMITS.players, dtype=np.int64)
    players, first = np.unique(concerned, return_index=True)  # terms are sorted: first = largest
    return np.sort(players[np.argsort(first)[: LIMITS.players]])


def shown_rows(result: Result, players: Ints, max_terms: int) -> Rows:
    """Return the rows of all single players and of the largest interactions among these players."""
    orders = np.where(within(result.sets, players), result.sets.orders, 0)
    single, groups = np.flatnonzero(orders == 1), np.flatnonzero(orders > 1)[:max_terms]
    return np.sort(np.concatenate([single, groups]))


def trust_of(result: Result) -> str:
    """Return in a word how far the numbers can be trusted."""
    if math.isnan(result.faithfulness):
        return "unknown"
    if is_exact(result) or (result.faithfulness == 1.0 and _is_of_shapiq(result)):
        return "exact"
    return "good" if result.faithfulness >= LIMITS.good else "fair" if result.faithfulness >= LIMITS.fair else "poor"


def _what(result: Result) -> str:
    orders = f" up to order {result.max_order}" if result.max_order > 1 else ""
    players, evaluations = counted(result.n_players, "player"), counted(result.n_evaluations, "evaluation")
    source = f", from {evaluations}" if result.n_evaluations else ""
    name = result.index if result.max_order > 1 else value_name(result, 1, plural=True)
    return f"{name}{orders} of {players}{source}."


def _outputs(result: Result) -> str:
    outputs = np.asarray(result.model(ends(result.n_players)), dtype=np.float64)
    with_all, with_none = np.where(np.abs(outputs) > LIMITS.rounding * np.abs(outputs).max(), outputs, 0.0)
    every, no = (as_text(float(output), 4) for output in (with_all, with_none))
    return f"The output is f(all) = {every} with all players and f(none) = {no} without any."


def _sums(result: Result, n_rows: int) -> str:
    words = sum_in_words(result, all_shown=n_rows == len(result.sets))
    return f"{words[0].upper()}{words[1:]}."


def _faithfulness(result: Result, trust: str) -> str:
    if _is_of_shapiq(result):
        estimate = "Estimated by shapiq, which does not report faithfulness."
        return "Exact according to shapiq." if trust == "exact" else estimate
    if trust == "exact":
        return f"{EXACT.capitalize()}."
    if trust == "unknown":
        return "Faithfulness unknown: too few masks to hold any out. Allow more evaluations."
    advice = {"good": "good", "fair": "fair; more evaluations would improve it", "poor": "poor: allow more evaluations"}
    shown = math.floor(1000 * result.faithfulness + 1e-9) / 1000  # never rounded up to a better word
    return f"Faithfulness {shown:.3f} (R² on held-out masks): {advice[trust]}."


def _is_of_shapiq(result: Result) -> bool:
    return bool(result.diagnostics.get("source") == "shapiq")


def _missing(result: Result, n_players: int, n_rows: int) -> list[str]:
    sentences = []
    if n_players < result.n_players:
        some = f"{n_players:,} of the {result.n_players:,} players"
        sentences.append(f"Only {some} are shown, those of the largest terms.")
    if n_hidden := len(result.sets) - n_rows:
        sentences.append(f"{counted(n_hidden, 'smaller term')} of the result {_are(n_hidden)} not on this page.")
    if result.n_left_out:
        count = counted(result.n_left_out, "smaller term")
        sentences.append(f"{count} {_are(result.n_left_out)} not part of the result.")
    if screened := screened_out(result.diagnostics):
        sentences.append(f"{screened}.")
    return sentences


def _data(result: Result, players: Ints, rows: Rows) -> dict[str, Any]:
    """Return players and terms as plain lists; a term's players are positions in the list of those shown."""
    sets = result.sets.take(rows)
    positions = PlayerSets(len(players), sets.indptr, np.searchsorted(players, sets.players))
    errors = result.errors_of(sets) if len(sets) else None
    return {
        "players": players.tolist(),
        "n_players": result.n_players,
        "names": None if result.names is None else [clipped(result.names[player], LIMITS.name) for player in players],
        "value_names": [value_name(result, order) for order in range(1, result.max_order + 1)],
        "terms": [list(term) for term in positions.tuples()],
        "values": _finite(result.values[rows], float),
        "std_errors": None if errors is None else _finite(errors, lambda error: float(f"{error:.3g}")),
    }


def _finite(numbers: Floats, rounded: Callable[[float], float]) -> list[float | None]:
    return [rounded(number) if math.isfinite(number) else None for number in numbers.tolist()]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
