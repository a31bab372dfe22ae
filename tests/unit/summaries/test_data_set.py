"""The summary of a data set, against definitions: means, sizes, spreads and errors of every term."""

from __future__ import annotations

import statistics
from math import isnan, nan, sqrt

import numpy as np
import pytest
import shap
import torch
from games import random_table, smooth_game
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES, as_game
from pictures import made, of_spectrum
from shap_forms import QUICK, exact
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from torch import nn

import captum_spex
from captum_spex.attr import ProxySpex
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer

ABCD = ("a", "b", "c", "d")


def named(terms, names):
    return {frozenset(names[player] for player in players): value for players, value in terms.items()}


def slow(values, errors=None):
    """All statistics of every term, from lists of the rows' values by sets of names."""
    found = {}
    for term in set().union(*values):
        own = [row[term] for row in values if term in row]
        n = len(own)
        estimation = sum(row.get(term, 0.0) ** 2 for row in errors or []) / n**2
        deviations = [statistics.stdev(x) if n > 1 else nan for x in (own, [abs(value) for value in own])]
        found[term] = {
            "mean_abs": statistics.fmean(map(abs, own)),
            "mean_abs_std_error": sqrt(deviations[1] ** 2 / n + estimation),
            "mean": statistics.fmean(own),
            "mean_std_error": sqrt(deviations[0] ** 2 / n + estimation),
            "spread": deviations[0],
            "n_rows": n,
        }
    return found


def described(found):
    """What a summary says of every term, by sets of names."""
    assert list(found) == [tuple(players) for players in found.to_dataframe()["players"]]
    return {
        frozenset(found.names[player] for player in players): {
            key: value for key, value in found.describe(players).items() if key not in ("n_nonzero", "n_filled")
        }
        for players in found
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for term, facts in expected.items():
        assert found[term] == pytest.approx(facts, abs=1e-9, nan_ok=True), term


# --- exact results ----------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("index", ["SII", "k-SII", "STII", "FSII", "Moebius", "BII"])
@given(orders=st.lists(st.permutations(ABCD), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_rows_by_enumeration_whatever_the_order_of_their_players(index, orders, seed):
    rows = [exact(random_table(4, seed + k), 4, index, 2, names=names) for k, names in enumerate(orders)]
    values = [named(INDICES[index](random_table(4, seed + k), 4, 2), names) for k, names in enumerate(orders)]
    found = captum_spex.summary(rows)
    assert_same(described(found), slow(values))
    assert_allclose(found.baseline, np.mean([row.baseline for row in rows]))
    assert (np.diff(found.values) <= 0).all()


@given(st.permutations(ABCD), st.permutations(ABCD), st.integers(0, 99))
def test_the_order_of_the_players_of_one_row_does_not_matter(names, other, seed):
    rows, again = [[exact(random_table(4, seed), 4, names=ABCD)] for _ in range(2)]
    table = random_table(4, seed + 1)
    for own, into in ((names, rows), (other, again)):
        moved = lambda m, own=own: as_game(table)(m[:, [own.index(name) for name in ABCD]])  # noqa: E731
        into.append(captum_spex.explain(moved, 4, budget=16, names=own))
    assert_same(described(captum_spex.summary(rows)), described(captum_spex.summary(again)))


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_texts_join_by_words_and_a_row_without_them_does_not_count(texts, seed):
    rows, values = [], []
    for k, words in enumerate(texts):
        table, n = random_table(len(words), seed + k), len(words)
        rows.append(exact(table, n, "STII", min(2, n), names=words))
        values.append(named(INDICES["STII"](table, n, min(2, n)), words))
    assert_same(described(captum_spex.summary(rows)), slow(values))


def test_words_that_occur_again_are_players_of_their_own():
    row = exact(random_table(3, 0), 3, names=("the", "film", "the"))
    found = captum_spex.summary([row, exact(random_table(1, 1), 1, order=1, names=("the",))])
    assert found.names == ("the", "film", "the#2")
    assert found.describe("the")["n_rows"] == 2
    assert found["the#2"] == pytest.approx(abs(row[2]))


@given(st.lists(st.permutations(ABCD), min_size=2, max_size=5), st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(orders, seed, random):
    rows = [exact(random_table(4, seed + k), 4, names=names) for k, names in enumerate(orders)]
    found = described(captum_spex.summary(rows))
    random.shuffle(rows)
    assert_same(described(captum_spex.summary(rows)), found)


@given(st.integers(0, 99), st.sampled_from(["SII", "FSII", "Fourier"]))
def test_the_summary_of_one_row_is_the_row(seed, index):
    row = exact(random_table(5, seed), 5, index, 3)
    found = captum_spex.summary([row])
    assert list(found) == list(row)
    assert_array_equal(found.mean, row.values)
    assert_array_equal(found.values, np.abs(row.values))
    assert_array_equal(found.mean_abs, found.values)
    assert_array_equal(found.n_rows, 1)
    assert np.isnan(found.spread).all()
    assert np.isnan(found.std_errors).all()
    assert (found.index, found.max_order, found.baseline, found.names) == (index, 3, row.baseline, None)


def test_rows_that_are_all_the_same_have_no_spread():
    row = exact(random_table(4, 3), 4)
    found = captum_spex.summary([row] * 7)
    assert_array_equal(found.spread, 0)
    assert_array_equal(found.std_errors, 0)
    assert_array_equal(found.mean, row.values)


def test_zero_is_counted_and_not_the_same_as_absent():
    rows = [made({(0, 1): 2.0}, 2, names=("a", "b")), made({(0,): 1.0}, 2, names=("a", "b")),
            made({(0,): 1.0}, 1, names=("a",))]  # fmt: skip
    facts = captum_spex.summary(rows).describe(("b", "a"))
    assert (facts["mean_abs"], facts["n_rows"], facts["n_nonzero"], facts["n_filled"]) == (1.0, 2, 1, 0)


def test_rounding_is_not_a_value():
    rows = [captum_spex.explain(lambda m: m @ np.array([0.1, 0.2, 0.3]), 3, budget=8) for _ in range(2)]
    found = captum_spex.summary(rows)
    assert found.n_nonzero[found.orders == 2].tolist() == [0, 0, 0]
    assert found.n_nonzero[found.orders == 1].tolist() == [2, 2, 2]


# --- estimated and truncated results ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def estimated():
    """Five rows of ten named players; two are exact, one has no errors."""
    names = tuple("abcdefghij")
    games = [lambda m, x=x: smooth_game(m) * x + x * x * m[:, 9] for x in (1.0, -0.5, 2.0, 1.5)]
    budgets = (150, 1024, 200, 1024)
    settings = {"names": names, "approximator": QUICK, "random_state": 0}
    rows = [
        captum_spex.explain(game, 10, budget=budget, **settings) for game, budget in zip(games, budgets, strict=True)
    ]
    return [*rows, of_spectrum({(0,): 1.0, (1, 2): -2.0}, 10, names=names)]


def test_errors_of_estimation_add_to_those_of_drawing_rows(estimated):
    values = [{frozenset(row.names[i] for i in t): row[t] for t in estimated[0]} for row in estimated]
    errors = [
        {frozenset(row.names[i] for i in t): e for t, e in zip(row, row.std_errors, strict=True)}
        for row in estimated
        if row.std_errors is not None
    ]
    found = captum_spex.summary(estimated)
    assert_same(described(found), slow(values, errors))
    assert found.n_rows_with_errors == 4
    assert_array_equal(found.errors_of(found.sets.take(np.array([4, 2]))), found.std_errors[[4, 2]])
    plain = slow(values)
    assert all(facts["mean_std_error"] >= plain[term]["mean_std_error"] for term, facts in described(found).items())


def test_a_term_that_was_left_out_has_the_value_of_the_recovered_game(estimated):
    rows = [
        captum_spex.explain(smooth_game, 10, budget=150, approximator=QUICK, random_state=k, max_terms=5)
        for k in (0, 1)
    ]
    assert all(row.n_left_out == 40 for row in rows)
    found, complete = captum_spex.summary(rows), captum_spex.summary([row.to("SII", 2) for row in rows])
    assert 5 <= np.count_nonzero(found.orders == 2) <= 10
    for players in found:
        assert found.describe(players) | {"n_filled": 0} == pytest.approx(complete.describe(players), abs=1e-12)
    listed = [set(row) for row in rows]
    assert found.n_filled.tolist() == [sum(players not in row for row in listed) for players in found]
    assert found.n_filled.any()
    missing = next(players for players in complete if players not in found)
    with pytest.raises(KeyError, match="listed in no row, and left out of some"):
        found[missing]


def test_terms_left_out_among_players_without_influence():
    inner = captum_spex.explain(smooth_game, 10, budget=150, approximator=QUICK, random_state=0, max_terms=2)
    other = captum_spex.explain(smooth_game, 10, budget=150, approximator=QUICK, random_state=0)
    places, whole = [0, 2, 3, 4, 5, 6, 7, 8, 9, 11], []
    whole = [row.among(places, 12) for row in (inner, other)]
    found = captum_spex.summary(whole)
    for players in other:
        moved = tuple(places[player] for player in players)
        assert found[moved] == pytest.approx(abs(other[players]))
        assert found.describe(moved)["spread"] == pytest.approx(0, abs=1e-12)


def test_the_largest_terms_are_kept():
    rows = [exact(random_table(5, seed), 5) for seed in range(4)]
    full, few = captum_spex.summary(rows), captum_spex.summary(rows, max_terms=3)
    assert few.n_left_out == 7
    assert np.count_nonzero(few.orders == 1) == 5
    assert few.top(3, order=2) == full.top(3, order=2)
    with pytest.raises(KeyError, match="not among the listed terms, 7 smaller ones were left out"):
        few[list(full.top(4, order=2))[3]]


# --- look-ups ---------------------------------------------------------------------------------------------------------


def test_terms_by_numbers_and_names():
    found = captum_spex.summary(
        [made({(0, 1): x, (2,): -x}, 3, max_order=2, names=("a", "b", "c")) for x in (1.0, -3.0)]
    )
    assert found["b", "a"] == found[(0, 1)] == found[1, 0] == 2.0
    assert found["c"] == found[2] == 2.0
    assert found[()] == 0.0
    assert found.top(1, order=2) == {(0, 1): 2.0}
    assert found.name_of((0, 1)) == "a x b"
    assert found.first_order().tolist() == [0.0, 0.0, 2.0]
    assert found.coo(2)[0, 1] == 2.0
    for wrong, said in ((3, "numbered 0 to 2"), ("d", "names 0 players"), ((0, 1, 2), "up to 2"), (None, "None")):
        with pytest.raises(KeyError, match=said):
            found[wrong]
    with pytest.raises(KeyError, match="not among the listed terms"):
        found.describe(7)


def test_players_that_never_meet():
    found = captum_spex.summary([made({(0, 1): 1.0}, 2, names=names) for names in (("a", "b"), ("a", "c"))])
    with pytest.raises(KeyError, match="no row has all of these players"):
        found["b", "c"]


def test_terms_that_complete_rows_do_not_list_are_0():
    found = captum_spex.summary([of_spectrum({(0, 1): 1.0}, 40), of_spectrum({(0, 1): 1.0}, 40)])
    assert found[5, 6] == 0.0


def test_the_record_is_frozen():
    found = captum_spex.summary([made()])
    with pytest.raises(AttributeError, match="Summary is frozen"):
        found.mean = found.values
    for array in (found.values, found.mean, found.spread, found.n_rows):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_as_a_data_frame_and_in_a_line():
    found = captum_spex.summary([made(max_order=2, names=ABCD), made(max_order=2, names=ABCD)])
    frame = found.to_dataframe()
    assert list(frame.columns) == [
        "players", "name", "order", "mean_abs", "mean_abs_std_error", "mean", "mean_std_error", "spread",
        "n_rows", "n_nonzero", "n_filled",
    ]  # fmt: skip
    assert frame["name"].tolist()[0] == "a x b"
    assert frame["mean"].tolist()[0] == found.mean[0]
    assert repr(found) == f"<Summary: mean |Moebius| up to order 2 over 2 rows, {len(found)} terms>"


# --- other doors ------------------------------------------------------------------------------------------------------


def test_mean_shapley_values_are_those_of_the_tree_explainer():
    table, y = load_diabetes(return_X_y=True, as_frame=True)
    table = (1000 * table.iloc[:, :8]).round()  # whole numbers: the tree explainer compares them in single precision
    forest = RandomForestRegressor(15, max_depth=6, random_state=0).fit(table.to_numpy(), y)
    background, rows = table.iloc[:12], table.iloc[100:120]
    explainer = ProxySpexExplainer(lambda frame: forest.predict(np.asarray(frame)), background)
    results = explainer.interactions(rows, max_evals=256, silent=True)
    trees = shap.TreeExplainer(forest, background.to_numpy(), feature_perturbation="interventional")
    values = trees.shap_values(rows.to_numpy())
    found = captum_spex.summary(results)
    assert found.names == tuple(table.columns)
    for player, name in enumerate(table.columns):
        facts = found.describe(name)
        assert facts["mean_abs"] == pytest.approx(np.abs(values[:, player]).mean())
        assert facts["mean"] == pytest.approx(values[:, player].mean(), abs=1e-6)
        assert facts["spread"] == pytest.approx(values[:, player].std(ddof=1))
        assert facts["mean_std_error"] == pytest.approx(values[:, player].std(ddof=1) / sqrt(20))
    assert list(found.top(8, order=1)) == [(i,) for i in np.argsort(-np.abs(values).mean(axis=0))]


def test_results_of_captum():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))
    x = torch.linspace(-1, 1, 20).reshape(4, 5)
    attributions, results = ProxySpex(network).attribute(x, n_samples=32, return_interactions=True)
    found = captum_spex.summary(results)
    values = attributions.detach().numpy()
    assert_allclose([found[player] for player in range(5)], np.abs(values).mean(axis=0), rtol=1e-6)
    assert_allclose(found.describe(2)["mean"], values[:, 2].mean(), atol=1e-7)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "`results`: expected a list of `Interactions`, one for each row, got no results"),
        (made(), "`results`: expected a list of `Interactions`, one for each row, got one result"),
        ([[made()], [made()]], "`results`: expected the results of one output, got rows with several outputs"),
        ([made(), 3], "`results`: expected a list of `Interactions`, one for each row, got an int"),
        (
            [made(), made(index="SII")],
            "`results`: expected the same index and order in every row, got rows in Moebius of",
        ),
        ([made(), made(max_order=2)], "`results`: expected the same index and order in every row"),
        (
            [made(), made(n_players=5)],
            "`results`: expected the same players in every row, or names, got rows of 4 and 5 pl",
        ),
        (
            [made(), made(names=ABCD)],
            "`results`: expected names of the players in every row, or in none, got rows with n",
        ),
    ],
)
def test_rows_that_cannot_be_summarised(results, said):
    with pytest.raises(ArgumentError, match=said):
        captum_spex.summary(results)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True])
def test_how_many_terms(wrong):
    with pytest.raises(ArgumentError, match="`max_terms`: expected an integer of at least 1"):
        captum_spex.summary([made()], max_terms=wrong)


def test_which_errors():
    found = captum_spex.summary([made()])
    with pytest.raises(ArgumentError, match="`statistic`: expected 'mean_abs', 'mean', got 'median'"):
        found.errors_of(found.sets, "median")
    assert isnan(found.errors_of(found.sets)[0])
