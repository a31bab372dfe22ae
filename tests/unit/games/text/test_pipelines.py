"""Classifiers whose labels are not exclusive, and pipelines: the numbers are those that the pipeline returns."""

from __future__ import annotations

import math
import re
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from text_games import EXACT, TEXT, of_asked, some_masks
from text_models import bert_classifier, slow_logits, word_tokenizer
from transformers import pipeline

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text import ClassificationGame

PROBLEMS = (None, "single_label_classification", "multi_label_classification", "regression")
FUNCTIONS = (None, "softmax", "sigmoid", "none")
EVERY = np.ones((1, 6), dtype=np.bool_)


def classifier(problem=None, n_labels=3):
    model = deepcopy(bert_classifier(n_labels))
    model.config.problem_type = problem
    return model


def piped(problem=None, function=None, n_labels=3, **settings):
    settings |= {} if function is None else {"function_to_apply": function}
    model = classifier(problem, n_labels)
    return pipeline("text-classification", model=model, tokenizer=word_tokenizer(), top_k=None, **settings)


def scores_of(pipe):
    """The pipeline's score of every label, in the order of their numbers."""
    found = {one["label"]: one["score"] for one in np.ravel(pipe(TEXT))}  # transformers 5 returns a list of lists
    return [found[label] for label in pipe.model.config.id2label.values()]


def slow_log_probs(logits, function):
    """From the definitions, in Python's numbers."""
    if function == "sigmoid":
        return [-math.log1p(math.exp(-logit)) for logit in logits]
    largest = max(logits)
    return [logit - largest - math.log(sum(math.exp(other - largest) for other in logits)) for logit in logits]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_probabilities_are_those_of_the_pipeline(problem, function):
    pipe = piped(problem, function)
    has_none = function == "none" or (function is None and problem == "regression")
    output = "logit" if has_none else "log_prob"
    game = ClassificationGame.from_pipeline(pipe, TEXT, target=[0, 1, 2], output=output)
    values = game(EVERY)[0]
    assert_allclose(values if has_none else np.exp(values), scores_of(pipe), atol=1e-6, rtol=0)
    if has_none:
        with pytest.raises(ArgumentError, match="`output`: expected 'logit' or 'margin' for scores without prob"):
            ClassificationGame.from_pipeline(pipe, TEXT, target=[0, 1, 2], output="log_prob")


def test_labels_that_are_not_exclusive_are_not_those_of_a_softmax():
    pipe = piped("multi_label_classification")
    scores = scores_of(pipe)
    assert abs(sum(scores) - 1) > 0.1
    game = ClassificationGame(pipe.model, word_tokenizer(), TEXT, target=[0, 1, 2], output="log_prob")
    assert_allclose(np.exp(game(EVERY)[0]), scores, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("problem", "given", "function"),
    [
        ("multi_label_classification", None, "sigmoid"),
        ("multi_label_classification", "softmax", "softmax"),
        (None, None, "softmax"),
        (None, "sigmoid", "sigmoid"),
        ("regression", "sigmoid", "sigmoid"),
    ],
)
@pytest.mark.parametrize("ablation", ["mask", "delete", "hide"])
def test_log_probabilities_under_every_mask(problem, given, function, ablation):
    model = classifier(problem)
    arguments = {"output": "log_prob", "target": [2, 0], "ablation": ablation, "function_to_apply": given}
    game = ClassificationGame(model, word_tokenizer(), TEXT, **arguments)
    asked, masks = of_asked(word_tokenizer(), TEXT, ablation), some_masks(6)
    logits = [slow_logits(model, asked, mask).tolist() for mask in masks]
    wanted = [[slow_log_probs(row, function)[label] for label in (2, 0)] for row in logits]
    assert_allclose(game(masks), wanted, **EXACT)


@pytest.mark.parametrize("problem", [None, "single_label_classification", "multi_label_classification"])
def test_a_single_score_of_a_pipeline_is_a_probability(problem):
    pipe = piped(problem, n_labels=1)
    game = ClassificationGame.from_pipeline(pipe, TEXT, output="log_prob")
    assert_allclose(np.exp(game(EVERY)), scores_of(pipe), atol=1e-6, rtol=0)
    logit = ClassificationGame.from_pipeline(pipe, TEXT)(EVERY)
    assert_allclose(1 / (1 + np.exp(-logit)), scores_of(pipe), atol=1e-6, rtol=0)


@pytest.mark.parametrize("problem", [None, "regression"])
@pytest.mark.parametrize("output", ["margin", "log_prob"])
def test_a_single_number_of_a_model_stays_what_it_is(problem, output):
    model = classifier(problem, n_labels=1)
    asked, masks = of_asked(word_tokenizer(), TEXT, "mask"), some_masks(6)
    wanted = [float(slow_logits(model, asked, mask)[0]) for mask in masks]
    assert_allclose(ClassificationGame(model, word_tokenizer(), TEXT)(masks), wanted, **EXACT)
    with pytest.raises(ArgumentError, match="`output`: expected 'logit' for a model with a single output, got"):
        ClassificationGame(model, word_tokenizer(), TEXT, output=output)


def test_a_regression_of_a_pipeline_stays_what_it_is():
    pipe = piped("regression", n_labels=1)
    assert_allclose(ClassificationGame.from_pipeline(pipe, TEXT)(EVERY), scores_of(pipe), atol=1e-6, rtol=0)
    with pytest.raises(ArgumentError, match="`output`: expected 'logit' for a model with a single output, got"):
        ClassificationGame.from_pipeline(pipe, TEXT, output="log_prob")


def test_a_choice_of_the_caller_goes_before_that_of_the_pipeline():
    pipe = piped(function="sigmoid")
    game = ClassificationGame.from_pipeline(pipe, TEXT, target=0, output="log_prob", function_to_apply="softmax")
    assert_allclose(np.exp(game(EVERY)), scores_of(piped())[0], atol=1e-6, rtol=0)


def test_a_store_tells_functions_apart():
    prints = [
        ClassificationGame(classifier(), word_tokenizer(), TEXT, target=0, output=output, function_to_apply=function)
        for output, function in [("log_prob", None), ("log_prob", "sigmoid"), ("logit", None), ("logit", "sigmoid")]
    ]
    softmax, sigmoid, logit, again = [game.fingerprint for game in prints]
    assert softmax != sigmoid
    assert logit == again != softmax


def test_another_function_is_refused():
    message = "`function_to_apply`: expected 'softmax', 'sigmoid', 'none', got 'tanh'."
    with pytest.raises(UnknownNameError, match=re.escape(message)):
        ClassificationGame(classifier(), word_tokenizer(), TEXT, function_to_apply="tanh")


def test_a_pipeline_that_cuts_the_text_is_refused():
    pipe = piped(truncation=True, max_length=5)
    message = "`pipeline`: expected a pipeline that reads the complete text, got one that reads 5 tokens of this text"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        ClassificationGame.from_pipeline(pipe, TEXT)
    assert ClassificationGame.from_pipeline(piped(truncation=True, max_length=30), TEXT).n_players == 6
