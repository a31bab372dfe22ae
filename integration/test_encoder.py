"""A sentence encoder with real weights: what is reported as faithfulness is true of masks that nobody saw."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import captum_spex
from captum_spex.games.text import SimilarityGame
from captum_spex.statistics import r_squared
from tools import made_games

CASES = [(0, 41, 512, 250), (1, 96, 512, 125)]  # which text, words, evaluations, held-out masks


@pytest.fixture(scope="module")
def encoder():
    package = pytest.importorskip(made_games.ENCODER_PACKAGE)
    importlib.import_module("transformers.models.bert")
    folder = package.get_model_path()
    return AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def similarity_game(encoder, number, n_words, **settings):
    query, text = made_games.TEXTS[number]
    return SimilarityGame(*encoder, " ".join(text.split()[:n_words]), query, **settings)


def fresh_masks(n_players, n_masks):
    return np.random.default_rng(20260101).random((n_masks, n_players)) < 0.5


@pytest.mark.parametrize(("number", "n_words", "budget", "n_held_out"), CASES)
def test_the_faithfulness_is_that_on_fresh_masks(encoder, number, n_words, budget, n_held_out):
    game = similarity_game(encoder, number, n_words)
    result = captum_spex.explain(game, budget=budget, random_state=0)
    held_out = fresh_masks(game.n_players, n_held_out)
    true_quality = r_squared(game(held_out), result.model(held_out))
    print(
        f"\n{game.n_players} words, {budget} evaluations: R² {true_quality:.3f} on {n_held_out} fresh masks, "
        f"reported {result.faithfulness:.3f}; {' | '.join(map(result.name_of, result.top(3, order=2)))}"
    )
    assert game.n_players == n_words
    assert true_quality > 0.8
    assert result.faithfulness == pytest.approx(true_quality, abs=0.1)  # of few masks each
    ends = game(np.array([[True] * n_words, [False] * n_words]))
    assert result.first_order().sum() == pytest.approx(ends[0] - ends[1], abs=1e-5)


@pytest.mark.parametrize("ablation", ["mask", "delete", "hide"])
def test_values_are_those_of_plain_calls_one_by_one(encoder, ablation):
    model, tokenizer = encoder
    game = similarity_game(encoder, 0, 24, ablation=ablation)
    masks = np.vstack([fresh_masks(24, 12), np.ones((1, 24), dtype=bool), np.zeros((1, 24), dtype=bool)])
    wanted = unit_embedding(model, **tokenizer(made_games.TEXTS[0][0], return_tensors="pt"))
    expected = [float(unit_embedding(model, **inputs_of(tokenizer, game, mask, ablation)) @ wanted) for mask in masks]
    np.testing.assert_allclose(game(masks), expected, rtol=0, atol=1e-5)
    assert np.std(expected) > 0.02


def inputs_of(tokenizer, game, mask, ablation):
    """Return the tokens of a text and its attention mask under a mask of words, by the words of the tokenizer."""
    encoding = tokenizer(game.text.split(), is_split_into_words=True)
    present = torch.tensor([word is None or mask[word] for word in encoding.word_ids()], dtype=torch.bool)
    ids = torch.tensor(encoding["input_ids"])
    if ablation == "delete":
        ids = ids[present]
    if ablation == "mask":
        ids = torch.where(present, ids, tokenizer.mask_token_id)
    seen = present.long() if ablation == "hide" else torch.ones_like(ids)
    return {"input_ids": ids[None], "attention_mask": seen[None]}


@torch.inference_mode()
def unit_embedding(model, input_ids, attention_mask, **_):
    states = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[0]
    mean = states[attention_mask[0].bool()].mean(dim=0)
    return mean / mean.norm()


def test_values_are_those_of_the_game_that_the_benchmark_makes(encoder):
    game, other = similarity_game(encoder, 0, 41, ablation="mask"), made_games.make("encoder-41")
    masks = fresh_masks(41, 16)
    np.testing.assert_allclose(game(masks), other.values(masks), rtol=0, atol=1e-5)
