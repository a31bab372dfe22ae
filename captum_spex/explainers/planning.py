"""Rows, planned before the model is called: masked inputs, budgets, names, and what is asked about each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import prod
from typing import Any

import numpy as np

from captum_spex.approximators import Approximator
from captum_spex.arrays import type_of
from captum_spex.budgets import DefaultBudget
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.progress import Progress
from captum_spex.explainers.background import Background
from captum_spex.explainers.groups import GroupedInputs, Groups, groups_of
from captum_spex.explainers.masked_inputs import MaskedInputs, mask_shapes, masked_inputs
from captum_spex.explainers.masked_tables import Table
from captum_spex.explainers.masker_game import MaskerGame
from captum_spex.explainers.row_games import KeptGame, RowsGame
from captum_spex.explainers.rows import Rows, as_rows
from captum_spex.explainers.shap_maskers import hides_texts, parts_of
from captum_spex.explaining import check_plan, explain
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel


@dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """What is asked about every row: the arguments of an explainer, checked.

    ``max_order`` is ``None`` by default: 2, or 1 if all rows have a single input; ``batch_size``: as many masks as fit.
    """

    index: str
    max_order: int | None
    max_terms: int
    outputs: Any
    approximator: Approximator
    seed: int
    batch_size: int | None

    def order_among(self, n_players: int) -> int:
        """Return the largest order of interactions among some players."""
        return min(2 if self.max_order is None else self.max_order, n_players)


@dataclass(frozen=True, eq=False)
class PlannedRow:
    """One row.

    Attributes:
        arguments: of the model.
        inputs: the row under masks over the positions that can vary.
        shapes: shape of the values of every argument; all positions together.
        budget: largest number of evaluations; or the default, which may be exceeded where all masks take no longer.
        feature_names: for every argument the names of its positions, if there are any.
        groups: the players, where these are groups of positions.
    """

    arguments: tuple[Any, ...]
    inputs: MaskedInputs
    shapes: list[tuple[int, ...]]
    budget: int | DefaultBudget
    feature_names: list[list[str]] | None
    groups: Groups | None = None

    @property
    def names(self) -> list[str] | None:
        """The names of all positions; numbered for an argument without names beside others that have some."""
        if self.feature_names is None:
            return None
        named = [
            names or [f"Feature {number}" for number in range(prod(shape))]
            for names, shape in zip_longest(self.feature_names, self.shapes, fillvalue=())
        ]
        names = [str(name) for own in named for name in own]
        return names if len(names) == self.inputs.n_positions else None

    @property
    def n_evaluations(self) -> int:
        """The budget as a number."""
        return self.budget.n_evaluations if isinstance(self.budget, DefaultBudget) else self.budget

    def explained(self, game: MaskerGame, request: Request, progress: Progress | None = None) -> list[Interactions]:
        """Return the result for every chosen output of the row's game; among all positions if none can vary."""
        if not game.n_players:
            return [self._constant(float(value), request) for value in np.atleast_1d(game.complete)]
        return self.asked(game, request, progress)

    def asked(
        self, game: MaskerGame | KeptGame | RowsGame, request: Request, progress: Progress | None
    ) -> list[Interactions]:
        """Explain a game among the varying positions, and return the result for each of its outputs."""
        found = explain(
            game,
            game.n_players,
            budget=self.budget,
            index=request.index,
            max_order=request.order_among(game.n_players),
            approximator=request.approximator,
            random_state=request.seed,
            names=None if self.names is None else [self.names[position] for position in self.inputs.varying],
            max_terms=request.max_terms,
            show_progress=progress or False,
        )
        return found if isinstance(found, list) else [found]

    def among_all(self, result: Interactions, request: Request) -> Interactions:
        """Number the players as the inputs, among them those that cannot vary."""
        if result.n_players == self.inputs.n_positions:
            return result
        wider = result.among(self.inputs.varying.tolist(), self.inputs.n_positions, self.names)
        order = request.order_among(self.inputs.n_positions)
        return wider if wider.max_order == order else wider.to(request.index, order, max_terms=request.max_terms)

    def _constant(self, value: float, request: Request) -> Interactions:
        """Return the result of a row that does not differ from the background."""
        index = resolve_index(request.index, request.order_among(self.inputs.n_positions), self.inputs.n_positions)
        model = GameModel.constant(value, self.inputs.n_positions)
        names = None if self.names is None else tuple(self.names)
        return Interactions.from_model(model, index, n_evaluations=1, faithfulness=1.0, names=names)


def planned_rows(
    rows: Rows,
    row_maskers: Sequence[Any],
    feature_names: Any,
    groups: Any,
    budget_of: Callable[[int], int | DefaultBudget],
) -> list[PlannedRow]:
    """Return the rows with their masked inputs and budgets; what a masker cannot do is found here.

    Args:
        rows: the rows.
        row_maskers: the masker of each row.
        feature_names: as given to the explainer.
        groups: as given to the explainer.
        budget_of: the number of evaluations for a number of players; a default one is kept for texts.

    Raises:
        ArgumentError: if the masker or the groups do not fit the rows.
    """
    planned = []
    tables = _tables(row_maskers[0], rows)  # tables have the same masker for all rows
    grouped = None
    for number, (masker, arguments) in enumerate(zip(row_maskers, rows, strict=True)):
        inputs = masked_inputs(masker, arguments, tables, number)
        _check_texts(masker, arguments)
        shapes = mask_shapes(masker, arguments, tables)
        if sum(map(prod, shapes)) != inputs.n_positions or not inputs.n_positions:
            got = f"{type_of(masker)} of {inputs.n_positions} positions for inputs of shapes {shapes}"
            raise ArgumentError("masker", got, "a masker for such inputs")
        if number == 0 or callable(getattr(masker, "feature_names", None)):  # texts have names of their own
            own_names = _feature_names(masker, arguments, rows, feature_names)
        _check_names(own_names, shapes)
        if number == 0:
            grouped = _groups(groups, masker, rows, shapes, own_names)
        names = own_names
        if grouped is not None:
            inputs, shapes, names = GroupedInputs(inputs, grouped), [(len(grouped),)], [grouped.names]
        budget = budget_of(len(inputs.varying))
        if isinstance(budget, DefaultBudget) and hides_texts(masker):
            budget = budget.n_evaluations
        planned.append(PlannedRow(arguments, inputs, shapes, budget, names, grouped))
    return planned


def _tables(masker: Any, rows: Rows) -> list[Table | None]:
    """Return rows and background of every part of a masker, ``None`` for parts that are no tables."""
    tables: list[Table | None] = []
    for part, own in parts_of(masker, len(rows.arguments)):
        background, arguments = Background.of(part), rows.arguments[own]
        if background is None:
            tables.append(None)
            continue
        argument = arguments[0]
        array = argument.values if argument.sparse else as_rows(argument.values)
        tables.append(background.table(array, argument.frame, argument.sparse))
    return tables


def _groups(
    given: Any, masker: Any, rows: Rows, shapes: list[tuple[int, ...]], names: list[list[str]] | None
) -> Groups | None:
    """Return the groups that the caller asked for, or that the background brings."""
    background = Background.of(masker)
    if given is None:
        given = None if background is None else background.groups
    if given is None:
        return None
    if len(shapes) != 1 or callable(getattr(masker, "feature_names", None)):
        got = "groups for texts" if len(shapes) == 1 else f"groups for {len(shapes)} arguments"
        raise ArgumentError("groups", got, "None, or a model of one array or data frame")
    tables = [np.asarray(rows.arguments[0].values)] if not rows.arguments[0].sparse else []
    if background is not None:
        tables.append(background.values)
    columns = names[0] if names is not None and len(names[0]) == prod(shapes[0]) else None
    return groups_of(given, shapes[0], columns, tables)


def check_request(rows: Sequence[PlannedRow], request: Request) -> None:
    """Make all checks of a request that need no model.

    Raises:
        ArgumentError: if it cannot be asked about one of the rows, or a budget is too small.
    """
    most = max(row.inputs.n_positions for row in rows)  # rows of fewer positions have fewer orders
    resolve_index(request.index, request.order_among(most) if request.max_order is None else request.max_order, most)
    for n_players, budget in {(len(row.inputs.varying), row.n_evaluations) for row in rows}:
        if n_players:
            check_plan(n_players, budget, request.index, request.order_among(n_players), request.approximator)


def _check_texts(masker: Any, arguments: tuple[Any, ...]) -> None:
    """Raise for texts under a plain function, to which a text is one element and not its words."""
    if any(isinstance(argument, str) for argument in arguments) and not hasattr(masker, "shape"):
        expected = "a masker that has a `shape`, such as `shap.maskers.Text`, for texts"
        raise ArgumentError("masker", type_of(masker), expected)


def _check_names(names: list[list[str]] | None, shapes: list[tuple[int, ...]]) -> None:
    """Raise if there are more or fewer names than columns; images may have any."""
    if names is None:
        return
    given, needed = [len(of_argument) for of_argument in names], [prod(shape) for shape in shapes]
    fit = [own in (length, 0) or len(shape) > 1 for own, length, shape in zip(given, needed, shapes, strict=False)]
    if not all(fit) or len(given) > len(needed):
        got, expected = (" and ".join(map(str, numbers)) for numbers in (given, needed))
        raise ArgumentError("feature_names", f"{got} names", f"{expected}, a name for each feature")


def _feature_names(masker: Any, arguments: tuple[Any, ...], rows: Rows, given: Any) -> list[list[str]] | None:
    """Names for every argument: from the masker (texts), the rows' columns, or what the caller gave, as in SHAP.

    Last come the columns of the background; an argument without any has an empty list.
    """
    if callable(getattr(masker, "feature_names", None)):
        return [list(map(str, names)) for names in masker.feature_names(*arguments)]
    nested = given is not None and bool(len(given)) and isinstance(given[0], list | tuple | np.ndarray)
    caller: list[Any] = [] if given is None else list(given) if nested else [given]
    found: list[list[str]] = []
    for part, own in parts_of(masker, len(arguments)):
        for place, argument in enumerate(rows.arguments[own], start=own.start):
            names: Any = argument.names
            if names is None and place < len(caller):
                names = caller[place]
            if names is None and (background := Background.of(part)) is not None:
                names = background.column_names
            found.append([] if names is None else list(map(str, names)))
    found += [list(map(str, names)) for names in caller[len(found) :]]
    return found if any(found) else None
