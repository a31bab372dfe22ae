"""Models whose numbers are elsewhere until they are called; `integration` has the real accelerate."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from offloading import LoadsWhenCalled, offloaded
from oracles import every_mask
from text_games import EXACT, TEXT, answer_ids, of_asked, slow_answers
from text_models import bert_classifier, bert_encoder, byte_tokenizer, causal_model, word_tokenizer

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame
from captum_spex.games.text.answer_scorer import device_of

WHERE = {"everything": (), "the last block": ("transformer.h.1",), "the head": ("lm_head",)}
elsewhere = pytest.mark.parametrize("parts", WHERE.values(), ids=WHERE)


def answers(model, answer=" is good"):
    return AnswerGame(model, byte_tokenizer(), "x y never", answer=answer, prefix="So it is ")


@elsewhere
def test_answers_of_an_offloaded_model_are_those_of_the_model(parts):
    game = answers(offloaded(causal_model("gpt2"), *parts))
    asked = of_asked(byte_tokenizer(), "x y never", "delete", prefix="So it is ")
    wanted = slow_answers(causal_model("gpt2"), asked, every_mask(3), answer_ids(byte_tokenizer())).mean(axis=1)
    assert_allclose(game(every_mask(3)), wanted, **EXACT)
    assert game._modes.mode == answers(causal_model("gpt2"))._modes.mode
    assert game._modes.mode.n_cached > 0


@pytest.mark.filterwarnings("ignore:You are calling .generate")  # of transformers 4, which knows hooks no better
@elsewhere
def test_a_generated_answer_of_an_offloaded_model(parts):
    game = answers(offloaded(causal_model("gpt2"), *parts), None)
    assert_array_equal(game.answer_ids, answers(causal_model("gpt2"), None).answer_ids)


@elsewhere
def test_a_store_knows_an_offloaded_model_by_its_numbers(parts, tmp_path):
    store = tmp_path / "store.db"
    plain = captum_spex.explain(answers(causal_model("gpt2")), budget=8, store=store)
    game = answers(offloaded(causal_model("gpt2"), *parts))
    calls = []
    game._model.register_forward_pre_hook(lambda *_: calls.append(1))
    again = captum_spex.explain(game, budget=8, store=store)
    assert_array_equal(again.values, plain.values)
    assert calls == []
    other = deepcopy(causal_model("gpt2"))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1e-3)
    assert answers(offloaded(other, *parts)).fingerprint != game.fingerprint


def test_a_changed_forward_is_known_below_the_hook():
    changed = deepcopy(causal_model("gpt2"))
    attention = changed.transformer.h[0].mlp
    attention.forward = lambda states: 2 * type(attention).forward(attention, states)
    prints = [answers(offloaded(one)).fingerprint for one in (causal_model("gpt2"), changed)]
    assert prints[0] != prints[1]


def test_classifiers_and_encoders_are_offloaded_too():
    plain = ClassificationGame(bert_classifier(), word_tokenizer(), TEXT)
    game = ClassificationGame(offloaded(bert_classifier()), word_tokenizer(), TEXT)
    assert_allclose(game(every_mask(6)), plain(every_mask(6)), **EXACT)
    assert game.fingerprint == plain.fingerprint
    similar = [
        SimilarityGame(one, word_tokenizer(), TEXT, "good film") for one in (bert_encoder(), offloaded(bert_encoder()))
    ]
    assert_allclose(similar[1](every_mask(6)), similar[0](every_mask(6)), **EXACT)


def test_the_device_is_that_on_which_the_model_computes():
    model = offloaded(causal_model("gpt2"))
    assert model.device.type == "meta"
    assert device_of(model) == torch.device("cpu")
    for module in model.modules():
        if hasattr(module, "_hf_hook"):
            module._hf_hook = LoadsWhenCalled(module._hf_hook.weights_map, "cuda:1")
    assert device_of(model) == torch.device("cuda:1")
    assert device_of(torch.nn.Linear(2, 2, device="meta")) == torch.device("meta")


@pytest.mark.parametrize("make", ["answers", "classes", "similar"])
def test_a_model_without_numbers_is_refused(make):
    if make == "answers":
        build, name = lambda: answers(deepcopy(causal_model("gpt2")).to("meta")), "transformer.wte.weight"
    elif make == "classes":
        build = lambda: ClassificationGame(deepcopy(bert_classifier()).to("meta"), word_tokenizer(), TEXT)  # noqa: E731
        name = "bert.embeddings.word_embeddings.weight"
    else:
        build = lambda: SimilarityGame(deepcopy(bert_encoder()).to("meta"), word_tokenizer(), TEXT, "good")  # noqa: E731
        name = "embeddings.word_embeddings.weight"
    message = f"`model`: expected a model whose numbers are loaded, got one with `{name}` on the meta device."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        build()
