"""Measures of explanations against slow twins from their definitions, and the laws that they obey."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from games import Counting, planted_spectrum, random_table, smooth_game, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import as_game, every_mask, moebius, shapley_by_permutations
from scipy.stats import spearmanr

import captum_spex
from captum_spex import metrics
from captum_spex.errors import ArgumentError, GameError, MaskError, UnknownNameError
from captum_spex.model import GameModel, Spectrum

seeds = st.integers(0, 2**32 - 1)


# --- slow twins -------------------------------------------------------------------------------------------------------


def slow_sum(terms, mask):
    return sum(value for players, value in terms.items() if all(mask[player] for player in players))


def slow_r_squared(truth, predicted):
    mean = sum(truth) / len(truth)
    return 1 - sum((a - b) ** 2 for a, b in zip(truth, predicted, strict=True)) / sum((a - mean) ** 2 for a in truth)


def slow_area(fractions, values):
    return sum((fractions[i + 1] - fractions[i]) * (values[i] + values[i + 1]) / 2 for i in range(len(values) - 1))


def value(game, n, players):
    return float(game(np.array([[player in players for player in range(n)]]))[0])


def slow_greedy(game, n, kind):
    order = []
    while len(order) < n:
        left = [player for player in range(n) if player not in order]
        if kind == "insertion":
            order.append(max(left, key=lambda player: value(game, n, [*order, player])))
        else:
            order.append(min(left, key=lambda player: value(game, n, set(left) - {player})))
    return tuple(order)


def slow_best_change(game, n, size):
    whole = value(game, n, range(n))
    return max(abs(whole - value(game, n, set(range(n)) - set(gone))) for gone in combinations(range(n), size))


def moebius_of(table, n):
    return {(): table[0]} | moebius(table, n, n)


def random_terms(n, seed):
    rng = np.random.default_rng(seed)
    sets = {tuple(sorted(rng.choice(n, rng.integers(1, 4), replace=False).tolist())) for _ in range(8)}
    return {players: float(rng.normal()) for players in sorted(sets)}


# --- faithfulness -----------------------------------------------------------------------------------------------------


@given(tables())
def test_a_perfect_model_has_r_squared_1(drawn):
    table, n = drawn
    spectrum = Spectrum.from_values(table, n)
    perfect = [spectrum, GameModel((spectrum,)), moebius_of(table, n), as_game(table)]
    for explained in perfect:
        score = metrics.faithfulness(explained, as_game(table), n_players=n)
        assert_allclose(score.value, 1.0, atol=1e-9)
        assert score.n_evaluations == 2**n


@given(tables(6), seeds)
def test_r_squared_is_as_defined(drawn, seed):
    table, n = drawn
    masks = np.random.default_rng(seed).random((9, n)) < 0.5
    masks[:2] = [[True] * n, [False] * n]
    terms = random_terms(max(n, 3), seed)
    terms = {players: number for players, number in terms.items() if max(players) < n} | {(): 0.3}
    game = Counting(as_game(table))
    score = metrics.faithfulness(terms, game, masks=masks)
    expected = slow_r_squared(as_game(table)(masks).tolist(), [slow_sum(terms, mask) for mask in masks])
    assert_allclose(score.value, expected, rtol=1e-9)
    assert score.n_evaluations == game.n_rows == game.n_distinct == len({mask.tobytes() for mask in masks})


@given(tables(6), seeds, st.floats(0.1, 10), st.floats(-10, 10))
def test_r_squared_does_not_depend_on_the_unit(drawn, seed, scale, shift):
    table, n = drawn
    table = table + np.arange(1 << n)  # never constant
    other = random_table(n, seed)
    plain = metrics.faithfulness(as_game(other), as_game(table), n_players=n)
    scaled = metrics.faithfulness(as_game(scale * other + shift), as_game(scale * table + shift), n_players=n)
    assert_allclose(scaled.value, plain.value, rtol=1e-6, atol=1e-6)


def test_masks_are_drawn_uniformly_and_only_as_many_as_asked_for():
    game = Counting(smooth_game)
    score = metrics.faithfulness(planted_spectrum(20, 10, 3, 0), game, n_masks=3000, random_state=0)
    assert score.n_evaluations == game.n_rows == game.n_distinct == len(np.unique(game.masks, axis=0))
    assert 2980 < score.n_evaluations <= 3000
    assert_allclose(game.masks.mean(axis=0), 0.5, atol=0.05)
    assert_allclose(np.cov(game.masks.T), np.eye(20) / 4, atol=0.03)


def test_the_same_seed_gives_the_same_masks():
    games = [Counting(smooth_game) for _ in range(3)]
    for game, seed in zip(games, (3, 3, 4), strict=True):
        metrics.faithfulness(np.ones(30), game, n_masks=50, random_state=seed)
    assert_array_equal(games[0].masks, games[1].masks)
    assert (games[0].masks != games[2].masks).any()


def test_a_result_is_measured_by_its_recovered_game():
    result = captum_spex.explain(smooth_game, 16, budget=400, random_state=0)
    score = metrics.faithfulness(result, smooth_game, random_state=1)
    model = metrics.faithfulness(result.model, smooth_game, random_state=1)
    assert score.value == model.value == pytest.approx(result.faithfulness, abs=0.05)
    assert float(metrics.faithfulness(result.first_order(), smooth_game, random_state=1)) < float(score)


def test_bare_terms_start_at_their_baseline():
    spectrum = Spectrum.from_terms({(): 5.0, (0,): 1.0, (0, 1): -2.0, (2,): 0.5}, n_players=4)
    for index in ("k-SII", "STII", "FSII", "Moebius"):
        assert_allclose(metrics.faithfulness(spectrum.to_index(index, 2), spectrum).value, 1.0)


def two_outputs(masks):
    return np.column_stack([smooth_game(masks), masks[:, 0] * 2.0 - masks[:, 1]])


def test_several_outputs():
    results = captum_spex.explain(two_outputs, 10, budget=300, random_state=0)
    score = metrics.faithfulness(results, two_outputs, random_state=0)
    assert score.value.shape == (2,)
    apart = [metrics.faithfulness(results[i], lambda m, i=i: two_outputs(m)[:, i], random_state=0) for i in range(2)]
    assert_allclose(score.value, [one.value for one in apart])
    assert apart[0].n_evaluations == score.n_evaluations <= 1000
    exact = np.array([[0.0] * 10, [2.0, -1.0] + [0.0] * 8])
    of_arrays = metrics.faithfulness(exact, two_outputs, random_state=0)
    assert_allclose(of_arrays.value[1], 1.0)
    of_callable = metrics.faithfulness(two_outputs, two_outputs, n_players=10, random_state=0)
    assert_allclose(of_callable.value, [1.0, 1.0])


def test_a_game_of_one_output_in_a_column_is_a_number():
    score = metrics.faithfulness({(0,): 1.0}, lambda m: 1.0 * m[:, :1], n_players=3)
    assert score.value == 1.0


@pytest.mark.parametrize("measure", [metrics.faithfulness, metrics.data_modelling_score])
def test_given_values_cost_no_evaluation(measure):
    masks = every_mask(8)
    explained = random_terms(8, 1)
    given_values = measure(explained, smooth_game(masks), masks=masks)
    assert given_values.n_evaluations == 0
    assert given_values.value == measure(explained, smooth_game, masks=masks.astype(int)).value


# --- the linear data-modelling score ----------------------------------------------------------------------------------


@given(seeds, st.integers(8, 12))
def test_the_score_is_spearmans_correlation_over_subsets(seed, n):
    explained, masks = random_terms(n, seed), np.random.default_rng(seed).random((30, n)) < 0.3
    masks[:2] = [[True] * n, [False] * n]
    score = metrics.data_modelling_score(explained, smooth_game, masks=masks)
    predicted = [round(slow_sum(explained, mask), 12) for mask in masks]
    assert_allclose(score.value, spearmanr(predicted, smooth_game(masks).round(12))[0], atol=1e-9)
    assert score.n_evaluations == len({mask.tobytes() for mask in masks})


@given(st.integers(4, 10), seeds)
def test_any_growing_function_of_a_sum_scores_1(n, seed):
    values = np.random.default_rng(seed).normal(size=n)
    score = metrics.data_modelling_score(values, lambda m: np.exp(m @ values) + 7, random_state=seed)
    assert_allclose(score.value, 1.0, atol=1e-9)
    worst = metrics.data_modelling_score(-values, lambda m: np.exp(m @ values) + 7, random_state=seed)
    assert_allclose(worst.value, -1.0, atol=1e-9)


def test_interactions_predict_subsets_better_than_single_players():
    def game(masks):
        return masks[:, 0] * 1.0 + 4.0 * (masks[:, 1] ^ masks[:, 2]) + 2.0 * (masks[:, 3] & masks[:, 4])

    result = captum_spex.explain(game, 12, budget=4096)
    whole = metrics.data_modelling_score(result, game, n_masks=200, random_state=0)
    single = metrics.data_modelling_score(result.first_order(), game, n_masks=200, random_state=0)
    assert_allclose(whole.value, 1.0)
    assert single.value < 0.7


def test_the_share_decides_the_size_of_the_subsets():
    for share, size in ((0.1, 2), (0.5, 10), (0.001, 1), (0.999, 19)):
        game = Counting(smooth_game)
        score = metrics.data_modelling_score(np.arange(20.0), game, share=share, random_state=0)
        assert set(game.masks.sum(axis=1)) == {size}
        assert len(game.masks) == len(np.unique(game.masks, axis=0)) > 10
        assert score.n_evaluations == game.n_rows == game.n_distinct <= 100


def test_predictions_that_are_all_the_same_have_no_correlation():
    assert np.isnan(metrics.data_modelling_score(np.full(10, 0.1), smooth_game, random_state=0).value)


# --- orders and sets --------------------------------------------------------------------------------------------------


def test_the_ranking_follows_first_order_values():
    values = np.array([0.5, -2.0, 0.0, 3.0, 0.5])
    assert metrics.ranking(values) == metrics.ranking(values.tolist()) == (3, 0, 4, 2, 1)
    singles = {(player,): number for player, number in enumerate(values.tolist())}
    assert metrics.ranking(singles | {(0, 1): 99.0}, n_players=6) == (3, 0, 4, 2, 5, 1)
    exact = captum_spex.explain(lambda m: m @ (values - np.arange(5) / 100), 5, budget=32)
    for explained in (exact, exact.to("Fourier"), exact.to("BII"), exact.model, exact.spectrum):
        assert metrics.ranking(explained) == (3, 0, 4, 2, 1)


@given(tables(6))
def test_the_ranking_of_a_recovered_game_is_by_shapley_values(drawn):
    table, n = drawn
    order = metrics.ranking(Spectrum.from_values(table, n))
    shapley = shapley_by_permutations(table, n)
    assert (np.diff(shapley[list(order)]) <= 1e-9).all()


@given(st.integers(2, 7), seeds, st.sampled_from(["insertion", "removal"]))
def test_the_greedy_order_is_greedy(n, seed, kind):
    table = random_table(n, seed)
    expected = slow_greedy(as_game(table), n, kind)
    assert metrics.greedy_ranking(as_game(table), kind, n_players=n) == expected
    assert metrics.greedy_ranking(Spectrum.from_values(table, n), kind) == expected


def test_after_the_greedy_steps_the_last_look_decides():
    terms = {(0,): 5.0, (1,): 1.0, (2,): 2.0, (1, 2): 0.5, (3,): 3.0, (1, 3): 9.0}
    assert metrics.greedy_ranking(terms, n_players=4) == (0, 3, 1, 2)
    assert metrics.greedy_ranking(terms, n_players=4, n_greedy=1) == (0, 3, 2, 1)


@given(st.integers(2, 6), seeds, st.data())
def test_the_most_influential_set_changes_most(n, seed, data):
    table = random_table(n, seed)
    size = data.draw(st.integers(1, n))
    (found,) = metrics.most_influential(as_game(table), [size], n_players=n)
    assert len(found) == size
    change = abs(table[-1] - value(as_game(table), n, set(range(n)) - set(found)))
    assert_allclose(change, slow_best_change(as_game(table), n, size), rtol=1e-9)


def test_beyond_enumeration_the_larger_of_two_greedy_ways():
    values = np.concatenate([np.full(20, 1.0), np.full(20, -1.5)]) + np.linspace(0, 0.1, 40)
    three, nine = metrics.most_influential(values, [3, 9])
    assert three == (20, 21, 22)
    assert nine == tuple(range(20, 29))
    assert metrics.most_influential(-values, [9])[0] == nine
    assert metrics.most_influential(values + 3, [9])[0] == tuple(range(11, 20))


# --- curves and removal -----------------------------------------------------------------------------------------------


@given(st.integers(1, 7), seeds, st.data())
def test_curves_follow_the_order(n, seed, data):
    table = random_table(n, seed)
    order = data.draw(st.permutations(range(n)))
    inserted = metrics.insertion_curve(order, as_game(table))
    removed = metrics.removal_curve(order, as_game(table))
    assert inserted.order == removed.order == tuple(order)
    assert_allclose(inserted.fractions, [i / n for i in range(n + 1)])
    assert_allclose(inserted.values, [value(as_game(table), n, order[:i]) for i in range(n + 1)])
    assert_allclose(removed.values, [value(as_game(table), n, order[i:]) for i in range(n + 1)])
    assert_allclose(inserted.area, slow_area(inserted.fractions, inserted.values))
    assert inserted.n_evaluations == n + 1


@given(st.integers(2, 7), seeds, st.data())
def test_inserting_backwards_is_removing(n, seed, data):
    game, order = as_game(random_table(n, seed)), data.draw(st.permutations(range(n)))
    backwards = metrics.insertion_curve(order[::-1], game)
    removed = metrics.removal_curve(order, game)
    assert_array_equal(removed.values, backwards.values[::-1])
    assert_allclose(removed.area, backwards.area)
    assert_allclose(removed.normalised.area, backwards.normalised.area)


@given(st.integers(2, 7), seeds, st.floats(0.1, 10), st.floats(-10, 10))
def test_normalised_areas_do_not_depend_on_the_unit(n, seed, scale, shift):
    table = random_table(n, seed)
    for sign in (1, -1):
        plain = metrics.insertion_curve(list(range(n)), as_game(table)).normalised
        other = metrics.insertion_curve(list(range(n)), as_game(sign * scale * table + shift)).normalised
        assert_allclose(other.values, plain.values, rtol=1e-6, atol=1e-6)
        assert_allclose(plain.values[[0, -1]], [0.0, 1.0], atol=1e-12)
        removed = metrics.removal_curve(list(range(n)), as_game(table)).normalised
        assert_allclose(removed.values[[0, -1]], [1.0, 0.0], atol=1e-12)


@given(st.integers(2, 7), seeds, st.data())
def test_no_order_beats_that_of_the_values_in_a_sum(n, seed, data):
    values = np.random.default_rng(seed).normal(size=n)
    other = data.draw(st.permutations(range(n)))
    best = metrics.insertion_curve(values, lambda m: m @ values)
    assert best.order == metrics.greedy_ranking(values)
    assert best.area >= metrics.insertion_curve(other, lambda m: m @ values).area - 1e-9
    lowest = metrics.removal_curve(values, lambda m: m @ values)
    assert lowest.area <= metrics.removal_curve(other, lambda m: m @ values).area + 1e-9


def test_a_curve_is_one_batch_of_distinct_masks():
    game = Counting(smooth_game)
    curve = metrics.insertion_curve(np.linspace(1, 0, 30), game, n_steps=7)
    assert [len(batch) for batch in game.batches] == [8]
    assert_allclose(curve.fractions * 30, [0, 4, 9, 13, 17, 21, 26, 30])
    assert_allclose(
        curve.values, [value(smooth_game, 30, range(int(count))) for count in [0, 4, 9, 13, 17, 21, 26, 30]]
    )
    assert len(metrics.removal_curve(np.linspace(1, 0, 9), smooth_game, n_steps=50).values) == 10


def test_curves_of_several_outputs():
    curve = metrics.insertion_curve(np.arange(10.0), two_outputs)
    assert curve.values.shape == (11, 2)
    apart = [metrics.insertion_curve(np.arange(10.0), lambda m, i=i: two_outputs(m)[:, i]) for i in range(2)]
    assert_allclose(curve.area, [one.area for one in apart])
    assert_allclose(curve.normalised.values[:, 1], apart[1].normalised.values)


def test_a_curve_that_ends_where_it_began_is_not_normalised():
    curve = metrics.insertion_curve([0, 1], lambda m: 1.0 * (m[:, 0] ^ m[:, 1]))
    assert curve.area == 0.5
    assert np.isnan(curve.normalised.values).all()


@given(tables(6), seeds)
def test_removal_is_as_the_papers_define_it(drawn, seed):
    table, n = drawn
    surrogate = random_table(n, seed)
    game = Counting(as_game(table))
    found = metrics.most_influential(as_game(surrogate), range(1, n + 1), n_players=n)
    removed = metrics.removal([set(players) for players in found], game, n_players=n)
    without = [value(as_game(table), n, set(range(n)) - set(players)) for players in found]
    assert removed.removed == found
    assert_allclose(removed.shares, [abs(table[-1] - one) / abs(table[-1]) for one in without])
    assert_allclose(removed.values, without)
    assert removed.whole == table[-1]
    assert removed.n_evaluations == game.n_rows == n + 1


def test_removal_of_several_outputs_and_from_0():
    removed = metrics.removal([[0], [1], [0, 1]], two_outputs, n_players=8)
    assert removed.shares.shape == (3, 2)
    assert_allclose(removed.shares[:, 1], [2.0, 1.0, 1.0])
    nothing = metrics.removal([[0], []], lambda m: 1.0 - m[:, 0], n_players=2)
    assert_array_equal(nothing.shares, [np.inf, np.nan])


# --- terms against terms ----------------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 9), st.integers(1, 3))
def test_recovery_is_as_defined(seed, k, min_order):
    explained, known = (
        random_terms(7, seed),
        [s for s in random_terms(7, seed + 1) if len(s) >= min_order] or [(0, 1, 2)],
    )
    eligible = [players for players in explained if len(players) >= min_order]
    top = sorted(eligible, key=lambda players: -abs(explained[players]))[:k]
    assert metrics.recovery(explained, known, k, min_order=min_order) == len(set(top) & set(known)) / len(known)
    wanted, named = {p for s in known for p in s}, {p for s in top for p in s}
    of_players = metrics.recovery(explained, known, k, of="players", min_order=min_order)
    assert of_players == len(wanted & named) / len(wanted)
    rate = metrics.recovery_rate(explained, [1, 4, 6], k, min_order=min_order)
    assert_allclose(rate, sum(sum(player in (1, 4, 6) for player in players) / len(players) for players in top) / k)


def test_planted_interactions_are_recovered():
    spectrum = planted_spectrum(30, 12, 3, seed=4)
    known = [players for players in spectrum if len(players) >= 2]
    result = captum_spex.explain(spectrum, 30, budget=600, index="Fourier", max_order=3, random_state=0)
    assert metrics.recovery(result, known, len(known)) == 1.0
    assert metrics.recovery(result, [set(players) for players in known], 10**6) == 1.0
    assert metrics.recovery(result.first_order(), known) == 0.0


def test_values_of_0_are_never_found():
    result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]) + m[:, 2], 5, budget=32)
    assert metrics.recovery(result, [(0, 1), (2, 3)], 100) == 0.5
    assert metrics.recovery({(0, 1): 1.0, (2, 3): 1e-17, (1, 2): 0.0}, [(2, 3), (1, 2)]) == 0.0


@given(seeds, seeds, st.integers(1, 9))
def test_agreement_is_as_defined_and_mutual(seed, other_seed, k):
    one, other = random_terms(6, seed), random_terms(6, other_seed)
    tops = [sorted(terms, key=lambda players, t=terms: -abs(t[players]))[:k] for terms in (one, other)]
    found = metrics.agreement(one, other, k)
    back = metrics.agreement(other, one, k)
    assert found.share == back.share == len(set(tops[0]) & set(tops[1])) / max(map(len, tops))
    assert set(found.common) == set(back.common) == set(tops[0]) & set(tops[1])
    union = list(set(tops[0]) | set(tops[1]))
    if len(union) > 1:
        expected = spearmanr([one.get(p, 0.0) for p in union], [other.get(p, 0.0) for p in union])[0]
        assert_allclose(found.rank_correlation, expected, atol=1e-9)
        assert_allclose(back.rank_correlation, expected, atol=1e-9)


@given(seeds, st.floats(0.1, 10))
def test_everyone_agrees_with_himself_in_any_unit(seed, scale):
    terms = random_terms(6, seed)
    found = metrics.agreement(terms, {players: scale * number for players, number in terms.items()}, 5)
    assert found.share == 1.0
    assert_allclose(found.rank_correlation, 1.0)
    assert_allclose(metrics.agreement(terms, {p: -v for p, v in terms.items()}, 5).rank_correlation, -1.0)


def test_agreement_of_results():
    results = [captum_spex.explain(smooth_game, 12, budget=budget, random_state=0) for budget in (300, 4096)]
    found = metrics.agreement(*results, 5, min_order=2)
    assert found.share >= 0.6
    assert (0, 3) in found.common
    assert metrics.agreement(results[1], dict(results[1]), 10).share == 1.0
    assert metrics.agreement(np.zeros(3), [0.0, 0.0, 0.0]).share == 1.0


def test_rounding_errors_rank_nothing():
    assert np.isnan(metrics.agreement([0.1 + 0.2, 0.3], [1.0, 2.0]).rank_correlation)
    assert metrics.agreement([0.3 + 1e-9, 0.3], [2.0, 1.0]).rank_correlation == pytest.approx(1.0)


# --- bad input --------------------------------------------------------------------------------------------------------


def never(masks):
    raise AssertionError("evaluated")


BAD_CALLS = {
    "nobody tells": (lambda: metrics.faithfulness({(0,): 1.0}, never), ArgumentError,
        "`n_players`: expected a number of players, as nothing else tells it, got None."),
    "two widths": (lambda: metrics.faithfulness([1.0, 2.0], never, n_players=3), MaskError,
        "`explained`: expected 3, as `n_players` says, got 2 players."),
    "masks of another width": (lambda: metrics.faithfulness([1.0, 2.0], never, masks=every_mask(3)), MaskError,
        "`explained`: expected 3, as `masks` says, got 2 players."),
    "one mask, flat": (lambda: metrics.faithfulness([1.0, 2.0], never, masks=[True, False]), MaskError,
        "`masks`: expected (n_masks, n_players), got shape (2,)."),
    "too few masks": (lambda: metrics.faithfulness([1.0, 2.0], never, masks=[[True, False]]), MaskError,
        "`masks`: expected at least 2, got 1 masks."),
    "values without masks": (lambda: metrics.faithfulness([1.0, 2.0], [1.0, 2.0]), ArgumentError,
        "`game`: expected a callable, or the values of given `masks`, got a list."),
    "values too few": (lambda: metrics.faithfulness([1.0, 2.0], [1.0], masks=every_mask(2)), ArgumentError,
        "`game`: expected (4,) or (4, n_outputs), one row for each mask, finite, got values of shape (1,)."),
    "values nan": (lambda: metrics.faithfulness([1.0], [1.0, np.nan], masks=every_mask(1)), ArgumentError,
        "`game`: expected (2,) or (2, n_outputs), one row for each mask, finite, got values that are not finite."),
    "values of words": (lambda: metrics.faithfulness([1.0], ["a", "b"], masks=every_mask(1)), ArgumentError,
        "`game`: expected real numbers, got values that are no real numbers."),
    "complex values": (lambda: metrics.faithfulness([1.0], [1j, 0.0], masks=every_mask(1)), ArgumentError,
        "`game`: expected real numbers, got values that are no real numbers."),
    "a word for a value": (lambda: metrics.faithfulness({(0,): "a"}, never, n_players=2), ArgumentError,
        "`explained`: expected real numbers, got values that are no real numbers."),
    "predicted words": (lambda: metrics.faithfulness(lambda m: ["a"] * len(m), never, n_players=2), ArgumentError,
        "`explained`: expected real numbers, got values that are no real numbers."),
    "no masks": (lambda: metrics.faithfulness([1.0, 2.0], never, n_masks=0), ArgumentError,
        "`n_masks`: expected an integer of at least 1, got 0."),
    "seed": (lambda: metrics.faithfulness([1.0, 2.0], never, random_state="a"), ArgumentError,
        "`random_state`: expected None, an integer of at least 0, or a NumPy `Generator` or .*, got 'a'"
        "`SeedSequence`."),
    "share": (lambda: metrics.data_modelling_score([1.0, 2.0], never, share=1.0), ArgumentError,
        "`share`: expected a number between 0 and 1, got 1.0."),
    "text": (lambda: metrics.faithfulness("model", never, n_players=2), ArgumentError,
        "`explained`: expected a result, a mapping {players: value}, or attributions (n_players,), got a str."),
    "nothing": (lambda: metrics.faithfulness(None, never, n_players=2), ArgumentError,
        "`explained`: expected a result, a mapping {players: value}, or attributions (n_players,), got a NoneType."),
    "attribution nan": (lambda: metrics.ranking([1.0, np.nan]), ArgumentError,
        "`explained`: expected finite values, got nan."),
    "named players": (lambda: metrics.faithfulness({("never",): 1.0}, never, n_players=2), ArgumentError,
        "`explained`: expected players by their numbers, got ('never',)."),
    "player out of range": (lambda: metrics.faithfulness({(0, 5): 1.0}, never, n_players=3), MaskError,
        "`explained`: expected 0 to 2, as there are 3 players, got player 5."),
    "negative player": (lambda: metrics.faithfulness({(-1,): 1.0}, never, n_players=3), MaskError,
        "`explained`: expected 0 or more, got player -1."),
    "a set twice": (lambda: metrics.agreement({(0, 1): 1.0, (1, 0): 2.0}, {(0,): 1.0}), ArgumentError,
        "`explained`: expected one finite number for each set, got a set of players twice."),
    "predictions of another length": (lambda: metrics.faithfulness(lambda m: [1.0], never, n_players=3), ArgumentError,
        "`explained`: expected (8,) or (8, n_outputs), finite, got predictions of shape (1,)."),
    "predictions nan": (lambda: metrics.faithfulness(lambda m: m[:, 0] * np.nan, never, n_players=2), ArgumentError,
        "`explained`: expected (4,) or (4, n_outputs), finite, got predictions that are not finite."),
    "kind": (lambda: metrics.greedy_ranking([1.0, 2.0], "deletion"), UnknownNameError,
        "`kind`: expected 'insertion.*, got 'deletion'', 'removal'."),
    "several outputs": (lambda: metrics.greedy_ranking(two_outputs, n_players=10), ArgumentError,
        "`explained`: expected one.*, got 2 outputs. Choose one, such as `results[0]`."),
    "no single player": (lambda: metrics.ranking({(0, 1): 1.0}, 2), ArgumentError,
        "`explained`: expected first-order values, got no value of a single player."),
    "size": (lambda: metrics.most_influential([1.0, 2.0], [3]), ArgumentError,
        "`sizes`: expected 1 to 2, the number of players, got 3."),
    "size 0": (lambda: metrics.most_influential([1.0, 2.0], [0]), ArgumentError,
        "`sizes`: expected an integer of at least 1, got 0."),
    "a player twice": (lambda: metrics.insertion_curve([0, 1, 1], never), ArgumentError,
        "`ranked`: expected all players, 0 to 2, once.*, got [0, 1, 1]. Values, which are ranked, are floats."),
    "steps": (lambda: metrics.removal_curve([0, 1], never, n_steps=0), ArgumentError,
        "`n_steps`: expected an integer of at least 1, got 0."),
    "no game": (lambda: metrics.removal_curve([0, 1], [1.0, 2.0]), ArgumentError,
        "`game`: expected a callable, or the values of given `masks`, got a list."),
    "removed": (lambda: metrics.removal([[4]], never, n_players=3), MaskError,
        "`removed`: expected 0 to 2, as there are 3 players, got player 4."),
    "nothing known": (lambda: metrics.recovery({(0, 1): 1.0}, []), ArgumentError,
        "`known`: expected one or more sets of at least `min_order` = 2 players, got no set."),
    "a known player": (lambda: metrics.recovery({(0, 1): 1.0}, [(0,)]), ArgumentError,
        "`known`: expected one or more sets of at least `min_order` = 2 players, got (0,)."),
    "of": (lambda: metrics.recovery({(0, 1): 1.0}, [(0, 1)], of="words"), UnknownNameError,
        "`of`: expected 'interactions.*, got 'words'', 'players'."),
    "k": (lambda: metrics.agreement([1.0], [1.0], 0), ArgumentError,
        "`k`: expected an integer of at least 1, got 0."),
    "annotated": (lambda: metrics.recovery_rate({(0, 1): 1.0}, []), ArgumentError,
        "`annotated`: expected one or more players, got no player."),
    "a model has no terms": (lambda: metrics.recovery(GameModel((planted_spectrum(4, 2, 2, 0),)), [(0, 1)]),
        ArgumentError, "`explained`: expected a result, a mapping {players: value}, or attributions .*, got a GameModel"
        "(n_players,). Use `model.spectrum(k)`."),
    "terms that do not add up": (
        lambda: metrics.faithfulness(planted_spectrum(4, 2, 2, 0).to_index("Fourier"), never), ArgumentError,
        "`explained`: expected a result, whose model predicts.*, got the terms of such an index. See `explain`."),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_input_is_found_before_the_first_evaluation(call, kind, message):
    with pytest.raises(kind) as raised:
        call()
    assert str(raised.value) == message


def test_tensors_and_numbers_of_numpy_are_numbers():
    values = torch.tensor([0.0, 1.0, 2.0, 3.0], requires_grad=True)
    explained = torch.nn.Linear(2, 1)
    masks = every_mask(2)
    found = metrics.faithfulness(lambda m: explained(torch.tensor(m, dtype=torch.float32)), values, masks=masks)
    assert np.isfinite(float(found))
    metrics.data_modelling_score([1.0, 2.0], lambda m: m[:, 0], share=np.float32(0.5), random_state=0)


def test_another_number_of_outputs():
    with pytest.raises(ArgumentError, match=r"expected 2, as the game has, got predictions of 1 outputs\."):
        metrics.faithfulness(np.ones(10), two_outputs)


def test_values_of_the_game_are_checked():
    with pytest.raises(GameError, match="returned nan for the mask"):
        metrics.insertion_curve([0, 1], lambda m: m[:, 0] * np.nan)


@pytest.mark.parametrize("record", [metrics.insertion_curve([0], lambda m: 1.0 * m[:, 0]), metrics.Score(1.0, 2)])
def test_records_are_frozen(record):
    with pytest.raises(AttributeError):
        record.n_evaluations = 0
