"""What generated answers are worth, against the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from captum_spex.errors import ArgumentError, GameError
from captum_spex.games.remote.answer_values import AnswerValue

pytest.importorskip("openai")
PAIRS = [("Under the mat.", "under The mat"), ("", "x"), ("", ""), ("no", "yes"), ("the the cat", "the cat the mat")]
PAIRS += [
    ("\u65e5\u672c\u8a9e", "\u65e5\u672c"),
    ("a b c", "c b a"),
    ("Paris", "In Paris, France"),
    ("x", "xxxxxxxxxx"),
]


def f1(ours, theirs):
    """Slowly: pieces of one are crossed out in the other, one by one."""
    left, common = list(theirs), 0
    for piece in ours:
        if piece in left:
            left.remove(piece)
            common += 1
    if not ours and not theirs:
        return 1.0
    precision, recall = common / max(len(ours), 1), common / max(len(theirs), 1)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def words(text):
    return "".join(one if one.isalnum() else " " for one in text.lower()).split()


def runs(text, size):
    return [text[start : start + size] for start in range(len(text)) if start + size <= len(text)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_overlaps_are_those_of_the_definition(one, other):
    assert AnswerValue("words")(one, other) == pytest.approx(f1(words(one), words(other)))
    sizes = range(1, min(6, max(len(one), len(other), 1)) + 1)
    by_hand = sum(f1(runs(one, size), runs(other, size)) for size in sizes) / len(sizes)
    assert AnswerValue("characters")(one, other) == pytest.approx(by_hand)
    assert AnswerValue("exact")(one, other) == float(one == other)
    for value in ("words", "characters", "exact"):
        assert AnswerValue(value)(one, other) == pytest.approx(AnswerValue(value)(other, one))
        assert AnswerValue(value)(other, other) == 1.0


def test_an_encoder_gives_the_cosine():
    def encode(texts):
        return torch.tensor([[len(text), text.count("a")] for text in texts], dtype=torch.float32)

    value = AnswerValue("cosine", encode)
    assert value("banana", "cab") == pytest.approx((6 * 3 + 3) / math.hypot(6, 3) / math.hypot(3, 1))
    assert value(" ", "cab") == 0.0


def test_a_function_gets_answer_and_reference():
    assert AnswerValue(lambda answer, reference: np.float32(len(answer) - len(reference)))("abc", "a") == 2.0
    assert AnswerValue(lambda answer, _: "mat" in answer)("the mat", "") == 1.0


@pytest.mark.parametrize(
    ("value", "encoder", "message"),
    [
        ("bleu", None, "`value`: expected 'words', 'characters', 'exact', 'cosine', got 'bleu'. Or a function"),
        ("cosine", None, '`encoder`: expected a function from texts to embeddings for `value="cosine"`'),
        ("words", len, '`encoder`: expected a function from texts to embeddings for `value="cosine"`, else None'),
        ("cosine", 3, "`encoder`: expected|`encoder`: an int"),
    ],
)
def test_bad_values_are_refused(value, encoder, message):
    with pytest.raises(ArgumentError, match=message):
        AnswerValue(value, encoder)


@pytest.mark.parametrize(
    ("value", "encoder", "message"),
    [
        (lambda *_: None, None, "`value`: expected it to return real numbers"),
        (lambda *_: [1.0, 2.0], None, "`value`: expected it to return one number, got 2"),
        (
            "cosine",
            lambda texts: [1.0, 2.0],
            r"`encoder`: expected embeddings \(2, n_features\) of 2 texts, got \(2,\)",
        ),
        ("cosine", lambda texts: np.zeros((2, 3)), "`encoder`: expected embeddings that are not 0"),
    ],
)
def test_functions_that_return_no_number_are_named(value, encoder, message):
    with pytest.raises(GameError, match=message):
        AnswerValue(value, encoder)("a", "b")


def test_values_have_descriptions():
    assert AnswerValue("words").described() == "words"
    described = [AnswerValue(*one).described() for one in [("words",), ("exact",), (len,), (max,), ("cosine", len)]]
    assert len(set(described)) == 5
