"""Conditioning a process on masks, against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gaussian_processes import (
    CPU,
    full_covariance,
    random_hyper,
    random_masks,
)
from numpy.testing import assert_allclose

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Conditioned,
    Process,
    Solver,
    TermPrior,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import (
    Hyperparameters,
)
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats
from captum_spex.masks import Masks, all_masks
from captum_spex.player_sets import PlayerSets


def process_on(n: int, seed: int = 0) -> Process:
    return Process(random_hyper(n, seed), TermPrior(PlayerSets.from_sets([(0, 1), (0, 2, 3)], n), np.array([0.5, 0.2])))


def mean_at(found: Conditioned, masks: Masks) -> Floats:
    return full_covariance(found.process, masks, found.centers) @ found.weights


def slow_mean(process: Process, masks: Masks, y: Floats, noise: Floats, at: Masks) -> Floats:
    total = full_covariance(process, masks, masks) + np.diag(process.hyper.nugget + noise + 1e-8)
    return full_covariance(process, at, masks) @ np.linalg.solve(total, y)


@pytest.fixture
def evaluated(rng: np.random.Generator) -> tuple[Masks, Floats, Floats]:
    masks = random_masks(40, 7, 1)[:37]  # the last complement is missing
    return masks, rng.normal(size=(37, 2)), rng.random(37)


def test_the_exact_mean_is_a_linear_solve(evaluated: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = evaluated
    process, other = process_on(7), random_masks(15, 7, 2)
    for there in (noise, np.zeros(37)):
        found = Solver(1000, 10, CPU)(process, masks, y, there)
        assert found.centers is masks
        assert_allclose(mean_at(found, other), slow_mean(process, masks, y, there, other), rtol=1e-7, atol=1e-9)


def test_left_out_is_what_remains_without_the_mask_and_its_complement(evaluated: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = evaluated
    process = process_on(7)
    found = Solver(1000, 10, CPU)(process, masks, y, noise)
    for row, mask in enumerate(masks):
        kept = (masks != mask).any(axis=1) & (masks == mask).any(axis=1)
        assert kept.sum() in (35, 36)
        expected = slow_mean(process, masks[kept], y[kept], noise[kept], mask[None])[0]
        assert_allclose(found.left_out[row], expected, rtol=1e-6, atol=1e-8)
        total = full_covariance(process, masks[kept], masks[kept]) + np.diag(process.hyper.nugget + noise[kept])
        cross = full_covariance(process, masks[kept], mask[None])[:, 0]
        own = full_covariance(process, mask[None], mask[None])[0, 0] + process.hyper.nugget + noise[row]
        assert_allclose(found.variances[row], own - cross @ np.linalg.solve(total, cross), rtol=1e-6)


def test_the_variance_of_unseen_masks_is_a_mean_over_them(evaluated: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = evaluated
    process = process_on(7)
    total = full_covariance(process, masks, masks) + np.diag(process.hyper.nugget + noise)
    others = np.array([mask for mask in all_masks(7) if not (masks == mask).all(axis=1).any()])
    cross = full_covariance(process, others, masks)
    kept = full_covariance(process, others, others).diagonal() - (cross * np.linalg.solve(total, cross.T).T).sum(axis=1)
    found = Solver(1000, 10, CPU)(process, masks, y, noise, n_unseen=256)
    assert_allclose(found.unseen, kept.mean() + process.hyper.nugget, rtol=0.1)


def test_of_masks_that_were_all_evaluated_none_is_unseen() -> None:
    process = process_on(4)
    found = Solver(1000, 10, CPU)(process, all_masks(4), np.ones((16, 1)), np.zeros(16), n_unseen=50)
    assert found.unseen == process.hyper.nugget


def test_inducing_on_all_masks_is_the_exact_mean(evaluated: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = evaluated
    process, other = process_on(7), random_masks(15, 7, 2)
    found = Solver(10, 37, CPU)(process, masks, y, noise)
    assert_allclose(mean_at(found, other), slow_mean(process, masks, y, noise, other), rtol=1e-4, atol=1e-5)


def smooth_process(n: int) -> Process:
    shared = torch.tensor([0.0, -2.0, 0.5, -4.0, *SETTINGS.end_means], dtype=torch.float64)
    return Process(Hyperparameters(shared, torch.full((n,), -3.0).double(), torch.full((n,), -1.0).double()), None)


def test_inducing_on_half_of_the_masks_is_close() -> None:
    masks, other = random_masks(300, 9, 3), random_masks(100, 9, 4)
    process = smooth_process(9)
    y = (masks @ np.linspace(-1, 1, 9) + masks[:, 0] * masks[:, 1])[:, None]
    y = (y - y.mean()) / y.std()
    exact, half = (Solver(most, 150, CPU)(process, masks, y, np.zeros(len(masks))) for most in (1000, 10))
    assert half.centers.shape == (150, 9)
    assert np.isfinite(half.left_out).all()
    assert ((mean_at(half, other) - mean_at(exact, other)) ** 2).mean() < 1e-3
    assert ((half.left_out - exact.left_out) ** 2).mean() < 0.01
    assert 0.5 < half.variances.mean() / exact.variances.mean() < 2


def test_inducing_leaves_out_the_complement_too() -> None:
    masks = random_masks(60, 6, 5)
    y = np.random.default_rng(0).normal(size=(64, 1))[: len(masks)]
    y[1::2] = y[::2]  # of even degree: a mask has its complement's value, and nothing else tells it
    shared = [-9.0, -9, 0, -4, -9, -9, 0, 0, 0]
    flat = Hyperparameters(*(torch.tensor(v, dtype=torch.float64) for v in (shared, [0.0] * 6, [-9.0] * 6)))
    even = PlayerSets.concatenate([PlayerSets.all_of_order(order, 6) for order in (2, 4, 6)])
    process = Process(flat, TermPrior(even, np.full(len(even), 1 / 32)))
    exact, inducing = (Solver(most, len(masks), CPU)(process, masks, y, np.zeros(len(masks))) for most in (1000, 10))
    assert_allclose(inducing.left_out, exact.left_out, atol=0.1)


@pytest.mark.parametrize("most_exact", [1000, 10])
def test_noisy_values_weigh_less(most_exact: int) -> None:
    masks = random_masks(120, 8, 6)
    process, y = smooth_process(8), (1.0 * masks[:, :1] - 0.5)
    wrong = y.copy()
    wrong[50] += 5
    noise = np.where(np.arange(len(masks)) == 50, 1e6, 0.0)
    solver = Solver(most_exact, len(masks), CPU)
    trusted, doubted = (solver(process, masks, wrong, n) for n in (np.zeros(len(masks)), noise))
    clean = slow_mean(process, np.delete(masks, 50, 0), np.delete(y, 50, 0), np.zeros(len(masks) - 1), masks)
    assert_allclose(mean_at(doubted, masks), clean, atol=1e-3)
    assert np.abs(mean_at(trusted, masks) - clean).max() > 0.1
