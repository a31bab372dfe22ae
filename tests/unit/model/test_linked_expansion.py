"""Games behind a link: exact where they are tabulated, near where they are sampled."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.arrays import Floats
from captum_spex.indices import NAMES, Index, resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import (
    GameModel,
    KernelExpansion,
    Link,
    LinkedExpansion,
    ProductKernel,
    Residuals,
    Spectrum,
)
from captum_spex.player_sets import PlayerSets

GRID = np.linspace(-8, 8, 512)
SIGMOID = Link(GRID, 1 / (1 + np.exp(-1.5 * GRID)))
STEEP = Link(GRID, np.tanh(6 * GRID))
LINEAR = Link(np.array([-200.0, 200.0]), np.array([-399.0, 401.0]))  # 2 z + 1


def random_part(
    n: int, seed: int, link: Link = SIGMOID, *, null: tuple[int, ...] = (), ends: bool = False
) -> LinkedExpansion:
    rng = np.random.default_rng(seed)
    decays, slopes = rng.exponential(size=n) * 3 / n, rng.normal(size=n) / np.sqrt(n)
    decays[list(null)], slopes[list(null)] = 0.0, 0.0
    kernels = [ProductKernel(1.0, decays), ProductKernel(0.5, 3 * decays)]
    masks = rng.random((30, n)) < 0.5
    if ends:
        kernels += [ProductKernel(1.0, decays, from_empty=0.7), ProductKernel(1.0, decays, from_full=1.1)]
        single = np.eye(n, dtype=bool)
        masks = np.concatenate([masks, single, ~single])
    kernel = KernelExpansion(masks, 0.3 * rng.normal(size=len(masks)), tuple(kernels))
    return LinkedExpansion(Spectrum(PlayerSets.all_of_order(1, n), slopes), kernel, link, weight=1.7)


def sets_up_to(top: int, n: int) -> PlayerSets:
    return PlayerSets.concatenate([PlayerSets.all_of_order(order, n) for order in range(1, top + 1)])


def exact_indices(part: LinkedExpansion, index: Index, sets: PlayerSets) -> Floats:
    masks = all_masks(part.n_players)
    return Residuals(masks, part(masks)).index_at(index, sets)


def relative_rms(estimate: Floats, truth: Floats) -> float:
    return float(np.sqrt(((estimate - truth) ** 2).mean() / (truth**2).mean()))


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every linked game is sampled, however few its players."""
    monkeypatch.setattr(LinkedExpansion, "limits", replace(LinkedExpansion.limits, enumerated_players=0))


# --- values and tables ------------------------------------------------------------------------------------------------


def test_the_link_is_linear_between_knots_and_constant_outside() -> None:
    link = Link(np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0, 2.5]))
    assert_allclose(link(np.array([[-5.0, 0.0, 0.5], [2.0, 3.0, 9.0]])), [[1.0, 1.0, 1.5], [2.25, 2.5, 2.5]])


def test_values_are_the_link_of_the_latent_game() -> None:
    part, masks = random_part(5, 0), all_masks(5)
    latent = [part.linear([mask])[0] + part.kernel(mask[None])[0] for mask in masks]
    assert_allclose(part(masks), [1.7 * np.interp(z, GRID, SIGMOID.values) for z in latent], rtol=1e-12)
    assert_allclose(part.scaled(-2.0)(masks), -2 * part(masks), rtol=1e-12)


@pytest.mark.parametrize("name", [*NAMES, "BII(p=0.3)"])
def test_few_players_are_exact(name: str) -> None:
    part, index = random_part(7, 1), resolve_index(name, 3, 7)
    masks = all_masks(7)
    sets, table = sets_up_to(index.max_order, 7), Residuals(masks, part(masks))
    assert_allclose(part.index_at(index, sets), table.index_at(index, sets), rtol=0, atol=1e-13)
    assert_allclose(part.baseline(index), table.baseline(index), rtol=0, atol=1e-13)


def test_sixteen_players_are_tabulated_and_seventeen_are_not() -> None:
    assert random_part(16, 0)._table is not None
    assert random_part(17, 0)._table is None


# --- sampling ---------------------------------------------------------------------------------------------------------

LARGEST_ERROR = {"SII": 0.05, "k-SII": 0.05, "STII": 0.05, "CHII": 0.05, "FSII": 0.08, "BII": 0.1, "FBII": 0.1}


@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize("name", LARGEST_ERROR)
@pytest.mark.usefixtures("sampled")
@pytest.mark.parametrize("ends", [False, True])
def test_sampled_indices_are_near_the_exact_ones(name: str, top: int, ends: bool) -> None:
    n = 10
    part, index, sets = random_part(n, 2, ends=ends), resolve_index(name, top, n), sets_up_to(top, n)
    estimate, truth = part.index_at(index, sets), exact_indices(part, index, sets)
    for order in range(1, top + 1):
        chosen = sets.orders == order
        assert relative_rms(estimate[chosen], truth[chosen]) < LARGEST_ERROR[name]


@pytest.mark.parametrize("n", [17, 50, 100])
def test_players_are_drawn_independently(n: int) -> None:
    present = random_part(n, 0)._uniform(n * (n - 1) // 2, 2) < 0.5
    correlations = np.corrcoef(present.T) - np.eye(n)
    assert len(present) > 64
    assert np.abs(correlations).max() < 6 / np.sqrt(len(present) / 2)  # a draw and its reflection say the same
    assert len(np.unique(present, axis=0)) > 0.99 * len(present)


@pytest.mark.parametrize("name", ["Moebius", "Co-Moebius"])
@pytest.mark.usefixtures("sampled")
def test_differences_at_the_ends_are_exact(name: str) -> None:
    part, index, sets = random_part(9, 3), resolve_index(name, 3, 9), sets_up_to(3, 9)
    truth = exact_indices(part, index, sets)
    assert_allclose(part.index_at(index, sets), truth, rtol=0, atol=1e-8 * np.abs(truth).max())


@pytest.mark.parametrize("name", ["SII", "BII", "FSII", "Moebius", "Fourier", "CHII"])
@pytest.mark.usefixtures("sampled")
def test_a_linear_link_is_exact(name: str) -> None:
    part, index, sets = random_part(9, 4, LINEAR), resolve_index(name, 3, 9), sets_up_to(3, 9)
    truth = exact_indices(part, index, sets)
    assert_allclose(part.index_at(index, sets), truth, rtol=0, atol=1e-9 * np.abs(truth).max())


@pytest.mark.parametrize("name", ["SII", "k-SII", "FSII", "FBII", "STII", "Moebius", "Co-Moebius", "Fourier"])
@pytest.mark.usefixtures("sampled")
def test_null_players_get_exactly_zero(name: str) -> None:
    part, index, sets = random_part(9, 5, null=(2, 7)), resolve_index(name, 2, 9), sets_up_to(2, 9)
    null = np.array([bool({2, 7} & set(players)) for players in sets.tuples()])
    values = part.index_at(index, sets)
    assert (values[null] == 0).all()
    assert (values[~null] != 0).all()


@given(seed=st.integers(0, 1000), n=st.integers(17, 24))
def test_shapley_values_sum_to_the_rise(seed: int, n: int) -> None:
    part = random_part(n, seed, STEEP)
    values = part.index_at(resolve_index("SII", 2, n), sets_up_to(1, n))
    ends = part(np.repeat([[True], [False]], n, axis=1))
    assert_allclose(values.sum(), ends[0] - ends[1], atol=1e-10)


@pytest.mark.parametrize(("name", "order"), [("k-SII", 2), ("k-SII", 3), ("STII", 2), ("FSII", 2), ("FSII", 3)])
def test_terms_of_indices_that_add_up_sum_to_the_rise(name: str, order: int) -> None:
    """What averages over coalitions leave open is spread by size: null players keep 0, values stay near the truth."""
    part = random_part(17, 5, null=(2, 7))
    terms = GameModel((part,)).index_terms(resolve_index(name, order, 17))
    ends = part(np.repeat([[True], [False]], 17, axis=1))
    assert_allclose(terms.values.sum(), ends[0] - ends[1], atol=1e-10)
    masks = all_masks(17)
    truth = Residuals(masks, part(masks)).index_at(terms.resolved_index, terms.sets)
    assert np.linalg.norm(terms.values - truth) < 0.1 * np.linalg.norm(truth)
    assert not terms.values[[bool({2, 7} & set(players)) for players in terms.sets.tuples()]].any()


def test_the_sum_to_the_rise_survives_orders_and_weights() -> None:
    part = random_part(20, 6)
    index = resolve_index("SII", 2, 20)
    singles = GameModel((part,)).index_terms(index).top(1000, order=1)
    ends = part(np.repeat([[True], [False]], 20, axis=1))
    assert_allclose(sum(singles.values()), ends[0] - ends[1], atol=1e-10)
    assert_allclose(part.scaled(-3.0).index_at(index, sets_up_to(2, 20)), -3 * part.index_at(index, sets_up_to(2, 20)))


def test_a_weight_of_zero_is_the_zero_game() -> None:
    part = random_part(18, 6).scaled(0.0)
    assert_array_equal(part.index_at(resolve_index("SII", 1, 18), sets_up_to(1, 18)), np.zeros(18))


def test_the_same_numbers_every_time() -> None:
    index, sets = resolve_index("k-SII", 2, 18), sets_up_to(2, 18)
    assert_array_equal(random_part(18, 7).index_at(index, sets), random_part(18, 7).index_at(index, sets))


@pytest.mark.parametrize("name", ["k-SII", "FBII"])
@pytest.mark.usefixtures("sampled")
def test_derivatives_by_a_polynomial_through_the_nodes(name: str) -> None:
    part, index, sets = random_part(10, 8), resolve_index(name, 2, 10), sets_up_to(2, 10)
    part.limits = replace(part.limits, most_supersets=0)
    assert relative_rms(part.index_at(index, sets), exact_indices(part, index, sets)) < 0.1


@pytest.mark.usefixtures("sampled")
def test_indices_do_not_depend_on_the_size_of_a_block() -> None:
    part, index, sets = random_part(9, 9), resolve_index("SII", 3, 9), sets_up_to(3, 9)
    full = part.index_at(index, sets)
    part.limits = replace(part.limits, cells=1)
    assert_allclose(part.index_at(index, sets), full, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["SII", "FBII", "Fourier", "Co-Moebius"])
@pytest.mark.usefixtures("sampled")
def test_sampled_baselines(name: str) -> None:
    part, index, masks = random_part(10, 10), resolve_index(name, 2, 10), all_masks(10)
    truth = Residuals(masks, part(masks)).baseline(index)
    assert_allclose(part.baseline(index), truth, atol=0.05 * part(masks).std())


# --- Fourier terms, JSON ----------------------------------------------------------------------------------------------


def test_all_fourier_terms_of_few_players() -> None:
    part = random_part(8, 11)
    assert_allclose(part.largest_terms(256)(all_masks(8)), part(all_masks(8)), atol=1e-12)


def test_the_largest_terms_of_many_players_predict_nearly_as_well() -> None:
    part = random_part(20, 12)
    masks = np.random.default_rng(1).random((2000, 20)) < 0.5
    truth, predicted = part(masks), part.largest_terms(1000)(masks)
    assert ((truth - predicted) ** 2).mean() < 0.05 * truth.var()


def test_candidates_are_pairs_of_the_latent_game() -> None:
    found = random_part(18, 13).candidates(2)
    assert set(found.orders.tolist()) == {1, 2}


@pytest.mark.parametrize("n", [6, 20])
def test_json_keeps_every_digit(n: int) -> None:
    part = random_part(n, 14)
    again = LinkedExpansion.from_dict(json.loads(json.dumps(part.to_dict())))
    masks = np.random.default_rng(0).random((50, n)) < 0.5
    assert_array_equal(again(masks), part(masks))
    index, sets = resolve_index("SII", 2, n), sets_up_to(2, n)
    assert_array_equal(again.index_at(index, sets), part.index_at(index, sets))


def test_slopes_are_those_of_the_link() -> None:
    part, masks = random_part(5, 3), all_masks(5)
    latents = part.linear(masks) + part.kernel(masks)
    rise = (SIGMOID(latents + 1e-2) - SIGMOID(latents - 1e-2)) / 2e-2
    assert_allclose(part.slopes(masks), 1.7 * rise, rtol=1e-2)
