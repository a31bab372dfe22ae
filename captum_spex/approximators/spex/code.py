"""Shortened systematic BCH codes: signatures of players, and decoding of many noisy signatures at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from captum_spex.approximators.spex.galois import LARGEST_DEGREE, Elements, Field, field
from captum_spex.approximators.spex.root_finding import berlekamp_massey, roots
from captum_spex.approximators.spex.settings import SETTINGS

LARGEST_CORRECTION = 10
"""Most errors that a code here corrects: degree of a term plus wrong signs."""


@dataclass(frozen=True)
class Code:
    """The BCH code that corrects ``t`` errors, shortened to ``n_players`` message bits.

    A codeword is (parity bits, message bits). The players of a term are a message of low weight, and the signs of its
    measurements are its parity bits: read against the all-zero message, player and wrong sign alike are errors.
    """

    n_players: int
    t: int

    @cached_property
    def m(self) -> int:
        """Degree of the field: the smallest with room for all players."""
        for m in range(2, LARGEST_DEGREE + 1):
            n_parity = _parity_bits(m, self.t)
            if n_parity is not None and (1 << m) - 1 - n_parity >= self.n_players:
                return m
        raise ValueError(f"no code for {self.n_players} players and {self.t} errors")

    @cached_property
    def n_parity(self) -> int:
        """Number of parity bits."""
        n_parity = _parity_bits(self.m, self.t)
        if n_parity is None:
            raise ValueError(f"no code of length 2**{self.m} - 1 corrects {self.t} errors")
        return n_parity

    @property
    def _field(self) -> Field:
        return field(self.m)

    @property
    def _length(self) -> int:
        return self.n_parity + self.n_players

    @cached_property
    def parity_rows(self) -> NDArray[np.uint8]:
        """Which players enter which parity bit: packed along players (little), ``(n_parity, n_players / 8)``.

        Solved from the parity-check matrix, whose rows are the bits of ``alpha^((2j+1) position)``.
        """
        rows = []
        for j in range(self.t):
            powers = self._field.exp[((2 * j + 1) * np.arange(self._length)) % self._field.order]
            rows += [np.packbits((powers >> bit) & 1, bitorder="little") for bit in range(self.m)]
        check = np.stack(rows)
        # Gauss-Jordan elimination of the parity columns: the rows that remain say which players make up each bit.
        for column in range(self.n_parity):
            pivot = column + int(np.argmax(_bit(check[column:], column)))
            check[[column, pivot]] = check[[pivot, column]]
            others = _bit(check, column).astype(bool)
            others[column] = False
            check[others] ^= check[column]
        bits = np.unpackbits(check[: self.n_parity], axis=1, count=self._length, bitorder="little")
        return np.packbits(bits[:, self.n_parity :], axis=1, bitorder="little")

    def decode(self, reliabilities: NDArray[np.float64]) -> tuple[NDArray[np.intp], Elements]:
        """Decode noisy parity bits, hard decisions first, then with up to two unreliable bits flipped.

        Args:
            reliabilities: ``(n_words, n_parity)``; negative where the bit is more likely 1, the larger the surer.

        Returns:
            ``words, players``: a row for each way in which a word decoded; players ``(n, t)``, padded with -1.
        """
        flips = self._chase_syndromes(np.abs(reliabilities))
        syndromes = self._syndromes(reliabilities < 0)[:, None, :] ^ flips
        words = np.repeat(np.arange(len(reliabilities)), syndromes.shape[1])
        odd = syndromes.reshape(-1, self.t)
        locators, degrees = berlekamp_massey(self._field, odd)
        players = np.full((len(words), self.t), -1, dtype=np.int64)
        decoded = degrees == 0
        for degree in range(1, self.t + 1):
            rows = np.flatnonzero(degrees == degree)
            if len(rows):
                found = roots(self._field, locators[rows, : degree + 1], odd[rows])
                positions = self._field.log[np.maximum(found, 0)]
                decoded[rows] = (found[:, 0] >= 0) & (positions < self._length).all(axis=1)
                # Positions below n_parity are wrong signs, the others players.
                players[rows, :degree] = np.where(positions >= self.n_parity, positions - self.n_parity, -1)
        players = -np.sort(-players, axis=1)
        return words[decoded], players[decoded]

    @cached_property
    def _parity_powers(self) -> Elements:
        """``alpha^((2j+1) i)`` of every parity position i, ``(n_parity, t)``."""
        odd = 2 * np.arange(self.t) + 1
        return self._field.exp[(np.arange(self.n_parity)[:, None] * odd) % self._field.order]

    def _syndromes(self, bits: NDArray[np.bool_]) -> Elements:
        """Odd syndromes of words with an all-zero message, ``(n_words, t)``."""
        return np.stack(
            [np.bitwise_xor.reduce(np.where(bits, powers, 0), axis=1) for powers in self._parity_powers.T], axis=1
        )

    def _chase_syndromes(self, strengths: NDArray[np.float64]) -> Elements:
        """Syndromes of flipping none, one or two of each word's least reliable bits, ``(n_words, n_flips, t)``."""
        depth = min(SETTINGS.chase_bits, self.n_parity)
        weakest = np.argpartition(strengths, depth - 1, axis=1)[:, :depth]
        single = self._parity_powers[weakest]
        pairs = np.array(list(combinations(range(depth), 2)), dtype=np.int64).reshape(-1, 2)
        double = single[:, pairs[:, 0]] ^ single[:, pairs[:, 1]]
        return np.concatenate([np.zeros_like(single[:, :1]), single, double], axis=1)


@cache
def _parity_bits(m: int, t: int) -> int | None:
    """Number of parity bits of the code of length 2**m - 1: distinct conjugates of the first odd powers.

    ``None`` if the code has no message bits left.
    """
    order = (1 << m) - 1
    conjugates = {(odd << k) % order for odd in range(1, 2 * t, 2) for k in range(m)}
    return len(conjugates) if 2 * t < order and len(conjugates) < order else None


def _bit(packed: NDArray[np.uint8], column: int) -> NDArray[np.uint8]:
    return (packed[:, column >> 3] >> np.uint8(column & 7)) & np.uint8(1)
