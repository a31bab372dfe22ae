"""Text classifiers as games: every value equals that of a slow twin."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from sampled import examples
from text_games import (
    CLASSIFIERS,
    EXACT,
    GAPS,
    SETTINGS,
    TEXT,
    WITHOUT_TOKENS,
    assert_interactions,
    assert_varied,
    classes,
    every_ablation,
    of_asked,
    slow_class_values,
    some_masks,
)
from text_models import (
    bert_classifier,
    bert_encoder,
    byte_tokenizer,
    causal_model,
    gpt2_classifier,
    llama_classifier,
    roberta_classifier,
    roberta_tokenizer,
    slow_logits,
    word_tokenizer,
)
from transformers import (
    pipeline,
)

import captum_spex
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text import AnswerGame, ClassificationGame, embedded_model

CLASSIFIED = [
    (kind, ablation)
    for kind in CLASSIFIERS
    for ablation in SETTINGS
    if kind in ("bert", "roberta") or ablation in WITHOUT_TOKENS
]

# --- classification ---------------------------------------------------------------------------------------------------


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
    expected = '`pipeline`: expected a `transformers.pipeline("text-classification")`, got'
    got = "a FeatureExtractionPipeline for 'feature-extraction'"
    with pytest.raises(ArgumentError, match=re.escape(f"{expected} {got}.")):
        ClassificationGame.from_pipeline(piped, TEXT)
    with pytest.raises(ArgumentError, match=re.escape(f"{expected} a str for 'no task'.")):
        ClassificationGame.from_pipeline("text-classification", TEXT)


# --- words that the model does not know -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("word", "16 of 80 words are unknown to this model: it reads the same token for each."),
        ("token", "16 of 80 tokens are unknown to this model"),
        ("sentence", "2 of 3 sentences hold words that are unknown to this model"),
        ([(0, 9), (20, 360)], "1 of 2 spans hold words that are unknown to this model"),
    ],
)
def test_unknown_words_are_counted(unit, message):
    known = "good film " * 32
    text = f"{known[:320]} {'zxqj ' * 16}".strip()
    if unit == "sentence":
        text = "Good film. A zxqj and a wvxq. So zxqj is it"
    model, tokenizer = embedded_model()
    with pytest.warns(UserWarning, match=re.escape(message)):
        game = ClassificationGame(model, tokenizer, text, unit=unit, ablation="mask")
    assert game.n_unknown == int(message.split()[0])


def test_known_words_are_not_counted():
    assert ClassificationGame(*embedded_model(), "Her acting never fails to impress").n_unknown == 0
    assert AnswerGame(causal_model("gpt2"), byte_tokenizer(), "zxqj é 😀", answer="x", prefix="So ").n_unknown == 0


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["best", "", 3, -1, True, np.True_, [0, "worst"], [False], 1.0, None])
def test_an_unknown_class_is_refused(target):
    given = [None] if target is None else target
    wrong = given[-1] if isinstance(given, list) else given
    wrong = bool(wrong) if isinstance(wrong, np.bool_) else wrong
    message = f"`target`: expected 'bad', 'fair', 'Good', or a number from 0 to 2, got {wrong!r}."
    with pytest.raises(UnknownNameError, match=re.escape(message)):
        classes(target=given)


def test_no_class_at_all_is_refused():
    with pytest.raises(ArgumentError, match="`target`: expected a label or number, or several, got no class"):
        classes(target=[])


@pytest.mark.parametrize("make", [gpt2_classifier, llama_classifier])
def test_a_decoder_that_does_not_know_its_padding_is_refused(make):
    hint = "Set it, for instance to the tokenizer's `eos_token_id`."
    message = f"`model`: expected a decoder's `model.config.pad_token_id`, got None. {hint}"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        ClassificationGame(make(pad_token_id=None), byte_tokenizer(), TEXT, prefix="So ")


@pytest.mark.parametrize("model", [bert_encoder, lambda: causal_model("gpt2")], ids=["encoder", "causal"])
def test_other_models_than_classifiers_are_refused(model):
    with pytest.raises(
        ArgumentError,
        match=r"`model`: expected a model for sequence classification.*, got a (BertModel|GPT2LMHeadModel)",
    ):
        ClassificationGame(model(), word_tokenizer(), TEXT)
    game = ClassificationGame(model(), word_tokenizer(), TEXT, target=0)
    with pytest.raises(
        ArgumentError,
        match=r"`model`: expected a model for sequence classification.*, got a (BertModel|GPT2LMHeadModel)",
    ):
        game(np.ones((1, game.n_players), dtype=bool))


def test_a_decoder_does_not_classify_from_a_hidden_token():
    """It reads its answer at the last token, hidden or not."""
    with pytest.raises(ArgumentError, match="`ablation`: expected another ablation, or a `suffix`, got 'hide'"):
        ClassificationGame(gpt2_classifier(), byte_tokenizer(), TEXT, target=0, ablation="hide", prefix="So ")


# --- end to end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ablation", ["mask", "delete", "hide"])
def test_classes_are_explained_exactly(ablation):
    game = classes(output="margin", **SETTINGS[ablation])
    result = captum_spex.explain(game, budget=64, index="SII", max_order=2)
    asked = of_asked(word_tokenizer(), TEXT, ablation)
    table = slow_class_values(bert_classifier(), asked, every_mask(6), "margin", [0])[:, 0]
    assert_interactions(result, table, 6)
    assert result.names == ("Her", "acting", "never", "fails", "to", "impress")
