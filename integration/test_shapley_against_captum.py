"""Shapley values of a network with twelve features: nearer to the exact ones than ``KernelShap`` at equal budget."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import KernelShap
from torch import nn

from captum_spex.attr import ProxySpex

N_FEATURES, N_SAMPLES = 12, 500


def small_network() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(N_FEATURES, 24), nn.Tanh(), nn.Linear(24, 12), nn.Tanh(), nn.Linear(12, 1))
    with torch.no_grad():
        network[0].weight.mul_(2)  # so that the features interact
    return network.eval()


def test_smaller_error_than_kernel_shap_at_equal_evaluations():
    ours, theirs = [], []
    with torch.random.fork_rng():
        network = small_network()
        rows = torch.randn(3, N_FEATURES)
        for seed, row in enumerate(rows.split(1)):
            options = {"n_samples": N_SAMPLES, "perturbations_per_eval": 50}
            exact = ProxySpex(network).attribute(row, n_samples=2**N_FEATURES, perturbations_per_eval=512)
            for repetition in range(3):
                torch.manual_seed(10 * seed + repetition)
                estimate = ProxySpex(network).attribute(row, **options, random_state=10 * seed + repetition)
                rival = KernelShap(network).attribute(row, **options)
                ours.append(float(((estimate - exact) ** 2).mean()))
                theirs.append(float(((rival - exact) ** 2).mean()))
    print(f"mean squared error: ProxySpex {np.mean(ours):.3g}, KernelShap {np.mean(theirs):.3g}")
    assert np.mean(ours) < np.mean(theirs)


def test_exact_values_agree_with_captum_on_six_features():
    from captum.attr import ShapleyValues

    with torch.random.fork_rng():
        network = small_network()
        row = torch.randn(1, N_FEATURES)
    groups = torch.arange(N_FEATURES)[None] // 2
    exact = ShapleyValues(network).attribute(row, feature_mask=groups)
    ours = ProxySpex(network).attribute(row, feature_mask=groups)
    # Captum returns (1, 1, 12) for a network with one output column.
    torch.testing.assert_close(ours, exact.reshape(1, N_FEATURES), rtol=0, atol=1e-5)
