"""What is observed of a model's scores: accuracy, loss, log-probability, logit difference; with an identity for stores.

Each is called with scores ``(n_masks, n_examples, ..., classes)`` and returns one value for each mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest

IGNORED = -100
"""Labels that do not count, as in torch."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A function of scores and labels; see `accuracy`, `loss`, `log_prob` and `logit_difference`."""

    kind: str
    labels: Tensor
    others: Tensor | None = None
    position: int | None = None

    @property
    def fingerprint(self) -> str:
        """What tells this function from others."""
        return f"{self.kind} at {self.position} of {digest(self.labels, self.others)}"

    def __call__(self, scores: Tensor) -> Tensor:
        """Return the values, ``(n_masks,)``."""
        if self.position is not None:
            if scores.dim() < 4 or not -scores.shape[2] <= self.position < scores.shape[2]:
                came = f"{self.position} for scores {tuple(scores.shape[1:])} of the examples"
                raise ArgumentError("position", came, "a position of the scores' second dimension")
            scores = scores[:, :, self.position]
        counts = self._checked("labels", self.labels, scores, self.labels != IGNORED)
        known = torch.where(counts, self.labels.to(scores.device)[None], 0)
        if self.kind == "accuracy":
            each = (scores.argmax(dim=-1) == known).double()
        elif self.others is not None:
            self._checked("others", self.others, scores, self.labels != IGNORED)
            others = torch.where(counts, self.others.to(scores.device)[None], 0)
            each = _at(scores.double(), known) - _at(scores.double(), others)
        else:
            each = _at(scores.double().log_softmax(dim=-1), known)
        total = torch.where(counts, each, 0.0).flatten(1).sum(dim=1) / counts.sum()
        return -total if self.kind == "loss" else total

    @staticmethod
    def _checked(argument: str, classes: Tensor, scores: Tensor, counts: Tensor) -> Tensor:
        """Return which classes count, ``(1, n_examples, ...)``, if they fit the scores."""
        if classes.shape != scores.shape[1:-1]:
            came = f"shape {tuple(classes.shape)} for scores {tuple(scores.shape[1:])} of the examples"
            allowed = f"{tuple(scores.shape[1:-1])}: a class for each"
            raise ArgumentError(argument, came, allowed, "Is `position` right?")
        wrong = classes[counts & ((classes < 0) | (classes >= scores.shape[-1]))]
        if len(wrong):
            raise ArgumentError(argument, f"class {int(wrong[0])}", f"0 to {scores.shape[-1] - 1}, or {IGNORED}")
        return counts.to(scores.device)[None]


def accuracy(labels: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the share of examples whose largest score is that of their label.

    Args:
        labels: classes, ``(n_examples,)``, or with a dimension of positions; -100: does not count.
        position: of the scores' third dimension, for models that score every position; -1: the last.

    Example:
        >>> accuracy([1, 0])(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor([0.5000], dtype=torch.float64)
    """
    return _scored("accuracy", labels, None, position)


def loss(labels: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the mean cross-entropy; arguments as of `accuracy`."""
    return _scored("loss", labels, None, position)


def log_prob(labels: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the mean log-probability of the labels; arguments as of `accuracy`."""
    return _scored("log_prob", labels, None, position)


def logit_difference(labels: Any, others: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the mean score of the labels minus that of other classes, ``(n_examples,)``."""
    if others is None:
        raise ArgumentError("others", "None", "classes, one for each label")
    return _scored("logit_difference", labels, others, position)


def _at(scores: Tensor, classes: Tensor) -> Tensor:
    """Return the scores of classes ``(1, n_examples, ...)``, ``(n_masks, n_examples, ...)``."""
    return scores.gather(-1, classes.expand(scores.shape[:-1])[..., None])[..., 0]


def _scored(kind: str, labels: Any, others: Any, position: Any) -> Scored:
    if position is not None and (not isinstance(position, int | np.integer) or isinstance(position, bool)):
        raise ArgumentError("position", repr(position), "an integer, or None")
    known = _classes("labels", labels)
    if bool((known == IGNORED).all()):
        raise ArgumentError("labels", f"{IGNORED} only", "at least one class")
    return Scored(
        kind, known, None if others is None else _classes("others", others), None if position is None else int(position)
    )


def _classes(argument: str, given: Any) -> Tensor:
    try:
        tensor = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(argument, f"a {type(given).__name__} of other things", "integer classes") from None
    tensor = tensor if tensor.dim() else tensor[None]
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool or not tensor.numel():
        raise ArgumentError(argument, f"shape {tuple(tensor.shape)}, {tensor.dtype}", "integer classes")
    return tensor.long()
