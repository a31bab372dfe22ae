"""Terms that trees found, fitted again: how many, alone, and beside a process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from captum_spex import Spectrum
from captum_spex.approximators import GaussianProcess, ProxyData
from captum_spex.approximators.proxyspex import found_terms
from captum_spex.approximators.proxyspex.found_terms import Beside, fitted_alone, largest_terms
from captum_spex.fourier import characters
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised

TRUE = {(0,): 1.0, (1, 4): 0.5, (2, 3, 5): -0.8}
OTHERS = [(0,), (1,), (1, 4), (2, 3), (2, 3, 5), (6, 7), (0, 1, 2)]


@pytest.fixture
def data():
    """A game of few terms on a smooth rest, of two outputs."""
    rng = np.random.default_rng(3)
    masks = rng.random((160, 9)) < 0.5
    smooth = np.exp(-masks[:, :6].sum(axis=1) / 3)
    own = Spectrum.from_terms(TRUE, 9)(masks) + smooth
    values = Standardised.of(np.stack([own, own + smooth], axis=1)).values
    return ProxyData(masks, values, np.zeros(160), np.random.default_rng(0), torch.device("cpu"))


@pytest.fixture
def process(data):
    return GaussianProcess(terms=False, links=False).surrogates(data, ())


def test_the_largest_terms_are_at_most_half_as_many_as_the_masks():
    spectrum = Spectrum.from_terms({(): 9.0, (0,): 1.0, (1,): -3.0, (0, 1): 2.0}, 4)
    assert largest_terms(spectrum, 100).tuples() == [(1,), (0, 1), (0,)]
    assert largest_terms(spectrum, 4).tuples() == [(1,), (0, 1)]
    assert len(largest_terms(Spectrum.from_terms({(): 1.0}, 4), 100)) == 0


def test_terms_alone_are_those_of_the_game(rng):
    masks = rng.random((80, 9)) < 0.5
    fitted = fitted_alone(PlayerSets.from_sets(OTHERS, 9), masks, 3.0 + Spectrum.from_terms(TRUE, 9)(masks))
    truth = {(): 3.0, **TRUE}
    for players in [(), *OTHERS]:
        assert fitted.get(players, 0.0) == pytest.approx(truth.get(players, 0.0), abs=1e-4)


def test_without_terms_the_process_remains(data, process):
    beside = Beside.of(process, data.masks, data.values, data.noise)
    nothing = [PlayerSets.from_sets([], 9)] * 2
    for own, other in zip(beside.parts(nothing, data.values), process[0].parts, strict=True):
        test = ~data.masks
        assert_allclose(sum(part(test) for part in own), sum(part(test) for part in other), atol=1e-6)
    rows, held_out = np.arange(120), np.arange(120, 160)
    predicted = beside.predicted(rows, held_out, nothing, data.values)
    assert_allclose(predicted, process[0].left_out[held_out], atol=1e-10)


def test_predictions_with_terms_are_those_of_their_joint_covariance(data, process):
    """Terms with given prior variances beside a process are a process; a regression that is sure of them agrees."""
    beside = Beside.of(process, data.masks, data.values, data.noise)
    sets = PlayerSets.from_sets(TRUE, 9)
    rows, held_out = np.arange(120), np.arange(120, 160)
    total = beside.covariance + 1e4 * characters(data.masks, sets).T @ characters(data.masks, sets)

    def mean(covariance):
        own = covariance[np.ix_(rows, rows)] + np.diag(beside.spread[rows])
        return covariance[np.ix_(held_out, rows)] @ np.linalg.solve(own, data.values[rows])

    plain = process[0].left_out[held_out]
    expected = plain + mean(total) - mean(beside.covariance)
    predicted = beside.predicted(rows, held_out, [sets, sets], data.values)
    assert_allclose(predicted, expected, atol=0.02)
    assert np.abs(predicted - data.values[held_out]).mean() < np.abs(plain - data.values[held_out]).mean()


def test_the_best_process_is_taken_where_there_is_one(data, process, monkeypatch):
    given = data.masks, data.values, data.noise
    worse = replace(process[0], left_out=np.zeros_like(data.values))
    assert Beside.of([worse, *process], *given).rival is process[0]
    assert Beside.of([replace(process[0], posterior=None)], *given) is None
    assert Beside.of([], *given) is None
    monkeypatch.setattr(found_terms, "SETTINGS", replace(found_terms.SETTINGS, beside_masks=100))
    assert Beside.of(process, *given) is None
