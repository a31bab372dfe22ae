"""Hooks that ablate components of a model, a different set of them in every row of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.games.components.component import Component

_IMAGE_MODULES = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)
_ROUNDING = 0.02  # relative difference between batch sizes that 16-bit models may show
Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Site:
    """The input or output of a module, and the players that own its channels.

    Attributes:
        module: the module.
        name, side: its name, and ``"input"`` or ``"output"``.
        starts: first channel of every run of channels with the same owners, ascending from 0.
        owners: the players that own each run, int64 ``(n_runs, most_owners)``, padded with ``n_players``.
        n_players: number of players.
        last_channel: the last channel that a place names.
    """

    module: nn.Module
    name: str
    side: str
    starts: tuple[int, ...]
    owners: Tensor
    n_players: int
    last_channel: int
    _owners_by_width: dict[tuple[int, torch.device], Tensor] = field(default_factory=dict, init=False)

    @property
    def channel_dim(self) -> int:
        """The dimension of the channels: the last, or the second in images."""
        return 1 if isinstance(self.module, _IMAGE_MODULES) else -1

    def present_channels(self, present: Tensor, like: Tensor) -> Tensor:
        """Return which channels are present, to be broadcast over ``like`` ``(n_masks, n_examples, ...)``.

        ``present`` is bool ``(n_masks, n_players + 1)``; its last column, always true, is for channels without owner.
        """
        return self._broadcast(present[:, self._owners(like, present.device)].all(dim=2), like)

    def scales(self, scale: Tensor, like: Tensor) -> Tensor:
        """Return the factor of every channel: ``scale`` ``(n_masks,)`` if it has an owner, else 1."""
        owned = (self._owners(like, scale.device) < self.n_players).any(dim=1)
        return self._broadcast(torch.where(owned, scale[:, None], 1.0), like)

    def _broadcast(self, by_channel: Tensor, like: Tensor) -> Tensor:
        shape = [len(by_channel), *[1] * (like.dim() - 1)]
        shape[self._dim] = by_channel.shape[1]
        return by_channel.reshape(shape)

    @property
    def _dim(self) -> int:
        return self.channel_dim if self.channel_dim < 0 else self.channel_dim + 1

    def _owners(self, like: Tensor, device: torch.device) -> Tensor:
        """Return the owners of every channel, ``(width, most_owners)``."""
        width = like.shape[self._dim] if len(self.starts) > 1 else 1
        if (width, device) not in self._owners_by_width:
            lengths = torch.tensor(np.diff([*self.starts, width]))
            self._owners_by_width[width, device] = self.owners.repeat_interleave(lengths, dim=0).to(device)
        return self._owners_by_width[width, device]

    def register(self, change: Change) -> RemovableHandle:
        """Register a hook that changes the tensor."""

        def hook(_module: nn.Module, *given: Any) -> Any:
            return change_first(given[-1], change, self.name)  # the output, or all positional arguments

        is_output = self.side == "output"
        return (self.module.register_forward_hook if is_output else self.module.register_forward_pre_hook)(hook)

    def check(self, tensor: Tensor, first: Tensor | None) -> None:
        """Check the tensor of two rows against that of the first row alone.

        Raises:
            ArgumentError: if it has fewer channels than a place names, or the rows do not come first.
        """
        rows = by_rows(self, tensor, 2)
        if first is None or first.numel() != rows[0].numel() or not _are_close(rows[0], first):
            got = f"the {self.side} of {self.name!r}, of shape {tuple(tensor.shape)} for 2 rows"
            raise ArgumentError("components", got, "modules whose tensors have rows first", "Use a module around it.")
        width = tensor.shape[self.channel_dim]
        if self.last_channel >= width:
            got = f"channel {self.last_channel} of the {self.side} of {self.name!r}"
            raise ArgumentError("components", got, f"channels 0 to {width - 1}")


def sites_of(model: nn.Module, components: Sequence[Component]) -> list[Site]:
    """Return the sites that the components share, one for each module and side."""
    modules = dict(model.named_modules())
    places: dict[tuple[str, str], list[tuple[int, int | None, int]]] = {}
    for player, component in enumerate(components):
        for place in component.places:
            places.setdefault((place.module, place.side), []).append((place.start, place.stop, player))
    return [_site(modules[name], name, side, here, len(components)) for (name, side), here in places.items()]


def _site(
    module: nn.Module, name: str, side: str, places: Sequence[tuple[int, int | None, int]], n_players: int
) -> Site:
    # The edges of all places cut the channels into runs; within a run every channel has the same owners.
    edges = {0} | {start for start, _, _ in places} | {stop for _, stop, _ in places if stop is not None}
    starts = sorted(edges)
    run_owners: list[list[int]] = [[] for _ in starts]
    for start, stop, player in places:
        for run in range(starts.index(start), len(starts) if stop is None else starts.index(stop)):
            run_owners[run].append(player)
    owners = torch.full((len(starts), max(1, *map(len, run_owners))), n_players)
    for run, players in enumerate(run_owners):
        owners[run, : len(players)] = torch.tensor(players, dtype=torch.int64)
    last = max(start if stop is None else stop - 1 for start, stop, _ in places)
    return Site(module, name, side, tuple(starts), owners, n_players, last)


@dataclass(eq=False)
class Batch:
    """The rows of one call of the model: every mask with every one of some examples, the examples varying fastest.

    Attributes:
        present: bool ``(n_masks, n_players + 1)``, on the model's device.
        examples: the examples.
        scale: the factor of present components, ``(n_masks,)``, or ``None``.
        n_calls: how often each site was reached, by its number.
    """

    present: Tensor
    examples: slice
    scale: Tensor | None = None
    n_calls: dict[int, int] = field(default_factory=dict)

    def ablate(self, number: int, site: Site, tensor: Tensor, replacements: Sequence[Tensor] | None) -> Tensor:
        """Replace the absent channels of a site's tensor, whose first dimension is the rows."""
        n_masks = len(self.present)
        n_rows = n_masks * (self.examples.stop - self.examples.start)
        rows = by_rows(site, tensor, n_rows)
        call = self.n_calls.get(number, 0)
        self.n_calls[number] = call + 1
        split = rows.reshape(n_masks, n_rows // n_masks, *rows.shape[1:])
        present = site.present_channels(self.present, split).to(tensor.device)  # a model may lie on several devices
        if self.scale is not None:
            split = split * site.scales(self.scale.to(split), split)
        return torch.where(present, split, self._replacement(site, split, call, replacements)).reshape(tensor.shape)

    def _replacement(
        self, site: Site, split: Tensor, call: int, replacements: Sequence[Tensor] | None
    ) -> Tensor | float:
        if replacements is None:
            return 0.0
        chosen = replacements[min(call, len(replacements) - 1)]  # a module that is called more often than recorded
        chosen = chosen[self.examples] if len(chosen) > 1 else chosen
        try:
            return chosen.to(split).expand(split.shape[1:])
        except RuntimeError:
            raise GameError(
                f"`reference`: expected inputs of the same length, got shape {tuple(chosen.shape[1:])} at the "
                f"{site.side} of {site.name!r}, where `inputs` have {tuple(split.shape[2:])}."
            ) from None


@contextmanager
def hooks(sites: Sequence[Site], change: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
    """Register hooks that change the tensor of every site, given with its number; they are removed on exit."""
    with ExitStack() as stack:
        for number, site in enumerate(sites):
            stack.enter_context(site.register(partial(change, number)))
        yield


def recording(sites: Sequence[Site], record: Callable[[int, Tensor], Any]) -> AbstractContextManager[None]:
    """Register hooks that pass every site's number and tensor to ``record`` and change nothing."""

    def unchanged(number: int, tensor: Tensor) -> Tensor:
        record(number, tensor)
        return tensor

    return hooks(sites, unchanged)


def by_rows(site: Site, tensor: Tensor, n_rows: int) -> Tensor:
    """Return a site's tensor with rows first; some models flatten rows and positions into one dimension.

    Raises:
        GameError: if the first dimension is not a multiple of the rows.
    """
    if tensor.dim() and len(tensor) == n_rows:
        return tensor
    if tensor.dim() == 2 and len(tensor) % n_rows == 0:
        return tensor.reshape(n_rows, -1, tensor.shape[1])
    raise GameError(
        f"`components`: expected the {site.side} of {site.name!r} to have rows first, got shape "
        f"{tuple(tensor.shape)} for {n_rows} rows."
    )


def _are_close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors agree, up to the rounding errors of different batch sizes."""
    one, other = one.flatten().double(), other.flatten().double()
    finite = one.isfinite() & other.isfinite()
    close = (one - other)[finite].abs().sum() <= _ROUNDING * other[finite].abs().sum()
    return bool(close) and torch.equal(one.isfinite(), other.isfinite())


def change_first(value: Any, change: Change, name: str) -> Any:
    """Return the value, a tensor or several items of which the first is one, with that tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if hasattr(value, "_replace") and isinstance(value[0], Tensor):  # a named tuple
        return value._replace(**{value._fields[0]: change(value[0])})
    if isinstance(value, tuple | list) and value and isinstance(value[0], Tensor):
        return type(value)([change(value[0]), *value[1:]])
    got = "keyword arguments only" if value == () else type_of(value)
    raise GameError(f"`components`: expected a tensor, or several items with a tensor first, at {name!r}, got {got}.")
