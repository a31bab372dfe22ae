"""Similarities of texts as games: every value equals that of a slow twin."""

from __future__ import annotations

import re

import pytest
import torch
from numpy.testing import assert_allclose
from text_games import EXACT, GAPS, SETTINGS, TEXT, assert_varied, every_ablation, of_asked, some_masks
from text_models import (
    bert_classifier,
    bert_encoder,
    slow_embedding,
    slow_row,
    word_tokenizer,
)

from captum_spex.errors import ArgumentError, GameError, UnknownNameError
from captum_spex.games.text import SimilarityGame


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


@pytest.mark.parametrize(
    ("special_tokens", "given", "read"),
    [(None, "[CLS] ", True), (None, "", True), (True, "", True), (False, "", False), (False, "[CLS] ", None)],
)
def test_text_and_query_have_special_tokens_by_one_choice(special_tokens, given, read):
    """Once, even if the text has the first of them itself; or none, except for that."""
    model, tokenizer, masks = bert_encoder(), word_tokenizer(), some_masks(6)
    arguments = {"output": "dot", "prefix": given, "special_tokens": special_tokens}
    game = SimilarityGame(model, tokenizer, TEXT, f"{given}the film is good", **arguments)
    ids = tokenizer("the film is good", add_special_tokens=bool(read))["input_ids"]
    first = [tokenizer.cls_token_id] if read is None else []
    query = slow_embedding(model, first + ids, [1] * len(first + ids), [0] * len(first + ids), "mean")
    asked = of_asked(tokenizer, TEXT, "mask", specials=bool(read))
    rows = [slow_row(asked, mask)[0] for mask in masks]
    ones = [slow_embedding(model, first + row, [1] * len(first + row), [0] * len(first + row), "mean") for row in rows]
    assert_allclose(game(masks), [float(one @ query) for one in ones], **EXACT)


@pytest.mark.parametrize("query", ["", "  \n", None, 3])
def test_a_query_must_be_a_text(query):
    message = f"`query`: expected a text, or an embedding (n_features,), got {query!r}."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, query)


def test_a_query_of_several_rows_is_refused():
    message = "`query`: expected a text, or an embedding (16,), got shape (2, 16)."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, torch.zeros(2, 16))


def test_a_query_of_another_width_is_refused_before_the_first_evaluation():
    with pytest.raises(ArgumentError, match=r"`query`: expected a text, or an embedding \(16,\), got shape \(17,\)"):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, torch.ones(17))


def test_a_query_that_is_longer_than_the_model_reads_is_refused():
    SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "x " * 38)
    with pytest.raises(
        ArgumentError, match="`query`: expected at most 40 tokens, the limit of the model, got 41 tokens"
    ):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "x " * 39)


def test_a_model_without_hidden_states_is_refused():
    message = "`model`: expected it to return `last_hidden_state`, got a BertForSequenceClassification without"
    with pytest.raises(GameError, match=message):
        SimilarityGame(bert_classifier(), word_tokenizer(), TEXT, "the film")


@pytest.mark.parametrize(
    ("argument", "allowed"), [("output", "'cosine', 'dot'"), ("pooling", "'mean', 'first', 'last'")]
)
def test_unknown_similarities_are_refused(argument, allowed):
    with pytest.raises(UnknownNameError, match=re.escape(f"`{argument}`: expected {allowed}, got 'max'.")):
        SimilarityGame(bert_encoder(), word_tokenizer(), TEXT, "the film", **{argument: "max"})
