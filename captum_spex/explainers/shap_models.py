"""Models in the form in which SHAP passes them to explainers and maskers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from captum_spex.compat.shap import models
from captum_spex.errors import ArgumentError


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


class TorchModel(models.Model):  # type: ignore[misc]
    """A torch module with SHAP's interface of a model: arrays in, arrays out."""

    def __init__(self, model: Any = None) -> None:
        super().__init__(model)
        self._check_mode()

    def __call__(self, *arrays: Any) -> Any:
        """Call the module with tensors on its device, floating ones in its precision."""
        self._check_mode()
        like = next(self.inner_model.parameters(), torch.zeros(()))
        with torch.no_grad():
            outputs = self.inner_model(*(self._tensor(array, like) for array in arrays))
        if not isinstance(outputs, torch.Tensor):
            return np.array(outputs)
        return (outputs.double() if outputs.is_floating_point() else outputs).cpu().numpy()

    def _check_mode(self) -> None:
        if self.inner_model.training:
            raise ArgumentError("model", "one in training mode", "a model in evaluation mode", "Call `model.eval()`.")

    def _tensor(self, array: Any, like: torch.Tensor) -> Any:
        array = np.asarray(array)
        if array.dtype.kind not in "bifu":
            return array
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(like.device)
        return tensor.to(like.dtype) if tensor.is_floating_point() else tensor


def with_tensors(model: Any) -> Any:
    """Return a torch module wrapped as a model of SHAP; language models, which SHAP wraps itself, unchanged."""
    return TorchModel(model) if isinstance(model, nn.Module) and not generates(model) else model


def generates(model: Any) -> bool:
    """Whether a model is a language model that SHAP has not wrapped."""
    return isinstance(model, nn.Module) and hasattr(model, "generate")
