"""Base of games that send rows of tokens to a model in batches of similar size."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.evaluation.torch_models import rounding_of
from captum_spex.games.text.answer_scorer import device_of, is_out_of_memory
from captum_spex.masks import Masks

_TOKENS_PER_BATCH = {"cpu": 2048, "elsewhere": 65536}  # by device type


class BatchedGame:
    """Base of the games whose rows differ in length.

    Attributes:
        device: the device of the model.
        tokens_per_batch: the most tokens, padding included, that the model receives at once. It is halved when memory
            runs out.
        batch_argument, rounding, keeps_budget: see `captum_spex.game.GameHooks`; a model that reads its padding is
            found so.
    """

    batch_argument: str | None = "tokens_per_batch"
    keeps_budget = True

    def __init__(self, model: nn.Module, tokens_per_batch: int | None) -> None:
        self.device = device_of(model)
        default = _TOKENS_PER_BATCH.get(self.device.type, _TOKENS_PER_BATCH["elsewhere"])
        given = default if tokens_per_batch is None else tokens_per_batch
        self.tokens_per_batch = checks.integer("tokens_per_batch", given)
        self.rounding = rounding_of(model)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``, or ``(n_masks, n_outputs)`` where there are several outputs."""
        masks = np.asarray(masks, dtype=np.bool_)
        with torch.inference_mode():
            values = self._within_memory(masks).to("cpu", torch.float64).numpy()
        return values[:, 0] if values.shape[1] == 1 else values

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call of the model, the longest first, as many as `tokens_per_batch` allows."""
        lengths = self._lengths(masks)
        order = np.argsort(-lengths, kind="stable")
        batches, start = [], 0
        while start < len(order):
            size = max(1, self.tokens_per_batch // int(max(1, lengths[order[start]])))
            batches.append(order[start : start + size])
            start += size
        return batches

    def _values(self, masks: Masks) -> Tensor:
        """Return the values of one call of the model, ``(n_masks, n_outputs)``."""
        raise NotImplementedError

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        """Return the number of tokens that the model reads for every mask."""
        raise NotImplementedError

    def _within_memory(self, masks: Masks) -> Tensor:
        """Return the values, in several calls if needed, and in smaller ones when memory runs out."""
        batches = self.plan_batches(masks)
        if len(batches) == 1:
            try:
                return self._values(masks)
            except RuntimeError as error:
                if len(masks) == 1 or not is_out_of_memory(error):
                    raise
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.tokens_per_batch = max(1, len(masks) // 2 * int(self._lengths(masks).max()))
            batches = self.plan_batches(masks)
        values = torch.cat([self._within_memory(masks[rows]) for rows in batches])  # by length, back into order below
        return values[torch.from_numpy(np.argsort(np.concatenate(batches))).to(values.device)]

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.tensor(array).to(self.device)
