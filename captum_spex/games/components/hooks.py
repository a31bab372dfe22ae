"""Hooks that cut components out of a model, another set of them in every row of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from captum_spex.errors import ArgumentError, GameError
from captum_spex.games.components.component import Component

_IMAGE_MODULES = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)
_ROUNDING = 0.02  # of 16 bit
Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Site:
    """One side of a module, and which players own which of its channels.

    Attributes:
        module: the module.
        name, side: its name, and ``"input"`` or ``"output"``.
        starts: first channel of every run of channels that have the same owners, ascending from 0.
        owners: for every run the players that own it, int64 ``(n_runs, most_owners)``, filled up with ``n_players``.
        n_players: how many players there are.
        last_channel: the last channel that the places are known to need.
    """

    module: nn.Module
    name: str
    side: str
    starts: tuple[int, ...]
    owners: Tensor
    n_players: int
    last_channel: int
    _known: dict[tuple[int, torch.device], Tensor] = field(default_factory=dict, init=False)

    @property
    def channel_dim(self) -> int:
        """The dimension of the channels: the last, or the second of images."""
        return 1 if isinstance(self.module, _IMAGE_MODULES) else -1

    def kept(self, present: Tensor, like: Tensor) -> Tensor:
        """Return which channels stay, to be broadcast over ``like`` ``(n_masks, n_examples, ...)``.

        ``present`` is bool ``(n_masks, n_players + 1)``; its last column is true: the owner of what nobody owns.
        """
        owners = self._owners(like, present.device)
        kept = present[:, owners]
        return self._spread(kept.all(dim=2) if owners.dim() > 1 else kept, like)

    def scales(self, scale: Tensor, like: Tensor) -> Tensor:
        """Return what the channels are multiplied by, as `kept`: ``scale`` ``(n_masks,)`` where somebody owns them."""
        owned = self._owners(like, scale.device) < self.n_players
        owned = owned.any(dim=1) if owned.dim() > 1 else owned
        return self._spread(torch.where(owned, scale[:, None], 1.0), like)

    def _spread(self, by_channel: Tensor, like: Tensor) -> Tensor:
        shape = [len(by_channel), *[1] * (like.dim() - 1)]
        shape[self._dim] = by_channel.shape[1]
        return by_channel.reshape(shape)

    @property
    def _dim(self) -> int:
        return self.channel_dim if self.channel_dim < 0 else self.channel_dim + 1

    def _owners(self, like: Tensor, device: torch.device) -> Tensor:
        return self._owners_of_channels(like.shape[self._dim] if len(self.starts) > 1 else 1, device)

    def _owners_of_channels(self, width: int, device: torch.device) -> Tensor:
        """Return the owners of every channel, ``(width,)`` or ``(width, most_owners)``."""
        if (width, device) not in self._known:
            lengths = torch.tensor(np.diff([*self.starts, width]))
            owners = self.owners[:, 0] if self.owners.shape[1] == 1 else self.owners
            self._known[width, device] = owners.repeat_interleave(lengths, dim=0).to(device)
        return self._known[width, device]

    def hooked(self, change: Change) -> RemovableHandle:
        """Register a hook that changes the tensor."""
        if self.side == "output":
            return self.module.register_forward_hook(
                lambda _module, _arguments, output: _with_first(output, change, self.name)
            )
        return self.module.register_forward_pre_hook(
            lambda _module, arguments: _with_first(arguments, change, self.name)
        )

    def check(self, tensor: Tensor, first: Tensor | None) -> None:
        """Check a tensor of two rows against that of the first of them alone.

        Raises:
            ArgumentError: if it has fewer channels than a place asks for, or the rows do not come first.
        """
        rows = by_rows(self, tensor, 2)
        if first is None or first.numel() != rows[0].numel() or not _alike(rows[0], first):
            came = f"the {self.side} of {self.name!r}, which does not split into rows: {tuple(tensor.shape)} for 2"
            raise ArgumentError("components", came, "modules whose tensors have rows first", "Take a module around it.")
        width = tensor.shape[self.channel_dim]
        if self.last_channel >= width:
            came = f"channel {self.last_channel} of the {self.side} of {self.name!r}"
            raise ArgumentError("components", came, f"channels 0 to {width - 1}")


def sites_of(model: nn.Module, components: Sequence[Component]) -> list[Site]:
    """Gather the places of all components by module and side."""
    modules = dict(model.named_modules())
    places: dict[tuple[str, str], list[tuple[int, int | None, int]]] = {}
    for player, component in enumerate(components):
        for place in component.places:
            places.setdefault((place.module, place.side), []).append((place.start, place.stop, player))
    return [_site(modules[name], name, side, here, len(components)) for (name, side), here in places.items()]


def _site(
    module: nn.Module, name: str, side: str, places: Sequence[tuple[int, int | None, int]], n_players: int
) -> Site:
    edges = {0} | {start for start, _, _ in places} | {stop for _, stop, _ in places if stop is not None}
    starts = sorted(edges)
    of_run: list[list[int]] = [[] for _ in starts]
    for start, stop, player in places:
        for run in range(starts.index(start), len(starts) if stop is None else starts.index(stop)):
            of_run[run].append(player)
    owners = torch.full((len(starts), max(1, *map(len, of_run))), n_players)
    for run, players in enumerate(of_run):
        owners[run, : len(players)] = torch.tensor(players, dtype=torch.int64)
    last = max(start if stop is None else stop - 1 for start, stop, _ in places)
    return Site(module, name, side, tuple(starts), owners, n_players, last)


@dataclass(eq=False)
class Batch:
    """The rows of one call of the model: every mask with every one of some examples, the masks outside.

    Attributes:
        present: bool ``(n_masks, n_players + 1)``, on the model's device.
        examples: the examples.
        scale: what kept components are multiplied by, ``(n_masks,)``, or ``None``.
        n_calls: how often every site was reached.
    """

    present: Tensor
    examples: slice
    scale: Tensor | None = None
    n_calls: dict[int, int] = field(default_factory=dict)

    def ablated(self, number: int, site: Site, tensor: Tensor, instead: Sequence[Tensor] | None) -> Tensor:
        """Replace what is absent of a site's tensor, whose first dimension is the rows."""
        n_masks = len(self.present)
        n_rows = n_masks * (self.examples.stop - self.examples.start)
        rows = by_rows(site, tensor, n_rows)
        call = self.n_calls.get(number, 0)
        self.n_calls[number] = call + 1
        split = rows.reshape(n_masks, n_rows // n_masks, *rows.shape[1:])
        kept = site.kept(self.present, split).to(tensor.device)  # a model may lie on several devices
        if self.scale is not None:
            split = split * site.scales(self.scale.to(split), split)
        return torch.where(kept, split, self._instead(site, split, call, instead)).reshape(tensor.shape)

    def _instead(self, site: Site, split: Tensor, call: int, instead: Sequence[Tensor] | None) -> Tensor | float:
        if instead is None:
            return 0.0
        chosen = instead[min(call, len(instead) - 1)]
        chosen = chosen[self.examples] if len(chosen) > 1 else chosen
        try:
            return chosen.to(split).expand(split.shape[1:])
        except RuntimeError:
            raise GameError(
                f"`reference`: gave shape {tuple(chosen.shape[1:])} at the {site.side} of {site.name!r}, where the "
                f"inputs give {tuple(split.shape[2:])}; they must have the same length."
            ) from None


@contextmanager
def hooks(sites: Sequence[Site], change_at: Callable[[int], Change]) -> Iterator[None]:
    """Register hooks at all sites; they are removed on leaving, also on an error."""
    with ExitStack() as stack:
        for number, site in enumerate(sites):
            stack.callback(site.hooked(change_at(number)).remove)
        yield


def by_rows(site: Site, tensor: Tensor, n_rows: int) -> Tensor:
    """Return a site's tensor with rows first; some models join rows and positions into one dimension.

    Raises:
        GameError: if the first dimension is no multiple of the rows.
    """
    if tensor.dim() and len(tensor) == n_rows:
        return tensor
    if tensor.dim() == 2 and len(tensor) % n_rows == 0:
        return tensor.reshape(n_rows, -1, tensor.shape[1])
    raise GameError(
        f"`components`: the {site.side} of {site.name!r} has shape {tuple(tensor.shape)} for {n_rows} rows; "
        "its first dimension must be the rows."
    )


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same numbers, but for the rounding of another batch size."""
    one, other = one.flatten().double(), other.flatten().double()
    finite = one.isfinite() & other.isfinite()
    close = (one - other)[finite].abs().sum() <= _ROUNDING * other[finite].abs().sum()
    return bool(close) and torch.equal(one.isfinite(), other.isfinite())


def _with_first(value: Any, change: Change, name: str) -> Any:
    """Change a tensor, or the first of several things."""
    if isinstance(value, Tensor):
        return change(value)
    if hasattr(value, "_replace") and isinstance(value[0], Tensor):  # a named tuple
        return value._replace(**{value._fields[0]: change(value[0])})
    if isinstance(value, tuple | list) and value and isinstance(value[0], Tensor):
        return type(value)([change(value[0]), *value[1:]])
    came = "no arguments but by keyword" if value == () else f"a {type(value).__name__}"
    raise GameError(f"`components`: {name!r} got or gave {came}; a tensor, or several with a tensor first, is needed.")
