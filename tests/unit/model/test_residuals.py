"""Residuals: a model takes its observed value at every evaluated mask, and their indices are those of a table."""

from __future__ import annotations

import json

import numpy as np
import oracles
import pytest
from games import random_table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.indices import NAMES, resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import GameModel, Residuals, Spectrum
from captum_spex.player_sets import PlayerSets


def some_residuals(n: int, seed: int = 0) -> Residuals:
    rng = np.random.default_rng(seed)
    return Residuals(all_masks(n)[rng.permutation(2**n)[: max(1, 2**n // 3)]], rng.normal(size=max(1, 2**n // 3)))


@given(n=st.integers(2, 8), seed=st.integers(0, 1000))
def test_a_model_with_its_residuals_is_exact_where_it_was_evaluated(n: int, seed: int) -> None:
    table, masks = random_table(n, seed), all_masks(n)[:: 2 + seed % 3]
    spectrum = Spectrum.from_terms({(): 1.0, (0, 1): -2.0}, n)
    values = oracles.as_game(table)(masks)
    model = GameModel((spectrum, Residuals(masks, values - spectrum(masks))))
    assert_allclose(model(masks), values, atol=1e-12)
    others = np.setdiff1d(np.arange(2**n), np.arange(2**n)[:: 2 + seed % 3])
    assert_array_equal(model(all_masks(n)[others]), spectrum(all_masks(n)[others]))


@pytest.mark.parametrize("name", NAMES)
def test_indices_are_those_of_the_table(name: str) -> None:
    part = some_residuals(6)
    index = resolve_index(name, 3, 6)
    table = Spectrum.from_values(part(all_masks(6)), 6)
    sets = PlayerSets.concatenate([PlayerSets.all_of_order(order, 6) for order in range(1, index.max_order + 1)])
    assert_allclose(part.index_at(index, sets), table.index_at(index, sets), atol=1e-10)
    assert_allclose(part.baseline(index), table.baseline(index), atol=1e-12)


def test_few_pairs_are_those_of_the_matrix_product() -> None:
    part, index = some_residuals(7), resolve_index("SII", 2, 7)
    pairs = PlayerSets.all_of_order(2, 7)
    few = pairs.take(np.array([3, 11]))
    assert_allclose(part.index_at(index, few), part.index_at(index, pairs)[[3, 11]], rtol=1e-12)


def test_fourier_terms_of_few_players_and_none_of_many(rng: np.random.Generator) -> None:
    part = some_residuals(5)
    assert_allclose(part.largest_terms(32)(all_masks(5)), part(all_masks(5)), atol=1e-12)
    assert len(Residuals(rng.random((3, 30)) < 0.5, np.ones(3)).largest_terms(10)) == 0


def test_scaling_and_json() -> None:
    part, masks = some_residuals(6), all_masks(6)
    assert_allclose(part.scaled(-2.0)(masks), -2.0 * part(masks))
    again = Residuals.from_dict(json.loads(json.dumps(part.to_dict())))
    assert_array_equal(again(masks), part(masks))
    assert len(part.candidates(2)) == 0
