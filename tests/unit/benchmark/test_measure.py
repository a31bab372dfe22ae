"""Measures of an answer against their definitions."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import comb, isnan

import numpy as np
import pytest
from benchmark_parts import GAME, MASKS, METHODS, TABLE, TINY, N
from numpy.testing import assert_allclose
from oracles import as_game, code, of_every_set, sii_weight

from captum_spex.benchmark import Answer, Case, Request
from captum_spex.benchmark.measure import Examiner, hold_out, weighted_r_squared
from captum_spex.masks import mask_keys
from captum_spex.model import GameModel, Spectrum

NONE_EVALUATED = np.zeros(0, dtype=np.uint64)


def numbers(answer, seen=NONE_EVALUATED, max_order=2, gives_groups=False):
    return Examiner(TINY).numbers(answer, seen, max_order, gives_groups=gives_groups)


def test_r2_by_its_definition_for_all_masks():
    predicted = np.random.default_rng(1).normal(size=2**N)
    found = numbers(Answer(as_game(predicted)))
    assert found["r2"] == pytest.approx(1 - ((TABLE - predicted) ** 2).sum() / ((TABLE - TABLE.mean()) ** 2).sum())
    weights = np.array([1 / (N + 1) / comb(N, int(mask.sum())) for mask in MASKS])
    mean = weights @ TABLE
    assert found["r2_sized"] == pytest.approx(1 - weights @ (TABLE - predicted) ** 2 / (weights @ (TABLE - mean) ** 2))


def test_masks_that_were_seen_do_not_count():
    seen = MASKS[::2]
    cheat = TABLE.copy()
    cheat[1::2] = 0.0  # right where it was seen, nothing elsewhere
    found = numbers(Answer(as_game(cheat)), mask_keys(seen))
    unseen = TABLE[1::2]
    assert found["r2"] == pytest.approx(1 - (unseen**2).sum() / ((unseen - unseen.mean()) ** 2).sum())
    assert isnan(numbers(Answer(GAME), mask_keys(MASKS))["r2"])


def test_r2_of_a_constant_game_is_unknown():
    assert isnan(weighted_r_squared(np.full(50, 3.0), np.zeros(50), np.ones(50)))


def shapley_by_permutations():
    total = np.zeros(N)
    for order in permutations(range(N)):
        for place, player in enumerate(order):
            total[player] += TABLE[code(order[: place + 1])] - TABLE[code(order[:place])]
    return total / np.prod(np.arange(1, N + 1))


def test_shapley_error_by_its_definition():
    exact = shapley_by_permutations()
    guess = exact + np.arange(N)
    found = numbers(Answer(shapley=guess))
    assert found["shapley_error"] == pytest.approx((np.arange(N) ** 2).sum() / (exact**2).sum())
    assert numbers(Answer(shapley=exact))["shapley_error"] == pytest.approx(0, abs=1e-20)


def test_errors_and_precision_of_interactions():
    exact = of_every_set(sii_weight)(TABLE, N, 3)
    groups = {players: value for players, value in exact.items() if len(players) > 1}
    found = numbers(Answer(interactions=groups), max_order=3)
    assert_allclose([found["order2_error"], found["order3_error"]], 0, atol=1e-20)
    assert found["precision"] == 1

    some = dict(sorted(groups.items(), key=lambda pair: -abs(pair[1]))[:5])
    found = numbers(Answer(interactions=some), max_order=3)
    for order in (2, 3):
        left = [value**2 for players, value in groups.items() if len(players) == order and players not in some]
        every = [value**2 for players, value in groups.items() if len(players) == order]
        assert found[f"order{order}_error"] == pytest.approx(sum(left) / sum(every))
    pairs = sorted((p for p in groups if len(p) == 2), key=lambda players: -abs(groups[players]))[:10]
    assert found["precision"] == pytest.approx(len([players for players in pairs if players in some]) / 10)


def test_no_interaction_is_an_answer_of_those_who_give_some():
    assert "precision" not in numbers(Answer(GAME))
    found = numbers(Answer(GAME), gives_groups=True)
    assert_allclose([found["order2_error"], found["precision"]], [1, 0])
    assert "order3_error" not in found


def test_other_indices_are_compared_with_their_own_exact_values():
    game = GameModel((Spectrum.from_values(TABLE, N),))
    for name in ("SHAP ExactExplainer", "shapiq RegressionFSII"):
        method = METHODS[name]
        if method.missing():
            pytest.skip(method.missing())
        for max_order in (2, 3):
            answer = method(game, Request(N, 2**N, 0, max_order))
            assert numbers(answer, max_order=max_order)["order2_error"] < 1e-6


def test_removal_area_by_hand():
    case = Case("sum", "own", 4, lambda masks: 10.0 - masks @ np.array([4.0, 3.0, 2.0, 1.0]))
    examiner = Examiner(case)
    best = examiner.numbers(Answer(shapley=-np.array([4.0, 3, 2, 1])), NONE_EVALUATED, 2, gives_groups=False)
    worst = examiner.numbers(Answer(shapley=np.array([4.0, 3, 2, 1])), NONE_EVALUATED, 2, gives_groups=False)
    # shares of what all change that are left: 1, .6, .3, .1, 0 and 1, .9, .7, .4, 0
    assert best["removal_area"] == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4)
    assert worst["removal_area"] == pytest.approx((0.5 + 0.9 + 0.7 + 0.4) / 4)


def test_players_are_ranked_by_predictions_where_there_are_no_shapley_values():
    case = Case("sum", "own", 4, lambda masks: masks @ np.array([1.0, 2.0, 3.0, 4.0]))
    found = Examiner(case).numbers(Answer(case.game), NONE_EVALUATED, 2, gives_groups=False)
    assert found["removal_area"] == pytest.approx(0.375)


def test_held_out_masks_are_of_both_kinds_and_depend_on_the_name():
    case = Case("wide", "own", 40, lambda masks: masks.sum(axis=1) + 0.0)
    one, same, other = hold_out(case), hold_out(case), hold_out(replace(case, name="other"))
    assert_allclose(one.masks, same.masks)
    assert not np.array_equal(one.masks, other.masks)
    assert one.uniform.sum() == one.sized.sum() == 1000
    sizes = one.masks.sum(axis=1)
    assert 2.8 < sizes[one.uniform > 0].std() < 3.6  # of a binomial, 3.2
    assert 11 < sizes[one.sized > 0].std() < 12.7  # of a uniform one, 11.8
    assert_allclose(one.values, sizes)
    assert hold_out(case, 250).uniform.sum() == 250


def test_an_answer_that_is_not_finite_is_an_error():
    with pytest.raises(ValueError, match="finite"):
        numbers(Answer(lambda masks: np.full(len(masks), np.nan)))


def test_players_of_a_set_may_be_in_any_order():
    answers = (Answer(interactions={players: 2.0}) for players in ((1, 4), (4, 1)))
    one, other = (numbers(answer) for answer in answers)
    assert one == other
