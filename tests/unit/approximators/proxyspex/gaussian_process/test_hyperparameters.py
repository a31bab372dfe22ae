"""The kernel and the search for its hyper-parameters, against slow twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gaussian_processes import (
    DOUBLE,
    entry_by_entry,
    flattened,
    random_hyper,
    random_masks,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    TermPrior,
    signs_of,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import (
    Hyperparameters,
    evidence_gradient,
    factorised,
    in_order_of_size,
    inverse_of,
    maximise_evidence,
    prior_gradient,
)
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.masks import Masks, all_masks
from captum_spex.player_sets import PlayerSets


def objective(flat: torch.Tensor, start: Hyperparameters, masks: Masks, y: torch.Tensor) -> torch.Tensor:
    """Mean negative log evidence of an output, minus the log-prior, from the definitions."""
    n = masks.shape[1]
    shared, decays, linear = flat[:9], flat[9 : 9 + n], flat[9 + n :]
    a1, a2, g, nugget, empty, full, h, from_empty, from_full = shared.exp()
    differ = torch.from_numpy((masks[:, None] != masks).astype(float))
    distance = differ @ decays.exp()
    total = a1 * torch.exp(-distance) + a2 * torch.exp(-g * distance) + (1 - 2 * differ) @ linear.exp()
    present = torch.from_numpy(masks.sum(axis=1).astype(float))
    for amplitude, rate, sizes in ((empty, from_empty, present), (full, from_full, n - present)):
        total = total + amplitude * torch.exp(-h * distance - rate * (sizes[:, None] + sizes))
    total = total + (nugget + 1e-4) * torch.eye(len(masks), dtype=flat.dtype)
    fit = torch.einsum("ti,tu,ui->", y, torch.linalg.inv(total), y) / y.shape[1]
    value = (torch.logdet(total) + fit) / 2
    means, deviations = (torch.tensor(some, dtype=flat.dtype) for some in (SETTINGS.end_means, SETTINGS.end_deviations))
    value = value + ((shared[4:] - means) ** 2 / deviations**2).sum() / 2
    for now, first in ((decays, start.decays), (linear, start.linear)):
        value = value + ((now - now.mean()) ** 2).sum() / 2 / 1.5**2 + (now.mean() - first.mean()) ** 2 / 2 / 3.0**2
    return value


@given(n=st.integers(1, 5), seed=st.integers(0, 100), n_outputs=st.integers(1, 3))
def test_the_kernel_is_its_formula(n: int, seed: int, n_outputs: int) -> None:
    hyper, masks = random_hyper(n, seed), all_masks(n)
    signs = signs_of(masks, DOUBLE)
    assert_allclose(hyper.kernel(signs, signs[:n_outputs]), entry_by_entry(hyper, masks, masks[:n_outputs]), rtol=1e-12)


@given(n=st.integers(1, 8), seed=st.integers(0, 100), n_outputs=st.integers(1, 3))
def test_the_gradient_is_that_of_automatic_differentiation(n: int, seed: int, n_outputs: int) -> None:
    masks, now, start = random_masks(25, n, seed), random_hyper(n, seed), random_hyper(n, seed + 1)
    masks = masks[in_order_of_size(signs_of(masks, DOUBLE)).numpy()]
    y = torch.from_numpy(np.random.default_rng(seed).normal(size=(len(masks), n_outputs)))
    flat = flattened(now).requires_grad_(True)
    objective(flat, start, masks, y).backward()
    ours = evidence_gradient(now, signs_of(masks, DOUBLE), y, None) + prior_gradient(now, start)
    assert flat.grad is not None
    assert_allclose(ours, flat.grad, rtol=1e-8, atol=1e-9)


def test_the_gradient_knows_a_further_covariance() -> None:
    masks, hyper, y = random_masks(20, 5, 0), random_hyper(5, 0), torch.ones((20, 1), dtype=torch.float64)
    masks = masks[in_order_of_size(signs_of(masks, DOUBLE)).numpy()]
    signs, step = signs_of(masks, DOUBLE), 1e-6
    extra = TermPrior(PlayerSets.from_sets([(0, 1)], 5), np.array([0.5])).covariance(masks, masks, DOUBLE)

    def value(nugget: float) -> float:
        total = hyper.kernel(signs, signs) + extra + (np.exp(nugget) + 1e-4) * torch.eye(20, dtype=torch.float64)
        return float((torch.logdet(total) + (y.T @ torch.linalg.solve(total, y))[0, 0]) / 2)

    at = float(hyper.shared[3])
    numeric = (value(at + step) - value(at - step)) / (2 * step)
    assert_allclose(evidence_gradient(hyper, signs, y, extra)[3], numeric, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_search_raises_the_objective(seed: int) -> None:
    masks = random_masks(80, 8, seed)
    values = 1.0 * masks[:, 0] + masks[:, 1] * masks[:, 2] + 0.1 * np.random.default_rng(seed).normal(size=len(masks))
    y = torch.from_numpy((values - values.mean()) / values.std())[:, None]
    signs = signs_of(masks, DOUBLE)
    start = Hyperparameters.initial(signs, y)
    found = maximise_evidence(start, signs, y, n_steps=40, learning_rate=0.15)
    assert objective(flattened(found), start, masks, y) < objective(flattened(start), start, masks, y) - 5
    assert set(found.decays.argsort(descending=True)[:2].tolist()) == {1, 2}  # 0 is linear, the others do nothing


def test_the_search_takes_nothing_from_chance_and_leaves_its_start() -> None:
    masks = random_masks(40, 6, 0)
    signs, y = signs_of(masks, DOUBLE).float(), torch.from_numpy(1.0 * masks[:, :1]).float()
    start = Hyperparameters.initial(signs, y)
    before = flattened(start).clone()
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        found.append(flattened(maximise_evidence(start, signs, y, n_steps=10, learning_rate=0.15)))
        assert_array_equal(torch.get_rng_state(), state)
    assert_array_equal(found[0], found[1])
    assert_array_equal(flattened(start), before)


def test_steps_may_look_at_other_masks_each() -> None:
    masks, extra = random_masks(60, 6, 0), torch.eye(52)
    signs, y = signs_of(masks, DOUBLE).float(), torch.from_numpy(1.0 * masks[:, :1]).float()
    start = Hyperparameters.initial(signs, y)

    def found(draws: list[torch.Tensor] | None) -> torch.Tensor:
        return flattened(maximise_evidence(start, signs, y, n_steps=4, learning_rate=0.15, extra=extra, draws=draws))

    everything = [torch.arange(len(masks))] * 4
    assert_array_equal(found(everything), found(None))
    assert_array_equal(found([rows.flip(0) for rows in everything]), found(None))
    # One step at some of the masks is the step that these alone would take.
    rows = torch.arange(0, len(masks), 2)
    settings: dict[str, Any] = {"n_steps": 1, "learning_rate": 0.15}
    some = maximise_evidence(start, signs[rows], y[rows], extra=extra[rows][:, rows], **settings)
    assert_array_equal(
        flattened(maximise_evidence(start, signs, y, extra=extra, draws=[rows], **settings)), flattened(some)
    )


def awkward_masks(kind: str) -> Masks:
    masks = random_masks(60, 7, 0)
    if kind == "duplicate players":
        masks[:, 3] = masks[:, 2]
    if kind == "players that never vary":
        masks[:, 3], masks[:, 4] = True, False
    return masks[:17] if kind == "few masks" else masks


@pytest.mark.parametrize("kind", ["duplicate players", "players that never vary", "few masks", "constant values"])
def test_awkward_masks_and_values_are_safe(kind: str) -> None:
    masks = awkward_masks(kind)
    values = np.zeros(len(masks)) if kind == "constant values" else masks[:, 2] + 1.0 * masks[:, 0] * masks[:, 1]
    for precision in (torch.float32, torch.float64):
        signs, y = signs_of(masks, DOUBLE).to(precision), torch.from_numpy(values[:, None]).to(precision)
        start = Hyperparameters.initial(signs, y)
        found = maximise_evidence(start, signs, y, n_steps=60, learning_rate=0.3)
        assert flattened(found).isfinite().all()


def test_an_end_where_values_vary_more_starts_with_half_of_their_variance() -> None:
    n, rng = 20, np.random.default_rng(0)
    masks = np.concatenate([np.eye(n, dtype=bool), ~np.eye(n, dtype=bool), rng.random((200, n)) < 0.5])
    usual, values = SETTINGS.end_means[:2], rng.normal(size=(len(masks), 1))
    values[n : 2 * n] /= 10
    alike = Hyperparameters.initial(signs_of(masks, DOUBLE), torch.from_numpy(values / 10 + masks[:, :1]))
    assert alike.shared[4:6].tolist() == list(usual)  # at both ends they vary less than in the middle
    values[:n] *= 5
    start = Hyperparameters.initial(signs_of(masks, DOUBLE), torch.from_numpy(values)).shared.tolist()
    assert start[4:6] == pytest.approx([np.log(values[:n].var() / 2), usual[1]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_inverse_is_that_of_torch(dtype: torch.dtype) -> None:
    columns = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 30))).to(dtype)
    covariance = columns @ columns.T + torch.eye(40, dtype=dtype)
    before = covariance.clone()
    found = inverse_of(covariance)
    assert_allclose(found, torch.linalg.inv(before), atol=1e-5)
    assert_array_equal(found, found.T)
    assert_array_equal(covariance, before)
    spoilt = columns @ columns.T - 1e-3 * torch.eye(40, dtype=dtype)  # rounding makes it indefinite
    assert torch.isfinite(inverse_of(spoilt)).all()


def test_a_covariance_spoilt_by_rounding_is_factorised() -> None:
    column = torch.linspace(-1, 1, 30, dtype=torch.float32)[:, None]
    factor = factorised(column @ column.T)
    assert_allclose(factor @ factor.T, column @ column.T, atol=1e-3)


def test_a_matrix_that_is_not_a_covariance_is_refused() -> None:
    with pytest.raises(FloatingPointError, match="could not be factorised"):
        factorised(torch.tensor([[1.0, 50.0], [50.0, 1.0]]))
