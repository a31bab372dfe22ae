"""Terms as features: they add up, whatever the index, the names and the data."""

# ruff: noqa: RUF001 (the multiplication sign is wanted)

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from games import random_table, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES
from shap_forms import (
    ABCD,
    N_SMOOTH,
    OTHER,
    SUMMING,
    TABLE,
    TIMES,
    columns,
    estimated,
    exact,
    label,
    product,
    random_result,
    two_rows,
    without_zeros,
)

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.explainers import to_shap


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


MISSING = {
    "nullable integers": pd.array([2, pd.NA], dtype="Int64"),
    "nullable flags": pd.array([True, pd.NA], dtype="boolean"),
    "floats": [2.0, np.nan],
    "objects": [2, None],
    "decimals": [Decimal(2), None],
    "a text for missing": [2, "n/a"],
}


@pytest.mark.parametrize("column", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("form", ["frame", "rows"])
def test_a_product_with_a_missing_value_is_missing(column, form):
    frame = pd.DataFrame({"a": column, "b": [3.0, 5.0]})
    data = frame if form == "frame" else frame.to_numpy(dtype=object).tolist()
    explanation = to_shap([product(2.0, ["a", "b"]), product(1.0, ["a", "b"])], "terms", data=data)
    first = float(frame["a"][0])
    assert_allclose(explanation.data[:, 0], [3.0 * first, np.nan])


def test_numbers_that_are_categories_are_not_multiplied():
    frame = pd.DataFrame({"a": pd.Categorical([30, 4]), "b": [3.0, 5.0]})
    explanation = to_shap([product(2.0, ["a", "b"]), product(1.0, ["a", "b"])], "terms", data=frame)
    assert explanation.data.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("form", ["array", "objects", "lists"])
def test_rows_whose_players_stand_in_another_order_have_the_products_of_their_own(form):
    first = captum_spex.explain(lambda masks: 2.0 * masks[:, :2].all(axis=1), 3, budget=8, names=["a", "b", "c"])
    other = captum_spex.explain(lambda masks: 3.0 * masks[:, 1:].all(axis=1), 3, budget=8, names=["c", "b", "a"])
    rows = [row.to("Moebius") for row in (first, other)]
    table = np.array([[2.0, 3.0, 100.0], [1000.0, 5.0, 7.0]])
    objects = np.empty(2, dtype=object)
    objects[:] = list(table)
    explanation = to_shap(rows, "terms", data={"array": table, "objects": objects, "lists": table.tolist()}[form])
    assert explanation.feature_names == ["a × b"]
    assert explanation.data.tolist() == [[6.0], [35.0]]


def test_an_array_of_rows_is_read_row_by_row():
    rows = [product(2.0, ["a", "b"]), product(3.0, ["a", "b"])]
    objects = np.empty(2, dtype=object)
    objects[:] = [np.array([2.0, 3.0]), np.array([5.0, 7.0])]
    assert to_shap(rows, "terms", data=objects).data.tolist() == [[6.0], [35.0]]


def test_rows_whose_players_stand_in_another_order_keep_their_own_cells_of_a_frame():
    one = captum_spex.explain(lambda m: m[:, 0] + 10.0 * m[:, 1], 2, budget=4, names=("a", "b"))
    other = captum_spex.explain(lambda m: 20.0 * m[:, 0] + 2.0 * m[:, 1], 2, budget=4, names=("b", "a"))
    frame = pd.DataFrame({"b": [30.0, 40.0], "a": [3.0, 4.0]})
    for data in (frame, [[3.0, 30.0], [40.0, 4.0]]):
        explanation = to_shap([one, other], "terms", data=data)
        assert explanation.feature_names == ["b", "a"]
        assert explanation.values.tolist() == [[10.0, 1.0], [20.0, 2.0]]
        assert explanation.data.tolist() == [[30.0, 3.0], [40.0, 4.0]]
