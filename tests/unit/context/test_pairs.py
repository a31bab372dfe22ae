"""Pairs in words: what says the same, and what is needed together, clear of noise, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.context import named_pairs
from captum_spex.errors import ArgumentError
from captum_spex.masks import all_masks


def game(masks):
    """Either of 0 and 1; 2 and 3 together; 4 alone; 5 and 6 add up; 7: nothing."""
    return 2.0 * (masks[:, 0] | masks[:, 1]) + 3.0 * (masks[:, 2] & masks[:, 3]) + masks @ [0, 0, 0, 0, 5.0, 4, 4, 0]


def slow_added(game, n, pair):
    """What each of two players adds without the other, and both, over all orders of the others."""
    rows = all_masks(n)
    others = rows[~rows[:, list(pair)].any(axis=1)]
    sizes = others.sum(axis=1)
    weights = np.array([1 / np.sum(sizes == size) for size in sizes]) / (n - 1)
    values = []
    for present in ([], pair[:1], pair[1:], pair):
        masks = others.copy()
        masks[:, list(present)] = True
        values.append(float(weights @ game(masks)))
    return [value - values[0] for value in values[1:]]


def test_planted_pairs_are_named_and_nothing_else():
    result = captum_spex.explain(game, 8, budget=256)
    pairs = named_pairs(result)
    assert [(pair.kind, pair.players) for pair in pairs] == [("complementary", (2, 3)), ("redundant", (0, 1))]
    for pair in pairs:
        *alone, together = slow_added(game, 8, pair.players)
        assert pair.alone == pytest.approx(alone)
        assert pair.together == pytest.approx(together)
        assert pair.value == pytest.approx(together - sum(alone))
        assert pair.std_error == 0
    assert str(pairs[1]) == (
        "Either of source 0 and source 1 would do: alone 2.00 and 2.00, together 2.00 (interaction -2.00)."
    )


def test_what_a_pair_adds_is_the_mean_over_the_others():
    def chained(masks):  # 0 with 1 or 2, and more of it with 3
        return 1.0 * (masks[:, 0] & (masks[:, 1] | masks[:, 2])) * (1 + masks[:, 3])

    pairs = {pair.players: pair for pair in named_pairs(captum_spex.explain(chained, 5, budget=32))}
    assert pairs[(0, 1)].kind == pairs[(0, 2)].kind == "complementary"
    for players, pair in pairs.items():
        assert [*pair.alone, pair.together] == pytest.approx(slow_added(chained, 5, players), abs=0.1)


def test_names_other_indices_and_limits():
    result = captum_spex.explain(game, 8, budget=256, names=list("abcdefgh"), index="FSII", max_order=3)
    pairs = named_pairs(result)
    assert [pair.text[:24] for pair in pairs] == ["c and d only together: a", "Either of a and b would "]
    assert named_pairs(result, max_pairs=1) == pairs[:1]
    assert named_pairs(captum_spex.explain(lambda masks: 1.0 * masks[:, 0], 1, budget=2)) == ()


def test_a_source_that_holds_what_another_one_says_and_more_is_not_its_equal():
    def larger(masks):  # 0 says all, 1 a fifth of it
        return np.maximum(5.0 * masks[:, 0], 1.0 * masks[:, 1])

    result = captum_spex.explain(larger, 3, budget=8)
    assert named_pairs(result) == ()
    assert [pair.kind for pair in named_pairs(result, share=0.2)] == ["redundant"]


def test_a_source_that_makes_up_for_what_another_one_takes_does_not_need_it():
    def distracting(masks):  # 0 says it, 1 distracts where 0 is absent
        return 1.0 * masks[:, 0] - 0.5 * (masks[:, 1] & ~masks[:, 0])

    assert named_pairs(captum_spex.explain(distracting, 3, budget=8)) == ()


def test_noise_is_not_named():
    rng = np.random.default_rng(0)

    def noisy(masks):
        return masks @ np.linspace(1, 2, 12) + rng.normal(size=len(masks))

    result = captum_spex.explain(noisy, 12, budget=200, random_state=0, approximator=ProxySpex(noisy=True))
    assert len(named_pairs(result)) <= 2  # of 66
    for pair in named_pairs(result):
        assert abs(pair.value) > 2 * pair.std_error


def test_planted_pairs_of_a_sampled_game_among_thirty():
    def sampled(masks):
        return game(masks[:, :8]) * 1.0

    result = captum_spex.explain(sampled, 30, budget=300, random_state=0)
    pairs = named_pairs(result, max_pairs=2)
    assert {pair.players: pair.kind for pair in pairs} == {(2, 3): "complementary", (0, 1): "redundant"}
    assert all(f"± {pair.std_error:.2f}" in pair.text for pair in pairs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 0.0}, "`share`: expected a number above 0 and at most 1, got 0.0."),
        ({"max_pairs": 0}, "`max_pairs`: expected an integer of at least 1, got 0."),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    result = captum_spex.explain(game, 8, budget=256)
    with pytest.raises(ArgumentError) as caught:
        named_pairs(result, **arguments)
    assert str(caught.value) == message


def test_several_outputs_are_refused():
    results = captum_spex.explain(lambda masks: masks[:, :2] * 1.0, 3, budget=8)
    with pytest.raises(ArgumentError, match=r"`result`: expected `Interactions`.*Choose one of several outputs"):
        named_pairs(results)
