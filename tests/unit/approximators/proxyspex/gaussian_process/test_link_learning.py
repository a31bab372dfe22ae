"""Learned links rise, and undo what squashed the values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.approximators.proxyspex.gaussian_process.link_learning import LearnedLink
from captum_spex.arrays import Floats


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
def test_a_learned_link_rises_and_standardises(kind: str) -> None:
    values = value_sample(kind)
    predicted = values + np.random.default_rng(1).normal(size=len(values)) * values.std()
    first = LearnedLink.initial(values)
    for learned in (first, first.relearned(values, predicted)):
        assert (np.diff(learned.values) > 0).all()
        assert (np.diff(learned.latents) > 0).all()
        assert_allclose([learned(values).mean(), learned(values).std()], [0, 1], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_the_link_undoes_the_learned_one(kind: str) -> None:
    values = value_sample(kind)
    for learned in (
        LearnedLink.initial(values),
        LearnedLink.initial(values).relearned(values, np.sqrt(np.abs(values))),
    ):
        link = learned.link(0.0)
        knots = np.interp(link.latents, learned.latents, learned.values)
        assert_allclose(link.values, knots, rtol=1e-12)
        spacing = np.ptp(values) * 0.05
        if kind not in ("heavy tails", "mostly one value"):
            assert_allclose(link(learned(values)), values, atol=spacing)


@pytest.mark.parametrize("kind", KINDS)
def test_links_rise_and_stay_within_the_values(kind: str) -> None:
    values, noise = value_sample(kind), 0.5
    link = LearnedLink.initial(values).link(noise)
    assert (np.diff(link.values) >= -1e-12 * np.ptp(values)).all()
    assert values.min() - 1e-9 <= link.values[0]
    assert link.values[-1] <= values.max() + 1e-9


def test_a_noisy_link_is_the_mean_over_the_noise() -> None:
    values = value_sample("normal")
    learned, draws = LearnedLink.initial(values), 0.7 * np.random.default_rng(0).normal(size=200_000)
    link = learned.link(0.7)
    for latent in (-1.5, 0.0, 2.0):
        expected = np.interp(latent + draws, learned.latents, learned.values).mean()
        assert_allclose(link(np.array(latent)), expected, atol=0.02)


def test_relearning_undoes_a_sigmoid() -> None:
    rng = np.random.default_rng(0)
    latent = 6 * rng.uniform(-1, 1, size=2000)
    values = 1 / (1 + np.exp(-latent))
    learned = LearnedLink.initial(values).relearned(values, latent + rng.normal(size=2000))
    assert np.corrcoef(learned(values), latent)[0, 1] > 0.99
    assert np.corrcoef(values, latent)[0, 1] < 0.97


def test_predictions_that_say_nothing_leave_normal_scores() -> None:
    values = value_sample("sigmoid")
    learned = LearnedLink.initial(values).relearned(values, np.zeros(len(values)))
    ranks = values.argsort().argsort()
    assert_array_equal(learned(values).argsort(), values.argsort())
    assert abs(learned(values)[np.abs(ranks - len(values) / 2) < 2]).max() < 0.05
