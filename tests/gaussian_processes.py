"""Gaussian processes on masks, and slow twins of their covariance, that several tests share."""

from __future__ import annotations

import numpy as np
import torch

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Process,
    signs_of,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import (
    Hyperparameters,
    maximise_evidence,
)
from captum_spex.arrays import Floats
from captum_spex.masks import Masks

CPU = torch.device("cpu")

DOUBLE = torch.zeros((), dtype=torch.float64)


def random_masks(n_masks: int, n: int, seed: int) -> Masks:
    """Distinct random masks, half of them complements of the others."""
    rng = np.random.default_rng(seed)
    half = rng.random((n_masks, n)) < 0.5
    rows = np.stack([half, ~half], axis=1).reshape(-1, n)
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)][:n_masks]


def random_hyper(n: int, seed: int) -> Hyperparameters:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=9) / 2 - [0, 0, 0, 1, 0, 0, 0, 1, 1]
    decays, linear = rng.normal(size=n) - 1, rng.normal(size=n) - 1
    return Hyperparameters(*(torch.from_numpy(part) for part in (shared, decays, linear)))


def entry_by_entry(hyper: Hyperparameters, left: Masks, right: Masks) -> Floats:
    """The kernel as its docstring says, one pair of masks at a time."""
    a1, a2, g, _, empty, full, h, from_empty, from_full = hyper.shared.exp().tolist()
    w, linear = hyper.decays.exp().numpy(), hyper.linear.exp().numpy()
    total = np.zeros((len(left), len(right)))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            distance = w[one != other].sum()
            total[i, j] = a1 * np.exp(-distance) + a2 * np.exp(-g * distance)
            total[i, j] += (linear * np.where(one == other, 1, -1)).sum()
            total[i, j] += empty * np.exp(-h * distance - from_empty * (one.sum() + other.sum()))
            total[i, j] += full * np.exp(-h * distance - from_full * ((~one).sum() + (~other).sum()))
    return total


def flattened(hyper: Hyperparameters) -> torch.Tensor:
    return torch.cat([hyper.shared, hyper.decays, hyper.linear])


def full_covariance(process: Process, left: Masks, right: Masks) -> Floats:
    total = entry_by_entry(process.hyper, left, right)
    if process.terms is not None:
        for players, variance in zip(process.terms.sets.tuples(), process.terms.variances, strict=True):
            signs = [(-1.0) ** side[:, list(players)].sum(axis=1) for side in (left, right)]
            total += variance * np.outer(*signs)
    return total


def started(masks: Masks, values: Floats) -> tuple[Hyperparameters, Floats]:
    y = ((values - values.mean()) / values.std())[:, None]
    signs = signs_of(masks, DOUBLE)
    start = Hyperparameters.initial(signs, torch.from_numpy(y))
    return maximise_evidence(start, signs, torch.from_numpy(y), n_steps=20, learning_rate=0.15), y
