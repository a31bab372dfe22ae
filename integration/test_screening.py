"""Planted effects among ten thousand players are found in given subsets; best subsets of many terms are proved."""

from __future__ import annotations

from benchmarks import optimize, screening
from captum_spex.optimize import best_subset


def test_planted_effects_are_found():
    found = screening.run(10_000, 20_000, seed=1)
    assert found.mains >= 0.9
    assert found.pairs >= 0.9
    assert found.faithfulness > 0.7
    assert found.gigabytes < 8
    assert 0 < found.bound < 1  # below the planted effects: one of that size would not have been screened out


def test_the_best_of_three_hundred_terms_is_proved():
    best = best_subset(optimize.random_spectrum(3, 0), size=10, time_limit=1200)
    assert best.gap == 0
    assert best.mask.sum() == 10
