"""The mask design of SPEX: groups of hashed subspaces, shifted by the rows of a code, never all in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex.approximators.spex.code import Code
from captum_spex.approximators.spex.settings import SETTINGS
from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import signs
from captum_spex.masks import Keys, PackedMasks, ends, first_rows, player_keys
from captum_spex.player_sets import PlayerSets

Hashes = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class MaskDesign:
    r"""All masks of one SPEX run, laid out block by block (`captum_spex.masks.MaskBlocks`).

    Group c holds :math:`m = M_c \ell + d \pmod 2` for all :math:`\ell \in \{0,1\}^b` and all delays d: none, and the
    rows of the code's parity matrix. Then comes the full mask, then extra uniformly random masks, which are not
    used for decoding.

    Attributes:
        code: the code whose parity rows are the delays.
        bits: b.
        hashes: row i of :math:`M_c` as an integer, for every group and, last, for the extra masks,
            ``(n_groups + 1, n_players)``.
        extra: which combination each extra mask is.
    """

    code: Code
    bits: int
    hashes: Hashes
    extra: NDArray[np.uint32]

    @classmethod
    def draw(cls, code: Code, bits: int, n_groups: int, budget: int, rng: np.random.Generator) -> MaskDesign:
        """Draw the groups, and fill the rest of the budget with extra masks."""
        shape = (n_groups, code.n_players)
        hashes = rng.integers(0, 1 << bits, size=shape, dtype=np.uint32)
        combination = rng.integers(0, 1 << SETTINGS.extra_bits, size=(1, code.n_players), dtype=np.uint32)
        bare = cls(code, bits, np.concatenate([hashes, combination]), np.zeros(0, dtype=np.uint32))
        known = np.unique(bare.keys())
        return cls(code, bits, bare.hashes, bare._new_extra(known, budget - len(known), rng))

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.code.n_players

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.hashes) - 1

    @property
    def n_delays(self) -> int:
        """Delays of every group, the one of no player included."""
        return self.code.n_parity + 1

    @property
    def n_structured(self) -> int:
        """Number of masks in the groups, which come first."""
        return self.n_groups * self.n_delays << self.bits

    def __len__(self) -> int:
        return self.n_structured + 1 + len(self.extra)

    def keys(self) -> Keys:
        """Return the keys of all masks; they are linear, so no mask is laid out for them."""
        players = player_keys(np.arange(self.n_players), self.n_players)
        delays = np.array([_xor_where(row, players) for row in self._delays], dtype=np.uint64)
        groups = [
            delays[:, None] ^ self._combine(self._basis_keys(group, players), np.arange(1 << self.bits))
            for group in range(self.n_groups)
        ]
        full = np.bitwise_xor.reduce(players, keepdims=True)
        extra = self._combine(self._basis_keys(self.n_groups, players), self.extra)
        return np.concatenate([*(group.ravel() for group in groups), full, extra])

    def block(self, rows: NDArray[np.intp]) -> PackedMasks:
        """Lay out the masks at ``rows``."""
        # Rows count through groups, delays and combinations; behind them the full mask, then the extra masks.
        size = 1 << self.bits
        group = np.minimum(rows // (self.n_delays * size), self.n_groups)
        delay = np.where(group < self.n_groups, rows // size % self.n_delays, 0)
        place = rows % size
        is_extra = rows > self.n_structured
        place[is_extra] = self.extra[rows[is_extra] - self.n_structured - 1]
        packed = self._delays[delay]
        for one in np.unique(group):
            chosen = np.flatnonzero(group == one)
            packed[chosen] ^= self._combine(self._basis(int(one)), place[chosen])
        packed[rows == self.n_structured] = PackedMasks.of(ends(self.n_players)[:1]).packed
        return PackedMasks(packed, self.n_players)

    def bins(self, sets: PlayerSets) -> Ints:
        """Return the bin of every term in every group, ``(n_terms, n_groups)``."""
        hashed = [_xor_by_set(sets, self.hashes[group]) for group in range(self.n_groups)]
        return np.stack(hashed, axis=1).astype(np.int64)

    def delay_signs(self, sets: PlayerSets) -> Floats:
        """Return ``(-1)**|S & d|`` of every term and delay, ``(n_terms, n_delays)``."""
        words = np.stack([_xor_by_set(sets, column) for column in self._delay_words.T], axis=1)
        octets = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
        odd = np.unpackbits(octets, axis=1, count=self.code.n_parity, bitorder="little")
        return np.concatenate([np.ones((len(sets), 1)), signs(odd.view(np.bool_))], axis=1)

    def extra_signs(self, sets: PlayerSets) -> Floats:
        """Return ``(-1)**|S & m|`` of every term and extra mask, ``(n_terms, n_extra)``."""
        odd = _parity(_xor_by_set(sets, self.hashes[-1])[:, None] & self.extra)
        return signs(odd.astype(np.bool_))

    @cached_property
    def _delays(self) -> NDArray[np.uint8]:
        none = np.zeros((1, self.code.parity_rows.shape[1]), dtype=np.uint8)
        return np.concatenate([none, self.code.parity_rows])

    @cached_property
    def _delay_words(self) -> Keys:
        """The delays that a player is in, as the bits of 64-bit words, ``(n_players, n_words)``."""
        words = np.zeros((self.n_players, -(-self.code.n_parity // 64)), dtype=np.uint64)
        for row, packed in enumerate(self.code.parity_rows):
            bits = np.unpackbits(packed, count=self.n_players, bitorder="little").astype(np.uint64)
            words[:, row // 64] |= bits << np.uint64(row % 64)
        return words

    def _basis(self, group: int) -> NDArray[np.uint8]:
        """Return the columns of M, packed, ``(bits, n_players / 8)``."""
        n_bits = self.bits if group < self.n_groups else SETTINGS.extra_bits
        columns = [(self.hashes[group] >> np.uint32(bit)) & np.uint32(1) for bit in range(n_bits)]
        return np.stack([np.packbits(column.astype(np.uint8), bitorder="little") for column in columns])

    def _basis_keys(self, group: int, players: Keys) -> Keys:
        return np.array([_xor_where(row, players) for row in self._basis(group)], dtype=np.uint64)

    @staticmethod
    def _combine(basis: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
        """XOR the basis vectors at the set bits of every place, eight bits at a time."""
        total = np.zeros((len(places), *basis.shape[1:]), dtype=basis.dtype)
        for start in range(0, len(basis), 8):
            chunk = basis[start : start + 8]
            table = np.zeros((1, *basis.shape[1:]), dtype=basis.dtype)
            for vector in chunk:
                table = np.concatenate([table, table ^ vector])
            total ^= table[(places.astype(np.int64) >> start) & 255 & (len(table) - 1)]
        return total

    def _new_extra(self, known: Keys, count: int, rng: np.random.Generator) -> NDArray[np.uint32]:
        """Draw ``count`` combinations whose masks are new, or as many as there are."""
        basis = self._basis_keys(self.n_groups, player_keys(np.arange(self.n_players), self.n_players))
        extra = np.zeros(0, dtype=np.uint32)
        for _ in range(SETTINGS.extra_rounds if count > 0 else 0):
            drawn = rng.integers(1, 1 << SETTINGS.extra_bits, size=count + 8, dtype=np.uint32)
            drawn = np.concatenate([extra, drawn])
            keys = self._combine(basis, drawn)
            first, _ = first_rows(keys)
            extra = drawn[first[~np.isin(keys[first], known)]][:count]
            if len(extra) == count:
                break
        return extra


def _xor_by_set(sets: PlayerSets, words: NDArray[Any]) -> NDArray[Any]:
    """XOR the words of the players of every set."""
    result = np.zeros(len(sets), dtype=words.dtype)
    for order, rows, block in sets.by_order():
        if order:
            result[rows] = np.bitwise_xor.reduce(words[block], axis=1)
    return result


def _xor_where(packed: NDArray[np.uint8], players: Keys) -> np.uint64:
    present = np.unpackbits(packed, count=len(players), bitorder="little").astype(bool)
    return np.bitwise_xor.reduce(players[present], initial=np.uint64(0))


def _parity(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the parity of the set bits of every word, folding it in halves."""
    for shift in (16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint32(shift))
    return words & np.uint32(1)
