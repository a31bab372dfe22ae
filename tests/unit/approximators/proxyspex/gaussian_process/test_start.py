"""Where a search starts: kernels that outputs share, correlations of one's own."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters
from captum_spex.approximators.proxyspex.gaussian_process.start import Start


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
