"""What all games over a text share: masks to rows, batches of equal work, memory, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.text.ablation import checked_ablation, template_of
from captum_spex.games.text.length_limit import check_length
from captum_spex.games.text.prompt import Prompt
from captum_spex.games.text.token_batches import BatchedGame
from captum_spex.games.text.token_rows import Rows
from captum_spex.games.text.tokens import tokens_of
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks

_NO_SETTINGS = (  # what saving and loading change
    "transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype", "label2id",
)  # fmt: skip


class TextGame(BatchedGame):
    """Base of the games whose players are parts of a text: masks in, what the model says about the rest out.

    Attributes:
        text: the text to explain.
        n_players, names, spans: its players: how many, as text, and as (first character, one after the last).
        ablation: what stands in place of absent players.
        fingerprint: what tells this game from others, for a store.
        device, tokens_per_batch: where the model is, and how much it receives at once.
        output: which number of the model's answer is the value.
    """

    output: str

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        prompt: Prompt,
        *,
        unit: str | Sequence[Span],
        ablation: str | None,
        replacement: str | None,
        tokens_per_batch: int | None,
        compile: bool,  # noqa: A002  # torch's own word
    ) -> None:
        tokens = tokens_of(tokenizer, prompt, unit)
        self.text = prompt.text
        self.n_players = tokens.n_players
        self.names = tokens.names
        self.spans = tokens.spans
        super().__init__(model, tokens_per_batch)
        self._prompt = prompt
        self.ablation = checked_ablation(tokenizer, ablation, replacement)
        self._template = template_of(tokenizer, tokens, self.ablation, replacement)
        check_length(model, tokenizer, tokens, self._template)
        self._model = model
        self._forward: Any = torch.compile(model, dynamic=True) if compile else model
        self._accepted = frozenset(signature(model.forward).parameters)

    @property
    def fingerprint(self) -> dict[str, str]:
        """What tells this game from others; the model's weights, the text, what is asked and what is removed how."""
        from captum_spex import __version__

        template, prompt = self._template, self._prompt
        parts = (template.ids, template.types, template.players, template.of_absent, template.hides)
        return {
            "captum_spex": __version__,
            "game": type(self).__name__,
            "model": f"{type(self._model).__name__} {digest(self._model, _configuration(self._model))}",
            "text": prompt.text,
            "around it": "\n".join([prompt.before, prompt.after, prompt.second or ""]),
            "ablation": self.ablation,
            "tokens": digest(*parts),
            **self._question(),
        }

    def _question(self) -> Mapping[str, str]:
        """What is asked of the model, for the fingerprint."""
        raise NotImplementedError

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        """Return the number of tokens that the model reads for every mask."""
        return self._template.lengths(masks)

    def _tensors(self, rows: Rows) -> dict[str, Tensor]:
        """Return what every model takes: tokens, attention mask and, where the model knows them, token types."""
        tensors = {"input_ids": self._tensor(rows.ids), "attention_mask": self._tensor(rows.attention)}
        if rows.types is not None and "token_type_ids" in self._accepted:
            tensors["token_type_ids"] = self._tensor(rows.types)
        return tensors


def checked_model(model: Any, tokenizer: Any) -> None:
    """Check that a model and its tokenizer can be asked."""
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", f"a {type(model).__name__}", "a torch module of the library transformers")
    if not callable(tokenizer):
        raise ArgumentError("tokenizer", f"a {type(tokenizer).__name__}", "the model's tokenizer")
    if model.training:
        hint = "Call `model.eval()`: in training mode its answers are random."
        raise ArgumentError("model", "a model in training mode", "a model in evaluation mode", hint)


def _configuration(model: nn.Module) -> list[str]:
    """What a model was built with: not all of it shows in its weights (the number of heads, rotations, ...)."""
    known: Mapping[str, Any] = getattr(getattr(model, "config", None), "to_dict", dict)()
    return sorted(f"{key}={value!r}" for key, value in known.items() if key not in _NO_SETTINGS)
