"""Batches of rows: their order, their size, and what happens when memory runs out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from text_games import ANSWER, EXACT, PREFIX, TEXT, Memory, answer_game, classes, of_asked
from text_models import (
    bert_classifier,
    byte_tokenizer,
    causal_model,
    roberta_classifier,
    roberta_tokenizer,
    slow_row,
)

from captum_spex.games.text import AnswerGame, ClassificationGame


@pytest.mark.parametrize("tokens_per_batch", [1, 9, 25, 64, 1000])
def test_batches_go_from_long_to_short_within_the_budget(tokens_per_batch):
    game = ClassificationGame(
        roberta_classifier(), roberta_tokenizer(), TEXT, target=0, ablation="delete", tokens_per_batch=tokens_per_batch
    )
    masks = every_mask(game.n_players)
    asked = of_asked(roberta_tokenizer(), TEXT, "delete")
    lengths = np.array([len(slow_row(asked, mask)[0]) for mask in masks])
    batches = game.plan_batches(masks)
    assert_array_equal(np.sort(np.concatenate(batches)), np.arange(len(masks)))
    assert_array_equal(np.diff(lengths[np.concatenate(batches)]) <= 0, True)
    sizes = np.array([len(rows) for rows in batches])
    longest = np.array([lengths[rows].max() for rows in batches])
    assert_array_equal((sizes * longest <= tokens_per_batch) | (sizes == 1), True)
    assert_array_equal(((sizes + 1) * longest > tokens_per_batch)[:-1], True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.cuda.OutOfMemoryError, "CUDA out of memory. Tried to allocate 20 MiB"),
        (RuntimeError, "MPS backend out of memory"),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 20 bytes"),
        (RuntimeError, "DefaultCPUAllocator: not enough memory: you tried to allocate 20 bytes"),
    ],
)
def test_where_the_memory_ends_batches_are_halved(error, words):
    memory = Memory(bert_classifier(), 3, error, words)
    game, plenty = classes(model=memory.model), classes()
    masks = every_mask(game.n_players)
    assert_allclose(game(masks), plenty(masks), **EXACT)
    assert game.tokens_per_batch < plenty.tokens_per_batch
    assert max(len(rows) for rows in game.plan_batches(masks)) <= 3


@pytest.mark.parametrize("n_rows", [1, 2, 5])
@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom"])
def test_answers_where_the_memory_ends(kind, n_rows):
    memory = Memory(causal_model(kind), n_rows)
    game = AnswerGame(memory.model, byte_tokenizer(), TEXT, answer=ANSWER, prefix=PREFIX)
    masks = every_mask(game.n_players)
    assert_allclose(game(masks), answer_game(kind)(masks), **EXACT)
    assert max(len(rows) for rows in game.plan_batches(masks)) <= n_rows


def test_batches_stay_as_large_as_the_memory_allows():
    memory = Memory(bert_classifier(), 16)
    game = classes(model=memory.model)
    masks = every_mask(game.n_players)
    game(masks)
    assert max(len(rows) for rows in game.plan_batches(masks)) in range(8, 17)


def test_a_row_that_does_not_fit_alone_is_an_error():
    memory = Memory(bert_classifier(), 100)
    game = classes(model=memory.model)
    memory.n_rows = 0
    with pytest.raises(torch.cuda.OutOfMemoryError, match="out of memory"):
        game(every_mask(game.n_players))


def test_another_error_of_the_model_is_passed_on():
    memory = Memory(bert_classifier(), 100, RuntimeError, "expected scalar type Half")
    game = classes(model=memory.model, tokens_per_batch=1000)
    memory.n_rows = 0
    with pytest.raises(RuntimeError, match="expected scalar type Half"):
        game(every_mask(game.n_players))
    assert game.tokens_per_batch == 1000
