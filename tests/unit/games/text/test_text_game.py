"""What all games over a text share: precision, fingerprints, refusals, stores."""

from __future__ import annotations

import random
import re
from copy import deepcopy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from text_games import (
    ANSWER,
    GAPS,
    PREFIX,
    TEXT,
    Memory,
    answer_game,
    assert_answers,
    classes,
    of_asked,
    slow_class_values,
    some_masks,
)
from text_models import (
    CAUSAL,
    bert_classifier,
    bert_encoder,
    byte_tokenizer,
    causal_model,
    gpt2_classifier,
    word_tokenizer,
)
from transformers import (
    BertForSequenceClassification,
    GPT2LMHeadModel,
)

import captum_spex
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, StoreError, UnknownNameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.evaluation.store import Store
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame

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


# --- unchanged models and states --------------------------------------------------------------------------------------


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
        "`text`: expected at least two players, here words, got one word ('impress'). `unit=\"token\"` may divide it"
    )
    with pytest.raises(ArgumentError, match=re.escape(message)):
        classes("impress")


@pytest.mark.parametrize("output", ["probability", "Logit", None, 3])
def test_an_unknown_output_is_refused(output):
    for make, allowed in (
        (lambda: classes(output=output), "'logit', 'margin', 'log_prob'"),
        (lambda: answer_game("gpt2", output=output), "'mean', 'sum', 'tokens'"),
    ):
        with pytest.raises(UnknownNameError, match=re.escape(f"`output`: expected {allowed}, got {output!r}.")):
            make()


def test_an_unknown_unit_is_refused():
    with pytest.raises(
        UnknownNameError, match=r"`unit`: expected 'word', 'token', 'sentence', or a list .*, got 'letter'"
    ):
        classes(unit="letter")


@pytest.mark.parametrize("tokens_per_batch", [0, -3, 1.5, True, "many"])
def test_a_batch_without_tokens_is_refused(tokens_per_batch):
    with pytest.raises(ArgumentError, match="`tokens_per_batch`: expected an integer of at least 1, got"):
        classes(tokens_per_batch=tokens_per_batch)


def test_an_ablation_without_its_token_is_refused():
    message = "`ablation`: expected 'string', 'delete', 'hide', got 'mask' for a tokenizer without it."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        answer_game("gpt2", ablation="mask")


@pytest.mark.parametrize("model", [None, "a/name", lambda **_: None])
def test_a_model_must_be_a_module(model):
    with pytest.raises(ArgumentError, match=f"`model`: expected a torch module of transformers, got {type_of(model)}"):
        ClassificationGame(model, word_tokenizer(), TEXT)


def test_a_tokenizer_must_be_callable():
    with pytest.raises(ArgumentError, match="`tokenizer`: expected the model's tokenizer, got a str"):
        ClassificationGame(bert_classifier(), "a/name", TEXT)


def test_a_model_in_training_is_refused():
    message = "`model`: expected a model in evaluation mode, got one in training mode. Call `model.eval()`"
    models = (deepcopy(bert_classifier()), deepcopy(bert_encoder()), deepcopy(causal_model("gpt2")))
    for make, model in zip((ClassificationGame, SimilarityGame, AnswerGame), models, strict=True):
        more = ["the film"] if make is SimilarityGame else []
        with pytest.raises(ArgumentError, match=re.escape(message)):
            make(model.train(), word_tokenizer(), TEXT, *more)


def test_a_text_without_fixed_tokens_is_refused_if_players_leave_no_token():
    message = "`ablation`: expected 'string' with a `replacement`, or a `prefix`, got 'delete'."
    hint = "The text has no fixed token: without players the model would read nothing."
    with pytest.raises(ArgumentError) as error:
        ClassificationGame(gpt2_classifier(), byte_tokenizer(), TEXT, ablation="delete")
    assert str(error.value) == f"{message} {hint}"


def test_a_chat_without_a_template_is_refused():
    with pytest.raises(ArgumentError, match="`chat`: expected False for a tokenizer without a chat template, got True"):
        answer_game("gpt2", chat=True)


# --- end to end -------------------------------------------------------------------------------------------------------


def test_a_stopped_run_resumes_from_its_store(tmp_path):
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
    assert memory.n_read == 64 + 2 * 2  # two masks of each run are also evaluated alone
    whole = captum_spex.explain(classes(tokens_per_batch=50), budget=64)
    assert_array_equal(resumed.values, whole.values)
    store = Store(tmp_path / "masks.db")
    captum_spex.explain(game, budget=64, store=store)
    assert (store.n_found, store.n_added, memory.n_read) == (64, 0, 68)


def test_a_model_that_reads_its_padding_is_found():
    """Rows of other lengths are padded: alone a mask has another value."""
    model = deepcopy(bert_classifier())

    def unmasked(_, args, kwargs):
        return args, {**kwargs, "attention_mask": torch.ones_like(kwargs["input_ids"])}

    model.register_forward_pre_hook(unmasked, with_kwargs=True)
    with pytest.raises(ArgumentError, match="`tokens_per_batch`: expected 1 for a model whose rows influence"):
        captum_spex.explain(classes(model=model, ablation="delete"), budget=64)
    alone = captum_spex.explain(classes(model=model, ablation="delete", tokens_per_batch=1), budget=64)
    game = classes(model=model, ablation="delete")
    wanted = captum_spex.explain(lambda masks: np.concatenate([game(mask[None]) for mask in masks]), 6, budget=64)
    assert_allclose([alone[term] for term in wanted], wanted.values, atol=1e-5)


def test_the_store_of_another_text_is_refused(tmp_path):
    captum_spex.explain(classes(), budget=64, store=tmp_path / "masks.db")
    with pytest.raises(
        StoreError, match="They differ in text: 'Her acting  never fails to impress' in the store, 'Her acting"
    ):
        captum_spex.explain(classes(TEXT.replace("never", "rarely")), budget=64, store=tmp_path / "masks.db")
