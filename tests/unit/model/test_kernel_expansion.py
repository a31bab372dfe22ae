"""Kernel expansions: values by a double loop, indices against a table of all masks, Fourier terms, edge cases."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.indices import NAMES, resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import GameModel, KernelExpansion, ProductKernel, Residuals, Spectrum
from captum_spex.model.part import Part

EVERY_NAME = (*NAMES, "BII(p=0.3)")


def random_part(
    n: int, seed: int, *, n_centers: int = 6, decay: float = 1.0, n_kernels: int = 2, ends: bool = True
) -> KernelExpansion:
    rng = np.random.default_rng(seed)
    masks = rng.random((n_centers, n)) < 0.5
    kernels = [ProductKernel(rng.uniform(0.5, 2), decay * rng.exponential(size=n)) for _ in range(n_kernels)]
    if ends:
        kernels += [ProductKernel(1.5, 0.5 * kernels[0].decays, *rates) for rates in ((0.6, 0.0), (0.0, 1.1))]
    return KernelExpansion(masks, rng.normal(size=n_centers), tuple(kernels))


def tabulated(part: Part) -> GameModel:
    masks = all_masks(part.n_players)
    return GameModel((Residuals(masks, part(masks)),))


def assert_same_indices(part: Part, name: str, top: int, *, tolerance: float = 1e-10) -> None:
    index = resolve_index(name, top, part.n_players)
    model, table = GameModel((part,)).index_terms(index), tabulated(part).index_terms(index)
    size = max(abs(value) for value in [*table.values, table.baseline])
    assert set(model) == set(table)
    # The closed form, and what a model of few players makes of it: its values at all masks.
    for ours in (part.index_at(index, table.sets), [model[players] for players in table]):
        assert_allclose(ours, table.values, rtol=0, atol=tolerance * size)
    assert_allclose([part.baseline(index), model.baseline], table.baseline, rtol=0, atol=tolerance * size)


# --- values -----------------------------------------------------------------------------------------------------------


def by_double_loop(part: KernelExpansion, mask: np.ndarray) -> float:
    total = 0.0
    for center, weight in zip(part.masks, part.weights, strict=True):
        for kernel in part.kernels:
            distance = sum(w for w, a, b in zip(kernel.decays, mask, center, strict=True) if a != b)
            distance += kernel.from_empty * (mask.sum() + center.sum())
            distance += kernel.from_full * ((~mask).sum() + (~center).sum())
            total += weight * kernel.amplitude * exp(-distance)
    return total


@given(n=st.integers(1, 6), seed=st.integers(0, 1000))
def test_values_are_the_sum_over_centers_and_kernels(n: int, seed: int) -> None:
    part = random_part(n, seed)
    masks = all_masks(n)
    assert_allclose(part(masks), [by_double_loop(part, mask) for mask in masks], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_values_of_all_masks(n: int) -> None:
    part = random_part(n, n)
    assert_allclose(part.of_all_masks(), part(all_masks(n)), rtol=0, atol=1e-13)


def test_values_of_all_masks_do_not_depend_on_null_players() -> None:
    decays = np.array([0.7, 0.0, 1.2, 0.4, 0.0, 0.3, 2.0, 0.0, 0.9, 0.5, 0.6, 1.0])
    masks = np.random.default_rng(0).random((300, 12)) < 0.5
    weights = np.random.default_rng(1).normal(size=300)
    values = KernelExpansion(masks, weights, (ProductKernel(1.0, decays),)).of_all_masks()
    codes = np.arange(1 << 12)
    for player in np.flatnonzero(decays == 0):
        assert_array_equal(values, values[codes ^ (1 << player)])


def test_values_do_not_depend_on_the_size_of_a_block() -> None:
    part, masks = random_part(7, 0), all_masks(7)
    full = part(masks)
    part.limits = replace(part.limits, cells=20)
    assert_allclose(part(masks), full, rtol=1e-14)


# --- indices ----------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize("top", [1, 2, 3, 4])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_every_index_equals_that_of_the_table_of_values(name: str, top: int, n: int) -> None:
    assert_same_indices(random_part(n, seed=10 * n + top), name, top)


@given(
    n=st.integers(2, 6),
    seed=st.integers(0, 1000),
    top=st.integers(1, 4),
    name=st.sampled_from(EVERY_NAME),
    n_centers=st.integers(1, 20),
)
def test_every_index_of_random_expansions(n: int, seed: int, top: int, name: str, n_centers: int) -> None:
    assert_same_indices(random_part(n, seed, n_centers=n_centers), name, min(top, n), tolerance=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("name", EVERY_NAME)
@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_players(name: str, n: int) -> None:
    for top in range(1, n + 1):
        assert_same_indices(random_part(n, seed=n), name, top)


@pytest.mark.parametrize("name", EVERY_NAME)
def test_players_without_decay_are_null_players(name: str) -> None:
    part = random_part(6, 0, ends=False)  # a kernel that fades from an end counts all players
    for kernel in part.kernels:
        kernel.decays[[1, 4]] = 0.0
    assert_same_indices(part, name, 3)
    terms = GameModel((part,)).index_terms(resolve_index(name, 3, 6))
    assert all(terms[players] == 0.0 for players in terms if {1, 4} & set(players))


@pytest.mark.parametrize("name", EVERY_NAME)
def test_strong_decays(name: str) -> None:
    assert_same_indices(random_part(5, 3, decay=3.0), name, 3, tolerance=1e-7)


@pytest.mark.parametrize("name", [name for name in EVERY_NAME if name != "k-SII"])
def test_decays_that_make_every_center_a_point(name: str) -> None:
    rng = np.random.default_rng(0)
    kernel = ProductKernel(1.5, np.full(5, 40.0))
    assert_same_indices(KernelExpansion(rng.random((6, 5)) < 0.5, rng.normal(size=6), (kernel,)), name, 3)


def test_derivatives_under_large_decays() -> None:
    rng = np.random.default_rng(0)
    kernel = ProductKernel(1.5, np.full(5, 40.0))
    assert_same_indices(KernelExpansion(rng.random((6, 5)) < 0.5, rng.normal(size=6), (kernel,)), "k-SII", 3)


@pytest.mark.parametrize("name", ["SII", "Moebius", "Co-Moebius", "k-SII"])
def test_decays_beyond_the_range_of_exponentials(name: str) -> None:
    rng = np.random.default_rng(0)
    kernel = ProductKernel(1.5, np.full(5, 800.0))
    assert_same_indices(KernelExpansion(rng.random((6, 5)) < 0.5, rng.normal(size=6), (kernel,)), name, 3)


def test_indices_are_linear_in_the_weights() -> None:
    part, index = random_part(6, 5), resolve_index("FSII", 3, 6)
    one, tripled = GameModel((part,)).index_terms(index), GameModel((part.scaled(-3.0),)).index_terms(index)
    assert_allclose([tripled[players] for players in one], -3 * one.values, rtol=1e-12)
    assert_allclose(part.scaled(-3.0)(all_masks(6)), -3 * part(all_masks(6)), rtol=1e-12)


def test_shapley_values_of_many_players_sum_to_the_rise() -> None:
    part = random_part(200, 8, n_centers=30, decay=0.05)
    values = GameModel((part,)).index_terms(resolve_index("SV", 1, 200)).values
    ends = part(np.repeat([[True], [False]], 200, axis=1))
    assert_allclose(values.sum(), ends[0] - ends[1], rtol=1e-10)


def test_pairs_one_by_one_are_those_of_the_matrix_product() -> None:
    part, index = random_part(60, 9, decay=0.1), resolve_index("SII", 2, 60)
    every = GameModel((part,)).index_terms(index)
    chosen = every.sets.take(np.flatnonzero(every.orders == 2)[:5])
    assert_allclose(part.index_at(index, chosen), [every[players] for players in chosen.tuples()], rtol=1e-10)


# --- Fourier terms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_all_fourier_terms(n: int) -> None:
    part = random_part(n, n)
    ours, expected = part.largest_terms(2**n), Spectrum.from_values(part(all_masks(n)), n)
    assert len(ours) == 2**n
    assert_allclose([ours[players] for players in expected], expected.values, atol=1e-12 * np.abs(expected.values[0]))


def test_the_largest_fourier_terms_come_first() -> None:
    part = random_part(8, 1, decay=0.5)
    expected = Spectrum.from_values(part(all_masks(8)), 8)
    assert list(part.largest_terms(30)) == list(expected.largest_terms(30))


def test_nearly_all_energy_is_in_the_largest_terms_of_many_players() -> None:
    part = random_part(40, 2, decay=0.1)
    masks = np.random.default_rng(0).random((500, 40)) < 0.5
    truth, predicted = part(masks), part.largest_terms(3000)(masks)
    assert ((truth - predicted) ** 2).mean() < 0.02 * truth.var()


def test_candidates_are_the_sets_below_large_terms() -> None:
    found = random_part(5, 0).candidates(2)
    assert sorted(found.tuples()) == sorted(GameModel((random_part(5, 0),)).index_terms(resolve_index("SII", 2, 5)))


@pytest.mark.parametrize("case", ["no decays", "one decay", "no weight"])
def test_fourier_terms_of_an_expansion_with_few_of_them(case: str) -> None:
    decays = np.array([0.0 if case == "no decays" else 1.0, 0.0, 0.0, 0.0])
    masks = np.random.default_rng(0).random((3, 4)) < 0.5
    part = KernelExpansion(masks, np.zeros(3) if case == "no weight" else np.ones(3), (ProductKernel(1.0, decays),))
    assert_allclose(part.largest_terms(16)(all_masks(4)), part(all_masks(4)), atol=1e-12)


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 9, 70])
def test_json_keeps_every_digit(n: int) -> None:
    part = random_part(n, n, decay=0.2)
    again = KernelExpansion.from_dict(json.loads(json.dumps(part.to_dict())))
    masks = np.random.default_rng(0).random((20, n)) < 0.5
    assert_array_equal(again.masks, part.masks)
    assert_array_equal(again(masks), part(masks))
