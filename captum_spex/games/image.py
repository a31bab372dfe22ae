"""An image classifier as a game over patches or segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError, MaskError, UnknownNameError
from captum_spex.evaluation.fingerprint import digest, game_identity
from captum_spex.evaluation.torch_models import buffers_kept, check_mode, rounding_of
from captum_spex.games.class_scores import OUTPUTS, Function, class_labels, class_numbers, class_values, function_of
from captum_spex.masks import Masks, as_masks, ends, in_batches

_FILLS = ("blur", "mean", "zero")
_BLUR = 0.1  # standard deviation, as a share of the shorter side


class ImageGame:
    """The scores of a classifier for an image with parts removed.

    Args:
        model: a module, or a function, from images ``(rows, channels, height, width)`` to scores ``(rows, classes)``
            (or an object with ``logits``, as transformers models return).
        image: the image as the model takes it, float ``(channels, height, width)``.
        segments: the players: ``(rows, columns)`` of a grid; an integer array ``(height, width)`` of labels; or a bool
            array or list ``(n_players, height, width)`` that covers every pixel exactly once.
        target: the number of the class, or several; or their labels, if the model's configuration has ``id2label``;
            default: the class that the model predicts for the image.
        output: ``"logit"`` of the class; ``"margin"``: logit minus the largest of the other classes; ``"log_prob"``.
        function_to_apply: what makes probabilities of logits: ``"softmax"`` where one label is true, ``"sigmoid"``
            where each may be, ``"none"``; default: by the ``problem_type`` in the model's configuration, else softmax.
        fill: what absent parts show: ``"blur"``, the image blurred by a Gaussian whose standard deviation is a tenth of
            the shorter side; ``"mean"`` of each channel; ``"zero"``; or a tensor, an image of the same shape.
        batch_size: images per call of the model. In a run two masks are also evaluated alone, beside the budget: a
            model whose rows influence each other is refused unless this is 1.
        allow_training: explain a model in training mode (dropout, batch statistics) as it is, and give its buffers,
            such as a running mean, their values back; else it is refused.

    Attributes:
        n_players, names: the players.
        segments: the player of each pixel, int64 ``(height, width)``.
        targets, labels: the numbers and names of the explained classes, one per output.
        rounding: relative rounding of the coarsest numbers that were seen.

    Raises:
        MaskError: if segments do not cover the image, overlap, or are empty.
        ArgumentError: for any other invalid argument.

    Example:
        >>> import captum_spex
        >>> bright = lambda images: torch.stack([images.mean((1, 2, 3)), -images.mean((1, 2, 3))], dim=1)
        >>> game = ImageGame(bright, torch.ones(1, 4, 4), (2, 2), fill="zero")
        >>> captum_spex.explain(game, budget=16).first_order()
        array([0.25, 0.25, 0.25, 0.25])
    """

    batch_argument = "batch_size"

    def __init__(
        self,
        model: Callable[[Tensor], Any],
        image: Tensor,
        segments: tuple[int, int] | ArrayLike,
        *,
        target: int | str | Sequence[int | str] | Tensor | None = None,
        output: Literal["logit", "margin", "log_prob"] = "logit",
        function_to_apply: Function | None = None,
        fill: Literal["blur", "mean", "zero"] | Tensor = "blur",
        batch_size: int = 64,
        allow_training: bool = False,
    ) -> None:
        if not callable(model):
            raise ArgumentError("model", type_of(model), "a module or a function")
        self._allow_training = checks.flag("allow_training", allow_training)
        check_mode("model", model, self._allow_training)
        self.output = checks.choice("output", output, OUTPUTS)
        self._model = model
        self._image = _checked_image(image)
        self.rounding = rounding_of(model, self._image)
        height, width = self._image.shape[1:]
        self.segments, self.names = _segments(segments, (int(height), int(width)))
        self.n_players = len(self.names)
        if self.n_players < 2:
            raise ArgumentError("segments", f"{self.n_players}", "at least two segments")
        self._players = torch.from_numpy(self.segments).to(self._image.device)
        self._fill = _fill_image(fill, self._image)
        self._batch_size = checks.integer("batch_size", batch_size)
        scores = self._scores(ends(self.n_players)[:1])
        config = getattr(model, "config", None)
        self._function = function_of(function_to_apply, config, self.output, scores.shape[1])
        labels = class_labels(config, scores.shape[1])
        self.targets = (int(scores[0].argmax()),) if target is None else class_numbers(target, labels)
        self.labels = tuple(labels[number] for number in self.targets)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``, or ``(n_masks, n_outputs)`` where there are several classes."""
        masks = as_masks(masks, self.n_players)
        scores = torch.cat([self._scores(masks[rows]) for rows in self.plan_batches(masks)])
        values = class_values(scores, self.targets, self.output, self._function).numpy()
        return values[:, 0] if len(self.targets) == 1 else values

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call of the model."""
        return in_batches(len(masks), self._batch_size)

    def under(self, masks: Masks) -> Tensor:
        """Return the image under every mask, ``(n_masks, channels, height, width)``."""
        present = torch.tensor(as_masks(masks, self.n_players), device=self._image.device)
        return torch.where(present[:, self._players][:, None], self._image, self._fill)

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """The identity of this game, for a store; ``None`` if the model is not a torch module."""
        if not isinstance(self._model, nn.Module):
            return None
        parts = {
            "model": f"{type(self._model).__name__} {digest(self._model)}",
            "image": digest(list(self._image.flatten(0, 1))),  # row by row: a large tensor would only be sampled
            "segments": digest(list(self.segments)),
            "fill": digest(list(self._fill.flatten(0, 1))),
            "question": f"{self.output} of {self.targets}" + (f" by {self._function}" * (self.output == "log_prob")),
        }
        return game_identity(self, parts)

    def _scores(self, masks: Masks) -> Tensor:
        kept = buffers_kept(self._model) if self._allow_training else nullcontext()
        with kept, torch.inference_mode():
            scores = self._model(self.under(masks))
        scores = getattr(scores, "logits", scores)
        if not isinstance(scores, Tensor) or scores.shape[:1] != (len(masks),) or scores.dim() != 2:
            got = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type_of(scores)
            expected = "a model that returns scores (rows, classes)"
            raise ArgumentError("model", f"{got} for {len(masks)} images", expected)
        self.rounding = max(self.rounding, rounding_of(scores))
        return scores.cpu().double()


def _checked_image(image: Any) -> Tensor:
    if not isinstance(image, Tensor) or image.dim() != 3 or not image.is_floating_point():
        got = f"shape {tuple(image.shape)}, {image.dtype}" if isinstance(image, Tensor) else type_of(image)
        hint = "Pass `image[0]`." if isinstance(image, Tensor) and image.dim() == 4 and len(image) == 1 else ""
        raise ArgumentError("image", got, "a float tensor (channels, height, width)", hint)
    return image.detach().clone()


def _segments(segments: Any, size: tuple[int, int]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the player of every pixel, and the players' names."""
    if isinstance(segments, tuple) and len(segments) == 2 and all(map(checks.is_integer, segments)):
        return _grid((int(segments[0]), int(segments[1])), size)
    try:
        array = np.asarray(segments.cpu() if isinstance(segments, Tensor) else segments)
    except ValueError as error:
        expected = f"bool (n_players, {size[0]}, {size[1]})"
        raise MaskError("segments", "segments of different shapes", expected) from error
    if array.ndim == 3:
        array = _from_parts(array, size)
    if array.shape != size:
        raise MaskError("segments", f"shape {array.shape}", f"the image's shape {size}, or a grid (rows, columns)")
    if not np.issubdtype(array.dtype, np.integer):
        expected = "integer labels, or a bool array (n_players, height, width)"
        raise MaskError("segments", f"dtype {array.dtype}", expected)
    labels, players = np.unique(array, return_inverse=True)
    return players.reshape(size).astype(np.int64), tuple(f"segment {label}" for label in labels)


def _grid(grid: tuple[int, int], size: tuple[int, int]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    rows, columns = grid
    if not 1 <= rows <= size[0] or not 1 <= columns <= size[1]:
        raise MaskError("segments", f"a grid of {rows} x {columns}", f"1 x 1 to {size[0]} x {size[1]}, the pixels")
    row = np.arange(size[0]) * rows // size[0]
    column = np.arange(size[1]) * columns // size[1]
    names = tuple(f"row {r} column {c}" for r in range(rows) for c in range(columns))
    return row[:, None] * columns + column, names


def _from_parts(parts: NDArray[Any], size: tuple[int, int]) -> NDArray[np.int64]:
    if parts.shape[1:] != size or not np.isin(parts, (0, 1)).all():
        raise MaskError("segments", f"shape {parts.shape}, {parts.dtype}", f"bool (n_players, {size[0]}, {size[1]})")
    covered = parts.astype(np.int64).sum(axis=0)
    for wrong, word in ((covered == 0, "no segment covers"), (covered > 1, "several segments cover")):
        if wrong.any():
            place = tuple(int(index) for index in np.argwhere(wrong)[0])
            got = f"{int(wrong.sum())} pixels that {word}, the first at {place}"
            raise MaskError("segments", got, "segments that cover every pixel exactly once")
    empty = np.flatnonzero(~parts.any(axis=(1, 2)))
    if len(empty):
        raise MaskError("segments", f"segment {empty[0]} without a pixel", "segments of at least one pixel")
    return parts.argmax(axis=0)


def _fill_image(fill: Any, image: Tensor) -> Tensor:
    if isinstance(fill, Tensor):
        if fill.shape != image.shape:
            raise ArgumentError("fill", f"shape {tuple(fill.shape)}", f"the image's shape {tuple(image.shape)}")
        return fill.detach().to(image, copy=True)
    if not isinstance(fill, str) or fill not in _FILLS:
        got = repr(fill) if isinstance(fill, str) else type_of(fill)
        raise UnknownNameError("fill", got, f"{', '.join(map(repr, _FILLS))}, or an image as a tensor")
    if fill == "zero":
        return torch.zeros_like(image)
    if fill == "mean":
        return image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    sigma = _BLUR * min(image.shape[1:])
    blurred = gaussian_filter(image.cpu().double().numpy(), sigma=(0, sigma, sigma))
    return torch.from_numpy(blurred).to(image)
