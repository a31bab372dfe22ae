"""Without a budget: all masks where that takes no longer than an estimate, else a number of them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from games import Counting, smooth_game
from numpy.testing import assert_allclose
from stored_games import QUICK, Kept, StoppedError

import captum_spex
from captum_spex.approximators import Exact, Problem, ProxySpex, Spex
from captum_spex.budgets import LAW, LIMITS, DefaultBudget, default_budget
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.evaluation.store import Store
from captum_spex.indices import resolve_index

ASKED_AGAIN = 2  # masks that are evaluated a second time, beside the budget, to see whether values repeat
ORDERS = {"SII": 2, "SV": 1, "FSII": 3}
FAST = ProxySpex(effort="fast")  # with which all masks are as open as without an algorithm


def explained(game, n, **settings):
    return captum_spex.explain(game, n, random_state=0, **settings)


def slow(masks):
    """A game of a fifth of a millisecond for each mask."""
    time.sleep(2e-4 * len(masks))
    return smooth_game(masks)


def assert_same(found, expected):
    """The same values, up to the rounding of games that are called in other batches."""
    assert set(found) == set(expected)
    assert_allclose([found[players] for players in expected], expected.values, atol=1e-9)


def problem(n, index="SII", order=2):
    return Problem(n, default_budget(n), resolve_index(index, order, n))


def decided(n, seconds, *, n_games=1, order=2, n_outputs=1):
    values = np.random.default_rng(0).normal(size=(512, n_outputs))
    return DefaultBudget(default_budget(n), n_games).decide(problem(n, order=order), values, seconds, lambda: True)


# --- which games ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [10, 12, 13, 16])
@pytest.mark.parametrize("index", ORDERS)
def test_all_masks_of_a_cheap_game_are_evaluated_once(n, index):
    game = Counting(smooth_game)
    found = explained(game, n, index=index, max_order=ORDERS[index])
    assert (found.n_evaluations, game.n_rows, game.n_distinct) == (2**n, 2**n + ASKED_AGAIN, 2**n)
    enumerated = explained(smooth_game, n, index=index, max_order=ORDERS[index], budget=2**n)
    assert_same(found, enumerated)
    assert found.diagnostics == {"method": "exact: every mask was evaluated"}
    assert "exact: every mask was evaluated" in repr(found)
    assert "exact: every mask was evaluated" in str(found)
    assert "Exact: every mask was evaluated." in found.to_html()


def test_a_slow_game_of_many_players_is_estimated():
    game = Counting(slow)
    found = explained(game, 13)
    assert found.n_evaluations == game.n_rows == default_budget(13)
    assert found.diagnostics["proxy"]
    assert "exact" not in repr(found)
    assert_same(found, explained(smooth_game, 13, budget=default_budget(13)))


def test_up_to_twelve_players_may_take_longer():
    assert explained(slow, 11).n_evaluations == 2**11


def test_a_given_budget_is_never_exceeded():
    for budget in (2, 100, 1023):
        game = Counting(smooth_game)
        assert explained(game, 10, budget=budget, approximator=ProxySpex(QUICK)).n_evaluations == budget
        assert game.n_rows == budget
    assert explained(smooth_game, 12, budget=default_budget(12), approximator=FAST).n_evaluations == 512


class Asked(Counting):
    """A game with hooks."""

    def __init__(self, **hooks):
        super().__init__(smooth_game)
        vars(self).update(hooks)


def answers(masks):
    yield from enumerate(smooth_game(masks))


@pytest.mark.parametrize(
    "hooks", [{"keeps_budget": True}, {"noisy": True}, {"answer_each": answers}], ids=lambda hooks: next(iter(hooks))
)
def test_games_whose_default_is_kept(hooks):
    assert explained(Asked(**hooks), 10, approximator=FAST).n_evaluations == 512
    assert explained(Asked(**dict.fromkeys(hooks)), 10, approximator=FAST).n_evaluations == 1024


@pytest.mark.parametrize("keeps", ["yes", 1, 0.5])
def test_a_hook_that_is_no_flag(keeps):
    game = Asked(keeps_budget=keeps)
    with pytest.raises(ArgumentError, match=r"`game\.keeps_budget`: expected True or False"):
        explained(game, 10)
    assert not game.batches


CHOSEN = {
    "settings": ProxySpex(QUICK),
    "rounds": ProxySpex(rounds=1),
    "as published": ProxySpex.as_published(),
    "noisy": ProxySpex(noisy=True),
    "SPEX": Spex(),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_an_algorithm_that_was_chosen_is_run(name):
    game, default = GameAdapter.of(smooth_game), DefaultBudget(512)
    assert not default.is_open(problem(12), game, CHOSEN[name], None)
    assert default.is_open(problem(12), game, None, None)
    assert default.is_open(problem(12), game, ProxySpex(), None)
    assert default.is_open(problem(12), game, ProxySpex(device="cpu"), None)
    assert default.is_open(problem(12), game, ProxySpex(effort="fast"), None)


def test_where_nothing_is_open():
    game, default = GameAdapter.of(smooth_game), DefaultBudget(512)
    assert not default.is_open(problem(9), game, None, None)  # these are all masks
    assert not default.is_open(problem(17), game, None, None)
    assert not default.is_open(problem(12), game, None, "joblib")
    packed = replace(game, make_executor=lambda batch_size: None)
    assert not default.is_open(problem(12), packed, None, None)


@pytest.mark.parametrize("batch_size", [1, None])
def test_a_random_game_is_not_called_exact(batch_size):
    noise = np.random.default_rng(0)
    found = explained(
        lambda masks: smooth_game(masks) + noise.normal(size=len(masks)), 10, batch_size=batch_size, approximator=FAST
    )
    assert found.n_evaluations == 512
    assert found.faithfulness < 0.9
    rounded = explained(lambda masks: (1 + 1e-7 * noise.normal(size=len(masks))) * smooth_game(masks), 10)
    assert rounded.n_evaluations == 1024


def test_a_budget_that_shows_nothing_twice_is_kept():
    result = explained(lambda masks: np.random.default_rng().normal(size=len(masks)), 6, budget=DefaultBudget(2))
    assert result.n_evaluations == 2
    assert np.isnan(result.faithfulness)


def test_enumeration_needs_no_budget():
    assert explained(smooth_game, 17, approximator=Exact()).n_evaluations == 2**17
    with pytest.raises(BudgetError, match=r"at least 2\*\*27"):
        explained(smooth_game, 27, approximator=Exact())


def test_an_automatic_budget_stops_as_before():
    settings = {"budget": "auto", "target_faithfulness": 0.5, "approximator": ProxySpex(QUICK)}
    assert explained(smooth_game, 12, **settings).n_evaluations < 2**12


# --- the decision -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [13, 14, 16])
def test_no_longer_than_an_estimate(n):
    rest = 2**n - default_budget(n)
    even = (LAW.estimate_seconds(1) - LAW.exact_seconds(n, 2, 1)) / rest
    assert decided(n, 0.99 * even)
    assert not decided(n, 1.01 * even)


@pytest.mark.parametrize("n", [10, 12])
def test_few_players_may_take_ten_seconds_more(n):
    rest = 2**n - default_budget(n)
    assert decided(n, 0.99 * LIMITS.patience / rest)
    assert not decided(n, 1.01 * LIMITS.patience / rest)
    assert decided(n, 0.19 * LIMITS.patience / rest, n_games=5)  # together
    assert not decided(n, 0.21 * LIMITS.patience / rest, n_games=5)
    assert decided(n, 1.9 * LAW.estimate_seconds(1) / rest, n_games=1000)


def test_more_outputs_are_worth_a_longer_wait():
    seconds = 1.05 * LAW.estimate_seconds(1) / (2**13 - 512)
    assert not decided(13, seconds)
    assert decided(13, seconds, n_outputs=3)


def test_outputs_that_never_vary_cost_no_fit():
    assert not DefaultBudget(512).decide(problem(13), np.ones((512, 3)), 1e-9, lambda: True)
    assert DefaultBudget(512).decide(problem(12), np.ones((512, 3)), 1e-9, lambda: True)


def test_values_of_all_masks_must_fit_into_memory():
    assert decided(16, 1e-9, n_outputs=256)
    assert not decided(16, 1e-9, n_outputs=257)


def test_orders_whose_conversion_would_take_long():
    assert decided(16, 1e-9, order=2)
    assert not decided(16, 1e-9, order=4)
    assert explained(smooth_game, 16, max_order=4, index="BII", approximator=FAST).n_evaluations == 512


def test_the_first_game_decides_for_the_others():
    shared = DefaultBudget(512)
    assert explained(slow, 13, budget=shared, approximator=FAST).n_evaluations == 512
    assert explained(smooth_game, 13, budget=shared, approximator=FAST).n_evaluations == 512
    other = DefaultBudget(512)
    assert explained(smooth_game, 13, budget=other).n_evaluations == 2**13
    game = Counting(smooth_game)
    explained(game, 13, budget=other)
    assert len(game.batches) == 2**13 // 1024  # nothing is tried first


def test_the_law_grows():
    assert LAW.estimate_seconds(0) == 0
    assert LAW.estimate_seconds(3) > LAW.estimate_seconds(1) > 0
    assert LAW.exact_seconds(16, 3, 1) > LAW.exact_seconds(16, 2, 1) > LAW.exact_seconds(13, 2, 1)


# --- stores -----------------------------------------------------------------------------------------------------------


class KeptSlow(Kept):
    """The same game, on a machine on which it is slow."""

    def __call__(self, masks):
        time.sleep(2e-4 * len(masks))
        return super().__call__(masks)


def test_a_stopped_run_resumes_on_the_path_that_it_took(tmp_path):
    path, stopped, resumed = tmp_path / "all.db", Kept(stop_after=4), Counting(smooth_game)
    with pytest.raises(StoppedError):
        explained(stopped, 13, store=path)
    found = explained(KeptSlow(), 13, store=Store(path), batch_size=4096)
    again = explained(Kept(), 13, store=path)
    assert found.n_evaluations == again.n_evaluations == 2**13
    assert dict(found) == dict(again)
    assert_same(found, explained(resumed, 13))


def test_a_resumed_run_is_the_same_to_the_last_bit(tmp_path):
    with pytest.raises(StoppedError):
        explained(Kept(stop_after=5), 13, store=tmp_path / "one.db")
    resumed = explained(Kept(), 13, store=tmp_path / "one.db")
    assert resumed.to_json() == explained(Kept(), 13, store=tmp_path / "other.db").to_json()


def test_evaluations_that_were_paid_for_are_kept(tmp_path):
    path, stopped, resumed = tmp_path / "all.db", Kept(stop_after=5), Kept()
    with pytest.raises(StoppedError):
        explained(stopped, 12, store=path)
    explained(resumed, 12, store=path)
    assert stopped.n_rows + resumed.n_rows == 2**12 + ASKED_AGAIN
    assert len({mask.tobytes() for mask in np.concatenate([stopped.masks, resumed.masks])}) == 2**12


def test_an_estimated_run_stays_one(tmp_path):
    path = tmp_path / "some.db"
    first = explained(KeptSlow(), 13, store=path, approximator=FAST)
    again = Kept()
    assert dict(first) == dict(explained(again, 13, store=path, approximator=FAST))
    assert first.n_evaluations == 512
    assert not again.batches


def test_a_store_of_an_older_version_that_holds_all_first_values(tmp_path):
    path = tmp_path / "older.db"
    first = explained(Kept(), 12, budget=512, store=path, approximator=FAST)
    with closing(sqlite3.connect(path)) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'choices'").fetchall()
    game = Kept()
    assert dict(first) == dict(explained(game, 12, store=path, approximator=FAST))
    assert not game.batches
    assert captum_spex.explain(Kept(), 12, store=path, random_state=1).n_evaluations == 2**12  # other masks are timed


def test_a_choice_is_that_of_the_first_process(tmp_path):
    with Store(tmp_path / "one.db", fingerprint="a game").open(smooth_game, 9) as store:
        assert store.choice("all masks") is None
        assert store.choose("all masks", True)
        with Store(store.path, fingerprint="a game").open(smooth_game, 9) as other:
            assert other.choose("all masks", False)
            assert other.choice("another") is None


def test_several_outputs_are_exact_too():
    found = explained(lambda masks: np.stack([smooth_game(masks), masks[:, 1] * 2.0], axis=1), 13)
    assert [one.n_evaluations for one in found] == [2**13] * 2
    assert_allclose(found[1].first_order(), 2.0 * (np.arange(13) == 1), atol=1e-12)
