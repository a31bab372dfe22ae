"""Slow twins of the metrics, from their definitions, and what their tests share."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from games import smooth_game
from hypothesis import strategies as st
from oracles import moebius

seeds = st.integers(0, 2**32 - 1)


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


def two_outputs(masks):
    return np.column_stack([smooth_game(masks), masks[:, 0] * 2.0 - masks[:, 1]])
