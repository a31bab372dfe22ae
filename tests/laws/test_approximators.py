"""Laws that every approximator obeys, on every index."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np
import oracles
import pytest
import torch
from games import Counting, codes, random_table, smooth_game, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sampled import examples, some

import captum_spex
from captum_spex import designs as sampling
from captum_spex.approximators import (
    BoostedTrees,
    Exact,
    GaussianProcess,
    ProxySpex,
    PublishedTrees,
    Spex,
)
from captum_spex.approximators.proxyspex.validation import folds
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.evaluation.store import Store
from captum_spex.explaining import default_budget
from captum_spex.model import Spectrum
from captum_spex.statistics import r_squared

FEW_TREES = BoostedTrees(n_trees=30, learning_rate=0.3)
FEW_STEPS = GaussianProcess(n_steps=10)
SMALL_GRID = (FEW_TREES, BoostedTrees(n_trees=20, learning_rate=0.5, max_depth=2))
FEW_PUBLISHED = PublishedTrees(SMALL_GRID)  # the published choice among twelve settings takes seconds
ESTIMATORS = {
    "auto": ProxySpex((FEW_STEPS, FEW_TREES)),
    "bernoulli": ProxySpex(FEW_STEPS, design="bernoulli"),
    "spread": ProxySpex(FEW_STEPS, design="spread"),
    "plain process": ProxySpex(GaussianProcess(n_steps=10, terms=False, links=False)),
    "trees": ProxySpex(FEW_TREES),
    "published trees": ProxySpex(FEW_PUBLISHED),
    "two settings": ProxySpex(SMALL_GRID),
}
ROUNDS = ProxySpex(FEW_STEPS, rounds=2)
PUBLISHED = replace(ProxySpex.as_published(), proxy=FEW_PUBLISHED)
ALL = {"exact": Exact(), **ESTIMATORS, "rounds": ROUNDS, "as published": PUBLISHED, "spex": Spex()}
SMALL_INDICES = ("SV", "BII", "k-SII", "FSII", "Moebius", "Fourier", "BII(p=0.3)")

estimators = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
approximators = pytest.mark.parametrize("approximator", ALL.values(), ids=ALL)
INTERPOLATING = {name: one for name, one in ALL.items() if name not in ("exact", "as published")}
interpolating = pytest.mark.parametrize("approximator", INTERPOLATING.values(), ids=INTERPOLATING)


def smallest_budget(approximator, n):
    """What an approximator asks for at least; 2**n evaluations are enough for any."""
    if isinstance(approximator, ProxySpex):
        return 2 if approximator.rounds in (1, "auto") else 32 * approximator.rounds
    return min(2**n, approximator.minimum_budget(n) if isinstance(approximator, Spex) else 2**n)


def explain(game, n, budget, **settings):
    return captum_spex.explain(game, n, **{"budget": budget, "random_state": 0, **settings})


def table_of(result, n):
    """Value of every set of up to two players, in a fixed order; unlisted sets are 0."""
    return np.array([result[players] for players in oracles.sets_of(n, 1, min(result.max_order, n))])


# --- enough budget: exact ---------------------------------------------------------------------------------------------


@pytest.mark.sampled
@approximators
@pytest.mark.parametrize("index", SMALL_INDICES)
def test_exact_once_the_budget_holds_every_mask(approximator, index):
    table = random_table(6, seed=3)
    game = Counting(oracles.as_game(table))
    result = explain(game, 6, 64, index=index, approximator=approximator)
    expected = oracles.INDICES[index](table, 6, 2)
    assert_allclose([result[players] for players in expected], list(expected.values()), atol=1e-9)
    assert game.n_rows == game.n_distinct == result.n_evaluations == 64
    assert result.faithfulness == 1.0


@given(game=tables(largest=6), index=st.sampled_from(SMALL_INDICES), seed=st.integers(0, 100))
def test_permuting_players_permutes_exact_answers(game, index, seed):
    table, n = game
    order = np.random.default_rng(seed).permutation(n)
    play = oracles.as_game(table)
    result = explain(play, n, 2**n, index=index)
    moved = explain(lambda masks: play(masks[:, order]), n, 2**n, index=index)
    for players in result:
        assert_allclose(moved[tuple(int(order[player]) for player in players)], result[players], atol=1e-9)


@given(game=tables(largest=6), index=st.sampled_from(SMALL_INDICES))
def test_equal_players_share_equally_in_exact_answers(game, index):
    table, n = game
    play = oracles.as_game(table)
    result = explain(lambda masks: play(masks) + play(masks[:, [1, 0, *range(2, n)]]), n, 2**n, index=index)
    assert_allclose(result[(0,)], result[(1,)], atol=1e-9)
    for other in range(2, n):
        assert_allclose(result.get((0, other), 0.0), result.get((1, other), 0.0), atol=1e-9)


@given(game=tables(largest=6), index=st.sampled_from(SMALL_INDICES))
def test_players_that_do_nothing_get_nothing_in_exact_answers(game, index):
    table, n = game
    play = oracles.as_game(table)
    result = explain(lambda masks: play(np.delete(masks, 1, axis=1)), n + 1, 2 ** (n + 1), index=index)
    assert_allclose([value for players, value in result.items() if 1 in players], 0.0, atol=1e-9)


@given(seed=st.integers(0, 1000), index=st.sampled_from(SMALL_INDICES))
def test_exact_answers_are_linear(seed, index):
    one, two = (oracles.as_game(random_table(5, seed + shift)) for shift in (0, 1))
    mixed = explain(lambda masks: 2 * one(masks) - 3 * two(masks), 5, 32, index=index)
    expected = 2 * table_of(explain(one, 5, 32, index=index), 5) - 3 * table_of(explain(two, 5, 32, index=index), 5)
    assert_allclose(table_of(mixed, 5), expected, atol=1e-9)


# --- every budget -----------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@interpolating
@pytest.mark.parametrize("index", ["SV", "SII"])
@pytest.mark.parametrize("budget", [2, 3, 5, 12, 20, 61, 200, 255])
def test_shapley_values_always_sum_to_what_there_is_to_share(approximator, index, budget):
    enough = max(budget, smallest_budget(approximator, 8))
    result = explain(smooth_game, 8, enough, index=index, approximator=approximator)
    ends = smooth_game(np.array([[True] * 8, [False] * 8]))
    assert_allclose(result.first_order().sum(), ends[0] - ends[1], rtol=1e-9)
    assert_allclose(result.baseline, ends[1], atol=1e-9)
    assert_allclose(result.model([[True] * 8, [False] * 8]), ends, atol=1e-9)


@examples(0.4)
@given(n=st.integers(9, 70), budget=st.integers(2, 120), seed=st.integers(0, 1000))
@pytest.mark.parametrize("index", ["SII", "BII"])
def test_efficiency_for_any_number_of_players(index, n, budget, seed):
    result = explain(smooth_game, n, budget, index=index, approximator=ESTIMATORS["auto"], random_state=seed)
    ends = smooth_game(np.array([[True] * n, [False] * n]))
    assert_allclose(result.to("SV").first_order().sum(), ends[0] - ends[1], rtol=1e-9)


@pytest.mark.sampled
@approximators
@pytest.mark.parametrize("budget", [2, 3, 5, 12, 100, 256, 1000])
def test_the_budget_is_kept_and_both_ends_are_seen(approximator, budget):
    smallest = smallest_budget(approximator, 8)
    if budget < smallest:
        with pytest.raises(BudgetError, match=rf"`budget`: expected at least .*{smallest}.*, got {budget}"):
            explain(smooth_game, 8, budget, approximator=approximator)
        return
    game = Counting(smooth_game)
    result = explain(game, 8, budget, approximator=approximator, batch_size=7)
    assert game.n_rows == game.n_distinct == result.n_evaluations == min(budget, 256)
    assert max(len(batch) for batch in game.batches) <= 7
    seen = game.masks.sum(axis=1)
    assert (seen == 8).sum() == (seen == 0).sum() == 1


@interpolating
def test_the_recovered_game_repeats_what_was_seen(approximator):
    game = Counting(smooth_game)
    result = explain(game, 12, 150, approximator=approximator)
    assert_allclose(result.model(game.masks), smooth_game(game.masks), atol=1e-9)


@estimators
def test_answers_converge(estimator):
    indices = ("SII", "FSII", "BII", "STII", "Moebius")
    truth = explain(smooth_game, 8, 256)
    seeds = some(range(2), 1)

    def errors(budget):
        runs = [explain(smooth_game, 8, budget, approximator=estimator, random_state=seed) for seed in seeds]
        gaps = [[table_of(run.to(index), 8) - table_of(truth.to(index), 8) for index in indices] for run in runs]
        return np.linalg.norm(gaps, axis=2).mean(axis=0)

    few, nearly_all, every = (errors(budget) for budget in (60, 255, 256))
    assert_array_equal(nearly_all < few, np.full(len(indices), True))
    assert_allclose(every, 0.0, atol=1e-9)


@pytest.mark.sampled
@estimators
@pytest.mark.parametrize("budget", [5, 40, 120])
def test_outputs_together_are_outputs_one_by_one(estimator, budget):
    """Where the masks are planned at once: further rounds are guided by the first output."""
    estimator = replace(estimator, rounds=1)
    parts = [smooth_game, lambda masks: masks[:, 2] * 1.0 - masks[:, 5], lambda masks: np.full(len(masks), 3.0)]
    game = Counting(lambda masks: np.stack([part(masks) for part in parts], axis=1))
    together = explain(game, 10, budget, approximator=estimator)
    assert game.n_rows == budget
    assert len(together) == 3
    for result, part in zip(together, parts, strict=True):
        alone = explain(part, 10, budget, approximator=estimator)
        assert list(alone) == list(result)
        assert_allclose(result.values, alone.values, atol=1e-12)
        assert_allclose(result.faithfulness, alone.faithfulness)


@pytest.mark.parametrize(("factor", "shift"), [(2.0, 1.0), (-3.0, 2.0)])
def test_outputs_that_differ_by_units_get_the_same_answer_in_their_units(factor, shift):
    parts = [smooth_game, lambda masks: factor * smooth_game(masks) + shift]
    one, two = explain(lambda masks: np.stack([part(masks) for part in parts], axis=1), 12, 80)
    assert_allclose(table_of(two, 12), factor * table_of(one, 12), atol=1e-6)
    assert_allclose(two.faithfulness, one.faithfulness, atol=1e-6)


def test_one_output_in_a_column_is_one_result():
    result = explain(lambda masks: smooth_game(masks)[:, None], 8, 256)
    assert isinstance(result, captum_spex.Interactions)


@estimators
def test_the_same_seed_gives_the_same_bits(estimator):
    games = [Counting(smooth_game) for _ in range(3)]
    results = [
        explain(game, 12, 90, approximator=estimator, random_state=seed, batch_size=size)
        for game, seed, size in zip(games, (7, 7, 8), (90, 13, 90), strict=True)
    ]
    assert_array_equal(games[0].masks, games[1].masks)
    assert list(results[0]) == list(results[1])
    assert_array_equal(results[0].values, results[1].values)
    assert results[0].to_json() == results[1].to_json()
    assert {mask.tobytes() for mask in games[0].masks} != {mask.tobytes() for mask in games[2].masks}


def test_generators_and_seed_sequences_are_random_states_too():
    masks = []
    for state in (7, np.random.default_rng(7), np.random.SeedSequence(7)):
        game = Counting(smooth_game)
        explain(game, 12, 40, random_state=state, approximator=ESTIMATORS["auto"])
        masks.append(game.masks)
    assert_array_equal(masks[0], masks[1])
    assert_array_equal(masks[0], masks[2])


@approximators
def test_global_random_states_are_neither_read_nor_written(approximator):
    def states():
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002
        return kind, keys.tolist(), rest, torch.get_rng_state().tolist(), random.getstate()

    def run():
        budget = max(80, smallest_budget(approximator, 8))
        return explain(smooth_game, 8, budget, approximator=approximator)

    before = states()
    first = run()
    assert states() == before
    torch.rand(3)
    random.random()
    assert_array_equal(run().values, first.values)


def test_noisy_games_are_evaluated_again_within_the_budget():
    game = Counting(smooth_game)
    result = explain(game, 12, 100, approximator=ProxySpex(FEW_STEPS, noisy=True))
    assert game.n_rows == result.n_evaluations == 100
    assert game.n_distinct == 90
    seen = np.unique(game.masks, axis=0)
    assert_allclose(result.model(seen), smooth_game(seen), atol=1e-9)  # values that repeat are no noise


@pytest.mark.parametrize("estimator", ["auto", "spread", "trees"])
def test_noise_is_not_interpolated(estimator):
    noise = np.random.default_rng(0)

    def game(masks):
        return masks[:, 0] + masks[:, 1] * masks[:, 2] + noise.normal(scale=0.5, size=len(masks))

    proxy = ESTIMATORS[estimator].proxy
    calm, hasty = (
        explain(game, 10, 300, index="BII", approximator=ProxySpex(proxy, noisy=noisy)) for noisy in (True, False)
    )
    fresh = np.random.default_rng(1).random((500, 10)) < 0.5
    truth = fresh[:, 0] + fresh[:, 1] * fresh[:, 2]

    def size_of_residuals(result):
        return np.sqrt((result.model.parts[-1].values ** 2).mean())

    assert size_of_residuals(calm) < 0.95 * size_of_residuals(hasty)
    assert r_squared(truth, calm.model(fresh)) > max(0.6, r_squared(truth, hasty.model(fresh)))


@approximators
def test_a_run_leaves_the_description_as_it_was(approximator):
    before = repr(approximator)
    explain(smooth_game, 8, 256, approximator=approximator)
    assert repr(approximator) == before
    with pytest.raises(AttributeError):
        approximator.design = "spread"


# --- until the faithfulness is enough ---------------------------------------------------------------------------------


@estimators
def test_no_more_is_evaluated_than_the_target_needs(estimator):
    game = Counting(smooth_game)
    result = explain(game, 12, "auto", target_faithfulness=0.6, max_budget=600, approximator=estimator)
    curve = result.diagnostics["curve"]
    assert [size for size, *_ in curve] == [64, 96, 144, 216, 324, 486, 600][: len(curve)]
    assert game.n_rows == game.n_distinct == result.n_evaluations == curve[-1][0] < 600
    assert [lower >= 0.6 for *_, lower in curve] == [False] * (len(curve) - 1) + [True]
    assert all(lower < faithfulness < 1 for _, faithfulness, lower in curve)
    assert curve[-1][1] == result.faithfulness
    assert_allclose(result.model(game.masks), smooth_game(game.masks), atol=1e-9)


def test_all_is_spent_on_a_target_that_is_not_reached():
    game = Counting(lambda masks: np.random.default_rng(1).normal(size=len(masks)))
    result = explain(game, 12, "auto", max_budget=150, approximator=ESTIMATORS["auto"])
    assert game.n_rows == result.n_evaluations == 150
    assert [size for size, *_ in result.diagnostics["curve"]] == [64, 96, 144, 150]
    assert result.faithfulness < 0.3


@pytest.mark.parametrize("n", some([12, 16, 20, 25], 1))
def test_every_budget_can_be_sought(n):
    result = explain(smooth_game, n, "auto", target_faithfulness=0.9999, max_budget=2000, approximator=ALL["trees"])
    assert result.n_evaluations == 2000


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_a_target_that_takes_every_mask_is_exact(n):
    table = random_table(n, seed=3)
    result = explain(oracles.as_game(table), n, "auto", target_faithfulness=0.999, max_order=1)
    expected = oracles.INDICES["SII"](table, n, 1)
    assert_allclose([result[players] for players in expected], list(expected.values()), atol=1e-9)
    assert result.n_evaluations == 2**n
    assert result.faithfulness == 1.0


# --- games that are easy ----------------------------------------------------------------------------------------------


@pytest.mark.sampled
@estimators
@pytest.mark.parametrize("budget", [2, 12, 40, 200])
def test_constant_games(estimator, budget):
    result = explain(lambda masks: np.full(len(masks), 2.5), 10, budget, approximator=estimator)
    assert_allclose(result.values, 0.0, atol=1e-12)
    assert_allclose(result.baseline, 2.5)
    assert_array_equal(result.faithfulness, 1.0 if budget >= 40 else np.nan)  # too few to say
    assert (result.std_errors is None) == (budget < 40)
    if budget >= 40:
        assert_array_equal(result.std_errors, 0.0)
        assert_array_equal(result.to_dataframe()["std_error"], 0.0)


@approximators
def test_a_single_player(approximator):
    result = explain(lambda masks: 4.0 * masks[:, 0] - 1, 1, 2, max_order=1, approximator=approximator)
    assert dict(result) == {(0,): 4.0}
    assert result.baseline == -1.0


@pytest.mark.sampled
@pytest.mark.parametrize("index", ["SII", "BII", "FSII"])
@pytest.mark.parametrize(("n", "tolerance"), [(20, 3e-4), (60, 6e-3)])
def test_linear_games_are_recovered(index, n, tolerance):
    weights = np.random.default_rng(1).normal(size=n)
    result = explain(lambda masks: masks @ weights, n, 200, index=index, approximator=ProxySpex())
    assert_allclose(result.first_order(), weights, atol=tolerance)
    assert_allclose([value for players, value in result.items() if len(players) == 2], 0.0, atol=1e-4)
    assert result.faithfulness > 0.9999


@pytest.mark.parametrize("index", ["SII", "BII"])
def test_players_that_do_nothing_get_next_to_nothing(index):
    result = explain(lambda masks: smooth_game(masks[:, :8]), 12, 300, index=index, approximator=ProxySpex())
    null = [value for players, value in result.items() if max(players) >= 8]
    assert_allclose(null, 0.0, atol=0.05)
    assert np.abs(null).mean() < 0.005
    assert result[(0,)] > 1.5


@pytest.mark.parametrize("index", ["SII", "BII"])
def test_planted_interactions_are_found(index):
    def game(masks):
        return masks[:, 0] + 2.0 * (masks[:, 3] & masks[:, 8]) - 1.5 * (masks[:, 5] & masks[:, 11])

    result = explain(game, 30, 400, index=index, approximator=ESTIMATORS["auto"])
    assert set(result.top(2, order=2)) == {(3, 8), (5, 11)}
    assert_allclose([result[(3, 8)], result[(5, 11)]], [2.0, -1.5], atol=0.05)
    assert result.faithfulness > 0.99


def test_more_evaluations_bring_more_faith():
    runs = [explain(smooth_game, 12, budget, approximator=ESTIMATORS["auto"]) for budget in (60, 180, 600)]
    scores = [run.faithfulness for run in runs]
    assert scores[0] < scores[1] < scores[2] < 1.0


def test_faithfulness_is_what_fresh_masks_say():
    result = explain(smooth_game, 20, 300, index="BII", approximator=ESTIMATORS["auto"])
    fresh = np.random.default_rng(99).random((4000, 20)) < 0.5
    assert_allclose(result.faithfulness, r_squared(smooth_game(fresh), result.model(fresh)), atol=0.05)


@pytest.mark.parametrize("n", [30, 300, 1000])
def test_faithfulness_is_what_fresh_masks_say_however_far_the_ends_are(n):
    """The full and the empty mask are among the masks evaluated, but hardly ever among uniformly random ones."""
    directions = np.random.default_rng(1).normal(size=(n, 40))

    def game(masks):
        return (masks.sum(axis=1) - n / 2) * 2 / np.sqrt(n) + np.sin(20 * (masks @ directions)).sum(axis=1) / np.sqrt(
            20
        )

    result = explain(game, n, 400, index="SV", max_order=1, approximator=ESTIMATORS["plain process"])
    fresh = np.random.default_rng(99).random((3000, n)) < 0.5
    assert_allclose(result.faithfulness, r_squared(game(fresh), result.model(fresh)), atol=0.2)  # of 400 masks


def test_too_few_masks_for_a_faithfulness():
    result = explain(smooth_game, 20, 12)
    assert np.isnan(result.faithfulness)
    assert "averaged process" in result.diagnostics["proxy"]
    alone = explain(smooth_game, 20, 12, approximator=ESTIMATORS["plain process"])
    assert np.isnan(alone.faithfulness)
    assert alone.diagnostics["proxy"] == "too few masks to learn from"


def test_what_was_chosen_is_in_the_diagnostics():
    process = explain(smooth_game, 20, 200, approximator=ESTIMATORS["plain process"])
    assert re.fullmatch(r"[01]\.\d\d x Gaussian process", process.diagnostics["proxy"])
    assert process.diagnostics["lower"] < process.faithfulness < 1.0
    assert "boosted trees" in explain(smooth_game, 20, 200, approximator=ESTIMATORS["trees"]).diagnostics["proxy"]
    assert explain(smooth_game, 8, 256).diagnostics == {"method": "exact: every mask was evaluated"}


def test_more_players_than_bits():
    result = explain(lambda masks: masks[:, 0] * 3.0 + masks[:, 999], 1000, 100, approximator=ESTIMATORS["auto"])
    ends = [4.0, 0.0]
    assert_allclose(result.model([[True] * 1000, [False] * 1000]), ends, atol=1e-9)
    assert_allclose(result.first_order().sum(), 4.0, rtol=1e-9)


def test_without_interpolation_the_model_is_its_spectrum():
    result = explain(smooth_game, 10, 200, approximator=PUBLISHED)
    [part] = result.model.parts
    assert isinstance(part, Spectrum)


def test_proxies_by_name_are_those_with_default_settings():
    named = explain(smooth_game, 12, 60, approximator=ProxySpex("gaussian-process"))
    set_out = explain(smooth_game, 12, 60, approximator=ProxySpex((GaussianProcess(),)))
    assert_array_equal(named.values, set_out.values)


# --- validation -------------------------------------------------------------------------------------------------------


def test_r_squared():
    truth = np.array([1.0, 2.0, 3.0])
    assert r_squared(truth, truth) == 1.0
    assert r_squared(truth, np.full(3, 2.0)) == 0.0
    assert r_squared(truth, truth[::-1]) == -3.0
    assert r_squared(np.full(3, 5.0), np.full(3, 5.0)) == 1.0
    assert r_squared(np.full(3, 5.0), np.full(3, 6.0)) == 0.0


@given(n_pairs=st.integers(5, 30), n_folds=st.integers(1, 5), seed=st.integers(0, 50))
def test_folds_part_the_rows_and_keep_complements_together(n_pairs, n_folds, seed):
    rng = np.random.default_rng(seed)
    half = sampling.bernoulli(70, n_pairs + 2, rng).masks[2:]
    masks = np.concatenate([half, ~half])
    parts = folds(masks, n_folds, rng)
    assert sorted(np.concatenate(parts).tolist()) == list(range(2 * n_pairs))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 2
    fold_of = np.empty(2 * n_pairs, dtype=int)
    for number, part in enumerate(parts):
        fold_of[part] = number
    assert_array_equal(fold_of[:n_pairs], fold_of[n_pairs:])


def test_a_game_that_looks_constant_is_not_called_faithful():
    result = explain(lambda masks: 1.0 * (masks.sum(axis=1) % 2), 20, 3)
    assert_array_equal(result.faithfulness, np.nan)


@pytest.mark.parametrize("unit", some([1.0, 1e-200, 1e200], 2))
def test_units_do_not_matter(unit):
    result = explain(lambda masks: unit * np.random.default_rng(1).normal(size=len(masks)), 20, 300)
    assert result.faithfulness < 0.1


@pytest.mark.sampled
@estimators
@pytest.mark.parametrize(("factor", "shift"), [(1e-3, 0.0), (1e6, 0.0), (1.0, 100.0), (-1.0, 0.0)])
def test_answers_come_in_the_units_of_the_game(estimator, factor, shift):
    plain = explain(smooth_game, 10, 60, approximator=estimator)
    moved = explain(lambda masks: factor * smooth_game(masks) + shift, 10, 60, approximator=estimator)
    scale = np.abs(plain.values).max()
    assert_allclose(table_of(moved, 10) / factor, table_of(plain, 10), atol=1e-3 * scale)
    assert_allclose(moved.baseline, factor * plain.baseline + shift, atol=1e-9 * abs(factor))
    assert_allclose(moved.faithfulness, plain.faithfulness, atol=2e-3)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_answers_in_extreme_units(unit):
    plain = explain(smooth_game, 10, 60, approximator=ESTIMATORS["auto"])
    moved = explain(lambda masks: unit * smooth_game(masks), 10, 60, approximator=ESTIMATORS["auto"])
    assert_allclose(table_of(moved, 10) / unit, table_of(plain, 10), atol=1e-6)
    assert_allclose(moved.faithfulness, plain.faithfulness, atol=1e-6)


def test_an_approximator_is_an_object():
    with pytest.raises(ValueError, match=r"`approximator`: expected .*, got <class"):
        explain(smooth_game, 8, 300, approximator=ProxySpex)


# --- what a game says of itself ---------------------------------------------------------------------------------------


class Described(Counting):
    """A game that knows its players."""

    n_players = 9
    names = tuple("abcdefghi")


def test_a_game_may_know_its_players():
    game = Described(smooth_game)
    result = captum_spex.explain(game, budget=512)
    assert game.masks.shape == (512, 9)
    assert result.names == game.names
    assert_array_equal(result.values, captum_spex.explain(smooth_game, 9, budget=512).values)


def test_arguments_come_before_what_the_game_says():
    game = Described(smooth_game)
    names = [f"word {i}" for i in range(8)]
    result = captum_spex.explain(game, 8, budget=256, names=names)
    assert game.masks.shape == (256, 8)
    assert result.names == tuple(names)


def test_names_of_a_game_are_those_of_its_own_players():
    assert captum_spex.explain(Described(smooth_game), 9, budget=20).names == Described.names
    assert captum_spex.explain(Described(smooth_game), 8, budget=20).names is None
    game = Described(smooth_game)
    game.names = ("a", "b")
    with pytest.raises(ArgumentError, match="`names`: expected one for each of the 9 players, got 2 names"):
        captum_spex.explain(game, budget=256)
    assert game.n_rows == 0


def test_without_a_number_of_players_the_argument_is_named():
    with pytest.raises(ArgumentError, match="`n_players`: expected an integer of at least 1, got None"):
        captum_spex.explain(smooth_game, budget=256)


@pytest.mark.parametrize("n", [8, 9, 12])
def test_without_a_budget_the_default_is_spent(n):
    games = [Counting(smooth_game), Counting(smooth_game)]
    default = captum_spex.explain(games[0], n, approximator=ESTIMATORS["auto"], random_state=0)
    given = captum_spex.explain(games[1], n, budget=default_budget(n), approximator=ESTIMATORS["auto"], random_state=0)
    assert games[0].n_rows == games[1].n_rows == default.n_evaluations == default_budget(n)
    assert default.to_json() == given.to_json()


def test_the_default_budget_is_an_integer_between_2_and_all_masks():
    budgets = [default_budget(n) for n in range(1, 200)]
    assert budgets[:10] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 512]
    assert budgets == sorted(budgets)
    assert {type(budget) for budget in budgets} == {int}


class Sorted(Described):
    """Plans its batches: small coalitions first, three at a time."""

    def plan_batches(self, masks):
        return np.array_split(np.argsort(masks.sum(axis=1), kind="stable"), -(-len(masks) // 3))


@pytest.mark.parametrize("approximator", ["auto", "rounds", "spex"])
def test_planned_batches_change_nothing_but_the_order(approximator):
    games = [Sorted(smooth_game), Described(smooth_game)]
    enough = max(100, smallest_budget(ALL[approximator], 9))
    planned, plain = (
        captum_spex.explain(game, budget=enough, approximator=ALL[approximator], random_state=0) for game in games
    )
    assert max(len(batch) for batch in games[0].batches) <= 3
    assert sorted(codes(games[0].masks)) == sorted(codes(games[1].masks))
    assert list(planned) == list(plain)
    assert_allclose(planned.values, plain.values, rtol=1e-9, atol=1e-10)


def test_planned_batches_bring_no_noise():
    """Further evaluations of masks are compared with the first ones of the same masks."""
    noisy = ProxySpex(FEW_STEPS, noisy=True)
    games = [Sorted(smooth_game), Described(smooth_game)]
    planned, plain = (captum_spex.explain(game, budget=100, approximator=noisy, random_state=0) for game in games)
    assert sorted(codes(games[0].masks)) == sorted(codes(games[1].masks))
    assert_allclose(table_of(planned, 9), table_of(plain, 9), rtol=1e-6, atol=1e-9)


def test_until_the_faithfulness_is_enough_with_a_store(tmp_path):
    options = {"target_faithfulness": 0.6, "max_budget": 600, "approximator": ESTIMATORS["auto"]}
    games = [Counting(smooth_game) for _ in range(3)]
    stores = [None, *(Store(tmp_path / "masks.db", fingerprint="smooth") for _ in range(2))]
    texts = [
        explain(game, 12, "auto", store=store, **options).to_json() for game, store in zip(games, stores, strict=True)
    ]
    assert texts[0] == texts[1] == texts[2]
    assert games[0].n_rows == games[1].n_rows > games[2].n_rows == 0
