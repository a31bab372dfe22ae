"""What the explainers need of SHAP's insides, in one place because it may move between SHAP's versions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba.core.dispatcher import Dispatcher
from shap import Explainer, Explanation, links, maskers, models
from shap.utils import OpChain, sample
from torch import nn

from captum_spex.errors import ArgumentError

__all__ = [
    "Explainer",
    "Explanation",
    "Once",
    "OpChain",
    "TorchModel",
    "checked_link",
    "is_identity",
    "links",
    "maskers",
    "models",
    "sample",
    "with_tensors",
    "without_answers",
]


class Once:
    """A function that is called once, whatever it is called with later: the answer to a text that is then masked."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._answers: list[Any] = []

    def __call__(self, *args: Any) -> Any:
        """Return the first answer."""
        if not self._answers:
            self._answers.append(self._function(*args))
        return self._answers[0]


class TorchModel(models.Model):  # type: ignore[misc]
    """A torch module as SHAP wants its models: arrays in, arrays out."""

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
            raise ArgumentError("model", "a model in training mode", "one in evaluation mode", "Call `model.eval()`.")

    def _tensor(self, array: Any, like: torch.Tensor) -> Any:
        array = np.asarray(array)
        if array.dtype.kind not in "bifu":
            return array
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(like.device)
        return tensor.to(like.dtype) if tensor.is_floating_point() else tensor


def with_tensors(model: Any) -> Any:
    """Return a torch module wrapped as a model of SHAP; language models, which SHAP wraps itself, as they are."""
    is_own = isinstance(model, nn.Module) and not hasattr(model, "generate")
    return TorchModel(model) if is_own else model


def without_answers(masker: Any) -> Any:
    """Return the masker inside one that also gives the answers of a language model."""
    return masker.masker if isinstance(masker, maskers.OutputComposite | maskers.FixedComposite) else masker


def checked_link(link: Any) -> Any:
    """Return a link if it is compiled, as those in ``shap.links`` are: SHAP's own explainers take no other.

    Raises:
        ArgumentError: otherwise.
    """
    if isinstance(link, Dispatcher):
        return link
    name = getattr(link, "__name__", type(link).__name__)
    hint = f"Pass `numba.njit({name})`." if callable(link) else ""
    came = f"{name!r}, which is not compiled" if callable(link) else repr(link)
    allowed = "`shap.links.identity`, `shap.links.logit`, or another function compiled by `numba.njit`"
    raise ArgumentError("link", came, allowed, hint)


def is_identity(link: Any) -> bool:
    """Whether a link is ``shap.links.identity``, or a copy of it that was loaded from a file."""
    function = getattr(link, "py_func", None)
    return link is links.identity or (
        function is not None and function.__module__ == links.__name__ and function.__name__ == "identity"
    )
