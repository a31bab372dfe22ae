"""Arithmetic in GF(2^m) on whole arrays, by logarithm tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

Elements = NDArray[np.int64]

PRIMITIVE = dict(
    enumerate((
        0x7, 0xb, 0x13, 0x25, 0x43, 0x89, 0x11d, 0x211, 0x409, 0x805, 0x1053, 0x201b, 0x4443, 0x8003, 0x1100b, 0x20009,
        0x40081, 0x80027, 0x100009, 0x200005, 0x400003,
    ), start=2)
)  # fmt: skip
"""A primitive polynomial for every degree m: bit k is the coefficient of x^k."""

LARGEST_DEGREE = max(PRIMITIVE)


@cache
def field(m: int) -> Field:
    """Return GF(2^m); its tables are made once."""
    return Field(m)


@dataclass(frozen=True, eq=False)
class Field:
    """GF(2^m), elements as integers whose bits are the coefficients; ``exp`` and ``log`` are to a primitive element."""

    m: int

    @property
    def order(self) -> int:
        """Number of non-zero elements, ``2**m - 1``."""
        return (1 << self.m) - 1

    @cached_property
    def exp(self) -> Elements:
        """Powers of the primitive element, twice around, so that sums of two logarithms need no reduction."""
        powers = np.ones(1, dtype=np.int64)
        while len(powers) < self.order:  # powers s..2s-1 are powers 0..s-1 times the s-th
            step = self._times_x(int(powers[-1]))
            powers = np.concatenate([powers, self._times_constant(powers, step)])
        powers = powers[: self.order]
        return np.concatenate([powers, powers])

    @cached_property
    def log(self) -> Elements:
        """Logarithms; that of 0 is meaningless."""
        log = np.zeros(self.order + 1, dtype=np.int64)
        log[self.exp[: self.order]] = np.arange(self.order)
        return log

    def multiply(self, a: Elements, b: Elements) -> Elements:
        """Multiply elementwise."""
        return np.where((a != 0) & (b != 0), self.exp[self.log[a] + self.log[b]], 0)

    def divide(self, a: Elements, b: Elements) -> Elements:
        """Divide elementwise by non-zero elements."""
        return np.where(a != 0, self.exp[self.log[a] - self.log[b] + self.order], 0)

    def power(self, a: Elements, exponent: int) -> Elements:
        """Raise elementwise to a positive power."""
        return np.where(a != 0, self.exp[(self.log[a] * exponent) % self.order], 0)

    def square_root(self, a: Elements) -> Elements:
        """Take the square root, which every element has."""
        return self.power(a, 1 << (self.m - 1))

    @cached_property
    def halves(self) -> Elements:
        """A solution z of z^2 + z = k for every k, or -1."""
        z = np.arange(self.order + 1)
        table = np.full(self.order + 1, -1, dtype=np.int64)
        table[self.power(z, 2) ^ z] = z
        return table

    @cached_property
    def thirds(self) -> Elements:
        """The three solutions z of z^3 + z = k for every k, or -1 where there are not three."""
        z = np.arange(self.order + 1)
        k = self.power(z, 3) ^ z
        by_k = np.argsort(k, kind="stable")
        counts = np.bincount(k, minlength=self.order + 1)
        table = np.full((self.order + 1, 3), -1, dtype=np.int64)
        starts = np.cumsum(counts) - counts
        full = np.flatnonzero(counts == 3)
        table[full] = by_k[starts[full][:, None] + np.arange(3)]
        return table

    def _times_x(self, element: int) -> int:
        doubled = element << 1
        return doubled ^ PRIMITIVE[self.m] if doubled >> self.m else doubled

    def _times_constant(self, elements: Elements, constant: int) -> Elements:
        product = np.zeros_like(elements)
        for bit in range(self.m):
            product ^= np.where((elements >> bit) & 1, constant, 0)
            constant = self._times_x(constant)
        return product
