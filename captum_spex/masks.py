"""Masks as arrays: checks, keys for comparing rows, and packing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.arrays import Ints, Rows
from captum_spex.errors import MaskError

Masks = NDArray[np.bool_]
"""Bool array ``(n_masks, n_players)``, ``True`` = player present."""

Keys = NDArray[np.uint64]

_BLOCK = 1 << 22  # cells of a temporary array: a few tens of MB
_SHOWN_PLAYERS = 20


def as_masks(masks: ArrayLike, n_players: int) -> Masks:
    """Return ``masks`` as a bool array ``(n_masks, n_players)``; 0/1 numbers are accepted.

    Raises:
        MaskError: if the width is not ``n_players`` or an entry is neither 0 nor 1.
    """
    array = np.asarray(masks)
    if array.ndim != 2 or array.shape[1] != n_players:
        raise MaskError("masks", f"shape {array.shape}", f"(n_masks, {n_players}): one column per player")
    if array.dtype == np.bool_:
        return array
    if not np.isin(array, (0, 1)).all():
        raise MaskError("masks", f"dtype {array.dtype} with other values than 0 and 1", "bool, or 0 and 1")
    return array.astype(np.bool_)


def mask_keys(masks: Masks) -> Keys:
    """Return one 64-bit key per mask, the XOR of the keys of its players (`player_keys`).

    Up to 64 players the key is the mask itself; beyond, two different masks share one with probability ``2**-64``.
    """
    n_players = masks.shape[1]
    if n_players <= 64:
        octets = np.zeros((len(masks), 8), dtype=np.uint8)
        packed = np.packbits(masks, axis=1, bitorder="little")
        octets[:, : packed.shape[1]] = packed
        return octets.view("<u8").ravel().astype(np.uint64)
    players = player_keys(np.arange(n_players), n_players)
    keys = np.empty(len(masks), dtype=np.uint64)
    block = max(1, _BLOCK // n_players)
    for start in range(0, len(masks), block):
        chosen = np.where(masks[start : start + block], players, np.uint64(0))
        keys[start : start + block] = np.bitwise_xor.reduce(chosen, axis=1)
    return keys


def player_keys(players: Ints, n_players: int) -> Keys:
    """Return a 64-bit key per player: its own bit up to 64 players, else a fixed hash (splitmix64)."""
    x = players.astype(np.uint64)
    if n_players <= 64:
        return np.uint64(1) << x
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _octet_keys(octets: Ints, n_players: int) -> Keys:
    """Return the key of every value of some octets of a packed mask, ``(len(octets), 256)``."""
    players = player_keys(8 * octets[:, None] + np.arange(8), n_players)
    keys = np.zeros((len(octets), 1), dtype=np.uint64)
    for bit in range(8):
        keys = np.concatenate([keys, keys ^ players[:, [bit]]], axis=1)
    return keys


def first_rows(keys: Keys) -> tuple[Rows, Rows]:
    """Return ``first, inverse``: the first row of every distinct key in order of appearance, and who is which."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.ravel()]


def in_batches(n_masks: int, size: int) -> list[Rows]:
    """Return the rows of batches of ``size`` masks, the last of which may be smaller."""
    return np.array_split(np.arange(n_masks), range(size, n_masks, size))


def find_rows(keys: Keys, known: Keys) -> Rows:
    """Return for every key its row in ``known`` (distinct keys), or -1."""
    if not len(known):
        return np.full(len(keys), -1, dtype=np.intp)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)
    return np.where(known[order[place]] == keys, order[place], -1)


@dataclass(frozen=True, eq=False)
class PackedMasks:
    """A block of masks, eight players to a byte: player ``i`` is bit ``i % 8`` of byte ``i // 8``.

    A game with a method ``evaluate_packed`` receives these instead of bool arrays where an algorithm lays out its masks
    lazily; with a million players that is the difference between a block that fits in a cache and one that does not.

    Example:
        >>> block = PackedMasks(np.array([[0b101]], dtype=np.uint8), n_players=3)
        >>> block.columns(np.array([0, 1])), block.unpack()
        (array([[ True, False]]), array([[ True, False,  True]]))
    """

    packed: NDArray[np.uint8]
    n_players: int
    is_packed: ClassVar[bool] = True

    @classmethod
    def of(cls, masks: Masks) -> PackedMasks:
        """Pack a bool array."""
        return cls(np.packbits(masks, axis=1, bitorder="little"), masks.shape[1])

    def __len__(self) -> int:
        return len(self.packed)

    def columns(self, players: Rows | Ints) -> Masks:
        """Return the presence of some players, bool ``(n_masks, len(players))``."""
        octets = self.packed[:, np.asarray(players) >> 3]
        return ((octets >> (np.asarray(players) & 7).astype(np.uint8)) & 1).astype(np.bool_)

    def block(self, rows: Rows) -> PackedMasks:
        """Return the masks at ``rows``."""
        return PackedMasks(self.packed[rows], self.n_players)

    def keys(self) -> Keys:
        """Return the `mask_keys` of all masks, without unpacking them."""
        keys = np.zeros(len(self), dtype=np.uint64)
        width = self.packed.shape[1]
        step = max(1, _BLOCK // max(256, len(self)))  # octets of a mask at a time
        for start in range(0, width, step):
            octets = np.arange(start, min(start + step, width))
            places = np.arange(len(octets))
            keys ^= np.bitwise_xor.reduce(_octet_keys(octets, self.n_players)[places, self.packed[:, octets]], axis=1)
        return keys

    def unpack(self) -> Masks:
        """Return the masks as a bool array."""
        return np.unpackbits(self.packed, axis=1, count=self.n_players, bitorder="little").astype(np.bool_)

    def pack(self) -> PackedMasks:
        """Return these masks."""
        return self


@dataclass(frozen=True, eq=False)
class DenseMasks:
    """A block of masks as a bool array; on its way to another process it is packed."""

    masks: Masks
    is_packed: ClassVar[bool] = False

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.masks.shape[1]

    def __len__(self) -> int:
        return len(self.masks)

    def __reduce__(self) -> tuple[Callable[[PackedMasks], DenseMasks], tuple[PackedMasks]]:
        return _unpacked, (self.pack(),)

    def columns(self, players: Rows | Ints) -> Masks:
        """Return the presence of some players, bool ``(n_masks, len(players))``."""
        return self.masks[:, players]

    def block(self, rows: Rows) -> DenseMasks:
        """Return the masks at ``rows``."""
        return DenseMasks(self.masks[rows])

    def keys(self) -> Keys:
        """Return the `mask_keys` of all masks."""
        return mask_keys(self.masks)

    def unpack(self) -> Masks:
        """Return the bool array."""
        return self.masks

    def pack(self) -> PackedMasks:
        """Return the masks packed."""
        return PackedMasks.of(self.masks)


def _unpacked(masks: PackedMasks) -> DenseMasks:
    return DenseMasks(masks.unpack())


MaskBlock: TypeAlias = PackedMasks | DenseMasks
"""Masks that are laid out: each kind has ``block``, ``columns``, ``keys``, ``pack`` and ``unpack``."""


@runtime_checkable
class MaskBlocks(Protocol):
    """Masks that are laid out only block by block."""

    @property
    def n_players(self) -> int:
        """Number of players."""

    def __len__(self) -> int: ...

    def keys(self) -> Keys:
        """Return the `mask_keys` of all masks."""

    def block(self, rows: Rows) -> MaskBlock:
        """Lay out the masks at ``rows``."""


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Some of the masks of others, which stay where they are."""

    masks: MaskBlocks
    rows: Rows

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.masks.n_players

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self) -> Keys:
        """Return the `mask_keys` of all masks."""
        return self.masks.keys()[self.rows]

    def block(self, rows: Rows) -> MaskBlock:
        """Return the masks at ``rows``."""
        return self.masks.block(self.rows[rows])

    def laid_out(self) -> MaskBlock:
        """Return all of them, laid out."""
        return self.masks.block(self.rows)


def mask_blocks(masks: ArrayLike | MaskBlocks, n_players: int) -> MaskBlocks:
    """Return masks that are laid out block by block as they are, and any others checked (`as_masks`)."""
    return masks if isinstance(masks, MaskBlocks) else DenseMasks(as_masks(masks, n_players))


def describe_mask(mask: NDArray[np.bool_]) -> str:
    """Say which players are present or absent, whichever are fewer, and of many players the first 20.

    Example:
        >>> describe_mask(np.array([True, False, True]))
        'players [1] absent'
    """
    present, absent = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(absent):
        return "all players present"
    if not len(present):
        return "no player present"
    word, players = ("present", present) if len(present) <= len(absent) else ("absent", absent)
    more = f" and {len(players) - _SHOWN_PLAYERS} more" if len(players) > _SHOWN_PLAYERS else ""
    return f"players {players[:_SHOWN_PLAYERS].tolist()}{more} {word}"


def ends(n_players: int) -> Masks:
    """Return the mask of all players and the mask of none, bool ``(2, n_players)``."""
    return np.repeat([[True], [False]], n_players, axis=1)


def all_masks(n_players: int) -> Masks:
    """Return all ``2**n_players`` masks; row ``i`` holds player ``j`` iff bit ``j`` of ``i`` is set."""
    codes = np.arange(1 << n_players, dtype=np.uint64)
    return codes_to_masks(codes, n_players)


def codes_to_masks(codes: NDArray[np.uint64], n_players: int) -> Masks:
    """Return the masks whose players are the set bits of ``codes`` (at most 64 players)."""
    octets = np.ascontiguousarray(codes, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=n_players, bitorder="little").astype(np.bool_)


def masks_to_hex(masks: Masks) -> list[str]:
    """Return every mask as hexadecimal text, player ``i`` in bit ``i % 8`` of byte ``i // 8``."""
    return [row.tobytes().hex() for row in PackedMasks.of(masks).packed]


def masks_from_hex(texts: list[str], n_players: int) -> Masks:
    """Read what `masks_to_hex` returned."""
    packed = np.frombuffer(bytes.fromhex("".join(texts)), dtype=np.uint8).reshape(len(texts), -(-n_players // 8))
    return PackedMasks(packed, n_players).unpack()
