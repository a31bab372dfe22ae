"""The local search alone, against brute force."""

from __future__ import annotations

from games import random_spectrum

from captum_spex.masks import all_masks
from captum_spex.optimize.local_search import improved_by_exchanges
from captum_spex.optimize.subset_problem import SubsetProblem


def test_the_local_search_alone_is_good():
    spectrum = random_spectrum(12, 60, 3, 1)
    problem = SubsetProblem.of(spectrum, 5, None, None, None)
    masks = all_masks(12)
    values = spectrum(masks[masks.sum(axis=1) == 5])
    start = improved_by_exchanges(problem, float("inf"))
    assert start.sum() == 5
    assert (values > spectrum(start[None])[0] + 1e-9).mean() < 0.01
