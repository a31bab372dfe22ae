"""Trees of many outputs and folds at once: those of each, and those that LightGBM fits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.approximators import BoostedTrees, ProxyData
from captum_spex.approximators.proxyspex.found_terms import fitted_alone
from captum_spex.approximators.proxyspex.many_trees import ManyTrees
from captum_spex.approximators.proxyspex.validation import folds
from captum_spex.arrays import Floats
from captum_spex.masks import Masks, all_masks
from captum_spex.statistics import Standardised

N_PLAYERS, N_MASKS = 6, 40


def network(masks: Masks, n_outputs: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(masks.shape[1], 8)), rng.normal(size=(8, n_outputs))
    return np.asarray(np.tanh(masks @ inner) @ outer)


@pytest.fixture
def masks(rng: np.random.Generator) -> Masks:
    return all_masks(N_PLAYERS)[rng.permutation(2**N_PLAYERS)[:N_MASKS]]


def fitted(trees: BoostedTrees, masks: Masks, values: Floats, leaves: list[int]) -> ManyTrees:
    return ManyTrees.fitted(trees, masks, values, folds(masks, 5, np.random.default_rng(0)), np.array(leaves))


@pytest.mark.parametrize("settings", [{}, {"subsample": 1.0}, {"min_child_samples": 9}, {"max_depth": 1}])
def test_trees_of_one_test_are_those_of_lightgbm(masks: Masks, settings: dict[str, float]) -> None:
    """Larger ones too, but for splits that are exactly as good as another."""
    trees, values = BoostedTrees(n_trees=80, num_leaves=2, **settings), Standardised.of(network(masks, 4)).values
    many = fitted(trees, masks, values, [2])
    for column, (own, _) in enumerate(many.spectra()):
        assert_allclose(own(all_masks(N_PLAYERS)), trees.fit(masks, values[:, column])(all_masks(N_PLAYERS)), atol=1e-6)
    for held_out in many.folds:
        rest = np.setdiff1d(np.arange(N_MASKS), held_out)
        alone = [trees.fit(masks[rest], column)(masks[held_out]) for column in values[rest].T]
        assert_allclose(many.held_out[0, held_out].T, alone, atol=1e-6)


def test_larger_trees_predict_as_well_as_those_of_lightgbm(masks: Masks) -> None:
    truth, everything = Standardised.of(network(all_masks(N_PLAYERS), 20)), all_masks(N_PLAYERS)
    values = (network(masks, 20) - truth.center) / truth.scale
    trees = BoostedTrees()
    ours = [own(everything) for own, _ in fitted(trees, masks, values, [8]).spectra()]
    theirs = [trees.fit(masks, column)(everything) for column in values.T]
    errors = [((np.array(some) - truth.values.T) ** 2).mean() for some in (ours, theirs)]
    assert errors[0] < 1.05 * errors[1]


def test_together_they_are_the_same_as_alone(masks: Masks) -> None:
    values = Standardised.of(network(masks, 5)).values
    together = fitted(BoostedTrees(), masks, values, [8, 4])
    for column in range(5):
        alone = fitted(BoostedTrees(), masks, values[:, [column]], [8, 4])
        own = together.of_outputs([column])
        assert_allclose(own.coefficients, alone.coefficients, atol=1e-9)
        assert_allclose(own.held_out, alone.held_out, atol=1e-9)


def test_terms_are_the_largest_of_the_trees_fitted_again(masks: Masks) -> None:
    values = Standardised.of(network(masks, 2)).values
    many = fitted(BoostedTrees(), masks, values, [8, 4])
    for column, (trees, terms) in enumerate(many.spectra()):
        sets = trees.sets.take(np.flatnonzero(trees.orders > 0)[: N_MASKS // 2])
        again = fitted_alone(sets, masks, values[:, column])
        assert_allclose(terms(masks), again(masks), atol=1e-8)
    held_out = many.folds[1]
    rest = np.setdiff1d(np.arange(N_MASKS), held_out)
    without = fitted_alone(many.sets(1)[0], masks[rest], values[rest, 0])
    assert_allclose(many.held_out[1, held_out, 0], without(masks[held_out]), atol=1e-2)


def test_constant_values_and_few_masks_are_the_mean(masks: Masks) -> None:
    values = np.column_stack([np.full(N_MASKS, 3.0), masks[:, 0]])
    constant, _ = fitted(BoostedTrees(), masks, values, [8, 4]).spectra()
    assert [dict(one) for one in constant] == [{(): 3.0}, {(): 3.0}]
    few = fitted(BoostedTrees(min_child_samples=N_MASKS), masks, values, [8, 4]).spectra()
    assert_allclose([few[1][0][()], few[1][1][()]], masks[:, 0].mean())


def data_of(masks: Masks, values: Floats) -> ProxyData:
    return ProxyData(masks, values, np.zeros(len(masks)), np.random.default_rng(0), torch.device("cpu"))


def test_a_proxy_finds_its_outputs_among_those_fitted_together(masks: Masks) -> None:
    data = data_of(masks, Standardised.of(network(masks, 3)).values)
    trees = BoostedTrees().together(data)
    assert trees.many is not None
    one = ProxyData(masks, data.values[:, [2]], data.noise, data.rng, data.device, outputs=(2,))
    for place, found in enumerate(trees.surrogates(one, [])):
        assert_array_equal(found.left_out[:, 0], trees.many.held_out[place, :, 2])
        part = found.parts[0][0]
        assert_allclose(part(masks), trees.many.spectra()[2][place](masks))


def test_one_output_and_many_players_are_left_to_lightgbm(masks: Masks, rng: np.random.Generator) -> None:
    assert BoostedTrees().together(data_of(masks, network(masks, 1))).many is None
    many = rng.random((40, 11)) < 0.5
    assert BoostedTrees().together(data_of(many, network(many, 2))).many is None


def test_trees_of_very_many_leaves_are_left_to_lightgbm() -> None:
    masks = all_masks(8)
    data = data_of(masks, network(masks, 2))
    for leaves, is_together in ((128, True), (129, False)):
        assert (BoostedTrees(n_trees=2, max_depth=10, num_leaves=leaves).together(data).many is not None) == is_together
