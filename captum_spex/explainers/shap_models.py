"""Models in the form in which SHAP passes them to explainers and maskers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import nn

from captum_spex.approximators import Approximator, ProxySpex
from captum_spex.arrays import Floats, as_array, type_of
from captum_spex.compat.shap import models
from captum_spex.errors import GameError
from captum_spex.evaluation.torch_models import logits_of


class Once:
    """A function that keeps its first answer: the answer to the complete text, which is then masked."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._answers: list[Any] = []

    def __call__(self, *args: Any) -> Any:
        """Return the first answer."""
        if not self._answers:
            self._answers.append(self._function(*args))
        return self._answers[0]


class FunctionModel(models.Model):  # type: ignore[misc]
    """A function with SHAP's interface of a model; what it returns is read by `as_outputs`."""

    def __call__(self, *inputs: Any) -> Any:
        """Call the function."""
        return self.inner_model(*inputs)


class TorchModel(models.Model):  # type: ignore[misc]
    """A torch module with SHAP's interface of a model: arrays in; what comes out is read by `as_outputs`."""

    def __call__(self, *arrays: Any) -> Any:
        """Call the module with tensors on its device, floating ones in its precision."""
        like = next(self.inner_model.parameters(), torch.zeros(()))
        with torch.no_grad():
            return self.inner_model(*(self._tensor(array, like) for array in arrays))

    def _tensor(self, array: Any, like: torch.Tensor) -> Any:
        array = np.asarray(array)
        if array.dtype.kind not in "bifu":
            return array
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(like.device)
        return tensor.to(like.dtype) if tensor.is_floating_point() else tensor


def with_tensors(model: Any) -> Any:
    """Return a torch module wrapped as a model of SHAP; language models, which SHAP wraps itself, unchanged."""
    return TorchModel(model) if isinstance(model, nn.Module) and not generates(model) else model


def placed(approximator: Approximator, model: Any) -> Approximator:
    """Return an algorithm that knows on which device a model is, if it asks for that and there is one."""
    if not isinstance(approximator, ProxySpex) or approximator.device != "auto":
        return approximator
    module = getattr(model, "inner_model", model)
    one = next(module.parameters(), None) if isinstance(module, nn.Module) else None
    return approximator if one is None else replace(approximator, model_device=one.device)


def generates(model: Any) -> bool:
    """Whether a model is a language model that SHAP has not wrapped."""
    return isinstance(model, nn.Module) and hasattr(model, "generate")


def as_outputs(returned: Any, n_rows: int) -> Floats:
    """Return what a model returned for some rows as ``(n_rows,)`` or ``(n_rows, n_outputs)``.

    Of an output of transformers, a named tuple or a dictionary these are the ``logits``.

    Raises:
        GameError: if it is anything else than numbers for each row, saying what came.
    """
    returned = logits_of(returned)
    if isinstance(returned, Mapping):
        raise _no_outputs(f"a dictionary of {list(returned)[:5]}", n_rows, "['name']")
    if isinstance(returned, list | tuple) and _is_structure(returned, n_rows):
        parts = ", ".join(_shape(part) for part in returned[:5])
        raise _no_outputs(f"{type_of(returned)} of {len(returned)}: {parts}", n_rows, "[0]")
    array = as_array(returned.toarray() if scipy.sparse.issparse(returned) else returned)
    if array.ndim not in (1, 2) or len(array) != n_rows or array.dtype.kind not in "bifu":
        raise GameError(
            f"`model`: returned shape {array.shape}, {array.dtype}, for {n_rows} rows; "
            f"expected numbers ({n_rows},) or ({n_rows}, n_outputs)."
        )
    return array.astype(np.float64)


def _is_structure(returned: list[Any] | tuple[Any, ...], n_rows: int) -> bool:
    """Whether a list holds the parts of an output, not the outputs of each row."""
    shapes = [np.shape(part) if hasattr(part, "shape") else None for part in returned]
    if isinstance(returned, tuple) and any(shape not in (None, ()) for shape in shapes):
        return True
    # As many arrays as rows, each of as many numbers, could be either.
    return any(shape is not None and (len(shape) > 1 or shape == (n_rows,)) for shape in shapes)


def _shape(part: Any) -> str:
    return f"shape {tuple(part.shape)}" if hasattr(part, "shape") else type_of(part)


def _no_outputs(got: str, n_rows: int, part: str) -> GameError:
    return GameError(
        f"`model`: returned {got}, for {n_rows} rows; expected numbers ({n_rows},) or ({n_rows}, n_outputs). "
        f"Wrap the model so that it returns the part to explain, such as `model(x){part}`."
    )
