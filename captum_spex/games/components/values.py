"""What is observed of a model's scores: accuracy, loss, log-probability, logit difference; with an identity for stores.

Each is called with scores ``(n_masks, n_examples, ..., classes)`` and returns one value for each mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from captum_spex.errors import ArgumentError
from captum_spex.fingerprint import digest

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
            scores = scores[:, :, self.position]
        labels = self._like(self.labels, scores)
        counts = labels != IGNORED
        known = labels.clamp_min(0)
        if self.kind == "accuracy":
            each = (scores.argmax(dim=-1) == known).double()
        elif self.others is not None:
            each = (_at(scores, known) - _at(scores, self._like(self.others, scores))).double()
        else:
            each = _at(scores.double().log_softmax(dim=-1), known)
        total = torch.where(counts, each, 0.0).flatten(1).sum(dim=1) / counts.sum()
        return -total if self.kind == "loss" else total

    def _like(self, labels: Tensor, scores: Tensor) -> Tensor:
        if labels.shape != scores.shape[1:-1]:
            came = f"shape {tuple(labels.shape)} for scores {tuple(scores.shape[1:])} of the examples"
            raise ArgumentError(
                "labels", came, f"{tuple(scores.shape[1:-1])}: a class for each", "Is `position` right?"
            )
        return labels.to(scores.device)[None]


def accuracy(labels: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the share of examples whose largest score is that of their label.

    Args:
        labels: classes, ``(n_examples,)``, or with a dimension of positions; -100: does not count.
        position: of the scores' third dimension, for models that score every position; -1: the last.

    Example:
        >>> accuracy([1, 0])(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor([0.5000], dtype=torch.float64)
    """
    return Scored("accuracy", _labels(labels), position=position)


def loss(labels: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the mean cross-entropy; arguments as of `accuracy`."""
    return Scored("loss", _labels(labels), position=position)


def log_prob(labels: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the mean log-probability of the labels; arguments as of `accuracy`."""
    return Scored("log_prob", _labels(labels), position=position)


def logit_difference(labels: Any, others: Any, *, position: int | None = None) -> Scored:
    """Return the function that gives the mean score of the labels minus that of other classes, ``(n_examples,)``."""
    return Scored("logit_difference", _labels(labels), _labels(others), position)


def _at(scores: Tensor, classes: Tensor) -> Tensor:
    """Return the scores of classes ``(1, n_examples, ...)``, ``(n_masks, n_examples, ...)``."""
    return scores.gather(-1, classes.expand(scores.shape[:-1])[..., None])[..., 0]


def _labels(labels: Any) -> Tensor:
    tensor = torch.as_tensor(labels)
    tensor = tensor if tensor.dim() else tensor[None]
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool or not tensor.numel():
        raise ArgumentError("labels", f"shape {tuple(tensor.shape)}, {tensor.dtype}", "integer classes")
    if bool((tensor == IGNORED).all()):
        raise ArgumentError("labels", f"{IGNORED} only", "at least one class")
    return tensor
