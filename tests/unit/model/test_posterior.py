"""Standard errors against the full covariance of all masks, conditioned and weighed by brute force."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.arrays import Floats
from captum_spex.indices import NAMES, Index, resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import GameModel, Posterior, ProductKernel, Residuals, Spectrum
from captum_spex.player_sets import PlayerSets

EVERY_NAME = (*NAMES, "BII(p=0.3)")
N = 6
EVERYTHING = np.arange(2**N)


def random_posterior(
    rows: np.ndarray, *, n: int = N, seed: int = 0, noise: float = 0.0, scale: float = 1.0, terms: bool = True
) -> Posterior:
    rng = np.random.default_rng(seed)
    near, far = rng.exponential(size=n), 2 * rng.exponential(size=n)
    planted = {(0, 2): 0.7, (1, 3, 4): 0.4, (2,): 0.2} if terms else {}
    return Posterior(
        masks=all_masks(n)[rows],
        kernels=(
            ProductKernel(0.8, near),
            ProductKernel(0.3, far),
            ProductKernel(0.6, near / 2, from_empty=0.7),
            ProductKernel(0.9, far / 2, from_full=0.5),
        ),
        linear=rng.exponential(size=n),
        terms=Spectrum.from_terms(planted, n),
        nugget=0.05,
        noise=noise * rng.random(len(rows)),
        scale=scale,
    )


def limited(process: Posterior, **changes: Any) -> Posterior:
    class Limited(Posterior):
        limits = replace(Posterior.limits, **changes)

    return Limited(*(getattr(process, one.name) for one in fields(process)))


def some_rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(2**N)[:count]


def sets_up_to(top: int, n: int = N) -> PlayerSets:
    return PlayerSets.concatenate([PlayerSets.all_of_order(order, n) for order in range(1, top + 1)])


def prior_covariance(process: Posterior) -> Floats:
    """The covariance of all masks, entry by entry, with the nugget."""
    masks = all_masks(process.n_players)
    total = np.zeros((len(masks), len(masks)))
    for a, left in enumerate(masks):
        for b, right in enumerate(masks):
            total[a, b] = sum(k.between(left[None], right[None])[0, 0] for k in process.kernels)
            total[a, b] += np.where(left == right, process.linear, -process.linear).sum()
            for players, variance in process.terms.items():
                total[a, b] += variance * (-1.0) ** int(left[list(players)].sum() + right[list(players)].sum())
    return total + process.nugget * np.eye(len(masks))


def by_brute_force(process: Posterior, prior: Floats, rows: np.ndarray, index: Index, sets: PlayerSets) -> Floats:
    given = prior[np.ix_(rows, rows)] + np.diag(process.noise)
    posterior = prior - prior[:, rows] @ np.linalg.solve(given, prior[rows])
    masks = all_masks(process.n_players)
    weights = np.stack([Residuals(masks, unit).index_at(index, sets) for unit in np.eye(len(masks))], axis=1)
    return process.scale * np.sqrt(np.maximum(np.einsum("st,tu,su->s", weights, posterior, weights), 0))


@pytest.mark.sampled
@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_standard_errors_of_every_index(name: str, top: int) -> None:
    rows = some_rows(20)
    process = random_posterior(rows, noise=0.1, scale=2.5)
    index = resolve_index(name, top, N)
    sets = sets_up_to(index.max_order)
    expected = by_brute_force(process, _PRIOR, rows, index, sets)
    assert_allclose(process.std_errors(index, sets), expected, rtol=1e-4, atol=1e-6)


@given(count=st.integers(1, 40), seed=st.integers(0, 100), name=st.sampled_from(EVERY_NAME), noise=st.booleans())
def test_standard_errors_after_any_evaluations(count: int, seed: int, name: str, noise: bool) -> None:
    rows = some_rows(count, seed)
    process = random_posterior(rows, noise=0.5 * noise)
    index = resolve_index(name, 2, N)
    sets = sets_up_to(index.max_order)
    expected = by_brute_force(process, _PRIOR, rows, index, sets)
    assert_allclose(process.std_errors(index, sets), expected, rtol=1e-4, atol=1e-3)  # the jitter, where all is known


@pytest.mark.sampled
@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_variances_before_any_evaluation(name: str, top: int) -> None:
    process, index = random_posterior(some_rows(1)), resolve_index(name, top, N)
    masks = all_masks(N)
    for order in range(1, index.max_order + 1):
        sets = PlayerSets.all_of_order(order, N)
        coalition = np.stack([Residuals(masks, unit).index_at(index, sets) for unit in np.eye(64)], axis=1)
        expected = np.einsum("st,tu,su->s", coalition, _PRIOR, coalition)
        assert_allclose(process.prior_variances(index, order, sets), expected, rtol=1e-8)
        assert_allclose(process.index_covariance(index, sets, masks), _PRIOR @ coalition.T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", EVERY_NAME)
def test_more_evaluations_never_make_errors_larger(name: str) -> None:
    index = resolve_index(name, 2, N)
    sets, before = sets_up_to(index.max_order), np.inf
    for count in (1, 5, 20, 50, 64):
        errors = random_posterior(some_rows(count)).std_errors(index, sets)
        assert (errors <= before + 1e-6).all()
        before = errors


@pytest.mark.parametrize("name", EVERY_NAME)
def test_nothing_is_unknown_once_every_mask_was_evaluated(name: str) -> None:
    index = resolve_index(name, 3, N)
    sets = sets_up_to(index.max_order)
    errors = random_posterior(EVERYTHING).std_errors(index, sets)
    before = [float(e) for e in random_posterior(some_rows(1)).std_errors(index, sets)]
    assert (errors <= 2e-3 * np.array(before)).all()


def test_a_model_of_every_mask_has_no_error_at_all() -> None:
    masks = all_masks(N)
    model = GameModel((Residuals(masks, np.arange(64.0)),), random_posterior(EVERYTHING))
    assert_array_equal(model.std_errors(resolve_index("SII", 2, N), sets_up_to(2)), np.zeros(21))
    assert GameModel(model.parts).std_errors(resolve_index("SII", 2, N), sets_up_to(2)) is not None
    assert GameModel((Spectrum.from_terms({(): 1.0}, N),)).std_errors(resolve_index("SII", 2, N), sets_up_to(2)) is None


def test_a_constant_game_has_no_error_at_all() -> None:
    model = GameModel.constant(1.5, N)
    assert_array_equal(model(all_masks(N)), np.full(64, 1.5))
    for one in (model, GameModel.from_dict(model.to_dict())):
        assert_array_equal(one.std_errors(resolve_index("SII", 2, N), sets_up_to(2)), np.zeros(21))


def test_restricted_to_fewer_masks() -> None:
    process, index, sets = random_posterior(some_rows(30), noise=0.2), resolve_index("SII", 2, N), sets_up_to(2)
    fewer = process.restricted(np.arange(10))
    assert_array_equal(fewer.masks, process.masks[:10])
    assert_array_equal(fewer.noise, process.noise[:10])
    assert (fewer.std_errors(index, sets) > process.std_errors(index, sets)).all()
    expected = by_brute_force(fewer, _PRIOR, some_rows(30)[:10], index, sets)
    assert_allclose(fewer.std_errors(index, sets), expected, rtol=1e-4, atol=1e-6)


def test_noise_makes_errors_larger() -> None:
    index, sets, rows = resolve_index("SII", 2, N), sets_up_to(2), some_rows(30)
    quiet, loud = (random_posterior(rows, noise=noise).std_errors(index, sets) for noise in (0.0, 1.0))
    assert (loud > quiet).all()


def test_weak_sets_use_fewer_masks_when_there_are_too_many() -> None:
    rng = np.random.default_rng(0)
    n, masks = 20, np.unique(rng.random((300, 20)) < 0.5, axis=0)
    process = Posterior(
        masks, (ProductKernel(1.0, np.full(n, 0.1)),), np.ones(n), Spectrum.from_terms({}, n), 0.1, np.zeros(len(masks))
    )
    index, sets = resolve_index("SII", 2, n), PlayerSets.all_of_order(2, n)
    full = process.std_errors(index, sets)
    cheap = limited(process, work=1e6, strongest=30).std_errors(index, sets)
    assert_allclose(cheap[:30], full[:30], rtol=1e-12)
    assert (cheap[30:] >= full[30:]).all()
    assert (cheap[30:] > full[30:]).any()


def test_errors_do_not_depend_on_the_size_of_a_block() -> None:
    process, index, sets = random_posterior(some_rows(20)), resolve_index("SII", 3, N), sets_up_to(3)
    full = process.std_errors(index, sets)
    assert_allclose(limited(process, cells=20).std_errors(index, sets), full, rtol=1e-10)


@pytest.mark.parametrize("terms", [True, False])
def test_json_keeps_every_digit(terms: bool) -> None:
    process = random_posterior(some_rows(20), noise=0.3, scale=1.5, terms=terms)
    again = Posterior.from_dict(json.loads(json.dumps(process.to_dict())))
    index, sets = resolve_index("FSII", 2, N), sets_up_to(2)
    assert_array_equal(again.std_errors(index, sets), process.std_errors(index, sets))


_PRIOR = prior_covariance(random_posterior(some_rows(1)))
