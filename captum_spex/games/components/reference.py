"""Activations for absent components: what the model computes there for reference inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from captum_spex.games.components.hooks import Site, by_rows, recording
from captum_spex.games.components.model_inputs import ModelInputs


def activations(
    sites: Sequence[Site], forward: Callable[..., Any], inputs: ModelInputs, batch_size: int
) -> list[list[Tensor]]:
    """Return the activations at every site, ``(n_examples, ...)`` for each call of its module."""
    blocks = [_recorded(sites, forward, inputs, examples) for examples in inputs.blocks(batch_size)]
    return [[torch.cat(call) for call in zip(*calls, strict=True)] for calls in zip(*blocks, strict=True)]


def mean_activations(
    sites: Sequence[Site], forward: Callable[..., Any], inputs: ModelInputs, batch_size: int, *, by_position: bool
) -> list[list[Tensor]]:
    """Return their mean over the examples, and over positions unless ``by_position``, ``(1, ...)``.

    Positions that an ``attention_mask`` of the inputs excludes do not count.
    """
    # Sums and counts are added up block by block, so that the activations of all examples are never in memory together.
    totals: list[list[tuple[Tensor, Tensor]]] = [[] for _ in sites]
    for examples in inputs.blocks(batch_size):
        for number, tensors in enumerate(_recorded(sites, forward, inputs, examples)):
            attended = inputs.attention_mask(examples, sites[number].name)
            sums = [_sum(sites[number], tensor, attended, by_position) for tensor in tensors]
            before = totals[number] or [(torch.zeros_like(total), torch.zeros_like(count)) for total, count in sums]
            totals[number] = [(a + c, b + d) for (a, b), (c, d) in zip(before, sums, strict=True)]
    return [[total / count.clamp_min(1) for total, count in calls] for calls in totals]


def _recorded(
    sites: Sequence[Site], forward: Callable[..., Any], inputs: ModelInputs, examples: slice
) -> list[list[Tensor]]:
    by_site: list[list[Tensor]] = [[] for _ in sites]

    def record(number: int, tensor: Tensor) -> None:
        by_site[number].append(by_rows(sites[number], tensor, examples.stop - examples.start).detach().clone())

    with torch.no_grad(), recording(sites, record):
        inputs.call(forward, 1, examples)
    return by_site


def _sum(site: Site, tensor: Tensor, attended: Tensor | None, by_position: bool) -> tuple[Tensor, Tensor]:
    """Return the sum over examples (and positions) in double precision, and the number of terms, ``(1, ...)``."""
    tensor = tensor.double()
    counts = torch.ones(tensor.shape[:2], dtype=torch.float64, device=tensor.device)
    if attended is not None and attended.shape == tensor.shape[:2] and tensor.dim() > 2 and site.channel_dim < 0:
        counts = attended.to(counts)
    elif tensor.dim() == 2 or site.channel_dim > 0:  # the second dimension is channels, not positions
        counts = torch.ones((len(tensor), 1), dtype=torch.float64, device=tensor.device)
    weights = counts.reshape(*counts.shape, *[1] * (tensor.dim() - 2))
    channel = site.channel_dim % tensor.dim()
    over = [0] if by_position else [dim for dim in range(tensor.dim()) if dim != channel]
    total = (tensor * weights).sum(dim=over, keepdim=True)
    return total, weights.expand(tensor.shape).sum(dim=over, keepdim=True)
