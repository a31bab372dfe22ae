"""Arrays of numbers: their types, and the one way in which what comes from outside becomes float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.errors import ArgumentError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
"""Row numbers."""


def real_numbers(argument: str, values: Any) -> Floats:
    """Return arrays, lists or torch tensors (of any dtype, on any device, with or without a graph) as float64.

    Raises:
        ArgumentError: if they are missing, complex, ragged, text, or anything else but real numbers.

    Example:
        >>> real_numbers("values", [True, 2])
        array([1., 2.])
    """
    array = as_array(values)
    try:
        if array.dtype.kind not in "biufO":
            raise TypeError(f"dtype {array.dtype}")
        if array.dtype.kind == "O" and any(one is None or isinstance(one, str | bytes) for one in array.flat):
            raise TypeError("dtype object")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(argument, f"{_described(values)} ({error})", "real numbers") from None


def as_array(values: Any) -> np.ndarray:
    """Return what NumPy or torch understand as an array; without a dtype in common, of dtype object."""
    detach = getattr(values, "detach", None)
    if detach is not None:
        values = detach().cpu()
        values = values.double() if values.is_floating_point() else values  # numpy has no bfloat16
    try:
        return np.asarray(values)
    except (ValueError, RuntimeError):  # ragged; tensors with a graph inside a list
        return np.array(None)


def scalar(value: Any) -> Any:
    """Return a NumPy scalar, 0-d array or 0-d torch tensor as the plain Python number or flag; else the value itself.

    Example:
        >>> scalar(np.bool_(True)), scalar(np.array(3)), scalar([3])
        (True, 3, [3])
    """
    is_scalar = getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None))
    return value.item() if is_scalar else value


def type_of(thing: Any) -> str:
    """Return the type of a thing with its article: ``an int``, ``a list``, ``an ndarray``; ``None`` is itself."""
    name = type(thing).__name__
    article = "an" if name[0].lower() in "aeiou" or name == "ndarray" else "a"
    return "None" if thing is None else f"{article} {name}"


def _described(values: Any) -> str:
    shape = getattr(values, "shape", None)
    return type_of(values) + ("" if shape is None else f" of shape {tuple(shape)}")
