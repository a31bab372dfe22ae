"""Attention heads that are cut out of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from captum_spex.benchmark.cases._served import enumerated, remembered
from captum_spex.benchmark.cases._source import CaseSource, Made
from captum_spex.benchmark.cases._texts import ENCODER, encoder
from captum_spex.games.components import ComponentGame, heads, logit_difference
from captum_spex.games.text import embedded_model

_REVIEWS = {
    "the rooms were not clean": 0,
    "a superb film": 1,
    "nobody liked the food": 0,
    "the plot never fails to amuse": 1,
}
_PAIRS = (  # that mean the same
    ("The cat sleeps on the sofa.", "A kitten is napping on the couch."),
    ("He lost his job last week.", "Last week the company fired him."),
)


def made_of_classifier() -> Made:
    """Explain by which of its 12 heads the embedded classifier tells reviews apart."""
    model, tokenizer = embedded_model()
    inputs = dict(tokenizer(list(_REVIEWS), return_tensors="pt", padding=True))
    labels = list(_REVIEWS.values())
    value = logit_difference(labels, [1 - label for label in labels])
    game = ComponentGame(model, inputs, heads(model), value, ablation="mean", reference=inputs, batch_size=256)
    return enumerated(game, game.n_players)


def made_of_encoder() -> Made:
    """Explain by which of its 72 heads the sentence encoder tells pairs that mean the same."""
    model, tokenizer = encoder()
    sentences = [sentence for pair in _PAIRS for sentence in pair]
    inputs = dict(tokenizer(sentences, return_tensors="pt", padding=True))
    forward = partial(_embeddings, model)
    game = ComponentGame(model, inputs, heads(model), _contrast, forward=forward, batch_size=64)
    return remembered(game, game.n_players)


def _embeddings(model: nn.Module, **inputs: Any) -> Tensor:
    """Return embeddings of sentences: the mean over their tokens, of length 1."""
    return _mean_over(model(**inputs).last_hidden_state, inputs)


def _mean_over(states: Tensor, inputs: Mapping[str, Any]) -> Tensor:
    seen = inputs["attention_mask"].to(states.dtype)[:, :, None]
    return nn.functional.normalize((states * seen).sum(dim=1) / seen.sum(dim=1), dim=1)


def _contrast(embeddings: Tensor) -> Tensor:
    """Return how much more similar sentences of a pair are than others, ``(n_masks,)``."""
    similar = (embeddings @ embeddings.mT).double()
    n_sentences = similar.shape[1]
    pair = torch.arange(n_sentences) // 2
    same = (pair[:, None] == pair) & ~torch.eye(n_sentences, dtype=torch.bool)
    other = pair[:, None] != pair
    return similar[:, same].mean(dim=1) - similar[:, other].mean(dim=1)


SOURCES: tuple[CaseSource, ...] = (
    CaseSource(
        "heads-12",
        "heads",
        12,
        "Mean logit difference of a small transformer on four reviews; absent heads take their mean output.",
        made_of_classifier,
    ),
    CaseSource(
        "heads-72",
        "heads",
        72,
        "How much more similar all-MiniLM-L6-v2 finds two pairs of sentences that mean the same than others; absent "
        "heads are set to zero.",
        made_of_encoder,
        ENCODER,
    ),
)
