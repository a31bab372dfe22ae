"""Explained rows, and the ``shap.Explanation`` that they make together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, scalar
from captum_spex.compat.shap import Explanation
from captum_spex.errors import ArgumentError
from captum_spex.exports.shap import explanation, pair_explanation
from captum_spex.exports.shap.additive_values import pair_matrix, shapley_values
from captum_spex.exports.shap.term_features import plain_name
from captum_spex.indices import Index
from captum_spex.interactions import Interactions
from captum_spex.masks import ends
from captum_spex.model import AmongOthers
from captum_spex.player_sets import PlayerSets

_MASKED_CELLS = 1 << 24  # of a block of masks of single players, 16 MiB


@dataclass(frozen=True, eq=False)
class ExplainedRow:
    """The explanation of one row.

    Attributes:
        results: for every chosen output, the result among all positions.
        base_values: value with nothing present, ``()`` or ``(n_outputs,)``.
        outputs: numbers of the outputs, ``None`` for a model with one that is not an array.
        output_names: names of the chosen outputs, if there are any.
        shapes: shape of the values of every argument.
        feature_names: for every argument the names of its positions, if there are any.
        own_names: whether every row has names of its own, as texts have.
        data: the arguments, as the masker shows them.
        arrays: the requested arrays, by name, see `wanted_arrays`.
    """

    results: Sequence[Interactions]
    base_values: Floats
    outputs: Ints | None
    output_names: Sequence[str] | None
    shapes: Sequence[tuple[int, ...]]
    feature_names: Sequence[Sequence[str]] | None
    own_names: bool
    data: tuple[Any, ...]
    arrays: Mapping[str, Floats] = field(default_factory=dict)

    def reduced(self, wanted: Sequence[str]) -> ExplainedRow:
        """Return the row with arrays in place of the results, which take far more memory.

        These are ``(n_positions,)``, pairs ``(n_positions, n_positions)``, with outputs last if there are several.
        """
        arrays = {}
        for name in wanted:
            columns = [_ARRAYS[name](result) for result in self.results]
            arrays[name] = columns[0] if self.outputs is None else np.stack(columns, axis=-1)
        return replace(self, results=(), arrays=arrays)


def wanted_arrays(interactions: Any, error_bounds: Any, main_effects: Any) -> tuple[str, ...]:
    """Return what an explanation holds: values or pairs, and beside values also standard errors and main effects.

    Raises:
        ArgumentError: unless the arguments of the explainer are flags that go together.
    """
    beside = {
        "error_std": checks.flag("error_bounds", error_bounds),
        "main_effects": checks.flag("main_effects", main_effects),
    }
    if not _are_pairs(interactions):
        return ("values", *(name for name, is_wanted in beside.items() if is_wanted))
    if any(beside.values()):
        argument = "error_bounds" if beside["error_std"] else "main_effects"
        hint = "`.interactions(...)` gives results that know both."
        raise ArgumentError(argument, "True", "False with `interactions`", hint)
    return "values", "pairs"  # values for arguments that are fixed


def _are_pairs(interactions: Any) -> bool:
    plain = scalar(interactions)
    if plain is True or plain is False:
        return plain is True
    is_order = checks.is_integer(plain)
    if is_order and 0 <= plain <= 2:
        return bool(plain == 2)  # 1 is order 1, as in `shap.TreeExplainer`
    hint = f"Call `.interactions(X, max_order={plain})`" if is_order else "Call `.interactions(X)`"
    raise ArgumentError("interactions", repr(plain), "False, True or 2", f"{hint}, for any order and index.")


def explanations(explained: Sequence[ExplainedRow], compute_time: float, arguments: Sequence[Any]) -> Any:
    """Return a ``shap.Explanation``, or a list of them for a model with several arguments."""
    found = []
    for argument in range(len(explained[0].shapes)):
        facts = {
            "data": packed([row.data[argument] for row in explained]),
            "feature_names": _names(explained, argument),
            "output_names": _output_names(explained),
            "compute_time": compute_time,
            "frame": arguments[argument],
        }
        has_pairs = "pairs" in explained[0].arrays and prod(explained[0].shapes[argument]) > 0
        found.append(_pairs(explained, facts) if has_pairs else _values(explained, argument, facts))
    return found[0] if len(found) == 1 else found


def check_pairs(shapes: Sequence[tuple[int, ...]], n_rows: int, most_cells: int) -> None:
    """Raise if matrices of pairs cannot be returned: the pairs concern several arguments, or are too many."""
    lengths = list(map(prod, shapes))
    hint = "Call `.interactions(...)`, which returns all interactions, of any order, as a list of terms."
    if sum(length > 0 for length in lengths) > 1:
        raise ArgumentError("interactions", "True", "False for a model with several inputs", hint)
    if n_rows * max(lengths) ** 2 > most_cells:
        got = f"True for {n_rows} rows of {max(lengths)} features"
        raise ArgumentError("interactions", got, f"False for matrices of more than {most_cells:,} numbers", hint)


def _values(explained: Sequence[ExplainedRow], argument: int, facts: dict[str, Any]) -> Explanation:
    def cut(name: str) -> Any:
        """The part of this argument in an array of all rows, in its shape."""
        pieces = []
        for row in explained:
            array, shape = row.arrays[name], row.shapes[argument]
            start = sum(map(prod, row.shapes[:argument]))
            pieces.append(array[start : start + prod(shape)].reshape((*shape, *array.shape[1:])))
        return packed(pieces)

    beside = {name: cut(name) for name in ("error_std", "main_effects") if name in explained[0].arrays}
    return explanation(cut("values"), packed([row.base_values for row in explained]), **beside, **facts)


def _pairs(explained: Sequence[ExplainedRow], facts: dict[str, Any]) -> Explanation:
    """The pairs concern one argument: there is only one whose inputs can vary (`check_pairs`)."""
    data = facts["data"]
    if isinstance(data, np.ndarray) and data.ndim > 2:
        facts = {**facts, "data": data.reshape(len(data), -1)}  # pairs have one axis of pixels
    pairs = packed([row.arrays["pairs"] for row in explained])
    return pair_explanation(pairs, packed([row.base_values for row in explained]), **facts)


def packed(values: Sequence[Any]) -> Any:
    """Return one array, an array of objects where rows differ in length."""
    arrays = [np.asarray(value) for value in values]
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    ragged = np.empty(len(arrays), dtype=object)
    ragged[:] = arrays
    return ragged


def _names(explained: Sequence[ExplainedRow], argument: int) -> Any:
    """The names of the inputs: one list for all rows, or for each row of a text its own."""
    first, shape = explained[0], explained[0].shapes[argument]
    if first.feature_names is None or not any(first.feature_names[argument : argument + 1]):
        return [f"Feature {number}" for number in range(shape[0])] if len(shape) == 1 else None
    names = [[plain_name(name) for name in (row.feature_names or [[]])[argument]] for row in explained]
    return names if first.own_names else names[0]


def _output_names(explained: Sequence[ExplainedRow]) -> Any:
    """The names of the outputs: for all rows, or for each row where they differ."""
    names = [row.output_names for row in explained]
    if any(own is None for own in names):
        return None
    texts = [list(map(str, own or ())) for own in names]
    if all(own == texts[0] for own in texts):
        return texts[0]
    return np.array(texts) if len({len(own) for own in texts}) == 1 else texts


def _standard_errors(result: Interactions) -> Floats:
    """The standard errors of the Shapley values; NaN if the algorithm gives none, but 0 of inputs that cannot vary."""
    model = result.model
    errors = model.std_errors(Index("SV", 1), PlayerSets.all_of_order(1, result.n_players))
    if errors is not None:
        return errors
    unknown = np.full(result.n_players, np.nan)
    if isinstance(model, AmongOthers):
        unknown[np.setdiff1d(np.arange(result.n_players), model.players)] = model.other_std_error
    return unknown


def _alone(result: Interactions) -> Floats:
    """The model's value of every player alone minus that of none."""
    n = result.n_players
    none = result.model(ends(n)[1:])[0]
    step = max(1, _MASKED_CELLS // max(1, n))
    parts = [result.model(np.eye(n, dtype=np.bool_)[start : start + step]) for start in range(0, n, step)]
    return np.concatenate(parts) - none


_ARRAYS = {"values": shapley_values, "pairs": pair_matrix, "error_std": _standard_errors, "main_effects": _alone}
