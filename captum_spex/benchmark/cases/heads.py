"""Attention heads that are removed from transformers."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from captum_spex.benchmark.cases.source import CaseSource, Made, made_of
from captum_spex.benchmark.cases.texts import ENCODER, encoder
from captum_spex.games.components import ComponentGame, heads, logit_difference
from captum_spex.games.text import embedded_model

_REVIEWS = {
    "the rooms were not clean": 0,
    "a superb film": 1,
    "nobody liked the food": 0,
    "the plot never fails to amuse": 1,
}
_SENTENCES = (  # pairs with the same meaning
    *("The cat sleeps on the sofa.", "A kitten is napping on the couch."),
    *("He lost his job last week.", "Last week the company fired him."),
)


def made_of_classifier() -> Made:
    """Explain by which of its 12 heads the embedded classifier tells reviews apart."""
    model, tokenizer = embedded_model()
    inputs = dict(tokenizer(list(_REVIEWS), return_tensors="pt", padding=True))
    labels = list(_REVIEWS.values())
    value = logit_difference(labels, [1 - label for label in labels])
    game = ComponentGame(model, inputs, heads(model), value, ablation="mean", reference=inputs, batch_size=256)
    return made_of(game, game.n_players, is_enumerated=True)


def made_of_encoder() -> Made:
    """Explain by which of its 72 heads the sentence encoder recognises pairs with the same meaning."""
    model, tokenizer = encoder()
    inputs = dict(tokenizer(list(_SENTENCES), return_tensors="pt", padding=True))
    game = ComponentGame(model, inputs, heads(model), _contrast, forward=partial(_embeddings, model), batch_size=64)
    return made_of(game, game.n_players, is_enumerated=False)


def _embeddings(model: nn.Module, **inputs: Any) -> Tensor:
    """Return embeddings of sentences: the mean over their tokens, of length 1."""
    states = model(**inputs).last_hidden_state
    is_token = inputs["attention_mask"].to(states.dtype)[:, :, None]
    return nn.functional.normalize((states * is_token).sum(dim=1) / is_token.sum(dim=1), dim=1)


def _contrast(embeddings: Tensor) -> Tensor:
    """Return how much more similar sentences of a pair are than others, ``(n_masks,)``."""
    similar = (embeddings @ embeddings.mT).double()
    pair = torch.arange(len(_SENTENCES)) // 2
    same = (pair[:, None] == pair) & ~torch.eye(len(_SENTENCES), dtype=torch.bool)
    other = pair[:, None] != pair
    return similar[:, same].mean(dim=1) - similar[:, other].mean(dim=1)


_OF_CLASSIFIER = "Mean logit difference of a small transformer on four reviews; absent heads take their mean output."
_OF_ENCODER = "How much more similar all-MiniLM-L6-v2 finds pairs of one meaning than others; absent heads are zero."
SOURCES = (
    CaseSource("heads-12", "heads", 12, _OF_CLASSIFIER, made_of_classifier),
    CaseSource("heads-72", "heads", 72, _OF_ENCODER, made_of_encoder, ENCODER),
)
