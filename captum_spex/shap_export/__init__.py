"""Results as ``shap.Explanation`` objects, for ``shap.plots``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.errors import ArgumentError, one_of
from captum_spex.evaluate import checked_positive
from captum_spex.supports import Floats, Supports

if TYPE_CHECKING:
    from shap import Explanation

Form = Literal["values", "matrix", "terms"]
FORMS = ("values", "matrix", "terms")
MOST_TERMS = 100
OTHER_TERMS = "other terms"
_TIMES = " × "  # noqa: RUF001
_SUMMING = ("SV", "k-SII", "STII", "FSII", "Moebius")  # indices whose terms add up to f(x), all of them or so far
_PAIR_INDICES = ("SII", "STII")
_REPLACED = {"<=": "≤", ">=": "≥", "!=": "≠", "==": ":", "=": ":"}
_TINY = 1e-9


class Result(Protocol):
    """What is needed of a `captum_spex.Interactions`."""

    index: str
    max_order: int
    sets: Supports
    values: Floats
    names: tuple[str, ...] | None
    n_left_out: int
    model: Any

    @property
    def n_players(self) -> int:
        """Number of players."""

    def to(self, index: str, max_order: int | None = None) -> Result:
        """Return another index."""

    def first_order(self) -> Floats:
        """Return the values of the single players."""


def to_shap(
    results: Sequence[Result], form: Form = "values", *, data: Any = None, max_terms: int = MOST_TERMS
) -> Explanation:
    r"""Return the results for many rows as one ``shap.Explanation`` for ``shap.plots``.

    The base value is :math:`f(\emptyset)`; in every form the values of a row add up to :math:`f(x) - f(\emptyset)`.

    Args:
        results: one result for every row.
        form: ``"values"``: Shapley values ``(rows, n_players)``. ``"matrix"``: ``(rows, n_players, n_players)`` as
            SHAP's tree explainer gives them: symmetric, off the diagonal half of the Shapley interaction index
            (Shapley-Taylor if that is the results' index), every line sums to the player's Shapley value.
            ``"terms"``: ``(rows, n_terms)``, players and groups of players ("never × fails") as features: the terms of
            the results' index if they add up to the prediction (k-SII, STII, FSII, SV, Moebius), of k-SII if it is
            SII; zero where a row has no such term.
        data: the players' values, ``(rows, n_players)``, a data frame, or a list of rows; for terms, numbers are
            multiplied. Default: for terms 1 where a row has all players of the term, else nothing.
        max_terms: how many terms, those of the largest mean absolute value; the rest is one feature, "other terms".

    Returns:
        The explanation. ``=`` in names is replaced by ``:``, as SHAP's plots cut names there.

    Raises:
        ArgumentError: if rows do not fit each other or the data, an index does not add up, or a form is unknown.

    Example:
        >>> import captum_spex, numpy as np
        >>> rows = [captum_spex.explain(lambda m, x=x: x * (m[:, 0] & m[:, 1]), 2, budget=4) for x in (1.0, 2.0)]
        >>> explanation = to_shap(rows, "terms")
        >>> explanation.feature_names, explanation.values.tolist()
        (['Feature 0 × Feature 1'], [[1.0], [2.0]])
    """
    one_of("form", form, FORMS)
    rows = _checked_rows(results)
    if form == "terms":
        return _terms(rows, _checked_data(data, rows), checked_positive("max_terms", max_terms))[0]
    if any(row.n_players != rows[0].n_players for row in rows[1:]):
        came = f"rows of {rows[0].n_players} to {max(row.n_players for row in rows)} players"
        raise ArgumentError("form", f"{form!r} for {came}", "'terms', or rows of the same players")
    values = np.stack([shapley_values(row) if form == "values" else pair_matrix(row) for row in rows])
    checked = _checked_data(data, rows)
    table = None if checked is None else np.stack(checked)
    kind = explanation if form == "values" else pair_explanation
    return kind(values, _base_values(rows), data=table, feature_names=names_of(rows[0]))


def to_shap_row(result: Result, form: Form = "values", *, data: Any = None, max_terms: int = MOST_TERMS) -> Explanation:
    """Return the result for one row: 1-D values or terms, or a matrix ``(1, n_players, n_players)``; see `to_shap`."""
    rows = None if data is None else [_as_row(data)]
    if form != "terms":
        found = to_shap([result], form, data=rows)
        return found if form == "matrix" else found[0]  # one (n, n) matrix would be drawn as n rows
    own = _checked_rows([result])
    found, sets = _terms(own, _checked_data(rows, own), checked_positive("max_terms", max_terms))
    row = found[0]
    if rows is None:
        row.data = None
    else:
        row.display_data = _display(rows[0], sets, len(found.feature_names))
    return row


def explanation(values: Any, base_values: Any, **facts: Any) -> Explanation:
    """Return a ``shap.Explanation``; SHAP is imported where it is used first, as that takes seconds."""
    from shap import Explanation

    return Explanation(values, base_values, **facts)


def pair_explanation(values: Any, base_values: Any, **facts: Any) -> Explanation:
    """Return a ``shap.Explanation`` of pairs, which plots that would misread it refuse."""
    from captum_spex.shap_export._pairs import PairExplanation

    return PairExplanation(values, base_values, **facts)


def shapley_values(result: Result) -> Floats:
    """Return the Shapley values ``(n_players,)``."""
    return (result if result.index in ("SV", "SII") else result.to("SV", 1)).first_order()


def pair_matrix(result: Result) -> Floats:
    """Return SHAP's matrix of interactions ``(n_players, n_players)``."""
    n = result.n_players
    values = shapley_values(result)
    matrix = np.zeros((n, n))
    if n > 1:
        known = result.index in _PAIR_INDICES and (result.max_order == 2 or result.index == "SII")
        pairs = result if known and result.max_order > 1 else result.to("SII", 2)
        rows = np.flatnonzero(pairs.sets.orders == 2)
        first, second = pairs.sets.players[pairs.sets.indptr[rows][:, None] + np.arange(2)].T
        matrix[first, second] = matrix[second, first] = pairs.values[rows] / 2
    matrix[np.diag_indices(n)] = values - matrix.sum(axis=1)
    return matrix


def names_of(result: Result) -> list[str]:
    """Return a name for every player that SHAP's plots show as it is."""
    if result.names is None:
        return [f"Feature {player}" for player in range(result.n_players)]
    return [plain_name(name) for name in result.names]


def plain_name(name: object) -> str:
    """Return a name without ``=``, of which SHAP's plots show only what follows it.

    Example:
        >>> plain_name("sex=male"), plain_name("age <= 30")
        ('sex:male', 'age ≤ 30')
    """
    text = str(name)
    for sign, instead in _REPLACED.items():
        text = text.replace(sign, instead)
    return text


def _checked_rows(results: Any) -> list[Result]:
    rows = list(results) if isinstance(results, Sequence) else [results]
    if not rows:
        raise ArgumentError("results", "no rows", "a list of `Interactions`, one for each row")
    if isinstance(rows[0], Sequence) and not isinstance(rows[0], str):
        hint = "Choose one: `[row[0] for row in results]`."
        raise ArgumentError("results", "rows with several outputs", "the results of one output", hint)
    for row in rows:
        if not hasattr(row, "first_order"):
            raise ArgumentError("results", f"a {type(row).__name__}", "a list of `Interactions`, one for each row")
    return rows


def _checked_data(data: Any, rows: Sequence[Result]) -> list[NDArray[Any]] | None:
    if data is None:
        return None
    table = data.to_numpy() if hasattr(data, "to_numpy") else data
    given = [_as_row(row) for row in table]
    if len(given) != len(rows):
        raise ArgumentError("data", f"{len(given)} rows", f"{len(rows)}, one for each result")
    for number, (row, result) in enumerate(zip(given, rows, strict=True)):
        if row.shape != (result.n_players,):
            came = f"shape {row.shape} for row {number}"
            raise ArgumentError("data", came, f"({result.n_players},), a value for each player")
    return given


def _as_row(row: ArrayLike) -> NDArray[Any]:
    return np.asarray(row.to_numpy() if hasattr(row, "to_numpy") else row)


def _base_values(rows: Sequence[Result]) -> Floats:
    return np.array([row.model(np.zeros((1, row.n_players), dtype=np.bool_))[0] for row in rows])


def _terms(
    rows: Sequence[Result], data: list[NDArray[Any]] | None, max_terms: int
) -> tuple[Explanation, list[tuple[int, ...] | None]]:
    """Players and groups as features, the union of the rows' largest terms; and their players in the first row."""
    summing = [_summing(row) for row in rows]
    names = [_distinct(names_of(row)) for row in rows]
    groups = _largest_groups(summing, names, max_terms)
    found = [_players_of(groups, own) for own in names]
    values = np.stack([_values_at(row, sets) for row, sets in zip(summing, found, strict=True)])
    base = _base_values(rows)
    totals = np.array([row.model(np.ones((1, row.n_players), dtype=np.bool_))[0] for row in rows]) - base
    left = totals - values.sum(axis=1)
    shown = np.stack([_data_at(None if data is None else data[k], sets) for k, sets in enumerate(found)])
    labels = [_TIMES.join(group) for group in groups]
    if (np.abs(left) > _TINY * np.maximum(np.abs(totals), np.abs(values).sum(axis=1))).any():
        labels.append(OTHER_TERMS)
        values = np.column_stack([values, left])
        shown = np.column_stack([shown, np.ones(len(rows))])
    if not labels:  # nothing has an influence: a picture needs a feature
        labels, values, shown = [OTHER_TERMS], np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    return explanation(values, base, data=shown, feature_names=labels), found[0]


def _summing(row: Result) -> Result:
    """Return the result in an index whose terms add up to the prediction."""
    if row.index == "SII":
        return row.to("k-SII", row.max_order)
    if row.index not in _SUMMING:
        allowed = f"SII or one whose terms add up to the prediction: {', '.join(_SUMMING)}"
        hint = 'Use `.to("k-SII", max_order=2).to_shap("terms")`.'
        raise ArgumentError("form", f"'terms' of the index {row.index!r}", allowed, hint)
    return row


def _distinct(names: Sequence[str]) -> list[str]:
    """Number names that occur again: "the", "the#2"."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return distinct


def _largest_groups(rows: Sequence[Result], names: Sequence[list[str]], max_terms: int) -> list[tuple[str, ...]]:
    """The groups, by name, of the largest mean absolute value, among the largest of every row."""
    totals: dict[frozenset[str], float] = {}
    labels: dict[frozenset[str], tuple[str, ...]] = {}
    for row, own in zip(rows, names, strict=True):
        chosen = np.flatnonzero(row.values != 0)[:max_terms]
        for players, value in zip(row.sets.take(chosen).tuples(), row.values[chosen].tolist(), strict=True):
            label = tuple(own[player] for player in players)
            key = frozenset(label)
            labels.setdefault(key, label)
            totals[key] = totals.get(key, 0.0) + abs(value)
    ranked = sorted(totals, key=lambda key: -totals[key])
    return [labels[key] for key in ranked[:max_terms]]


def _players_of(groups: Sequence[tuple[str, ...]], names: Sequence[str]) -> list[tuple[int, ...] | None]:
    """The players of every group in one row; ``None`` where the row lacks one."""
    place = {name: player for player, name in enumerate(names)}
    return [tuple(place[name] for name in group) if set(group) <= place.keys() else None for group in groups]


def _values_at(row: Result, sets: Sequence[tuple[int, ...] | None]) -> Floats:
    values = np.zeros(len(sets))
    there = [number for number, players in enumerate(sets) if players is not None]
    wanted = Supports.from_sets([sets[number] or () for number in there], row.n_players)
    places = wanted.find(row.sets)
    values[np.array(there, dtype=np.int64)[places >= 0]] = row.values[places[places >= 0]]
    return values


def _data_at(data: NDArray[Any] | None, sets: Sequence[tuple[int, ...] | None]) -> Floats:
    """What the plots colour and spread by: products of numbers, else whether the players are there."""
    numbers = data if data is not None and data.dtype.kind in "bifu" else None
    products = [
        0.0 if players is None else 1.0 if numbers is None else float(np.prod(numbers[list(players)]))
        for players in sets
    ]
    return np.array(products, dtype=np.float64)


def _display(data: NDArray[Any], sets: Sequence[tuple[int, ...] | None], length: int) -> NDArray[Any]:
    """The values of each term's players as text; nothing for the other terms."""
    shown = np.full(length, "", dtype=object)
    for number, players in enumerate(sets):
        shown[number] = ", ".join(_short(data[player]) for player in players or ())
    return shown


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else str(value)
