"""Value functions of scores: accuracy, loss, log-probability, logit difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from component_games import (
    EXACT,
    a_game,
    a_reader,
    message_of,
    slow_value,
    slow_values,
    some_masks,
    some_scores,
    tokens,
)
from numpy.testing import assert_allclose

from captum_spex.errors import ArgumentError
from captum_spex.games.components import (
    accuracy,
    log_prob,
    logit_difference,
    loss,
)

# --- values -----------------------------------------------------------------------------------------------------------

VALUES = {"accuracy": accuracy, "loss": loss, "log_prob": log_prob}
LABELS = {
    "classes": [0, 2, 1, 1],
    "ignored": [0, -100, 1, -100],
    "tensor": torch.tensor([3, 2, 1, 0]),
    "array": np.array([3, 3, 3, -100], dtype=np.int32),
}


@pytest.mark.sampled
@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_values_of_classes(kind, labels, dtype):
    scores = some_scores(5, 4, 4, dtype=dtype)
    wanted = [slow_value(kind, one, labels) for one in scores]
    assert_allclose(VALUES[kind](labels)(scores), wanted, **EXACT)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("position", [0, 2, -1])
def test_values_at_a_position(kind, position):
    scores, labels = some_scores(5, 4, 3, 6), [5, -100, 0, 1]
    wanted = [slow_value(kind, one[:, position], labels) for one in scores]
    assert_allclose(VALUES[kind](labels, position=position)(scores), wanted, **EXACT)


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_all_positions(kind):
    scores, labels = some_scores(5, 2, 3, 6), [[5, -100, 0], [1, 2, -100]]
    assert_allclose(VALUES[kind](labels)(scores), [slow_value(kind, one, labels) for one in scores], **EXACT)


def test_logit_difference():
    scores = some_scores(5, 4, 6)
    labels, others = [1, 2, -100, 0], [0, 2, 1, 5]
    wanted = [slow_value("logit_difference", one, labels, others) for one in scores]
    assert_allclose(logit_difference(labels, others)(scores), wanted, **EXACT)
    scores = some_scores(5, 4, 3, 6)
    wanted = [slow_value("logit_difference", one[:, 1], labels, others) for one in scores]
    assert_allclose(logit_difference(labels, others, position=1)(scores), wanted, **EXACT)


def test_one_label_for_one_example():
    assert_allclose(log_prob(2)(some_scores(3, 1, 4)), log_prob([2])(some_scores(3, 1, 4)), **EXACT)


def test_values_of_a_game():
    model, labels = a_reader(), [2, 0, 1]
    game = a_game(model, value=loss(labels, position=-1))
    masks = some_masks(game.n_players)
    scores = slow_values(model, {"input_ids": tokens()}, game.components, masks).reshape(-1, 3, 4, 3)
    wanted = [slow_value("loss", torch.tensor(one[:, -1]), labels) for one in scores]
    assert game(masks).shape == (len(masks),)
    assert_allclose(game(masks), wanted, **EXACT)


def test_the_default_value_is_the_mean_over_the_examples():
    model = a_reader()
    game, whole = a_game(model, value=None), a_game(model)
    masks = some_masks(game.n_players)
    assert game(masks).shape == (len(masks), 12)
    assert_allclose(game(masks), whole(masks).reshape(-1, 3, 12).mean(axis=1), **EXACT)
    single = a_game(model, value=None, forward=lambda ids: model(ids)[:, -1, :1])
    assert single(masks).shape == (len(masks),)
    assert_allclose(single(masks), game(masks)[:, 9], **EXACT)


CUSTOM = {
    "list": lambda scores: [float(one) for one in scores.mean(dim=(1, 2, 3))],
    "array": lambda scores: scores.mean(dim=(1, 2, 3)).numpy(),
    "float32": lambda scores: scores.mean(dim=(1, 2, 3)).float(),
    "with a gradient": lambda scores: scores.mean(dim=(1, 2, 3)) * torch.ones((), requires_grad=True),
}


@pytest.mark.parametrize("value", CUSTOM.values(), ids=CUSTOM)
def test_a_value_of_ones_own(value):
    game, whole = a_game(value=value), a_game()
    masks = some_masks(game.n_players)
    assert game(masks).dtype == np.float64
    assert_allclose(game(masks), whole(masks).mean(axis=1), rtol=1e-5, atol=1e-6)


# --- bad input: the game ----------------------------------------------------------------------------------------------

WHOLE = "integer classes"
BAD_LABELS = [
    (lambda: loss([0.0, 1.0]), f"`labels`: expected {WHOLE}, got shape (2,), torch.float32."),
    (lambda: accuracy([True, False]), f"`labels`: expected {WHOLE}, got shape (2,), torch.bool."),
    (lambda: log_prob([]), f"`labels`: expected {WHOLE}, got shape (0,), torch.float32."),
    (lambda: loss([-100, -100]), "`labels`: expected at least one class, got -100 only."),
    (
        lambda: loss([0, 1])(some_scores(5, 3, 4)),
        "`labels`: expected shape (3,) for scores of shape (3, 4), got (2,). "
        "Is `position` right?",
    ),
    (
        lambda: accuracy([0, 1, 2])(some_scores(5, 3, 2, 4)),
        "`labels`: expected shape (3, 2) for scores of shape (3, 2, 4), got (3,). "
        "Is `position` right?",
    ),
    (
        lambda: loss([0, 1, 2], position=0)(some_scores(5, 3, 4)),
        "`position`: expected an index into the scores' second dimension, got 0 for scores of shape (3, 4).",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), BAD_LABELS)
def test_labels_that_cannot_be_used(function, message):
    assert message_of(ArgumentError, function) == message


# --- corner cases -----------------------------------------------------------------------------------------------------


def test_logit_differences_of_half_precision_are_taken_in_double():
    scores = torch.tensor([[[100.0, 0.3]]], dtype=torch.bfloat16)
    assert_allclose(logit_difference([0], [1])(scores), 100.0 - float(scores[0, 0, 1]), rtol=1e-12)


def test_ignored_labels_may_be_ignored_among_the_others_too():
    scores = some_scores(5, 3, 4)
    wanted = logit_difference([1, -100, 0], [0, 2, 3])(scores)
    assert_allclose(logit_difference([1, -100, 0], [0, -100, 3])(scores), wanted, **EXACT)


@pytest.mark.sampled
@pytest.mark.parametrize("wrong", [-1, 4, 99])
@pytest.mark.parametrize("function", [accuracy, loss, log_prob, lambda ones: logit_difference([0] * 3, ones)])
def test_classes_that_do_not_exist(function, wrong):
    with pytest.raises(ArgumentError, match=f": expected classes from 0 to 3, or -100, got {wrong}"):
        function([0, wrong, 1])(some_scores(5, 3, 4))
