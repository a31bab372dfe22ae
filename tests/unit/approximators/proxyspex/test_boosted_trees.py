"""Boosted trees as proxies: settings, units, and what is given up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from games import smooth_game
from numpy.testing import assert_allclose

from captum_spex.approximators import BoostedTrees, FittedProxy, ProxyData
from captum_spex.errors import ArgumentError
from captum_spex.masks import all_masks
from captum_spex.statistics import Standardised


def test_they_fit_on_top_of_a_large_offset(rng):
    masks = rng.random((500, 10)) < 0.5
    values = 1e6 + masks[:, 2] + (masks[:, 3] & masks[:, 4])
    spectrum = BoostedTrees(n_trees=200).fit(masks, values)
    assert_allclose(spectrum(masks), values, atol=1e-3, rtol=0)


def test_constant_values_or_few_masks_are_the_mean():
    masks = all_masks(3)
    assert dict(BoostedTrees().fit(masks, np.full(8, 3.0))) == {(): 3.0}
    assert dict(BoostedTrees(min_child_samples=5).fit(masks, np.arange(8.0))) == {(): 3.5}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_trees": 0}, "`n_trees`: expected an integer of at least 1, got 0"),
        ({"max_depth": 17}, "`max_depth`: expected an integer from 1 to 16, got 17"),
        ({"learning_rate": 0.0}, "`learning_rate`: expected a positive number, got 0.0"),
        ({"subsample": 0}, "`subsample`: expected a number above 0, at most 1, got 0"),
        ({"num_leaves": 2.5}, "`num_leaves`: expected an integer of at least 1, got 2.5"),
    ],
)
def test_settings_that_cannot_be_used(settings, message):
    with pytest.raises(ArgumentError, match=message):
        BoostedTrees(**settings)


@pytest.mark.parametrize(("error", "n_surrogates"), [(0.0, 0), (2.0, 2)])
def test_they_give_up_beside_a_rival_that_is_far_better(rng, error, n_surrogates):
    masks = rng.random((100, 10)) < 0.5
    values = Standardised.of(smooth_game(masks)[:, None]).values
    data = ProxyData(masks, values, np.zeros(100), np.random.default_rng(0), torch.device("cpu"))
    predicted = values + error * rng.normal(size=values.shape)
    rivals = [FittedProxy("rival", [()], predicted, predicted)]
    assert len(BoostedTrees(n_trees=20).surrogates(data, rivals)) == n_surrogates
