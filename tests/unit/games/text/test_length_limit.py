"""How long a text may be."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from text_games import CLASSIFIERS, classes
from text_models import (
    bert_classifier,
    byte_tokenizer,
    causal_model,
    word_tokenizer,
)

from captum_spex.errors import ArgumentError
from captum_spex.games.text import AnswerGame, ClassificationGame


@pytest.mark.parametrize(("kind", "n_fit"), [("bert", 38), ("roberta", 38)])
def test_a_text_of_the_limit_fits_and_one_token_more_does_not(kind, n_fit):
    model, tokenizer = (make() for make in CLASSIFIERS[kind])
    piece = "x " if kind == "bert" else "x"
    unit = "word" if kind == "bert" else "token"
    game = ClassificationGame(model, tokenizer, (piece * n_fit).strip(), target=0, unit=unit)
    assert np.isfinite(game(np.ones((1, n_fit), dtype=bool))).all()
    with pytest.raises(ArgumentError) as error:
        ClassificationGame(model, tokenizer, (piece * (n_fit + 1)).strip(), target=0, unit=unit)
    message = "`text`: expected at most 40 tokens, the limit of the model, got 41 tokens, 2 of them around the text."
    hint = f"The first {n_fit} of its {n_fit + 1} players fit: shorten it, or explain it in pieces."
    assert str(error.value) == f"{message} {hint}"


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
    with pytest.raises(
        ArgumentError, match=r"expected at most 10 tokens, the limit .*, got 11 tokens, 2 of them around the text"
    ):
        ClassificationGame(bert_classifier(), tokenizer, "x " * 9, target=0)


def test_a_replacement_that_makes_rows_too_long_is_refused():
    classes("x " * 19, replacement="a b")
    with pytest.raises(ArgumentError) as error:
        classes("x " * 20, replacement="a b")
    expected = "rows of at most 40 tokens, the limit of the model"
    assert str(error.value) == f"`replacement`: expected {expected}, got one that makes up to 42."


@pytest.mark.parametrize("kind", ["bloom", "mamba"])
def test_models_without_a_limit_read_any_text(kind):
    game = AnswerGame(causal_model(kind), byte_tokenizer(), "x " * 100, answer="x")
    assert np.isfinite(game(np.ones((1, 100), dtype=bool))).all()
