"""Kernel expansion: a sum of product kernels around masks, and the closed form of all its interaction indices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import characters, signs
from captum_spex.indices import Functional, Index
from captum_spex.masks import Masks, all_masks, masks_from_hex, masks_to_hex
from captum_spex.model.product_kernel import ProductKernel
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True)
class Limits:
    """How finely a kernel expansion is integrated, and where one way of computing gives way to another."""

    fewest_nodes: int = 8  # 11 digits for nearly all kernels (measured)
    most_nodes: int = 128  # where doubling stops: a decay is cut at 15
    tolerance: float = 1e-11  # relative change of the single players' indices at which they have converged
    all_pairs_share: float = 0.05  # of all pairs, from which one matrix product is faster than pair by pair (measured)
    beam: int = 500  # terms of one degree that are extended by a player
    highest_degree: int = 8  # of the Fourier terms for display
    cells: int = 1 << 22  # of a block of predictions or of products: 32 MiB
    negligible: float = 1e-17  # share of the largest product of a sum that a mask's own must exceed
    worth_leaving_out: float = 0.25  # share of masks whose products are negligible: below, a copy costs as much


class KernelExpansion:
    r"""The game :math:`f(m) = \sum_t \alpha_t \sum_c k_c(m, m_t)` with product kernels :math:`k_c`.

    For a set S and players outside S present with probability p, the polynomial :math:`g_S(p)` behind all
    interaction indices (see `captum_spex.indices`) is a product over players, divided by the factors of S.
    Densities are integrated by Gauss-Legendre quadrature, with as many nodes as the single players' indices need
    to converge to 11 digits (8 nearly always for a stationary kernel); Taylor coefficients are exact. All pairs cost
    one matrix product a node. A kernel that fades from an end of the lattice concerns few masks: only these count.

    Example:
        >>> masks = np.array([[True, True, False]])
        >>> part = KernelExpansion(masks, np.array([1.0]), (ProductKernel(1.0, np.array([1.0, 0.5, 0.0])),))
        >>> part(np.array([[True, True, True]]))
        array([1.])
    """

    kind: ClassVar[str] = "kernel"
    concerns_all: ClassVar[bool] = True
    limits = Limits()

    def __init__(self, masks: Masks, weights: Floats, kernels: tuple[ProductKernel, ...]) -> None:
        self.masks = masks
        self.weights = weights
        self.kernels = kernels
        self._rules: dict[tuple[int, tuple[Fraction, ...]], list[tuple[float, float]]] = {}

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.masks.shape[1]

    def __call__(self, masks: Masks) -> Floats:
        """Return the value of every mask."""
        values = np.zeros(len(masks))
        step = max(1, self.limits.cells // max(1, len(self.masks)))
        for start in range(0, len(masks), step):
            block = masks[start : start + step]
            for kernel in self.kernels:
                values[start : start + step] += kernel.between(block, self.masks) @ self.weights
        return values

    def of_all_masks(self) -> Floats:
        """Return the values of all masks in the order of `captum_spex.masks.all_masks`, ``(2**n_players,)``.

        A product kernel is one of the first half of the players times one of the others: a matrix product of what
        both are for the masks of half of the players.
        """
        half = self.n_players // 2
        values = np.zeros((1 << (self.n_players - half), 1 << half))
        for kernel in self.kernels:
            first, others = kernel.halves(half)
            weighted = others.between(all_masks(self.n_players - half), self.masks[:, half:]) * self.weights
            values += weighted @ first.between(all_masks(half), self.masks[:, :half]).T
        return values.ravel()

    def baseline(self, index: Index) -> float:
        """Return the index of the empty set."""
        return float(self.apply(index.functional(0), np.zeros((1, 0), dtype=np.int64))[0])

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the index of every set."""
        values = np.zeros(len(sets))
        for order, rows, block in sets.by_order():
            values[rows] = self.apply(index.functional(order), block)
        return values

    def candidates(self, max_order: int) -> PlayerSets:
        """Return the sets below the largest Fourier terms."""
        return self.largest_terms(self.limits.beam).candidates(max_order)

    def scaled(self, factor: float) -> KernelExpansion:
        """Return ``factor`` times the game."""
        return KernelExpansion(self.masks, factor * self.weights, self.kernels)

    def largest_terms(self, max_terms: int) -> Spectrum:
        r"""Return about the ``max_terms`` largest Fourier terms.

        .. math:: F(S) = \sum_c \sum_t \alpha_t \prod_{i \notin S} \frac{k_{ci}(0, m_{ti}) + k_{ci}(1, m_{ti})}{2}
                  \prod_{i \in S} \frac{k_{ci}(0, m_{ti}) - k_{ci}(1, m_{ti})}{2}

        with the factor :math:`k_{ci}` of player i in kernel c, its states absent (0) or present (1). All single players
        and pairs are computed (of many players, pairs with a large term only); higher degrees are grown from the
        largest terms of the degree below, one player at a time.
        """
        n, wanted = self.n_players, max(self.limits.beam, max_terms)
        constant = float(sum(self.weights @ kernel.factors(self.masks, 0.5)[0] for kernel in self.kernels))
        top = Spectrum.from_terms({(): constant}, n)
        spectra = [top]
        for degree in range(1, min(n, self.limits.highest_degree) + 1):
            parents = top.select(np.arange(min(len(top), n if degree == 2 else wanted))).sets
            if not len(parents):
                break
            top = self._extended(parents, wanted)
            spectra.append(top)
        return Spectrum.sum(spectra, n).largest_terms(max_terms)

    def to_dict(self) -> dict[str, Any]:
        """Return the masks, packed and in hexadecimal, weights and kernels, for JSON."""
        kernels = [kernel.to_dict() for kernel in self.kernels]
        masks = masks_to_hex(self.masks)
        return {"n_players": self.n_players, "masks": masks, "weights": self.weights.tolist(), "kernels": kernels}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> KernelExpansion:
        """Read what `to_dict` returned."""
        kernels = tuple(ProductKernel.from_dict(kernel) for kernel in content["kernels"])
        masks = masks_from_hex(content["masks"], content["n_players"])
        return cls(masks, np.array(content["weights"], dtype=np.float64), kernels)

    def _extended(self, parents: PlayerSets, wanted: int) -> Spectrum:
        """The largest Fourier terms among the sets that have one player more than a set in ``parents``."""
        block = next(parents.by_order())[2]
        coefficients = self._fourier_coefficients(parents, block)
        np.put_along_axis(coefficients, block, 0.0, axis=1)  # a player that is in the set already
        # Every set comes up once for each of its players.
        most = min(coefficients.size, wanted * (block.shape[1] + 1))
        flat = np.argpartition(-np.abs(coefficients), most - 1, axis=None)[:most]
        flat = flat[coefficients.ravel()[flat] != 0]
        parent, player = np.divmod(flat, self.n_players)
        sets = PlayerSets.from_blocks([np.sort(np.column_stack([block[parent], player]), axis=1)], self.n_players)
        distinct, which = sets.unique()
        values = np.zeros(len(distinct))
        values[which] = coefficients.ravel()[flat]
        return Spectrum(distinct, values).largest_terms(wanted)

    def apply(self, functional: Functional, block: Ints) -> Floats:
        """Apply a functional to the polynomials of the sets ``block`` ``(n_sets, order)``."""
        values = np.zeros(len(block))
        for number, kernel in enumerate(self.kernels):
            if functional.density:
                key = number, functional.density
                if key not in self._rules:  # the same for sets of all orders, mostly
                    self._rules[key] = self._nodes(kernel, functional)
                values += self._integrated(kernel, self._rules[key], block)
            for x, k, weight in functional.points:
                values += float(weight) * self._taylor(kernel, float((1 - x) / 2), k, block)
        return values

    def _nodes(self, kernel: ProductKernel, functional: Functional) -> list[tuple[float, float]]:
        """Return nodes and weights that integrate the density times any polynomial of this part with one kernel."""
        singles = np.arange(self.n_players)[:, None]
        size = self.limits.fewest_nodes + len(functional.density) // 2
        rule = kernel.rule(functional, size)
        values = self._integrated(kernel, rule, singles)
        while size < self.limits.most_nodes:
            size *= 2
            finer = kernel.rule(functional, size)
            check = self._integrated(kernel, finer, singles)
            if np.abs(check - values).max(initial=0.0) <= self.limits.tolerance * np.abs(check).max(initial=0.0):
                return rule
            rule, values = finer, check
        return rule

    def _integrated(self, kernel: ProductKernel, rule: list[tuple[float, float]], block: Ints) -> Floats:
        return np.asarray(np.sum([weight * self._taylor(kernel, p, 0, block) for p, weight in rule], axis=0))

    def _taylor(self, kernel: ProductKernel, p: float, k: int, block: Ints) -> Floats:
        r"""Return the Taylor coefficient of order ``k`` at ``p`` of every set's polynomial, of one kernel.

        With ratios :math:`r_i`, the polynomial at :math:`p + z` is
        :math:`c \prod_{i \in S} r_i \prod_{i \notin S} (1 + r_i z)`; the players of S are divided out of the product
        over all players as geometric series in :math:`z`.
        """
        total = np.zeros(len(block))
        factor, ratios = kernel.factors(self.masks, p)
        weights = self.weights * factor
        if not kernel.is_stationary:
            weights, ratios = self._relevant(weights, ratios, block.shape[1] + k)
        symmetric = _elementary_symmetric(ratios, k)
        for j in range(k + 1):
            weights_of_order = (-1.0) ** j * weights * symmetric[k - j]
            for extra in _compositions(j, block.shape[1]):
                total += self._weighted_products(weights_of_order, ratios, block, extra)
        return total

    def _relevant(self, weights: Floats, ratios: Floats, order: int) -> tuple[Floats, Floats]:
        """Return weights and ratios of the masks whose products of up to ``order`` ratios may matter in a sum."""
        largest = np.abs(weights) * np.maximum(np.abs(ratios).max(axis=1, initial=0.0), 1.0) ** order
        rows = np.flatnonzero(largest > self.limits.negligible * largest.max(initial=0.0))
        if len(rows) > (1 - self.limits.worth_leaving_out) * len(weights):
            return weights, ratios
        return weights[rows], ratios[rows]

    def _fourier_coefficients(self, parents: PlayerSets, block: Ints) -> Floats:
        """Return the Fourier coefficient of every set of ``parents`` with one player more, ``(n_sets, n_players)``."""
        coefficients = (characters(self.masks, parents) * self.weights) @ signs(self.masks)
        size = np.zeros_like(coefficients)
        for kernel in self.kernels:
            if kernel.is_stationary:  # all masks have the same ratios, up to their signs
                ratios, mean = kernel.fourier_ratios, kernel.factors(self.masks[:1], 0.5)[0].sum()
                size += mean * ratios[block].prod(axis=1)[:, None] * ratios
        coefficients *= size
        for kernel in self.kernels:
            if not kernel.is_stationary:
                factor, ratios = kernel.factors(self.masks, 0.5)
                weights, ratios = self._relevant(self.weights * factor, -ratios / 2, block.shape[1] + 1)
                together = np.repeat(weights[None, :], len(block), axis=0)
                for column in block.T:
                    together *= ratios[:, column].T
                coefficients += together @ ratios
        return coefficients

    def _weighted_products(self, weights: Floats, ratios: Floats, block: Ints, extra: tuple[int, ...]) -> Floats:
        r"""Return :math:`\sum_t c_t \prod_j r_{t, S_j}^{1 + e_j}` for every row S of ``block``."""
        n_sets, order = block.shape
        if order == 0:
            return np.full(n_sets, weights.sum())
        powers = [ratios if e == 0 else ratios ** (1 + e) for e in extra]
        if order == 1:
            return np.asarray((weights @ powers[0])[block[:, 0]])
        if order == 2 and n_sets >= self.limits.all_pairs_share * ratios.shape[1] ** 2:
            return np.asarray((powers[0].T @ (weights[:, None] * powers[1]))[block[:, 0], block[:, 1]])
        sums = np.empty(n_sets)
        columns = [np.ascontiguousarray(power.T) for power in powers]
        step = max(1, self.limits.cells // max(1, len(weights)))
        for start in range(0, n_sets, step):
            chosen = block[start : start + step]
            together = columns[0][chosen[:, 0]]
            for position in range(1, order):
                together *= columns[position][chosen[:, position]]
            sums[start : start + step] = together @ weights
        return sums


def _elementary_symmetric(ratios: Floats, highest: int) -> list[Floats]:
    """Return the elementary symmetric polynomials of every row, orders 0 to ``highest``, by Newton's identities."""
    found = [np.ones(len(ratios))]
    sums = [(ratios**j).sum(axis=1) for j in range(1, highest + 1)]
    for k in range(1, highest + 1):
        found.append(np.sum([(-1.0) ** (j - 1) * found[k - j] * sums[j - 1] for j in range(1, k + 1)], axis=0) / k)
    return found


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of ``parts`` non-negative integers that sum to ``total``."""
    if parts == 0:
        if total == 0:
            yield ()
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield first, *rest
