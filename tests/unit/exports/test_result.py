"""What exports and pictures say: names of values, and whether they add up."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

import captum_spex
from captum_spex.exports.result import as_text, displayed, heading, sum_in_words, value_name, value_names
from captum_spex.indices import NAMES
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum

TABLE = np.random.default_rng(3).normal(size=64)  # every order has terms
TOTAL = f"f(all) − f(none) = {as_text(float(TABLE[-1] - TABLE[0]), 4)}"  # noqa: RUF001
ADDITIVE = {"SV", "k-SII", "STII", "FSII"}


def full(index="SII", max_order=2, **settings):
    game = oracles.as_game(TABLE)
    return captum_spex.explain(game, 6, budget=64, index=index, max_order=max_order, **settings)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", [*NAMES, "BII(p=0.3)", "BII(p=0.5)"])
def test_values_are_called_what_they_are(name, order):
    """The value of a player is called a Shapley or Banzhaf value if, and only if, it is one in a game of all orders."""
    result = full(name, order)
    values = {"Shapley value": full("SV", 1).first_order(), "Banzhaf value": full("BV", 1).first_order()}
    equal = [called for called, value in values.items() if np.allclose(result.first_order(), value, atol=1e-12)]
    others = "Fourier coefficient" if name == "Fourier" else name
    assert [value_name(result, 1)] == (equal or [others])
    assert [value_name(result, k) for k in range(2, result.max_order + 1)] == [others] * (result.max_order - 1)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("name", [*NAMES, "BII(p=0.3)"])
def test_what_is_said_of_the_sum_is_true(name, order):
    result = full(name, order)
    adds_up = np.isclose(result.values.sum(), TABLE[-1] - TABLE[0], rtol=0, atol=1e-9)
    assert result.resolved_index.adds_up(6) == adds_up
    said = sum_in_words(result)
    assert said.endswith(f"do not add up to {TOTAL}; k-SII does") or adds_up or name == "Moebius"
    assert (said == f"the terms add up to {TOTAL}") == adds_up
    if name == "Moebius" and order < 6:
        assert said == f"without the terms that are missing, they do not add up to {TOTAL}"
    assert adds_up == (
        name in ADDITIVE or (name in ("Moebius", "FBII") and order == 6) or value_names(result) == "Shapley values"
    )


@pytest.mark.parametrize("name", ["SV", "SII", "CHII", "k-SII", "STII", "FSII", "kADD-SHAP"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_sums_are_judged_from_few_degrees(name, order):
    """A game of degree 40 shows no other answer than those of the lowest degrees."""
    index = full(name, order).resolved_index
    degrees = range(1, 41)
    weights = np.array([index.fourier_weights(s, 40) for s in range(1, index.max_order + 1)])
    sizes = [[oracles.comb(u, s) for u in range(41)] for s in range(1, index.max_order + 1)]
    sums = (weights * np.array(sizes, dtype=float)).sum(axis=0)[1:]
    expected = [(-1.0) ** u - 1 for u in degrees]
    assert index.adds_up(40) == np.allclose(sums, expected, atol=1e-6)


def test_names_of_several_orders():
    assert value_names(full("SII")) == "Shapley values of players, SII of groups"
    assert value_names(full("SII"), [1]) == "Shapley values"
    assert value_names(full("BII", 3), [2, 3]) == "BII"
    assert value_names(full("Fourier", 3)) == "Fourier coefficients"
    assert heading(full("CHII"), 1) == "single players: Shapley values"
    assert heading(full("CHII"), 2) == "interactions of order 2: CHII"


def test_terms_left_out_are_said_to_belong_to_the_sum():
    few = full("k-SII", 2, max_terms=3)
    assert few.n_left_out == 12
    assert sum_in_words(few) == f"with those not shown, terms add up to {TOTAL}"
    assert sum_in_words(full("k-SII"), all_shown=False) == f"with those not shown, terms add up to {TOTAL}"
    assert sum_in_words(full("SII", max_terms=3)) == f"SII values do not add up to {TOTAL}; k-SII does"


def test_a_sum_that_is_right_for_this_game_only_is_said_to_be_so():
    linear = captum_spex.explain(lambda masks: 2.0 * masks[:, 0] - masks[:, 2], 3, budget=8)
    said = "the terms add up to f(all) − f(none) = 1, for this game"  # noqa: RUF001
    assert sum_in_words(linear) == sum_in_words(linear.to("Moebius", 2)) == said


def test_values_that_miss_the_sum_are_not_said_to_reach_it():
    """As in files of estimates that were averaged over coalitions."""
    model = GameModel((Spectrum.from_terms({(): 1.0, (0,): -0.5, (0, 1): 0.25}, 2),))
    result = Interactions.from_model(model, full("k-SII").resolved_index, n_evaluations=4, faithfulness=1.0)
    result._set(values=result.values * np.array([2.0, 1.0, 1.0]))
    reached, whole = float(result.values.sum()), float(np.subtract(*model([[True, True], [False, False]])))
    assert sum_in_words(result) == (
        f"as estimated, the terms add up to {as_text(reached, 4)}, not quite to f(all) − f(none) = {as_text(whole, 4)}"  # noqa: RUF001
    )


@pytest.mark.parametrize(
    ("index", "asked", "shown"),
    [("SII", None, "k-SII"), ("SII", "SII", "SII"), ("BII", None, "BII"), ("BII", "SV", "SV")],
)
def test_displays_that_look_like_a_sum_show_one(index, asked, shown):
    result = full(index)
    got = displayed(result, asked)
    assert (got.index, dict(got)) == (shown, dict(result.to(shown, 2)))
