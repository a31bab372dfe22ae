"""A ``transformers`` pipeline as a game: values are the pipeline's own scores of what is left of the text."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import pipeline

import captum_spex
from captum_spex.games.text import ClassificationGame
from captum_spex.games.text.embedded import EMBEDDED_MODEL
from captum_spex.masks import all_masks

TEXT = "Her acting never fails to impress"
WORDS = TEXT.split()


@pytest.fixture(scope="module")
def classifier():
    return pipeline("text-classification", model=str(EMBEDDED_MODEL), device="cpu")


def texts(masks, absent):
    """Return the text under every mask, put together by hand."""
    kept = [[word if is_present else absent for word, is_present in zip(WORDS, mask, strict=True)] for mask in masks]
    return [" ".join(word for word in words if word) for words in kept]


def scores(classifier, given, label):
    """Return what the pipeline itself says, as log-probabilities."""
    answers = classifier(given, top_k=None)
    return np.log([next(one["score"] for one in answer if one["label"] == label) for answer in answers])


@pytest.mark.parametrize("label", ["positive", "negative"])
@pytest.mark.parametrize("ablation", ["mask", "delete"])
def test_values_are_the_scores_of_the_pipeline(classifier, label, ablation):
    game = ClassificationGame.from_pipeline(classifier, TEXT, target=label, output="log_prob", ablation=ablation)
    masks = all_masks(len(WORDS))
    if ablation == "mask":
        # a word of several tokens leaves as many masks behind
        n_tokens = [len(classifier.tokenizer(word, add_special_tokens=False)["input_ids"]) for word in WORDS]
        assert n_tokens == [1] * len(WORDS)
    absent = "[MASK]" if ablation == "mask" else ""
    expected = scores(classifier, texts(masks, absent), label)
    np.testing.assert_allclose(game(masks), expected, rtol=0, atol=1e-4)
    assert np.std(expected) > 0.1


def test_the_class_is_the_one_that_the_pipeline_predicts(classifier):
    for text in (TEXT, "The plot never works"):
        game = ClassificationGame.from_pipeline(classifier, text)
        assert game.labels == (classifier(text)[0]["label"],)


def test_its_explanation(classifier):
    result = captum_spex.explain(ClassificationGame.from_pipeline(classifier, TEXT, target="positive"))
    assert result.name_of(next(iter(result.top(1, order=2)))) == "never x fails"
    assert result[("never", "fails")] > 0
