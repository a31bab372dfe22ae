"""Boosted trees as a proxy: settings and edge cases."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from captum_spex.approximators import BoostedTrees
from captum_spex.errors import ArgumentError
from captum_spex.masks import all_masks


def test_fits_on_top_of_a_large_offset(rng):
    masks = rng.random((500, 10)) < 0.5
    values = 1e6 + masks[:, 2] + (masks[:, 3] & masks[:, 4])
    spectrum = BoostedTrees(n_trees=200).fit(masks, values)
    assert_allclose(spectrum(masks), values, atol=1e-3, rtol=0)


def test_constant_values_or_few_masks_give_the_mean():
    masks = all_masks(3)
    assert dict(BoostedTrees().fit(masks, np.full(8, 3.0))) == {(): 3.0}
    assert dict(BoostedTrees().fit(masks, np.arange(8.0))) == {(): 3.5}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_trees": 0}, "`n_trees`: expected an integer of at least 1, got 0"),
        ({"max_depth": 17}, "`max_depth`: expected an integer from 1 to 16, got 17"),
        ({"learning_rate": 0.0}, "`learning_rate`: expected a positive number, got 0.0"),
        ({"num_leaves": 2.5}, "`num_leaves`: expected an integer of at least 1, got 2.5"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ArgumentError, match=message):
        BoostedTrees(**settings)
