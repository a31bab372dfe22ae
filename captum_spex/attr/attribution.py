"""What the Captum adapters share: the arguments of `attribute`, the run, and the shapes of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from captum_spex.approximators import Approximator
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.attr.request import Request, TensorRequest
from captum_spex.attr.tensor_game import TensorGame
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.explaining import StoreArgument, default_budget
from captum_spex.exports.many_rows import Outputs
from captum_spex.exports.shap.additive_values import shapley_values
from captum_spex.interactions import Interactions


class SpexAttribution(captum.ShapleyValueSampling):  # type: ignore[misc]
    """Base of the adapters. A subclass of ``ShapleyValueSampling``, so that ``LLMAttribution`` accepts it as one."""

    default_approximator: ClassVar[type[Approximator]]

    def __init__(self, forward_func: Callable[..., Any], approximator: Approximator | None = None) -> None:
        captum.PerturbationAttribution.__init__(self, forward_func)
        self.approximator = self.default_approximator() if approximator is None else approximator

    def default_n_samples(self, n_players: int) -> int:
        """Return the number of evaluations that is used when none is given, unless all take no longer."""
        return default_budget(n_players)

    @captum.log_usage(part_of_slo=True)  # type: ignore[untyped-decorator]
    def attribute(
        self,
        inputs: Any,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = None,
        feature_mask: Any = None,
        n_samples: int | None = None,
        perturbations_per_eval: int = 1,
        return_input_shape: bool = True,
        show_progress: bool = False,
        *,
        return_interactions: bool = False,
        interaction_index: str = "SII",
        max_order: int | None = None,
        random_state: RandomState = None,
        multi_output: bool | None = None,
        feature_names: Sequence[str] | None = None,
        store: StoreArgument = None,
        allow_training: bool = False,
    ) -> Any:
        """Attribute the output to features, and on request to groups of features.

        Returns ``attributions``, with ``return_interactions=True`` the pair ``(attributions, interactions)``. Of one
        example and one output, ``interactions`` is one `captum_spex.Interactions`; of several examples a list of one
        for each, of several outputs (``multi_output=True``) a list of one for each, of both a list over examples of
        lists over outputs. A model that returns one value for a whole batch has one example.

        The positional arguments are those of ``captum.attr.KernelShap.attribute``, in the same order.

        Args:
            inputs: a tensor or tuple of tensors, examples first. All examples of a batch are evaluated under the same
                masks and explained one by one.
            baselines: what an absent feature becomes: a number or a tensor that broadcasts to the input, one for each
                input. Default: 0
            target: which output to explain, as in Captum. Default: None
            additional_forward_args: further arguments of ``forward_func``, as in Captum. Default: None
            feature_mask: integer group ids, one tensor per input, ``(1, ...)`` or one row per example; player ``k`` is
                the group with the ``k``-th smallest id. Default: every element its own group.
            n_samples: evaluations, that is rows of the model per example, at least 2; from ``2**n_players`` on the
                result is exact. Default: ``max(512, 4 n log2(n))`` for n players, at most ``2**n``; all of up to 16
                players where that takes no longer.
            perturbations_per_eval: masks per call of the model. Where it is larger than 1, two masks are also
                evaluated alone, beside ``n_samples``: a model whose rows influence each other is refused. Default: 1
            return_input_shape: return attributions in the shape of the inputs, else one number per player.
                Default: True
            show_progress: show a progress bar, which begins with the name of the class. Default: False
            return_interactions: also return the interactions. Default: False
            interaction_index: index of the interactions, see `captum_spex.indices.NAMES`; attributions are always
                Shapley values. Default: "SII"
            max_order: largest order of an interaction. Default: 2, or 1 for a single player.
            random_state: seed of the masks. Default: None
            multi_output: explain every output of a model with several (no target). Default: only inside
                ``LLMAttribution``.
            feature_names: names of the players, for the interactions. Default: None, numbers; for several inputs such
                as ``"input 0[2]"``, or ``"group 3 of input 0 and input 1"``.
            store: a file in which every evaluated batch is kept, so that a stopped run resumes where it stopped: a
                path, if ``forward_func`` is a torch module or a method of one, else a `captum_spex.evaluation.Store`
                with a fingerprint. Default: None
            allow_training: explain a model in training mode (dropout, batch statistics) as it is, and give its buffers,
                such as a running mean, their values back; else it is refused. Default: False

        Returns:
            *Tensor* or *tuple[Tensor, ...]* of **attributions** in the shape of the inputs (outputs, if several, after
            the examples; one example if the model returns one value for a whole batch), with the dtype of floating
            inputs and their device; they sum to ``f(inputs) - f(baselines)``. With ``return_input_shape=False`` a
            tensor ``(examples, n_players)``. With ``return_interactions=True`` a pair of those and the interactions.

        Raises:
            ArgumentError: an argument that cannot be used (a ``ValueError``), before the model is called; a missing
                ``target``, when the first batch shows several outputs; ``perturbations_per_eval`` larger than 1, when
                the first batch shows that rows influence each other.
            GameError: if the model returns the wrong number of rows, NaN or infinity.
        """
        return self._answer(
            TensorRequest(
                inputs=inputs,
                baselines=baselines,
                target=target,
                additional_forward_args=additional_forward_args,
                feature_mask=feature_mask,
                n_samples=n_samples,
                perturbations_per_eval=perturbations_per_eval,
                return_input_shape=return_input_shape,
                show_progress=show_progress,
                return_interactions=return_interactions,
                interaction_index=interaction_index,
                max_order=max_order,
                random_state=random_state,
                multi_output=multi_output,
                feature_names=feature_names,
                store=store,
                allow_training=allow_training,
            )
        )

    def attribute_future(self) -> None:
        """Asynchronous attribution is not offered."""
        raise NotImplementedError(f"attribute_future is not implemented for {self.get_name()}")

    def _answer(self, request: TensorRequest) -> Any:
        game = request.game(self.forward_func)
        results = self._explain(game, request, game.inputs[0].device)
        attributions = _attributions(results, game, request)
        return (attributions, _nested(results, game)) if request.return_interactions else attributions

    def _explain(self, game: Any, request: Request, device: torch.device) -> list[Interactions]:
        """Explain a game whose inputs are on a device; the Gaussian process is fitted there if it is a GPU."""
        approximator = self.approximator
        if isinstance(approximator, ProxySpexApproximator):
            on_gpu = device.type == "cuda" and approximator.device is None
            approximator = replace(approximator, device=device if on_gpu else approximator.device, model_device=device)
        request = replace(request, title=request.title or f"{self.get_name()} attribution")
        return request.explained(game, approximator, self.default_n_samples(game.n_players))


def _attributions(results: list[Interactions], game: TensorGame, request: TensorRequest) -> Any:
    """Arrange the Shapley values: ``(examples, *outputs, *features)`` or ``(examples, *outputs, n_players)``."""
    values = np.stack([shapley_values(result) for result in results])
    leading = (1 if game.per_batch else game.n_examples, *game.output_shape)
    coefficients = torch.from_numpy(values).reshape(*leading, game.n_players)
    if not request.return_input_shape:
        return coefficients.to(game.inputs[0].device, _dtype(game.inputs[0]))
    spread = tuple(
        _over_features(coefficients.to(_dtype(tensor)).to(tensor.device), players, len(game.output_shape))
        for tensor, players in zip(game.inputs, game.players, strict=True)
    )
    return captum.format_output(captum.is_tuple(request.inputs), spread)


def _over_features(coefficients: Tensor, players: Tensor, n_output_dims: int) -> Tensor:
    """Give every element of an input the value of its player."""
    if len(players) == 1:
        return coefficients[..., players[0]]
    if len(coefficients) == 1:  # one value for the complete batch: every example's groups share it
        return coefficients[0][..., players].movedim(n_output_dims, 0)
    return torch.stack([coefficients[example][..., groups] for example, groups in enumerate(players)])


def _dtype(tensor: Tensor) -> torch.dtype:
    return tensor.dtype if tensor.is_floating_point() else torch.get_default_dtype()


def _nested(results: list[Interactions], game: TensorGame) -> Any:
    """One result; or a list over outputs, or over examples, or over examples of lists over outputs."""
    n_examples = 1 if game.per_batch else game.n_examples
    n_outputs = len(results) // n_examples
    rows: list[Any] = [Outputs(results[start : start + n_outputs]) for start in range(0, len(results), n_outputs)]
    if not game.output_shape:
        rows = [row[0] for row in rows]
    return rows[0] if n_examples == 1 else rows
