"""Values and pairs against their definitions and SHAP's tree explainer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shap
from games import random_table, smooth_game, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES, shapley_by_permutations
from shap_forms import FORMS, N_SMOOTH, estimated, exact, random_result
from sklearn.tree import DecisionTreeRegressor

import captum_spex
from captum_spex.approximators import Spex
from captum_spex.explainers import to_shap
from captum_spex.indices import NAMES


@given(tables(5), st.sampled_from(NAMES))
def test_values_are_shapley_values_whatever_the_index(game, index):
    table, n = game
    explanation = exact(table, n, index, min(2, n)).to_shap("values")
    assert explanation.values.shape == (n,)
    assert_allclose(explanation.values, shapley_by_permutations(table, n), atol=1e-9)
    assert_allclose(explanation.base_values, table[0], atol=1e-9)


def test_values_are_the_default_and_one_line_for_every_row():
    results = [random_result(seed=seed, names=list("abcd")) for seed in range(3)]
    explanation = to_shap(results)
    assert explanation.values.shape == (3, 4)
    assert list(explanation.feature_names) == list("abcd")
    assert_array_equal(explanation.values, [result.to_shap().values for result in results])
    assert_allclose(explanation.base_values, [random_table(4, seed)[0] for seed in range(3)], atol=1e-12)
    totals = [random_table(4, seed)[-1] for seed in range(3)]
    assert_allclose(explanation.values.sum(axis=1) + explanation.base_values, totals, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_one_result_needs_no_list(form):
    result = random_result()
    one, listed = to_shap(result, form), to_shap([result], form)
    assert one.shape[0] == 1
    assert_array_equal(one.values, listed.values)


@pytest.mark.sampled
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "settings", [{}, {"approximator": Spex(), "budget": 300}, {"index": "STII"}, {"max_terms": 3}], ids=str
)
def test_what_is_estimated_adds_up_to_the_prediction(form, settings):
    explanation = to_shap([estimated(**settings)], form)
    none, everything = smooth_game(np.stack([np.zeros(N_SMOOTH, dtype=bool), np.ones(N_SMOOTH, dtype=bool)]))
    assert_allclose(explanation.base_values, [none], rtol=1e-6)
    assert_allclose(explanation.values.sum() + none, everything, rtol=1e-6)


def test_rows_that_share_a_base_value_share_it_to_the_last_digit():
    """SHAP's force plot draws rows of one base value only, and compares them exactly."""
    rows = [estimated(random_state=seed, budget=100) for seed in range(3)]
    for form in FORMS:
        assert len(set(to_shap(rows, form).base_values.tolist())) == 1


def half_of_pairs(pairs, values):
    """SHAP's matrix, written down entry by entry."""
    n = len(values)
    matrix = np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        matrix[i, j] = matrix[j, i] = pairs[(i, j)] / 2
    for i in range(n):
        matrix[i, i] = values[i] - sum(matrix[i, j] for j in range(n) if j != i)
    return matrix


@given(tables(5), st.sampled_from([name for name in NAMES if name != "STII"]), st.integers(1, 3))
def test_pairs_are_halves_of_the_shapley_interaction_index(game, index, order):
    table, n = game
    explanation = exact(table, n, index, min(order, n)).to_shap("matrix")
    assert explanation.shape == (1, n, n)
    expected = half_of_pairs(INDICES["SII"](table, n, 2), shapley_by_permutations(table, n))
    assert_allclose(explanation.values[0], expected, atol=1e-9)
    assert_allclose(explanation.values.sum(), table[-1] - table[0], atol=1e-9)


@given(tables(5), st.sampled_from([1, 2, 3]))
def test_pairs_of_shapley_taylor_results_are_halves_of_that_index(game, order):
    table, n = game
    explanation = exact(table, n, "STII", min(order, n)).to_shap("matrix")
    shapley = shapley_by_permutations(table, n)
    assert_allclose(explanation.values[0], half_of_pairs(INDICES["STII"](table, n, 2), shapley), atol=1e-9)
    assert_allclose(explanation.values[0].sum(axis=1), shapley, atol=1e-9)


def test_pairs_of_a_result_that_kept_few_terms_are_all_there():
    few, every = estimated(max_terms=3), estimated()
    assert few.n_left_out
    assert_allclose(few.to_shap("matrix").values, every.to_shap("matrix").values, atol=1e-9)


def test_pairs_of_many_rows():
    explanation = to_shap([random_result(seed=seed, names=list("abcd")) for seed in range(3)], "matrix")
    assert explanation.shape == (3, 4, 4)
    assert list(explanation.feature_names) == list("abcd")
    for seed in range(3):
        table = random_table(4, seed)
        expected = half_of_pairs(INDICES["SII"](table, 4, 2), shapley_by_permutations(table, 4))
        assert_allclose(explanation.values[seed], expected, atol=1e-9)


def test_a_single_player_has_no_pairs():
    result = captum_spex.explain(lambda masks: 3.0 * masks[:, 0] + 1, 1, budget=2, max_order=1)
    for form in FORMS:
        explanation = to_shap([result], form)
        assert explanation.values.ravel().tolist() == [3.0]
        assert explanation.base_values.tolist() == [1.0]


def tree_game(tree, x):
    """What SHAP's tree explainer explains: branches of absent features are weighted by their training rows."""
    left, right, feature = tree.children_left, tree.children_right, tree.feature

    def value(node, mask):
        if left[node] < 0:
            return tree.value[node].item()
        if mask[feature[node]]:
            return value(left[node] if x[feature[node]] <= tree.threshold[node] else right[node], mask)
        counts = tree.weighted_n_node_samples
        return (counts[left[node]] * value(left[node], mask) + counts[right[node]] * value(right[node], mask)) / counts[
            node
        ]

    return lambda masks: np.array([value(0, mask) for mask in masks])


def test_pairs_are_those_of_the_tree_explainer(rng):
    inputs = rng.normal(size=(200, 4)).astype(np.float32)
    target = inputs[:, 0] * inputs[:, 1] + inputs[:, 2] * (inputs[:, 3] > 0) * inputs[:, 0]
    model = DecisionTreeRegressor(max_depth=5, random_state=0).fit(inputs, target)
    explainer = shap.TreeExplainer(model)
    expected = explainer.shap_interaction_values(inputs[:3])
    results = [captum_spex.explain(tree_game(model.tree_, x), 4, budget=16, max_order=2) for x in inputs[:3]]
    triples = [result.to("Moebius", 3)[(0, 2, 3)] for result in results]
    assert np.abs(triples).max() > 0.01  # else Shapley-Taylor would be the same
    pairs, values = to_shap(results, "matrix"), to_shap(results, "values")
    assert_allclose(pairs.values, expected, atol=1e-6)
    assert_allclose(values.values, explainer.shap_values(inputs[:3]), atol=1e-6)
    assert_allclose(pairs.base_values, np.broadcast_to(explainer.expected_value, 3), atol=1e-6)
