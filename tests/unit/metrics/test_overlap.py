"""Recovery and agreement as defined."""

from __future__ import annotations

import numpy as np
import pytest
from games import planted_spectrum, smooth_game
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from slow_metrics import random_terms, seeds

import captum_spex
from captum_spex import metrics


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
    of_players = metrics.recovery(explained, known, k, counted="players", min_order=min_order)
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
