"""Requests: the arguments of one call of `attribute`, in Captum's words, checked once and passed on as one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from captum_spex import checks
from captum_spex.approximators import Approximator
from captum_spex.arrays import scalar, type_of
from captum_spex.attr.tensor_game import TensorGame, baselines_of, names_of, players_of
from captum_spex.budgets import DefaultBudget
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError, in_words
from captum_spex.evaluation.torch_models import check_mode
from captum_spex.explaining import StoreArgument, explain
from captum_spex.interactions import Interactions

_CAPTUMS_WORDS = {"budget": "n_samples", "index": "interaction_index", "names": "feature_names"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """What is asked about a game; ``None`` means the default of the method, or of the game.

    Raises:
        ArgumentError: an argument that no game could be explained with.
    """

    n_samples: int | None = None
    interaction_index: str = "SII"
    max_order: int | None = None
    random_state: RandomState = None
    perturbations_per_eval: int | None = None
    show_progress: bool = False
    feature_names: Sequence[str] | None = None
    store: StoreArgument = None
    title: str = ""  # of the progress bar

    def __post_init__(self) -> None:
        size, budget = self.perturbations_per_eval, self.n_samples
        self._set(
            n_samples=None if budget is None else checks.budget("n_samples", budget),
            max_order=scalar(self.max_order),  # its bounds follow from the players
            perturbations_per_eval=None if size is None else checks.integer("perturbations_per_eval", size),
            show_progress=checks.flag("show_progress", self.show_progress),
        )

    def explained(self, game: Any, approximator: Approximator | None, default_budget: int) -> list[Interactions]:
        """Explain a game with ``n_players``, and return one result for each output.

        Without ``n_samples``, ``default_budget`` masks are evaluated, or all where that takes no longer.
        """
        with in_words(_CAPTUMS_WORDS):
            found = explain(
                game,
                budget=DefaultBudget(default_budget) if self.n_samples is None else self.n_samples,
                index=self.interaction_index,
                max_order=self.max_order,
                approximator=approximator,
                random_state=self.random_state,
                batch_size=self.perturbations_per_eval,
                show_progress=(self.title or True) if self.show_progress else False,
                names=self.feature_names,
                store=self.store,
            )
        return found if isinstance(found, list) else [found]

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False, kw_only=True)
class TensorRequest(Request):
    """What is asked about a model of tensors, and in which form it is returned: see `SpexAttribution.attribute`."""

    inputs: Any
    baselines: Any = None
    target: Any = None
    additional_forward_args: Any = None
    feature_mask: Any = None
    return_input_shape: bool = True
    return_interactions: bool = False
    multi_output: bool | None = None
    allow_training: bool = False
    noun: str = "input"  # in names of players

    def __post_init__(self) -> None:
        super().__post_init__()
        several = self.multi_output
        self._set(
            return_input_shape=checks.flag("return_input_shape", self.return_input_shape),
            return_interactions=checks.flag("return_interactions", self.return_interactions),
            multi_output=None if several is None else checks.flag("multi_output", several),
            allow_training=checks.flag("allow_training", self.allow_training),
        )

    def game(self, forward_func: Any) -> TensorGame:
        """Return the game over the features of the inputs.

        Raises:
            ArgumentError: a model in training mode; inputs, baselines or a mask that cannot be used.
        """
        check_mode("forward_func", forward_func, self.allow_training)
        tensors = checked_inputs(self.inputs)
        players, ids = players_of(self.feature_mask, tensors)
        several = self.multi_output
        if several is None:  # Captum's own wrapper of language models returns one output per token
            several = isinstance(getattr(forward_func, "__self__", None), captum.BaseLLMAttribution)
        return TensorGame(
            forward_func=forward_func,
            inputs=tensors,
            baselines=baselines_of(self.baselines, tensors),
            players=players,
            n_players=len(ids),
            names=names_of(players, None if self.feature_mask is None else ids, self.noun),
            target=self.target,
            additional_forward_args=captum.format_additional_forward_args(self.additional_forward_args),
            multi_output=several,
            allow_training=self.allow_training,
        )


def checked_inputs(inputs: Any) -> tuple[Tensor, ...]:
    """Return the inputs as a tuple of tensors with the same number of examples each."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    if not given or not all(isinstance(tensor, Tensor) for tensor in given):
        got = type_of(inputs) if given else "an empty tuple"
        raise ArgumentError("inputs", got, "a tensor or a tuple of tensors")
    tensors = tuple(tensor.detach() for tensor in captum.format_tensor_into_tuples(inputs))
    has_features = any(tensor.numel() for tensor in tensors)  # one may be empty beside others, as in Captum
    for tensor in tensors:
        if tensor.dim() == 0 or not has_features or not len(tensor):
            raise ArgumentError("inputs", f"shape {tuple(tensor.shape)}", "at least one example with one feature")
        if len(tensor) != len(tensors[0]):
            got = f"{len(tensors[0])} and {len(tensor)}"
            raise ArgumentError("inputs", got, "the same number of examples in each tensor")
    return tensors
