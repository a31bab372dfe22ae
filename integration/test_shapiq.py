"""Results go to shapiq, are what shapiq computes itself, are drawn by its plots, and come back."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

import captum_spex
from captum_spex import Interactions
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.indices import NAMES

mpl.use("Agg")
shapiq = pytest.importorskip("shapiq")
pytestmark = pytest.mark.filterwarnings("ignore")  # shapiq's and matplotlib's own

N = 6
TABLE = np.random.default_rng(0).normal(size=2**N)
SHARED = [name for name in NAMES if name != "Fourier"]


def game(masks):
    return TABLE[np.asarray(masks, dtype=bool) @ (1 << np.arange(N))]


def explained(index, max_order):
    return captum_spex.explain(game, N, budget=2**N, index=index, max_order=max_order, names=list("abcdef"))


@pytest.mark.parametrize("index", ["SV", "BV", "SII", "BII", "CHII", "k-SII", "STII", "FSII", "FBII", "Moebius"])
def test_the_values_are_those_of_shapiq(index):
    order = 1 if index in ("SV", "BV") else 2
    ours = explained(index, order).to_shapiq()
    theirs = shapiq.ExactComputer(game, N)(index, order)
    assert (ours.index, ours.max_order, ours.n_players) == (theirs.index, order, N)
    keys = [players for players in ours.interactions if players]
    assert_allclose([ours[key] for key in keys], [theirs[key] for key in keys], atol=1e-9)


@pytest.mark.parametrize("max_order", [1, 2, 3, N])
@pytest.mark.parametrize("index", SHARED)
def test_there_and_back(index, max_order):
    result = explained(index, max_order)
    back = Interactions.from_shapiq(result.to_shapiq(), names=list("abcdef"))
    assert_allclose([back[players] for players in result], result.values, atol=1e-12)
    assert_allclose([back.n_evaluations, back.faithfulness], [2**N, 1.0])
    if index != "Co-Moebius" or max_order == N:  # its baseline is f(all), which fewer orders do not tell
        assert_allclose(back.baseline, result.baseline, atol=1e-12)
    again = back.model.index_terms(captum_spex.indices.Index(back.index, back.max_order))
    assert_allclose([again[players] for players in result], result.values, atol=1e-12)
    assert_allclose(again.baseline, back.baseline, atol=1e-12)


def test_all_moebius_terms_are_the_game():
    masks = np.random.default_rng(1).random((20, N)) < 0.5
    back = Interactions.from_shapiq(explained("Moebius", N).to_shapiq())
    assert_allclose(back.model(masks), game(masks), atol=1e-12)
    assert_allclose(back.to("SII", 2).values, explained("SII", 2).values, atol=1e-12)


@pytest.mark.parametrize("index", ["SV", "SII", "k-SII", "STII", "FSII", "BII", "Moebius"])
def test_what_shapiq_computed_has_the_values_of_the_game_without_players(index):
    """The empty set of its SII is another number."""
    values = shapiq.ExactComputer(game, N)(index, 1 if index == "SV" else 2)
    back = Interactions.from_shapiq(values)
    assert_allclose(back.model(np.zeros((1, N), dtype=bool)), TABLE[:1], atol=1e-9)
    if index in ("SV", "k-SII", "STII", "FSII"):
        assert_allclose(back.model(np.ones((1, N), dtype=bool)), TABLE[-1:], atol=1e-9)


def test_a_result_that_shapiq_sampled():
    sampler = shapiq.PermutationSamplingSII(n=N, max_order=2, index="SII", random_state=0)
    back = Interactions.from_shapiq(sampler.approximate(60, lambda masks: game(np.atleast_2d(masks))))
    assert_allclose(back.model(np.zeros((1, N), dtype=bool)), TABLE[:1], atol=1e-9)


def test_a_result_that_shapiq_approximated():
    values = shapiq.KernelSHAPIQ(n=N, max_order=2, index="k-SII", random_state=0).approximate(40, game)
    back = Interactions.from_shapiq(values)
    assert back.n_evaluations == 40
    assert np.isnan(back.faithfulness)
    for players, value in values.interactions.items():
        if players:
            assert_allclose(back[players], value, atol=1e-12)


@pytest.mark.parametrize("plot", ["network", "si_graph", "upset", "force", "waterfall", "stacked_bar", "sentence"])
def test_its_plots_take_it(plot):
    values = explained("k-SII", 2).to_shapiq()
    names = {"words": list("abcdef")} if plot == "sentence" else {"feature_names": list("abcdef")}
    getattr(values, f"plot_{plot}")(show=False, **names)
    assert plt.get_fignums()
    plt.close("all")


def test_what_does_not_fit_is_said():
    with pytest.raises(
        UnknownNameError, match=r"`index`: expected one that shapiq knows: SV, .*, got 'Fourier'\. Convert it first"
    ):
        explained("Fourier", 2).to_shapiq()
    with pytest.raises(ArgumentError, match=r"`values`: expected a `shapiq.InteractionValues`, got a dict"):
        Interactions.from_shapiq({})
    with pytest.raises(ArgumentError, match=r"`names`: expected one for each of the 6 players, got 2 names"):
        Interactions.from_shapiq(explained("SV", 1).to_shapiq(), names=["a", "b"])
