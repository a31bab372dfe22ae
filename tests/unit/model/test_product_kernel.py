"""The product kernel, its means over random coalitions and its values after flips, by sums over all masks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.fourier import signs
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import ProductKernel
from captum_spex.model.product_kernel import LARGEST_DECAY

KERNELS = [
    ProductKernel(1.3, np.array([0.2, 1.5, 0.7])),
    ProductKernel(1.3, np.array([0.2, 1.5, 0.7]), from_empty=0.4),
    ProductKernel(0.8, np.array([0.0, 0.5, 2.0]), from_full=0.9),
]


def test_a_kernel_that_fades_is_its_formula() -> None:
    masks, decays = all_masks(3), np.array([0.2, 1.5, 0.7])
    for rates in ((0.4, 0.0), (0.0, 0.9), (0.2, 0.3)):
        kernel = ProductKernel(1.3, decays, *rates)
        for row, mask in zip(kernel.between(masks, masks), masks, strict=True):
            for value, other in zip(row, masks, strict=True):
                present, absent = mask.sum() + other.sum(), (~mask).sum() + (~other).sum()
                expected = 1.3 * np.exp(-decays[mask != other].sum() - rates[0] * present - rates[1] * absent)
                assert_allclose(value, expected, rtol=1e-12)
        assert np.linalg.eigvalsh(kernel.between(masks, masks)).min() > 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["SV", "CHII", "FSII"])
def test_its_rule_integrates_its_factors(kernel: ProductKernel, name: str) -> None:
    functional, masks = resolve_index(name, 1, 3).functional(1), all_masks(3)
    exact = np.polynomial.polynomial.polyint([float(one) for one in functional.density])
    assert functional.density
    rule = kernel.rule(functional, 20)
    # The integral of the density itself, in x = 1 - 2 p, from p = 0 to p = 1.
    expected = (np.polynomial.polynomial.polyval(1.0, exact) - np.polynomial.polynomial.polyval(-1.0, exact)) / 2
    assert_allclose(sum(weight for _, weight in rule), expected, rtol=1e-9)
    finer = kernel.rule(functional, 60)
    means = [sum(weight * kernel.factors(masks, p)[0] for p, weight in one) for one in (rule, finer)]
    assert_allclose(means[0], means[1], rtol=1e-9)


def test_a_mask_between_itself_has_the_amplitude() -> None:
    masks = all_masks(4)
    kernel = ProductKernel(1.7, np.array([0.1, 1.0, 3.0, 0.0]))
    assert_allclose(kernel.between(masks, masks).diagonal(), 1.7)
    assert_allclose(kernel.between(masks, masks), kernel.between(masks, masks).T)
    assert_allclose(kernel.factors(masks, 0.5)[0], kernel.between(masks, masks).mean(axis=0))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_factors_are_the_mean_over_random_coalitions_and_its_derivatives(p: float, kernel: ProductKernel) -> None:
    masks = all_masks(3)
    odds = np.prod(np.where(masks, p, 1 - p), axis=1)
    factor, ratios = kernel.factors(masks, p)
    assert_allclose(factor, odds @ kernel.between(masks, masks), rtol=1e-13)
    for player in range(3):
        rest = np.prod(np.where(masks, p, 1 - p)[:, [i for i in range(3) if i != player]], axis=1)
        rise = (np.where(masks[:, player], 1.0, -1.0) * rest) @ kernel.between(masks, masks)
        assert_allclose(factor * ratios[:, player], rise, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("p", "q"), [(0.0, 1.0), (0.3, 0.6), (0.5, 0.5)])
def test_mutual_factors_are_the_mean_over_two_random_coalitions(p: float, q: float, kernel: ProductKernel) -> None:
    masks = all_masks(3)
    gram = kernel.between(masks, masks)
    odds = [np.prod(np.where(masks, r, 1 - r), axis=1) for r in (p, q)]
    factor, ratios = kernel.mutual_factors(p, q)
    assert_allclose(factor, odds[0] @ gram @ odds[1], rtol=1e-13)
    for player in range(3):
        others = [i for i in range(3) if i != player]
        rises = [
            np.where(masks[:, player], 1.0, -1.0) * np.prod(np.where(masks, r, 1 - r)[:, others], axis=1)
            for r in (p, q)
        ]
        assert_allclose(factor * ratios[player], rises[0] @ gram @ rises[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.8)])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_sums_after_flips(order: int, rates: tuple[float, float], rng: np.random.Generator) -> None:
    kernel = ProductKernel(0.8, rng.exponential(size=5), *rates)
    masks, centers, alphas = rng.random((4, 5)) < 0.5, rng.random((6, 5)) < 0.5, rng.normal(size=6)
    sets = np.array([[4, 0, 2], [1, 2, 3]])[:, :order]
    found = kernel.flipped(kernel.between(masks, centers) * alphas, masks, signs(centers), sets)
    assert found.shape == (2**order, 2, 4)
    for flips in range(2**order):
        for place, players in enumerate(sets):
            turned = masks.copy()
            turned[:, [player for j, player in enumerate(players) if flips >> j & 1]] ^= True
            assert_allclose(found[flips, place], kernel.between(turned, centers) @ alphas, rtol=1e-10)


def test_the_ratio_of_a_fourier_coefficient() -> None:
    kernel, masks = ProductKernel(1.0, np.array([0.4, 2.0])), all_masks(2)
    values = kernel.between(masks, masks[:1])[:, 0]
    coefficient = float(values @ signs(masks)[:, 1]) / 4
    assert_allclose(coefficient, kernel.factors(masks[:1], 0.5)[0][0] * kernel.fourier_ratios[1], rtol=1e-12)


def test_large_decays_are_cut() -> None:
    assert_array_equal(ProductKernel(1.0, np.array([1.0, 1e9])).decays, [1.0, LARGEST_DECAY])


def test_json_keeps_every_digit() -> None:
    kernel = ProductKernel(1 / 3, np.array([0.1, 2 / 7]), from_empty=1 / 7)
    again = ProductKernel.from_dict(json.loads(json.dumps(kernel.to_dict())))
    assert again.amplitude == kernel.amplitude
    assert_array_equal(again.decays, kernel.decays)
    assert (again.from_empty, again.from_full) == (1 / 7, 0.0)


def test_a_kernel_saved_before_there_were_ends_is_read() -> None:
    assert ProductKernel.from_dict({"amplitude": 1.0, "decays": [0.5]}).is_stationary
