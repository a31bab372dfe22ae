"""Terms with variances of their own: found, and nothing else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from gaussian_processes import (
    DOUBLE,
    flattened,
    full_covariance,
    random_hyper,
    random_masks,
    started,
)
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Process,
    TermPrior,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import (
    Hyperparameters,
)
from captum_spex.approximators.proxyspex.gaussian_process.sparse_terms import TermSearch, find_terms
from captum_spex.masks import all_masks
from captum_spex.model import Spectrum

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
    again = search.restarted(hyper)
    assert not np.allclose(again.variances, search.variances)
    for one in (search, again):
        total = full_covariance(Process(one.hyper, one.prior()), masks, masks)
        total += np.diag(np.full(len(masks), hyper.nugget + 1e-6))
        assert_allclose(one.inverse.numpy() @ total, np.eye(len(masks)), atol=1e-6)


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
    n_terms: list[int] = []

    def retune(kernel: Hyperparameters, terms: TermPrior) -> Hyperparameters:
        n_terms.append(len(terms.sets))
        return Hyperparameters(kernel.shared - 0.1, kernel.decays, kernel.linear)

    found, terms = find_terms(hyper, masks, y, retune=retune, like=DOUBLE)
    assert terms is not None
    assert 1 <= len(n_terms) <= 4
    assert_allclose(found.shared, hyper.shared - 0.1 * len(n_terms))


def test_candidates_of_a_beam_are_listed_once() -> None:
    masks = random_masks(100, 12, 0)
    hyper, y = started(masks, 1.0 * masks[:, 0] * masks[:, 1] * masks[:, 2])
    search = TermSearch.start(hyper, masks, torch.from_numpy(y))
    names = search.shortlist().tuples()
    assert len(names) == len(set(names))
    assert all(a < b for players in names for a, b in pairwise(players))
    assert (0, 1, 2) in names


def test_a_search_may_begin_with_known_terms() -> None:
    masks = random_masks(300, 20, 0)
    hyper, y = started(masks, Spectrum.from_terms({(0, 1, 2): 1.0, (4, 7): 1.0}, 20)(masks))
    alone = find_terms(hyper, masks, y, retune=None, like=DOUBLE, rounds=1)[1]
    assert alone is not None
    known = TermPrior(alone.sets, alone.variances)
    again = find_terms(hyper, masks, y, retune=None, like=DOUBLE, known=known, rounds=1)[1]
    assert again is not None
    assert again.sets.tuples() == alone.sets.tuples()  # nothing more is to be found
    assert_allclose(again.variances, alone.variances)
