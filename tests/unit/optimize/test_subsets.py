"""Best and worst subsets against brute force."""

from __future__ import annotations

import time

import numpy as np
import pytest
from games import random_spectrum
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.masks import all_masks
from captum_spex.model import Spectrum
from captum_spex.optimize import best_subset, worst_subset


def checked(spectrum, allowed, **limits):
    """Compare with all allowed subsets."""
    masks = all_masks(spectrum.n_players)
    values = spectrum(masks)[allowed(masks)]
    for found, wanted in (
        (best_subset(spectrum, **limits), values.max()),
        (worst_subset(spectrum, **limits), values.min()),
    ):
        assert allowed(found.mask[None])[0]
        assert_allclose(found.value, wanted, atol=1e-9)
        assert_allclose(spectrum(found.mask[None])[0], found.value, atol=1e-9)
        assert found.gap == 0
        assert_allclose(found.bound, found.value, rtol=1e-5, atol=1e-5)


@given(st.integers(2, 8), st.integers(1, 15), st.integers(1, 8), st.integers(0, 10**6), st.data())
def test_subsets_are_the_best_and_the_worst(n, n_terms, highest, seed, data):
    spectrum = random_spectrum(n, n_terms, min(highest, n), seed)
    size = data.draw(st.integers(0, n))
    costs = np.random.default_rng(seed).random(n)
    limit = float(costs.sum() * data.draw(st.floats(0, 1)))
    checked(spectrum, lambda masks: masks.sum(axis=1) >= 0)
    checked(spectrum, lambda masks: masks.sum(axis=1) == size, size=size)
    checked(spectrum, lambda masks: masks.sum(axis=1) <= size, max_size=size)
    checked(spectrum, lambda masks: masks @ costs <= limit + 1e-9, costs=costs, max_cost=limit)
    checked(
        spectrum,
        lambda masks: (masks @ costs <= limit + 1e-9) & (masks.sum(axis=1) <= size),
        max_size=size,
        costs=costs,
        max_cost=limit,
    )


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_players(seed):
    checked(random_spectrum(16, 40, 4, seed), lambda masks: masks.sum(axis=1) == 6, size=6)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("order", [9, 11])
def test_terms_of_high_order(order, sign):
    players = tuple(range(order))
    spectrum = Spectrum.from_terms({players: sign, (0,): 0.3, (0, 1, 2): -0.4, tuple(range(1, order)): 0.5}, 12)
    checked(spectrum, lambda masks: masks.sum(axis=1) <= 7, max_size=7)


def test_the_hull_of_a_parity_is_tight_without_any_branching():
    """One term alone: the bound of the relaxation is the value."""
    spectrum = Spectrum.from_terms({(0, 1, 2, 3): -1.0, (4, 5): 1.0}, 6)
    found = best_subset(spectrum, size=3)
    assert (found.value, found.gap) == (2.0, 0.0)


def test_costs_that_only_some_sizes_can_pay():
    spectrum = Spectrum.from_terms({(0,): -1.0, (1,): -0.1, (2,): -0.2}, 3)
    assert best_subset(spectrum, size=2, costs=[5.0, 1.0, 1.0], max_cost=2.5).players == (1, 2)
    assert best_subset(spectrum, costs=[5.0, 1.0, 1.0], max_cost=5.0).players == (0,)


def test_a_time_limit_gives_the_gap():
    spectrum = random_spectrum(60, 300, 6, 0)
    found = best_subset(spectrum, size=10, time_limit=0.5)
    assert found.mask.sum() == 10
    assert_allclose(found.value, spectrum(found.mask[None])[0])
    assert found.bound >= found.value
    assert found.gap == pytest.approx((found.bound - found.value) / abs(found.value))
    assert found.gap > 0.01
    longer = worst_subset(spectrum, size=10, time_limit=0.5)
    assert longer.bound <= longer.value


def test_results_of_explain_may_be_given():
    def game(masks):
        return masks[:, 0] + 2.0 * (masks[:, 3] & masks[:, 7]) - masks[:, 5]

    result = captum_spex.explain(game, 8, budget=256)
    for given_ in (result, result.model):
        found = best_subset(given_, size=3)
        assert found.players == (0, 3, 7)
        assert_allclose(found.value, 3.0)


SPECTRUM = Spectrum.from_terms({(0,): 1.0, (1, 2): 0.5}, 3)
PLAYERS = "The spectrum has 3 players."
COSTS = "`costs`: expected (3,), a cost of at least 0 for each player, got"
BAD = [
    ({"size": 4}, OrderError, f"`size`: expected an integer from 0 to 3, got 4. {PLAYERS}"),
    ({"size": -1}, OrderError, f"`size`: expected an integer from 0 to 3, got -1. {PLAYERS}"),
    ({"size": 1.5}, OrderError, f"`size`: expected an integer from 0 to 3, got 1.5. {PLAYERS}"),
    ({"size": True}, OrderError, f"`size`: expected an integer from 0 to 3, got True. {PLAYERS}"),
    ({"max_size": 9}, OrderError, f"`max_size`: expected an integer from 0 to 3, got 9. {PLAYERS}"),
    ({"size": 1, "max_size": 2}, ArgumentError, "`max_size`: expected one of the two, got 2, and `size` too."),
    ({"costs": [1] * 3}, ArgumentError, "`max_cost`: expected `costs` and `max_cost` together, or neither, got None."),
    ({"max_cost": 1.0}, ArgumentError, "`costs`: expected `costs` and `max_cost` together, or neither, got None."),
    ({"costs": [1, 1], "max_cost": 1}, ArgumentError, f"{COSTS} shape (2,)."),
    ({"costs": [1, -1, 1], "max_cost": 1}, ArgumentError, f"{COSTS} a cost that is negative or not finite."),
    ({"costs": [1, 1, 1], "max_cost": -1}, ArgumentError, "`max_cost`: expected a number of at least 0, got -1."),
    (
        {"size": 2, "costs": [2, 3, 4], "max_cost": 4},
        ArgumentError,
        "`max_cost`: expected at least 5, what the cheapest 2 players cost, got 4. A smaller `size` costs less.",
    ),
    ({"time_limit": 0}, ArgumentError, "`time_limit`: expected a positive number of seconds, got 0."),
    ({"time_limit": "1"}, ArgumentError, "`time_limit`: expected a positive number of seconds, got '1'."),
]


@pytest.mark.parametrize(("limits", "error", "message"), BAD)
def test_limits_that_cannot_be_met(limits, error, message):
    for function in (best_subset, worst_subset):
        with pytest.raises(error) as caught:
            function(SPECTRUM, **limits)
        assert message in str(caught.value)


@pytest.mark.parametrize("terms", [{}, {(): 3.0}])
def test_an_empty_spectrum(terms):
    with pytest.raises(ArgumentError, match="`spectrum`: expected a term of order 1 or more, got none"):
        best_subset(Spectrum.from_terms(terms, 3), size=1)


def test_only_what_has_a_spectrum():
    with pytest.raises(ArgumentError, match=r"`spectrum`: expected a `Spectrum`, .*, got a dict"):
        best_subset({(0,): 1.0})


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e-6, 1.0, 1e9])
def test_costs_and_values_of_any_size(scale):
    rng = np.random.default_rng(int(np.log10(scale)) + 20)
    for _ in range(15):
        n = int(rng.integers(2, 9))
        terms = {
            tuple(sorted(rng.choice(n, rng.integers(1, n + 1), replace=False).tolist())): rng.normal()
            for _ in range(12)
        }
        spectrum, costs = Spectrum.from_terms(terms, n_players=n), rng.random(n) * scale * (rng.random(n) < 0.8)
        masks = all_masks(n)
        limit = float(costs[masks[rng.integers(len(masks))]].sum())  # some subset fits exactly
        best = best_subset(spectrum.scaled(1 / scale), costs=costs, max_cost=limit)
        allowed = masks @ costs <= limit * (1 + 1e-9)
        assert costs[best.mask].sum() <= limit * (1 + 1e-8)
        assert_allclose(best.value * scale, spectrum(masks[allowed]).max(), rtol=1e-6, atol=1e-6)
        assert best.gap == 0


def test_costs_that_fit_exactly_but_for_rounding():
    spectrum = Spectrum.from_terms({(0,): -1.0, (1,): -1.0, (2,): -1.0}, n_players=3)
    assert best_subset(spectrum, size=3, costs=[0.1, 0.1, 0.1], max_cost=0.3).players == (0, 1, 2)


def test_players_that_no_term_holds_fill_the_size_and_cost_little():
    n = 20_000
    rng = np.random.default_rng(0)
    terms = {tuple(sorted(rng.choice(n, 2, replace=False).tolist())): float(rng.normal()) for _ in range(200)}
    spectrum = Spectrum.from_terms(terms, n_players=n)
    assert all(best_subset(spectrum, size=size).mask.sum() == size for size in (0, 3, 30, n - 3, n))
    assert best_subset(spectrum, size=30).gap == 0
    costs = rng.random(n)
    costs[7] = 0.0
    cheap = best_subset(spectrum, size=1, costs=costs, max_cost=0.0)
    assert cheap.players == (7,)


def test_the_time_limit_holds_for_the_search_too():
    rng = np.random.default_rng(0)
    terms = {tuple(sorted(rng.choice(3000, 6, replace=False).tolist())): float(rng.normal()) for _ in range(500)}
    start = time.process_time()  # which a busy machine does not lengthen
    found = best_subset(Spectrum.from_terms(terms, n_players=3000), max_size=2000, time_limit=np.int64(1))
    assert time.process_time() - start < 10
    assert found.value > 0


@pytest.mark.parametrize("costs", [["a", 1, 2], [[1], 2, 3], {"a": 1}, None])
def test_costs_that_are_not_numbers(costs):
    spectrum = Spectrum.from_terms({(0,): -1.0, (1,): -1.0, (2,): -1.0}, n_players=3)
    with pytest.raises(ArgumentError, match="`costs`"):
        best_subset(spectrum, costs=costs, max_cost=1.0)
    with pytest.raises(ArgumentError, match="`max_cost`: expected a number of at least 0, got True"):
        best_subset(spectrum, costs=[1.0, 1.0, 1.0], max_cost=True)
