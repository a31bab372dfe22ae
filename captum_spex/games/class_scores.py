"""Classes by label or number, and the value that is read from a classifier's scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from captum_spex import checks
from captum_spex.arrays import scalar
from captum_spex.errors import ArgumentError, UnknownNameError

OUTPUTS = ("logit", "margin", "log_prob")
Function = Literal["softmax", "sigmoid", "none"]
_FUNCTIONS = ("softmax", "sigmoid", "none")
_OF_PROBLEMS = {
    "multi_label_classification": "sigmoid",
    "regression": "none",
}  # others: softmax
_MOST_SHOWN = 20  # classes in a message


def function_of(given: str | None, config: Any, output: str, n_classes: int) -> str:
    """Return the function that makes probabilities of logits: the given one, or that of the model's kind of problem.

    Args:
        given: ``"softmax"`` (one label is true), ``"sigmoid"`` (each may be), ``"none"``, or ``None``.
        config: the model's configuration, if it has one.
        output: one of `OUTPUTS`.
        n_classes: the number of scores.

    Raises:
        ArgumentError: if the output needs other classes, or probabilities, and there are none.
    """
    function = _OF_PROBLEMS.get(str(getattr(config, "problem_type", None)), "softmax") if given is None else given
    function = checks.choice("function_to_apply", function, _FUNCTIONS)
    if n_classes == 1 and (output == "margin" or (output == "log_prob" and function != "sigmoid")):
        raise ArgumentError("output", repr(output), "'logit' for a model with a single output")
    if output == "log_prob" and function == "none":
        hint = "Name the `function_to_apply` to have them."
        raise ArgumentError("output", "'log_prob'", "'logit' or 'margin' for scores without probabilities", hint)
    return function


def class_values(scores: Tensor, targets: Sequence[int], output: str, function: str = "softmax") -> Tensor:
    """Return the logits of some classes, their margins over the largest other class, or their log-probabilities.

    Args:
        scores: logits, ``(rows, classes)``.
        targets: the classes.
        output: one of `OUTPUTS`.
        function: what makes probabilities of them, see `function_of`.

    Returns:
        The values, ``(rows, len(targets))``.
    """
    if output == "log_prob":
        scores = logsigmoid(scores) if function == "sigmoid" else scores.log_softmax(dim=1)
    chosen = scores[:, list(targets)]
    if output == "margin":
        others = [torch.cat([scores[:, :target], scores[:, target + 1 :]], dim=1) for target in targets]
        chosen = chosen - torch.stack([other.amax(dim=1) for other in others], dim=1)
    return chosen


def class_labels(config: Any, n_classes: int) -> list[str]:
    """Return the names of the classes: those in a model's configuration, or their numbers."""
    names = dict(getattr(config, "id2label", None) or {})
    return [str(names.get(number, number)) for number in range(n_classes)]


def class_numbers(target: Any, names: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of classes given by number or name, one or several.

    Raises:
        UnknownNameError: for an unknown class.
    """
    target = scalar(target)
    given = list(target) if isinstance(target, Iterable) and not isinstance(target, str) else [target]
    if not given:
        raise ArgumentError("target", "no class", "a label or number, or several")
    return tuple(_class_number(scalar(one), list(names)) for one in given)


def _class_number(target: Any, names: list[str]) -> int:
    if isinstance(target, str):
        matching = [number for number, name in enumerate(names) if name.lower() == target.lower()]
        if target in names:
            return names.index(target)
        if len(matching) == 1:
            return matching[0]
    elif checks.is_integer(target) and 0 <= target < len(names):
        return int(target)
    shown = [*map(repr, names[:_MOST_SHOWN]), *(["..."] if len(names) > _MOST_SHOWN else [])]
    expected = f"{', '.join(shown)}, or a number from 0 to {len(names) - 1}"
    raise UnknownNameError("target", repr(target), expected)
