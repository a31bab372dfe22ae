"""The Gaussian process on masks: its evidence, conditioning, sparse terms and link, against slow twins."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Conditioned,
    Process,
    Solver,
    TermPrior,
    signs_of,
)
from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess, Learner
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import (
    Hyperparameters,
    evidence_gradient,
    factorised,
    maximise_evidence,
    prior_gradient,
)
from captum_spex.approximators.proxyspex.gaussian_process.link_learning import LearnedLink
from captum_spex.approximators.proxyspex.gaussian_process.sparse_terms import TermSearch, find_terms
from captum_spex.approximators.proxyspex.proxy import ProxyData
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks, all_masks
from captum_spex.model import Spectrum
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised

CPU = torch.device("cpu")
DOUBLE = torch.zeros((), dtype=torch.float64)


def random_masks(n_masks: int, n: int, seed: int) -> Masks:
    """Distinct random masks, half of them complements of the others."""
    rng = np.random.default_rng(seed)
    half = rng.random((n_masks, n)) < 0.5
    rows = np.stack([half, ~half], axis=1).reshape(-1, n)
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)][:n_masks]


def random_hyper(n: int, seed: int) -> Hyperparameters:
    rng = np.random.default_rng(seed)
    shared, decays, linear = rng.normal(size=4) / 2 - [0, 0, 0, 1], rng.normal(size=n) - 1, rng.normal(size=n) - 1
    return Hyperparameters(*(torch.from_numpy(part) for part in (shared, decays, linear)))


def entry_by_entry(hyper: Hyperparameters, left: Masks, right: Masks) -> Floats:
    """The kernel as its docstring says, one pair of masks at a time."""
    a1, a2, g, _ = hyper.shared.exp().tolist()
    w, linear = hyper.decays.exp().numpy(), hyper.linear.exp().numpy()
    total = np.zeros((len(left), len(right)))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            distance = w[one != other].sum()
            total[i, j] = a1 * np.exp(-distance) + a2 * np.exp(-g * distance)
            total[i, j] += (linear * np.where(one == other, 1, -1)).sum()
    return total


def objective(flat: torch.Tensor, start: Hyperparameters, masks: Masks, y: torch.Tensor) -> torch.Tensor:
    """Mean negative log evidence of an output, minus the log-prior, from the definitions."""
    n = masks.shape[1]
    shared, decays, linear = flat[:4], flat[4 : 4 + n], flat[4 + n :]
    a1, a2, g, nugget = shared.exp()
    differ = torch.from_numpy((masks[:, None] != masks).astype(float))
    distance = differ @ decays.exp()
    total = a1 * torch.exp(-distance) + a2 * torch.exp(-g * distance) + (1 - 2 * differ) @ linear.exp()
    total = total + (nugget + 1e-4) * torch.eye(len(masks), dtype=flat.dtype)
    fit = torch.einsum("ti,tu,ui->", y, torch.linalg.inv(total), y) / y.shape[1]
    value = (torch.logdet(total) + fit) / 2
    for now, first in ((decays, start.decays), (linear, start.linear)):
        value = value + ((now - now.mean()) ** 2).sum() / 2 / 1.5**2 + (now.mean() - first.mean()) ** 2 / 2 / 3.0**2
    return value


def flattened(hyper: Hyperparameters) -> torch.Tensor:
    return torch.cat([hyper.shared, hyper.decays, hyper.linear])


# --- evidence ---------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 5), seed=st.integers(0, 100), n_outputs=st.integers(1, 3))
def test_the_kernel_is_its_formula(n: int, seed: int, n_outputs: int) -> None:
    hyper, masks = random_hyper(n, seed), all_masks(n)
    signs = signs_of(masks, DOUBLE)
    assert_allclose(hyper.kernel(signs, signs[:n_outputs]), entry_by_entry(hyper, masks, masks[:n_outputs]), rtol=1e-12)
    assert_allclose(hyper.kernel(signs, signs).diagonal(), hyper.prior_variance())


@given(n=st.integers(1, 8), seed=st.integers(0, 100), n_outputs=st.integers(1, 3))
def test_the_gradient_is_that_of_automatic_differentiation(n: int, seed: int, n_outputs: int) -> None:
    masks, now, start = random_masks(25, n, seed), random_hyper(n, seed), random_hyper(n, seed + 1)
    y = torch.from_numpy(np.random.default_rng(seed).normal(size=(len(masks), n_outputs)))
    flat = flattened(now).requires_grad_(True)
    objective(flat, start, masks, y).backward()
    ours = evidence_gradient(now, signs_of(masks, DOUBLE), y, None) + prior_gradient(now, start)
    assert flat.grad is not None
    assert_allclose(ours, flat.grad, rtol=1e-8, atol=1e-9)


def test_the_gradient_knows_a_further_covariance() -> None:
    masks, hyper, y = random_masks(20, 5, 0), random_hyper(5, 0), torch.ones((20, 1), dtype=torch.float64)
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


def test_a_covariance_that_rounding_spoilt_is_factorised_all_the_same() -> None:
    column = torch.linspace(-1, 1, 30, dtype=torch.float32)[:, None]
    factor = factorised(column @ column.T)
    assert_allclose(factor @ factor.T, column @ column.T, atol=1e-3)


def test_what_is_no_covariance_is_said_so() -> None:
    with pytest.raises(FloatingPointError, match="could not be factorised"):
        factorised(torch.tensor([[1.0, 50.0], [50.0, 1.0]]))


# --- conditioning -----------------------------------------------------------------------------------------------------


def process_on(n: int, seed: int = 0) -> Process:
    return Process(random_hyper(n, seed), TermPrior(PlayerSets.from_sets([(0, 1), (0, 2, 3)], n), np.array([0.5, 0.2])))


def full_covariance(process: Process, left: Masks, right: Masks) -> Floats:
    total = entry_by_entry(process.hyper, left, right)
    if process.terms is not None:
        for players, variance in zip(process.terms.sets.tuples(), process.terms.variances, strict=True):
            signs = [(-1.0) ** side[:, list(players)].sum(axis=1) for side in (left, right)]
            total += variance * np.outer(*signs)
    return total


def mean_at(found: Conditioned, masks: Masks) -> Floats:
    return full_covariance(found.process, masks, found.centers) @ found.weights


def slow_mean(process: Process, masks: Masks, y: Floats, noise: Floats, at: Masks) -> Floats:
    total = full_covariance(process, masks, masks) + np.diag(process.hyper.nugget + noise + 1e-8)
    return full_covariance(process, at, masks) @ np.linalg.solve(total, y)


@pytest.fixture
def seen(rng: np.random.Generator) -> tuple[Masks, Floats, Floats]:
    masks = random_masks(40, 7, 1)[:37]  # the last complement is missing
    return masks, rng.normal(size=(37, 2)), rng.random(37)


def test_the_exact_mean_is_a_linear_solve(seen: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = seen
    process, other = process_on(7), random_masks(15, 7, 2)
    for there in (noise, np.zeros(37)):
        found = Solver(1000, 10, CPU)(process, masks, y, there)
        assert found.centers is masks
        assert_allclose(mean_at(found, other), slow_mean(process, masks, y, there, other), rtol=1e-7, atol=1e-9)


def test_left_out_is_what_remains_without_the_mask_and_its_complement(seen: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = seen
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


def test_inducing_on_all_masks_is_the_exact_mean(seen: tuple[Masks, Floats, Floats]) -> None:
    masks, y, noise = seen
    process, other = process_on(7), random_masks(15, 7, 2)
    found = Solver(10, 37, CPU)(process, masks, y, noise)
    assert_allclose(mean_at(found, other), slow_mean(process, masks, y, noise, other), rtol=1e-4, atol=1e-5)


def smooth_process(n: int) -> Process:
    shared = torch.tensor([0.0, -2.0, 0.5, -4.0], dtype=torch.float64)
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
    flat = Hyperparameters(*(torch.tensor(v, dtype=torch.float64) for v in ([-9.0, -9, 0, -4], [0.0] * 6, [-9.0] * 6)))
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


# --- sparse terms -----------------------------------------------------------------------------------------------------


def started(masks: Masks, values: Floats) -> tuple[Hyperparameters, Floats]:
    y = ((values - values.mean()) / values.std())[:, None]
    signs = signs_of(masks, DOUBLE)
    start = Hyperparameters.initial(signs, torch.from_numpy(y))
    return maximise_evidence(start, signs, torch.from_numpy(y), n_steps=20, learning_rate=0.15), y


PLANTED = {(3, 40): 1.1, (5, 17, 33): -1.2, (11, 22): 1.2, (11, 22, 44): -1.2, (11, 22, 44, 55): 1.3}


@pytest.mark.parametrize("seed", range(3))
def test_planted_terms_are_found_and_nothing_else(seed: int) -> None:
    masks = random_masks(500, 60, seed)
    noise = 0.2 * np.random.default_rng(seed).normal(size=len(masks))
    values = Spectrum.from_terms(PLANTED, 60)(masks) + masks[:, :5] @ np.arange(5.0) / 5 + noise
    hyper, y = started(masks, values)
    same, terms = find_terms(hyper, masks, y, retune=None, like=DOUBLE)
    assert terms is not None
    assert_array_equal(flattened(same), flattened(hyper.to(DOUBLE)))
    assert {players for players in terms.sets.tuples() if len(players) > 1} == set(PLANTED)
    assert (terms.variances > 0).all()


def test_no_term_is_found_in_pure_noise() -> None:
    found = 0
    for seed in range(6):
        masks = random_masks(300, 40, seed)
        hyper, y = started(masks, np.random.default_rng(seed + 100).normal(size=300))
        found += find_terms(hyper, masks, y, retune=None, like=DOUBLE)[1] is not None
    assert found <= 1


def test_two_outputs_share_their_terms() -> None:
    masks = random_masks(300, 20, 0)
    y = np.stack([Spectrum.from_terms({(0, 1, 2): a, (4, 7): b}, 20)(masks) for a, b in ((1, 0.5), (-0.5, 1))], axis=1)
    hyper, _ = started(masks, y[:, 0])
    terms = find_terms(hyper, masks, y, retune=None, like=DOUBLE)[1]
    assert terms is not None
    assert set(terms.sets.tuples()) == {(0, 1, 2), (4, 7)}


def test_rank_updates_end_at_the_inverse_with_the_terms() -> None:
    masks = random_masks(200, 15, 0)
    hyper, y = started(masks, Spectrum.from_terms({(0, 1): 1.0, (2, 3, 4): 1.0, (5, 9): -0.7}, 15)(masks))
    search = TermSearch.start(hyper, masks, torch.from_numpy(y))
    assert search.add_best()
    total = full_covariance(Process(search.hyper, search.prior()), masks, masks)
    total += np.diag(np.full(len(masks), hyper.nugget + 1e-6))
    assert_allclose(search.inverse.numpy() @ total, np.eye(len(masks)), atol=1e-6)


def test_the_variance_of_a_term_is_where_its_evidence_is_largest() -> None:
    masks = random_masks(150, 20, 0)
    noise = 0.3 * np.random.default_rng(0).normal(size=150)
    hyper, y = started(masks, Spectrum.from_terms({(1, 2, 3): 1.0}, 20)(masks) + noise)
    terms = find_terms(hyper, masks, y, retune=None, like=DOUBLE)[1]
    assert terms is not None
    assert terms.sets.tuples() == [(1, 2, 3)]

    def evidence(factor: float) -> float:
        process = Process(hyper.to(DOUBLE), TermPrior(terms.sets, factor * terms.variances))
        total = full_covariance(process, masks, masks) + np.diag(np.full(len(masks), hyper.nugget + 1e-6))
        return float(-(np.linalg.slogdet(total)[1] + y[:, 0] @ np.linalg.solve(total, y[:, 0])) / 2)

    assert evidence(1.0) > max(evidence(0.7), evidence(1.4))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_players_have_few_candidates(n: int) -> None:
    masks = all_masks(n)
    y = np.random.default_rng(n).normal(size=(2**n, 1))
    terms = find_terms(random_hyper(n, 0), masks, y, retune=None, like=DOUBLE)[1]
    assert terms is None or terms.sets.orders.max() <= n


def test_terms_are_retuned_with_the_kernel() -> None:
    masks = random_masks(300, 20, 0)
    hyper, y = started(masks, Spectrum.from_terms({(0, 1, 2): 1.0, (4, 7): 1.0}, 20)(masks))
    seen: list[int] = []

    def retune(kernel: Hyperparameters, terms: TermPrior) -> Hyperparameters:
        seen.append(len(terms.sets))
        return Hyperparameters(kernel.shared - 0.1, kernel.decays, kernel.linear)

    found, terms = find_terms(hyper, masks, y, retune=retune, like=DOUBLE)
    assert terms is not None
    assert 1 <= len(seen) <= 4
    assert_allclose(found.shared, hyper.shared - 0.1 * len(seen))


# --- link -------------------------------------------------------------------------------------------------------------


def value_sample(kind: str) -> Floats:
    rng = np.random.default_rng(0)
    return {
        "normal": rng.normal(size=300),
        "sigmoid": 1 / (1 + np.exp(-4 * rng.normal(size=300))),
        "heavy tails": rng.standard_cauchy(size=300),
        "ties": rng.integers(0, 12, 300) / 3,
        "eight values": rng.permutation(np.repeat(np.arange(8.0), 5)),
        "mostly one value": np.concatenate([np.zeros(290), np.arange(1.0, 11)]),
        "many values": rng.normal(size=3000),
    }[kind]


KINDS = ("normal", "sigmoid", "heavy tails", "ties", "eight values", "mostly one value", "many values")


@pytest.mark.parametrize("kind", KINDS)
def test_a_warp_rises_and_standardises(kind: str) -> None:
    values = value_sample(kind)
    predicted = values + np.random.default_rng(1).normal(size=len(values)) * values.std()
    first = LearnedLink.initial(values)
    for warp in (first, first.relearned(values, predicted)):
        assert (np.diff(warp.values) > 0).all()
        assert (np.diff(warp.latents) > 0).all()
        assert_allclose([warp(values).mean(), warp(values).std()], [0, 1], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_the_link_undoes_the_warp(kind: str) -> None:
    values = value_sample(kind)
    for warp in (LearnedLink.initial(values), LearnedLink.initial(values).relearned(values, np.sqrt(np.abs(values)))):
        link = warp.link(0.0)
        knots = np.interp(link.latents, warp.latents, warp.values)
        assert_allclose(link.values, knots, rtol=1e-12)
        spacing = np.ptp(values) * 0.05
        if kind not in ("heavy tails", "mostly one value"):
            assert_allclose(link(warp(values)), values, atol=spacing)


@pytest.mark.parametrize("kind", KINDS)
def test_links_rise_and_stay_within_the_values(kind: str) -> None:
    values, noise = value_sample(kind), 0.5
    link = LearnedLink.initial(values).link(noise)
    assert (np.diff(link.values) >= -1e-12 * np.ptp(values)).all()
    assert values.min() - 1e-9 <= link.values[0]
    assert link.values[-1] <= values.max() + 1e-9


def test_a_noisy_link_is_the_mean_over_the_noise() -> None:
    values = value_sample("normal")
    warp, draws = LearnedLink.initial(values), 0.7 * np.random.default_rng(0).normal(size=200_000)
    link = warp.link(0.7)
    for latent in (-1.5, 0.0, 2.0):
        expected = np.interp(latent + draws, warp.latents, warp.values).mean()
        assert_allclose(link(np.array(latent)), expected, atol=0.02)


def test_relearning_undoes_a_sigmoid() -> None:
    rng = np.random.default_rng(0)
    latent = 6 * rng.uniform(-1, 1, size=2000)
    values = 1 / (1 + np.exp(-latent))
    warp = LearnedLink.initial(values).relearned(values, latent + rng.normal(size=2000))
    assert np.corrcoef(warp(values), latent)[0, 1] > 0.99
    assert np.corrcoef(values, latent)[0, 1] < 0.97


def test_predictions_that_say_nothing_leave_normal_scores() -> None:
    values = value_sample("sigmoid")
    warp = LearnedLink.initial(values).relearned(values, np.zeros(len(values)))
    ranks = values.argsort().argsort()
    assert_array_equal(warp(values).argsort(), values.argsort())
    assert abs(warp(values)[np.abs(ranks - len(values) / 2) < 2]).max() < 0.05


# --- both processes ---------------------------------------------------------------------------------------------------


def learner(masks: Masks, values: Floats, **settings: int) -> Learner:
    standardised, rng = Standardised.of(values).values, np.random.default_rng(0)
    return Learner(GaussianProcess(**settings), ProxyData(masks, standardised, np.zeros(len(masks)), rng, CPU))


def squashed(masks: Masks) -> Floats:
    score = 3.0 * (masks[:, 0] ^ masks[:, 1]) + 3.0 * (masks[:, 2] & masks[:, 3]) + masks[:, 4:] @ np.ones(4) - 4
    return np.stack([1 / (1 + np.exp(-2 * score)), 1 / (1 + np.exp(-score))], axis=1)


@pytest.mark.parametrize("settings", [{}, {"most_exact": 20, "n_inducing": 60}, {"max_rows": 40}])
def test_parts_are_the_predictions_of_the_process(settings: dict[str, int]) -> None:
    masks = random_masks(120, 8, 0)
    taught = learner(masks, squashed(masks), **settings)
    for surrogate in (taught.plain(), taught.linked()):
        assert surrogate is not None
        assert surrogate.left_out.shape == surrogate.reused.shape == (len(masks), 2)
        for column, parts in enumerate(surrogate.parts):
            fitted = np.sum([part(masks) for part in parts], axis=0)
            assert ((fitted - taught.data.values[:, column]) ** 2).mean() < 0.08
            assert ((surrogate.left_out[:, column] - taught.data.values[:, column]) ** 2).mean() < 0.5


def test_few_distinct_values_have_no_link() -> None:
    masks = random_masks(120, 8, 0)
    seven, eight = (np.minimum(masks @ 2 ** np.arange(8), top)[:, None] * 1.0 for top in (6, 200))
    assert learner(masks, seven).linked() is None
    assert learner(masks, eight).linked() is not None
    assert learner(masks, np.concatenate([eight, seven], axis=1)).linked() is None


@pytest.mark.parametrize("seed", range(5))
def test_a_game_that_is_nearly_constant_can_be_linked(seed: int) -> None:
    masks = random_masks(40, 9, seed)
    values = np.zeros(len(masks))
    values[2:9] = np.arange(1.0, 8)
    found = learner(masks, values[:, None]).linked()
    assert found is not None
    assert np.isfinite(found.left_out).all()


def test_all_values_that_differ_may_lie_in_one_half() -> None:
    masks = random_masks(40, 9, 0)
    for first in range(0, 40, 2):  # the values that differ lie in four pairs of complements
        values = np.zeros(len(masks))
        values[np.arange(first, first + 8) % 40] = np.arange(1.0, 9)
        found = learner(masks, values[:, None]).linked()
        assert found is not None
        assert np.isfinite(found.left_out).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 0}, "`n_steps`: expected an integer of at least 1, got 0"),
        ({"max_rows": 1.5}, "`max_rows`: expected an integer of at least 1, got 1.5"),
        ({"most_exact": 0}, "`most_exact`: expected an integer of at least 1, got 0"),
        ({"n_inducing": -1}, "`n_inducing`: expected an integer of at least 1, got -1"),
        ({"learning_rate": 0.0}, "`learning_rate`: expected a positive number, got 0.0"),
        ({"terms": "yes"}, "`terms`: expected True or False, got 'yes'"),
        ({"links": 1}, "`links`: expected True or False, got 1"),
        ({"learning_rate": float("nan")}, "`learning_rate`: expected a positive number, got nan"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        GaussianProcess(**settings)


def test_candidates_of_a_beam_are_listed_once() -> None:
    masks = random_masks(100, 12, 0)
    hyper, y = started(masks, 1.0 * masks[:, 0] * masks[:, 1] * masks[:, 2])
    search = TermSearch.start(hyper, masks, torch.from_numpy(y))
    names = search.shortlist().tuples()
    assert len(names) == len(set(names))
    assert all(a < b for players in names for a, b in pairwise(players))
    assert (0, 1, 2) in names
