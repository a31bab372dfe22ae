"""Signs, parities and characters from the definition, and the fast transform."""

from __future__ import annotations

import numpy as np
import pytest
from games import random_table
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.fourier import characters, parities, signs, walsh_hadamard
from captum_spex.masks import all_masks
from captum_spex.player_sets import PlayerSets


def test_the_transform_undoes_itself():
    table = random_table(6, 0)
    assert_allclose(walsh_hadamard(walsh_hadamard(table)) / 64, table, atol=1e-12)


@pytest.mark.parametrize("n_masks", [0, 1, 7, 8, 9])
def test_parities_count_the_players_present(rng, n_masks):
    masks = rng.random((n_masks, 70)) < 0.5
    sets = [(), (3,), (0, 69), (1, 2, 68)]
    expected = [[int(mask[list(players)].sum()) % 2 for mask in masks] for players in sets]
    assert_array_equal(parities(masks, PlayerSets.from_sets(sets, 70)), np.array(expected).reshape(4, n_masks))


def test_a_character_is_the_product_of_its_players_signs(rng):
    masks = rng.random((9, 70)) < 0.5
    sets = [(), (3,), (0, 69), (1, 2, 68)]
    expected = [signs(masks)[:, list(players)].prod(axis=1) for players in sets]
    assert_array_equal(characters(masks, PlayerSets.from_sets(sets, 70)), expected)


def test_a_present_player_has_the_sign_minus_one():
    assert_array_equal(signs(np.array([[True, False]])), [[-1.0, 1.0]])


def test_the_transform_sums_values_with_characters():
    table, sets = random_table(4, 0), [np.flatnonzero(mask) for mask in all_masks(4)]
    expected = characters(all_masks(4), PlayerSets.from_sets(sets, 4)) @ table
    assert_allclose(walsh_hadamard(table), expected, atol=1e-12)


def test_every_run_is_transformed_by_itself():
    table = random_table(5, 1)
    expected = np.concatenate([walsh_hadamard(run) for run in table.reshape(4, 8)])
    assert_allclose(walsh_hadamard(table, 8), expected, atol=1e-12)
