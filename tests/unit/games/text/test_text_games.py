"""Texts as games: the values of every head against a plain forward pass of one row at a time."""

from __future__ import annotations

import random
import re
from copy import deepcopy
from inspect import signature
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, sii
from sampled import examples
from text_models import (
    CAUSAL,
    Asked,
    bert_classifier,
    bert_encoder,
    byte_tokenizer,
    causal_model,
    gpt2_classifier,
    llama_classifier,
    roberta_classifier,
    roberta_tokenizer,
    slow_answer,
    slow_embedding,
    slow_logits,
    slow_players,
    slow_row,
    varied,
    word_tokenizer,
)
from transformers import (
    BertForSequenceClassification,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
    pipeline,
)

import captum_spex
from captum_spex.errors import ArgumentError, GameError, StoreError, UnknownNameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.evaluation.store import Store
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame
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
CLASSIFIED = [
    (kind, ablation)
    for kind in CLASSIFIERS
    for ablation in SETTINGS
    if kind in ("bert", "roberta") or ablation in WITHOUT_TOKENS
]
ANSWERED = [(kind, ablation) for kind in CAUSAL for ablation in WITHOUT_TOKENS] + [
    (kind, ablation) for kind in ("gpt2", "llama", "opt", "bloom") for ablation in ("mask", "pad", "unk")
]


def some_masks(n_players, n_masks=10):
    masks = np.random.default_rng(n_players).random((n_masks, n_players)) < 0.5
    masks[0], masks[1] = True, False
    return masks


def of_asked(tokenizer, text, ablation, *, unit="word", prefix="", suffix="", second=None, specials=True):
    return Asked(tokenizer, text, spans_of(text, unit), prefix, suffix, second, specials, **SETTINGS[ablation])


def assert_varied(values):
    """The network is no constant: its values differ by far more than the tolerance."""
    assert float(np.ptp(values, axis=0).max()) > 100 * EXACT["atol"]


# --- classification ---------------------------------------------------------------------------------------------------


def slow_class_values(model, asked, masks, output, targets):
    return np.array([[slow_class_value(slow_logits(model, asked, mask), output, t) for t in targets] for mask in masks])


def slow_class_value(logits, output, target):
    if output == "logit":
        return float(logits[target])
    if output == "log_prob":
        return float(logits.log_softmax(dim=0)[target])
    return float(logits[target]) - max(float(logit) for place, logit in enumerate(logits) if place != target)


@pytest.mark.sampled
@pytest.mark.parametrize(("kind", "ablation"), CLASSIFIED)
@pytest.mark.parametrize("output", ["logit", "margin", "log_prob"])
def test_classes_of_every_ablation(kind, ablation, output):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    around = {"prefix": "So ", "suffix": " !"}
    game = ClassificationGame(
        model, tokenizer, TEXT, target=["good", 0], output=output, **SETTINGS[ablation], **around, tokens_per_batch=50
    )
    masks = some_masks(game.n_players)
    wanted = slow_class_values(model, of_asked(tokenizer, TEXT, ablation, **around), masks, output, [2, 0])
    values = game(masks)
    assert_allclose(values, wanted, **EXACT)
    assert values.dtype == np.float64
    assert_varied(values)
    assert (game.targets, game.labels, game.output) == ((2, 0), ("Good", "bad"), output)


@pytest.mark.sampled
@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("unit", ["word", "token", "sentence", GAPS], ids=["word", "token", "sentence", "gaps"])
def test_classes_of_every_unit(kind, unit):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    text = TEXT if unit != "sentence" else "It is good. Nobody fails!  Never, never.\n"
    game = ClassificationGame(model, tokenizer, text, target=1, unit=unit, ablation="delete", prefix="So ")
    masks = some_masks(game.n_players)
    asked = of_asked(tokenizer, text, "delete", unit=unit, prefix="So ")
    values = game(masks)
    assert values.shape == (len(masks),)
    assert_allclose(values, slow_class_values(model, asked, masks, "logit", [1])[:, 0], **EXACT)


@every_ablation
def test_classes_of_a_pair(ablation):
    second = "the film is never good"
    game = ClassificationGame(
        bert_classifier(), word_tokenizer(), TEXT, target=1, second_text=second, suffix=" x", **SETTINGS[ablation]
    )
    masks = some_masks(game.n_players)
    asked = of_asked(word_tokenizer(), TEXT, ablation, second=second, suffix=" x")
    assert_allclose(game(masks), slow_class_values(bert_classifier(), asked, masks, "logit", [1])[:, 0], **EXACT)


@pytest.mark.sampled
@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("tokens_per_batch", [1, 17, 60, 100_000])
def test_values_do_not_depend_on_the_batches(kind, tokens_per_batch):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    arguments = {"target": [0, 1], "ablation": "delete", "prefix": "So "}
    game = ClassificationGame(model, tokenizer, TEXT, tokens_per_batch=tokens_per_batch, **arguments)
    masks = every_mask(game.n_players)
    alone = np.concatenate([game(mask[None]) for mask in masks])
    assert_allclose(game(masks), alone, **EXACT)


@given(st.lists(st.sampled_from(["good", "Never ", " ", "\n", "😀", "é", ".", ". It"]), max_size=8), st.data())
@examples(0.5)
def test_classes_of_any_text(pieces, data):
    text = "so x" + "".join(pieces)
    ablation = data.draw(st.sampled_from(list(SETTINGS)))
    game = ClassificationGame(roberta_classifier(), roberta_tokenizer(), text, target=0, **SETTINGS[ablation])
    masks = data.draw(st.lists(st.lists(st.booleans(), min_size=game.n_players, max_size=game.n_players), min_size=1))
    asked = of_asked(roberta_tokenizer(), text, ablation)
    wanted = slow_class_values(roberta_classifier(), asked, masks, "logit", [0])[:, 0]
    assert_allclose(game(np.array(masks[:4])), wanted[:4], **EXACT)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_predicted_class_is_explained(kind):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    game = ClassificationGame(model, tokenizer, TEXT, prefix="So ")
    asked = of_asked(tokenizer, TEXT, "delete", prefix="So ")
    assert game.targets == (int(slow_logits(model, asked, [True] * game.n_players).argmax()),)


@pytest.mark.parametrize(("target", "number"), [("bad", 0), ("BAD", 0), ("good", 2), (1, 1), (np.int64(2), 2)])
def test_a_class_may_be_a_label_or_a_number(target, number):
    game = ClassificationGame(bert_classifier(), word_tokenizer(), TEXT, target=target)
    assert game.targets == (number,)


@pytest.mark.sampled
@every_ablation
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_an_absent_word_has_no_influence(kind, ablation):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    texts = ["x never y good", "x never z good"]
    games = [ClassificationGame(model, tokenizer, text, target=0, **SETTINGS[ablation]) for text in texts]
    without = np.array([[True, True, False, True], [False, True, False, False]])
    assert_allclose(games[0](without), games[1](without), **EXACT)
    assert abs(games[0](~without) - games[1](~without)).max() > EXACT["atol"]


def test_a_model_with_one_output():
    model = bert_classifier(n_labels=1)
    game = ClassificationGame(model, word_tokenizer(), TEXT)
    masks = some_masks(game.n_players)
    asked = of_asked(word_tokenizer(), TEXT, "mask")
    assert_allclose(game(masks), slow_class_values(model, asked, masks, "logit", [0])[:, 0], **EXACT)
    for output in ("margin", "log_prob"):
        message = f"`output`: expected 'logit' for a model with a single output, got {output!r}."
        with pytest.raises(ArgumentError, match=re.escape(message)):
            ClassificationGame(model, word_tokenizer(), TEXT, output=output)


def test_a_pipeline_of_transformers():
    piped = pipeline("text-classification", model=bert_classifier(), tokenizer=word_tokenizer())
    game = ClassificationGame.from_pipeline(piped, TEXT, output="log_prob")
    direct = ClassificationGame(bert_classifier(), word_tokenizer(), TEXT, output="log_prob")
    masks = some_masks(game.n_players)
    answer = piped(TEXT)[0]
    assert game.labels == (answer["label"],)
    assert_allclose(np.exp(game(masks[:1])), [answer["score"]], atol=1e-5)
    assert_array_equal(game(masks), direct(masks))


def test_another_pipeline_is_refused():
    piped = pipeline("feature-extraction", model=bert_encoder(), tokenizer=word_tokenizer())
    came = "a FeatureExtractionPipeline for 'feature-extraction'"
    with pytest.raises(ArgumentError, match=re.escape(f"`pipeline`: expected a `transformers.pipeline(.*, got {came}")):
        ClassificationGame.from_pipeline(piped, TEXT)
    with pytest.raises(ArgumentError, match=r"`pipeline`: expected .*, got a str for 'no task'"):
        ClassificationGame.from_pipeline("text-classification", TEXT)


# --- answers ----------------------------------------------------------------------------------------------------------

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


def test_the_end_of_a_generated_answer_is_no_part_of_it():
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


def test_token_types_are_not_told_to_a_decoder_which_would_add_words_for_them():
    tokenizer = byte_tokenizer()
    typed = deepcopy(tokenizer)
    typed.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    games = [AnswerGame(causal_model("gpt2"), one, TEXT, prefix="So ") for one in (tokenizer, typed)]
    masks = some_masks(games[0].n_players)
    assert games[0].answer == games[1].answer
    assert_allclose(games[1](masks), games[0](masks), **EXACT)


# --- answers: the cheapest exact way ----------------------------------------------------------------------------------

PREFIX = "The capital of France is Paris. "


def answer_game(kind, **arguments):
    return AnswerGame(causal_model(kind), byte_tokenizer(), TEXT, **{"answer": ANSWER, "prefix": PREFIX, **arguments})


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize("ablation", ["string", "delete", "hide"])
def test_a_fixed_prefix_is_encoded_once(kind, ablation):
    arguments = {**SETTINGS[ablation], "suffix": " :", "output": "tokens"}
    cached, whole = answer_game(kind, **arguments), answer_game(kind, **arguments, prefix_cache=False)
    n_fixed = slow_players(of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX))[0].index(0)
    aligns = {"position_ids", "logits_to_keep"} <= set(signature(causal_model(kind).forward).parameters)
    assert aligns or kind == "opt"  # which cannot do so before transformers 5
    assert (cached._mode.aligned, cached._mode.n_cached) == (aligns, n_fixed - 1 if aligns else 0)
    assert (whole._mode.aligned, whole._mode.n_cached) == (aligns, 0)
    masks = every_mask(cached.n_players)
    assert_allclose(cached(masks), whole(masks), **EXACT)
    assert_allclose(cached(masks), cached(masks), **EXACT)


@pytest.mark.parametrize(("kind", "aligned"), [("mistral", True), ("bloom", False), ("mamba", False)])
def test_where_filling_before_or_in_between_is_not_exact_it_is_not_done(kind, aligned):
    """Mistral's window would count what fills a row up after its prefix; the others count positions themselves."""
    cached, whole = answer_game(kind), answer_game(kind, prefix_cache=False)
    assert (cached._mode.aligned, cached._mode.n_cached) == (aligned, 0)
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


def test_a_cached_prefix_is_not_changed_by_its_use():
    game = answer_game("llama")
    masks = some_masks(game.n_players)
    assert_array_equal(game(masks), game(masks))


# --- similarity -------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@every_ablation
@pytest.mark.parametrize("output", ["cosine", "dot"])
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_similarities_of_every_ablation(ablation, output, pooling):
    query, model, tokenizer = "the film is good", bert_encoder(), word_tokenizer()
    arguments = {"prefix": "so ", "suffix": " !", **SETTINGS[ablation]}
    game = SimilarityGame(
        model, tokenizer, TEXT, query, output=output, pooling=pooling, tokens_per_batch=50, **arguments
    )
    masks = some_masks(game.n_players)
    ids = tokenizer(query)["input_ids"]
    wanted_one = slow_embedding(model, ids, [1] * len(ids), [0] * len(ids), pooling)
    asked = of_asked(tokenizer, TEXT, ablation, prefix="so ", suffix=" !")
    embeddings = [slow_embedding(model, *slow_row(asked, mask), pooling) for mask in masks]
    wanted = [float(similarity(one, wanted_one, output)) for one in embeddings]
    values = game(masks)
    assert_allclose(values, wanted, **EXACT)
    assert_varied(values)
    given = SimilarityGame(model, tokenizer, TEXT, wanted_one, output=output, pooling=pooling, **arguments)
    assert_allclose(given(masks), wanted, **EXACT)


def similarity(one, other, output):
    return one @ other if output == "dot" else one @ other / (one.norm() * other.norm())


@pytest.mark.parametrize("unit", ["token", "sentence", GAPS], ids=["token", "sentence", "gaps"])
def test_similarities_of_every_unit(unit):
    text = TEXT if unit != "sentence" else "It is good. Nobody fails!  Never, never.\n"
    query = torch.arange(16.0)
    game = SimilarityGame(bert_encoder(), word_tokenizer(), text, query, unit=unit)
    masks = some_masks(game.n_players)
    asked = of_asked(word_tokenizer(), text, "mask", unit=unit)
    embeddings = [slow_embedding(bert_encoder(), *slow_row(asked, mask), "mean") for mask in masks]
    assert_allclose(game(masks), [float(similarity(one, query.double(), "cosine")) for one in embeddings], **EXACT)


@pytest.mark.parametrize("query", ["", "  \n", None, 3])
def test_a_query_that_is_no_text_is_refused(query):
    message = f"`query`: expected a text, or one embedding (n_features,), got {query!r}."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, query)


def test_a_query_of_several_rows_is_refused():
    with pytest.raises(
        ArgumentError, match=re.escape("`query`: expected a text, or one embedding.*, got shape (2, 16)")
    ):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, torch.zeros(2, 16))


def test_a_query_of_another_width_is_refused_before_the_first_evaluation():
    with pytest.raises(ArgumentError, match=r"`query`: expected .*, got .*17.*16"):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, torch.ones(17))


def test_a_query_that_is_longer_than_the_model_reads_is_refused():
    SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "x " * 38)
    with pytest.raises(ArgumentError, match=r"`query`: expected at most 40 tokens.*, got 41 tokens.*"):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "x " * 39)


def test_a_model_without_hidden_states_is_refused():
    with pytest.raises(GameError, match=r"`model`: a BertForSequenceClassification returns no `last_hidden_state`\."):
        SimilarityGame(bert_classifier(), word_tokenizer(), TEXT, "the film")


@pytest.mark.parametrize(
    ("argument", "allowed"), [("output", "'cosine', 'dot'"), ("pooling", "'mean', 'first', 'last'")]
)
def test_unknown_similarities_are_refused(argument, allowed):
    with pytest.raises(UnknownNameError, match=re.escape(f"`{argument}`: expected {allowed}, got 'max'.")):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "the film", **{argument: "max"})


# --- 16 bits ----------------------------------------------------------------------------------------------------------

HALVES = pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float16, 0.03), (torch.bfloat16, 0.25)], ids=["f16", "bf16"]
)


@HALVES
def test_classes_of_models_in_16_bits(dtype, atol):
    model = bert_classifier(dtype=dtype)
    game = ClassificationGame(model, word_tokenizer(), TEXT, target=[0, 1, 2], ablation="delete")
    masks = some_masks(game.n_players)
    asked = of_asked(word_tokenizer(), TEXT, "delete")
    assert_allclose(game(masks), slow_class_values(model, asked, masks, "logit", [0, 1, 2]), atol=atol, rtol=0)


@HALVES
@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "bloom", "mistral"])
def test_answers_of_models_in_16_bits(kind, dtype, atol):
    model = causal_model(kind, dtype)
    game = AnswerGame(model, byte_tokenizer(), TEXT, answer=ANSWER, prefix=PREFIX)
    assert_answers(game, model, of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX), atol=atol)


@HALVES
def test_similarities_of_models_in_16_bits(dtype, atol):
    game = SimilarityGame(bert_encoder(dtype), word_tokenizer(), TEXT, "the film")
    exact = SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "the film")
    masks = some_masks(game.n_players)
    assert_allclose(game(masks), exact(masks), atol=atol, rtol=0)


# --- batches and memory -----------------------------------------------------------------------------------------------


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


# --- nothing is changed -----------------------------------------------------------------------------------------------


def state_of(model):
    flags = [module.training for module in model.modules()] + [one.requires_grad for one in model.parameters()]
    legacy = np.random.get_state()[1]  # noqa: NPY002  # the global state is what is looked at
    globals_ = [torch.get_rng_state(), legacy, list(random.getstate()[1])]
    return digest(model, flags, globals_, model.config.to_json_string())


@pytest.mark.parametrize("kind", ["classes", "similarities", *CAUSAL])
def test_the_model_and_the_global_random_state_are_untouched(kind):
    made = {"classes": bert_classifier, "similarities": bert_encoder}
    model = deepcopy(made[kind]() if kind in made else causal_model(kind))
    before = state_of(model)
    if kind == "classes":
        game = ClassificationGame(model, word_tokenizer(), TEXT)
    elif kind == "similarities":
        game = SimilarityGame(model, word_tokenizer(), TEXT, "the film")
    else:
        generation = model.generation_config.to_json_string()
        game = AnswerGame(model, byte_tokenizer(), TEXT, max_new_tokens=3)
        assert model.generation_config.to_json_string() == generation
    captum_spex.explain(game, budget=20, random_state=0)
    assert state_of(model) == before
    assert all(parameter.grad is None for parameter in model.parameters())


# --- the fingerprint --------------------------------------------------------------------------------------------------


def classes(text=TEXT, model=None, **arguments):
    model = bert_classifier() if model is None else model
    return ClassificationGame(model, word_tokenizer(), text, **{"target": 0, **arguments})


def test_fingerprints_differ_where_games_do():
    games = [
        classes(),
        classes(TEXT.replace("never", "always")),
        classes(TEXT.replace("  ", " ")),
        classes(target=1),
        classes(target=[0, 1]),
        classes(output="margin"),
        classes(unit="token"),
        classes(unit=GAPS),
        classes(ablation="delete"),
        classes(ablation="hide"),
        classes(ablation="pad"),
        classes(replacement="x"),
        classes(replacement="x x"),
        classes(prefix="so "),
        classes(suffix=" so"),
        classes(second_text="so"),
        classes(model=bert_classifier(seed=1)),
        classes(model=bert_classifier(dtype=torch.float16)),
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "the film"),
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "a film"),
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "the film", output="dot"),
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "the film", pooling="last"),
        answer_game("gpt2"),
        answer_game("llama"),
        answer_game("gpt2", answer=" is bad"),
        answer_game("gpt2", output="sum"),
        answer_game("gpt2", prefix="so "),
        answer_game("gpt2", suffix=" so"),
    ]
    assert len({tuple(game.fingerprint.items()) for game in games}) == len(games)


def test_fingerprints_do_not_tell_how_the_model_is_called():
    assert classes(tokens_per_batch=7).fingerprint == classes().fingerprint
    assert answer_game("gpt2", prefix_cache=False).fingerprint == answer_game("gpt2").fingerprint


def test_fingerprints_tell_models_of_the_same_weights_and_another_configuration():
    game = answer_game("gpt2")
    config = deepcopy(causal_model("gpt2").config)
    config.n_head = 4
    model = GPT2LMHeadModel(config).eval()
    model.load_state_dict(causal_model("gpt2").state_dict())
    other = AnswerGame(model, byte_tokenizer(), TEXT, answer=ANSWER, prefix=PREFIX)
    masks = some_masks(game.n_players)
    assert abs(game(masks) - other(masks)).max() > 0.01
    assert game.fingerprint != other.fingerprint


def test_saving_a_model_does_not_make_it_another(tmp_path):
    model = deepcopy(bert_classifier())
    before = ClassificationGame(model, word_tokenizer(), TEXT, target=0).fingerprint
    model.save_pretrained(tmp_path)
    assert ClassificationGame(model, word_tokenizer(), TEXT, target=0).fingerprint == before
    loaded = BertForSequenceClassification.from_pretrained(tmp_path).eval()
    assert ClassificationGame(loaded, word_tokenizer(), TEXT, target=0).fingerprint == before


# --- how long a text may be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "n_fit"), [("bert", 38), ("roberta", 38)])
def test_a_text_of_the_limit_fits_and_one_token_more_does_not(kind, n_fit):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    piece = "x " if kind == "bert" else "x"
    unit = "word" if kind == "bert" else "token"
    game = ClassificationGame(model, tokenizer, (piece * n_fit).strip(), target=0, unit=unit)
    assert np.isfinite(game(np.ones((1, n_fit), dtype=bool))).all()
    with pytest.raises(ArgumentError) as error:
        ClassificationGame(model, tokenizer, (piece * (n_fit + 1)).strip(), target=0, unit=unit)
    came = "`text`: expected at most 40 tokens, what the model reads, got 41 tokens, 2 of them around the text."
    hint = f"The first {n_fit} of its {n_fit + 1} players fit; shorten it, or explain it in pieces."
    assert str(error.value) == f"{came} {hint}"


def test_players_that_fit_only_in_part_do_not_count():
    with pytest.raises(ArgumentError, match="The first 19 of its 20 players fit"):
        classes("impress " * 19 + "xxxx")
    with pytest.raises(ArgumentError, match="The first 18 of its 20 players fit"):
        classes("impress " * 20, prefix="so ")


def test_a_prefix_that_fills_the_model_leaves_no_room():
    with pytest.raises(ArgumentError, match="The first 0 of its 6 players fit"):
        classes(prefix="x " * 39)


def test_the_limit_of_the_tokenizer_counts():
    tokenizer = deepcopy(word_tokenizer())
    tokenizer.model_max_length = 10
    ClassificationGame(bert_classifier(), tokenizer, "x " * 8, target=0)
    with pytest.raises(ArgumentError, match="expected at most 10 tokens, got 11 tokens, 2 of them around the text"):
        ClassificationGame(bert_classifier(), tokenizer, "x " * 9, target=0)


def test_a_replacement_that_makes_rows_too_long_is_refused():
    classes("x " * 19, replacement="a b")
    with pytest.raises(ArgumentError) as error:
        classes("x " * 20, replacement="a b")
    came = "`replacement`: expected .*, got one that makes a row of up to 42 tokens"
    assert str(error.value) == f"{came}; allowed is rows of at most 40 tokens, what the model reads."


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "mistral"])
def test_text_and_answer_fit_together(kind):
    arguments = {"answer": "xyz", "unit": "token"}
    game = AnswerGame(causal_model(kind), byte_tokenizer(begins=True), "x" * 60, **arguments)
    assert np.isfinite(game(np.ones((1, 60), dtype=bool))).all()
    with pytest.raises(ArgumentError) as error:
        AnswerGame(causal_model(kind), byte_tokenizer(begins=True), "x" * 61, **arguments)
    came = "`text`: expected .*, got 62 tokens before an answer of 3"
    assert str(error.value) == f"{came}; allowed is at most 64 tokens together, what the model reads."


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "mistral"])
def test_text_and_generated_answer_fit_together(kind):
    tokenizer, arguments = byte_tokenizer(begins=True), {"max_new_tokens": 4, "unit": "token"}
    AnswerGame(causal_model(kind), tokenizer, "xy" * 29, **arguments)
    with pytest.raises(ArgumentError, match=r"`(text|max_new_tokens)`: .*at most 64 tokens together"):
        AnswerGame(causal_model(kind), tokenizer, "xy" * 31, **arguments)


@pytest.mark.parametrize("kind", ["bloom", "mamba"])
def test_models_without_a_limit_read_any_text(kind):
    game = AnswerGame(causal_model(kind), byte_tokenizer(), "x " * 100, answer="x")
    assert np.isfinite(game(np.ones((1, 100), dtype=bool))).all()


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_text_is_refused(text):
    message = "`text`: expected a text with at least two players, got an empty text."
    for make in (
        lambda: classes(text),
        lambda: SimilarityGame(bert_encoder(), word_tokenizer(), text, "the film"),
        lambda: AnswerGame(causal_model("gpt2"), byte_tokenizer(), text, answer="x"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(message)):
            make()


def test_one_word_is_refused():
    message = (
        "`text`: expected at least two players, here words.*, got one word ('impress'). `unit=\"token\"` divides it"
    )
    with pytest.raises(ArgumentError, match=re.escape(message)):
        classes("impress")


@pytest.mark.parametrize("target", ["best", "", 3, -1, True, np.True_, [0, "worst"], [False], 1.0, None])
def test_an_unknown_class_is_refused(target):
    given = [None] if target is None else target
    wrong = given[-1] if isinstance(given, list) else given
    message = f"`target`: expected 'bad.*, got {wrong!r}', 'fair', 'Good', or a number from 0 to 2."
    with pytest.raises(UnknownNameError, match=re.escape(message)):
        classes(target=given)


def test_no_class_at_all_is_refused():
    with pytest.raises(ArgumentError, match="`target`: expected a label or number, or several, got no class"):
        classes(target=[])


@pytest.mark.parametrize("output", ["probability", "Logit", None, 3])
def test_an_unknown_output_is_refused(output):
    for make, allowed in (
        (lambda: classes(output=output), "'logit', 'margin', 'log_prob'"),
        (lambda: answer_game("gpt2", output=output), "'mean', 'sum', 'tokens'"),
    ):
        with pytest.raises(UnknownNameError, match=re.escape(f"`output`: expected {allowed}, got {output!r}.")):
            make()


def test_an_unknown_unit_is_refused():
    with pytest.raises(UnknownNameError, match="`unit`: expected 'word, got 'letter'', 'token', 'sentence', or a list"):
        classes(unit="letter")


@pytest.mark.parametrize("tokens_per_batch", [0, -3, 1.5, True, "many"])
def test_a_batch_of_no_tokens_is_refused(tokens_per_batch):
    with pytest.raises(ArgumentError, match="`tokens_per_batch`: got"):
        classes(tokens_per_batch=tokens_per_batch)


@pytest.mark.parametrize("max_new_tokens", [0, -3, 1.5])
def test_an_answer_of_no_new_tokens_is_refused(max_new_tokens):
    with pytest.raises(ArgumentError, match="`max_new_tokens`: got"):
        answer_game("gpt2", answer=None, max_new_tokens=max_new_tokens)


def test_an_ablation_without_its_token_is_refused():
    message = "`ablation`: expected 'string.*, got 'mask' for a tokenizer without such a token', 'delete', 'hide'."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        answer_game("gpt2", ablation="mask")


@pytest.mark.parametrize("model", [None, "a/name", lambda **_: None])
def test_what_is_no_module_is_refused(model):
    allowed = "a torch module of the library transformers"
    with pytest.raises(ArgumentError, match=f"`model`: expected {allowed}.*, got a {type(model).__name__}"):
        ClassificationGame(model, word_tokenizer(), TEXT)


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(ArgumentError, match="`tokenizer`: expected the model's tokenizer, got a str"):
        ClassificationGame(bert_classifier(), "a/name", TEXT)


def test_a_model_in_training_is_refused():
    message = "`model`: expected a model in evaluation mode.*, got a model in training mode. Call `model.eval()`"
    models = (deepcopy(bert_classifier()), deepcopy(bert_encoder()), deepcopy(causal_model("gpt2")))
    for make, model in zip((ClassificationGame, SimilarityGame, AnswerGame), models, strict=True):
        more = ["the film"] if make is SimilarityGame else []
        with pytest.raises(ArgumentError, match=re.escape(message)):
            make(model.train(), word_tokenizer(), TEXT, *more)


@pytest.mark.parametrize("make", [gpt2_classifier, llama_classifier])
def test_a_decoder_that_does_not_know_its_padding_is_refused(make):
    hint = "Set `model.config.pad_token_id`, for instance to the tokenizer's `eos_token_id`."
    message = f"`model`: expected one that has it.*, got a decoder without `config.pad_token_id`. {hint}"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        ClassificationGame(make(pad_token_id=None), byte_tokenizer(), TEXT, prefix="So ")


@pytest.mark.parametrize("model", [bert_encoder, lambda: causal_model("gpt2")], ids=["encoder", "causal"])
def test_a_model_that_is_no_classifier_is_refused(model):
    with pytest.raises(ArgumentError, match=r"`model`: expected .*, got a (BertModel|GPT2LMHeadModel)"):
        ClassificationGame(model(), word_tokenizer(), TEXT)
    game = ClassificationGame(model(), word_tokenizer(), TEXT, target=0)
    with pytest.raises(ArgumentError, match=r"`model`: expected .*, got a (BertModel|GPT2LMHeadModel)"):
        game(np.ones((1, game.n_players), dtype=bool))


def test_a_decoder_does_not_classify_from_a_hidden_token():
    """It reads its answer at the last token, hidden or not."""
    with pytest.raises(ArgumentError, match=r"`ablation`: expected .*, got 'hide'"):
        ClassificationGame(gpt2_classifier(), byte_tokenizer(), TEXT, target=0, ablation="hide", prefix="So ")


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
    came = "'hide' for a text right before the answer, which the model predicts from the last token, hidden or not"
    with pytest.raises(ArgumentError) as error:
        answer_game("gpt2", ablation="hide")
    assert str(error.value) == f"`ablation`: expected another ablation, or a `suffix`, got {came}."


def test_a_text_of_which_nothing_would_be_left_is_refused():
    came = "`ablation`: expected .*, got 'delete' for a text of which no token is fixed: without players nothing would be left"
    with pytest.raises(ArgumentError) as error:
        ClassificationGame(gpt2_classifier(), byte_tokenizer(), TEXT, ablation="delete")
    assert str(error.value) == f"{came}; allowed is 'string' with a `replacement`, or a `prefix`."


def test_a_chat_without_a_template_is_refused():
    with pytest.raises(
        ArgumentError, match=r"`chat`: expected .*, got chat=True for a tokenizer without a chat template"
    ):
        answer_game("gpt2", chat=True)


# --- from end to end --------------------------------------------------------------------------------------------------


def assert_interactions(result, table, n_players):
    wanted = sii(table, n_players, 2)
    assert_allclose([result[players] for players in wanted], list(wanted.values()), atol=1e-3, rtol=0)
    assert_allclose(result.baseline, table[0], **EXACT)
    assert result.n_evaluations == 2**n_players


@pytest.mark.parametrize("ablation", ["mask", "delete", "hide"])
def test_classes_are_explained_exactly(ablation):
    game = classes(output="margin", **SETTINGS[ablation])
    result = captum_spex.explain(game, budget=64, index="SII", max_order=2)
    asked = of_asked(word_tokenizer(), TEXT, ablation)
    table = slow_class_values(bert_classifier(), asked, every_mask(6), "margin", [0])[:, 0]
    assert_interactions(result, table, 6)
    assert result.names == ("Her", "acting", "never", "fails", "to", "impress")


def test_every_token_of_an_answer_is_explained():
    game = answer_game("gpt2", output="tokens")
    results = captum_spex.explain(game, budget=64)
    asked = of_asked(byte_tokenizer(), TEXT, "delete", prefix=PREFIX)
    table = slow_answers(causal_model("gpt2"), asked, every_mask(6), answer_ids(byte_tokenizer()))
    assert len(results) == table.shape[1] == len(game.answer_tokens)
    for result, column in zip(results, table.T, strict=True):
        assert_interactions(result, column, 6)


def test_a_stopped_run_goes_on_from_its_store(tmp_path):
    memory = Memory(bert_classifier(), 1000, KeyboardInterrupt, "")
    game = classes(model=memory.model, tokens_per_batch=50)
    batches = game.plan_batches(every_mask(6))
    memory.batches.clear()

    def stop(*_):
        if len(memory.batches) == 5:
            memory.n_rows = 0

    memory.model.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert len(memory.batches) == 5 < len(batches)
    memory.n_rows = 1000
    resumed = captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert memory.n_read == 64
    whole = captum_spex.explain(classes(tokens_per_batch=50), budget=64)
    assert_array_equal(resumed.values, whole.values)
    store = Store(tmp_path / "masks.db")
    captum_spex.explain(game, budget=64, store=store)
    assert (store.n_found, store.n_added, memory.n_read) == (64, 0, 64)


def test_the_store_of_another_text_is_refused(tmp_path):
    captum_spex.explain(classes(), budget=64, store=tmp_path / "masks.db")
    with pytest.raises(
        StoreError, match="They differ in text: 'Her acting  never fails to impress' there, 'Her acting"
    ):
        captum_spex.explain(classes(TEXT.replace("never", "rarely")), budget=64, store=tmp_path / "masks.db")
