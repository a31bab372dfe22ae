"""Answers of causal language models as games: every value equals that of a slow twin."""

from __future__ import annotations

import re
from copy import deepcopy
from inspect import signature
from itertools import chain

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from text_games import (
    ANSWER,
    EXACT,
    GAPS,
    PREFIX,
    SETTINGS,
    TEXT,
    WITHOUT_TOKENS,
    Memory,
    answer_game,
    answer_ids,
    assert_answers,
    assert_interactions,
    of_asked,
    slow_answers,
    some_masks,
)
from text_models import (
    CAUSAL,
    bert_encoder,
    byte_tokenizer,
    causal_model,
    roberta_tokenizer,
    slow_players,
    slow_row,
    varied,
)
from transformers import (
    T5Config,
    T5ForConditionalGeneration,
)

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.games.text import AnswerGame

ANSWERED = [(kind, ablation) for kind in CAUSAL for ablation in WITHOUT_TOKENS] + [
    (kind, ablation) for kind in ("gpt2", "llama", "opt", "bloom") for ablation in ("mask", "pad", "unk")
]

# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize(("kind", "ablation"), ANSWERED)
@pytest.mark.parametrize("output", ["mean", "sum", "tokens"])
def test_answers_of_every_ablation(kind, ablation, output):
    tokenizer = byte_tokenizer() if ablation in WITHOUT_TOKENS else roberta_tokenizer()
    around = {"prefix": "Is it?\n", "suffix": " :"}
    model = causal_model(kind)
    game = AnswerGame(
        model, tokenizer, TEXT, answer=ANSWER, output=output, **SETTINGS[ablation], **around, tokens_per_batch=150
    )
    assert_answers(game, model, of_asked(tokenizer, TEXT, ablation, **around))
    assert game.answer == ANSWER
    assert "".join(game.answer_tokens) == ANSWER


@pytest.mark.sampled
@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("unit", ["token", "sentence", GAPS], ids=["token", "sentence", "gaps"])
def test_answers_of_every_unit(kind, unit):
    text = TEXT if unit != "sentence" else "It is good. Nobody fails!  Never, never.\n"
    tokenizer = byte_tokenizer(begins=True)
    game = AnswerGame(causal_model(kind), tokenizer, text, answer=ANSWER, unit=unit)
    assert_answers(game, causal_model(kind), of_asked(tokenizer, text, "delete", unit=unit))


@pytest.mark.sampled
@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("trims", [False, True])
def test_answers_in_a_chat(kind, trims):
    tokenizer = byte_tokenizer(trims, chat=True)
    game = AnswerGame(
        causal_model(kind), tokenizer, "x y never", answer="No", system="Be kind.", prefix="Say:\n", suffix="?"
    )
    before, after = "<|system|>\nBe kind.</s>\n<|user|>\nSay:\n", "?</s>\n<|assistant|>\n"
    shown = tokenizer.apply_chat_template(
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Say:\nx y never?"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert shown == before + "x y never" + after
    rows = game._template.rows(np.array([[False, False, False]]), align="right")
    assert tokenizer.decode(rows.ids[0].tolist()) == before + after + "No"
    masks = every_mask(3)
    wanted = [slow_in_chat(causal_model(kind), tokenizer, before, after, mask) for mask in masks]
    assert_allclose(game(masks), wanted, **EXACT)


def slow_in_chat(model, tokenizer, before, after, mask):
    """The template's tokens and between them those of the words that are present."""
    first, last, *words = (tokenizer(part)["input_ids"] for part in (before, after, "x", " y", " never"))
    assert tokenizer(before + "x y never" + after)["input_ids"] == [*first, *chain(*words), *last]
    row = first + [token for word, kept in zip(words, mask, strict=True) if kept for token in word] + last
    answer = answer_ids(tokenizer, "No")
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([row + answer])).logits[0].double()
    found = [float(logits[len(row) + i - 1].log_softmax(dim=0)[token]) for i, token in enumerate(answer)]
    return np.mean(found)


@pytest.mark.parametrize("kind", CAUSAL)
def test_a_generated_answer_is_the_most_probable_token_each_time(kind):
    model, tokenizer = causal_model(kind), byte_tokenizer()
    game = AnswerGame(model, tokenizer, TEXT, max_new_tokens=5, output="tokens", prefix="So ")
    asked = of_asked(tokenizer, TEXT, "delete", prefix="So ")
    row, answer = slow_row(asked, [True] * game.n_players)[0], []
    while len(answer) < 5:
        with torch.inference_mode():
            token = int(model(input_ids=torch.tensor([row + answer])).logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            break
        answer.append(token)
    assert game.answer_ids.tolist() == answer
    assert game.answer == tokenizer.decode(answer)
    assert_answers(game, model, asked, answer)


def test_a_generated_answer_does_not_contain_its_end_token():
    tokenizer = byte_tokenizer()
    model = deepcopy(causal_model("gpt2"))
    first = AnswerGame(model, tokenizer, TEXT, max_new_tokens=6, prefix="So ").answer_ids
    new = next(i for i in range(1, len(first)) if first[i] not in first[:i])
    model.generation_config.eos_token_id = int(first[new])
    again = AnswerGame(model, tokenizer, TEXT, max_new_tokens=6, prefix="So ")
    assert_array_equal(again.answer_ids, first[:new])


def test_a_model_that_generates_nothing_is_refused():
    model = deepcopy(causal_model("gpt2"))
    model.generation_config.eos_token_id = int(AnswerGame(model, byte_tokenizer(), TEXT, prefix="So ").answer_ids[0])
    message = "`answer`: expected the answer to explain, got None, and the model generates no answer."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        AnswerGame(model, byte_tokenizer(), TEXT, prefix="So ")


def test_a_text_without_fixed_tokens_gets_the_token_that_begins_texts():
    game = AnswerGame(causal_model("gpt2"), byte_tokenizer(), TEXT, answer=ANSWER)
    assert_answers(game, causal_model("gpt2"), of_asked(byte_tokenizer(), TEXT, "delete", prefix="<s>"))


@pytest.mark.sampled
@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("ablation", ["string", "empty string"])
def test_an_answer_follows_at_least_one_token(kind, ablation):
    """Its first token would otherwise be predicted from nothing."""
    game = AnswerGame(causal_model(kind), byte_tokenizer(), TEXT, answer=ANSWER, **SETTINGS[ablation])
    prefix = "<s>" if ablation == "empty string" else ""
    assert_answers(game, causal_model(kind), of_asked(byte_tokenizer(), TEXT, ablation, prefix=prefix))


def test_a_decoder_gets_no_token_types():
    tokenizer = byte_tokenizer()
    typed = deepcopy(tokenizer)
    typed.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    games = [AnswerGame(causal_model("gpt2"), one, TEXT, prefix="So ") for one in (tokenizer, typed)]
    masks = some_masks(games[0].n_players)
    assert games[0].answer == games[1].answer
    assert_allclose(games[1](masks), games[0](masks), **EXACT)


# --- answers: the cheapest exact call ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize("ablation", ["string", "delete", "hide"])
def test_a_fixed_prefix_is_encoded_once(kind, ablation):
    arguments = {**SETTINGS[ablation], "suffix": " :", "output": "tokens"}
    cached, whole = answer_game(kind, **arguments), answer_game(kind, **arguments, prefix_cache=False)
    n_fixed = slow_players(of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX))[0].index(0)
    aligns = {"position_ids", "logits_to_keep"} <= set(signature(causal_model(kind).forward).parameters)
    assert aligns or kind == "opt"  # which cannot do so before transformers 5
    assert (cached._modes.mode.aligned, cached._modes.mode.n_cached) == (aligns, n_fixed - 1 if aligns else 0)
    assert (whole._modes.mode.aligned, whole._modes.mode.n_cached) == (aligns, 0)
    masks = every_mask(cached.n_players)
    assert_allclose(cached(masks), whole(masks), **EXACT)
    assert_allclose(cached(masks), cached(masks), **EXACT)


@pytest.mark.parametrize(("kind", "aligned"), [("mistral", True), ("bloom", False), ("mamba", False)])
def test_where_filling_before_or_in_between_is_not_exact_it_is_not_done(kind, aligned):
    """Mistral's window would count what fills a row up after its prefix; the others count positions themselves."""
    cached, whole = answer_game(kind), answer_game(kind, prefix_cache=False)
    assert (cached._modes.mode.aligned, cached._modes.mode.n_cached) == (aligned, 0)
    masks = every_mask(cached.n_players)
    assert_allclose(cached(masks), whole(masks), **EXACT)
    assert_answers(cached, causal_model(kind), of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX))


def test_a_prefix_is_not_cached_where_filling_is_not_exact_though_all_and_none_have_one_length():
    text = "x never yzz"  # of 1, 1 and 4 tokens
    asked = of_asked(byte_tokenizer(), text, "string", prefix=PREFIX)
    asked.replacement = " x"
    masks = every_mask(3)
    lengths = [len(slow_row(asked, mask)[0]) for mask in masks]
    assert lengths[0] == lengths[-1]
    assert min(lengths) < max(lengths)
    game = AnswerGame(causal_model("mistral"), byte_tokenizer(), text, answer=ANSWER, replacement=" x", prefix=PREFIX)
    wanted = slow_answers(causal_model("mistral"), asked, masks, answer_ids(byte_tokenizer())).mean(axis=1)
    assert_allclose(game(masks), wanted, **EXACT)


@pytest.mark.sampled
@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("tokens_per_batch", [1, 70, 100_000])
@pytest.mark.parametrize("prefix_cache", [True, False])
def test_answers_do_not_depend_on_the_batches(kind, tokens_per_batch, prefix_cache):
    game = answer_game(kind, tokens_per_batch=tokens_per_batch, prefix_cache=prefix_cache, output="tokens")
    masks = every_mask(game.n_players)[::3]
    alone = np.concatenate([game(mask[None]) for mask in masks])
    assert_allclose(game(masks), alone, **EXACT)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_cached_prefix_is_read_once_and_no_more(kind):
    """By the version of transformers that is installed, whatever its argument is called, and without its warnings."""
    memory = Memory(causal_model(kind), 1000)
    game = AnswerGame(memory.model, byte_tokenizer(), TEXT, answer=ANSWER, prefix=PREFIX)
    asked = of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX)
    n_prefix = slow_players(asked)[0].index(0)
    masks = every_mask(game.n_players)
    game(masks[:1])
    memory.batches.clear()
    game(masks)
    lengths = [len(slow_row(asked, mask)[0]) + len(game.answer_ids) for mask in masks]
    assert memory.n_read == len(masks)
    assert max(length for _, length in memory.batches) == max(lengths) - (n_prefix - 1)


def test_a_cached_prefix_is_not_changed_by_its_use():
    game = answer_game("llama")
    masks = some_masks(game.n_players)
    assert_array_equal(game(masks), game(masks))


# --- length limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "mistral"])
def test_text_and_answer_fit_together(kind):
    arguments = {"answer": "xyz", "unit": "token"}
    game = AnswerGame(causal_model(kind), byte_tokenizer(begins=True), "x" * 60, **arguments)
    assert np.isfinite(game(np.ones((1, 60), dtype=bool))).all()
    with pytest.raises(ArgumentError) as error:
        AnswerGame(causal_model(kind), byte_tokenizer(begins=True), "x" * 61, **arguments)
    expected = "at most 64 tokens with the answer, the limit of the model"
    assert str(error.value) == f"`text`: expected {expected}, got 62 before an answer of 3."


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "mistral"])
def test_text_and_generated_answer_fit_together(kind):
    tokenizer, arguments = byte_tokenizer(begins=True), {"max_new_tokens": 4, "unit": "token"}
    AnswerGame(causal_model(kind), tokenizer, "xy" * 29, **arguments)
    with pytest.raises(ArgumentError, match="`text`: expected at most 64 tokens with the answer"):
        AnswerGame(causal_model(kind), tokenizer, "xy" * 31, **arguments)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_new_tokens", [0, -3, 1.5])
def test_an_answer_without_new_tokens_is_refused(max_new_tokens):
    with pytest.raises(ArgumentError, match="`max_new_tokens`: expected an integer of at least 1, got"):
        answer_game("gpt2", answer=None, max_new_tokens=max_new_tokens)


def encoder_decoder():
    shape = {"vocab_size": 320, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    return varied(T5ForConditionalGeneration, T5Config(**shape, decoder_start_token_id=0))


@pytest.mark.parametrize("model", [encoder_decoder, bert_encoder], ids=["encoder-decoder", "encoder"])
def test_a_model_that_is_not_causal_is_refused(model):
    message = r"`model`: expected a causal language model.*, got a (T5ForConditionalGeneration|BertModel)"
    with pytest.raises(ArgumentError, match=message):
        AnswerGame(model(), byte_tokenizer(), TEXT, answer=ANSWER)


@pytest.mark.parametrize("answer", ["", 3, ["is"]])
def test_an_answer_without_tokens_is_refused(answer):
    allowed = "a text of at least one token, or None for a generated one"
    with pytest.raises(ArgumentError, match=re.escape(f"`answer`: expected {allowed}, got {answer!r}.")):
        answer_game("gpt2", answer=answer)


def test_hiding_the_token_before_the_answer_is_refused():
    hint = "The answer is predicted from the last token before it, hidden or not."
    with pytest.raises(ArgumentError) as error:
        answer_game("gpt2", ablation="hide")
    assert str(error.value) == f"`ablation`: expected another ablation, or a `suffix`, got 'hide'. {hint}"


# --- end to end -------------------------------------------------------------------------------------------------------


def test_every_token_of_an_answer_is_explained():
    game = answer_game("gpt2", output="tokens")
    results = captum_spex.explain(game, budget=64)
    asked = of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX)
    table = slow_answers(causal_model("gpt2"), asked, every_mask(6), answer_ids(byte_tokenizer()))
    assert len(results) == table.shape[1] == len(game.answer_tokens)
    for result, column in zip(results, table.T, strict=True):
        assert_interactions(result, column, 6)
