"""Boosted trees as proxies: settings, units, and what is given up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from games import smooth_game
from numpy.testing import assert_allclose

from captum_spex.approximators import BoostedTrees, FittedProxy, ProxyData
from captum_spex.approximators.proxyspex.stacking import stack
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


def smooth_data(rng):
    masks = rng.random((100, 10)) < 0.5
    values = Standardised.of(smooth_game(masks)[:, None]).values
    return ProxyData(masks, values, np.zeros(100), np.random.default_rng(0), torch.device("cpu"))


def test_they_are_given_up_where_they_add_nothing_to_a_rival(rng):
    data = smooth_data(rng)
    assert not BoostedTrees(n_trees=20).surrogates(data, [FittedProxy("rival", [()], data.values, data.values)])


def test_a_worse_rival_is_no_reason_to_give_up_what_adds_to_it(rng):
    data = smooth_data(rng)
    alone = BoostedTrees(n_trees=20).surrogates(data, [])
    error = np.sqrt(((alone[0].left_out - data.values) ** 2).mean())
    predicted = data.values + 0.5 * error * rng.normal(size=data.values.shape)  # a quarter of their squared error
    data = ProxyData(data.masks, data.values, data.noise, np.random.default_rng(0), data.device)
    found = BoostedTrees(n_trees=20).surrogates(data, [FittedProxy("rival", [()], predicted, predicted)])
    chosen = stack([FittedProxy("rival", [()], predicted, predicted), *alone], data.values[:, 0], 0, data.masks)
    assert [one.name for one in found] == [alone[place - 1].name for place in chosen.weights if place]
    assert found


def test_only_what_a_stack_weights_is_fitted_to_all_masks(rng):
    data, predicted = smooth_data(rng), np.zeros((100, 1))
    rival = FittedProxy("rival", [()], predicted, predicted)
    alone = BoostedTrees(n_trees=20).surrogates(data, [])
    data = ProxyData(data.masks, data.values, data.noise, np.random.default_rng(0), data.device)
    found = BoostedTrees(n_trees=20).surrogates(data, [rival])
    weights = stack([rival, *alone], data.values[:, 0], 0, data.masks).weights
    assert len(alone) == 2
    assert [one.name for one in found] == [alone[place - 1].name for place in weights]


def test_trees_of_two_sizes_are_averaged(rng):
    masks = rng.random((200, 10)) < 0.5
    values = smooth_game(masks)
    both = [BoostedTrees(n_trees=20, num_leaves=leaves).fit(masks, values)(masks) for leaves in (8, 4)]
    data = ProxyData(masks, values[:, None], np.zeros(200), np.random.default_rng(0), torch.device("cpu"))
    ((spectrum,),) = BoostedTrees(n_trees=20).surrogates(data, [])[0].parts
    assert_allclose(spectrum(masks), np.mean(both, axis=0), rtol=1e-10)
