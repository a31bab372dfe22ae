"""Faithfulness and the data-modelling score against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from games import Counting, planted_spectrum, random_table, smooth_game, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import as_game, every_mask
from scipy.stats import spearmanr
from slow_metrics import moebius_of, random_terms, seeds, slow_r_squared, slow_sum, two_outputs

import captum_spex
from captum_spex import metrics
from captum_spex.model import GameModel, Spectrum


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
