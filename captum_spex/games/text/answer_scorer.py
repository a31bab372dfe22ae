"""The log-probabilities of an answer after rows of tokens, in the cheapest exact way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex.compat.transformers import cache_argument, cache_of
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import hooks_of
from captum_spex.games.text.tokens import Rows

_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}  # rounding errors of two ways to call a model
_HALF_TOLERANCE = 3e-2  # the same in 16 bits
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # in messages of torch
_UNSUPPORTED = (TypeError, ValueError, AttributeError, IndexError, NotImplementedError)


class AnswerScorer:
    """Computes the log-probabilities, by a causal language model, of an answer with which all rows end.

    Args:
        model: the model.
        answer: the answer's tokens.
        forward: how to call the model, for instance compiled.
    """

    def __init__(self, model: nn.Module, answer: NDArray[np.int64], forward: Any = None) -> None:
        self.device = device_of(model)
        self._model: Any = model
        self._forward: Any = model if forward is None else forward
        self._answer = torch.tensor(answer).to(self.device)
        self._accepted = frozenset(signature(model.forward).parameters)
        self._cache_argument = cache_argument(model)

    @property
    def aligns(self) -> bool:
        """Whether the model takes positions, and can compute only the last logits."""
        return self._accepted.issuperset(("position_ids", "logits_to_keep"))

    @property
    def caches(self) -> bool:
        """Whether the model takes the keys and values of earlier tokens."""
        return self._cache_argument is not None

    def left_aligned(self, rows: Rows, *, with_positions: bool = False) -> Tensor:
        """Return the log-probabilities, float32 ``(n_rows, n_tokens)``, from all logits.

        Args:
            rows: tokens, aligned to the left.
            with_positions: whether the model is given positions; else it counts by itself.
        """
        tensors = self._tensors(rows)
        if with_positions and "position_ids" in self._accepted:
            tensors["position_ids"] = self._tensor(rows.positions)
        logits: Tensor = self._forward(**tensors).logits
        ends = self._tensor(rows.positions.max(axis=1) + 1 if with_positions else rows.attention.sum(axis=1))
        places = ends[:, None] + torch.arange(-len(self._answer) - 1, -1, device=self.device)
        return self.of_answer(logits[torch.arange(len(logits), device=self.device)[:, None], places])

    def right_aligned(self, rows: Rows, cache: Any = None, n_cached: int = 0) -> Tensor:
        """Return the same from the last logits only.

        Args:
            rows: tokens, aligned to the right.
            cache: keys and values of tokens before all rows, from `encoded`.
            n_cached: the number of those.
        """
        attention = np.pad(rows.attention, ((0, 0), (n_cached, 0)), constant_values=1)
        tensors = self._tensors(Rows(rows.ids, attention, rows.positions, None))
        if cache is not None:
            own = copy.deepcopy(cache)  # a model appends to the cache that it receives
            own.batch_repeat_interleave(len(rows.ids))
            tensors[str(self._cache_argument)] = own
        n_answer = len(self._answer)
        logits: Tensor = self._forward(
            **tensors,
            position_ids=self._tensor(rows.positions + n_cached),
            logits_to_keep=n_answer + 1,
            use_cache=cache is not None,
        ).logits
        return self.of_answer(logits[:, -n_answer - 1 : -1])

    def encoded(self, ids: NDArray[np.int64]) -> Any:
        """Return the keys and values of tokens that precede all rows."""
        return cache_of(self._model(input_ids=self._tensor(ids[None]), use_cache=True))

    def agrees(self, compute: Callable[[], Tensor], expected: Tensor) -> bool:
        """Return whether a way to compute the values works with this model and gives the expected ones."""
        try:
            values = compute()
        except _UNSUPPORTED:  # a model whose cache or signature differs from those of transformers
            return False
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        tolerance = _TOLERANCE.get(next(self._model.parameters()).dtype, _HALF_TOLERANCE)
        return bool(torch.allclose(values, expected, atol=tolerance, rtol=tolerance))

    def of_answer(self, logits: Tensor) -> Tensor:
        """Return the log-probabilities of the answer's tokens from the logits that predict them."""
        logits = logits if logits.dtype == torch.float64 else logits.float()
        answer = self._answer.expand(len(logits), -1)
        return logits.gather(2, answer[:, :, None])[:, :, 0] - logits.logsumexp(dim=2)

    def _tensors(self, rows: Rows) -> dict[str, Tensor]:
        return {"input_ids": self._tensor(rows.ids), "attention_mask": self._tensor(rows.attention)}

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.tensor(array).to(self.device)


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model; of an offloaded one that on which it computes."""
    device = torch.device(getattr(model, "device", None) or next(model.parameters()).device)
    if device.type != "meta":
        return device
    hooks = [hook for module in model.modules() for hook in hooks_of(module)]
    devices = [getattr(hook, "execution_device", None) for hook in hooks]
    return next((torch.device(one) for one in devices if one is not None), device)


def check_loaded(argument: str, model: nn.Module) -> None:
    """Refuse a model with parameters on the meta device that nothing loads when they are needed."""
    for name, module in model.named_modules():
        on_meta = [key for key, parameter in module.named_parameters(recurse=False) if parameter.is_meta]
        if on_meta and all(getattr(hook, "weights_map", None) is None for hook in hooks_of(module)):
            got = f"one with `{f'{name}.{on_meta[0]}'.lstrip('.')}` on the meta device"
            hint = "Load its weights, for instance by `from_pretrained`, which may offload them by accelerate."
            raise ArgumentError(argument, got, "a model whose numbers are loaded", hint)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error says that memory ran out."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


def padding_token(model: nn.Module) -> int:
    """Return the token to pad rows with: the model's own, by which some models find the last token."""
    token = getattr(getattr(model, "config", None), "pad_token_id", None)
    return 0 if token is None else int(token)
