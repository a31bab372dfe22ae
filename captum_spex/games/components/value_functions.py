"""Value functions of a model's scores: accuracy, loss, log-probability, logit difference; with an identity for stores.

Each takes scores ``(n_masks, n_examples, ..., classes)`` and returns one value per mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from captum_spex import checks
from captum_spex.arrays import scalar, type_of
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest

IGNORED = -100
"""Label that does not count, as in torch."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A function of scores and labels; see `accuracy`, `loss`, `log_prob` and `logit_difference`."""

    kind: str
    labels: Tensor
    others: Tensor | None = None
    position: int | None = None

    @property
    def fingerprint(self) -> str:
        """The identity of this function."""
        return f"{self.kind} at {self.position} of {digest(self.labels, self.others)}"

    def __call__(self, scores: Tensor) -> Tensor:
        """Return the values, ``(n_masks,)``."""
        if self.position is not None:
            if scores.dim() < 4 or not -scores.shape[2] <= self.position < scores.shape[2]:
                got = f"{self.position} for scores of shape {tuple(scores.shape[1:])}"
                raise ArgumentError("position", got, "an index into the scores' second dimension")
            scores = scores[:, :, self.position]
        known = self._known("labels", self.labels, scores)
        if self.kind == "accuracy":
            each = (scores.argmax(dim=-1) == known).double()
        elif self.others is not None:
            each = _at(scores.double(), known) - _at(scores.double(), self._known("others", self.others, scores))
        else:
            each = _at(scores.double().log_softmax(dim=-1), known)
        counts = (self.labels != IGNORED).to(scores.device)[None]
        total = torch.where(counts, each, 0.0).flatten(1).sum(dim=1) / counts.sum()
        return -total if self.kind == "loss" else total

    def _known(self, argument: str, classes: Tensor, scores: Tensor) -> Tensor:
        """Return classes ``(1, n_examples, ...)`` that fit the scores, 0 where the label does not count."""
        if classes.shape != scores.shape[1:-1]:
            expected = f"shape {tuple(scores.shape[1:-1])} for scores of shape {tuple(scores.shape[1:])}"
            raise ArgumentError(argument, f"{tuple(classes.shape)}", expected, "Is `position` right?")
        counts = self.labels != IGNORED
        wrong = classes[counts & ((classes < 0) | (classes >= scores.shape[-1]))]
        if len(wrong):
            raise ArgumentError(argument, f"{int(wrong[0])}", f"classes from 0 to {scores.shape[-1] - 1}, or {IGNORED}")
        return torch.where(counts, classes, 0).to(scores.device)[None]


def accuracy(labels: Any, *, position: int | None = None) -> Scored:
    """Return the value function that is the share of examples whose largest score is that of their label.

    Args:
        labels: classes, ``(n_examples,)`` or ``(n_examples, n_positions)``; -100 does not count.
        position: index into the positions, for models that score each of them; -1: the last.

    Example:
        >>> accuracy([1, 0])(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor([0.5000], dtype=torch.float64)
    """
    return _scored("accuracy", labels, None, position)


def loss(labels: Any, *, position: int | None = None) -> Scored:
    """Return the value function that is the mean cross-entropy; arguments as in `accuracy`."""
    return _scored("loss", labels, None, position)


def log_prob(labels: Any, *, position: int | None = None) -> Scored:
    """Return the value function that is the mean log-probability of the labels; arguments as in `accuracy`."""
    return _scored("log_prob", labels, None, position)


def logit_difference(labels: Any, others: Any, *, position: int | None = None) -> Scored:
    """Return the value function that is the mean score of the labels minus that of other classes, of the same shape."""
    if others is None:
        raise ArgumentError("others", "None", "a class for each label")
    return _scored("logit_difference", labels, others, position)


def _at(scores: Tensor, classes: Tensor) -> Tensor:
    """Return the scores ``(n_masks, n_examples, ...)`` of the classes ``(1, n_examples, ...)``."""
    return scores.gather(-1, classes.expand(scores.shape[:-1])[..., None])[..., 0]


def _scored(kind: str, labels: Any, others: Any, position: Any) -> Scored:
    position = scalar(position)
    if position is not None and not checks.is_integer(position):
        raise ArgumentError("position", repr(position), "an integer or None")
    known = _classes("labels", labels)
    if bool((known == IGNORED).all()):
        raise ArgumentError("labels", f"{IGNORED} only", "at least one class")
    return Scored(kind, known, None if others is None else _classes("others", others), position)


def _classes(argument: str, given: Any) -> Tensor:
    try:
        tensor = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(argument, type_of(given), "integer classes") from None
    tensor = tensor if tensor.dim() else tensor[None]
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool or not tensor.numel():
        raise ArgumentError(argument, f"shape {tuple(tensor.shape)}, {tensor.dtype}", "integer classes")
    return tensor.long()
