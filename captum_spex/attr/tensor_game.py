"""A torch model with inputs and baselines as a game over features, in Captum's conventions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from captum_spex.arrays import scalar, type_of
from captum_spex.attr.targets import chosen, places_of, wrong_target
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError, GameError, MaskError
from captum_spex.evaluation.fingerprint import digest, digestible
from captum_spex.evaluation.torch_models import buffers_kept, logits_of, rounding_of
from captum_spex.masks import Masks

_MOST_NAMES = 1 << 14  # elements of several inputs


@dataclass
class TensorGame:
    """Masks over features in, model outputs out; every mask is applied to all examples of the batch.

    Rows reach the model in Captum's order: all examples under the first mask, then all under the second, and so on.

    Attributes:
        forward_func: the model.
        inputs: one tensor per model input, batch first.
        baselines: what a feature becomes when its player is absent, broadcastable to the inputs.
        players: for every input the player of each element, ``(1 or batch, ...)``.
        n_players: number of players over all inputs.
        target: Captum's target.
        additional_forward_args: further arguments of the model.
        multi_output: whether a model with several outputs and no target is explained output by output.
        allow_training: whether the model may be in training mode; its buffers then keep their values.
        names: names of the players, where there are several inputs.
        output_shape: shape of one example's output, known after the first call; ``()`` for a single number.
        per_batch: whether the model returns one value per batch, known after the first call.
        rounding: relative rounding of the coarsest numbers that were seen, of inputs, parameters and outputs.
    """

    forward_func: Callable[..., Any]
    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    players: tuple[Tensor, ...]
    n_players: int
    target: Any
    additional_forward_args: tuple[Any, ...] | None
    multi_output: bool
    allow_training: bool = False
    names: tuple[str, ...] | None = None
    output_shape: tuple[int, ...] = field(default=(), init=False)
    per_batch: bool = field(default=False, init=False)
    rounding: float = field(init=False)
    batch_argument: ClassVar[str] = "perturbations_per_eval"

    def __post_init__(self) -> None:
        self.rounding = rounding_of(self.forward_func, *self.inputs)
        self._places = places_of(self.target, self.n_examples)

    @property
    def n_examples(self) -> int:
        """Batch size of the inputs."""
        return len(self.inputs[0])

    @property
    def output_layout(self) -> str:
        """The shape of the outputs, known after the first call, as text for a store."""
        return json.dumps([self.per_batch, self.output_shape])

    @output_layout.setter
    def output_layout(self, known: str) -> None:
        self.per_batch, shape = json.loads(known)
        self.output_shape = tuple(shape)

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """What identifies this game; ``None`` unless the model is a torch module or a method of one."""
        from captum_spex import __version__

        model = getattr(self.forward_func, "__self__", self.forward_func)
        method = getattr(self.forward_func, "__name__", "")
        arguments = self.additional_forward_args or ()
        try:
            return {
                "captum_spex": __version__,
                "model": f"{type(model).__qualname__} {method} {digest(*identity_of(model, arguments))}",
                "inputs": digest(self.inputs),
                "baselines": digest(self.baselines),
                "feature_mask": digest(self.players),
                "target": repr(self.target) if not isinstance(self.target, Tensor) else digest(self.target),
                "additional_forward_args": digest(*map(content_of, arguments)),
            }
        except (TypeError, RuntimeError):  # also tensors that cannot be read, such as sparse ones
            return None

    def __call__(self, masks: Masks) -> Tensor:
        """Return the outputs under every mask, float64 on the CPU, ``(n_masks, examples * outputs)``."""
        n_masks = len(masks)
        with torch.no_grad(), buffers_kept(self.forward_func) if self.allow_training else nullcontext():
            output = captum.run_forward(
                self.forward_func,
                self._perturbed(masks),
                None,
                captum.expand_additional_forward_args(self.additional_forward_args, n_masks),
            )
        output = _as_tensor(logits_of(output))
        self.rounding = max(self.rounding, rounding_of(output))
        explained = chosen(output, self.target, self._places)
        self._set_layout(explained, n_masks)
        if self.output_shape and not self.multi_output:
            raise wrong_target(self.target, output)
        return explained.to("cpu", torch.float64).reshape(n_masks, -1)

    def _perturbed(self, masks: Masks) -> tuple[Tensor, ...]:
        present = torch.from_numpy(masks)
        perturbed = []
        for original, baseline, players in zip(self.inputs, self.baselines, self.players, strict=True):
            own = present.to(original.device)[:, players]  # (n_masks, 1 or examples, ...)
            rows = torch.where(own, original, baseline)
            perturbed.append(rows.reshape(len(masks) * len(original), *original.shape[1:]))
        return tuple(perturbed)

    def _set_layout(self, output: Tensor, n_masks: int) -> None:
        n_rows = n_masks * self.n_examples
        if output.dim() and len(output) == n_rows:
            self.per_batch = False
        elif output.numel() == 1 or (output.dim() and len(output) == 1):
            if n_masks > 1:
                raise ArgumentError(
                    "perturbations_per_eval",
                    f"{n_masks} masks in a call for which the model returned a single value",
                    "1 for a model that returns one value per batch",
                )
            self.per_batch = True
        else:
            raise GameError(
                f"`forward_func`: returned shape {tuple(output.shape)} for {n_rows} rows; "
                "its first dimension must be the number of rows, or it must return one value per batch."
            )
        n_outputs = output.numel() // (1 if self.per_batch else n_rows)
        self.output_shape = () if n_outputs == 1 else tuple(output.shape[1:])


def players_of(feature_mask: Any, inputs: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Check a feature mask and number its groups 0, 1, ... in the order of their ids.

    Returns:
        For every input a tensor ``(1 or batch, ...)`` of players on the input's device, and the id of each player.
    """
    given = feature_mask if isinstance(feature_mask, tuple) else (feature_mask,)
    if feature_mask is not None and not all(isinstance(mask, Tensor) for mask in given):
        raise MaskError("feature_mask", type_of(given[0]), "a tensor of integer ids, or a tuple of them")
    masks = captum.format_feature_mask(feature_mask, inputs)
    if len(masks) != len(inputs):
        raise MaskError("feature_mask", str(len(masks)), f"one tensor for each of the {len(inputs)} inputs")
    for position, (mask, tensor) in enumerate(zip(masks, inputs, strict=True)):
        name = f"feature_mask[{position}]" if len(inputs) > 1 else "feature_mask"
        if mask.is_floating_point() or mask.is_complex() or mask.dtype == torch.bool:
            raise MaskError(name, f"dtype {mask.dtype}", "a tensor of integer group ids")
        if not _broadcasts(mask, tensor):
            expected = f"{(1, *tensor.shape[1:])} or {tuple(tensor.shape)}, or a shape that broadcasts to it"
            raise MaskError(name, f"shape {tuple(mask.shape)}", expected)
    if feature_mask is None:  # ids are consecutive already
        own = tuple(mask.to(tensor.device) for mask, tensor in zip(masks, inputs, strict=True))
        return own, torch.arange(sum(mask.numel() for mask in masks))
    device = inputs[0].device
    ids, numbered = torch.unique(torch.cat([mask.to(device).reshape(-1) for mask in masks]), return_inverse=True)
    pieces = torch.split(numbered, [mask.numel() for mask in masks])
    players = []
    for piece, mask, tensor in zip(pieces, masks, inputs, strict=True):
        shaped = piece.reshape(mask.shape).to(tensor.device)
        per_example = shaped.dim() == tensor.dim() and len(shaped) == len(tensor)
        players.append(shaped.expand(tensor.shape if per_example else (1, *tensor.shape[1:])))
    return tuple(players), ids


def names_of(players: tuple[Tensor, ...], ids: Tensor | None, noun: str = "input") -> tuple[str, ...] | None:
    """Return names of the players of several inputs that say which input, ``None`` for those of one.

    Args:
        players: see `players_of`.
        ids: the ids of groups; ``None`` if every element is a player.
        noun: what an input is called.

    Example:
        >>> names_of((torch.tensor([[0, 1]]), torch.tensor([[[2]]])), None)
        ('input 0[0]', 'input 0[1]', 'input 1[0, 0]')
    """
    filled = [number for number, own in enumerate(players) if own.numel()]
    if len(filled) < 2 or sum(players[number][0].numel() for number in filled) > _MOST_NAMES:
        return None
    if ids is None:
        places = [(number, place) for number in filled for place in np.ndindex(players[number].shape[1:])]
        return tuple(f"{noun} {number}{list(place) or ''}" for number, place in places)
    inputs_of: list[list[int]] = [[] for _ in ids]
    for number in filled:
        for player in torch.unique(players[number]).tolist():
            inputs_of[player].append(number)
    words = [" and ".join(f"{noun} {number}" for number in own) for own in inputs_of]
    return tuple(f"group {group} of {own}" for group, own in zip(ids.tolist(), words, strict=True))


def baselines_of(baselines: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Check baselines and return one tensor per input, of its dtype and device, broadcastable to it."""
    if baselines is None:
        given = captum.format_baseline(None, inputs)
    else:
        several = baselines if isinstance(baselines, tuple) else (baselines,)
        given = tuple(one if isinstance(one, Tensor) else scalar(one) for one in several)
    if len(given) != len(inputs):
        raise ArgumentError("baselines", str(len(given)), f"one baseline for each of the {len(inputs)} inputs")
    for baseline, tensor in zip(given, inputs, strict=True):
        if not isinstance(baseline, Tensor | int | float):
            raise ArgumentError("baselines", type_of(baseline), "a tensor or a number for each input")
        if isinstance(baseline, Tensor) and not _broadcasts(baseline, tensor):
            expected = f"a shape that broadcasts to the input's {tuple(tensor.shape)}"
            raise ArgumentError("baselines", f"shape {tuple(baseline.shape)}", expected)
    return tuple(_baseline_of(tensor, baseline) for baseline, tensor in zip(given, inputs, strict=True))


def _baseline_of(tensor: Tensor, given: Tensor | float) -> Tensor:
    """Return a baseline in its input's dtype, unless that is an integer type that would change it."""
    if isinstance(given, float) and tensor.is_floating_point():  # not rounded to the default dtype first
        return torch.as_tensor(given, dtype=tensor.dtype, device=tensor.device)
    baseline = torch.as_tensor(given, device=tensor.device)
    cast = baseline.to(tensor.dtype)
    is_lossless = tensor.is_floating_point() or torch.equal(cast.to(baseline.dtype), baseline)
    # A number takes part in type promotion only if it has a dimension: uint8 and -1 then become int64.
    return cast if is_lossless else baseline.reshape(baseline.shape or (1,))


def _as_tensor(output: Any) -> Tensor:
    """Return a model's output as a tensor of real numbers."""
    try:
        tensor = torch.as_tensor(output).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise GameError(f"`forward_func`: returned {type_of(output)}; it must return a tensor or a number.") from error
    if tensor.is_complex():
        raise GameError(f"`forward_func`: returned dtype {tensor.dtype}; outputs must be real.")
    return tensor


def _broadcasts(tensor: Tensor, to: Tensor) -> bool:
    try:
        return bool(torch.broadcast_shapes(tensor.shape, to.shape) == to.shape)  # type: ignore[no-untyped-call]
    except RuntimeError:
        return False


def identity_of(model: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what identifies a model; of Captum's wrapper of a language model, that model and what is made of it."""
    if not isinstance(model, captum.BaseLLMAttribution):
        return (model,)
    texts = [argument.values for argument in arguments if isinstance(argument, captum.InterpretableInput)]
    tokens = [list(model.tokenizer.encode(str(text))) for values in texts for text in values]
    return getattr(model, "model", model), getattr(model, "attr_target", None), tokens


def content_of(argument: Any) -> Any:
    """Return what an argument of a model says; of Captum's interpretable inputs, what the model gets of them."""
    if not isinstance(argument, captum.InterpretableInput):
        return argument
    present = argument.to_tensor()
    ends = [argument.to_model_input(present), argument.to_model_input(0 * present)]
    return type(argument).__qualname__, ends, {key: digestible(value) for key, value in vars(argument).items()}
