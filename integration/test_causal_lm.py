"""A causal language model that looks a value up by its key: the interaction of the two is found."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

import captum_spex
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.text import AnswerGame
from tools import key_value_model
from tools.openai_server import Running

N_TEXTS = 5
BUDGET = 512  # of 2**14 masks
LONG_PREFIX = " ".join([*key_value_model.FILLERS] * 5) + " "  # 40 words


@pytest.fixture(scope="module")
def trained():
    start = time.perf_counter()
    network, tokenizer = key_value_model.trained_gpt2()
    print(f"\ntrained in {time.perf_counter() - start:.1f} s")
    return network, tokenizer


@pytest.fixture(scope="module")
def riddles():
    rng = np.random.default_rng(2024)
    return [key_value_model.riddle(rng, n_pairs=5, n_fillers=4) for _ in range(200)]


def game_of(trained, riddle, **settings):
    settings = {"answer": riddle.answer(0), "suffix": riddle.question(0), **settings}
    return AnswerGame(*trained, riddle.text, **settings)


def random_masks(n_players, n_masks=64):
    return np.random.default_rng(1).random((n_masks, n_players)) < np.linspace(0.1, 0.95, n_masks)[:, None]


@pytest.mark.parametrize("prefix", ["", LONG_PREFIX])
def test_the_network_has_learnt_to_look_up(trained, riddles, prefix):
    share = key_value_model.accuracy(*trained, riddles, prefix)
    print(f"\nright answers: {share:.1%} of {len(riddles)}")
    assert share >= 0.95


@pytest.mark.parametrize("prefix", ["", LONG_PREFIX])
@pytest.mark.parametrize("number", range(N_TEXTS))
def test_key_and_value_are_the_largest_interaction(trained, riddles, number, prefix):
    riddle = riddles[number]
    game = game_of(trained, riddle, prefix=prefix)
    assert game.names == riddle.words
    result = captum_spex.explain(game, budget=BUDGET, random_state=number)
    (first, largest), (_, second) = result.top(2, order=2).items()
    assert result.n_evaluations == BUDGET < 2**game.n_players / 16
    assert first == riddle.pairs[0], result
    assert largest > 1.2 * abs(second)
    assert next(iter(result.top(1, order=1)))[0] in riddle.pairs[0]


def test_another_question_has_another_interaction(trained, riddles):
    riddle = riddles[0]
    for pair in (1, 3):
        game = game_of(trained, riddle, answer=riddle.answer(pair), suffix=riddle.question(pair))
        result = captum_spex.explain(game, budget=BUDGET, random_state=0)
        assert next(iter(result.top(1, order=2))) == riddle.pairs[pair], result


def test_the_generated_answer_is_the_value(trained, riddles):
    for riddle in riddles[:3]:
        game = game_of(trained, riddle, answer=None, max_new_tokens=1)
        assert game.answer == riddle.answer(0)


def test_a_long_prefix_is_encoded_once_and_changes_nothing(trained, riddles):
    riddle = riddles[0]
    lengths = []
    hook = trained[0].register_forward_pre_hook(
        lambda _, __, given: lengths.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    values = {}
    try:
        for cached in (True, False):
            game = game_of(trained, riddle, prefix=LONG_PREFIX, prefix_cache=cached)
            masks = random_masks(game.n_players)
            lengths.clear()
            values[cached] = game(masks)
            longest = max(lengths)
            assert (longest < 40) == cached, f"rows of {longest} tokens with prefix_cache={cached}"
    finally:
        hook.remove()
    np.testing.assert_allclose(values[True], values[False], rtol=0, atol=1e-4)
    assert values[True].std() > 0.5


@pytest.mark.parametrize("settings", [{}, {"prefix": LONG_PREFIX}, {"ablation": "hide"}, {"ablation": "unk"}])
def test_values_are_those_of_plain_forward_passes_one_by_one(trained, riddles, settings):
    network, tokenizer = trained
    riddle = riddles[1]
    game = game_of(trained, riddle, output="sum", **settings)
    masks = random_masks(game.n_players, 40)
    expected = [plain_value(network, tokenizer, riddle, mask, **settings) for mask in masks]
    np.testing.assert_allclose(game(masks), expected, rtol=0, atol=1e-4)
    assert np.std(expected) > 0.1


def plain_value(network, tokenizer, riddle, mask, *, prefix="", ablation="delete"):
    """Return the log-probability of the answer by one forward pass over words put together by hand."""
    fixed = (prefix.split(), riddle.question(0).split())
    present = [True] * len(fixed[0]) + mask.tolist() + [True] * len(fixed[1])
    words = [*fixed[0], *riddle.words, *fixed[1]]
    if ablation == "delete":
        words = [word for word, is_present in zip(words, present, strict=True) if is_present]
    if ablation == "unk":
        words = [word if is_present else "<unk>" for word, is_present in zip(words, present, strict=True)]
    seen = present if ablation == "hide" else [True] * len(words)
    with torch.inference_mode():
        logits = network(
            input_ids=torch.tensor([tokenizer.convert_tokens_to_ids(words)]),
            attention_mask=torch.tensor([seen], dtype=torch.long),
            position_ids=torch.arange(len(words))[None],
        ).logits
    answer = tokenizer.convert_tokens_to_ids(riddle.answer(0))
    return float(logits[0, -1].log_softmax(dim=-1)[answer])


def test_the_pair_is_found_whether_words_are_deleted_or_hidden(trained, riddles):
    riddle = riddles[2]
    for ablation in ("delete", "hide"):
        result = captum_spex.explain(game_of(trained, riddle, ablation=ablation), budget=BUDGET, random_state=0)
        assert next(iter(result.top(1, order=2))) == riddle.pairs[0], (ablation, result)


def test_behind_a_server_it_shows_what_it_has_learnt(trained, riddles, tmp_path):
    for part in trained:
        part.save_pretrained(tmp_path)
    riddle = riddles[0]
    with Running("--network", str(tmp_path)) as server:
        game = RemoteAnswerGame(riddle.text, f" {riddle.answer(0)}", base_url=server.url, suffix=riddle.question(0))
        result = captum_spex.explain(game, budget=512, random_state=0)
    assert game.n_players == game_of(trained, riddle).n_players
    assert next(iter(result.top(1, order=2))) == riddle.pairs[0], result
