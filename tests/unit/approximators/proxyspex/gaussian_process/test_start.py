"""Where a search starts: kernels that outputs share, correlations of one's own, what outputs fitted in full told."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose
from torch.testing import assert_close

from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters
from captum_spex.approximators.proxyspex.gaussian_process.start import Start, Told
from captum_spex.approximators.proxyspex.proxy import FittedProxy, Pilot
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.model import Posterior, Spectrum


def hyperparameters(seed: int, n: int = 5) -> Hyperparameters:
    rng = torch.Generator().manual_seed(seed)
    signs, targets = torch.randn(40, n, generator=rng).sign(), torch.randn(40, 2, generator=rng)
    usual = Hyperparameters.initial(signs, targets)
    return Hyperparameters(usual.shared + seed, usual.decays - seed, usual.linear)


def test_the_linear_kernel_stays_that_of_the_output() -> None:
    plain, linked, own = map(hyperparameters, range(3))
    for is_linked, expected in ((False, plain), (True, linked)):
        begun = Start(plain, linked, 8).of(own, linked=is_linked)
        assert_close(begun.shared, expected.shared)
        assert_close(begun.decays, expected.decays)
        assert_close(begun.linear, own.linear)


def test_without_a_link_the_plain_kernel_stands_in() -> None:
    plain, own = hyperparameters(0), hyperparameters(1)
    assert_close(Start(plain, None, 8).of(own, linked=True).decays, plain.decays)


def test_precision_is_that_of_the_output() -> None:
    plain, own = hyperparameters(0), hyperparameters(1).to(torch.zeros((), dtype=torch.float64))
    assert Start(plain, None, 0).of(own, linked=False).decays.dtype == torch.float64


def pilot(reused: float, left_out: float, terms: dict[tuple[int, ...], float] | None = None) -> Pilot:
    """One whose predictions are off by so much, with a process that found terms."""
    values, masks = np.ones((8, 1)), np.zeros((8, 5), dtype=bool)
    bars = Posterior(masks, (), np.zeros(5), Spectrum.from_terms(terms or {}, 5), 0.1, np.zeros(8))
    return Pilot(values, [FittedProxy("a process", [()], values + left_out, values + reused, bars)])


def test_optimism_is_the_geometric_mean_over_the_pilots() -> None:
    told = Told.by([pilot(0.1, 0.1), pilot(0.1, 0.4), Pilot(np.ones((8, 1)), [])])
    assert told is not None
    assert_allclose(told.optimism, [4.0])
    assert_allclose(told.worst, 0.16)
    values = np.ones((8, 1))
    assert_allclose(told.left_out(values + 0.1, values, 0), values + 0.2)


def test_predictions_that_used_more_are_never_taken_for_worse() -> None:
    told = Told.by([pilot(0.4, 0.1)])
    assert told is not None
    assert told.optimism == (1.0,)


def test_pilots_that_were_not_fitted_tell_nothing() -> None:
    assert Told.by([Pilot(np.ones((8, 1)), [])]) is None


def test_terms_have_their_mean_variance_over_the_pilots() -> None:
    told = Told.by([pilot(0.1, 0.1, {(0, 1): 2.0}), pilot(0.1, 0.1, {(0, 1): 1.0, (2,): 0.5}), pilot(0.1, 0.1)])
    assert told is not None
    assert told.terms is not None
    found = dict(zip(told.terms.sets.tuples(), told.terms.variances.tolist(), strict=True))
    assert found == {(0, 1): 1.0, (2,): 0.5 / 3}


def test_of_many_terms_the_largest_are_told() -> None:
    many = {(i, j, k): 1.0 + i + j + k for i in range(5) for j in range(i + 1, 5) for k in range(j + 1, 5)}
    pilots = [pilot(0.1, 0.1, many)]
    told = Told.by(pilots)
    assert told is not None
    assert told.terms is not None
    assert len(told.terms.sets) == min(len(many), SETTINGS.follower_terms)
