"""Rows of tables: what does not vary, data frames and their dtypes, sparse rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from shap.links import logit
from shap_cases import (
    ASKED_ALONE,
    Counted,
    assert_sums,
    both,
    frame,
    hashed,
    of_frame,
    of_table,
    plain,
    polynomial,
    slow_matrix,
    slow_values,
    table,
    with_outputs,
)
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from captum_spex.explainers import ProxySpexExplainer


def test_the_model_is_not_asked_about_what_does_not_vary():
    model = Counted(polynomial)
    x, background = table(1, 6), table(2, 6, 1)
    x[:, [0, 4]] = background[:, [0, 4]] = 3.0
    found = ProxySpexExplainer(model, background)(x)
    assert len(model.rows) == 2 * (2**4 + ASKED_ALONE)
    assert_array_equal(model.rows[:, [0, 4]], 3.0)
    assert_array_equal(found.values[:, [0, 4]], 0.0)
    assert (found.values[:, [1, 2, 3, 5]] != 0).all()
    assert_allclose(found.values, slow_values(polynomial, background, x), atol=1e-9)


def test_players_are_numbered_as_the_features():
    x, background = np.ones((1, 9)), np.zeros((1, 9))
    background[:, [0, 1, 4]] = 1
    explainer = ProxySpexExplainer(
        lambda x: 3 * x[:, 5] * x[:, 8] + x[:, 2], background, feature_names=list("abcdefghi")
    )
    found = explainer.interactions(x)[0]
    assert found.n_players == 9
    assert found.names == tuple("abcdefghi")
    assert (found[(5, 8)], found[("f", "i")], found[(2,)], found[(0,)], found[(0, 5)]) == pytest.approx((3, 3, 1, 0, 0))
    assert found.n_evaluations == 2**6
    assert_allclose(found.first_order(), [0, 0, 1, 0, 0, 1.5, 0, 0, 1.5], atol=1e-12)


def test_a_feature_that_one_of_the_background_rows_shares_is_a_player():
    background = np.array([[1.0, 0.0], [0.0, 0.0]])
    found = ProxySpexExplainer(lambda x: x[:, 0] + x[:, 1], background)(np.ones((1, 2)))
    assert_allclose(found.values, [[0.5, 1.0]])


@both
@pytest.mark.parametrize("n_outputs", [0, 1, 3])
def test_rows_identical_to_the_background(kind, n_outputs):
    model = with_outputs(of_table, n_outputs)
    x = table(1, 5)[[0, 0]]
    x[1, 2] += 1
    explainer = kind(model, x[:1], link=logit)
    values, pairs = explainer(x), explainer(x, interactions=True)
    assert_array_equal(values.values[0], 0.0)
    assert_array_equal(pairs.values[0], 0.0)
    assert_sums(values, plain(logit)(model(x)))
    alone = explainer(x[:1], max_evals=2)
    assert_allclose(alone.base_values, plain(logit)(model(x[:1])), rtol=1e-12)
    for index, order in (("SII", 2), ("FSII", 3), ("SV", 1), ("Moebius", 5)):
        results = explainer.interactions(x[:1], index=index, max_order=order)[0]
        for result in results if n_outputs else [results]:
            assert not result.values.any()
            assert result[(0,)] == 0.0


def test_the_errors_of_a_row_identical_to_the_background_are_zero():
    found = ProxySpexExplainer(polynomial, np.ones((1, 4)))(np.ones((1, 4)), error_bounds=True)
    assert_array_equal(found.error_std, np.zeros((1, 4)))


@both
def test_one_varying_feature_of_several(kind):
    x, background = table(1, 5), table(1, 5)
    x[0, 3] += 1
    explainer = kind(polynomial, background)
    expected = np.zeros(5)
    expected[3] = (polynomial(x) - polynomial(background))[0]
    assert_allclose(explainer(x, max_evals=2).values[0], expected, atol=1e-12)
    assert_allclose(explainer(x, interactions=True).values[0], np.diag(expected), atol=1e-12)
    assert explainer.interactions(x, max_order=3)[0][(3,)] == pytest.approx(expected[3])


@both
def test_tables_of_one_column(kind):
    explainer = kind(lambda x: 2 * x[:, 0], np.zeros((1, 1)))
    assert_allclose(explainer(np.ones((2, 1))).values, [[2.0], [2.0]])
    assert_allclose(explainer(np.ones((2, 1)), interactions=True).values, [[[2.0]], [[2.0]]])
    assert explainer.interactions(np.ones((1, 1)), max_order=1)[0][(0,)] == 2.0


def test_values_missing_in_the_same_place_do_not_vary():
    model = Counted(lambda x: np.nan_to_num(x, nan=7.0).sum(axis=1))
    x, background = np.array([[np.nan, 1.0, np.nan, 2.0]]), np.array([[np.nan, 0.0, 0.0, np.nan]])
    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.values, [[0.0, 1.0, 7.0, -5.0]])
    assert len(model.rows) == 2**3 + ASKED_ALONE


def test_values_that_differ_by_little_vary():
    """SHAP takes them for the same."""
    background = np.ones((1, 3))
    found = ProxySpexExplainer(lambda x: 1e9 * (x.sum(axis=1) - 3), background)(np.array([[1 + 1e-9, 1, 1 + 2e-9]]))
    assert_allclose(found.values, [[1.0, 0.0, 2.0]], rtol=1e-6)


def test_infinite_values_in_the_same_place_do_not_vary():
    found = ProxySpexExplainer(lambda x: x[:, 0], np.array([[0.0, np.inf]]))(np.array([[2.0, np.inf]]))
    assert_allclose(found.values, [[2.0, 0.0]])


@pytest.mark.parametrize("as_frame", [True, False])
def test_columns_of_texts(as_frame):
    rows = np.array([["red", "large", 3, None], ["red", "small", 2, "x"]], dtype=object)
    background = np.array([["red", "tiny", 1, None], ["red", "huge", 2, None]], dtype=object)
    names = ["colour", "size", "number", "note"]
    model = Counted(lambda x: hashed(map(str, np.asarray(x, dtype=object).tolist())))
    if as_frame:
        rows, background = pd.DataFrame(rows, columns=names), pd.DataFrame(background, columns=names)
    found = ProxySpexExplainer(model, background)(rows)
    assert_array_equal(found.values[:, 0], 0.0)
    assert found.values[0, 3] == 0.0
    assert (found.values[1, 1:] != 0).all()
    assert len(model.rows) == 2 * (1 + 3 + 7 + ASKED_ALONE)
    assert_sums(found, model(rows))


def test_sparse_rows_come_as_sparse_rows():
    model = Counted(lambda x: x.toarray().sum(axis=1))
    x = scipy.sparse.csr_matrix(np.eye(3))
    found = ProxySpexExplainer(model, scipy.sparse.csr_matrix(np.zeros((1, 3))))(x)
    assert all(scipy.sparse.issparse(call) for call in model.calls)
    assert_allclose(found.values, np.eye(3))
    assert_allclose(found.data, np.eye(3))


def test_data_frames_against_all_coalitions():
    """Every coalition's rows are put together by hand, with the dtypes of the frame."""
    background, x = frame(2, 1), frame(1)
    names = list(x.columns)

    def value(mask):
        mixed = background.copy()
        for name, on in zip(names, mask, strict=True):
            if on:
                mixed[name] = pd.Series([x[name].iloc[0]] * len(mixed)).astype(x[name].dtype)
        return of_frame(mixed).mean()

    found = ProxySpexExplainer(of_frame, background)(x, interactions=True)
    expected = slow_matrix(np.array([value(mask) for mask in every_mask(5)]), 5)
    assert_allclose(found.values[0], expected, atol=1e-9)
    assert found.feature_names == names


def test_categories_that_only_the_background_has():
    """Rows from another file have categories of their own: the background's values must not get lost."""
    background = pd.DataFrame({"size": [1.0, 2.0], "colour": pd.Categorical(["red", "green"])})
    x = pd.DataFrame({"size": [3.0], "colour": pd.Categorical(["blue"])})

    def model(rows):
        return rows["size"].to_numpy() + 10.0 * (rows["colour"] == "red").to_numpy()

    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.base_values, [6.5])
    assert_allclose(found.values, [[1.5, -5.0]])


def test_missing_whole_numbers():
    """Columns of whole numbers that know missing values have one of their own, which is neither true nor false."""
    background = pd.DataFrame({"count": pd.array([1, None], dtype="Int64"), "city": ["x", "y"]})
    x = pd.DataFrame({"count": pd.array([None, 4], dtype="Int64"), "city": ["x", "x"]})

    def model(rows):
        return rows["count"].fillna(9).to_numpy(dtype=float)

    assert_allclose(ProxySpexExplainer(model, background)(x).values, [[4.0, 0.0], [-1.0, 0.0]])


def test_rows_as_arrays_with_a_background_as_data_frame():
    background = pd.DataFrame(table(2, 4, 1), columns=list("abcd"))
    model = Counted(lambda x: polynomial(x[list("abcd")].to_numpy()))
    found = ProxySpexExplainer(model, background)(table(2, 4))
    assert all(list(call.columns) == list("abcd") for call in model.calls)
    assert_allclose(found.values, slow_values(polynomial, background.to_numpy(), table(2, 4)), atol=1e-9)


def test_rows_as_data_frame_with_a_background_as_array():
    found = ProxySpexExplainer(polynomial, table(2, 4, 1))(pd.DataFrame(table(2, 4), columns=list("abcd")))
    assert found.feature_names == list("abcd")
    assert_allclose(found.values, slow_values(polynomial, table(2, 4, 1), table(2, 4)), atol=1e-9)


def typed(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"whole": rng.integers(0, 5, n_rows), "real": rng.normal(size=n_rows)})
    frame["short"] = rng.integers(0, 5, n_rows).astype("int8")
    frame["text"] = rng.choice(["a", "b"], n_rows)
    frame["date"] = pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 9, n_rows), unit="D")
    frame["maybe"] = pd.array(rng.integers(0, 5, n_rows), dtype="Int64")
    frame.loc[frame.index % 3 == 0, "maybe"] = pd.NA
    frame.loc[frame.index % 4 == 0, "text"] = None
    return frame


def test_every_column_keeps_its_dtype():
    seen = set()

    def model(frame):
        seen.add(tuple(map(str, frame.dtypes)))
        texts = frame["whole"].astype(str).str.len() + frame["text"].fillna("").str.len()
        return texts + frame["real"] * frame["maybe"].fillna(0).astype(float) + frame["date"].dt.day

    frame = typed(20)
    found = ProxySpexExplainer(model, frame[10:14])(frame[:5])
    assert seen == {tuple(map(str, frame.dtypes))}
    assert_allclose(found.base_values + found.values.sum(axis=1), model(frame[:5]).to_numpy())


def test_a_pipeline_of_texts_that_may_be_missing():
    frame = pd.DataFrame({"s": ["Ab", "b", None, "c"] * 5, "x": np.arange(20.0)})
    columns = [("s", OneHotEncoder(handle_unknown="ignore"), ["s"]), ("x", "passthrough", ["x"])]
    model = make_pipeline(ColumnTransformer(columns), LinearRegression()).fit(frame, np.arange(20.0))
    found = ProxySpexExplainer(model.predict, frame[:2])(frame[2:4])
    assert_allclose(found.base_values + found.values.sum(axis=1), model.predict(frame[2:4]))


def test_whole_numbers_that_the_background_has_not():
    background = pd.DataFrame({"a": [0.5], "b": [1.5]})
    rows = pd.DataFrame({"a": [3], "b": [2.0]})
    found = ProxySpexExplainer(lambda frame: frame["a"] * frame["b"], background)(rows)
    assert_allclose(found.base_values + found.values.sum(axis=1), [6.0])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_rows_stay_what_they_are(kind):
    rows = kind(table(3, 6))
    is_array = isinstance(rows, scipy.sparse.sparray)
    seen = set()

    def model(masked):
        seen.add(isinstance(masked, scipy.sparse.sparray))
        return np.asarray(masked.sum(axis=1)).ravel()

    found = ProxySpexExplainer(model, kind((1, 6)))(rows)
    assert seen == {is_array}
    assert_allclose(found.values, table(3, 6))
