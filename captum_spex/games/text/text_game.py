"""Base of all games over a text: settings, masks to rows of tokens, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest, game_identity
from captum_spex.evaluation.torch_models import check_mode
from captum_spex.games.text.ablation import checked_ablation, template_of
from captum_spex.games.text.answer_scorer import check_loaded
from captum_spex.games.text.length_limit import check_length
from captum_spex.games.text.prompts import Prompt
from captum_spex.games.text.token_batches import BatchedGame
from captum_spex.games.text.tokens import Rows, tokens_of
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks

_IGNORED_SETTINGS = (  # of a model's configuration, as saving and loading change them
    "transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype", "label2id",
)  # fmt: skip


@dataclass(frozen=True)
class TextSettings:
    """The arguments that all games over a text have in common; see `ClassificationGame`."""

    unit: str | Sequence[Span]
    ablation: str | None
    replacement: str | None
    tokens_per_batch: int | None
    compile: bool


class TextGame(BatchedGame):
    """Base of the games whose players are parts of a text.

    Attributes:
        text: the text to explain.
        n_players, names, spans: its players: their number, as text, and as (first character, one after the last).
        ablation: what replaces absent players.
        fingerprint: the identity of this game, for a store.
        n_unknown: how many players hold words, or parts of words, that the tokenizer does not know.
        device, tokens_per_batch: the device of the model, and how many tokens it receives at once.
        output: which number of the model's output is the value.
    """

    output: str

    def __init__(self, model: nn.Module, tokenizer: Any, prompt: Prompt, settings: TextSettings) -> None:
        tokens = tokens_of(tokenizer, prompt, settings.unit)
        self.text = prompt.text
        self.n_players = tokens.n_players
        self.names = tokens.names
        self.spans = tokens.spans
        self.n_unknown = tokens.n_unknown
        super().__init__(model, settings.tokens_per_batch)
        self._prompt = prompt
        self.ablation = checked_ablation(tokenizer, settings.ablation, settings.replacement)
        self._template = template_of(tokenizer, tokens, self.ablation, settings.replacement)
        check_length(model, tokenizer, tokens, self._template)
        self._model = model
        self._forward: Any = torch.compile(model, dynamic=True) if settings.compile else model
        self._accepted = frozenset(signature(model.forward).parameters)

    @property
    def fingerprint(self) -> dict[str, str]:
        """The identity of this game: the model's weights, the text, the ablation and the output."""
        template, prompt = self._template, self._prompt
        tokens = (template.ids, template.types, template.players, template.if_absent, template.hides)
        parts = {
            "model": f"{type(self._model).__name__} {digest(self._model, configuration_of(self._model))}",
            "text": prompt.text,
            "around it": "\n".join([prompt.before, prompt.after, prompt.second or ""]),
            "ablation": self.ablation,
            "tokens": digest(*tokens),
            **self._question(),
        }
        return game_identity(self, parts)

    def _question(self) -> Mapping[str, str]:
        """Return what is read from the model's output, for the fingerprint."""
        raise NotImplementedError

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        return self._template.lengths(masks)

    def _tensors(self, rows: Rows) -> dict[str, Tensor]:
        """Return the model's arguments: tokens, attention mask and, if the model takes them, token types."""
        tensors = {"input_ids": self._tensor(rows.ids), "attention_mask": self._tensor(rows.attention)}
        if rows.types is not None and "token_type_ids" in self._accepted:
            tensors["token_type_ids"] = self._tensor(rows.types)
        return tensors


def unknown_in_words(game: TextGame, unit: str | Sequence[Span]) -> str:
    """Return how many players the tokenizer does not know, in words."""
    kind = f"{unit}s" if isinstance(unit, str) else "spans"
    knows = "are" if kind in ("words", "tokens") else "hold words that are"
    return (
        f"{game.n_unknown} of {game.n_players} {kind} {knows} unknown to this model: it reads the same token for each."
    )


def checked_model(model: Any, tokenizer: Any) -> None:
    """Check a model and its tokenizer."""
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", type_of(model), "a torch module of transformers")
    if not callable(tokenizer):
        raise ArgumentError("tokenizer", type_of(tokenizer), "the model's tokenizer")
    if model.training:
        hint = "Call `model.eval()`: in training mode its outputs are random."
        raise ArgumentError("model", "one in training mode", "a model in evaluation mode", hint)
    check_mode("model", model)  # a part of it
    check_loaded("model", model)


def configuration_of(model: nn.Module) -> list[str]:
    """Return a model's configuration: its weights do not show all of it (the number of heads, rotations, ...)."""
    known: Mapping[str, Any] = getattr(getattr(model, "config", None), "to_dict", dict)()
    return sorted(f"{key}={value!r}" for key, value in known.items() if key not in _IGNORED_SETTINGS)
