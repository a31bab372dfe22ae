"""The result: its conversions, how it is read, and its standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from games import Counting, smooth_game
from numpy.testing import assert_allclose, assert_array_equal
from smooth_results import NAMES, PROCESS, TREES, estimate

import captum_spex
from captum_spex import Interactions
from captum_spex.approximators import ProxySpex
from captum_spex.errors import ArgumentError, OrderError, UnknownNameError
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks


@pytest.fixture(scope="module")
def result():
    return estimate(names=NAMES)


@pytest.mark.parametrize(("index", "order"), [("FSII", 3), ("BII", 2), ("SV", 1), ("Moebius", 2), ("k-SII", 9)])
def test_another_index_is_what_would_have_been_computed(index, order):
    game = Counting(smooth_game)
    first = captum_spex.explain(game, 9, budget=150, approximator=ProxySpex(TREES.proxy, "spread"), random_state=0)
    rows = game.n_rows
    other = first.to(index, max_order=order)
    assert game.n_rows == rows
    assert (other.index, other.max_order) == (index, order)
    assert other.n_evaluations == first.n_evaluations == 150
    assert_allclose(other.to("SII", max_order=2).values, first.values, atol=1e-12)
    expected = first.model.index_terms(captum_spex.indices.resolve_index(index, order, 9))
    assert dict(other) == dict(expected)


def test_conversion_keeps_order_and_facts(result):
    other = result.to("STII")
    assert other.max_order == result.max_order
    assert other.names == NAMES
    assert other.faithfulness == result.faithfulness
    assert other.diagnostics == result.diagnostics


def test_conversion_checks_its_arguments(result):
    with pytest.raises(UnknownNameError, match=r"`index`: expected 'SV', .*, got 'XII'"):
        result.to("XII")
    with pytest.raises(OrderError, match="`max_order`: expected an integer from 1 to the number of players, 9, got 10"):
        result.to("SII", max_order=10)


def test_terms_are_sorted_once():
    model = estimate().model
    terms = model.index_terms(resolve_index("SII", 2, 9))
    result = Interactions(terms, model, n_evaluations=1, faithfulness=1.0)
    assert result.sets is terms.sets
    assert result.values is terms.values
    assert result.resolved_index is terms.resolved_index


def test_lookup_by_players_and_by_names(result):
    pair = next(players for players in result if len(players) == 2)
    by_name = tuple(NAMES[player] for player in pair)
    assert (
        result[pair] == result[pair[::-1]] == result[by_name] == result[by_name[::-1]] == result[(by_name[0], pair[1])]
    )
    assert by_name in result
    assert result["dose"] == result[3] == result[(3,)]
    assert result[()] == result.baseline


@pytest.mark.parametrize(
    ("players", "message"),
    [
        ((0, 9), r"\(0, 9\): players are numbered 0 to 8"),
        (-1, r"\(-1,\): players are numbered 0 to 8"),
        ((0, 1, 2), r"\(0, 1, 2\): orders go up to 2; see `.to\(index, max_order=...\)`"),
        ("weight", "'weight' names 0 players"),
        (("age", "weight"), "'weight' names 0 players"),
    ],
)
def test_lookup_of_what_cannot_be(result, players, message):
    with pytest.raises(KeyError, match=message) as caught:
        result[players]
    assert caught.value.__notes__[0].startswith("See docs/")


def test_lookup_of_an_ambiguous_name():
    result = estimate(names=["same"] * 2 + list("abcdefg"))
    with pytest.raises(KeyError, match="'same' names 2 players"):
        result["same"]
    assert result["c"] == result[4]


def test_lookup_of_something_that_is_no_player(result):
    for foreign in [(1.5, 2), None, ("age", 0.5), "weight"]:
        assert foreign not in result
        with pytest.raises(KeyError):
            result[foreign]
    with pytest.raises(KeyError):
        estimate(budget=5)["age"]


def test_sets_that_are_not_listed_are_zero_unless_terms_were_left_out():
    sparse = captum_spex.explain(
        lambda masks: masks[:, 0] * masks[:, 1],
        70,
        budget=100,
        approximator=ProxySpex(TREES.proxy, interpolate=False),
    )
    unlisted = next((i, j) for i in range(70) for j in range(i) if (i, j) not in sparse)
    assert sparse[unlisted] == 0.0
    cut = estimate(max_terms=3)
    unlisted = next((i, j) for i in range(9) for j in range(i) if (i, j) not in cut)
    with pytest.raises(KeyError, match="not among the listed terms, 33 smaller ones were left out"):
        cut[unlisted]


@pytest.mark.parametrize("max_terms", [1, 5, 36, 1000])
def test_the_largest_interactions_and_all_players_are_kept(max_terms):
    everything, cut = estimate(), estimate(max_terms=max_terms)
    kept = min(max_terms, 36)
    assert cut.n_left_out == 36 - kept
    assert cut.top(100, order=1) == everything.top(100, order=1)
    assert len(cut.top(100, order=1)) == 9
    assert cut.top(1000, order=2) == everything.top(kept, order=2)
    assert cut.to("SII").n_left_out == 0
    assert cut.to("SII", max_terms=2).n_left_out == 34


def test_first_order_as_an_array(result):
    assert_array_equal(result.first_order(), [result[player] for player in range(9)])


def test_arrays_of_orders_that_the_result_holds(result):
    assert result.coo(2).shape == (9, 9)
    assert result.coo(2, symmetric=True)[8, 0] == result[(0, 8)]
    assert result.supports.shape == (len(result), 9)
    with pytest.raises(
        OrderError,
        match=r'`order`: expected an order of this result, 1 to 2, got 3. Use `.to\("SII", max_order=3\)` first.',
    ):
        result.coo(3)
    for wrong in (0, 1.0, "2", True):
        with pytest.raises(OrderError, match="`order`: expected an integer of at least 1, got "):
            result.coo(wrong)


def test_the_spectrum_is_of_the_recovered_game():
    result = estimate(budget=512)
    masks = all_masks(9)
    assert_allclose(result.model.spectrum(512)(masks), smooth_game(masks), atol=1e-9)
    assert len(result.spectrum) == 500
    shares = result.model.spectrum(10)
    assert list(shares) == list(result.spectrum)[:10]


def test_frozen(result):
    for name in ("values", "names", "faithfulness", "anything"):
        with pytest.raises(AttributeError, match=f"`{name}` cannot be set: Interactions is frozen"):
            setattr(result, name, None)
        assert getattr(result, name, None) is not None or name == "anything"


def test_standard_errors_stand_beside_the_values(result):
    errors = result.std_errors
    assert errors.shape == result.values.shape
    assert (errors > 0).all()
    assert result.std_errors is errors  # computed once
    truth = estimate(budget=512)
    gaps = np.array([truth[players] for players in result]) - result.values
    assert (np.abs(gaps) < 1.64 * errors).mean() > 0.75
    assert np.sqrt((errors**2).mean()) < 5 * np.sqrt((gaps**2).mean())


def test_standard_errors_shrink(result):
    few, many = estimate(budget=80), estimate(budget=400)
    assert many.std_errors.mean() < result.std_errors.mean() < few.std_errors.mean()


def test_standard_errors_have_the_units_of_the_values(result):
    tenfold = captum_spex.explain(
        lambda masks: 10 * smooth_game(masks), 9, budget=150, approximator=PROCESS, random_state=0
    )
    assert_allclose(tenfold.std_errors.mean(), 10 * result.std_errors.mean(), rtol=1e-2)


def test_standard_errors_of_another_index_are_its_own(result):
    banzhaf = result.to("BII", max_order=1)
    assert banzhaf.std_errors.shape == (9,)
    assert_allclose(banzhaf.std_errors, result.model.std_errors(captum_spex.indices.Index("BII", 1), banzhaf.sets))


def test_standard_errors_of_exact_answers_are_zero():
    assert_array_equal(estimate(budget=512).std_errors, 0.0)


@pytest.mark.parametrize("settings", [{"approximator": TREES}, {"budget": 5}])
def test_no_standard_errors_without_a_process(settings):
    result = estimate(**settings)
    assert result.std_errors is None
    assert "std_error" not in result.to_dataframe()


def test_names_of_terms(result):
    assert result.name_of((0, 8)) == "age x iron"
    assert estimate(budget=5).name_of((0, 8)) == "0 x 8"


def test_names_must_fit_the_players():
    game = Counting(smooth_game)
    with pytest.raises(ArgumentError, match="`names`: expected one for each of the 9 players, got 2 names"):
        captum_spex.explain(game, 9, budget=10, names=["a", "b"])
    assert game.n_rows == 0
