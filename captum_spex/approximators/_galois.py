"""Arithmetic in GF(2^m) on whole arrays, by logarithm tables, and roots of many polynomials at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

Elements = NDArray[np.int64]

# A primitive polynomial for every degree m (bit k = coefficient of x^k).
_PRIMITIVE = {
    2: 0b111,
    3: 0b1011,
    4: 0b10011,
    5: 0b100101,
    6: 0b1000011,
    7: 0b10001001,
    8: 0b100011101,
    9: 0b1000010001,
    10: 0b10000001001,
    11: 0b100000000101,
    12: 0b1000001010011,
    13: 0b10000000011011,
    14: 0b100010001000011,
    15: 0b1000000000000011,
    16: 0b10001000000001011,
    17: 0b100000000000001001,
    18: 0b1000000000010000001,
    19: 0b10000000000000100111,
    20: 0b100000000000000001001,
    21: 0b1000000000000000000101,
    22: 0b10000000000000000000011,
}
LARGEST_DEGREE = max(_PRIMITIVE)
_SEARCH_BLOCK = 1 << 22  # field elements tried at once when searching for roots


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

    def distinct_roots(self, polynomials: Elements, positions: int) -> Elements:
        """Find the roots of polynomials that split into distinct linear factors among the first powers.

        Args:
            polynomials: ``(n, d)``, the coefficients of ``y^(d-1) .. y^0`` below the leading ``y^d``.
            positions: only roots that are one of the first ``positions`` powers of the primitive element count.

        Returns:
            Logarithms of the roots, ``(n, d)``; a row of -1 where not all d roots are distinct and allowed.
        """
        degree = polynomials.shape[1]
        solve = {1: self._linear, 2: self._quadratic, 3: self._cubic}.get(degree)
        roots = solve(polynomials) if solve else self._search(polynomials, positions)
        logs = self.log[np.maximum(roots, 0)]
        ordered = np.sort(roots, axis=1)
        good = (roots > 0).all(axis=1) & (logs < positions).all(axis=1)
        good &= (np.diff(ordered, axis=1) != 0).all(axis=1)
        return np.where(good[:, None], logs, -1)

    def _linear(self, polynomials: Elements) -> Elements:
        return polynomials

    def _quadratic(self, polynomials: Elements) -> Elements:
        """Solve y^2 + a y + b: with y = a z, z^2 + z = b / a^2 is looked up."""
        a, b = polynomials.T
        scale = np.where(a != 0, a, 1)
        z = self._half[self.divide(b, self.power(scale, 2))]
        solvable = (a != 0) & (z >= 0)
        root = self.multiply(scale, np.maximum(z, 0))
        return np.where(solvable[:, None], np.stack([root, root ^ scale], axis=1), -1)

    def _cubic(self, polynomials: Elements) -> Elements:
        """Solve y^3 + a y^2 + b y + c: y = u + a gives u^3 + p u + q, and u = sqrt(p) z a looked-up z^3 + z."""
        a, b, c = polynomials.T
        p = self.power(a, 2) ^ b
        q = self.multiply(a, b) ^ c
        scale = self.square_root(np.where(p != 0, p, 1))
        z = self._thirds[self.divide(q, self.power(scale, 3))]
        u = self.multiply(scale[:, None], np.maximum(z, 0))
        u = np.where(z >= 0, u, -1)
        u = np.where((p != 0)[:, None], u, self._cube_roots(q))
        return np.where(u >= 0, u ^ a[:, None], -1)

    def _cube_roots(self, q: Elements) -> Elements:
        """Return the three cube roots of every element, or -1 where there are not three."""
        if self.order % 3:
            return np.full((len(q), 3), -1, dtype=np.int64)
        third = self.order // 3
        roots = self.exp[(self.log[q] // 3)[:, None] + third * np.arange(3)]
        return np.where(((q != 0) & (self.log[q] % 3 == 0))[:, None], roots, -1)

    @cached_property
    def _half(self) -> Elements:
        """A solution z of z^2 + z = k for every k, or -1."""
        z = np.arange(self.order + 1)
        table = np.full(self.order + 1, -1, dtype=np.int64)
        table[self.power(z, 2) ^ z] = z
        return table

    @cached_property
    def _thirds(self) -> Elements:
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

    def _search(self, polynomials: Elements, positions: int) -> Elements:
        """Try all allowed elements, on the polynomials that split into distinct linear factors at all."""
        degree = polynomials.shape[1]
        roots = np.full(polynomials.shape, -1, dtype=np.int64)
        promising = np.flatnonzero(self._splits(polynomials) & (polynomials[:, -1] != 0))
        block = max(1, _SEARCH_BLOCK // max(1, len(promising)))
        found: list[tuple[Elements, Elements]] = []
        for start in range(0, positions if len(promising) else 0, block):
            logs = np.arange(start, min(start + block, positions))
            rows, columns = np.nonzero(self._values(polynomials[promising], logs) == 0)
            found.append((rows, logs[columns]))
        if found:
            rows = np.concatenate([r for r, _ in found])
            logs = np.concatenate([at for _, at in found])[np.argsort(rows, kind="stable")]
            counts = np.bincount(rows, minlength=len(promising))
            starts = np.cumsum(counts) - counts
            full = np.flatnonzero(counts == degree)
            roots[promising[full]] = self.exp[logs[starts[full][:, None] + np.arange(degree)]]
        return roots

    def _values(self, polynomials: Elements, logs: Elements) -> Elements:
        """Evaluate every polynomial at the elements of the given logarithms, ``(n, len(logs))``."""
        degree = polynomials.shape[1]
        total = np.broadcast_to(self.exp[(degree * logs) % self.order], (len(polynomials), len(logs))).copy()
        for power in range(degree):
            coefficient = polynomials[:, degree - 1 - power, None]
            at = self.exp[(self.log[coefficient] + power * logs) % self.order]
            total ^= np.where(coefficient != 0, at, 0)
        return total

    def _splits(self, polynomials: Elements) -> NDArray[np.bool_]:
        """Tell which polynomials divide ``y^(2^m) - y``, that is have only distinct roots in the field."""
        degree = polynomials.shape[1]
        low_first = polynomials[:, ::-1]
        # y^degree, y^(degree+1), ... reduced: each is the one before times y.
        reduced = [low_first]
        for _ in range(degree - 2):
            last = reduced[-1]
            shifted = np.concatenate([np.zeros_like(last[:, :1]), last[:, :-1]], axis=1)
            reduced.append(shifted ^ self.multiply(last[:, -1:], low_first))
        image = np.zeros_like(low_first)
        image[:, 1] = 1
        for _ in range(self.m):
            squares = self.power(image, 2)
            image = np.zeros_like(low_first)
            image[:, 0::2] = squares[:, : (degree + 1) // 2]
            for k in range((degree + 1) // 2, degree):
                image ^= self.multiply(squares[:, k, None], reduced[2 * k - degree])
        target = np.zeros(degree, dtype=np.int64)
        target[1] = 1
        return (image == target).all(axis=1)

    def _times_x(self, element: int) -> int:
        doubled = element << 1
        return doubled ^ _PRIMITIVE[self.m] if doubled >> self.m else doubled

    def _times_constant(self, elements: Elements, constant: int) -> Elements:
        product = np.zeros_like(elements)
        for bit in range(self.m):
            product ^= np.where((elements >> bit) & 1, constant, 0)
            constant = self._times_x(constant)
        return product
