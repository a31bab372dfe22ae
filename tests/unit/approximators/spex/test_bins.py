"""The bucket transform, and least squares in its domain, against dense matrices over all masks."""

from __future__ import annotations

import numpy as np
import pytest
from games import planted_spectrum, random_network
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spex_designs import designs, draw_design, slow_signs, some_terms

from captum_spex.approximators.spex.bins import NOISE_FLOOR, Bins, Signature
from captum_spex.approximators.spex.peeling import Fit, accepted, decode
from captum_spex.approximators.spex.term_choice import answers, grow
from captum_spex.player_sets import PlayerSets


def values_at(design, game):
    return game(design.block(np.arange(len(design))).unpack())


def signature(spectrum, design):
    return Signature.of(spectrum.sets, design)


def characters(design, terms):
    """Signs of every term at every mask of the groups, ``(n_terms, n_structured)``."""
    return slow_signs(design.block(np.arange(design.n_structured)).unpack(), terms)


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
    dense = characters(design, terms)
    bins, signatures = Bins.transform(design, values), Signature.of(terms, design)
    assert_allclose(bins.correlations(signatures), dense @ values[: design.n_structured] / bins.n_samples, atol=1e-12)
    assert_allclose(bins.gram(signatures), dense @ dense.T / bins.n_samples, atol=1e-12)


@given(design=designs(60), seed=st.integers(0, 1000))
def test_the_right_terms_leave_nothing(design, seed):
    spectrum = planted_spectrum(design.n_players, 8, 3, seed)
    bins = Bins.transform(design, values_at(design, spectrum))
    left = bins.without(signature(spectrum, design), spectrum.values)
    assert_allclose(left.amplitudes, 0.0, atol=1e-12)
    assert left.noise == NOISE_FLOOR
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
        seen = bins.amplitudes[np.arange(design.n_groups), places]
        cosines = seen @ signs / np.linalg.norm(seen, axis=1) / np.linalg.norm(signs)
        assert_allclose(bins.shares(terms)[row], cosines**2, atol=1e-12)


# --- fits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_is_least_squares_over_all_masks(seed):
    design = draw_design(40, degree=3, bits=4)
    values = values_at(design, random_network(40, seed))
    terms = some_terms(40, seed).unique()[0]
    fit = Fit.of(Bins.transform(design, values), Signature.of(terms, design))
    dense, seen = characters(design, terms).T, values[: design.n_structured]
    expected, *_ = np.linalg.lstsq(dense, seen, rcond=None)
    assert_allclose(fit.coefficients, expected, atol=1e-9)
    assert_allclose(fit.residual.noise, np.mean((seen - dense @ expected) ** 2))


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_is_least_squares_over_all_values(seed):
    """Both with and without penalties, with and without the values of the extra masks."""
    design = draw_design(40, degree=3, bits=4, n_extra=60, seed=seed)
    values = values_at(design, random_network(40, seed))
    bins = Bins.transform(design, values)
    decoded = decode(bins)
    chosen = np.r_[0 : design.n_structured, design.n_structured + 1 : len(design)]
    masks = design.block(chosen).unpack()
    for way in answers(bins, decoded, grow(bins, decoded)):
        for rows in (slice(design.n_structured), slice(None)):
            dense, seen = slow_signs(masks[rows], way.terms.sets).T, values[chosen][rows]
            extra = values[design.n_structured + 1 :] if rows.stop is None else None
            expected = np.linalg.solve(
                dense.T @ dense + np.diag(way.penalties + 1e-12 * bins.n_samples), dense.T @ seen
            )
            found = way.solve(bins, extra)
            assert_allclose([found[players] for players in way.terms.sets.tuples()], expected, atol=1e-8)


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
    noise[: design.n_structured] += ratio * characters(design, term)[0]
    assert_array_equal(accepted(Bins.transform(design, noise), Signature.of(term, design)), [ratio > 1])


def test_a_reference_bin_of_zero_is_no_obstacle():
    """Two terms that cancel in the bin without a delay, where a quotient by it would be infinite."""
    design = draw_design(30, degree=4, bits=1, n_groups=2, n_extra=0)
    terms = PlayerSets.all_of_order(2, 30)
    places = design.bins(terms)
    first = 0
    second = int(np.flatnonzero((places[1:] == places[0]).all(axis=1))[0]) + 1
    signs = characters(design, terms.take(np.array([first, second])))
    values = np.append(signs[0] - signs[1], 0.0)
    bins = Bins.transform(design, values)
    assert_allclose(bins.amplitudes[0, places[0, 0], 0], 0.0, atol=1e-12)
    fit = decode(bins)
    assert np.isfinite(fit.coefficients).all()
    assert fit.residual.noise < 1.0 + np.mean(values**2)
