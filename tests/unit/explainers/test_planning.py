"""Planned rows: budgets, names, and interactions of any order among all inputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from oracles import INDICES
from shap.maskers import Text
from shap_cases import (
    ASKED_ALONE,
    QUICK,
    SMALL_SPEX,
    TEXTS,
    Counted,
    assert_sums,
    both,
    hashed,
    hidden_by_two,
    of_table,
    of_two,
    polynomial,
    quadratic,
    slow_games,
    table,
    table_masker,
    with_outputs,
)

from captum_spex import Interactions
from captum_spex import approximators as algorithms
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer


def test_interactions_of_one_column_need_no_arguments():
    assert ProxySpexExplainer(lambda x: 2 * x[:, 0], np.zeros((1, 1))).interactions(np.ones((1, 1)))[0][(0,)] == 2.0


@pytest.mark.sampled
@both
@pytest.mark.parametrize("n_hidden", [1, 3])
@pytest.mark.parametrize("n_outputs", [0, 2])
def test_no_more_masks_than_allowed(kind, n_hidden, n_outputs):
    model = Counted(with_outputs(of_table, n_outputs))
    background, x, chosen = table(n_hidden, 16, 1), table(3, 16), QUICK if kind is ProxySpexExplainer else SMALL_SPEX
    budget = 40 if kind is ProxySpexExplainer else 700
    kind(model, background, seed=0, approximator=chosen)(x, max_evals=budget)
    n_masks = len(model.rows) / n_hidden
    assert n_masks <= 1 + 3 * (budget - 1) + ASKED_ALONE
    assert n_masks > budget
    for row in background:
        assert (model.rows == row).all(axis=1).sum() == 1


@pytest.mark.parametrize("budget", [2, 3, 17, 31, 32, 33, 10**6])
def test_no_mask_is_evaluated_twice_but_two_alone(budget):
    model = Counted(polynomial)
    found = ProxySpexExplainer(model, np.zeros((1, 5)), approximator=QUICK)(table(1, 5), max_evals=budget)
    assert min(budget, 32) == len(np.unique(model.rows, axis=0))
    assert len(model.rows) - min(budget, 32) == (ASKED_ALONE if budget > 3 else 0)  # of one inner mask nothing is asked
    assert_sums(found, polynomial(table(1, 5)))


@pytest.mark.parametrize(("n", "expected"), [(1, 2), (3, 8), (9, 512), (10, 1024), (11, 512), (12, 512), (30, 589)])
def test_the_default_number_of_evaluations(n, expected):
    model = Counted(lambda x: x.sum(axis=1))
    explainer = ProxySpexExplainer(model, np.zeros((1, n)), approximator=QUICK)
    explainer(table(1, n))
    assert len(model.rows) - (ASKED_ALONE if n > 1 else 0) == explainer.default_max_evals(n) == expected
    assert SpexExplainer(model, np.zeros((1, n))).default_max_evals(n) == algorithms.Spex.default_budget(n)


@pytest.mark.parametrize("n", [11, 13])
def test_without_a_number_all_masks_of_a_fast_model_are_evaluated(n):
    explainer = ProxySpexExplainer(lambda x: np.stack([x.prod(axis=1), np.tanh(x.sum(axis=1))], 1), table(3, n, 1))
    x = table(2, n)
    found, expected = explainer(x, interactions=True), explainer(x, interactions=True, max_evals=2**n)
    assert_allclose(found.values, expected.values, atol=1e-12)
    results = explainer.interactions(x, outputs=[1])
    assert [row[0].n_evaluations for row in results] == [2**n] * 2


def test_a_given_number_of_masks_is_never_exceeded():
    model = Counted(lambda x: x.sum(axis=1))
    explainer = ProxySpexExplainer(model, np.zeros((1, 11)))
    explainer(table(1, 11), max_evals=explainer.default_max_evals(11))
    assert len(model.rows) - ASKED_ALONE == 512


def test_names_of_features():
    x, background = table(2, 4), table(1, 4, 1)
    assert ProxySpexExplainer(polynomial, background)(x).feature_names == [f"Feature {i}" for i in range(4)]
    named = ProxySpexExplainer(polynomial, background, feature_names=list("wxyz"))
    assert named(x).feature_names == named(x, interactions=True).feature_names == list("wxyz")
    assert named(pd.DataFrame(x, columns=list("abcd"))).feature_names == list("abcd")
    texts = ProxySpexExplainer(hashed, Text(r"\W+"))(TEXTS[:2])
    assert texts.feature_names == [text.split() for text in TEXTS[:2]]
    nested = ProxySpexExplainer(of_two, hidden_by_two, feature_names=[list("abcd"), list("xyz")])
    assert [one.feature_names for one in nested(table(2, 4), table(2, 3))] == [list("abcd"), list("xyz")]


def test_names_of_fewer_features():
    model = Counted(polynomial)
    with pytest.raises(ArgumentError, match=r"`feature_names`: expected .*, got "):
        ProxySpexExplainer(model, table(1, 4, 1), feature_names=["a", "b"])(table(2, 4))
    assert model.calls == []


def test_names_that_shap_would_cut():
    plain = ["sex:male", "age ≤ 30", "income ≥ 9", "colour: red", "job ≠ none"]
    names = ["sex=male", "age <= 30", "income >= 9", "colour== red", "job != none"]
    x, background = table(2, 5), table(1, 5, 1)
    for explainer, rows in (
        (ProxySpexExplainer(polynomial, background, feature_names=names), x),
        (ProxySpexExplainer(polynomial, background), pd.DataFrame(x, columns=names)),
    ):
        assert explainer(rows).feature_names == explainer(rows, interactions=True).feature_names == plain
        assert explainer.interactions(rows)[0].names == tuple(names)
    texts = ProxySpexExplainer(hashed, Text(r"\s+"))(["a=b is c"], max_evals=8)
    assert texts.feature_names == [["a:b", "is", "c"]]


@pytest.mark.sampled
@pytest.mark.parametrize("index", [name for name in INDICES if name != "Fourier"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_index_among_inputs_that_do_not_vary(index, order):
    """Two of five inputs equal the background, so orders 4 and 5 are more than the inputs that vary."""
    model, x, background = with_outputs(of_table, 2), table(1, 5), table(2, 5, 1)
    x[0, [1, 4]] = background[:, [1, 4]] = 0.5
    explainer = ProxySpexExplainer(model, background)
    results = explainer.interactions(x, index=index, max_order=order)[0]
    assert [type(result) for result in results] == [Interactions] * 2
    games = slow_games(model, background, x[0])
    for result, game in zip(results, games, strict=True):
        assert (result.n_players, result.max_order) == (5, 1 if index in ("SV", "BV") else order)
        expected = INDICES[index](game, 5, order)
        assert set(result) <= set(expected)
        assert_allclose([result[players] for players in expected], list(expected.values()), atol=1e-8)


def test_interactions_sum_to_the_output():
    x, background = table(3, 6), table(2, 6, 1)
    explainer = ProxySpexExplainer(polynomial, background)
    for index in ("k-SII", "STII", "FSII"):
        for row, result in enumerate(explainer.interactions(x, index=index, max_order=3)):
            assert_allclose(result.baseline + result.values.sum(), polynomial(x)[row], rtol=1e-9)


@both
def test_the_largest_interactions_are_kept(kind):
    x, background = table(1, 8), np.zeros((1, 8))
    explainer = kind(quadratic, background)
    everything = explainer.interactions(x, max_order=3)[0]
    found = explainer.interactions(x, max_order=3, max_terms=2)[0]
    assert (len(everything), len(found)) == (8 + 28 + 56, 10)
    assert found.n_left_out == 28 + 56 - 2
    assert set(found.top(2, order=2)) == {(0, 1), (2, 7)}
    assert_allclose(found[(0, 1)], x[0, 0] * x[0, 1])
    with pytest.raises(KeyError, match="smaller ones were left out"):
        found[(3, 4)]


def test_matrices_hold_all_pairs_however_many_terms_are_kept():
    n = 60
    background, x = np.zeros((1, n)), np.ones((1, n))
    found = ProxySpexExplainer(lambda x: x.sum(axis=1) ** 2, background, seed=0, approximator=QUICK)(
        x, max_evals=100, interactions=True
    )
    assert (found.values[0] != 0).all()
    assert_allclose(found.base_values + found.values.sum(axis=(1, 2)), [n**2], rtol=1e-6)


def test_interactions_have_names_and_errors():
    x, background = table(2, 16), table(1, 16, 1)
    explainer = ProxySpexExplainer(of_table, background, feature_names=[f"f{i}" for i in range(16)], approximator=QUICK)
    for result in explainer.interactions(x, max_evals=60):
        assert result.n_evaluations <= 60
        assert (result.std_errors > 0).all()
        assert result[("f0", "f3")] == result[(0, 3)]
    texts = ProxySpexExplainer(hashed, Text(r"\W+")).interactions(TEXTS, max_order=3)
    assert [result.n_players for result in texts] == [4, 4, 2]
    assert [result.max_order for result in texts] == [3, 3, 2]
    assert texts[0].names == ("Her", "acting", "never", "fails")


def test_interactions_of_several_arguments_are_numbered_through():
    explainer = ProxySpexExplainer(lambda x, y: 3 * x[:, 1] * y[:, 0], [table_masker(2), table_masker(2)])
    found = explainer.interactions(np.ones((1, 2)), np.ones((1, 2)))[0]
    assert found.n_players == 4
    assert found[(1, 2)] == pytest.approx(3)
