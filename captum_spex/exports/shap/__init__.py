"""Results as ``shap.Explanation`` objects, for ``shap.plots``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.exports.many_rows import checked_rows, sizes_in_words
from captum_spex.exports.result import Result, is_result
from captum_spex.exports.shap.additive_values import base_values, pair_matrix, shapley_values
from captum_spex.exports.shap.given_data import as_row, checked_data, columns_of, order_of, stacked
from captum_spex.exports.shap.term_features import TermTable, names_of, plain_name
from captum_spex.frames import frame_of

if TYPE_CHECKING:
    from captum_spex.compat.shap import Explanation

Form = Literal["values", "matrix", "terms"]
FORMS = ("values", "matrix", "terms")
MOST_TERMS = 100


def to_shap(
    results: Sequence[Result], form: Form = "values", *, data: Any = None, max_terms: int = MOST_TERMS
) -> Explanation:
    r"""Return the results for many rows as one ``shap.Explanation`` for ``shap.plots``.

    The base value is :math:`f(\emptyset)`; in every form the values of a row add up to :math:`f(x) - f(\emptyset)`.

    Args:
        results: one result for every row.
        form: ``"values"``: Shapley values ``(rows, n_players)``. ``"matrix"``: ``(rows, n_players, n_players)`` as
            SHAP's tree explainer gives them: symmetric, off the diagonal half of the Shapley interaction index
            (Shapley-Taylor if that is the results' index), every line sums to the player's Shapley value. The diagonal,
            SHAP's "main effect", is thus the Shapley value less half of the player's pairs; the diagonal of
            `captum_spex.plots.matrix` is the Shapley value.
            ``"terms"``: ``(rows, n_terms)``, players and groups of players ("never × fails") as features: the terms of
            the results' index if they add up to the prediction (k-SII, STII, FSII, SV, Moebius), of k-SII if it is
            SII; zero where a row has no such term.
        data: the players' values, ``(rows, n_players)``, a data frame, or a list of rows. Those of a term are
            multiplied if they are numbers; else, or without data, a term has 1 where a row has all of its players.
        max_terms: how many terms, those of the largest mean absolute value (among the 1,000 largest of every row);
            the rest is one feature, "other terms".

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
    checks.choice("form", form, FORMS)
    rows = checked_rows([results] if is_result(results) else results)
    given = None if data is None else checked_data(data, rows)
    if form == "terms":
        table = TermTable.of(rows, checks.integer("max_terms", max_terms))
        values = table.completed(table.values, table.remainder)
        first = rows[0]
        are_alike = all((row.n_players, row.names) == (first.n_players, first.names) for row in rows)
        columns = columns_of(data, given, first.names) if given is not None and are_alike else None
        return explanation(values, table.base_values, data=table.data(given, columns), feature_names=table.labels)
    _check_alike(rows, form)
    names = names_of(rows[0].names, rows[0].n_players)
    values = np.stack([shapley_values(row) if form == "values" else pair_matrix(row) for row in rows])
    kind = explanation if form == "values" else pair_explanation
    facts = {"data": None if given is None else stacked(given), "feature_names": names}
    return kind(values, base_values(rows), frame=data, **facts)


def to_shap_row(result: Result, form: Form = "values", *, data: Any = None, max_terms: int = MOST_TERMS) -> Explanation:
    """Return the result for one row: 1-D values or terms, or a matrix ``(1, n_players, n_players)``; see `to_shap`."""
    rows = None if data is None else [as_row(data, result.names)]
    found = to_shap([result], form, data=rows, max_terms=max_terms)
    if form == "matrix":  # SHAP's plots would draw one (n, n) matrix as n rows
        return found
    row = found[0]
    if form == "terms" and rows is not None:
        row.display_data = TermTable.of([result], max_terms).display(rows[0])
    return row


def explanation(values: Any, base: Any, *, frame: Any = None, **facts: Any) -> Explanation:
    """Return a ``shap.Explanation``; SHAP is imported on first use, as that takes seconds.

    Args:
        values: as SHAP's argument.
        base: the base values.
        frame: what ``data`` was made of; a data frame knows categories.
        facts: other arguments of ``shap.Explanation``.
    """
    from captum_spex.compat.shap import Explanation
    from captum_spex.exports.shap.tables import TableExplanation, categories_of, is_drawable

    known = categories_of(_columns_in_order(frame, facts), facts.get("feature_names"))
    if facts.get("data") is None or (is_drawable(facts["data"]) and not known):
        return Explanation(values, base, **facts)
    return TableExplanation(values, base, **facts).with_categories(known)


def pair_explanation(values: Any, base: Any, *, frame: Any = None, **facts: Any) -> Explanation:
    """Return a ``shap.Explanation`` of pairs, which plots that would misread it refuse; see `explanation`."""
    from captum_spex.exports.shap.pair_matrices import PairExplanation
    from captum_spex.exports.shap.tables import categories_of

    known = categories_of(_columns_in_order(frame, facts), facts.get("feature_names"))
    return PairExplanation(values, base, **facts).with_categories(known)


def _columns_in_order(table: Any, facts: Mapping[str, Any]) -> list[Any]:
    """Return the columns of a data frame in the order of the features; none of anything else."""
    frame = None if table is None else frame_of(table)
    if frame is None:
        return []
    names = facts.get("feature_names")
    shown = list(map(plain_name, frame.names))
    return [frame.column(place) for place in order_of(shown, names)]


def _check_alike(rows: list[Result], form: str) -> None:
    """Raise unless the columns are the same players in every row."""
    other = next((row for row in rows if row.names != rows[0].names), None)
    if len({row.n_players for row in rows}) > 1:
        got = f"{form!r} for rows of {sizes_in_words(rows)} players"
    elif other is not None:
        got = f"{form!r} for rows whose players have different names, {_difference(rows[0].names, other.names)}"
    else:
        return
    hint = 'With "terms" rows are joined by the names of their players.'
    raise ArgumentError("form", got, "'terms', or rows of the same players", hint)


def _difference(one: Sequence[str] | None, other: Sequence[str] | None) -> str:
    """Return the first names that differ."""
    if one is None or other is None:
        return "or none"
    return next(f"such as {own!r} and {its!r}" for own, its in zip(one, other, strict=True) if own != its)
