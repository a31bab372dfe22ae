"""The best subsets of a size: all of them where there are few, a beam beyond that."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from captum_spex.optimize import predicted
from captum_spex.optimize.predicted import BestSubsets


def game(masks):
    weights = np.cos(np.arange(masks.shape[1]))
    return masks @ weights + 3.0 * (masks[:, 1] & masks[:, 4]) - 2.0 * (masks[:, 0] & masks[:, 6])


@pytest.mark.parametrize("size", range(10))
def test_all_sets_of_a_size_the_best_first(size):
    found = BestSubsets(game, 9).of_size(size)
    masks = np.array([[player in chosen for player in range(9)] for chosen in combinations(range(9), size)])
    assert_allclose(found.values, np.sort(game(masks))[::-1])
    assert_allclose(game(found.masks), found.values)
    assert {mask.tobytes() for mask in found.masks} == {mask.tobytes() for mask in masks}


@pytest.mark.parametrize("size", range(10))
def test_a_beam_finds_as_good_a_set(size, monkeypatch):
    monkeypatch.setattr(predicted, "ENUMERATED", 40)
    best = BestSubsets(game, 9).of_size(size)
    monkeypatch.setattr(predicted, "ENUMERATED", 20_000)
    exact = BestSubsets(game, 9).of_size(size)
    assert best.values[0] == pytest.approx(exact.values[0])
    assert (best.masks.sum(axis=1) == size).all()
    assert len({mask.tobytes() for mask in best.masks}) == len(best.masks)
    assert (np.diff(best.values) <= 0).all()


def test_predictions_in_blocks_change_nothing(monkeypatch):
    whole = BestSubsets(game, 9).of_size(4)
    monkeypatch.setattr(predicted, "_ROWS", 7)
    in_blocks = BestSubsets(game, 9).of_size(4)
    assert in_blocks.masks.tolist() == whole.masks.tolist()
