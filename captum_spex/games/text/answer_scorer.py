"""The log-probabilities of an answer after rows of tokens, computed as cheaply as is exact."""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex.compat.transformers import cache_argument, cache_of
from captum_spex.games.text.token_rows import Rows

_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}
_HALF_TOLERANCE = 3e-2  # of models that compute in 16 bits
_MEMORY_ENDS = ("out of memory", "can't allocate memory", "not enough memory")
_OF_ITS_OWN = (TypeError, ValueError, AttributeError, IndexError, NotImplementedError)


class AnswerScorer:
    """Asks a causal language model how probable it finds the answer with which all rows end.

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
        """Whether the model can be told positions, and to compute the last logits only."""
        return self._accepted.issuperset(("position_ids", "logits_to_keep"))

    @property
    def caches(self) -> bool:
        """Whether the model can be told what it computed for tokens before."""
        return self._cache_argument is not None

    def plain(self, rows: Rows, *, tell_positions: bool = False) -> Tensor:
        """Return the log-probabilities, float32 ``(n_rows, n_tokens)``; rows begin together.

        Args:
            rows: tokens, aligned to the left.
            tell_positions: whether the model is told positions; else it counts for itself.
        """
        tensors = self._tensors(rows)
        if tell_positions and "position_ids" in self._accepted:
            tensors["position_ids"] = self._tensor(rows.positions)
        logits: Tensor = self._forward(**tensors).logits
        ends = self._tensor(rows.positions.max(axis=1) + 1 if tell_positions else rows.attention.sum(axis=1))
        places = ends[:, None] + torch.arange(-len(self._answer) - 1, -1, device=self.device)
        return self.of_answer(logits[torch.arange(len(logits), device=self.device)[:, None], places])

    def aligned(self, rows: Rows, cache: Any = None, n_cached: int = 0) -> Tensor:
        """Return the same; rows end together, so that the last logits suffice.

        Args:
            rows: tokens, aligned to the right.
            cache: keys and values of tokens before all rows, from `encoded`.
            n_cached: the number of those.
        """
        seen = np.pad(rows.attention, ((0, 0), (n_cached, 0)), constant_values=1)
        tensors = self._tensors(Rows(rows.ids, seen, rows.positions, None))
        if cache is not None:
            own = copy.deepcopy(cache)  # a model adds to what it is given
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
        """Return the keys and values of tokens that stand before all rows."""
        return cache_of(self._model(input_ids=self._tensor(ids[None]), use_cache=True))

    def agrees(self, values: Any, wanted: Tensor) -> bool:
        """Return whether a way of asking, a function, works with this model and gives the wanted values."""
        try:
            given = values()
        except _OF_ITS_OWN:  # a model with a cache, or a signature, of its own
            return False
        except RuntimeError as error:
            if not is_memory_end(error):
                raise
            return False
        tolerance = _TOLERANCE.get(next(self._model.parameters()).dtype, _HALF_TOLERANCE)
        return bool(torch.allclose(given, wanted, atol=tolerance, rtol=tolerance))

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
    """Return where a model is."""
    return torch.device(getattr(model, "device", None) or next(model.parameters()).device)


def is_memory_end(error: RuntimeError) -> bool:
    """Return whether an error says that the memory does not suffice."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(words in str(error) for words in _MEMORY_ENDS)


def filler(model: nn.Module) -> int:
    """Return the token that fills rows up: the model's own, by which some find the last word."""
    token = getattr(getattr(model, "config", None), "pad_token_id", None)
    return 0 if token is None else int(token)
