"""Decoding terms from bins, testing them, and joint fits."""

from __future__ import annotations

import numpy as np
import pytest
from games import planted_spectrum, random_network
from numpy.testing import assert_allclose, assert_array_equal
from spex_designs import draw_design, some_terms, structured_signs, values_at

from captum_spex.approximators.spex.bins import Bins, Signature
from captum_spex.approximators.spex.peeling import Fit, accepted, decode
from captum_spex.player_sets import PlayerSets


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_is_least_squares_over_all_masks(seed):
    design = draw_design(40, degree=3, bits=4)
    values = values_at(design, random_network(40, seed))
    terms = some_terms(40, seed).unique()[0]
    fit = Fit.of(Bins.transform(design, values), Signature.of(terms, design))
    dense, measured = structured_signs(design, terms).T, values[: design.n_structured]
    expected, *_ = np.linalg.lstsq(dense, measured, rcond=None)
    assert_allclose(fit.coefficients, expected, atol=1e-9)
    assert_allclose(fit.residual.noise, np.mean((measured - dense @ expected) ** 2))


def test_pure_noise_gives_no_terms():
    """A round may accept 0.01 false terms on average: over twenty draws of noise hardly one."""
    found = 0
    for seed in range(20):
        design = draw_design(100, degree=4, bits=4, seed=seed)
        fit = decode(Bins.transform(design, np.random.default_rng(seed).normal(size=len(design))))
        found += len(fit.terms) - 1  # the constant
    assert found <= 1


@pytest.mark.parametrize("ratio", [0.01, 10.0])
def test_candidates_are_accepted_by_their_weight(ratio):
    """The same term against the same noise: accepted where it stands out, refused where it does not."""
    design = draw_design(100, degree=4, bits=4)
    term = planted_spectrum(100, 1, 3, seed=2).sets.take(np.array([0]))
    noise = np.random.default_rng(0).normal(size=len(design))
    noise[: design.n_structured] += ratio * structured_signs(design, term)[0]
    assert_array_equal(accepted(Bins.transform(design, noise), Signature.of(term, design)), [ratio > 1])


def test_a_reference_bin_of_zero_is_not_an_obstacle():
    """Two terms that cancel in the bin without a delay, where a quotient by it would be infinite."""
    design = draw_design(30, degree=4, bits=1, n_groups=2, n_extra=0)
    terms = PlayerSets.all_of_order(2, 30)
    places = design.bins(terms)
    first = 0
    second = int(np.flatnonzero((places[1:] == places[0]).all(axis=1))[0]) + 1
    signs = structured_signs(design, terms.take(np.array([first, second])))
    values = np.append(signs[0] - signs[1], 0.0)
    bins = Bins.transform(design, values)
    assert_allclose(bins.amplitudes[0, places[0, 0], 0], 0.0, atol=1e-12)
    fit = decode(bins)
    assert np.isfinite(fit.coefficients).all()
    assert fit.residual.noise < 1.0 + np.mean(values**2)
