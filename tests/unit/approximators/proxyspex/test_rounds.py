"""Rounds: how many masks there are after each, and when no more are wanted."""

from __future__ import annotations

import pytest

from captum_spex.approximators import Estimate
from captum_spex.approximators.proxyspex.rounds import Rounds, first_round, fixed_sizes, growing_sizes, n_replicates
from captum_spex.model import GameModel


@pytest.mark.parametrize(("n_players", "size"), [(2, 4), (5, 32), (10, 64), (20, 80), (1000, 4000)])
def test_a_first_round_has_masks_for_every_player_but_not_more_than_there_are(n_players: int, size: int) -> None:
    assert first_round(n_players) == size


@pytest.mark.parametrize(
    ("n_rounds", "budget", "sizes"),
    [(1, 131, [131]), (2, 131, [64, 131]), (3, 131, [64, 98, 131]), (3, 96, [48, 72, 96])],
)
def test_rounds_of_a_given_budget_have_even_sizes(n_rounds: int, budget: int, sizes: list[int]) -> None:
    assert fixed_sizes(n_rounds, budget) == sizes


@pytest.mark.parametrize(
    ("first", "budget", "sizes"), [(64, 150, [64, 96, 144, 150]), (64, 64, [64]), (80, 60, [60]), (3, 8, [3, 5, 8])]
)
def test_rounds_of_an_automatic_budget_grow_by_half(first: int, budget: int, sizes: list[int]) -> None:
    assert growing_sizes(first, budget) == sizes


@pytest.mark.parametrize(("budget", "count"), [(3, 1), (10, 3), (24, 8), (200, 20), (10_000, 256)])
def test_a_tenth_of_the_budget_is_for_second_evaluations(budget: int, count: int) -> None:
    assert n_replicates(budget) == count


def estimates(*lower: float) -> list[Estimate]:
    return [Estimate(GameModel(()), bound + 0.1, {"lower": bound}) for bound in lower]


def test_no_round_follows_one_after_which_the_worst_output_is_good_enough() -> None:
    found = iter([estimates(0.9, 0.2), estimates(0.8, 0.7)])
    rounds = Rounds([10, 20, 30], 0.65, lambda: next(found))
    assert [rounds.next_size() for _ in range(3)] == [10, 20, None]
    curve = [(10, pytest.approx(0.3), 0.2), (20, pytest.approx(0.8), 0.7)]
    assert [one.diagnostics["curve"] for one in rounds.result()] == [curve, curve]


def test_the_last_round_is_on_the_curve_too() -> None:
    rounds = Rounds([10, 20], 0.9, lambda: estimates(0.5))
    assert [rounds.next_size() for _ in range(3)] == [10, 20, None]
    [one] = rounds.result()
    assert [size for size, *_ in one.diagnostics["curve"]] == [10, 20]


def test_without_a_target_all_is_estimated_once_at_the_end() -> None:
    calls: list[int] = []

    def estimate() -> list[Estimate]:
        calls.append(rounds.size)
        return estimates(0.5)

    rounds = Rounds([10, 20], None, estimate)
    assert [rounds.next_size() for _ in range(3)] == [10, 20, None]
    rounds.result()
    assert rounds.result()[0].diagnostics == {"lower": 0.5}
    assert calls == [20]
    rounds.forget()
    rounds.result()
    assert calls == [20, 20]
