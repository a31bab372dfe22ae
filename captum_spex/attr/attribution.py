"""What all Captum adapters share: arguments, checks, the run, and the shapes of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captum_spex import checks
from captum_spex.approximators import Approximator
from captum_spex.attr.tensor_game import TensorGame, baselines_of, players_of
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError, in_words
from captum_spex.explaining import StoreArgument, default_budget, explain
from captum_spex.interactions import Interactions

_CAPTUMS_WORDS = {"budget": "n_samples", "index": "interaction_index", "names": "feature_names"}


class SpexAttribution(captum.ShapleyValueSampling):  # type: ignore[misc]
    """Base of the adapters. A subclass of ``ShapleyValueSampling``, so that ``LLMAttribution`` takes it as one."""

    def __init__(self, forward_func: Callable[..., Any], approximator: Approximator) -> None:
        captum.PerturbationAttribution.__init__(self, forward_func)
        self.approximator = approximator

    def default_n_samples(self, n_players: int) -> int:
        """Return the number of evaluations that is used when none is given."""
        return default_budget(n_players)

    def _approximator_on(self, device: torch.device) -> Approximator:
        """Return the algorithm, set to compute where the inputs are if it can."""
        return self.approximator

    def attribute_future(self) -> None:
        """Asynchronous attribution is not offered."""
        raise NotImplementedError(f"attribute_future is not implemented for {self.get_name()}")

    def _attribute(
        self,
        inputs: Any,
        baselines: Any,
        target: Any,
        additional_forward_args: Any,
        feature_mask: Any,
        n_samples: int | None,
        perturbations_per_eval: int,
        return_input_shape: bool,
        show_progress: bool,
        return_interactions: bool,
        interaction_index: str,
        max_order: int,
        random_state: RandomState,
        multi_output: bool | None,
        feature_names: Sequence[str] | None,
        store: StoreArgument,
    ) -> Any:
        game = self._game(inputs, baselines, target, additional_forward_args, feature_mask, multi_output)
        budget = self.default_n_samples(game.n_players) if n_samples is None else checks.budget("n_samples", n_samples)
        results = explain_in_captums_words(
            game,
            game.n_players,
            budget=budget,
            index=interaction_index,
            max_order=min(max_order, game.n_players) if max_order == 2 else max_order,
            approximator=self._approximator_on(game.inputs[0].device),
            random_state=random_state,
            batch_size=checks.integer("perturbations_per_eval", perturbations_per_eval),
            show_progress=show_progress,
            names=feature_names,
            store=store,
        )
        flat = results if isinstance(results, list) else [results]
        attributions = _attributions(flat, game, return_input_shape, captum.is_tuple(inputs))
        return (attributions, _nested(flat, game)) if return_interactions else attributions

    def _game(
        self,
        inputs: Any,
        baselines: Any,
        target: Any,
        additional_forward_args: Any,
        feature_mask: Any,
        multi_output: bool | None,
    ) -> TensorGame:
        tensors = checked_inputs(inputs)
        players, n_players = players_of(feature_mask, tensors)
        if multi_output is None:  # Captum's own wrapper of language models returns one output per token
            multi_output = isinstance(getattr(self.forward_func, "__self__", None), captum.BaseLLMAttribution)
        return TensorGame(
            forward_func=self.forward_func,
            inputs=tensors,
            baselines=baselines_of(baselines, tensors),
            players=players,
            n_players=n_players,
            target=target,
            additional_forward_args=captum.format_additional_forward_args(additional_forward_args),
            multi_output=multi_output,
        )


def explain_in_captums_words(*arguments: Any, **keywords: Any) -> Interactions | list[Interactions]:
    """Call `explain`; errors name the arguments as they are called here."""
    with in_words(_CAPTUMS_WORDS):
        return explain(*arguments, **keywords)


def checked_inputs(inputs: Any) -> tuple[Tensor, ...]:
    """Return the inputs as a tuple of tensors with as many examples each."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    if not given or not all(isinstance(tensor, Tensor) for tensor in given):
        came = f"a {type(inputs).__name__}" if given else "an empty tuple"
        raise ArgumentError("inputs", came, "a tensor or a tuple of tensors")
    tensors = tuple(tensor.detach() for tensor in captum.format_tensor_into_tuples(inputs))
    for tensor in tensors:
        if tensor.dim() == 0 or tensor.numel() == 0:
            raise ArgumentError("inputs", f"shape {tuple(tensor.shape)}", "at least one example with one feature")
        if len(tensor) != len(tensors[0]):
            raise ArgumentError("inputs", f"{len(tensor)} and {len(tensors[0])} examples", "the same number in each")
    return tensors


def _attributions(results: list[Interactions], game: TensorGame, input_shape: bool, as_tuple: bool) -> Any:
    """Arrange the Shapley values: ``(examples, *outputs, *features)`` or ``(examples, *outputs, n_players)``."""
    values = np.stack([shapley_values(result) for result in results])
    leading = (1 if game.per_batch else game.n_examples, *game.output_shape)
    coefficients = torch.from_numpy(values).reshape(*leading, game.n_players)
    if not input_shape:
        return coefficients.to(game.inputs[0].device, _dtype(game.inputs[0]))
    spread = tuple(
        _over_features(coefficients.to(_dtype(tensor)).to(tensor.device), players, len(game.output_shape))
        for tensor, players in zip(game.inputs, game.players, strict=True)
    )
    return captum.format_output(as_tuple, spread)


def _over_features(coefficients: Tensor, players: Tensor, n_output_dims: int) -> Tensor:
    """Give every element of an input the value of its player."""
    if len(players) == 1:
        return coefficients[..., players[0]]
    if len(coefficients) == 1:  # one value for the whole batch: every example's groups share it
        return coefficients[0][..., players].movedim(n_output_dims, 0)
    return torch.stack([coefficients[example][..., groups] for example, groups in enumerate(players)])


def shapley_values(result: Interactions) -> np.ndarray:
    """Return one Shapley value per player, ``(n_players,)``."""
    return (result if result.index in ("SV", "SII") else result.to("SV", max_order=1)).first_order()


def _dtype(tensor: Tensor) -> torch.dtype:
    return tensor.dtype if tensor.is_floating_point() else torch.get_default_dtype()


def _nested(results: list[Interactions], game: TensorGame) -> Any:
    """One result; or a list over outputs, or over examples, or over examples of lists over outputs."""
    n_examples = 1 if game.per_batch else game.n_examples
    n_outputs = len(results) // n_examples
    rows: list[Any] = [results[start : start + n_outputs] for start in range(0, len(results), n_outputs)]
    if not game.output_shape:
        rows = [row[0] for row in rows]
    return rows[0] if n_examples == 1 else rows
