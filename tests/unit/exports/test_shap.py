"""Results on their way to SHAP: as values, pairs or terms, and among players without influence."""

# ruff: noqa: RUF001 (the multiplication sign is wanted)

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import shap
import torch
from games import planted_spectrum, random_table, smooth_game, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES, as_game, every_mask, shapley_by_permutations
from sklearn.tree import DecisionTreeRegressor

import captum_spex
from captum_spex import Interactions
from captum_spex.approximators import GaussianProcess, ProxySpex, Spex
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.explainers import to_shap
from captum_spex.indices import NAMES, Index, resolve_index
from captum_spex.model import AmongOthers, GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

SUMMING = ("SII", "k-SII", "STII", "FSII", "SV", "Moebius")
FORMS = ("values", "matrix", "terms")
OTHER = "other terms"
TIMES = " × "
QUICK = ProxySpex(GaussianProcess(n_steps=10, links=False))
N_SMOOTH = 10


def exact(table, n, index="SII", order=2, **settings):
    return captum_spex.explain(as_game(table), n, budget=1 << n, index=index, max_order=order, **settings)


def random_result(n=4, seed=0, index="SII", order=2, **settings):
    return exact(random_table(n, seed), n, index, order, **settings)


def estimated(index="SII", order=2, **settings):
    settings = {"approximator": QUICK, "budget": 150, "random_state": 0} | settings
    return captum_spex.explain(smooth_game, N_SMOOTH, index=index, max_order=order, **settings)


def product(value, names):
    """A game of one term, worth a value where all players are there."""
    game = lambda masks: value * masks.all(axis=1)  # noqa: E731
    return captum_spex.explain(game, len(names), budget=1 << len(names), max_order=len(names), names=names)


def columns(explanation, row=0):
    """One row of an explanation, as a dictionary."""
    values = explanation.values if explanation.values.ndim == 1 else explanation.values[row]
    return dict(zip(explanation.feature_names, values.tolist(), strict=True))


def without_zeros(values, digits=9):
    return {name: round(value, digits) for name, value in values.items() if round(value, digits)}


def label(players, names=None):
    return TIMES.join(f"Feature {player}" if names is None else names[player] for player in players)


# --- values -----------------------------------------------------------------------------------------------------------


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


# --- pairs ------------------------------------------------------------------------------------------------------------


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


# --- terms ------------------------------------------------------------------------------------------------------------


@given(tables(5), st.sampled_from(SUMMING), st.integers(1, 3))
def test_terms_are_those_of_the_index_and_add_up(game, index, order):
    table, n = game
    order = min(order, n)
    explanation = exact(table, n, index, order).to_shap("terms")
    found = columns(explanation)
    rest = found.pop(OTHER, 0.0)
    expected = INDICES["k-SII" if index == "SII" else index](table, n, order)
    assert without_zeros(found, 6) == pytest.approx(
        without_zeros({label(players): value for players, value in expected.items()}, 6), abs=2e-6
    )
    assert_allclose(sum(found.values()) + rest, table[-1] - table[0], atol=1e-9)
    assert_allclose(explanation.base_values, table[0], atol=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("index", [name for name in SUMMING if name != "Moebius"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_indices_that_add_up_leave_nothing_to_other_terms(index, order):
    assert OTHER not in random_result(5, index=index, order=order).to_shap("terms").feature_names


def test_moebius_terms_below_the_highest_order_leave_a_rest():
    explanation = random_result(4, index="Moebius", order=2).to_shap("terms")
    higher = INDICES["Moebius"](random_table(4, 0), 4, 4)
    expected = sum(value for players, value in higher.items() if len(players) > 2)
    assert columns(explanation)[OTHER] == pytest.approx(expected)


@given(tables(5), st.integers(1, 8))
def test_few_terms_are_the_largest_and_the_rest_is_one(game, max_terms):
    table, n = game
    result = exact(table, n, "STII", 2)
    found = columns(result.to_shap("terms", max_terms=max_terms))
    largest = sorted(map(abs, result.values.tolist()), reverse=True)[:max_terms]
    rest = found.pop(OTHER, 0.0)
    assert_allclose(sorted(map(abs, found.values()), reverse=True), [value for value in largest if value], atol=1e-12)
    assert_allclose(sum(found.values()) + rest, table[-1] - table[0], atol=1e-9)


def test_many_rows_share_the_terms_of_largest_mean():
    results = [random_result(seed=seed, index="STII") for seed in range(4)]
    full, few = to_shap(results, "terms"), to_shap(results, "terms", max_terms=4)
    assert few.feature_names[-1] == OTHER
    assert len(few.feature_names) == 5
    means = np.abs(full.values).mean(axis=0)
    assert (np.diff(means) <= 1e-12).all()
    assert few.feature_names[:4] == full.feature_names[:4]
    assert_allclose(few.values.sum(axis=1), full.values.sum(axis=1), atol=1e-9)
    assert_allclose(few.values[:, -1], full.values[:, 4:].sum(axis=1), atol=1e-9)


def test_terms_that_a_result_left_out_are_in_the_rest():
    result = estimated("STII", max_terms=3)
    assert result.n_left_out
    found = columns(result.to_shap("terms"))
    assert len(found) == N_SMOOTH + 3 + 1
    assert found[OTHER] == pytest.approx(result.to("STII").values.sum() - result.values.sum())


def test_rounding_is_no_term():
    result = captum_spex.explain(lambda masks: masks @ np.array([0.1, 0.2, 0.3]), 3, budget=8)
    assert sorted(result.to_shap("terms").feature_names) == ["Feature 0", "Feature 1", "Feature 2"]


def test_a_row_in_which_nothing_matters():
    constant = captum_spex.explain(lambda masks: np.full(len(masks), 2.0), 3, budget=8)
    explanation = constant.to_shap("terms")
    assert columns(explanation) == {OTHER: 0.0}
    assert explanation.base_values == 2.0
    together = to_shap([constant, random_result(3)], "terms")
    assert not together.values[0].any()
    assert together.values[1].any()


# --- terms of rows with names of their own ------------------------------------------------------------------------


def test_union_of_terms_is_filled_with_zeros():
    explanation = to_shap([product(2.0, ["never", "fails"]), product(-1.0, ["not", "good"])], "terms")
    assert explanation.feature_names == ["never × fails", "not × good"]
    assert explanation.values.tolist() == [[2.0, 0.0], [0.0, -1.0]]
    assert explanation.data.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_the_same_words_in_another_order_are_one_term():
    rows = [product(2.0, ["never", "fails"]), product(3.0, ["fails", "never"])]
    explanation = to_shap(rows, "terms")
    assert explanation.feature_names == ["never × fails"]
    assert explanation.values.tolist() == [[2.0], [3.0]]
    assert to_shap(rows[::-1], "terms").feature_names == ["fails × never"]


def test_words_that_occur_again_are_numbered():
    game = lambda masks: masks @ np.array([1.0, 2.0, 4.0]) + 8.0 * (masks[:, 0] & masks[:, 2])  # noqa: E731
    result = captum_spex.explain(game, 3, budget=8, index="STII", names=["the", "film", "the"])
    assert columns(result.to_shap("terms")) == {"the × the#2": 8.0, "the#2": 4.0, "film": 2.0, "the": 1.0}
    other = captum_spex.explain(lambda masks: 5.0 * masks[:, 0], 1, budget=2, max_order=1, names=["the"])
    explanation = to_shap([result, other], "terms")
    assert columns(explanation, 1) == {"the × the#2": 0.0, "the#2": 0.0, "film": 0.0, "the": 5.0}


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "a#2"]), min_size=1, max_size=4), min_size=1, max_size=3),
    st.integers(0, 9),
)
def test_terms_of_any_words_are_one_feature_each(texts, seed):
    rows = [
        exact(random_table(len(words), seed + k), len(words), "STII", min(2, len(words)), names=words)
        for k, words in enumerate(texts)
    ]
    explanation = to_shap(rows, "terms")
    assert len(set(explanation.feature_names)) == len(explanation.feature_names)
    assert OTHER not in explanation.feature_names
    for found, row in zip(explanation.values, rows, strict=True):
        assert_allclose(np.sort(found[found != 0]), np.sort(row.values[row.values != 0]), atol=1e-12)


@pytest.mark.parametrize("form", ["values", "matrix"])
def test_rows_of_other_words_do_not_get_the_words_of_the_first(form):
    rows = [product(2.0, ["never", "fails"]), product(-1.0, ["not", "good"])]
    try:
        explanation = to_shap(rows, form)
    except ArgumentError:
        return
    assert [list(names) for names in explanation.feature_names] == [["never", "fails"], ["not", "good"]]


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_hold_no_equals_sign_at_which_plots_would_cut_them():
    names = ["sex=male", "age <= 30", "x>=2", "a == b", "c != d", "plain"]
    shown = ["sex:male", "age ≤ 30", "x≥2", "a : b", "c ≠ d", "plain"]
    result = captum_spex.explain(lambda masks: 1.0 * masks.sum(axis=1), 6, budget=64, names=names)
    for form in ("values", "matrix"):
        assert list(to_shap([result], form).feature_names) == shown
    assert set(shown) <= set(result.to_shap("terms").feature_names)
    assert product(1.0, ["a=1", "b<=2"]).to_shap("terms").feature_names == ["a:1 × b≤2"]
    assert result["sex=male"] == pytest.approx(1.0)  # the result keeps its names


def test_players_without_names_are_numbered():
    result = captum_spex.explain(lambda masks: 1.0 * masks[:, 1], 2, budget=4)
    assert list(result.to_shap("values").feature_names) == ["Feature 0", "Feature 1"]
    assert result.to_shap("terms").feature_names == ["Feature 1"]


# --- data -------------------------------------------------------------------------------------------------------------

TABLE = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
ABCD = list("abcd")


def two_rows():
    return [random_result(seed=seed, names=ABCD) for seed in range(2)]


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        TABLE.astype(int),
        TABLE.tolist(),
        tuple(map(tuple, TABLE)),
        [TABLE[0], TABLE[1]],
        pd.DataFrame(TABLE, columns=ABCD),
        [row for _, row in pd.DataFrame(TABLE, columns=ABCD).iterrows()],
        torch.tensor(TABLE),
    ],
    ids=["array", "integers", "lists", "tuples", "list of arrays", "frame", "list of series", "tensor"],
)
def test_data_of_numbers(data):
    assert_array_equal(to_shap(two_rows(), "values", data=data).data, TABLE)
    assert_array_equal(to_shap(two_rows(), "matrix", data=data).data, TABLE)
    terms = to_shap(two_rows(), "terms", data=data)
    value_of = {name: TABLE[:, player] for player, name in enumerate(ABCD)}
    for name, shown in zip(terms.feature_names, terms.data.T, strict=True):
        assert_allclose(shown, np.prod([value_of[player] for player in name.split(TIMES)], axis=0))


def test_a_frame_with_columns_in_another_order_is_sorted_or_refused():
    frame = pd.DataFrame(TABLE[:, ::-1], columns=ABCD[::-1])
    try:
        explanation = to_shap(two_rows(), "values", data=frame)
    except ArgumentError:
        return
    assert_array_equal(explanation.data, TABLE)


def test_numbers_beside_words_are_still_numbers():
    frame = pd.DataFrame({"a": ["red", "blue"], "b": [2.0, 6.0], "c": [3.0, 7.0], "d": [4.0, 8.0]})
    terms = to_shap(two_rows(), "terms", data=frame)
    shown = dict(zip(terms.feature_names, terms.data.T.tolist(), strict=True))
    assert shown["a"] == [1.0, 1.0]
    assert shown["b"] == [2.0, 6.0]
    assert shown["b × c"] == [6.0, 42.0]


def test_data_of_words():
    words = [["red", "tall", "old", "new"], ["blue", "low", "old", "new"]]
    assert to_shap(two_rows(), "values", data=words).data.tolist() == words
    terms = to_shap(two_rows(), "terms", data=pd.DataFrame(words))
    assert (terms.data == 1.0).all()  # there is nothing to multiply: whether the players are there
    assert terms.data.dtype == np.float64


def test_data_of_one_row_is_shown_beside_the_terms():
    result = random_result(index="STII", order=3, names=ABCD)
    for data in (TABLE[0], TABLE[0].tolist(), pd.Series(TABLE[0], index=ABCD)):
        terms = result.to_shap("terms", data=data)
        shown = dict(zip(terms.feature_names, terms.display_data, strict=True))
        assert shown["a"] == "1"
        assert shown["b × d"] == "2, 4"
        assert shown["a × b × c"] == "1, 2, 3"
        assert_allclose(terms.data[terms.feature_names.index("b × d")], 8.0)
        assert_array_equal(result.to_shap("values", data=data).data, TABLE[0])
        assert_array_equal(result.to_shap("matrix", data=data).data, TABLE[:1])


def test_numbers_beside_terms_are_short_and_words_as_they_are():
    result = product(1.0, ["length", "colour"])
    assert result.to_shap("terms", data=[1 / 3, 123456.0]).display_data.tolist() == ["0.3333, 1.235e+05"]
    mixed = np.array([0.5, "red"], dtype=object)
    assert result.to_shap("terms", data=mixed).display_data.tolist() == ["0.5, red"]


def test_other_terms_say_how_many_they_are():
    terms = random_result(names=ABCD).to_shap("terms", data=TABLE[0], max_terms=2)
    assert terms.feature_names[-1] == OTHER
    assert terms.display_data[-1] == "8"
    many = to_shap(two_rows(), "terms", data=TABLE, max_terms=2)
    assert many.data[:, -1].tolist() == [1.0, 1.0]


def test_without_data():
    assert to_shap(two_rows(), "values").data is None
    assert to_shap(two_rows(), "matrix").data is None
    terms = two_rows()[0].to_shap("terms")
    assert terms.data is None
    assert terms.display_data is None


# --- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pairs", "Values", None, 2])
def test_unknown_forms(form):
    with pytest.raises(ArgumentError, match=r"`form`.*values.*matrix.*terms"):
        random_result().to_shap(form)
    with pytest.raises(ArgumentError, match=r"`form`.*values.*matrix.*terms"):
        to_shap([random_result()], form)


@pytest.mark.parametrize("results", [[], (), None, "abc", 3, [None], [random_result(), 3], {}], ids=repr)
def test_what_is_no_list_of_results(results):
    with pytest.raises(ArgumentError, match="`results`"):
        to_shap(results)


@pytest.mark.parametrize("form", FORMS)
def test_rows_with_several_outputs(form):
    with pytest.raises(ArgumentError, match=r"several outputs.*row\[0\] for row in results"):
        to_shap([two_rows(), two_rows()], form)


@pytest.mark.parametrize("form", ["values", "matrix"])
def test_rows_of_different_players(form):
    with pytest.raises(ArgumentError, match=r"'terms'"):
        to_shap([random_result(3), random_result(4)], form)


@pytest.mark.parametrize("index", [*sorted(set(NAMES) - set(SUMMING)), "BII(p=0.3)"])
def test_terms_of_an_index_that_does_not_add_up(index):
    with pytest.raises(ArgumentError, match=r"`form`.*add up.*k-SII"):
        random_result(index=index).to_shap("terms")


@pytest.mark.sampled
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "data",
    [TABLE[:1], TABLE[0], np.ones((3, 4)), np.ones((2, 3)), [[1, 2, 3, 4], [1, 2]], "word", 5, np.ones((2, 4, 1))],
)
def test_data_that_does_not_fit(form, data):
    with pytest.raises(ArgumentError, match="`data`"):
        to_shap(two_rows(), form, data=data)


@pytest.mark.parametrize("data", [TABLE, TABLE[0, :3], "word", 5])
def test_data_that_does_not_fit_one_row(data):
    with pytest.raises(ArgumentError, match="`data`"):
        random_result().to_shap("terms", data=data)


def test_terms_of_different_indices_do_not_share_a_column():
    with pytest.raises(ArgumentError, match="index"):
        to_shap([random_result(index="STII"), random_result(index="FSII")], "terms")


@pytest.mark.parametrize("max_terms", [0, -1, True, "5", 2.5, None])
def test_how_many_terms(max_terms):
    with pytest.raises(ArgumentError, match="`max_terms`"):
        random_result().to_shap("terms", max_terms=max_terms)


# --- among others -----------------------------------------------------------------------------------------------------

PLACES, N_ALL = (1, 3, 4), 6


def inner_table(seed=0):
    return random_table(len(PLACES), seed)


def played_wide(index, order):
    """The game of three players with three more that do nothing, evaluated on all masks."""
    game = as_game(inner_table())
    return captum_spex.explain(lambda masks: game(masks[:, PLACES]), N_ALL, budget=64, index=index, max_order=order)


def assert_same_values(one, two):
    """Both hold the same, where a set that is not listed is worth nothing."""
    for players in set(one) | set(two):
        assert one[players] == pytest.approx(two[players], abs=1e-9), players
    assert one.baseline == pytest.approx(two.baseline, abs=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("index", [*NAMES, "BII(p=0.3)"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_among_players_that_do_nothing(index, order):
    wide = exact(inner_table(), 3, index, order).among(PLACES, N_ALL)
    expected = played_wide(index, order)
    assert (wide.index, wide.max_order, wide.n_players) == (expected.index, expected.max_order, N_ALL)
    assert_same_values(wide, expected)
    assert_allclose(wide.model(every_mask(N_ALL)), expected.model(every_mask(N_ALL)), atol=1e-9)
    assert np.abs(wide.values).tolist() == sorted(np.abs(wide.values).tolist(), reverse=True)
    assert_allclose(wide.first_order(), expected.first_order(), atol=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("index", [*NAMES, "BII(p=0.3)"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_another_index_among_others(index, order):
    wide = exact(inner_table(), 3, "SII", 2).among(PLACES, N_ALL).to(index, order)
    assert_same_values(wide, played_wide(index, order))


@given(st.data(), st.sampled_from(NAMES), st.integers(1, 3))
def test_index_terms_among_others(data, index, order):
    n = data.draw(st.integers(1, 4))
    n_all = data.draw(st.integers(max(n, order), 6))
    places = sorted(data.draw(st.permutations(range(n_all)))[:n])
    table = random_table(n, data.draw(st.integers(0, 99)))
    model = AmongOthers.of(exact(table, n, "SII", min(2, n)).model, places, n_all)
    wide = np.array([table[sum(1 << k for k, p in enumerate(places) if mask[p])] for mask in every_mask(n_all)])
    terms = model.index_terms(resolve_index(index, order, n_all))
    expected = INDICES[index](wide, n_all, terms.max_order)
    found = dict(zip(terms.sets.tuples(), terms.values.tolist(), strict=True))
    assert {players for players in found if len(players) == 1} == {(player,) for player in range(n_all)}
    assert found.keys() <= expected.keys()
    for players, value in expected.items():
        assert found.get(players, 0.0) == pytest.approx(value, abs=1e-8), players


def test_standard_errors_among_others():
    narrow = estimated()
    places = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    wide = narrow.among(places, 40)
    known = dict(zip(narrow, narrow.std_errors, strict=True))
    assert len(wide.std_errors) == len(wide) == len(narrow) + 30
    for players, error in zip(wide, wide.std_errors.tolist(), strict=True):
        inner = tuple(places.index(player) for player in players if player in places)
        assert error == pytest.approx(known[inner] if len(inner) == len(players) else 0.0, rel=1e-9)
    asked = PlayerSets.from_sets([(2, 3), (0, 2), (0,), (), (13,)], 40)
    errors = wide.model.std_errors(Index("SII", 2), asked)
    assert errors[1] == errors[2] == 0
    assert errors[0] == pytest.approx(known[(0, 1)])
    assert errors[4] == pytest.approx(known[(5,)])


def test_standard_errors_that_are_not_known_stay_unknown():
    assert estimated(approximator=Spex(), budget=300).among(range(N_SMOOTH), 12).std_errors is None
    assert not random_result().among(range(4), 6).std_errors.any()


def test_spectrum_among_others():
    planted = planted_spectrum(4, 5, 3, seed=0)
    model = AmongOthers.of(GameModel((planted,)), [0, 2, 5, 6], 7)
    spectrum = model.spectrum(3)
    assert spectrum.sets.n_players == 7
    inner = planted.largest_terms(3)
    renamed = [tuple((0, 2, 5, 6)[player] for player in players) for players in inner.sets.tuples()]
    assert spectrum.sets.tuples() == renamed
    assert_array_equal(spectrum.values, inner.values)


@pytest.mark.parametrize("make", [lambda: random_result(3), estimated], ids=["exact", "estimated"])
def test_json_among_others(make):
    narrow = make()
    places = [2 * player + 1 for player in range(narrow.n_players)]
    names = [f"word {player}" for player in range(90)]
    wide = narrow.among(places, 90, names)  # more than 64: sets have hashed keys
    again = Interactions.from_json(wide.to_json())
    assert dict(again) == dict(wide)
    assert list(again) == list(wide)
    assert isinstance(again.model, AmongOthers)
    for name in ("names", "n_players", "n_left_out", "n_evaluations", "faithfulness", "baseline"):
        assert getattr(again, name) == getattr(wide, name), name
    assert_allclose(again.std_errors, wide.std_errors, rtol=1e-9)
    masks = np.random.default_rng(0).random((50, 90)) < 0.5
    assert_allclose(again.model(masks), narrow.model(masks[:, places]), atol=1e-9)
    assert_same_values(again.to("STII"), wide.to("STII"))
    assert wide["word 1"] == narrow[0]


def test_shap_forms_of_a_result_that_was_read():
    result = estimated("STII", names=[f"word {player}" for player in range(N_SMOOTH)])
    again = Interactions.from_json(result.to_json())
    for form in FORMS:
        assert_allclose(again.to_shap(form).values, result.to_shap(form).values, atol=1e-9)
        assert list(again.to_shap(form).feature_names) == list(result.to_shap(form).feature_names)


def test_among_others_twice():
    once = exact(inner_table(), 3, "SII", 3).among([0, 2, 3], 4)
    twice = once.among([1, 2, 3, 5], 6)
    assert_same_values(twice, exact(inner_table(), 3, "SII", 3).among([1, 3, 5], 6))
    assert_same_values(Interactions.from_json(twice.to_json()), twice)


def test_facts_and_what_was_left_out_stay():
    narrow = estimated(max_terms=3)
    wide = narrow.among(range(N_SMOOTH), 12)
    for name in ("n_left_out", "n_evaluations", "faithfulness", "diagnostics", "index", "max_order", "baseline"):
        assert getattr(wide, name) == getattr(narrow, name), name
    assert wide.to("SII", max_terms=3).n_left_out == narrow.n_left_out
    assert wide[(11,)] == 0.0


def test_shap_forms_among_others():
    narrow = exact(inner_table(), 3, "SII", 2)
    wide = narrow.among(PLACES, N_ALL)
    values = np.zeros(N_ALL)
    values[list(PLACES)] = narrow.to_shap("values").values
    assert_allclose(wide.to_shap("values").values, values, atol=1e-12)
    matrix = np.zeros((N_ALL, N_ALL))
    matrix[np.ix_(PLACES, PLACES)] = narrow.to_shap("matrix").values[0]
    assert_allclose(wide.to_shap("matrix").values[0], matrix, atol=1e-12)
    renamed = {label(tuple(PLACES[player] for player in term)): v for term, v in narrow.to("k-SII", 2).items()}
    assert without_zeros(columns(wide.to_shap("terms"))) == pytest.approx(without_zeros(renamed), abs=1e-8)


@pytest.mark.parametrize(
    "players",
    [(3, 1, 4), (1, 1, 4), (1, 3), (1, 3, 4, 5), (), (1, 3, 6), (-1, 3, 4), (0.5, 1.5, 2.5), ("a", "b", "c"), None],
    ids=repr,
)
def test_players_that_do_not_fit(players):
    with pytest.raises(ArgumentError, match=r"`players`.*3 increasing numbers from 0 to 5"):
        random_result(3).among(players, N_ALL)


@pytest.mark.parametrize("names", [["a"], ["a"] * 7])
def test_names_that_do_not_fit(names):
    with pytest.raises(ArgumentError, match=r"`names`.*6 players"):
        random_result(3).among(PLACES, N_ALL, names)


def test_orders_among_others_go_up_to_all_players():
    wide = random_result(3).among(PLACES, N_ALL)
    assert wide.to("STII", N_ALL).max_order == N_ALL
    with pytest.raises(OrderError):
        wide.to("STII", N_ALL + 1)


def test_masks_among_others_have_all_players():
    model = AmongOthers.of(GameModel((Spectrum.from_terms({(0,): 1.0}, 1),)), [2], 3)
    assert model.n_players == 3
    assert model([[True, True, False], [False, False, True]]).tolist() == [1.0, -1.0]
    with pytest.raises(captum_spex.errors.MaskError):
        model([[True]])
