"""Explainable boosting models: their games are the models themselves on rows that are mixed of two."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from captum_spex.benchmark.cases.additive_models import fitted_model, made, moebius_of, triples_of


class Terms:
    """A model of terms with two triples, a pair and a single feature, as interpret's answers."""

    intercept_ = np.array([0.5])
    term_features_ = ((2,), (3, 1), (0, 4, 2), (1, 2, 3))

    def eval_terms(self, x):
        return np.stack([np.sin(x[:, list(some)].sum(axis=1)) * len(some) for some in self.term_features_], axis=1)


def test_moebius_terms_add_up_to_the_model_on_mixed_rows():
    from captum_spex.benchmark.cases.conjunctions import Conjunctions

    row, background = np.random.default_rng(0).normal(size=(2, 5))
    found = moebius_of(Terms(), row, background)
    assert max(map(len, found)) == 3
    masks = np.random.default_rng(1).random((50, 5)) < 0.5
    values = 0.5 + Terms().eval_terms(np.where(masks, row, background)).sum(axis=1)
    assert_allclose(Conjunctions.of_moebius(found, 5)(masks), values, atol=1e-12)


def test_triples_are_unions_of_pairs():
    assert triples_of([(0, 1), (2, 3), (1, 4), (0, 4)]) == [(0, 1, 4)]
    assert triples_of([(0, 1), (1, 2)]) == [(0, 1, 2)]
    assert triples_of([]) == []


@pytest.mark.parametrize("data", ["breast_cancer", "digits"])
def test_a_game_is_the_model_on_mixed_rows(data):
    pytest.importorskip("interpret")
    model, row, background = fitted_model(data)
    assert max(map(len, model.term_features_)) == 3
    game, truth = made(data)
    masks = np.random.default_rng(2).random((50, len(row))) < 0.5
    assert_allclose(game(masks), model.decision_function(np.where(masks, row, background)), atol=1e-10)
    assert truth is game
