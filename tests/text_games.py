"""Games over texts, their settings, and what their tests share."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import sii
from text_models import (
    Asked,
    bert_classifier,
    byte_tokenizer,
    causal_model,
    gpt2_classifier,
    llama_classifier,
    roberta_classifier,
    roberta_tokenizer,
    slow_answer,
    slow_logits,
    word_tokenizer,
)

from captum_spex.games.text import AnswerGame, ClassificationGame
from captum_spex.games.text.units import spans_of

TEXT = "Her acting  never fails to impress"
GAPS = [(0, 3), (4, 10), (18, 20), (23, 27)]
EXACT = {"atol": 1e-4, "rtol": 0.0}
SETTINGS = {
    "mask": {"ablation": "mask"},
    "pad": {"ablation": "pad"},
    "unk": {"ablation": "unk"},
    "string": {"ablation": "string", "replacement": " x the"},
    "empty string": {"ablation": "string", "replacement": ""},
    "delete": {"ablation": "delete"},
    "hide": {"ablation": "hide"},
}
every_ablation = pytest.mark.parametrize("ablation", SETTINGS)
WITHOUT_TOKENS = ("string", "empty string", "delete", "hide")
CLASSIFIERS = {
    "bert": (bert_classifier, word_tokenizer),
    "roberta": (roberta_classifier, roberta_tokenizer),
    "gpt2": (gpt2_classifier, byte_tokenizer),
    "llama": (llama_classifier, byte_tokenizer),
}


def some_masks(n_players, n_masks=10):
    masks = np.random.default_rng(n_players).random((n_masks, n_players)) < 0.5
    masks[0], masks[1] = True, False
    return masks


def of_asked(tokenizer, text, ablation, *, unit="word", prefix="", suffix="", second=None, specials=True):
    return Asked(tokenizer, text, spans_of(text, unit), prefix, suffix, second, specials, **SETTINGS[ablation])


def assert_varied(values):
    """The network is no constant: its values differ by far more than the tolerance."""
    assert float(np.ptp(values, axis=0).max()) > 100 * EXACT["atol"]


def slow_class_values(model, asked, masks, output, targets):
    return np.array([[slow_class_value(slow_logits(model, asked, mask), output, t) for t in targets] for mask in masks])


def slow_class_value(logits, output, target):
    if output == "logit":
        return float(logits[target])
    if output == "log_prob":
        return float(logits.log_softmax(dim=0)[target])
    return float(logits[target]) - max(float(logit) for place, logit in enumerate(logits) if place != target)


ANSWER = " is good"


def answer_ids(tokenizer, answer=ANSWER):
    return tokenizer(answer, add_special_tokens=False)["input_ids"]


def slow_answers(model, asked, masks, answer):
    return np.array([slow_answer(model, asked, mask, answer) for mask in masks])


def assert_answers(game, model, asked, answer=ANSWER, **tolerance):
    masks = some_masks(game.n_players)
    wanted = slow_answers(
        model, asked, masks, answer if isinstance(answer, list) else answer_ids(asked.tokenizer, answer)
    )
    reduced = {"mean": wanted.mean(axis=1), "sum": wanted.sum(axis=1), "tokens": wanted}[game.output]
    values = game(masks)
    assert_varied(values)
    assert_allclose(values, reduced, **{**EXACT, **tolerance})


PREFIX = "The capital of France is Paris. "


def answer_game(kind, **arguments):
    return AnswerGame(causal_model(kind), byte_tokenizer(), TEXT, **{"answer": ANSWER, "prefix": PREFIX, **arguments})


class Memory:
    """A copy of a model with a memory for so many rows, and the shapes of the batches that came."""

    def __init__(self, model, n_rows, error=torch.cuda.OutOfMemoryError, words="out of memory"):
        self.model = deepcopy(model)
        self.n_rows = n_rows
        self.error = error(words)
        self.batches = []
        self.model.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, _, positional, named):
        shape = tuple(named["input_ids"].shape)
        if shape[0] > self.n_rows:
            raise self.error
        self.batches.append(shape)

    @property
    def n_read(self):
        return sum(n_rows for n_rows, _ in self.batches)


def classes(text=TEXT, model=None, **arguments):
    model = bert_classifier() if model is None else model
    return ClassificationGame(model, word_tokenizer(), text, **{"target": 0, **arguments})


def assert_interactions(result, table, n_players):
    wanted = sii(table, n_players, 2)
    assert_allclose([result[players] for players in wanted], list(wanted.values()), atol=1e-3, rtol=0)
    assert_allclose(result.baseline, table[0], **EXACT)
    assert result.n_evaluations == 2**n_players
