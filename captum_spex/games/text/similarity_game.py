"""The similarity of a text to a query, as a game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.text.ablation import Ablation
from captum_spex.games.text.answer_scorer import padding_token
from captum_spex.games.text.length_limit import token_limit
from captum_spex.games.text.prompts import Prompt, encoded, prompt_of
from captum_spex.games.text.text_game import TextGame, TextSettings, checked_model
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks

_OUTPUTS = ("cosine", "dot")
_POOLINGS = ("mean", "first", "last")


class SimilarityGame(TextGame):
    """The similarity of a text to a query, by an encoder, when parts of the text are removed.

    Args:
        model: a transformers encoder in evaluation mode, on any device and in any precision.
        tokenizer: its fast tokenizer.
        text: the text to explain.
        query: the text to compare with, or its embedding ``(n_features,)``; never removed.
        output: ``"cosine"`` or ``"dot"`` product of the embeddings.
        pooling: how the last hidden states become an embedding: their ``"mean"`` over the tokens in the attention mask,
            the ``"first"`` or the ``"last"`` of them.
        unit, ablation, replacement, prefix, suffix, special_tokens, tokens_per_batch, compile: see
            `ClassificationGame`. The query has its special tokens by the same choice.

    Raises:
        ArgumentError: for an invalid argument, for instance a text that is longer than the model reads.
        GameError: if the model returns no hidden states.

    Example:
        >>> from captum_spex.games.text import SimilarityGame, embedded_model
        >>> classifier, tokenizer = embedded_model()
        >>> game = SimilarityGame(classifier.base_model, tokenizer, "a good film", "a good film", ablation="delete")
        >>> import numpy as np
        >>> game(np.array([[True, True, True]])).round(4)
        array([1.])
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        text: str,
        query: str | Tensor,
        *,
        output: Literal["cosine", "dot"] = "cosine",
        pooling: Literal["mean", "first", "last"] = "mean",
        unit: str | Sequence[Span] = "word",
        ablation: Ablation | None = None,
        replacement: str | None = None,
        prefix: str = "",
        suffix: str = "",
        special_tokens: bool | None = None,
        tokens_per_batch: int | None = None,
        compile: bool = False,  # noqa: A002  # torch's own word
    ) -> None:
        checked_model(model, tokenizer)
        self.output = checks.choice("output", output, _OUTPUTS)
        self._pooling = checks.choice("pooling", pooling, _POOLINGS)
        prompt = prompt_of(tokenizer, text, prefix=prefix, suffix=suffix, special_tokens=special_tokens)
        settings = TextSettings(unit, ablation, replacement, tokens_per_batch, compile)
        super().__init__(model, tokenizer, prompt, settings)
        self._query = self._query_embedding(query, tokenizer, special_tokens)

    def _question(self) -> Mapping[str, str]:
        return {"query": digest(self._query), "output": self.output, "pooling": self._pooling}

    def _query_embedding(self, query: str | Tensor, tokenizer: Any, special_tokens: bool | None) -> Tensor:
        if isinstance(query, Tensor):
            embedding = self._checked_embedding(query)
        elif isinstance(query, str) and query.strip():
            ids = encoded(tokenizer, Prompt("", query, "", special_tokens=special_tokens)).ids
            n_tokens, limit = len(ids), token_limit(self._model, tokenizer)
            if limit is not None and n_tokens > limit:
                raise ArgumentError("query", f"{n_tokens} tokens", f"at most {limit} tokens, the limit of the model")
            tokens = torch.tensor([ids], device=self.device)
            with torch.inference_mode():
                embedding = self._embeddings({"input_ids": tokens, "attention_mask": torch.ones_like(tokens)})[0]
        else:
            raise ArgumentError("query", repr(query), "a text, or an embedding (n_features,)")
        return nn.functional.normalize(embedding, dim=0) if self.output == "cosine" else embedding

    def _checked_embedding(self, query: Tensor) -> Tensor:
        width = getattr(getattr(self._model, "config", None), "hidden_size", None)
        if query.dim() != 1 or (width is not None and len(query) != width):
            expected = f"a text, or an embedding ({'n_features' if width is None else width},)"
            raise ArgumentError("query", f"shape {tuple(query.shape)}", expected)
        return query.detach().float().to(self.device)

    def _embeddings(self, tensors: dict[str, Tensor]) -> Tensor:
        states = getattr(self._forward(**tensors), "last_hidden_state", None)
        if states is None:
            hint = "Load it by `AutoModel.from_pretrained(...)`, or use `model.base_model` of a model with a head."
            raise GameError(
                f"`model`: expected it to return `last_hidden_state`, got {type_of(self._model)} without. {hint}"
            )
        attention = tensors["attention_mask"].to(states.dtype)
        if self._pooling == "mean":
            return ((states * attention[:, :, None]).sum(dim=1) / attention.sum(dim=1, keepdim=True)).float()
        places = torch.arange(attention.shape[1], device=attention.device) * (attention > 0)
        chosen = places.argmax(dim=1) if self._pooling == "last" else (attention > 0).int().argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), chosen].float()

    def _values(self, masks: Masks) -> Tensor:
        embeddings = self._embeddings(self._tensors(self._template.rows(masks, fill=padding_token(self._model))))
        if self.output == "cosine":
            embeddings = nn.functional.normalize(embeddings, dim=1)
        return (embeddings @ self._query)[:, None]
