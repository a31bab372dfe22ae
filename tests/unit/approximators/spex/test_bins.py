"""The bucket transform, and least squares in its domain, against dense matrices over all masks."""

from __future__ import annotations

import numpy as np
from games import planted_spectrum
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from spex_designs import designs, draw_design, some_terms, structured_signs, values_at

from captum_spex.approximators.spex.bins import NOISE_FLOOR, Bins, Signature
from captum_spex.player_sets import PlayerSets


def signature(spectrum, design):
    return Signature.of(spectrum.sets, design)


@given(design=designs(60), seed=st.integers(0, 1000))
def test_a_bin_holds_the_terms_that_hash_into_it(design, seed):
    spectrum = planted_spectrum(design.n_players, 12, 4, seed)
    bins = Bins.transform(design, values_at(design, spectrum))
    places, signs = design.bins(spectrum.sets), design.delay_signs(spectrum.sets)
    expected = np.zeros((design.n_groups, 2**design.bits, design.n_delays))
    for term, value in enumerate(spectrum.values):
        for group in range(design.n_groups):
            expected[group, places[term, group]] += value * signs[term]
    assert_allclose(bins.amplitudes, expected, atol=1e-12)


@given(design=designs(40), seed=st.integers(0, 1000))
def test_the_transform_is_that_of_the_definition(design, seed):
    values = np.random.default_rng(seed).normal(size=len(design))
    size = 2**design.bits
    bins = Bins.transform(design, values)
    hadamard = np.array([[(-1.0) ** (j & place).bit_count() for place in range(size)] for j in range(size)])
    grouped = values[: design.n_structured].reshape(design.n_groups, design.n_delays, size)
    assert_allclose(bins.amplitudes, np.einsum("jl,gdl->gjd", hadamard, grouped) / size, atol=1e-12)


@given(design=designs(60), seed=st.integers(0, 1000))
def test_correlations_and_gram_matrix(design, seed):
    values = np.random.default_rng(seed).normal(size=len(design))
    terms = some_terms(design.n_players, seed).unique()[0]
    dense = structured_signs(design, terms)
    bins, signatures = Bins.transform(design, values), Signature.of(terms, design)
    assert_allclose(bins.correlations(signatures), dense @ values[: design.n_structured] / bins.n_samples, atol=1e-12)
    assert_allclose(bins.gram(signatures), dense @ dense.T / bins.n_samples, atol=1e-12)


@given(design=designs(60), seed=st.integers(0, 1000))
def test_the_right_terms_leave_nothing(design, seed):
    spectrum = planted_spectrum(design.n_players, 8, 3, seed)
    bins = Bins.transform(design, values_at(design, spectrum))
    residual = bins.without(signature(spectrum, design), spectrum.values)
    assert_allclose(residual.amplitudes, 0.0, atol=1e-12)
    assert residual.noise == NOISE_FLOOR
    half = bins.without(signature(spectrum, design), spectrum.values / 2)
    assert_allclose(half.amplitudes, bins.amplitudes / 2, atol=1e-12)


@given(design=designs(60), seed=st.integers(0, 1000))
def test_noise_is_the_mean_square_of_the_values(design, seed):
    values = np.random.default_rng(seed).normal(size=len(design)) * 0.3
    bins = Bins.transform(design, values)
    mean_square = np.mean(values[: design.n_structured] ** 2)
    assert_allclose(bins.noise, mean_square)
    assert_allclose(bins.significance(np.array([0.0, 0.2, -0.2])), bins.n_samples * np.array([0, 0.04, 0.04])
                    / mean_square)  # fmt: skip


def test_significance_of_noise_is_chi_square():
    """Squared correlations with pure noise have mean 1 and variance 2 in units of their sampling variance."""
    design = draw_design(60, degree=3, bits=5)
    terms = Signature.of(PlayerSets.all_of_order(2, 60), design)
    bins = Bins.transform(design, np.random.default_rng(0).normal(size=len(design)))
    squared = bins.significance(bins.correlations(terms))
    assert_allclose(squared.mean(), 1.0, atol=0.15)
    assert_allclose(squared.var(), 2.0, atol=0.6)


def test_shares_of_a_lone_term_are_all():
    design = draw_design(60, degree=3, bits=5)
    spectrum = planted_spectrum(60, 1, 3, seed=1).select(np.array([0]))
    bins = Bins.transform(design, values_at(design, spectrum))
    assert_allclose(bins.shares(signature(spectrum, design)), 1.0)


@given(design=designs(60), seed=st.integers(0, 1000))
def test_shares_are_squared_cosines(design, seed):
    values = np.random.default_rng(seed).normal(size=len(design))
    terms = Signature.of(some_terms(design.n_players, seed), design)
    bins = Bins.transform(design, values)
    for row, (places, signs) in enumerate(zip(terms.bins, terms.signs, strict=True)):
        measured = bins.amplitudes[np.arange(design.n_groups), places]
        cosines = measured @ signs / np.linalg.norm(measured, axis=1) / np.linalg.norm(signs)
        assert_allclose(bins.shares(terms)[row], cosines**2, atol=1e-12)
