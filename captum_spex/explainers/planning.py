"""Rows as games, planned before the model is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from captum_spex.approximators import Approximator
from captum_spex.arrays import Ints
from captum_spex.compat.shap import Explanation, OpChain
from captum_spex.errors import ArgumentError
from captum_spex.explainers.masked_inputs import Table, mask_shapes, masked_inputs
from captum_spex.explainers.masker_game import MaskerGame
from captum_spex.explainers.row_arguments import Rows
from captum_spex.explaining import check_plan, explain
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum


@dataclass(frozen=True)
class Question:
    """What is asked of every row."""

    index: str
    max_order: int
    max_terms: int
    outputs: Any
    approximator: Approximator
    seed: int


@dataclass(frozen=True, eq=False)
class PlannedRow:
    """One row.

    Attributes:
        arguments: of the model.
        game: over the positions that can vary.
        varying: these positions.
        shapes: shape of the values of every argument; all positions together.
        budget: largest number of evaluations.
        feature_names: for every argument the names of its positions, if there are any.
    """

    arguments: tuple[Any, ...]
    game: MaskerGame
    varying: Ints
    shapes: list[tuple[int, ...]]
    budget: int
    feature_names: list[list[str]] | None

    @property
    def n_positions(self) -> int:
        """Number of all positions."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def names(self) -> list[str] | None:
        """The names of all positions."""
        if self.feature_names is None:
            return None
        names = [str(name) for names in self.feature_names for name in names]
        return names if len(names) == self.n_positions else None

    def explained(self, question: Question) -> tuple[list[Interactions], Ints | None]:
        """Return the result for every output asked for, and the numbers of these; ``None`` if there is only a number.

        Raises:
            ArgumentError: if the outputs are not there.
        """
        none, everything = self.game.ends
        chosen = chosen_outputs(question.outputs, everything)
        self.game.chosen = chosen if none.ndim else None
        if len(self.varying):
            found = [self._among_all(result, question) for result in self._varying_results(question)]
        else:
            found = [self._constant(float(value), question) for value in np.atleast_1d(self.game.shown[1])]
        return found, self.game.chosen

    def _varying_results(self, question: Question) -> list[Interactions]:
        n_players = len(self.varying)
        found = explain(
            self.game,
            n_players,
            budget=self.budget,
            index=question.index,
            max_order=min(question.max_order, n_players),
            approximator=question.approximator,
            random_state=question.seed,
            names=None if self.names is None else [self.names[position] for position in self.varying],
            max_terms=question.max_terms,
        )
        return found if isinstance(found, list) else [found]

    def _among_all(self, result: Interactions, question: Question) -> Interactions:
        """Number the players as the inputs, among them those that cannot vary."""
        if len(self.varying) == self.n_positions:
            return result
        wider = result.among(self.varying.tolist(), self.n_positions, self.names)
        order = min(question.max_order, self.n_positions)
        return wider if wider.max_order == order else wider.to(question.index, order, max_terms=question.max_terms)

    def _constant(self, value: float, question: Question) -> Interactions:
        """Nothing differs from the background."""
        index = resolve_index(question.index, min(question.max_order, self.n_positions), self.n_positions)
        model = GameModel((Spectrum.from_terms({(): value}, self.n_positions),))
        names = None if self.names is None else tuple(self.names)
        return Interactions.from_model(model, index, n_evaluations=1, faithfulness=1.0, names=names)


def planned_rows(
    model: Any,
    maskers: Sequence[Any],
    link: Any,
    linearize_link: bool,
    rows: Rows,
    batch_size: int | None,
    feature_names: Any,
) -> list[PlannedRow]:
    """Return the rows as games, each with its masker; what a masker cannot do is found here.

    Raises:
        ArgumentError: if the masker does not fit the rows.
    """
    planned = []
    table = Table.of(maskers[0], rows.frame, rows.sparse)  # tables have the same masker for all rows
    for masker, arguments in zip(maskers, rows, strict=True):
        inputs = masked_inputs(masker, arguments, table)
        _check_texts(masker, arguments)
        shapes = mask_shapes(masker, arguments)
        if sum(prod(shape) for shape in shapes) != inputs.n_positions or not inputs.n_positions:
            came = f"a {type(masker).__name__} of {inputs.n_positions} positions, for inputs of shapes {shapes}"
            raise ArgumentError("masker", came, "a masker for such inputs")
        game = MaskerGame(model, inputs, link, linearize_link, batch_size=batch_size)
        names = _feature_names(masker, arguments, rows, feature_names)
        _check_names(names, shapes)
        planned.append(PlannedRow(arguments, game, inputs.varying, shapes, 0, names))
    return planned


def with_budgets(rows: Sequence[PlannedRow], question: Question, budget_of: Any) -> list[PlannedRow]:
    """Return the rows with their budgets, after all checks that need no model.

    Raises:
        ArgumentError: if the question cannot be asked of one of the rows, or its budget is too small.
    """
    most = max(row.n_positions for row in rows)  # rows of fewer positions have fewer orders
    resolve_index(question.index, 1 if most == 1 and question.max_order == 2 else question.max_order, most)
    budgets = {n_players: budget_of(n_players) for n_players in {len(row.varying) for row in rows}}
    for n_players, budget in budgets.items():
        if n_players:
            order = min(question.max_order, n_players)
            check_plan(n_players, budget, question.index, order, question.approximator)
    return [replace(row, budget=budgets[len(row.varying)]) for row in rows]


def chosen_outputs(outputs: Any, everything: Any) -> Ints:
    """Return the numbers of the outputs asked for: given, or chosen by an operation on the outputs of the whole row.

    Raises:
        ArgumentError: if they are not there.
    """
    n_outputs = np.size(everything)
    if outputs is None:
        return np.arange(n_outputs)
    if isinstance(outputs, OpChain):
        outputs = outputs.apply(Explanation(np.atleast_1d(everything))).values
    numbers = np.arange(n_outputs)[outputs] if isinstance(outputs, slice) else np.atleast_1d(np.asarray(outputs))
    is_there = numbers.dtype.kind in "iu" and numbers.ndim == 1 and numbers.size
    if not is_there or numbers.min() < -n_outputs or numbers.max() >= n_outputs:
        allowed = f"numbers from 0 to {n_outputs - 1}, or an operation such as `shap.Explanation.argsort.flip[:2]`"
        raise ArgumentError("outputs", repr(outputs), allowed)
    return np.asarray(numbers % n_outputs, dtype=np.int64)


def _check_texts(masker: Any, arguments: tuple[Any, ...]) -> None:
    """A text is one element to a plain function, not the words that its caller expects."""
    if any(isinstance(argument, str) for argument in arguments) and not hasattr(masker, "shape"):
        allowed = "a masker that has a `shape`, such as `shap.maskers.Text`"
        raise ArgumentError("masker", f"a {type(masker).__name__}, for texts", allowed)


def _check_names(names: list[list[str]] | None, shapes: list[tuple[int, ...]]) -> None:
    """Raise for names of which there are more or fewer than columns; those of an image may be anything."""
    if names is None:
        return
    came, needed = [len(own) for own in names], [prod(shape) for shape in shapes]
    fit = [own in (length, 0) or len(shape) > 1 for own, length, shape in zip(came, needed, shapes, strict=False)]
    if not all(fit) or len(came) > len(needed):
        told = f"{' and '.join(map(str, came))} names"
        raise ArgumentError("feature_names", told, f"{' and '.join(map(str, needed))}, a name for each feature")


def _feature_names(masker: Any, arguments: tuple[Any, ...], rows: Rows, given: Any) -> list[list[str]] | None:
    """Names from the masker (texts), the rows' columns, or the explainer's argument; in this order, as in SHAP."""
    if callable(getattr(masker, "feature_names", None)):
        return [list(map(str, names)) for names in masker.feature_names(*arguments)]
    if rows.names[0] is not None:
        return [list(names or []) for names in rows.names]
    if given is None:
        return None
    nested = bool(len(given)) and isinstance(given[0], list | tuple)
    return [list(map(str, names)) for names in given] if nested else [list(map(str, given))]
