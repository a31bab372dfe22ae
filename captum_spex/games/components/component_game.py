"""A torch model as a game over its components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest, game_identity
from captum_spex.evaluation.torch_models import check_mode, rounding_of
from captum_spex.games.components.component import Component, checked_components, checked_module
from captum_spex.games.components.coverage import check_layers
from captum_spex.games.components.hooks import Batch, Site, hooks, recording, sites_of
from captum_spex.games.components.model_inputs import ModelInputs
from captum_spex.games.components.reference import activations, mean_activations
from captum_spex.games.components.value_functions import Scored
from captum_spex.masks import Masks, as_masks, in_batches

_ABLATIONS = ("zero", "mean", "mean by position", "resample")


class ComponentGame:
    """The scores of a model with parts ablated: heads, MLP blocks, neurons, layers, any modules.

    Every row of a batch has its own mask, so 64 masks of one example cost one batch of 64. The model itself is not
    changed: hooks exist during a call only.

    Args:
        model: the model, in evaluation mode; also a ``TransformerBridge`` of TransformerLens, or a model of nnsight.
        inputs: its arguments: a tensor, a tuple of arguments, or a mapping of keyword arguments, with one or several
            examples along the first dimension.
        components: the players, as `heads`, `mlps`, `layers`, `neurons` and `modules` return them; their lists can be
            concatenated.
        value: function of the scores of all examples under several masks, a tensor ``(n_masks, n_examples, ...)``,
            which returns ``(n_masks,)`` or ``(n_masks, n_outputs)``; `accuracy`, `loss`, `log_prob` and
            `logit_difference` make such functions. Default: the mean over the examples, one output per score.
        ablation: the activation of an absent component: ``"zero"``; ``"mean"``, over the examples and positions of the
            reference; ``"mean by position"``, over its examples; ``"resample"``, that of the reference, which is one
            example, or one for each of ``inputs``.
        reference: inputs of the model in the same form, for every ablation but ``"zero"``.
        rescale: multiply the present components by the number of all components over the number of present ones.
        forward: function that takes the arguments ``inputs`` and returns scores with examples first, for instance those
            at the last position; default: the model; from its result the tensor, ``logits`` or the first item is taken.
        batch_size: rows per call. In a run two masks are also evaluated alone, beside the budget: a model whose rows
            influence each other is refused unless this is 1.

    Attributes:
        n_players, names: the components.
        components: the components.
        rounding: relative rounding of the model's numbers.

    Raises:
        UnknownNameError: for modules that the model does not have; the nearest names are listed.
        ArgumentError: for any other invalid argument, for instance a component that ``forward`` does not reach: the
            model is tried on one row and on two; or, with components that `heads`, `mlps` or `layers` found, a layer
            that is not skipped when all its known parts are off: one more row, two where norms follow the parts.
        GameError: if ``forward``, ``value`` or a module returns something of the wrong shape.

    Example:
        >>> import captum_spex
        >>> from captum_spex.games.components import modules
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Identity()).eval()
        >>> game = ComponentGame(model, torch.ones(1, 2), modules(model, "*"), value=lambda scores: scores[:, 0, 0])
        >>> bool(captum_spex.explain(game, budget=4).baseline == 0)
        True

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, section 5.2 (heads, zeroed and rescaled); Wang et al.,
        "Interpretability in the wild", ICLR 2023 (means and resampling).
    """

    batch_argument = "batch_size"

    def __init__(
        self,
        model: nn.Module,
        inputs: Any,
        components: Iterable[Component],
        value: Callable[[Tensor], Any] | None = None,
        *,
        ablation: Literal["zero", "mean", "mean by position", "resample"] = "zero",
        reference: Any = None,
        rescale: bool = False,
        forward: Callable[..., Any] | None = None,
        batch_size: int = 64,
    ) -> None:
        model = checked_module(model)
        self.components = checked_components(model, components)
        self.names = tuple(component.name for component in self.components)
        self.n_players = len(self.components)
        self._model = model
        self.rounding = rounding_of(model)
        self._sites = sites_of(model, self.components)
        self._inputs = ModelInputs.of(inputs, "inputs")
        self._ablation = checks.choice("ablation", ablation, _ABLATIONS)
        self._reference = _checked_reference(ablation, reference, self._inputs.n_examples)
        self._value = _checked_value(value, self._inputs.n_examples)
        self._rescale = checks.flag("rescale", rescale)
        if forward is not None and not callable(forward):
            raise ArgumentError("forward", type_of(forward), "a function of the inputs")
        self._forward: Callable[..., Any] = model if forward is None else forward
        self._has_forward = forward is not None
        self._batch_size = checks.integer("batch_size", batch_size)
        in_training = [name for name, part in model.named_modules() if part.training]
        if in_training:
            got = f"{in_training[0]!r} in training mode" if in_training[0] else "one in training mode"
            raise ArgumentError("model", got, "a model in evaluation mode", "Call `model.eval()`.")
        check_mode("model", (model, forward))  # also what functions of it call
        self._device = next((one.device for one in (*model.parameters(), *model.buffers())), torch.device("cpu"))
        self._check_sites()
        if any(component.is_found for component in self.components):
            check_layers(model, lambda: self._probe(slice(0, 1), 1, []))
        self._replacements = self._activations_of_absent()

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)`` or ``(n_masks, n_outputs)``."""
        masks = as_masks(masks, self.n_players)
        if not len(masks):
            return np.zeros(0)
        return np.concatenate([self._values(masks[rows]) for rows in self.plan_batches(masks)])

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call of the model: as many masks as fit into a batch with all examples."""
        return in_batches(len(masks), max(1, self._batch_size // self._inputs.n_examples))

    def forward(self, mask: Tensor) -> Tensor:
        """Return the values of masks given as a tensor of numbers (above 0.5: present), for Captum's methods.

        Example:
            >>> from captum.attr import ShapleyValues
            >>> from captum_spex.games.components import modules
            >>> model = nn.Sequential(nn.Identity(), nn.Linear(2, 1, bias=False)).eval()
            >>> game = ComponentGame(model, torch.ones(1, 2), modules(model, "*"), value=lambda scores: scores[:, 0, 0])
            >>> shares = ShapleyValues(game.forward).attribute(torch.ones(1, 2))
            >>> bool(torch.isclose(shares.sum(), model(torch.ones(1, 2))[0, 0]))
            True
        """
        return torch.from_numpy(self((mask > 0.5).cpu().numpy())).to(mask.device)

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """The identity of this game, for a store; ``None`` if a part of it has none.

        Functions given as ``value`` or ``forward`` have none, nor have arguments of the model besides tensors, numbers
        and texts.
        """
        value = getattr(self._value, "fingerprint", None)
        if value is None or self._has_forward:
            return None
        try:
            inputs = digest((list(self._inputs.positional), dict(self._inputs.named)))
        except TypeError:
            return None
        parts = {
            "model": f"{type(self._model).__name__} {digest(self._model)}",
            "inputs": inputs,
            "components": digest([[component.name, repr(component.places)] for component in self.components]),
            "ablation": f"{self._ablation}{', rescaled' if self._rescale else ''} {digest(self._replacements)}",
            "value": value,
        }
        return game_identity(self, parts)

    def _check_sites(self) -> None:
        """Call the model on one row and on two: every site must be reached, by tensors with rows first."""
        one, _ = self._probe(slice(0, 1), 1)
        examples = slice(0, min(2, self._inputs.n_examples))
        two, scores = self._probe(examples, 2 // examples.stop)
        if len(scores) != 2:
            got = f"shape {tuple(scores.shape)} for 2 examples"
            raise ArgumentError("forward", got, "a function that returns scores with examples first")
        for site in self._not_called(two):
            hint = "Its parts may be fused or compiled; use a module around it."
            got = f"{site.name!r}, which the model does not call"
            raise ArgumentError("components", got, "modules that the model calls", hint)
        for number in two:
            self._sites[number].check(two[number], one.get(number))
        self._sites = [self._sites[number] for number in sorted(two)]

    def _not_called(self, reached: Mapping[int, Tensor]) -> list[Site]:
        """Return sites that are not reached, but parts of whole layers (the cross-attention of a decoder alone)."""
        called = {(self._sites[number].name, self._sites[number].side) for number in reached}
        excused = {
            (place.module, place.side)
            for component in self.components
            if component.is_found and any((place.module, place.side) in called for place in component.places)
            for place in component.places
        }
        return [site for site in self._sites if (site.name, site.side) not in called | excused]

    def _probe(
        self, examples: slice, n_masks: int, sites: list[Site] | None = None
    ) -> tuple[dict[int, Tensor], Tensor]:
        """Return the first activation at every site that is reached, and the scores, without ablation."""
        reached: dict[int, Tensor] = {}
        with torch.no_grad(), recording(self._sites if sites is None else sites, reached.setdefault):
            scores = _scores(self._inputs.call(self._forward, n_masks, examples))
        return reached, scores

    def _activations_of_absent(self) -> list[list[Tensor]] | None:
        """Return what absent components get at every site, for each of its calls; ``None``: zero."""
        if self._reference is None:
            return None
        if self._ablation == "resample":
            return activations(self._sites, self._forward, self._reference, self._batch_size)
        by_position = self._ablation == "mean by position"
        return mean_activations(self._sites, self._forward, self._reference, self._batch_size, by_position=by_position)

    def _values(self, masks: Masks) -> Floats:
        # One more column, always present: the owner of the channels that belong to no component.
        present = torch.from_numpy(np.pad(masks, ((0, 0), (0, 1)), constant_values=True)).to(self._device)
        scale = None
        if self._rescale:
            scale = torch.from_numpy(self.n_players / np.maximum(masks.sum(axis=1), 1))
        scores = [self._scores(Batch(present, examples, scale)) for examples in self._inputs.blocks(self._batch_size)]
        values = checks.returned_numbers("value", self._value(torch.cat(scores, dim=1)))
        if values.ndim not in (1, 2) or len(values) != len(masks):
            expected = f"({len(masks)},) or ({len(masks)}, n_outputs) for {len(masks)} masks"
            raise GameError(f"`value`: expected it to return shape {expected}, got {values.shape}.")
        return values

    def _scores(self, batch: Batch) -> Tensor:
        """Return the scores ``(n_masks, n_examples, ...)`` of a batch."""

        def ablated(number: int, tensor: Tensor) -> Tensor:
            replacements = None if self._replacements is None else self._replacements[number]
            return batch.ablate(number, self._sites[number], tensor, replacements)

        n_masks = len(batch.present)
        with torch.no_grad(), hooks(self._sites, ablated):
            scores = _scores(self._inputs.call(self._forward, n_masks, batch.examples))
        n_rows = n_masks * (batch.examples.stop - batch.examples.start)
        if len(scores) != n_rows:
            raise GameError(f"`forward`: expected it to return {n_rows} rows, got shape {tuple(scores.shape)}.")
        return scores.reshape(n_masks, -1, *scores.shape[1:])


def _checked_reference(ablation: str, reference: Any, n_examples: int) -> ModelInputs | None:
    if ablation == "zero":
        if reference is not None:
            hint = f"Or choose one of the ablations {', '.join(map(repr, _ABLATIONS[1:]))}."
            raise ArgumentError("reference", type_of(reference), "None for the ablation 'zero'", hint)
        return None
    if reference is None:
        raise ArgumentError("reference", "None", f"inputs of the model, for the ablation {ablation!r}")
    inputs = ModelInputs.of(reference, "reference")
    if ablation == "resample" and inputs.n_examples not in (1, n_examples):
        expected = "one example" if n_examples == 1 else f"one example, or {n_examples}, one for each of `inputs`"
        raise ArgumentError("reference", f"{inputs.n_examples} examples", expected)
    return inputs


def _checked_value(value: Any, n_examples: int) -> Callable[[Tensor], Any]:
    if isinstance(value, Scored) and len(value.labels) != n_examples:
        expected = f"{n_examples} labels, one for each example of `inputs`"
        raise ArgumentError("labels", f"{len(value.labels)}", expected)
    if value is not None and not callable(value):
        raise ArgumentError("value", type_of(value), "a function of the scores, such as `accuracy(labels)`")
    return _mean if value is None else value


def _mean(scores: Tensor) -> Tensor:
    """Return the mean over the examples, one output per score."""
    means = scores.double().mean(dim=1).reshape(len(scores), -1)
    return means[:, 0] if means.shape[1] == 1 else means


_mean.fingerprint = "mean"  # type: ignore[attr-defined]


def _scores(output: Any) -> Tensor:
    """Return the tensor in the output of a model."""
    for name in ("logits", "last_hidden_state"):
        output = getattr(output, name, output)
    if isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor) or not output.dim():
        raise ArgumentError("forward", type_of(output), "a function that returns a tensor, examples first")
    return output
