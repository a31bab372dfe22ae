"""The log-probabilities of an answer under masks, in the cheapest way to call a model that does not change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from captum_spex.errors import ArgumentError
from captum_spex.games.text.answer_scorer import AnswerScorer, padding_token
from captum_spex.games.text.tokens import Align, Rows
from captum_spex.masks import Masks

RowsOf = Callable[[Masks, int, Align], Rows]
"""From masks to rows of tokens that end with the answer: without so many first tokens, aligned to one side."""

_CACHED_PER_TOKEN = 4  # cached tokens that count as one: they take memory, but no time


@dataclass(frozen=True)
class Mode:
    """How the model is called.

    Attributes:
        aligned: whether rows end together, so that logits are computed for the answer only.
        n_cached: how many fixed tokens at the beginning are encoded once, for all rows.
    """

    aligned: bool
    n_cached: int


class AnswerModes:
    """The log-probabilities of an answer: rows aligned, and first tokens encoded once, where that changes no value.

    Args:
        scorer: computes them of rows.
        rows_of: makes the rows.
        extremes: the masks of the longest and of the shortest row, on which the modes are compared.
        first: the tokens with which every row begins, int64 ``(n_first,)``, which may be encoded once.
        hides: whether positions are given, as some tokens of the rows are hidden.

    Attributes:
        mode: the one that is used.
    """

    def __init__(
        self,
        scorer: AnswerScorer,
        rows_of: RowsOf,
        extremes: Masks,
        first: NDArray[np.int64],
        *,
        hides: bool = False,
    ) -> None:
        self._scorer, self._rows_of = scorer, rows_of
        self._first, self._hides = first, hides
        self._cache: Any = None  # keys and values of the first tokens
        self.mode = self._cheapest_exact(extremes)

    def log_probs(self, masks: Masks, *, may_cache: bool = True) -> Tensor:
        """Return the log-probability of each token of the answer, float32 ``(n_masks, n_tokens)``."""
        return self._log_probs(masks, self.mode if may_cache else Mode(self.mode.aligned, 0))

    def cost(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many tokens rows of these lengths count for: cached ones need no time, but memory."""
        n_cached = self.mode.n_cached
        return lengths - n_cached + n_cached // _CACHED_PER_TOKEN

    def _log_probs(self, masks: Masks, mode: Mode) -> Tensor:
        if not mode.aligned:
            return self._scorer.left_aligned(self._rows_of(masks, 0, "left"), with_positions=self._hides)
        rows = self._rows_of(masks, mode.n_cached, "right")
        return self._scorer.right_aligned(rows, self._encoded(mode.n_cached), mode.n_cached)

    def _encoded(self, n_tokens: int) -> Any:
        """Return the keys and values of the first tokens, computed once."""
        if n_tokens and self._cache is None:
            self._cache = self._scorer.encoded(self._first[:n_tokens])
        return self._cache if n_tokens else None

    def _cheapest_exact(self, extremes: Masks) -> Mode:
        """Return the cheapest mode that does not change the values."""
        plain = Mode(aligned=False, n_cached=0)
        if not self._scorer.aligns:
            return plain
        may_cache = self._scorer.caches and len(self._first) > 0
        modes = [Mode(True, len(self._first))] if may_cache else []
        with torch.inference_mode():
            # One row at a time: padding is what a mode may get wrong.
            expected = torch.cat([self._log_probs(extremes[:1], plain), self._log_probs(extremes[1:], plain)])
            for mode in [*modes, Mode(aligned=True, n_cached=0)]:
                if self._scorer.agrees(partial(self._log_probs, extremes, mode), expected):
                    return mode
        return plain


def generated_ids(model: Any, tensors: dict[str, Tensor], max_new_tokens: int) -> NDArray[np.int64]:
    """Return the tokens that a model generates after one row, the most probable ones, without the end of texts.

    Raises:
        ArgumentError: if it generates none.
    """
    with torch.inference_mode():
        row = model.generate(
            **tensors,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=padding_token(model),
        )
    new = row[0, tensors["input_ids"].shape[1] :].cpu().numpy().astype(np.int64)
    end_tokens = np.atleast_1d(np.asarray(model.generation_config.eos_token_id, dtype=object)).tolist()
    while len(new) and new[-1] in end_tokens:
        new = new[:-1]
    if not len(new):
        raise ArgumentError("answer", "None, and the model generates no answer", "the answer to explain")
    return new
