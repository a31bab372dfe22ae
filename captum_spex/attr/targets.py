"""Which output of a model is explained: Captum's targets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from captum_spex import checks
from captum_spex.arrays import scalar
from captum_spex.errors import ArgumentError

Place = tuple[int | slice, ...]
_NAMES = {2: "(row, column)", 3: "(channel, row, column)"}


def places_of(target: Any, n_examples: int) -> list[Place] | None:
    """Return where the explained outputs are: one place for all examples, or one for each; ``None`` for all outputs.

    Raises:
        ArgumentError: if they are no places, whatever the model returns.
    """
    if target is None:
        return None
    if isinstance(target, Tensor):
        target = target.tolist() if target.dim() == 1 and target.numel() != 1 else scalar(target.squeeze())
    several = isinstance(target, list)
    places = [_place(one, several) for one in (target if several else [target])]
    if several and len(places) != n_examples:
        raise ArgumentError("target", f"{len(places)} targets", f"one for each of the {n_examples} examples")
    if len(set(map(len, places))) != 1:
        raise ArgumentError("target", f"{target!r}", "tuples of the same length")
    return [place for place in places for _ in range(1 if several else n_examples)]


def _place(target: Any, is_one_of_several: bool) -> Place:
    parts = target if isinstance(target, tuple) else (target,)
    kinds = () if is_one_of_several else (slice,)
    if not parts or not all(checks.is_integer(part) or isinstance(part, kinds) for part in parts):
        expected = "None, an integer, a tuple of integers, or a list of these for the examples"
        is_tensor = isinstance(target, Tensor)
        got = f"a tensor of shape {tuple(target.shape)}, {target.dtype}" if is_tensor else repr(target)
        raise ArgumentError("target", got, expected)
    return tuple(scalar(part) for part in parts)


def chosen(output: Tensor, target: Any, places: list[Place] | None) -> Tensor:
    """Return the explained outputs: of all rows those at the places, which are repeated for every mask.

    Raises:
        ArgumentError: if the model has no such outputs.
    """
    if places is None:
        return output
    for place in places:
        sizes = output.shape[1 : 1 + len(place)]
        is_there = all(isinstance(at, slice) or -size <= at < size for at, size in zip(place, sizes, strict=False))
        if len(place) > len(sizes) or not is_there:
            raise wrong_target(target, output)
    if len(set(map(str, places))) == 1:
        return output[(slice(None), *places[0])]
    if len(output) % len(places):
        return output  # the wrong number of rows, which is told of all outputs alike
    index = torch.tensor(places, device=output.device).repeat(len(output) // len(places), 1)
    return output[(torch.arange(len(output), device=output.device), *index.T)]


def wrong_target(target: Any, output: Tensor) -> ArgumentError:
    """Return the error of a target that does not say which one of a model's outputs is explained."""
    shape = tuple(output.shape[1:])
    hint = "`multi_output=True` explains every output, from the same evaluations."
    if not shape:
        return ArgumentError("target", repr(target), "None for a model that returns one number for each row")
    if len(shape) == 1:
        expected = f"the output to explain, for instance 0 to {shape[0] - 1}"
        return ArgumentError("target", f"{target!r} for a model with {shape[0]} outputs", expected, hint)
    names = _NAMES.get(len(shape), f"of {len(shape)} integers")
    last = tuple(size - 1 for size in shape)
    expected = f"a tuple {names} from {(0,) * len(shape)} to {last}"
    return ArgumentError("target", f"{target!r} for a model with outputs of shape {shape}", expected, hint)
